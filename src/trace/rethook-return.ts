// Layer trace. Returns that are taken, after kernel/trace/rethook.c of Linux v6.12: a call's return address gives way to
// that of the trampoline and its node goes on the list of its task (CC-H11.7); when the call returns, the handlers of
// its nodes run (FP-31, CC-H12); the nodes of a task that died are given back (FP-36, CC-H18).
import { assert, known } from '../assert.ts';
import { type Address, addressHi, addressLo, toAddress } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { Context } from '../emu/context.ts';
import type { Cpu } from '../emu/cpu.ts';
import { EMU_EVENTS } from '../emu/event.ts';
import { act, andThen, enter, type Path, readOnce, update, writeOnce } from '../emu/path.ts';
import { preemptDisable, preemptEnable } from '../emu/preempt.ts';
import { queueRcu } from '../emu/rcu.ts';
import type { Task } from '../emu/task.ts';
import { TRACE_EVENTS } from './event.ts';
import { skip } from './ftrace-caller.ts';
import { FTRACE_REGS, PT_REGS_IP, PT_REGS_SP } from './ftrace-regs.ts';
import type { Kernel } from './kernel.ts';
import { RETHOOK_TRAMPOLINE } from './rethook-trampoline.ts';
import {
  hookedCall,
  type HookRequest,
  type RethookHandler,
  type RethookNode,
  useRethook,
} from './rethook.ts';

/** A call that has returned to the trampoline. */
export interface TakenReturn {
  /** Where it really returns to. */
  readonly retIp: Address;
  /** Its registers, a `struct pt_regs` at its return. */
  readonly regs: Address;
}

/** `rethooks` of `task`: nodes of calls that have not returned, the newest first. Made when somebody first asks. */
function taskRethooks(k: Kernel, task: Task): Cell<RethookNode | undefined> {
  const present = k.rethook.lists[task.index];
  if (present !== undefined) return present;
  const { cells } = k.machine;
  const made = cells.cell<RethookNode | undefined>(`rethooks/${task.name}`, undefined);
  k.rethook.lists[task.index] = made;
  return made;
}

/**
 * `rethook_hook` (CC-H11.7): the call of `request` will return to the trampoline, which finds `node` on the list of
 * its task. An interrupt between the two steps has taken its own nodes off the list by the time it is over.
 */
export function* rethookHook(
  cx: Context,
  k: Kernel,
  node: RethookNode,
  request: HookRequest,
): Path<void> {
  const { generation, ip, parentIp, regs, retIp } = request;
  const rethooks = taskRethooks(k, cx.task);
  const frame = yield* act(node.call, () => {
    const retAddr = loadRegister(k, regs + FTRACE_REGS.ra);
    const sp = loadRegister(k, regs + PT_REGS_SP);
    storeRegister(k, regs + FTRACE_REGS.ra, RETHOOK_TRAMPOLINE);
    const next = rethooks.value;
    node.call.set({ ip, parentIp, retIp, regs, generation, retAddr, frame: sp, next });
    return sp;
  }); // CC-H11.7
  yield* writeOnce(rethooks, node); // CC-H11.7
  cx.emit(TRACE_EVENTS.hook.id, node.rethook.data.object, generation, ip, frame, retIp);
}

/**
 * `__rethook_find_ret_addr`: the nodes of the call that returns, newest first. A node that was taken when the return was
 * taken already has the trampoline's address; the last one has the real one (FP-31.1, FP-35). Empty: there is none.
 */
export function rethookFindNodes(newest: RethookNode | undefined): readonly RethookNode[] {
  const found: RethookNode[] = [];
  for (let node = newest; node !== undefined && !found.includes(node);) {
    found.push(node);
    const { next, retAddr } = hookedCall(node);
    if (retAddr !== RETHOOK_TRAMPOLINE) return found;
    node = next;
  }
  return [];
}

