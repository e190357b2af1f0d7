// A machine with the tracing subsystem, scripted functions and callbacks, for tests of src/trace.
import { assert, known } from '../src/assert.ts';
import { calmChooser, CHOICE, type Chooser } from '../src/emu/choose.ts';
import type { Context } from '../src/emu/context.ts';
import { buildImage, functionsNamed, type FunctionSymbol, type Image } from '../src/emu/image.ts';
import { loadImage } from '../src/emu/load.ts';
import { Machine, type MachineOptions } from '../src/emu/machine.ts';
import { callGuest, type Path } from '../src/emu/path.ts';
import { REG } from '../src/emu/regs.ts';
import { immJ } from '../src/emu/riscv/decode.ts';
import { start } from '../src/emu/schedule.ts';
import type { ScriptOp } from '../src/emu/script.ts';
import { defineServices } from '../src/emu/services.ts';
import { startStoppers } from '../src/emu/stop-machine.ts';
import { EventLog } from '../src/replay/event-log.ts';
import { Random } from '../src/replay/explore/random.ts';
import type { Event, EventName } from '../src/replay/schema.ts';
import type { FprobeOptions } from '../src/trace/fprobe-options.ts';
import { callPair, MCOUNT_INSN_SIZE, type Patching } from '../src/trace/ftrace-insn.ts';
import { type FtraceOps, newFtraceOps } from '../src/trace/ftrace-ops.ts';
import {
  type Arch,
  ARCH_DEFAULT,
  bootKernel,
  type Kernel,
  publishStubs,
} from '../src/trace/kernel.ts';
import type { OptprobeOptions } from '../src/trace/kprobe-optimizer-state.ts';
import { fileOperation, operation, type OperationRequest } from '../src/trace/operation.ts';
import { type Profile, PROFILE_TODAY } from '../src/trace/profile.ts';
import type { Variant } from '../src/trace/variants/variant.ts';
import { VARIANTS } from '../src/trace/variants/variants.ts';

export interface SmallKernel {
  readonly machine: Machine;
  readonly k: Kernel;
  readonly log: EventLog;
  fn(name: string): FunctionSymbol;
  /** Address of shared data. */
  data(name: string): number;
  ops(name: string, callback: string, isStatic?: boolean, flags?: number): FtraceOps;
  /** Starts a task that runs a kernel path. */
  thread(name: string, cpu: number, path: (cx: Context) => Path<unknown>): void;
  /** Starts a task that runs guest function `run` `times` times. */
  task(name: string, cpu: number, run: string, times?: number): void;
  /** Runs `path` on CPU 0 until the run is over; it must be over well. */
  control(path: (cx: Context) => Path<unknown>): void;
  /** Runs a guest function from a path. */
  call(cx: Context, name: string): Path<number>;
  events<N extends EventName>(name: N): Extract<Event, { event: N }>[];
  /** Sites that hold a call, and what: `a1 -> ops.tramp`, `a1 -> list`, `a1 -> regs list`. */
  hooked(): string[];
}

export interface SmallKernelOptions {
  /** Traceable functions; a name with a leading `-` is notrace. */
  readonly functions: Readonly<Record<string, readonly ScriptOp[]>>;
  readonly callbacks?: Readonly<Record<string, readonly ScriptOp[]>>;
  readonly data?: readonly string[];
  readonly chooser?: Chooser;
  readonly variants?: readonly (string | Variant)[];
  readonly trampolines?: boolean;
  readonly arch?: Partial<Arch>;
  readonly recordRecursion?: boolean;
  readonly strict?: boolean;
  readonly profile?: Profile;
  readonly fprobe?: Partial<FprobeOptions>;
  readonly kprobe?: Partial<OptprobeOptions>;
  readonly patching?: Patching;
  readonly machine?: Partial<MachineOptions>;
  /** True by default. */
  readonly landingPad?: boolean;
  /** The name that a function bears instead of its own, in the symbol table of the image. */
  readonly renamed?: Readonly<Record<string, string>>;
}

export function smallKernel(options: SmallKernelOptions): SmallKernel {
  const log = new EventLog();
  const machine = newMachine(options, log);
  const image = newImage(machine, options);
  loadImage(machine, image);
  const variants = (options.variants ?? []).map((one) =>
    typeof one === 'string' ? known(VARIANTS.get(one), `${one} exists`) : one,
  );
  const trampolines = options.trampolines ?? true;
  const arch = { ...ARCH_DEFAULT, ...options.arch };
  const { recordRecursion = false, strict = false, patching = 'breakpoint' } = options;
  const { profile = PROFILE_TODAY, fprobe = {}, kprobe = {} } = options;
  const asked = { trampolines, arch, patching, recordRecursion, strict, fprobe, kprobe };
  const boot = { profile, variants, ...asked, data: image.dataSymbols };
  const k = bootKernel(machine, image.functions, boot);
  if (patching === 'stopMachine') startStoppers(machine);
  const fn = (name: string): FunctionSymbol =>
    known(functionsNamed(image, name)[0], `${name} is a function`);
  const thread: SmallKernel['thread'] = (name, cpu, path) => {
    const task = machine.newTask(name, 'task', known(machine.cpus[cpu], 'the CPU exists'));
    start(task, () => path(task.context));
  };
  const call = (cx: Context, name: string): Path<number> =>
    callGuest(cx.cpu.state, fn(name).address, []);
  return {
    machine,
    k,
    log,
    fn,
    data: (name) => known(image.dataSymbols.get(name), `${name} is data`).address,
    thread,
    call,
    ops: (name, callback, isStatic = false, flags = 0) =>
      newFtraceOps(k, { name, func: fn(callback).address, isStatic, flags }),
    task: (name, cpu, run, times = 1) => {
      thread(name, cpu, function* (cx) {
        for (let i = 0; i < times; i++) yield* call(cx, run);
      });
    },
    control: (path) => {
      thread('control', 0, path);
      const ending = machine.run();
      assert(ending === 'run_end', `the run ends regularly, not by ${ending}`);
    },
    events: <N extends EventName>(name: N): Extract<Event, { event: N }>[] =>
      [...log.events()].filter((e): e is Extract<Event, { event: N }> => e.event === name),
    hooked: () => hookedSites(k),
  };
}

