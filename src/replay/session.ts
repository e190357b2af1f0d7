// Layer replay. A run being executed: machine, tracing subsystem, tasks and timeline built from a plan.
// Recording and replaying both drive one; they differ only in the chooser and in what they do with frames.
import { assert, InputError, known } from '../assert.ts';
import { type Address, NO_ADDRESS } from '../emu/address.ts';
import type { Chooser } from '../emu/choose.ts';
import type { Context } from '../emu/context.ts';
import { readObject } from '../emu/elf-object.ts';
import { loadElf } from '../emu/elf.ts';
import type { EventSink } from '../emu/event.ts';
import { standIn } from '../emu/hotplug-idle.ts';
import { buildImage, functionsNamed, type Image } from '../emu/image.ts';
import { guestHandler } from '../emu/interrupt.ts';
import { LIMITS } from '../emu/limits.ts';
import { loadImage } from '../emu/load.ts';
import { tick } from '../emu/loop.ts';
import { type Ending, Machine } from '../emu/machine.ts';
import { act, callGuest, type Path } from '../emu/path.ts';
import { start } from '../emu/schedule.ts';
import { defineServices } from '../emu/services.ts';
import { startStoppers } from '../emu/stop-machine.ts';
import { PATH_STUBS_FIRST, TRACE_STUBS_FIRST } from '../emu/stub-table.ts';
import type { Task } from '../emu/task.ts';
import { loadPrograms, runProgram, type UserProgram } from '../emu/user.ts';
import { nmissedAddress } from '../trace/fprobe-miss.ts';
import { MCOUNT_INSN_SIZE } from '../trace/ftrace-insn.ts';
import { bootKernel, type Kernel, publishStubs } from '../trace/kernel.ts';
import { KPROBE, KRETPROBE } from '../trace/kprobe-struct.ts';
import type { Profile } from '../trace/profile.ts';
import { TRACE_STUBS } from '../trace/stub-table.ts';
import type { Variant } from '../trace/variants/variant.ts';
import { ControlThread } from './control.ts';
import type { EventLog } from './event-log.ts';
import { newPathHost } from './handler-host.ts';
import { runPath } from './handler-path.ts';
import { type DefinedPath, titleOf } from './handler.ts';
import { checkEra, KERNEL_NAMES, makeProbes, Operations } from './probes.ts';
import { addSources, addTimers, entryOf, levelOf } from './sources.ts';
import { countsEvents, Timeline } from './timeline.ts';
import { CONTROL_TASK } from './workload/model.ts';
import {
  ANY_CPU,
  type Plan,
  type PlanAction,
  type PlanCounter,
  type PlanEntry,
  type PlanOperation,
} from './workload/plan.ts';

export interface SessionOptions {
  readonly chooser: Chooser;
  readonly profile: Profile;
  readonly variants: readonly Variant[];
  readonly log: EventLog;
  /** Those of `Plan.paths`, in that order. */
  readonly handlers?: readonly DefinedPath[];
}

/** An exception that a path in TypeScript did not catch; the run ended with it. */
export interface Thrown {
  readonly who: string;
  readonly error: unknown;
}

/** What an operation of the timeline, or of the set-up, returned. */
export interface OperationResult {
  /** The entry of the timeline; of the set-up, its operation. */
  readonly of: PlanEntry | PlanOperation;
  readonly found: number;
}

export class Session {
  readonly machine: Machine;
  readonly kernel: Kernel;
  readonly image: Image;
  readonly plan: Plan;
  readonly log: EventLog;
  readonly results: OperationResult[] = [];
  readonly operations: Operations;
  thrown: Thrown | undefined;
  /** Undefined while the machine boots. */
  #timeline: Timeline | undefined;
  readonly #control: ControlThread;
  /** By index of the plan's tasks: those without `run`. */
  readonly #threads: ReadonlyMap<number, ControlThread>;

