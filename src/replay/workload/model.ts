// Layer replay. What a workload says, as it is written: plain data, no defaults filled in. `schema.ts`
// checks that unknown data has this shape, `check.ts` that its names agree with each other, and
// `plan.ts` turns it into what a run needs. Keys are words of the YAML file, hence snake_case.

import { LIMITS } from '../../emu/limits.ts';
import type { FprobeMachineModel, FprobeModel, RegisterModel } from './model-fprobe.ts';
import type { FtraceProbeModel } from './model-ftrace.ts';
import type { KprobeMachineModel, KprobeModel, KretprobeModel } from './model-kprobe.ts';

/**
 * A workload as plain data: what a YAML file says, and what `workload(...).build()` gives.
 *
 * @example
 * import { record, type Workload } from 'reprobe';
 * const small: Workload = {
 *   name: 'small',
 *   machine: { cpus: 1 },
 *   functions: { vfs_open: { body: ['work 4'] } },
 *   tasks: { opener: { cpu: 0, run: 'vfs_open', times: 2 } },
 * };
 * console.log(record(small).ending); // → run_end
 */
export interface Workload {
  readonly name: string;
  readonly story?: string;
  readonly machine: MachineModel;
  /** An ELF file, relative to the workload; its functions take part like scripted ones. */
  readonly image?: string;
  /** Modules, in the order in which they lie in memory. */
  readonly modules?: Named<ModuleModel>;
  /** Shared variables and their sizes in bytes. */
  readonly data?: Named<number>;
  readonly functions?: Named<FunctionModel>;
  readonly tasks?: Named<TaskModel>;
  readonly idle?: readonly IdleModel[];
  readonly handlers?: Named<HandlerModel>;
  readonly callbacks?: Named<CallbackModel>;
  /** Paths in TypeScript (`handler.ts`) and the version of each. They are functions without a call site. */
  readonly typescript?: Named<number>;
  readonly probes?: Named<ProbeModel>;
  readonly timeline?: readonly TimelineItem[];
  readonly expect?: readonly Expectation[];
}

/** A map from names to things; the order of the file is kept and matters. */
type Named<T> = Readonly<Record<string, T>>;

export interface MachineModel extends FprobeMachineModel, KprobeMachineModel {
  readonly cpus: number;
  readonly seed?: number;
  readonly preempt?: boolean;
  readonly landingPad?: boolean;
  readonly trampolines?: boolean;
  readonly regs?: boolean;
  readonly ifSupportedGivesRegs?: boolean;
  readonly recordRecursion?: boolean;
  readonly strict?: boolean;
  readonly grain?: 'visible' | 'instruction';
  readonly steps_max?: number;
  readonly patching?: Patching;
  /** Kinds of allocations that the chooser may let fail. */
  readonly fail_alloc?: readonly AllocKind[];
  readonly random?: {
    readonly schedule?: Ratio;
    readonly inject?: Ratio;
    readonly alloc?: Ratio;
  };
}

/** How call sites are rewritten: breakpoints first, or all CPUs stopped (FT-6, FT-12). */
export const PATCHINGS = ['breakpoint', 'stopMachine'] as const;
export type Patching = (typeof PATCHINGS)[number];

/** What can be allocated while a run goes on, by the `kind` of `alloc` events. `heap` is kmalloc. */
export const ALLOC_KINDS = [
  'heap',
  'ftrace_hash',
  'trampoline',
  'module',
  'ret_stack',
  'fprobe_hlist',
  'fprobe_ip_table',
  'rethook',
  'rethook_node',
  'kprobe_aggr',
  'kprobe_insn_page',
  'kprobe_insn_slot',
  'kprobe_optinsn_page',
  'kprobe_optinsn_slot',
] as const;
export type AllocKind = (typeof ALLOC_KINDS)[number];

/** `[1, 8]` is one time in eight: probabilities are never floats (CONTRIBUTING.md). */
export type Ratio = readonly [number, number];

/** An object file; or, without `image`, the functions that name this module. */
export interface ModuleModel {
  /** An ELF object file, relative to the workload. */
  readonly image?: string;
  /** What `init_module` sets unless it says otherwise. */
  readonly params?: ParamsModel;
  /** Functions of this module that run when it comes and when it goes. */
  readonly init?: string;
  readonly exit?: string;
}

/** Values of a module's parameters: texts, numbers, and true or false. */
export type ParamsModel = Named<string | number | boolean>;

