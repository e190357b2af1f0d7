// Layer replay. A checked workload with defaults filled in and names resolved: plain data in ordered arrays,
// which is what `src/replay/run.ts` builds a machine from (`make-plan.ts` makes it). Callbacks that need no
// definition become scripted functions, filters of probes become operations of the set-up, and functions
// that the timeline raises become sources.
import type { ScriptData, ScriptFunction } from '../../emu/script.ts';
import type { EventName } from '../schema.ts';
import type { FprobeFlag, FprobeMachineModel, FprobeOpsFlag } from './model-fprobe.ts';
import type { OpsFlag } from './model-ftrace.ts';
import type { KprobeFlag, KprobeMachineModel } from './model-kprobe.ts';
import type {
  AllocKind,
  GuaranteeName,
  InterruptName,
  FprobeOperationName,
  OperationName,
  Patching,
  Ratio,
} from './model.ts';

/** Stands for "any CPU" in a condition and for "the CPU on which the trigger fired" in an action. */
export const ANY_CPU = -1;

export interface Plan {
  readonly name: string;
  readonly machine: PlanMachine;
  /** The ELF file that takes part, or null. `path` is as written, relative to the workload. */
  readonly image: PlanFile | null;
  /** Modules, in the order in which they lie in memory. */
  readonly modules: readonly PlanModule[];
  /** TypeScript paths; each is a function of `functions` too, whose text calls its `stub`. */
  readonly paths: readonly PlanPath[];
  /** Functions of no module, then callbacks, then TypeScript paths, then generated callbacks. */
  readonly functions: readonly ScriptFunction[];
  /** As declared, then the counters `PROBE.count`. */
  readonly data: readonly ScriptData[];
  /** In the order of their pids. A task without `run` performs operations (`PlanOperation.by`). */
  readonly tasks: readonly PlanTask[];
  readonly idle: readonly PlanIdle[];
  /** Interrupts that the timeline or the chooser can raise, by number. */
  readonly sources: readonly PlanSource[];
  readonly timers: readonly PlanTimer[];
  readonly probes: readonly PlanProbe[];
  /** Performed in this order before the first step of any task and before `at: start`; no trigger counts them. */
  readonly setup: readonly PlanOperation[];
  /** In the order of the file. Of two that fire at once, the earlier goes first. */
  readonly timeline: readonly PlanEntry[];
  readonly guarantees: readonly GuaranteeName[];
  readonly counters: readonly PlanCounter[];
}

interface PlanFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface PlanMachine {
  readonly cpus: number;
  /** Null: the workload does not say. */
  readonly seed: number | null;
  readonly preempt: boolean;
  readonly landingPad: boolean;
  readonly grain: 'visible' | 'instruction';
  readonly stepsMax: number;
  readonly patching: Patching;
  readonly trampolines: boolean;
  readonly regs: boolean;
  readonly ifSupportedGivesRegs: boolean;
  readonly recordRecursion: boolean;
  readonly strict: boolean;
  /** Only what the workload says: the era has defaults of its own. */
  readonly fprobe: FprobeMachineModel;
  readonly kprobe: Required<KprobeMachineModel>;
  /** Once everybody has started, allocations of these kinds may fail. */
  readonly failAlloc: readonly AllocKind[];
  /** How often the random chooser leaves calm: at scheduling points, for injections, for allocations. */
  readonly schedule: Ratio;
  readonly inject: Ratio;
  readonly alloc: Ratio;
}

export interface PlanPath {
  readonly name: string;
  readonly version: number;
  /** The kernel symbol that starts it. */
  readonly stub: string;
}

interface PlanModule {
  readonly name: string;
  /** Where its code comes from. */
  readonly code: PlanFile | PlanModuleScript;
}

/** A module of scripted functions. */
interface PlanModuleScript {
  readonly functions: readonly ScriptFunction[];
  /** Which of them run when it comes and goes, or null. */
  readonly init: string | null;
  readonly exit: string | null;
}

