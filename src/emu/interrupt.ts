// Layer emu. Opening and closing contexts on top of what a CPU runs: softirq, hardirq, NMI and
// breakpoint trap (CC-M2, CC-M6), and what may be taken at a boundary.
import { assert, known } from '../assert.ts';
import { type Address, NO_ADDRESS } from './address.ts';
import { CHOICE } from './choose.ts';
import { Context, LEVEL, type Level } from './context.ts';
import type { Cpu, Pending } from './cpu.ts';
import { EMU_EVENTS } from './event.ts';
import { LIMITS } from './limits.ts';
import { act, callGuest, type Path } from './path.ts';
import { canGoOn } from './ready.ts';
import { FRAME_PC, FRAME_WORDS, restoreFrame, saveFrame } from './regs.ts';

/** Opens a context; its body starts in the same step. */
export function enter(cpu: Cpu, pending: Pending): Context {
  assert(cpu.contexts.length < LIMITS.contextsMax, 'contexts nest within their limit');
  const interrupted = cpu.top.top?.kind === 'guest' ? cpu.hart.pc : NO_ADDRESS;
  const cx = open(cpu, pending.level, pending.handler);
  cpu.machine.emitFrom(cx, EMU_EVENTS.irq_enter.id, pending.handler, interrupted);
  cpu.settle();
  cx.begin(pending.body(cx));
  return cx;
}

function open(cpu: Cpu, level: Level, handler: Address): Context {
  const cx = new Context({
    level,
    cpu,
    task: cpu.current,
    frame: cpu.frames.pop() ?? new Int32Array(FRAME_WORDS),
    handler,
  });
  saveFrame(cpu.hart, cx.frame);
  cpu.machine.memory.unreserve(cpu.hart);
  cx.irqsBefore = cpu.hart.irqsOn;
  cx.preemptFloor = cpu.preemptCount.value;
  if (level !== LEVEL.softirq) cpu.hart.irqsOn = false;
  cpu.push(cx);
  return cx;
}

/** Closes the top context, whose bottom path is over. */
export function leave(cpu: Cpu, cx: Context): void {
  assert(cpu.contexts.length > 1 && cpu.top === cx, 'contexts close innermost first');
  if (cpu.preemptCount.value !== cx.preemptFloor) {
    cpu.machine.oops(cpu, 'preempt imbalance', cpu.hart.pc);
    return;
  }
  if (cx.level !== LEVEL.trap) cpu.machine.emitFrom(cx, EMU_EVENTS.irq_exit.id, cx.handler);
  cpu.pop();
  restoreFrame(cpu.hart, cx.frame);
  cpu.frames.push(cx.frame);
  const irqsOn = cx.irqsAfter ?? cx.irqsBefore;
  cpu.hart.irqsOn = irqsOn;
  if (irqsOn !== cx.irqsBefore) cpu.machine.report(cpu, EMU_EVENTS.irqs.id, irqsOn ? 1 : 0, 0);
  cpu.machine.text.see(cpu);
  cpu.settle();
}

/** Takes the breakpoint at `pc`: fetching it and entering the trap is one step (CC-M6). */
export function enterTrap(cpu: Cpu, pc: Address): void {
  if (cpu.contexts.length >= LIMITS.contextsMax) {
    // A breakpoint in what its own trap runs: no stack is deep enough.
    cpu.machine.oops(cpu, 'stack', pc);
    return;
  }
  const cx = open(cpu, LEVEL.trap, 0);
  cpu.machine.emitFrom(cx, EMU_EVENTS.trap_enter.id, pc);
  cpu.settle();
  const { breakpoint } = cpu.machine;
  cx.begin(() => trapBody(cx, { pc, reason: 'breakpoint', path: breakpoint?.(cx, pc) }));
}

