// Layer trace. Wiring: the tracing subsystem of one machine. Paths get the `Kernel` and reach each other
// through its link table `k.fn`, as a kernel's calls do; profiles and variants replace entries of the
// table at boot and nowhere else (ARCHITECTURE.md).
import { known } from '../assert.ts';
import { type Address } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { EventText } from '../emu/event.ts';
import type { FunctionSymbol } from '../emu/image.ts';
import { Mutex } from '../emu/lock.ts';
import type { Machine } from '../emu/machine.ts';
import type { Path } from '../emu/path.ts';
import { TRACE_STUBS_FIRST } from '../emu/stub-table.ts';
import { TRACE_EVENTS } from './event.ts';
import type { FrameWords } from './fgraph-stack.ts';
import type { Fgraph } from './fgraph-state.ts';
import { FPROBE_OPTIONS_DEFAULT, type FprobeOptions } from './fprobe-options.ts';
import type { FprobeTables } from './fprobe-table.ts';
import { type Fprobe, type FprobeTable, newFprobeTable } from './fprobe.ts';
import type { Patching } from './ftrace-insn.ts';
import { newOpsTable, type OpsTable } from './ftrace-ops.ts';
import { type FtracePids, newFtracePids } from './ftrace-pid.ts';
import { type DynFtrace, newRecords } from './ftrace-record.ts';
import { type FtraceState, newFtraceState } from './ftrace-state.ts';
import { defineStubs } from './ftrace-stubs.ts';
import {
  type FtraceCaller,
  newFtraceCaller,
  newTrampolinePlaces,
  type TrampolinePlaces,
} from './ftrace-trampoline.ts';
import { writeJprobeReturn } from './jprobe.ts';
import { kprobeFaultHandler } from './kprobe-fault.ts';
import { OPTPROBES_DEFAULT, type OptprobeOptions } from './kprobe-optimizer-state.ts';
import { startOptimizer } from './kprobe-optimizer.ts';
import { reportKprobes } from './kprobe-state.ts';
import { kprobeState } from './kprobe-table.ts';
import type { KprobeState } from './kprobe.ts';
import { type LinkTable, LINKS } from './link.ts';
import type { Module } from './module.ts';
import type { Profile } from './profile.ts';
import { newRecursedFunctions, type RecursedFunctions } from './recursion-record.ts';
import { bootRethook, type RethookState } from './rethook-boot.ts';
import { strictSleep } from './strict.ts';
import { isPublished, TRACE_STUBS, traceStub } from './stub-table.ts';
import type { TaskTrace } from './task-trace.ts';
import { type PokeDescriptor, newPokeDescriptor } from './text-poke.ts';
import type { Variant } from './variants/variant.ts';

export interface Kernel {
  readonly machine: Machine;
  readonly fn: LinkTable;
  /** Outer to inner: `direct_mutex`, each ops' `regex_lock`, `ftrace_lock`, `text_mutex`. */
  readonly directMutex: Mutex;
  readonly textMutex: Mutex;
  readonly ftrace: FtraceState;
  readonly caller: FtraceCaller;
  /** `ftrace_ops_assist_func`. */
  readonly assistFunc: Address;
  readonly arch: Arch;
  /** Undefined: no ops has one of its own, and all sites call the generic caller. */
  readonly trampolines: TrampolinePlaces | undefined;
  readonly patching: Patching;
  readonly poke: PokeDescriptor;
  /** Every traceable function, by address of its site. Those of modules come and go, under `ftrace_lock`. */
  records: readonly DynFtrace[];
  readonly ops: OpsTable;
  readonly pids: FtracePids;
  /** Undefined: nobody records where recursion happens. */
  readonly recursed: RecursedFunctions | undefined;
  /** Misuse that a real kernel does not notice is an oops. */
  readonly strict: boolean;
  /** By index of the task. */
  readonly tasks: (TaskTrace | undefined)[];
  /** The function-graph machine, and fprobe's tables on it; undefined until somebody uses them. */
  fgraph: Fgraph | undefined;
  fprobeTables: FprobeTables | undefined;
  /** The `kind` of callbacks of an ftrace_ops; of the handlers of an fprobe. */
  readonly ftraceOpsKind: EventText;
  readonly fprobeEntryKind: EventText;
  readonly fprobeExitKind: EventText;
  /** Id of the profile. */
  readonly era: string;
  readonly fprobes: FprobeTable;
  readonly fprobeOptions: FprobeOptions;
  readonly rethook: RethookState;
  /** Kprobes and what runs of them; undefined until somebody asks (`kprobeState`). */
  kprobes: KprobeState | undefined;
  readonly kprobeOptions: OptprobeOptions;
  /** In the order of the image. */
  readonly modules: Module[];
  /** Every function of the image and its modules: what symbols there are. */
  readonly functions: readonly FunctionSymbol[];
  /** Data of the image, by name: symbols, too. */
  readonly data: BootOptions['data'];
}