  constructor(plan: Plan, options: SessionOptions) {
    this.plan = plan;
    this.log = options.log;
    const { log } = options;
    const machine = new Machine(machineOptions(plan), {
      chooser: options.chooser,
      sink: plan.timeline.some(({ trigger }) => countsEvents(trigger)) ? this.#sink() : log,
      strings: log.strings,
    });
    this.machine = machine;
    defineServices(machine);
    checkEra(plan, options.profile);
    publishStubs(machine, options.profile);
    plan.paths.forEach(({ stub }, index) => {
      machine.stubs.name(stub, PATH_STUBS_FIRST + index);
    });
    this.image = loadPlanImage(machine, plan);
    this.#definePaths(options.handlers ?? []);
    const { regs, ifSupportedGivesRegs, recordRecursion, strict, ...parts } = plan.machine;
    const { patching, trampolines, fprobe, kprobe } = parts;
    const arch = { regs, ifSupportedGivesRegs };
    const boot = {
      ...options,
      recordRecursion,
      strict,
      patching,
      trampolines,
      fprobe,
      kprobe,
      arch,
      data: this.image.dataSymbols,
    };
    this.kernel = bootKernel(machine, this.image.functions, boot);
    if (isStopped(plan)) startStoppers(machine);
    const probes = makeProbes(this.kernel, plan, this.image);
    this.operations = new Operations(this.kernel, probes, this.image);
    const tasks = plan.tasks.map((task) => this.#newTask(task.name, task.cpu));
    this.#control = new ControlThread(machine, this.#newControl());
    this.#threads = new Map(
      plan.tasks.flatMap(({ run }, index): [number, ControlThread][] => {
        const task = known(tasks[index], 'every planned task was made');
        return run === null ? [[index, new ControlThread(machine, task)]] : [];
      }),
    );
    this.#timeline = this.#newTimeline();
    machine.agenda = this.#timeline;
    // From here on what is written makes this run (`stateDigest`); what boot wrote, the plan says.
    machine.memory.cleanPages();
    const { task } = this.#control;
    loadPrograms(machine, this.#programs());
    const setUp = (): Path<void> => this.#setUp(task.context, tasks);
    start(task, () => this.#control.program(task.context, setUp));
  }

  /** One boundary and one step; true while the run goes on. */
  tick(): boolean {
    tick(this.machine);
    return this.machine.ending === undefined;
  }

  /** How the run ended. */
  get ending(): Ending {
    return known(this.machine.ending, 'the run is over');
  }

  /** Address of a function that the plan names. */
  address(name: string): number {
    const found = functionsNamed(this.image, name)[0];
    if (found === undefined) throw new InputError(`there is no function ${name}`);
    return found.address;
  }

  /** Timeline entries whose trigger never fired. */
  unfired(): readonly PlanEntry[] {
    return this.#timeline?.unfired() ?? [];
  }

  /** The 8-byte value of a data symbol, as a number. */
  readData(symbol: string, offset: number): number {
    const found = known(this.image.dataSymbols.get(symbol), 'a counter was checked');
    return this.#readLong(found.address + offset);
  }

  /** The value of a counter. */
  readCounter(place: PlanCounter['place']): number {
    if ('symbol' in place) return this.readData(place.symbol, place.offset);
    const probe = this.operations.probe(place.nmissed);
    assert(probe.kind !== 'ftrace', 'nmissed was checked to be there');
    if (probe.kind === 'fprobe') return this.#readLong(nmissedAddress(this.kernel, probe.fp));
    const { address } = probe.p;
    if (probe.kind === 'kprobe' || place.kp === true)
      return this.#readLong(address + KPROBE.nmissed);
    return this.machine.memory.load32(address + KRETPROBE.nmissed);
  }

  #readLong(at: number): number {
    const { memory } = this.machine;
    return memory.loadHi(at) * 0x100000000 + (memory.loadLo(at) >>> 0);
  }

  /** Events go to the log, and past the triggers that count them. */
  #sink(): EventSink {
    const { log } = this;
    return {
      // prettier-ignore
      emit: (id, step, cpu, level, pid, a, b, c, d, e, f, g, h): void => {
        log.emit(id, step, cpu, level, pid, a, b, c, d, e, f, g, h);
        this.#timeline?.see(id, cpu, a, b);
      },
    };
  }

