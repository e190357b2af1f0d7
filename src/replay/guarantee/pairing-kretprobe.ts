// Layer replay. Guarantee `pairing` for the returns of kretprobes (KR-4..KR-6, CC-G9): see pairing-kprobe.ts.
//
// A hit and the return it takes happen on different levels (a breakpoint traps); both in the same task, or on the same CPU
// while that idles, and the stack pointer tells calls apart.
import type { Event, EventOf } from '../schema.ts';
import { contextKey } from './hit.ts';
import { type Kprobe, kprobeOf, RETURN } from './kprobes.ts';
import type { Listeners } from './listen.ts';
import type { Story } from './story.ts';
import { nameOfPlace } from './wording.ts';

type Report = (e: Event, why: string, shows?: readonly number[]) => void;

/** A return that is taken. */
interface Hook {
  readonly probe: Kprobe;
  readonly taken: EventOf<'hook'>;
  exit: 'owed' | 'running' | 'over';
}

/** Of one task, or of the idle task of a CPU. */
interface Flow {
  /** Innermost last. */
  readonly hooks: Hook[];
  /** What the last entry handler of each probe said. */
  readonly answers: Map<number, EventOf<'entry_result'>>;
}

export interface KretprobeFindings {
  readonly story: Story;
  readonly report: Report;
  readonly flows: Map<number, Flow>;
  /** Handlers that were passed over without a word: a probe may have none. */
  readonly silent: { readonly hook: Hook; readonly e: EventOf<'unhook'> }[];
  /** Probes whose return handler ran: they have one. */
  readonly returned: Set<Kprobe>;
  paired: number;
  refused: number;
  finish(): void;
}

const TASK = 0;

export function newKretprobeFindings(story: Story, report: Report): KretprobeFindings {
  const found: KretprobeFindings = {
    story,
    report,
    flows: new Map(),
    silent: [],
    returned: new Set(),
    paired: 0,
    refused: 0,
    finish: () => {
      for (const { e, hook } of found.silent) {
        if (found.returned.has(hook.probe))
          report(e, `${theReturn(found, hook)} was passed over without a word`, [hook.taken.index]);
      }
    },
  };
  return found;
}

export function kretprobeListeners(found: KretprobeFindings): Listeners {
  const { kprobes } = found.story;
  return {
    entry_result: (e) => {
      if (!kprobes.all.has(e.object)) return;
      flowOf(found, e).answers.set(e.object, e);
    },
    hook: (e) => {
      if (kprobes.all.has(e.object)) taken(found, e);
    },
    cb_begin: (e) => {
      if (e.kind === RETURN) returnBegins(found, e);
    },
    cb_end: (e) => {
      if (e.kind !== RETURN) return;
      const hook = flowOf(found, e).hooks.findLast(
        ({ exit, probe }) => exit === 'running' && probe.object === e.object,
      );
      if (hook !== undefined) hook.exit = 'over';
    },
    skip: (e) => {
      if (kprobes.all.has(e.object)) skipped(found, e);
    },
    unhook: (e) => {
      if (kprobes.all.has(e.object)) givenBack(found, e);
    },
    func_return: (e) => {
      if (found.flows.size > 0) functionReturned(found, e);
    },
    task_exit: (e) => {
      found.flows.delete(keyOf(e));
    },
  };
}

function keyOf({ cpu, pid }: Pick<Event, 'cpu' | 'pid'>): number {
  return contextKey(pid, cpu, TASK);
}

function flowOf({ flows }: KretprobeFindings, e: Pick<Event, 'cpu' | 'pid'>): Flow {
  const key = keyOf(e);
  let flow = flows.get(key);
  if (flow === undefined) {
    flow = { hooks: [], answers: new Map() };
    flows.set(key, flow);
  }
  return flow;
}

