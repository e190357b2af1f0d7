// Layer emu. The step loop: choose a CPU, let it take one step, report. One step is what lies between two
// boundaries: an interrupt taken, a marked access with what follows it, or a visible instruction with the
// private ones behind it.
import { assert, known } from '../assert.ts';
import {
  type Address,
  addressHi,
  addressLo,
  HEAP_BASE,
  HEAP_BYTES_MAX,
  hexAddress,
  NO_ADDRESS,
  STACK_BYTES,
  TASK_STRUCT_BASE,
  TASK_STRUCT_BYTES,
} from './address.ts';
import { type Cell, CellSpace } from './cell.ts';
import { CHOICE, type ChoiceKind, type Chooser } from './choose.ts';
import type { Context, Frame } from './context.ts';
import { Cpu, type Pending } from './cpu.ts';
import { EMU_EVENTS, type EventSink, EventText, type StringTable } from './event.ts';
import { FLAG } from './flags.ts';
import { Injector } from './inject.ts';
import { LIMITS } from './limits.ts';
import { tick } from './loop.ts';
import { Memory } from './memory.ts';
import type { Path } from './path.ts';
import { Rcu } from './rcu.ts';
import { isReady } from './ready.ts';
import { type FaultReason, FRAME_HI, FRAME_WORDS, Hart, REG, restoreFrame } from './regs.ts';
import { Core } from './riscv/core.ts';
import { Slab, touch } from './slab.ts';
import type { Stoppers } from './stop-machine.ts';
import { Stubs } from './stubs.ts';
import { Task, type TaskKind, writeTaskStruct } from './task.ts';
import { Text } from './text.ts';
import { Timers } from './timer.ts';
import type { UserProgram } from './user.ts';

export interface MachineOptions {
  readonly cpus: number;
  readonly preempt: boolean;
  readonly grain: 'visible' | 'instruction';
  readonly stepsMax: number;
  /** Stubs to map: the highest published index + 1. */
  readonly stubCount: number;
  /** Tasks that get a stack, idle tasks included. */
  readonly tasksMax: number;
}

/** By how many steps a grace period may end late; 0, the earliest legal moment, is calm (CC-M15). */
const WAIT_DELAYS = [0, 16, 256] as const;
const ENTRY_FLAGS = FLAG.visible | FLAG.attention | FLAG.entry;

/** Where a running task gives way: anywhere, nowhere, or between two calls of what it runs. */
export type Preemption = 'full' | 'none' | 'voluntary';

/** How a run ended. */
export type Ending = 'run_end' | 'oops' | 'deadlock' | 'no_progress';

function setFrameAddress(frame: Frame, register: number, address: Address): void {
  frame[register] = addressLo(address);
  frame[FRAME_HI + register] = addressHi(address);
}

/** A CPU starts on its idle task's stack. */
function boot(cpu: Cpu, idle: Task): void {
  restoreFrame(cpu.hart, idle.context.frame);
  cpu.hart.stackBase = idle.stackBase;
}

/** Someone who sees a function's true calls and returns. */
export interface Watcher {
  enter(cx: Context): void;
  /** It returned, or was abandoned. */
  leave(cx: Context): void;
}

/** A place within a function; `module`: the one that it belongs to, if any. */
export interface SymbolPlace {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  readonly module: string | undefined;
}

/** What happens at given steps: the workload's timeline. */
export interface Agenda {
  /** The next step at which `fire` wants to be called; Infinity when none. */
  readonly next: number;
  fire(step: number): void;
  /** As `next`, for the first boundary of one CPU. */
  nextOn(cpu: Cpu): number;
  /** The soonest of all `nextOn`. */
  readonly nextOnAny: number;
  fireOn(cpu: Cpu, step: number): void;
  /** Nothing is ready and no timer is due: true when this made something ready. */
  quiet(): boolean;
}