/** Each node of a list once: where nodes are given back too early, a list may have no end. */
function nodesFrom(newest: RethookNode | undefined): readonly RethookNode[] {
  const found = new Set<RethookNode>();
  for (let node = newest; node !== undefined && !found.has(node); node = hookedCall(node).next) {
    found.add(node);
  }
  return [...found];
}

/** The return addresses that nodes of the task of `cx` have replaced, the newest first. */
export function rethookReplaced(cx: Context, k: Kernel): readonly Address[] {
  return nodesFrom(taskRethooks(k, cx.task).value).map((node) => hookedCall(node).retAddr);
}

/** `unwind_recover_rethook`: what nodes of the call with this stack pointer have replaced, if it is to return to them. */
export function rethookRecover(
  k: Kernel,
  task: Task,
  { ret, frame }: { readonly ret: Address; readonly frame: Address },
): Address {
  if (ret !== RETHOOK_TRAMPOLINE) return ret;
  const own = nodesFrom(taskRethooks(k, task).value)
    .map(hookedCall)
    .filter((call) => call.frame === frame);
  return own.find(({ retAddr }) => retAddr !== RETHOOK_TRAMPOLINE)?.retAddr ?? ret;
}

/** Is the return of the call that was entered with this stack pointer taken? */
export function hasTakenReturn(k: Kernel, task: Task, sp: Address): boolean {
  const newest = k.rethook.lists[task.index]?.value;
  return nodesFrom(newest).some((node) => hookedCall(node).frame === sp);
}

/** Where a call that was entered with return address `parentIp` really returns to (FP-1): one of a tail call, too. */
export function rethookRetAddr(cx: Context, k: Kernel, parentIp: Address): Address {
  if (parentIp !== RETHOOK_TRAMPOLINE) return parentIp;
  return cx.make(() => {
    const last = rethookFindNodes(taskRethooks(k, cx.task).value).at(-1);
    return last === undefined ? parentIp : hookedCall(last).retAddr;
  });
}

/** `rethook_trampoline_handler` (FP-31, CC-H12): runs handlers, and puts the real address where the text goes on. */
export function* rethookTrampolineHandler(cx: Context, k: Kernel, regs: Address): Path<void> {
  const rethooks = taskRethooks(k, cx.task);
  const newest = yield* readOnce(rethooks); // CC-H12.1
  const nodes = cx.make(() => k.fn.rethookFindNodes(newest));
  const last = nodes.at(-1);
  if (last === undefined) {
    cx.make(() => {
      cx.cpu.machine.oops(cx.cpu, 'no return address', cx.cpu.hart.pc, regs);
    });
    return;
  }
  const retIp = cx.make(() => hookedCall(last).retAddr);
  yield* enter(k.fn.rethookReturn(cx, k, nodes, { retIp, regs }));
}

/** CC-H12.2-7. */
export function* rethookReturn(
  cx: Context,
  k: Kernel,
  nodes: readonly RethookNode[],
  taken: TakenReturn,
): Path<void> {
  yield* preemptDisable(cx); // CC-H12.2
  showReturn(cx, k, taken);
  yield* enter(k.fn.rethookRunHandlers(cx, k, nodes, taken));
  yield* rethookUnlink(cx, k, nodes, taken);
  yield* rethookGiveBack(cx, k, nodes, 'return');
  yield* preemptEnable(cx); // CC-H12.7
}

/** What handlers are shown as `ip` (FP-31.2). */
export function showReturn(cx: Context, k: Kernel, { regs, retIp }: TakenReturn): void {
  cx.make(() => {
    storeRegister(k, regs + PT_REGS_IP, retIp);
  });
}

/** CC-H12.4-5: where the call goes on; its nodes are on the list no more. */
export function* rethookUnlink(
  cx: Context,
  k: Kernel,
  nodes: readonly RethookNode[],
  { regs, retIp }: TakenReturn,
): Path<void> {
  const last = known(nodes.at(-1), 'a return that is taken has a node');
  const next = cx.make(() => hookedCall(last).next);
  yield* act(last.call, () => {
    storeRegister(k, regs + FTRACE_REGS.ra, retIp);
  }); // CC-H12.4
  yield* writeOnce(taskRethooks(k, cx.task), next); // CC-H12.5
}

