// Layer replay. Probes of a plan, kind by kind: defaults filled in, and the callbacks and counters that they need
// without anybody having defined them.
import type { Convention, ScriptFunction, ScriptOp } from '../../emu/script.ts';
import { readSymbol } from './line.ts';
import type { FprobeMachineModel, FprobeTargetModel } from './model-fprobe.ts';
import type { KprobePlaceModel } from './model-kprobe.ts';
import type { MachineModel, ProbeModel, Workload } from './model.ts';
import type { PlanFprobeTarget, PlanKprobePlace, PlanProbe } from './plan.ts';
import { allHandlers, CONVENTIONS, type ProbeHandler, handlersOf } from './probe-handlers.ts';
import { isBuiltIn } from './scope.ts';

export function makeProbe(workload: Workload, name: string, probe: ProbeModel): PlanProbe {
  const handlers = handlersOf(name, probe);
  const named = (handler: ProbeHandler['handler']): string | null => {
    const found = handlers.find((one) => one.handler === handler);
    if (found === undefined) return null;
    return isBuiltIn(workload, found.callback) ? handlerName(found) : found.callback;
  };
  switch (probe.kind) {
    case 'ftrace': {
      const { kind, callback, flags = [], static: isStatic = false } = probe;
      return { name, kind, callback: named('callback') ?? callback, static: isStatic, flags };
    }
    case 'fprobe':
      return {
        name,
        kind: probe.kind,
        entry: named('entry'),
        exit: named('exit'),
        entryDataSize: probe.entry_data_size ?? 0,
        nrMaxactive: probe.nr_maxactive ?? 0,
        flags: probe.flags ?? [],
        opsFlags: probe.ops_flags ?? [],
        target: makeTarget(probe),
      };
    case 'kprobe': {
      const { kind } = probe;
      return { name, kind, ...makePlace(probe), pre: named('pre'), post: named('post') };
    }
    case 'kretprobe': {
      const { kind, maxactive = 0, data_size: dataSize = 0 } = probe;
      const called = { entry: named('entry'), handler: named('handler') };
      return { name, kind, ...makePlace(probe), ...called, maxactive, dataSize };
    }
  }
}

function makePlace({ symbol, addr, offset, flags, reuse }: KprobePlaceModel): PlanKprobePlace {
  return {
    symbol: symbol ?? null,
    addr: addr === undefined ? null : readSymbol(addr),
    offset: offset ?? 0,
    flags: flags ?? [],
    reuse: reuse ?? false,
  };
}

export function makeTarget(model: FprobeTargetModel): PlanFprobeTarget {
  const { filter, notfilter, ips, syms } = model;
  if (ips !== undefined) return { ips };
  if (syms !== undefined) return { syms };
  return { filter: filter ?? null, notfilter: notfilter ?? null };
}

/** What the workload says, and no more: the era has defaults of its own. */
export function makeFprobeOptions(machine: MachineModel): FprobeMachineModel {
  const { missPolicy, countRecursion, racyCounters, sharedStrict, fprobeNonWatching } = machine;
  return {
    ...(missPolicy === undefined ? {} : { missPolicy }),
    ...(countRecursion === undefined ? {} : { countRecursion }),
    ...(racyCounters === undefined ? {} : { racyCounters }),
    ...(sharedStrict === undefined ? {} : { sharedStrict }),
    ...(fprobeNonWatching === undefined ? {} : { fprobeNonWatching }),
  };
}

/** Callbacks that are called as handlers of other probes than ftrace_ops, and how. */
export function conventions({ probes }: Workload): ReadonlyMap<string, Convention> {
  const found = allHandlers(probes).map(({ kind, callback }): [string, Convention] => [
    callback,
    CONVENTIONS[kind],
  ]);
  return new Map(found.filter(([, convention]) => convention !== 'ftrace'));
}

function builtIns(workload: Workload): readonly ProbeHandler[] {
  return allHandlers(workload.probes).filter(({ callback }) => isBuiltIn(workload, callback));
}

/** What a generated callback is called: no name of a workload has a dot. */
function handlerName({ probe, kind, handler }: ProbeHandler): string {
  if (kind === 'ftrace') return `${probe}.callback`;
  return handler === 'handler' ? `${probe}.return_handler` : `${probe}.${handler}_handler`;
}

function counterName({ probe, kind, handler }: ProbeHandler): string {
  return kind === 'ftrace' ? `${probe}.count` : `${probe}.${handler}`;
}

/** `count` adds 1 to the probe's counter; `nothing` returns at once. */
export function generatedCallbacks(workload: Workload): readonly ScriptFunction[] {
  return builtIns(workload).map((builtIn) => {
    const { callback, returns } = builtIn;
    const symbol = counterName(builtIn);
    const body: ScriptOp[] =
      callback === 'count' ? [{ op: 'amoadd', symbol, offset: 0, value: 1 }] : [];
    if (returns !== 0) body.push({ op: 'return', value: returns });
    return { name: handlerName(builtIn), body, notrace: true, callback: true };
  });
}

/** Names of the counters that `count` needs. */
export function probeCounters(workload: Workload): readonly string[] {
  return builtIns(workload)
    .filter(({ callback }) => callback === 'count')
    .map(counterName);
}
