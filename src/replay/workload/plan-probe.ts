// Layer replay. Probes of a plan, kind by kind: defaults filled in, and the callbacks and counters that they need
// without anybody having defined them.
import type { ScriptFunction, ScriptOp } from '../../emu/script.ts';
import {
  FPROBE_HANDLERS,
  type FprobeHandler,
  type FprobeMachineModel,
  type FprobeTargetModel,
} from './model-fprobe.ts';
import type { MachineModel, ProbeModel, Workload } from './model.ts';
import type { PlanFprobeTarget, PlanProbe } from './plan.ts';
import { entries, isBuiltIn } from './scope.ts';

export function makeProbe(workload: Workload, name: string, probe: ProbeModel): PlanProbe {
  if (probe.kind === 'ftrace') {
    const { kind, callback, flags = [], static: isStatic = false } = probe;
    const func = isBuiltIn(workload, callback) ? handlerName(name, 'callback') : callback;
    return { name, kind, callback: func, static: isStatic, flags };
  }
  const handler = (key: FprobeHandler): string | null => {
    const callback = probe[key];
    if (callback === undefined) return null;
    return isBuiltIn(workload, callback) ? handlerName(name, key) : callback;
  };
  return {
    name,
    kind: probe.kind,
    entry: handler('entry'),
    exit: handler('exit'),
    entryDataSize: probe.entry_data_size ?? 0,
    nrMaxactive: probe.nr_maxactive ?? 0,
    flags: probe.flags ?? [],
    opsFlags: probe.ops_flags ?? [],
    target: makeTarget(probe),
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

/** Callbacks that are called as handlers of fprobes are. */
export function fprobeCallbacks({ probes }: Workload): ReadonlySet<string> {
  const names = entries(probes).flatMap(([, probe]) =>
    probe.kind === 'fprobe' ? FPROBE_HANDLERS.flatMap((key) => probe[key] ?? []) : [],
  );
  return new Set(names);
}

/** A callback that is built in: of which probe, as what, and what it returns. */
interface BuiltIn {
  readonly probe: string;
  readonly role: 'callback' | FprobeHandler;
  readonly callback: string;
  readonly returns: number;
}

function builtIns(workload: Workload): readonly BuiltIn[] {
  const found: BuiltIn[] = [];
  const take = (probe: string, role: BuiltIn['role'], callback?: string, returns = 0): void => {
    if (callback === undefined || !isBuiltIn(workload, callback)) return;
    found.push({ probe, role, callback, returns });
  };
  for (const [name, probe] of entries(workload.probes)) {
    if (probe.kind === 'ftrace') take(name, 'callback', probe.callback);
    else {
      take(name, 'entry', probe.entry, probe.entry_returns);
      take(name, 'exit', probe.exit);
    }
  }
  return found;
}

/** What a generated callback is called: no name of a workload has a dot. */
function handlerName(probe: string, role: BuiltIn['role']): string {
  return role === 'callback' ? `${probe}.callback` : `${probe}.${role}_handler`;
}

function counterName({ probe, role }: BuiltIn): string {
  return role === 'callback' ? `${probe}.count` : `${probe}.${role}`;
}

/** `count` adds 1 to the probe's counter; `nothing` returns at once. */
export function generatedCallbacks(workload: Workload): readonly ScriptFunction[] {
  return builtIns(workload).map((builtIn) => {
    const { probe, role, callback, returns } = builtIn;
    const symbol = counterName(builtIn);
    const body: ScriptOp[] =
      callback === 'count' ? [{ op: 'amoadd', symbol, offset: 0, value: 1 }] : [];
    if (returns !== 0) body.push({ op: 'return', value: returns });
    return { name: handlerName(probe, role), body, notrace: true, callback: true };
  });
}

/** Names of the counters that `count` needs. */
export function probeCounters(workload: Workload): readonly string[] {
  return builtIns(workload)
    .filter(({ callback }) => callback === 'count')
    .map(counterName);
}