export class Machine {
  readonly options: MachineOptions;
  readonly cells = new CellSpace();
  readonly memory = new Memory();
  readonly core: Core;
  readonly text: Text;
  readonly stubs: Stubs;
  readonly slab: Slab;
  readonly rcu: Rcu;
  readonly timers: Timers;
  readonly injector: Injector;
  readonly cpus: readonly Cpu[];
  /** By pid, idle tasks not included. */
  readonly tasks: Task[] = [];
  readonly strings: StringTable;
  /** What a fetched site may turn out to be. */
  readonly fetches: Readonly<Record<'torn' | 'break' | 'nop' | 'call' | 'insn', EventText>>;
  /** Identity of steps that write text; of steps that allocate and free. */
  readonly textCell: Cell<number>;
  readonly slabCell: Cell<number>;
  readonly everyInstruction: boolean;
  preemption: Preemption;
  /** By the number of their system call. */
  programs: readonly UserProgram[] = [];
  /** Undefined: nobody stops this machine. */
  stoppers: Stoppers | undefined;
  /** The question being asked; `choose` fills it. */
  private readonly point: { kind: ChoiceKind; cpu: number; options: Int32Array };
  /** Room for the options of questions other than `schedule`. */
  readonly options32: Int32Array = new Int32Array(LIMITS.tasksMax + 1);
  /** Events reported so far, and the number at which the host wants to look: the step then ends a burst. */
  events = 0;
  eventsPause = Number.POSITIVE_INFINITY;
  /** Completed steps; virtual time in microseconds. */
  step = 0;
  /** Softirq handlers by number. */
  readonly softirqs: Pending[] = [];
  ending: Ending | undefined;
  agenda: Agenda | undefined;
  /** The path of a breakpoint trap: where to go on; undefined: it is nobody's. */
  breakpoint: ((cx: Context, pc: Address) => Path<Address | undefined>) | undefined;
  /** Somebody who may take over where guest code faults: true when he does. He may also say where it is, in its pc. */
  faulting: ((cpu: Cpu, reason: FaultReason) => boolean) | undefined;
  /** Reports what is left of the layer above when a run ends regularly. */
  closing: (() => void) | undefined;
  /** Somebody may ask for all registers with which functions come to their call sites (`reportArguments`). */
  notesRegisters = false;
  /** Text that a function returns to in place of its caller, and that goes on there (`true-call.ts`). */
  readonly returnDetours = new Set<Address>();
  /** Somebody who wants to know that a task has left `cpu` for the last time; part of that step. */
  taskGone: ((cpu: Cpu, task: Task) => void) | undefined;
  /** Somebody who keeps something for each task: this one is made; part of that step. */
  taskMade: ((task: Task) => void) | undefined;
  /** Somebody who wants to know which task a CPU turns to; part of the step that switches. */
  switching: ((cpu: Cpu, next: Task) => void) | undefined;
  /** Somebody who wants to know when the task of a CPU is about to sleep of its own accord. */
  sleeping: ((cpu: Cpu) => void) | undefined;
  private readonly chooser: Chooser;
  private readonly sink: EventSink;
  private readonly watchers = new Map<Address, Watcher>();
  /** One bit for each CPU that can take a step. */
  readyMask = 0;
  /** The next step at which a timer or the agenda does something; Infinity when none. */
  due = Number.POSITIVE_INFINITY;
  /** The CPU that took the last step: it goes on when all is calm. */
  running: Cpu;