function taken(found: KretprobeFindings, e: EventOf<'hook'>): void {
  const flow = flowOf(found, e);
  const probe = kprobeOf(found.story.kprobes, e.object);
  const answer = flow.answers.get(e.object);
  flow.answers.delete(e.object);
  const what = `the return of ${nameOf(found, e.ip)} was taken for ${probe.name}`;
  if (answer !== undefined && answer.value !== 0)
    found.report(e, `${what}, although its entry handler refused`, [answer.index]);
  flow.hooks.push({ probe, taken: e, exit: 'owed' });
}

function returnBegins(found: KretprobeFindings, e: EventOf<'cb_begin'>): void {
  const { hooks } = flowOf(found, e);
  const probe = kprobeOf(found.story.kprobes, e.object);
  found.returned.add(probe);
  const place = hooks.findLastIndex(
    (hook) => hook.exit === 'owed' && hook.probe === probe && hook.taken.ip === e.ip,
  );
  const hook = hooks[place];
  if (hook === undefined) {
    const what = `the return handler of ${probe.name} ran for ${nameOf(found, e.ip)}`;
    found.report(e, `${what}, which owed it none`);
    return;
  }
  if (hook.taken.generation !== e.generation && probe.generation !== e.generation)
    found.report(e, `${theReturn(found, hook)} ran for another registration`, [hook.taken.index]);
  const inner = hooks
    .slice(place + 1)
    .find((other) => other.exit === 'owed' && other.taken.frame !== hook.taken.frame);
  if (inner !== undefined) {
    const why = `${theReturn(found, hook)} ran before that of ${nameOf(found, inner.taken.ip)}, which is further in`;
    found.report(e, why, [inner.taken.index]);
  }
  hook.exit = 'running';
  found.paired++;
}

/** Whether it may be passed over is for `nmissed` to say. */
function skipped(found: KretprobeFindings, e: EventOf<'skip'>): void {
  const { answers, hooks } = flowOf(found, e);
  if (e.reason === 'rejected') {
    answers.delete(e.object);
    found.refused++;
  }
  if (e.reason !== 'removed') return;
  const hook = hooks.findLast(
    ({ exit, probe, taken: { ip } }) => exit === 'owed' && probe.object === e.object && ip === e.ip,
  );
  if (hook !== undefined) hook.exit = 'over';
}

function givenBack(found: KretprobeFindings, e: EventOf<'unhook'>): void {
  const { hooks } = flowOf(found, e);
  const place = hooks.findLastIndex(
    ({ probe, taken: { frame, ip } }) =>
      probe.object === e.object && frame === e.frame && ip === e.ip,
  );
  const [hook] = place === -1 ? [] : hooks.splice(place, 1);
  if (hook === undefined || e.why !== 'return') return;
  if (hook.exit === 'owed') found.silent.push({ hook, e });
  if (hook.exit === 'running')
    found.report(e, `the instance of ${theReturn(found, hook)} was given back while it ran`, [
      hook.taken.index,
    ]);
}

/** A callee of a tail call returns to where its caller's return is taken; by whom, is not told apart from fprobes. */
function functionReturned(found: KretprobeFindings, e: EventOf<'func_return'>): void {
  const { left } = found.story;
  if (left === undefined || found.story.fprobes.all.length > 0) return;
  const { hooks } = flowOf(found, e);
  const kept = hooks.find(({ taken: { frame, ip } }) => frame === left.sp && ip === left.site);
  const isTail = hooks.some(({ taken: { frame, ip } }) => frame === left.sp && ip !== left.site);
  if (kept === undefined || isTail) return;
  found.report(e, `${nameOf(found, left.site)} returned and what it owed was not given back`, [
    kept.taken.index,
  ]);
}

function theReturn(found: KretprobeFindings, { probe, taken: { ip } }: Hook): string {
  return `the return handler of ${probe.name} for ${nameOf(found, ip)}`;
}

function nameOf({ story }: KretprobeFindings, ip: number): string {
  return nameOfPlace(story.functions, ip);
}