interface PlanTask {
  readonly name: string;
  readonly cpu: number;
  /** Name of the function, or null for a control thread. */
  readonly run: string | null;
  readonly times: number;
  /** A program in user mode, whose system call is `run`. */
  readonly user: PlanUser | null;
}

export interface PlanUser {
  readonly work: number;
  readonly entry: string | null;
  readonly exit: string | null;
}

interface PlanIdle {
  readonly cpu: number;
  readonly run: string;
  readonly times: number;
}

export interface PlanSource {
  /** Name of the handler, or of the function when the timeline raises one directly. */
  readonly name: string;
  readonly kind: InterruptName;
  readonly run: string;
  /** Runs before the interrupt counts itself in preempt_count, and after. */
  readonly entry?: string;
  /** The only CPU that takes it, or ANY_CPU. */
  readonly cpu: number;
  /** How often the chooser may raise it; 0: only the timeline does. */
  readonly inject: number;
}

export interface PlanTimer {
  readonly name: string;
  readonly run: string;
  readonly cpu: number;
  /** Microseconds of virtual time from the start of the run; then `every` until it expired `times` times. */
  readonly first: number;
  readonly every: number;
  readonly times: number;
}

export type PlanProbe = PlanFtraceProbe | PlanFprobe | PlanKprobe | PlanKretprobe;

interface PlanFtraceProbe {
  readonly name: string;
  readonly kind: 'ftrace';
  /** Name of a scripted callback of `Plan.functions`, or of a function of the image. */
  readonly callback: string;
  readonly static: boolean;
  readonly flags: readonly OpsFlag[];
}

export interface PlanFprobe {
  readonly name: string;
  readonly kind: 'fprobe';
  /** Names of callbacks, as of `PlanFtraceProbe`; null: NULL. */
  readonly entry: string | null;
  readonly exit: string | null;
  readonly entryDataSize: number;
  readonly nrMaxactive: number;
  readonly flags: readonly FprobeFlag[];
  readonly opsFlags: readonly FprobeOpsFlag[];
  readonly target: PlanFprobeTarget;
}

/** Where a kprobe or kretprobe is to be, as its struct says. */
export interface PlanKprobePlace {
  /** null: NULL. */
  readonly symbol: string | null;
  /** What of a function or of data, by the name that the workload has for it. */
  readonly addr: { readonly symbol: string; readonly offset: number } | null;
  readonly offset: number;
  readonly flags: readonly KprobeFlag[];
  /** The struct is not filled in anew before it is registered again. */
  readonly reuse: boolean;
}

export interface PlanKprobe extends PlanKprobePlace {
  readonly name: string;
  readonly kind: 'kprobe';
  /** Names of callbacks, as of `PlanFtraceProbe`; null: NULL. */
  readonly pre: string | null;
  readonly post: string | null;
}

export interface PlanKretprobe extends PlanKprobePlace {
  readonly name: string;
  readonly kind: 'kretprobe';
  readonly entry: string | null;
  readonly handler: string | null;
  readonly maxactive: number;
  readonly dataSize: number;
}

/** What register_fprobe, _ips (functions) or _syms is given; null: NULL. */
export type PlanFprobeTarget =
  | { readonly filter: string | null; readonly notfilter: string | null }
  | { readonly ips: readonly string[] }
  | { readonly syms: readonly string[] };

/** A control operation. `probe` is an index into `Plan.probes`, `module` into `Plan.modules`. */
export type PlanOperation =
  | PlanProbeOperation
  | PlanBatchOperation
  | PlanModuleOperation
  | PlanFileOperation
  | PlanCpuOperation;

/** A write to a file of the kernel. */
type PlanFileOperation =
  | { readonly op: 'ftrace_enabled'; readonly text: string }
  | { readonly op: 'kprobes_enabled'; readonly text: string }
  | { readonly op: 'set_ftrace_pid'; readonly pids: readonly number[]; readonly reset: boolean };