/** As `enterTrap`, of guest code that has faulted at its pc: `path` says where it goes on; undefined: nobody helps. */
export function enterFault(
  cpu: Cpu,
  reason: string,
  path: (cx: Context) => Path<Address | undefined>,
): void {
  assert(cpu.contexts.length < LIMITS.contextsMax, 'contexts nest within their limit');
  const { pc } = cpu.hart;
  const cx = open(cpu, LEVEL.trap, 0);
  cpu.machine.emitFrom(cx, EMU_EVENTS.trap_enter.id, pc);
  cpu.settle();
  cx.begin(() => trapBody(cx, { pc, reason, path: path(cx) }));
}

interface Trap {
  readonly pc: Address;
  /** What it is called where nobody takes it. */
  readonly reason: string;
  /** Where to go on. */
  readonly path: Path<Address | undefined> | undefined;
}

function* trapBody(cx: Context, { pc, reason, path }: Trap): Path<void> {
  const machine = cx.cpu.machine;
  const to = path === undefined ? undefined : yield* path;
  if (to === undefined) {
    machine.oops(cx.cpu, reason, pc);
    return;
  }
  yield* act(cx.cpu.state, () => {
    cx.frame[FRAME_PC] = to;
    cx.emit(EMU_EVENTS.trap_exit.id, pc, to);
  }); // CC-H2.5
}

/**
 * Body of an interrupt whose handler is guest code. `entry` runs before the interrupt counts itself in
 * preempt_count, and again after it does no more: there, its level is that of what it interrupted (CC-H5).
 */
export function guestHandler(handler: Address, entry: Address = NO_ADDRESS): Pending['body'] {
  return (cx) => () =>
    entry === NO_ADDRESS ? handlerBody(cx, handler) : handlerWithEntry(cx, handler, entry);
}

function* handlerBody(cx: Context, handler: Address): Path<void> {
  yield* callGuest(cx.cpu.state, handler, []);
}

function* handlerWithEntry(cx: Context, handler: Address, entry: Address): Path<void> {
  cx.make(() => {
    showLevel(cx, false);
  });
  yield* callGuest(cx.cpu.state, entry, []);
  yield* act(cx.cpu.preemptCount, () => {
    showLevel(cx, true); // `irq_enter`
  });
  yield* callGuest(cx.cpu.state, handler, []);
  yield* act(cx.cpu.preemptCount, () => {
    showLevel(cx, false); // `irq_exit`
  });
  yield* callGuest(cx.cpu.state, entry, []);
}

/** The interrupt `cx` counts itself from now on, or does no more. */
function showLevel(cx: Context, shown: boolean): void {
  const { contexts, machine } = cx.cpu;
  const below = known(contexts[contexts.indexOf(cx) - 1], 'an interrupt has interrupted something');
  cx.shown = shown ? cx.level : below.shown;
  machine.emitFrom(cx, EMU_EVENTS.level_shown.id, shown ? 1 : 0);
}

/**
 * Takes what is pending on `cpu`, if anything is and the chooser does not put it off: an IPI answer, an
 * interrupt, a softirq. True when that was this CPU's step.
 */
export function takePending(cpu: Cpu): boolean {
  const machine = cpu.machine;
  // A CPU with nothing else to do has no "later".
  const mayWait = canGoOn(cpu);
  if (cpu.ipis.length > 0 && cpu.interruptible()) {
    if (!mayWait || machine.chooseAt(cpu, CHOICE.deliver, 2) === 0) {
      machine.text.acknowledge(cpu);
      return true;
    }
  }
  // The highest level first; one that is put off does not hold up the next.
  const ready = cpu.pending.filter((pending) => cpu.mayEnter(pending.level));
  ready.sort((one, other) => other.level - one.level);
  for (const pending of ready) {
    const delayable = mayWait && pending.level !== LEVEL.nmi;
    if (delayable && machine.chooseAt(cpu, CHOICE.deliver, 2) !== 0) continue;
    cpu.pending.splice(cpu.pending.indexOf(pending), 1);
    enter(cpu, pending);
    return true;
  }
  return false;
}
