// The timeline of a random workload: what happens to each probe and when, interrupts, and who is traced.
import type { SetPattern, TimelineItem } from '../src/replay/workload/model.ts';
import { matches } from '../src/replay/workload/pattern.ts';
import type { Raw, RawChange, RawEnable, RawPids, RawProbe } from './workload-build.ts';
import {
  INDEX,
  nameAt,
  NAMES,
  patternAt,
  PATTERNS,
  STEP_MAX,
  type Table,
} from './workload-names.ts';
import { buildRefusal } from './workload-refusal.ts';

/** Register, changes, unregister, perhaps once more; each when the one before it is over or later. */
export function buildLife(probe: RawProbe, index: number, table: Table, raw: Raw): TimelineItem[] {
  const name = `ops${index}`;
  const isFreed = raw.ends && (probe.triggers[0] ?? 0) % 2 === 0;
  const frees: TimelineItem[] = isFreed ? [{ at: 'end', free_filter: name }] : [];
  if (probe.lives.length === 0) {
    const over: TimelineItem[] = raw.ends ? [{ at: 'end', unregister: name }, ...frees] : [];
    return [{ at: 'start', register: name }, ...over];
  }
  const operations: Omit<TimelineItem, 'at' | 'on'>[] = [];
  for (const [life, changes] of probe.lives.entries()) {
    operations.push({ register: name });
    for (const change of changes) operations.push(buildChange(change, name, table));
    if (!probe.leaves && !raw.ends && life === probe.lives.length - 1) continue;
    if (probe.disables) operations.push({ ftrace_enabled: 0 });
    operations.push({ unregister: name });
    if (probe.disables) operations.push({ ftrace_enabled: 1 });
  }
  const refused = index === 0 ? raw.refusals : [];
  const asked: typeof operations = [];
  for (const [turn, operation] of operations.entries()) {
    asked.push(operation);
    const refusal = buildRefusal(refused[turn] ?? 'none', name);
    if (refusal !== undefined) asked.push(refusal);
  }
  const by = raw.secondControl && index > 0 ? { by: 'control1' } : {};
  const dues = probe.triggers.toSorted((a, b) => a - b);
  const items: TimelineItem[] = [];
  for (const [turn, operation] of asked.entries()) {
    const first = turn === 0 && index === 0;
    const due = dues[turn] ?? STEP_MAX;
    const trigger = first ? AT_START : buildTrigger(probe.pace, due, raw);
    items.push({ ...trigger, ...operation, ...by });
  }
  return [...items, ...frees];
}

export function buildRaised(before: number, raw: Raw): TimelineItem {
  return {
    on: { begin: 'unregister', nth: before + 1 },
    irq: { run: NAMES[0] },
    cpu: raw.cpus - 1,
  };
}

/** Tasks and nobody: a list with a pid that does not run makes all others idle. */
export function buildPids(
  { due, tasks, append }: RawPids,
  names: readonly string[],
  raw: Raw,
): TimelineItem {
  const traced = [...new Set(tasks.map((draw) => nameAt(names, draw)))];
  const set = append ? { tasks: traced, append: true } : { tasks: traced };
  return { ...buildTrigger('steps', due, raw), set_ftrace_pid: set };
}

export function buildEnable({ due, value }: RawEnable, raw: Raw): TimelineItem {
  return { ...buildTrigger('steps', due, raw), ftrace_enabled: value };
}

const AT_START = { at: 'start' } as const;

function buildTrigger(
  pace: RawProbe['pace'],
  due: number,
  raw: Raw,
): Pick<TimelineItem, 'at' | 'on'> {
  if (raw.lone && raw.idle !== null) {
    return { on: { enter: 'ops1.callback', cpu: raw.cpus - 1, nth: 1 + (due % raw.idle.times) } };
  }
  if (pace === 'steps') return { at: { step: due } };
  const rounds = raw.tasks[0]?.times ?? 1;
  return { on: { enter: 'do_0', nth: 1 + Math.floor((due * (rounds - 1)) / STEP_MAX) } };
}

function buildChange(raw: RawChange, probe: string, table: Table): Omit<TimelineItem, 'at' | 'on'> {
  const reset = raw.reset ? { reset: true } : {};
  if (raw.op === 'set_filter_ip') return buildByAddress(raw, probe, table);
  const drawn = patternAt(raw.pattern, table.symbols);
  const pattern = drawn === INDEX && !raw.reset ? `!${INDEX}` : drawn;
  const set: SetPattern = { probe, pattern, ...reset };
  const fails = matches(pattern, table.symbols).length === 0 ? { expect: '-EINVAL' } : {};
  return raw.op === 'set_filter' ? { set_filter: set, ...fails } : { set_notrace: set, ...fails };
}

/** One function, or an array of them; without reset about half of them are taken out. The last draw has a bad entry. */
function buildByAddress(
  { pattern, reset: starts }: RawChange,
  probe: string,
  { functions, quiet }: Table,
): Omit<TimelineItem, 'at' | 'on'> {
  const how = starts ? { reset: true } : pattern % 2 === 1 ? { remove: true } : {};
  const name = nameAt(functions, pattern);
  if (pattern < NAMES.length) return { set_filter_ip: { probe, function: name, ...how } };
  const more = [nameAt(functions, pattern + 1), nameAt(functions, pattern + 3)];
  const good = [name, ...more.slice(0, pattern % 3)];
  if (quiet === undefined || pattern < NAMES.length + PATTERNS.length - 1)
    return { set_filter_ips: { probe, functions: good, ...how } };
  return { set_filter_ips: { probe, functions: [...good, quiet], ...how }, expect: '-EINVAL' };
}