export interface PlanCpuOperation {
  readonly op: 'cpu_down' | 'cpu_up';
  readonly which: number;
  /** Name of the function that runs where RCU does not watch, or null. */
  readonly run: string | null;
}

export type PlanModuleOperation =
  | { readonly op: 'init_module'; readonly module: number; readonly params: readonly PlanParam[] }
  | { readonly op: 'delete_module'; readonly module: number };

interface PlanParam {
  readonly name: string;
  readonly value: string | number | boolean;
}

/** One call on several kprobes, or on several kretprobes. */
export interface PlanBatchOperation {
  readonly op: 'register' | 'unregister';
  /** Indices into `Plan.probes`, at least one. */
  readonly probes: readonly number[];
}

export type PlanProbeOperation =
  | {
      readonly op: Exclude<FprobeOperationName, 'register'> | 'free_filter';
      readonly probe: number;
    }
  | {
      readonly op: 'register';
      readonly probe: number;
      /** What an fprobe hooks this time, in place of its own target. */
      readonly target?: PlanFprobeTarget;
    }
  | {
      readonly op: 'set_filter' | 'set_notrace';
      readonly probe: number;
      readonly pattern: string | null;
      readonly reset: boolean;
    }
  | {
      readonly op: 'set_filter_ip';
      readonly probe: number;
      readonly function: string;
      readonly remove: boolean;
      readonly reset: boolean;
    }
  | {
      readonly op: 'set_filter_ips';
      readonly probe: number;
      readonly functions: readonly string[];
      readonly remove: boolean;
      readonly reset: boolean;
    };

export type PlanTrigger =
  | { readonly kind: 'start' | 'end' }
  | { readonly kind: 'step'; readonly step: number; readonly cpu: number }
  /** The nth occurrence, on `cpu` or anywhere, of what follows. */
  | {
      readonly kind: 'function';
      readonly edge: 'enter' | 'return';
      readonly function: string;
      readonly cpu: number;
      readonly nth: number;
    }
  | {
      readonly kind: 'callback';
      readonly edge: 'enter' | 'return';
      readonly probe: number;
      /** The `kind` of its events, where the probe has several handlers. */
      readonly call?: string;
      readonly cpu: number;
      readonly nth: number;
    }
  | {
      readonly kind: 'operation';
      readonly edge: 'begin' | 'end';
      readonly op: OperationName;
      /** Index of the probe or of the module, or -1 for any. */
      readonly probe: number;
      readonly module: number;
      readonly cpu: number;
      readonly nth: number;
    }
  | {
      readonly kind: 'event';
      readonly event: EventName;
      readonly cpu: number;
      readonly nth: number;
    };

export type PlanAction =
  | {
      readonly kind: 'operation';
      readonly operation: PlanOperation;
      /** Index of the task that performs it, or -1 for the thread `control` on CPU 0. */
      readonly by: number;
      /** What it must return (0 or a negative errno), or null for anything. */
      readonly expect: number | null;
    }
  | {
      readonly kind: 'interrupt';
      /** Index into `Plan.sources`. */
      readonly source: number;
      readonly cpu: number;
    };

export interface PlanEntry {
  /** Index into the workload's `timeline`: `positions.where(['timeline', item])`. */
  readonly item: number;
  readonly trigger: PlanTrigger;
  readonly action: PlanAction;
}

export interface PlanCounter {
  /** As written. */
  readonly counter: string;
  readonly place: PlanCounterPlace;
  readonly relation: 'is' | 'at_least' | 'at_most';
  readonly value: number;
}

/** Where the value is: eight bytes at `offset` of `symbol`, or the `nmissed` of a probe; `kp`: of a kretprobe's kprobe. */
type PlanCounterPlace =
  | { readonly symbol: string; readonly offset: number }
  | { readonly nmissed: number; readonly kp?: true };
