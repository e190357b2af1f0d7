// Layer replay. Checks of the timeline: what its triggers wait for exists, what it does can be done.
import { EVENTS } from '../schema.ts';
import { checkModule, checkModuleItem } from './check-module.ts';
import { checkProbe, checkProbeOperations, isBatch, probePoints } from './check-probe.ts';
import { checkAddress, checkCpu, checkFunction, checkPattern } from './check-reference.ts';
import type { Finding, KeyPath } from './finding.ts';
import {
  CONTROL_TASK,
  INTERRUPTS,
  type InterruptName,
  LIMIT,
  type OnEvent,
  type OperationName,
  type Raised,
  type SetPid,
  type TimelineItem,
} from './model.ts';
import { entries, entry, type Scope, unknownName } from './scope.ts';

export function checkTimeline(scope: Scope): Finding[] {
  const findings: Finding[] = [];
  for (const [index, item] of (scope.workload.timeline ?? []).entries()) {
    const path = ['timeline', index];
    findings.push(...checkTrigger(scope, item, path), ...checkOperation(scope, item, path));
    findings.push(...checkModuleItem(scope, item, path), ...checkHotplug(scope, item, path));
    for (const kind of INTERRUPTS) findings.push(...checkInterrupt(scope, item, kind, path));
    findings.push(...checkBy(scope, item, path), ...checkPids(scope, item, path));
  }
  return findings;
}

function checkTrigger(scope: Scope, item: TimelineItem, path: KeyPath): Finding[] {
  const { workload } = scope;
  if (item.on !== undefined) return checkOn(scope, item, item.on, [...path, 'on']);
  if (typeof item.at !== 'object') return [];
  const findings = checkCpu(workload, item.at.cpu, [...path, 'at', 'cpu']);
  const stepsMax = workload.machine.steps_max ?? LIMIT.stepsDefault;
  if (item.at.step <= stepsMax) return findings;
  const message = `expected a step up to ${stepsMax}, where the run ends (steps_max)`;
  return [...findings, { path: [...path, 'at', 'step'], part: 'value', message }];
}

function checkOn(scope: Scope, item: TimelineItem, on: OnEvent, path: KeyPath): Finding[] {
  const findings = checkCpu(scope.workload, on.cpu, [...path, 'cpu']);
  for (const edge of ['enter', 'return'] as const) {
    const target = on[edge];
    if (target !== undefined) findings.push(...checkTarget(scope, target, [...path, edge]));
  }
  if (on.event !== undefined && !Object.hasOwn(EVENTS, on.event)) {
    findings.push(unknownName([...path, 'event'], 'event', on.event, () => Object.keys(EVENTS)));
  }
  if (on.probe !== undefined) findings.push(...checkProbe(scope, on.probe, [...path, 'probe']));
  if (on.module !== undefined) findings.push(...checkModule(scope, on.module, [...path, 'module']));
  for (const edge of ['begin', 'end'] as const) {
    const operation = on[edge];
    const object = on.module ?? on.probe;
    if (operation === undefined || isDone(scope, operation, object, item)) continue;
    const which = object === undefined ? operation : `${operation} on '${object}'`;
    const message = `never fires: no other item of the timeline does ${which}`;
    findings.push({ path: [...path, edge], part: 'value', message });
  }
  return findings;
}

/** `ops0.callback`, `fp0.entry`, or a function. */
function checkTarget(scope: Scope, target: string, path: KeyPath): Finding[] {
  const probes = probePoints(scope);
  if (probes.includes(target) || scope.functions.has(target) || !scope.complete) return [];
  return [unknownName(path, 'function', target, () => [...probes, ...scope.functions.keys()])];
}

function isDone(
  scope: Scope,
  operation: OperationName,
  object: string | undefined,
  except: TimelineItem,
): boolean {
  return (scope.workload.timeline ?? []).some((item) => {
    const done = item === except ? undefined : item[operation];
    if (done === undefined) return false;
    return object === undefined || objectOf(done) === object;
  });
}

/** The probe or the module that an operation is about, if it is about one. */
function objectOf(
  operand:
    | string
    | readonly string[]
    | number
    | SetPid
    | { readonly which: number }
    | { readonly probe: string }
    | { readonly module: string },
): string | undefined {
  if (typeof operand === 'string') return operand;
  if (isBatch(operand)) return operand[0]; // Events of the call name the first one.
  if (typeof operand === 'number' || 'tasks' in operand || 'which' in operand) return undefined;
  return 'probe' in operand ? operand.probe : operand.module;
}