export interface FunctionModel {
  readonly body: readonly Line[];
  readonly notrace?: boolean;
  /** No kprobe may be in it (KP-14). */
  readonly nokprobe?: boolean;
  /** Its name in the symbol table, which patterns match; several functions may bear the same. */
  readonly symbol?: string;
  /** The module without an image that it is part of. */
  readonly module?: string;
}

/** As a function, but notrace unless it says otherwise: a callback that hooks itself never ends. */
export interface CallbackModel {
  readonly body: readonly Line[];
  readonly notrace?: boolean;
}

/** `work 4`, `call vfs_open`, ... (see `line.ts`), or a block of lines. `trylock`: callbacks only. */
export type Line = string | LoopLine | IfLine | TrylockLine;

interface LoopLine {
  readonly loop: number;
  readonly body: readonly Line[];
}

/** Runs its body if the variable is not 0. */
interface IfLine {
  readonly if: string;
  readonly body: readonly Line[];
}

interface TrylockLine {
  readonly trylock: readonly Line[];
}

/** A task without `run` is a control thread: it performs the operations that name it in `by`. */
export interface TaskModel {
  readonly cpu: number;
  readonly run?: string;
  readonly times?: number;
  readonly user?: UserModel;
}

/** A task that is a program in user mode, whose system calls run the task's function. */
export interface UserModel {
  /** Instructions of the program before each system call. */
  readonly work?: number;
  /** Functions that run on the way in and out, where RCU does not watch. */
  readonly entry?: string;
  readonly exit?: string;
}

/** What the idle task of a CPU runs, with RCU not watching, each time that the CPU falls idle. */
export interface IdleModel {
  readonly cpu: number;
  readonly run: string;
  readonly times?: number;
}

/** Exactly one of the four kinds. The last three keys belong to timers. */
export interface HandlerModel {
  readonly irq?: string;
  readonly softirq?: string;
  readonly nmi?: string;
  readonly timer?: string;
  readonly cpu?: number;
  /** How often the chooser may raise it, wherever it likes. */
  readonly inject?: number;
  /** Runs in the interrupt before its level shows, and again after (CC-H5). Not for timers. */
  readonly entry?: string;
  readonly first?: number;
  readonly every?: number;
  readonly times?: number;
}

/** `kind` tells them apart. */
export type ProbeModel = FtraceProbeModel | FprobeModel | KprobeModel | KretprobeModel;

/** Exactly one trigger (`at`, `on`) and exactly one operation. */
export interface TimelineItem {
  readonly at?: 'start' | 'end' | AtStep;
  readonly on?: OnEvent;
  /** A list: one call on all of them, which are kprobes or all kretprobes. */
  readonly register?: string | readonly string[] | RegisterModel;
  readonly unregister?: string | readonly string[];
  readonly set_filter?: SetPattern;
  readonly set_notrace?: SetPattern;
  readonly set_filter_ip?: SetIp;
  readonly set_filter_ips?: SetIps;
  readonly free_filter?: string;
  readonly unregister_async?: string;
  readonly disable?: string;
  readonly enable?: string;
  readonly init_module?: string | InitModule;
  readonly delete_module?: string;
  /** A text: whatever is written, as it is. */
  readonly ftrace_enabled?: 0 | 1 | string;
  readonly kprobes_enabled?: 0 | 1 | string;
  readonly set_ftrace_pid?: SetPid;
  readonly cpu_down?: HotplugModel;
  readonly cpu_up?: HotplugModel;
  readonly irq?: Raised;
  readonly softirq?: Raised;
  readonly nmi?: Raised;
  /** Interrupts: where. Default: the CPU on which the trigger fired. */
  readonly cpu?: number;
  /** Control operations: the task that performs it. Default: `control` on CPU 0. */
  readonly by?: string;
  /** Control operations: what it must return. */
  readonly expect?: number | string;
}

interface AtStep {
  readonly step: number;
  readonly cpu?: number;
}

/** Exactly one of the first five. */
export interface OnEvent {
  readonly enter?: string;
  readonly return?: string;
  readonly begin?: OperationName;
  readonly end?: OperationName;
  readonly event?: string;
  readonly probe?: string;
  readonly module?: string;
  readonly cpu?: number;
  readonly nth?: number;
}

export interface SetPattern {
  readonly probe: string;
  readonly pattern: string | null;
  readonly reset?: boolean;
}

interface SetIp {
  readonly probe: string;
  readonly function: string;
  readonly remove?: boolean;
  readonly reset?: boolean;
}

interface SetIps {
  readonly probe: string;
  readonly functions: readonly string[];
  readonly remove?: boolean;
  readonly reset?: boolean;
}