/**
 * CC-H12.3. A handler is loaded where preemption is off: who stops the rethook and waits has outlasted it (CC-G7).
 * The nodes are still on the list, for whoever unwinds the stack meanwhile.
 */
export function* rethookRunHandlers(
  cx: Context,
  k: Kernel,
  nodes: readonly RethookNode[],
  taken: TakenReturn,
): Path<void> {
  const { regs, retIp } = taken;
  const sp = cx.make(() => loadRegister(k, regs + PT_REGS_SP));
  for (const node of nodes) {
    if (cx.make(() => hookedCall(node)).frame !== sp) {
      // Somebody left the frame by a jump: what is on the list is not this call's.
      const text = cx.cpu.machine.strings.id('WARNING: rethook_trampoline_handler');
      cx.emit(EMU_EVENTS.printk.id, text);
      return;
    }
    const handler = yield* rethookGetHandler(cx, node);
    yield* rethookRunHandler(cx, k, node, { retIp, regs, handler });
  }
}

/** `rethook_get_handler` (CC-H12.3); undefined: stopped. */
export function rethookGetHandler(
  cx: Context,
  { rethook }: RethookNode,
): Path<RethookHandler | undefined> {
  return andThen(readOnce(rethook.handler), (handler) => {
    useRethook(cx, rethook);
    return handler;
  });
}

/** Calls what `rethookGetHandler` has found. */
export function* rethookRunHandler(
  cx: Context,
  k: Kernel,
  node: RethookNode,
  { handler, retIp, regs }: TakenReturn & { readonly handler: RethookHandler | undefined },
): Path<void> {
  if (handler === undefined) skipRemoved(cx, node);
  else yield* enter(k.fn[handler](cx, k, node, { retIp, regs }));
}

/** The rethook was stopped while the call was under way (FP-42): nothing of its data is looked at. */
function skipRemoved(cx: Context, node: RethookNode): void {
  const { generation, ip } = cx.make(() => hookedCall(node));
  const { object } = node.rethook.data;
  skip(cx, { object, generation, reason: 'removed', ip });
}

/** CC-H12.6, CC-H18.2. Preemption is off. */
export function* rethookGiveBack(
  cx: Context,
  k: Kernel,
  nodes: readonly RethookNode[],
  why: 'return' | 'flush',
): Path<void> {
  for (const node of nodes) {
    const { frame, generation, ip } = cx.make(() => hookedCall(node));
    const text = cx.cpu.machine.strings.id(why);
    cx.emit(TRACE_EVENTS.unhook.id, node.rethook.data.object, generation, ip, frame, text);
    yield* k.fn.rethookRecycle(cx, k, node); // CC-H12.6
  }
}

/** A task has left its CPU for the last time (CC-H18.1); its calls will not return. Part of that step. */
export function rethookTaskGone(k: Kernel, cpu: Cpu, task: Task): void {
  if (taskRethooks(k, task).value === undefined) return;
  queueRcu(cpu.top, (softirq) => k.fn.rethookFlushTask(softirq, k, task));
}

/** `rethook_flush_task` (FP-36, CC-H18.2), behind a grace period. No handler is called. */
export function* rethookFlushTask(cx: Context, k: Kernel, task: Task): Path<void> {
  assert(task.state === 'dead', 'nodes of the dead are flushed');
  const newest = yield* update(taskRethooks(k, task), () => undefined); // CC-H18.2
  for (const node of cx.make(() => nodesFrom(newest))) {
    yield* preemptDisable(cx);
    yield* rethookGiveBack(cx, k, [node], 'flush');
    yield* preemptEnable(cx);
  }
}

function loadRegister(k: Kernel, at: Address): Address {
  const { memory } = k.machine;
  return toAddress(memory.loadLo(at), memory.loadHi(at));
}

function storeRegister(k: Kernel, at: Address, value: Address): void {
  k.machine.memory.store64(at, addressLo(value), addressHi(value));
}
