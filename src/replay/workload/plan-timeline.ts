// Layer replay. The timeline of a plan: sources of interrupts by number, triggers and actions with their names
// resolved.
import { InvariantError, known } from '../../assert.ts';
import { EVENTS, type EventName } from '../schema.ts';
import { ERRNO } from './errno-names.ts';
import {
  ABLE_OPERATIONS,
  CONTROL_TASK,
  FPROBE_OPERATIONS,
  type InterruptName,
  INTERRUPTS,
  type OnEvent,
  type TimelineItem,
  type Workload,
} from './model.ts';
import { makeTarget } from './plan-probe.ts';
import {
  ANY_CPU,
  type PlanAction,
  type PlanEntry,
  type PlanOperation,
  type PlanSource,
  type PlanTrigger,
} from './plan.ts';
import { allHandlers } from './probe-handlers.ts';
import { entries, entry } from './scope.ts';

/** Handlers first, so that their numbers do not depend on the timeline; then functions that it raises. */
export function makeSources(workload: Workload): PlanSource[] {
  return [...handlerSources(workload), ...functionSources(workload)];
}

function handlerSources(workload: Workload): PlanSource[] {
  return entries(workload.handlers).flatMap(([name, handler]) =>
    INTERRUPTS.flatMap((kind) => {
      const run = handler[kind];
      if (run === undefined) return [];
      const { cpu = ANY_CPU, entry: early, inject = 0 } = handler;
      return [{ name, kind, run, cpu, inject, ...(early === undefined ? {} : { entry: early }) }];
    }),
  );
}

/** One for each function and kind that the timeline raises without a handler. */
function functionSources(workload: Workload): PlanSource[] {
  const sources: PlanSource[] = [];
  for (const item of workload.timeline ?? []) {
    for (const kind of INTERRUPTS) {
      const run = functionRaised(workload, item, kind);
      if (run === undefined || findSource(sources, kind, run) >= 0) continue;
      sources.push({ name: run, kind, run, cpu: ANY_CPU, inject: 0 });
    }
  }
  return sources;
}

/** The function that an item raises directly: `{ run: f }`, or a name that no handler has. */
function functionRaised(
  workload: Workload,
  item: TimelineItem,
  kind: InterruptName,
): string | undefined {
  const raised = item[kind];
  if (raised === undefined) return undefined;
  if (typeof raised !== 'string') return raised.run;
  return entry(workload.handlers, raised) === undefined ? raised : undefined;
}

function findSource(sources: readonly PlanSource[], kind: InterruptName, name: string): number {
  return sources.findIndex((source) => source.kind === kind && source.name === name);
}

export function makeTimeline(workload: Workload): PlanEntry[] {
  return (workload.timeline ?? []).map((item, index) => ({
    item: index,
    trigger: makeTrigger(workload, item),
    action: makeAction(workload, item),
  }));
}

function probeIndex(workload: Workload, name: string): number {
  return found(entries(workload.probes).findIndex(([probe]) => probe === name));
}

function moduleIndex(workload: Workload, name: string): number {
  return found(entries(workload.modules).findIndex(([module]) => module === name));
}

/** `check` has seen that every name exists. */
function found(index: number): number {
  return known(index >= 0 ? index : undefined, 'a checked name is defined');
}

function makeTrigger(workload: Workload, { at, on }: TimelineItem): PlanTrigger {
  if (on !== undefined) return makeEventTrigger(workload, on);
  const point = known(at, 'an item has a trigger');
  if (typeof point === 'string') return { kind: point };
  return { kind: 'step', step: point.step, cpu: point.cpu ?? ANY_CPU };
}

function makeEventTrigger(workload: Workload, on: OnEvent): PlanTrigger {
  const when = { cpu: on.cpu ?? ANY_CPU, nth: on.nth ?? 1 };
  const module = on.module === undefined ? -1 : moduleIndex(workload, on.module);
  for (const edge of ['enter', 'return'] as const) {
    const target = on[edge];
    if (target === undefined) continue;
    const point = pointOf(workload, target);
    if (point !== undefined) return { kind: 'callback', edge, ...point, ...when };
    return { kind: 'function', edge, function: target, ...when };
  }
  for (const edge of ['begin', 'end'] as const) {
    const op = on[edge];
    if (op === undefined) continue;
    const probe = on.probe === undefined ? -1 : probeIndex(workload, on.probe);
    return { kind: 'operation', edge, op, probe, module, ...when };
  }
  const event = known(on.event, 'a trigger has an event');
  return { kind: 'event', event: known(isEvent(event) ? event : undefined, 'it exists'), ...when };
}

/** The probe that `ops0.callback` or `fp0.entry` is about, and which handler of it. */
function pointOf(
  workload: Workload,
  target: string,
): { readonly probe: number; readonly call?: string } | undefined {
  const point = allHandlers(workload.probes).find(
    ({ probe, handler }) => target === `${probe}.${handler}`,
  );
  if (point === undefined) return undefined;
  const probe = probeIndex(workload, point.probe);
  return point.kind === 'ftrace' ? { probe } : { probe, call: point.call };
}