function newMachine(options: SmallKernelOptions, log: EventLog): Machine {
  const machine = new Machine(
    {
      cpus: 2,
      preempt: true,
      grain: 'visible',
      stepsMax: 200_000,
      stubCount: 256,
      tasksMax: 24,
      ...options.machine,
    },
    { chooser: options.chooser ?? calmChooser, sink: log, strings: log.strings },
  );
  defineServices(machine);
  publishStubs(machine, options.profile ?? PROFILE_TODAY);
  return machine;
}

function newImage(machine: Machine, options: SmallKernelOptions): Image {
  const functions = Object.entries(options.functions).map(([name, body]) => ({
    name: name.replace(/^-/u, ''),
    symbol: options.renamed?.[name],
    body,
    notrace: name.startsWith('-'),
    callback: false,
  }));
  const callbacks = Object.entries(options.callbacks ?? { cb: [] }).map(([name, body]) => ({
    name,
    body,
    notrace: true,
    callback: true,
  }));
  return buildImage({
    functions: [...functions, ...callbacks],
    data: (options.data ?? []).map((name) => ({ name, bytes: 512 })),
    stubs: machine.stubs.addresses(),
    landingPad: options.landingPad ?? true,
    siteBytes: MCOUNT_INSN_SIZE[options.patching ?? 'breakpoint'],
  });
}

/** Changes CPUs and fetches what it may, at random; never puts off or injects anything. */
export function restless(seed: number): Chooser {
  const random = new Random(seed);
  return {
    choose: ({ kind }, count) =>
      kind === CHOICE.schedule || kind === CHOICE.fetch ? random.below(count) : 0,
  };
}

function hookedSites(k: Kernel): string[] {
  const lines: string[] = [];
  for (const { ip, func } of k.records) {
    const word = k.machine.text.word(ip);
    if (word === 0x13) continue;
    const target = k.patching === 'breakpoint' ? jumpTarget(ip, word) : pairTarget(k, ip);
    const owner = [...k.ops.byAddress.values()].find(
      (ops) => ops.trampoline.value?.address === target,
    );
    const callers = new Map([
      [k.caller.entry, 'list'],
      [k.caller.regsEntry, 'regs list'],
    ]);
    lines.push(`${func.name} -> ${owner?.name ?? known(callers.get(target), 'it calls a caller')}`);
  }
  return lines;
}

function jumpTarget(ip: number, word: number): number {
  assert((word & 0xfff) === 0x2ef, 'a hooked site holds jal t0');
  return ip + immJ(word);
}

function pairTarget({ machine }: Kernel, ip: number): number {
  const [first, second] = [machine.text.word(ip), machine.text.word(ip + 4)];
  const target = ip + (first & 0xfffff000) + (second >> 20);
  assert(
    callPair(ip, target, REG.t0).join() === [first, second].join(),
    'a hooked site holds auipc and jalr',
  );
  return target;
}

/** The result of a call, from a path. */
export function perform(
  cx: Context,
  k: Kernel,
  ops: FtraceOps,
  request: OperationRequest,
): Path<number> {
  return operation(cx, k, ops, request);
}

export const REGISTER = { op: 'register_ftrace_function' } as const;
export const UNREGISTER = { op: 'unregister_ftrace_function' } as const;

/** A write to the sysctl: 1 or 0, or a text. */
export function writeEnabled(cx: Context, k: Kernel, value: boolean | string): Path<number> {
  const text = typeof value === 'string' ? value : value ? '1' : '0';
  return fileOperation(cx, k, { op: 'ftrace_enabled', text });
}

/** A write to `set_ftrace_pid`. */
export function writePids(
  cx: Context,
  k: Kernel,
  pids: readonly number[],
  reset = true,
): Path<number> {
  return fileOperation(cx, k, { op: 'set_ftrace_pid', pids, reset });
}

export function setFilter(text: string | undefined, reset = false): OperationRequest {
  return { op: 'ftrace_set_filter', text, reset };
}

export function setNotrace(text: string | undefined, reset = false): OperationRequest {
  return { op: 'ftrace_set_notrace', text, reset };
}

export const FREE_FILTER = { op: 'ftrace_free_filter' } as const;

export function setFilterIps(
  ips: readonly number[],
  remove = false,
  reset = false,
): OperationRequest {
  return { op: 'ftrace_set_filter_ips', ips, remove, reset };
}

export function setFilterIp(ip: number, remove = false, reset = false): OperationRequest {
  return { op: 'ftrace_set_filter_ip', ip, remove, reset };
}