/** What the architecture is like. */
export interface Arch {
  /** Machine option `regs`: all registers can be saved (FT-14). */
  readonly regs: boolean;
  /** Machine option `ifSupportedGivesRegs`: SAVE_REGS_IF_SUPPORTED alone asks for them, as the document has it. */
  readonly ifSupportedGivesRegs: boolean;
  /** Words of a frame on the shadow stack: 4 on riscv64, 3 on x86-64 (FP-70). */
  readonly returnFrameWords?: FrameWords;
}

export const ARCH_DEFAULT: Arch = { regs: true, ifSupportedGivesRegs: false };

export interface BootOptions {
  readonly profile: Profile;
  /** Later ones win. */
  readonly variants: readonly Variant[];
  /** Machine option `trampolines`. */
  readonly trampolines: boolean;
  readonly arch?: Arch;
  /** Machine options `recordRecursion` and `strict`; default off. */
  readonly recordRecursion?: boolean;
  readonly strict?: boolean;
  /** What of them differs from FPROBE_OPTIONS_DEFAULT. */
  readonly fprobe?: Partial<FprobeOptions>;
  /** What of them differs from OPTPROBES_DEFAULT. */
  readonly kprobe?: Partial<OptprobeOptions>;
  /** Machine option `patching`; default `breakpoint`. */
  readonly patching?: Patching | undefined;
  /** Data symbols of the image; none are known otherwise. */
  readonly data?: ReadonlyMap<string, { readonly address: Address }> | undefined;
}

/** Publishes the tracing layer's kernel symbols, as far as the era has them: before an image is linked. */
export function publishStubs(machine: Machine, { fprobe }: Profile): void {
  TRACE_STUBS.forEach((name, index) => {
    if (isPublished(name, fprobe)) machine.stubs.name(name, TRACE_STUBS_FIRST + index);
  });
  if (isPublished('jprobe_return', fprobe)) writeJprobeReturn(machine);
}

/** Boots the tracing subsystem of `machine`, whose image with these functions is loaded. */
export function bootKernel(
  machine: Machine,
  functions: readonly FunctionSymbol[],
  options: BootOptions,
): Kernel {
  const fn: LinkTable = { ...LINKS, ...options.profile.links };
  for (const { links } of options.variants) Object.assign(fn, links);
  const { trampolines, patching = 'breakpoint', arch = ARCH_DEFAULT } = options;
  if (!fn.ftraceAllowsPreemption(patching)) machine.preemption = 'voluntary';
  const caller = newFtraceCaller(machine, {
    listFunc: traceStub('ftrace_ops_list_func'),
    listFuncWithRegs: arch.regs ? traceStub('ftrace_ops_list_func_regs') : undefined,
    passesOp: !trampolines,
    patching,
  });
  const directMutex = new Mutex(machine.cells, 'direct_mutex');
  const ftrace = newFtraceState(machine, caller);
  const textMutex = new Mutex(machine.cells, 'text_mutex');
  machine.text.guard = textMutex;
  const base = { machine, ftrace };
  const k: Kernel = {
    machine,
    fn,
    directMutex,
    textMutex,
    ftrace,
    caller,
    assistFunc: traceStub('ftrace_ops_assist_func'),
    arch,
    trampolines: trampolines ? newTrampolinePlaces(base) : undefined,
    patching,
    poke: newPokeDescriptor(base),
    records: newRecords(
      base,
      functions.filter(({ module }) => module === undefined),
    ),
    ops: newOpsTable(base),
    pids: newFtracePids(machine, traceStub('ftrace_pid_func')),
    recursed: options.recordRecursion === true ? newRecursedFunctions(machine) : undefined,
    strict: options.strict === true,
    tasks: Array.from({ length: machine.options.tasksMax }),
    fgraph: undefined,
    fprobeTables: undefined,
    ftraceOpsKind: new EventText('ftrace_ops', machine.strings),
    fprobeEntryKind: new EventText('fprobe_entry', machine.strings),
    fprobeExitKind: new EventText('fprobe_exit', machine.strings),
    era: options.profile.id,
    fprobes: newFprobeTable(options.profile.fprobe),
    fprobeOptions: fprobeOptionsOf(options),
    rethook: { func: traceStub('fprobe_handler'), fprobes: new Map(), booted: false, lists: [] },
    kprobes: undefined,
    kprobeOptions: { ...OPTPROBES_DEFAULT, ...options.kprobe },
    modules: [],
    functions,
    data: options.data,
  };
  bootParts(k, options);
  answerMachine(k);
  return k;
}