  constructor(
    options: MachineOptions,
    host: { chooser: Chooser; sink: EventSink; strings: StringTable },
  ) {
    assert(options.cpus >= 1 && options.cpus <= LIMITS.cpusMax, 'the number of CPUs is in range');
    this.options = options;
    this.chooser = host.chooser;
    this.sink = host.sink;
    this.strings = host.strings;
    const fetched = (does: string): EventText => new EventText(does, host.strings);
    this.fetches = {
      torn: fetched('torn'),
      break: fetched('break'),
      nop: fetched('nop'),
      call: fetched('call'),
      insn: fetched('insn'),
    };
    this.everyInstruction = options.grain === 'instruction';
    this.preemption = options.preempt ? 'full' : 'none';
    this.core = new Core(this.memory);
    const heap = this.memory.addSegment({
      name: 'heap',
      base: HEAP_BASE,
      bytes: 0,
      bytesMax: HEAP_BYTES_MAX,
      writable: true,
      liveness: true,
    });
    this.memory.addSegment({
      name: 'task_struct',
      base: TASK_STRUCT_BASE,
      bytes: options.tasksMax * TASK_STRUCT_BYTES,
      writable: false,
    });
    this.timers = new Timers(this);
    this.slab = new Slab(this, heap);
    this.rcu = new Rcu(this);
    this.textCell = this.cells.cell('text', 0);
    this.slabCell = this.cells.cell('slab', 0);
    this.point = { kind: CHOICE.schedule, cpu: 0, options: this.options32 };
    this.cpus = Array.from({ length: options.cpus }, (_, id) => new Cpu(id, this, new Hart(id)));
    this.text = new Text(this);
    this.stubs = new Stubs(this, options.stubCount);
    this.injector = new Injector(this);
    for (const cpu of this.cpus) cpu.adopt(this.newTask(`swapper/${cpu.id}`, 'idle', cpu));
    this.running = known(this.cpus[0], 'there is a first CPU');
  }

  /** Is there a stack for one more task? */
  hasRoomForTask(): boolean {
    return this.options.cpus + this.tasks.length < this.options.tasksMax;
  }

  /** A task with its stack; `schedule.start` makes it ready. */
  newTask(name: string, kind: TaskKind, cpu: Cpu): Task {
    const idles = this.options.cpus;
    const pid = kind === 'idle' ? 0 : this.tasks.length + 1;
    const stackIndex = kind === 'idle' ? cpu.id : idles + this.tasks.length;
    assert(stackIndex < this.options.tasksMax, 'every task has a stack');
    const task = new Task({ pid, name, kind, cpu, stackIndex, frame: new Int32Array(FRAME_WORDS) });
    const { stackBase } = task;
    this.memory.addSegment({
      name: `stack of ${name}`,
      base: stackBase,
      bytes: STACK_BYTES,
      writable: true,
    });
    setFrameAddress(task.context.frame, REG.sp, task.stackTop());
    // `current`, as the kernel has it on this architecture; no compiler allocates the register.
    setFrameAddress(task.context.frame, REG.tp, task.structAddress);
    writeTaskStruct(this.memory, task);
    if (kind === 'idle') boot(cpu, task);
    if (kind !== 'idle') {
      this.tasks.push(task);
      const [nameId, kindId] = [this.strings.id(name), this.strings.id(kind)];
      this.report(cpu, EMU_EVENTS.task_new.id, pid, nameId, cpu.id, kindId);
      this.taskMade?.(task);
    }
    return task;
  }

  /** Steps until the run is over. */
  run(): Ending {
    while (this.ending === undefined) tick(this);
    return this.ending;
  }

  /** Has the host asked to look after this step? */
  pauses(): boolean {
    return this.events >= this.eventsPause;
  }

  /** Reports from whatever runs on `cpu`. After an oops nobody reports anything. */
  report(cpu: Cpu, id: number, a = 0, b = 0, c = 0, d = 0, e = 0): void {
    if (this.ending === 'oops') return;
    const cx = cpu.top;
    this.events++;
    this.sink.emit(id, this.step, cpu.id, cx.level, cx.task.pid, a, b, c, d, e, 0, 0, 0);
  }

  /** Reports from `cx`; eight payload words. */
  emitFrom(cx: Context, id: number, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0): void {
    if (this.ending === 'oops') return;
    this.events++;
    this.sink.emit(id, this.step, cx.cpu.id, cx.level, cx.task.pid, a, b, c, d, e, f, g, h);
  }

  /** Asks the chooser; `options` says what the indexes stand for. */
  choose(cpu: Cpu, kind: ChoiceKind, count: number, options: Int32Array = this.options32): number {
    const { point } = this;
    point.kind = kind;
    point.cpu = cpu.id;
    point.options = options;
    const chosen = this.chooser.choose(point, count);
    assert(chosen >= 0 && chosen < count, 'a choice is one of the options');
    return chosen;
  }

