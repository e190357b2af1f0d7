// Which situations of fprobes a run has had, told from its events: for the test that says how often random workloads
// lead to each.
import { contextKey } from '../src/replay/guarantee/hit.ts';
import type { Event, EventOf } from '../src/replay/schema.ts';

/** Each has to be met in every era; `idle` is a hit, as the graph hook has no handlers there (CC-G8). */
export const SITUATIONS = [
  'task',
  'softirq',
  'irq',
  'nmi',
  'idle',
  'sleeps',
  'recurses',
  'tail call',
  'task ends',
  'busy with a kprobe',
  'several on a function',
  'older number first',
  'younger number first',
] as const;
type Situation = (typeof SITUATIONS)[number];

const LEVELS: readonly Situation[] = ['task', 'softirq', 'irq', 'nmi'];

/** A function that is open, and the fprobes whose entry handlers ran for it. */
interface Call {
  readonly func: number;
  readonly sp: number;
  readonly probes: number[];
}

/** One level of one task. */
interface Flow {
  readonly calls: Call[];
  /** Returns that are taken. */
  hooks: number;
}

type Place = Pick<Event, 'pid' | 'cpu' | 'level'>;

export function situationsIn(events: Iterable<Event>): ReadonlySet<Situation> {
  const seen = new Set<Situation>();
  const flows = new Map<number, Flow>();
  const flowOf = ({ cpu, level, pid }: Place): Flow => {
    const key = contextKey(pid, cpu, level);
    const flow = flows.get(key) ?? { calls: [], hooks: 0 };
    flows.set(key, flow);
    return flow;
  };
  const fprobes = new Set<number>();
  for (const e of events) {
    if (e.event === 'fprobe') fprobes.add(e.object);
    if (e.event === 'hook') flowOf(e).hooks++;
    if (e.event === 'unhook') flowOf(e).hooks--;
    if (e.event === 'unhook' && e.why === 'flush') seen.add('task ends');
    if (e.event === 'cb_begin' && fprobes.has(e.object)) handlerBegan(seen, flowOf(e), e);
    if (e.event === 'skip') skipped(seen, e);
    if (e.event === 'func_enter') entered(seen, flowOf(e), e);
    if (e.event === 'func_return') {
      const { calls } = flowOf(e);
      calls.splice(
        Math.max(
          0,
          calls.findLastIndex(({ func }) => func === e.func),
        ),
      );
    }
    if (e.event === 'sched_switch' && e.state === 'sleeping') {
      if (flowOf({ pid: e.prev, cpu: e.cpu, level: 0 }).hooks > 0) seen.add('sleeps');
    }
  }
  return seen;
}

function handlerBegan(seen: Set<Situation>, { calls }: Flow, e: EventOf<'cb_begin'>): void {
  const level = LEVELS[e.level];
  if (level !== undefined) seen.add(level);
  if (e.pid === 0 && e.level === 0) seen.add('idle');
  // The handler's own function is the innermost one.
  const call = calls.at(-2);
  if (e.kind !== 'fprobe_entry' || call === undefined) return;
  const before = call.probes.at(-1);
  call.probes.push(e.object);
  if (before === undefined) return;
  seen.add('several on a function');
  seen.add(before < e.object ? 'older number first' : 'younger number first');
}

function skipped(seen: Set<Situation>, e: EventOf<'skip'>): void {
  if (e.reason === 'not_watching' && e.pid === 0 && e.level === 0) seen.add('idle');
  if (e.reason === 'kprobe_running') seen.add('busy with a kprobe');
}

function entered(seen: Set<Situation>, { calls, hooks }: Flow, e: EventOf<'func_enter'>): void {
  const isHooked = hooks > 0;
  if (isHooked && calls.some(({ func }) => func === e.func)) seen.add('recurses');
  if (isHooked && calls.at(-1)?.sp === e.sp) seen.add('tail call');
  calls.push({ func: e.func, sp: e.sp, probes: [] });
}