/** Those who are to be traced; with `append` beside those who are already. None: everybody. */
export interface SetPid {
  readonly tasks: readonly string[];
  readonly append?: boolean;
}

export interface InitModule {
  readonly module: string;
  readonly params?: ParamsModel;
}

/** A CPU goes or comes; `run` is the last or first that it runs, where RCU does not watch. */
export interface HotplugModel {
  readonly which: number;
  readonly run?: string;
}

/** A handler or a function by name, or `{ run: FUNCTION }`. */
export type Raised = string | { readonly run: string };

export type Expectation = GuaranteeName | CounterExpectation;

/** Exactly one of the last three. */
export interface CounterExpectation {
  readonly counter: string;
  readonly is?: number;
  readonly at_least?: number;
  readonly at_most?: number;
}

/** Operations on any probe; on probes of kind ftrace; on all others; on those of kind fprobe. */
const PROBE_OPERATIONS = ['register', 'unregister'] as const;
export const OPS_OPERATIONS = [
  'set_filter',
  'set_notrace',
  'set_filter_ip',
  'set_filter_ips',
  'free_filter',
] as const;
export const ABLE_OPERATIONS = ['disable', 'enable'] as const;
export const FPROBE_OPERATIONS = ['unregister_async'] as const;
export type FprobeOperationName =
  | (typeof PROBE_OPERATIONS)[number]
  | (typeof ABLE_OPERATIONS)[number]
  | (typeof FPROBE_OPERATIONS)[number];
/** On modules, and on files of the kernel. */
const MODULE_OPERATIONS = ['init_module', 'delete_module'] as const;
const FILE_OPERATIONS = ['ftrace_enabled', 'kprobes_enabled', 'set_ftrace_pid'] as const;
const CPU_OPERATIONS = ['cpu_down', 'cpu_up'] as const;
export const OPERATIONS = [
  ...PROBE_OPERATIONS,
  ...OPS_OPERATIONS,
  ...FPROBE_OPERATIONS,
  ...ABLE_OPERATIONS,
  ...MODULE_OPERATIONS,
  ...FILE_OPERATIONS,
  ...CPU_OPERATIONS,
] as const;
export type OperationName = (typeof OPERATIONS)[number];

export const INTERRUPTS = ['irq', 'softirq', 'nmi'] as const;
export type InterruptName = (typeof INTERRUPTS)[number];

export const EVENT_EDGES = ['enter', 'return', 'begin', 'end', 'event'] as const;

/** One word, three places (CONTRIBUTING.md): these are the judges of `src/replay/guarantee/`. */
export const GUARANTEE_NAMES = [
  'unregister',
  'filter-swap',
  'notrace',
  'memory',
  'text',
  'return',
  'progress',
  'arguments',
  'context',
  'quiescence',
  'start',
  'recursion',
  'failed-call',
  'pairing',
  'nmissed',
] as const;
export type GuaranteeName = (typeof GUARANTEE_NAMES)[number];

/** Callbacks that need no definition. `count` adds 1 to the counter PROBE.count; `nothing` returns. */
export const BUILT_IN_CALLBACKS = ['count', 'nothing'] as const;

/** The kernel thread that performs operations without `by`. */
export const CONTROL_TASK = 'control';

/** Named limits of a workload (CONTRIBUTING.md). */
export const LIMIT = {
  fileBytes: 262_144,
  lineColumns: 1000,
  yamlDepth: 64,
  yamlValues: 20_000,
  yamlSigns: 120_000,
  errorsShown: 20,
  nameLength: 63,
  taskNameLength: 15,
  patternLength: 255,
  storyLength: 20_000,
  cpus: LIMITS.cpusMax as number,
  tasks: 64,
  paths: 64,
  pathVersion: 1_000_000,
  entries: 1000,
  modules: 16,
  blockDepth: 4,
  work: 1000,
  loop: 1000,
  /** As much as a program has room for (`src/emu/user.ts`). */
  userWork: 200,
  times: 1_000_000,
  microseconds: 1_000_000,
  steps: LIMITS.stepsMax as number,
  stepsDefault: 1_000_000,
  dataBytes: 65_536,
  dataBytesTogether: 131_072,
  entryDataSize: 1_000_000,
  maxactive: 1_000_000,
  /** As long as a struct has room for (`src/trace/kprobe-object.ts`). */
  kprobeSymbol: 95,
  instructionsTogether: 65_536,
  ratio: 1_000_000,
  seed: 4_294_967_295,
} as const;