  /** Each path in TypeScript is what its kernel symbol does. */
  #definePaths(handlers: readonly DefinedPath[]): void {
    const { plan, machine, image } = this;
    assert(handlers.length === plan.paths.length, 'every planned path is there');
    if (handlers.length === 0) return;
    const host = newPathHost(machine, image, (who, error) => {
      this.thrown = { who: titleOf(who), error };
    });
    plan.paths.forEach(({ name, stub }, index) => {
      const who = known(handlers[index], 'a planned path is there');
      assert(who.name === name, 'paths are in the order of the plan');
      machine.stubs.define(stub, { path: (cx, args) => runPath(cx, args, who, host) });
    });
  }

  #newTask(name: string, cpu: number): Task {
    return this.machine.newTask(name, 'task', known(this.machine.cpus[cpu], 'the CPU was checked'));
  }

  /** The programs of tasks in user mode, in the order of the plan. */
  #programs(): UserProgram[] {
    const place = (name: string | null): Address =>
      name === null ? NO_ADDRESS : this.address(name);
    return this.plan.tasks.flatMap(({ run, user }) =>
      user === null
        ? []
        : [
            {
              work: user.work,
              syscall: place(run),
              entry: place(user.entry),
              exit: place(user.exit),
            },
          ],
    );
  }

  #newControl(): Task {
    const first = known(this.machine.cpus[0], 'there is a first CPU');
    return this.machine.newTask(CONTROL_TASK, 'kthread', first);
  }

  #newTimeline(): Timeline {
    const { plan, machine, log } = this;
    return new Timeline(
      plan.timeline,
      {
        functions: (name) => functionsNamed(this.image, name).map((fn) => fn.address),
        object: (probe) => this.operations.probe(probe).object,
        module: (module) => this.operations.module(module).object,
        operations: (op) => KERNEL_NAMES[op],
        string: (text) => log.strings.find(text),
      },
      {
        cpus: machine.cpus.length,
        act: (entry, cpu) => {
          this.#act(entry, entry.action, cpu);
        },
      },
    );
  }

  /** The set-up, then everybody starts. */
  *#setUp(cx: Context, tasks: readonly Task[]): Path<void> {
    for (const operation of this.plan.setup) {
      const found = yield* this.operations.perform(cx, operation);
      cx.make(() => this.results.push({ of: operation, found }));
    }
    yield* act(cx.cpu.state, () => {
      tasks.forEach((task, index) => {
        this.#startTask(task, index);
      });
      for (const idle of this.plan.idle) {
        const cpu = known(this.machine.cpus[idle.cpu], 'the CPU was checked');
        cpu.idleRuns = { func: this.address(idle.run), left: idle.times };
        this.machine.touchCpu(cpu);
      }
      addSources(this.machine, this.plan, (name) => this.address(name));
      addTimers(this.machine, this.plan, (name) => this.address(name));
      this.machine.slab.failing = new Set(this.plan.machine.failAlloc);
      this.#timeline?.start();
      this.machine.plan();
    });
  }

  #startTask(task: Task, index: number): void {
    const planned = known(this.plan.tasks[index], 'a task was planned');
    const cx = task.context;
    if (planned.run === null) {
      const thread = known(this.#threads.get(index), 'a task without run is a control thread');
      start(task, () => thread.program(cx, nothing));
      return;
    }
    const { run, times, user } = planned;
    if (user === null) {
      const func = this.address(run);
      start(task, () => runTimes(cx, func, times));
      return;
    }
    const programs = this.plan.tasks.filter((one) => one.user !== null);
    start(task, () => runProgram(cx, programs.indexOf(planned), times));
  }

  #act(entry: PlanEntry, action: PlanAction, firedOn: number): void {
    if (action.kind === 'interrupt') {
      this.#raise(action.source, action.cpu === ANY_CPU ? firedOn : action.cpu);
      return;
    }
    const { operation } = action;
    const thread = action.by < 0 ? this.#control : this.#threads.get(action.by);
    const serving = known(thread, 'operations are served by control threads');
    serving.add({
      perform: (cx) => this.operations.perform(cx, operation),
      done: (found) => {
        this.results.push({ of: entry, found });
      },
    });
    // The trigger says that this happens now: the calm continuation is the operation.
    this.machine.running = serving.task.cpu;
  }

  #raise(index: number, cpuId: number): void {
    const source = known(this.plan.sources[index], 'a source was planned');
    const cpu = standIn(known(this.machine.cpus[cpuId], 'the CPU was checked'));
    const handler = this.address(source.run);
    const entry = entryOf(source, (name) => this.address(name));
    const body = guestHandler(handler, entry);
    cpu.pending.push({ level: levelOf(source.kind), handler, body });
    this.machine.injector.report(cpu, source.name, handler);
    this.machine.touchCpu(cpu);
    this.machine.running = cpu;
  }
}

function machineOptions(plan: Plan): ConstructorParameters<typeof Machine>[0] {
  const { machine } = plan;
  const ownThreads = machine.cpus * (isStopped(plan) ? 2 : 1) + (machine.kprobe.optprobes ? 1 : 0);
  return {
    cpus: machine.cpus,
    preempt: machine.preempt,
    grain: machine.grain,
    stepsMax: machine.stepsMax,
    stubCount:
      plan.paths.length > 0
        ? PATH_STUBS_FIRST + plan.paths.length
        : TRACE_STUBS_FIRST + TRACE_STUBS.length,
    tasksMax: ownThreads + plan.tasks.length + 1 + LIMITS.kthreadsMax,
  };
}

/** Does anything stop the whole machine, so that it has threads for that? */
function isStopped({ machine, timeline }: Plan): boolean {
  const moves = timeline.some(
    ({ action }) => action.kind === 'operation' && 'which' in action.operation,
  );
  return machine.patching === 'stopMachine' || moves;
}

function loadPlanImage(machine: Machine, plan: Plan): Image {
  const elf = plan.image === null ? undefined : loadElf(plan.image.bytes, plan.image.path);
  const image = buildImage({
    functions: plan.functions,
    data: plan.data,
    elf,
    modules: plan.modules.map(({ name, code }) =>
      'bytes' in code ? { name, object: readObject(code.bytes, code.path) } : { name, ...code },
    ),
    stubs: machine.stubs.addresses(),
    landingPad: plan.machine.landingPad,
    siteBytes: MCOUNT_INSN_SIZE[plan.machine.patching],
  });
  loadImage(machine, image);
  return image;
}

/** Each call gets its number, from 0, and the task's pid: argument registers tell calls and tasks apart. */
function* runTimes(cx: Context, func: number, times: number): Path<void> {
  const { pid } = cx.task;
  for (let i = 0; i < times; i++) yield* callGuest(cx.cpu.state, func, [i, 0, pid, 0]);
}

function* nothing(): Path<void> {
  // Only `control` has a set-up.
}