function isEvent(name: string): name is EventName {
  return Object.hasOwn(EVENTS, name);
}

function makeAction(workload: Workload, item: TimelineItem): PlanAction {
  const operation = makeOperation(workload, item);
  if (operation === undefined) return makeInterrupt(workload, item);
  const by =
    item.by === undefined
      ? -1
      : found(entries(workload.tasks).findIndex(([name]) => name === item.by));
  return { kind: 'operation', operation, by, expect: makeErrno(item.expect) };
}

function makeOperation(workload: Workload, item: TimelineItem): PlanOperation | undefined {
  const { register } = item;
  if (typeof register === 'object' && 'probe' in register) {
    const target = makeTarget(register);
    return { op: 'register', probe: probeIndex(workload, register.probe), target };
  }
  const indexOf = (name: string): number => probeIndex(workload, name);
  if (typeof register === 'string') return { op: 'register', probe: indexOf(register) };
  if (register !== undefined) return { op: 'register', probes: register.map(indexOf) };
  const { unregister } = item;
  if (typeof unregister === 'string') return { op: 'unregister', probe: indexOf(unregister) };
  if (unregister !== undefined) return { op: 'unregister', probes: unregister.map(indexOf) };
  for (const op of ['free_filter', ...FPROBE_OPERATIONS, ...ABLE_OPERATIONS] as const) {
    const probe = item[op];
    if (probe !== undefined) return { op, probe: probeIndex(workload, probe) };
  }
  for (const op of ['set_filter', 'set_notrace'] as const) {
    const set = item[op];
    if (set === undefined) continue;
    const probe = probeIndex(workload, set.probe);
    return { op, probe, pattern: set.pattern, reset: set.reset ?? false };
  }
  return makeAddressOperation(workload, item) ?? makeModuleOperation(workload, item);
}

function makeAddressOperation(workload: Workload, item: TimelineItem): PlanOperation | undefined {
  const set = item.set_filter_ip ?? item.set_filter_ips;
  if (set === undefined) return undefined;
  const probe = probeIndex(workload, set.probe);
  const how = { probe, remove: set.remove ?? false, reset: set.reset ?? false };
  return 'function' in set
    ? { op: 'set_filter_ip', function: set.function, ...how }
    : { op: 'set_filter_ips', functions: set.functions, ...how };
}

function makeModuleOperation(workload: Workload, item: TimelineItem): PlanOperation | undefined {
  const { init_module: init, delete_module: gone } = item;
  if (init === undefined && gone === undefined) return makeFileOperation(workload, item);
  if (gone !== undefined) return { op: 'delete_module', module: moduleIndex(workload, gone) };
  if (init === undefined) return makeCpuOperation(item);
  const { module: name, params } = typeof init === 'string' ? { module: init, params: {} } : init;
  const all = { ...entry(workload.modules, name)?.params, ...params };
  return {
    op: 'init_module',
    module: moduleIndex(workload, name),
    params: entries(all).map(([param, value]) => ({ name: param, value })),
  };
}

function makeFileOperation(workload: Workload, item: TimelineItem): PlanOperation | undefined {
  for (const op of ['ftrace_enabled', 'kprobes_enabled'] as const) {
    const written = item[op];
    if (written !== undefined) return { op, text: String(written) };
  }
  const { set_ftrace_pid: set } = item;
  if (set === undefined) return makeCpuOperation(item);
  const pids = set.tasks.map((name) => pidOf(workload, name));
  return { op: 'set_ftrace_pid', pids, reset: set.append !== true };
}

function makeCpuOperation(item: TimelineItem): PlanOperation | undefined {
  for (const op of ['cpu_down', 'cpu_up'] as const) {
    const moved = item[op];
    if (moved !== undefined) return { op, which: moved.which, run: moved.run ?? null };
  }
  return undefined;
}

/** Pids are given in the order of the tasks, and then to `control`. */
function pidOf({ tasks }: Workload, task: string): number {
  const all = [...entries(tasks).map(([name]) => name), CONTROL_TASK];
  return found(all.indexOf(task)) + 1;
}

/** `-EINVAL` to -22; null for anything. */
function makeErrno(expected: number | string | undefined): number | null {
  if (expected === undefined) return null;
  if (typeof expected === 'number') return expected;
  return -known(entry(ERRNO, expected.replace(/^-/u, '')), 'the error has a number');
}

function makeInterrupt(workload: Workload, item: TimelineItem): PlanAction {
  const handlers = handlerSources(workload);
  for (const kind of INTERRUPTS) {
    const raised = item[kind];
    if (raised === undefined) continue;
    const run = functionRaised(workload, item, kind);
    if (run !== undefined) {
      const source = handlers.length + found(findSource(functionSources(workload), kind, run));
      return { kind: 'interrupt', source, cpu: item.cpu ?? ANY_CPU };
    }
    const source = found(findSource(handlers, kind, typeof raised === 'string' ? raised : ''));
    return { kind: 'interrupt', source, cpu: item.cpu ?? handlers[source]?.cpu ?? ANY_CPU };
  }
  throw new InvariantError('an item has an operation');
}