function checkOperation(scope: Scope, item: TimelineItem, path: KeyPath): Finding[] {
  const findings = checkProbeOperations(scope, item, path);
  const mayFail = item.expect !== undefined && item.expect !== 0;
  for (const name of ['set_filter', 'set_notrace'] as const) {
    const set = item[name];
    if (set === undefined || set.pattern === null || mayFail) continue;
    findings.push(...checkPattern(scope, set.pattern, [...path, name, 'pattern']));
  }
  const { set_filter_ip: one, set_filter_ips: many } = item;
  if (one !== undefined) {
    const here = [...path, 'set_filter_ip', 'function'];
    findings.push(...checkAddress(scope, one.function, here, mayFail));
  }
  for (const [index, name] of (many?.functions ?? []).entries()) {
    const here = [...path, 'set_filter_ips', 'functions', index];
    findings.push(...checkAddress(scope, name, here, mayFail));
  }
  return findings;
}

function checkInterrupt(
  scope: Scope,
  item: TimelineItem,
  kind: InterruptName,
  path: KeyPath,
): Finding[] {
  const raised = item[kind];
  if (raised === undefined) return [];
  return [
    ...checkCpu(scope.workload, item.cpu, [...path, 'cpu']),
    ...checkRaised(scope, raised, kind, path),
    ...checkPlace(scope, item, raised, path),
  ];
}

function checkRaised(scope: Scope, raised: Raised, kind: InterruptName, path: KeyPath): Finding[] {
  const here = [...path, kind];
  if (typeof raised !== 'string') return checkFunction(scope, raised.run, [...here, 'run']);
  const handlers = entries(scope.workload.handlers);
  const handler = entry(scope.workload.handlers, raised);
  if (handler?.[kind] !== undefined) return [];
  if (handler !== undefined) {
    const found = [...INTERRUPTS, 'timer' as const].find((other) => handler[other] !== undefined);
    const message = `expected a handler of kind ${kind}, found '${raised}' of kind ${found ?? kind}`;
    return [{ path: here, part: 'value', message }];
  }
  if (scope.functions.has(raised) || !scope.complete) return [];
  const valid = (): readonly string[] => {
    const ofKind = handlers.filter(([, one]) => one[kind] !== undefined).map(([name]) => name);
    return [...ofKind, ...scope.functions.keys()];
  };
  return [unknownName(here, 'handler', raised, valid)];
}

/** A handler that belongs to one CPU is not raised on another. */
function checkPlace(scope: Scope, item: TimelineItem, raised: Raised, path: KeyPath): Finding[] {
  const handler = typeof raised === 'string' ? entry(scope.workload.handlers, raised) : undefined;
  if (handler?.cpu === undefined || item.cpu === undefined || item.cpu === handler.cpu) return [];
  const message = `expected CPU ${handler.cpu}, the only one that takes the handler, found ${item.cpu}`;
  return [{ path: [...path, 'cpu'], part: 'value', message }];
}

function checkPids(scope: Scope, { set_ftrace_pid: set }: TimelineItem, path: KeyPath): Finding[] {
  const tasks = [...entries(scope.workload.tasks).map(([name]) => name), CONTROL_TASK];
  return (set?.tasks ?? []).flatMap((name, index) => {
    if (tasks.includes(name)) return [];
    return [unknownName([...path, 'set_ftrace_pid', 'tasks', index], 'task', name, () => tasks)];
  });
}

/** Operations are performed by control threads: tasks that run nothing else. */
function checkBy(scope: Scope, item: TimelineItem, path: KeyPath): Finding[] {
  if (item.by === undefined) return [];
  const { tasks } = scope.workload;
  const task = entry(tasks, item.by);
  if (task !== undefined && task.run === undefined) return [];
  const here = [...path, 'by'];
  if (task !== undefined) {
    const message = `expected a task without 'run', found '${item.by}', which runs '${task.run ?? ''}'`;
    return [{ path: here, part: 'value', message }];
  }
  const free = (): readonly string[] =>
    entries(tasks).flatMap(([name, one]) => (one.run === undefined ? [name] : []));
  return [unknownName(here, "task without 'run'", item.by, free)];
}

function checkHotplug(scope: Scope, item: TimelineItem, path: KeyPath): Finding[] {
  const findings: Finding[] = [];
  for (const op of ['cpu_down', 'cpu_up'] as const) {
    const moved = item[op];
    if (moved === undefined) continue;
    findings.push(...checkCpu(scope.workload, moved.which, [...path, op, 'which']));
    if (moved.run !== undefined) {
      findings.push(...checkFunction(scope, moved.run, [...path, op, 'run']));
    }
  }
  return findings;
}