  /** How many boundaries, at most `max`, are calm if each asks `kinds`; 0 when the chooser cannot tell. */
  calmAhead(kinds: readonly ChoiceKind[], max: number): number {
    if (kinds.length === 0) return max;
    return this.chooser.calm?.ahead(kinds, max) ?? 0;
  }

  passCalm(kinds: readonly ChoiceKind[], boundaries: number): void {
    this.chooser.calm?.pass(kinds, boundaries);
  }

  /** Asks with the options 0, 1, .. count-1. */
  chooseAt(cpu: Cpu, kind: ChoiceKind, count: number): number {
    for (let i = 0; i < count; i++) this.options32[i] = i;
    return this.choose(cpu, kind, count);
  }

  /** How far back from `newest` a fetch looks, among `count` versions. */
  chooseFetch(cpu: Cpu, count: number, newest: number): number {
    if (count === 1) return 0;
    for (let i = 0; i < count; i++) this.options32[i] = newest - i;
    return this.choose(cpu, CHOICE.fetch, count);
  }

  /** A wait's condition holds: `end` runs now, or some steps later if the chooser says so. */
  afterWait(end: () => void, cpu: Cpu): void {
    const later = WAIT_DELAYS[this.chooseAt(cpu, CHOICE.wait, WAIT_DELAYS.length)] ?? 0;
    if (later === 0) end();
    else this.timers.add({ due: this.step + later, fire: end });
  }

  /** Recomputes whether `cpu` can take a step. */
  touchCpu(cpu: Cpu): void {
    if (isReady(cpu)) this.readyMask |= cpu.bit;
    else this.readyMask &= ~cpu.bit;
  }

  isReady(cpu: Cpu): boolean {
    return (this.readyMask & cpu.bit) !== 0;
  }

  /** The agenda or the timers changed: finds the next step at which one of them does something. */
  plan(): void {
    const { agenda, timers } = this;
    const next = agenda === undefined ? Infinity : Math.min(agenda.next, agenda.nextOnAny);
    this.due = Math.min(timers.next(), next);
  }

  /** `symbol` or `symbol+0x8` for messages and lock names; set by whoever loads the image. */
  nameOf: (address: Address) => string = hexAddress;
  /** The function that holds an address, as the kernel log shows it; set by whoever loads the image. */
  symbolAt: (address: Address) => SymbolPlace | undefined = () => undefined;

  /** Sees every true call of the function at `address` and its return. */
  watch(address: Address, watcher: Watcher): void {
    assert(!this.watchers.has(address), 'a function has one watcher');
    this.watchers.set(address, watcher);
    this.core.setFlags(address, this.core.flagsAt(address) | ENTRY_FLAGS | FLAG.watch);
  }

  watcher(address: Address): Watcher | undefined {
    return this.watchers.get(address);
  }

  /** Marks the first instruction of a function: its true calls are reported. */
  markEntry(address: Address): void {
    this.core.setFlags(address, this.core.flagsAt(address) | ENTRY_FLAGS);
  }

  /** The function is no more; whoever watched its calls watches those of the next one there. */
  unmarkEntry(address: Address): void {
    this.core.setFlags(address, this.core.flagsAt(address) & ~ENTRY_FLAGS);
  }

  /** The emulated kernel faults: an event, and a legitimate ending. */
  oops(cpu: Cpu, reason: string, pc: Address, address: Address = NO_ADDRESS): void {
    if (this.ending !== undefined) return;
    this.report(cpu, EMU_EVENTS.oops.id, this.strings.id(reason), pc, address);
    this.ending = 'oops';
  }

  /** `cpu` cannot do what it must at `address`: an oops, and a use of whatever was freed there (CC-M15). */
  fault(cpu: Cpu, reason: FaultReason, address: Address): void {
    if (this.faulting?.(cpu, reason) === true) return;
    const { pc } = cpu.hart;
    const fetched = reason === 'illegal' || reason === 'fetch';
    const place = this.slab.covering(fetched ? pc : address);
    if (place === undefined || place.live) {
      this.oops(cpu, reason, pc, address);
      return;
    }
    touch(cpu.top, place);
    this.oops(cpu, fetched ? 'poison' : 'freed', pc, address);
  }
}