/** What only some machines have. */
function bootParts(k: Kernel, { profile }: BootOptions): void {
  if (profile.fprobe === 'rethook') bootRethook(k, traceStub('rethook_trampoline_handler'));
  if (!k.kprobeOptions.optprobes) return;
  const { optimizer } = kprobeState(k);
  startOptimizer(k, known(optimizer, 'it was asked for'));
}

function fprobeOptionsOf({ fprobe, profile }: BootOptions): FprobeOptions {
  return { ...FPROBE_OPTIONS_DEFAULT, ...profile.fprobeOptions, ...fprobe };
}

/** What the machine asks this layer for from here on. */
function answerMachine(k: Kernel): void {
  const { machine } = k;
  machine.breakpoint = (cx, pc) => excInt3(cx, k, pc);
  machine.faulting = (cpu, reason) => kprobeFaultHandler(k, cpu, reason);
  machine.closing = () => {
    reportState(k);
  };
  if (k.strict) {
    machine.sleeping = (cpu) => {
      strictSleep(k, cpu);
    };
  }
  defineStubs(k);
}

/** `exc_int3`: text that is being patched comes first (CC-H6.1). */
function* excInt3(cx: Context, k: Kernel, pc: Address): Path<Address | undefined> {
  const poked = yield* k.fn.pokeInt3Handler(cx, k, pc);
  return poked ?? (yield* k.fn.kprobeInt3Handler(cx, k, pc));
}

/** What a run leaves behind, for judges of quiescence (CC-O11). */
function reportState(k: Kernel): void {
  const { ftrace, machine, poke, records, tasks } = k;
  const first = known(machine.cpus[0], 'there is a first CPU');
  let listed = 0;
  for (let ops = ftrace.opsList.value; ops !== undefined; ops = ops.next.value) listed++;
  const served = records.filter(({ users }) => users.value.length > 0).length;
  const dead = ftrace.disabled.value ? 1 : 0;
  const { ftrace_state: state, trace_recursion: recursion } = TRACE_EVENTS;
  machine.report(first, state.id, listed, ftrace.startUp.value, served, poke.refs.value, dead);
  for (const { cpu, index, pid } of [...machine.cpus.map(({ idle }) => idle), ...machine.tasks]) {
    const word = tasks[index]?.recursion;
    if (word !== undefined) machine.report(first, recursion.id, pid, cpu.id, word.value);
  }
  for (const fp of k.fprobes.byAddress.values()) reportFprobe(k, fp);
  reportKprobes(k);
}

/** The newest that has been seen at its address. */
function reportFprobe(k: Kernel, fp: Fprobe): void {
  const { machine } = k;
  const first = known(machine.cpus[0], 'there is a first CPU');
  const { registered, free, nodes, entries } = k.fn.fprobeState(k, fp);
  const words = [registered ? 1 : 0, fp.nmissed.value, free, nodes, entries] as const;
  machine.emitFrom(first.top, TRACE_EVENTS.fprobe_state.id, fp.object, ...words);
}
