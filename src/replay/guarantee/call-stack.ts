// Layer replay. The true calls that are open in each flow of control, from ground truth alone: tasks, and the
// interrupts and traps above them, which end before what they interrupted goes on. Columns instead of objects:
// a call allocates nothing.
import type { EventOf } from '../schema.ts';

/** Calls that have not returned, innermost last; element i of each column belongs to call i. */
export interface CallStack {
  readonly funcs: number[];
  readonly ras: number[];
  readonly sps: number[];
  /** Index of the event that entered it. */
  readonly entered: number[];
  /** Did its site lead into a hook? */
  readonly hooked: boolean[];
  depth: number;
  /** The step in which the innermost call must return, because its callee returned for both; -1: no such. */
  due: number;
}

/** Of one CPU: its idle task's, then those of interrupts and traps; `open` of the latter are in use. */
interface CpuStacks {
  readonly stacks: CallStack[];
  open: number;
}

export interface CallStacks {
  readonly tasks: Map<number, CallStack>;
  readonly cpus: Map<number, CpuStacks>;
}

interface Place {
  readonly cpu: number;
  readonly level: number;
  readonly pid: number;
}

export function newCallStacks(): CallStacks {
  return { tasks: new Map(), cpus: new Map() };
}

/** The stack of the flow of control in which something happens. */
export function stackAt(all: CallStacks, { cpu, level, pid }: Place): CallStack {
  if (level > 0) {
    const own = cpuStacks(all, cpu);
    return stackNumber(own, Math.max(own.open, 1));
  }
  if (pid === 0) return stackNumber(cpuStacks(all, cpu), 0);
  let task = all.tasks.get(pid);
  if (task === undefined) {
    task = newCallStack();
    all.tasks.set(pid, task);
  }
  return task;
}

/** The stacks of a task, outermost first: its own, and those of what interrupts it on this CPU. */
export function stacksOf(all: CallStacks, { cpu, pid }: Place): readonly CallStack[] {
  const own = cpuStacks(all, cpu);
  const above = own.stacks.slice(1, own.open + 1);
  return [stackAt(all, { cpu, level: 0, pid }), ...above];
}

/** An interrupt or a trap begins on `cpu`. */
export function openStack(all: CallStacks, cpu: number): void {
  const own = cpuStacks(all, cpu);
  own.open++;
  dropCalls(stackNumber(own, own.open), 0);
}

/** It is over. */
export function closeStack(all: CallStacks, cpu: number): void {
  const own = cpuStacks(all, cpu);
  if (own.open > 0) own.open--;
}

export function pushCall(stack: CallStack, { func, ra, sp, index }: EventOf<'func_enter'>): void {
  const at = stack.depth++;
  stack.funcs[at] = func;
  stack.ras[at] = ra;
  stack.sps[at] = sp;
  stack.entered[at] = index;
  stack.hooked[at] = false;
}

/** All but the outermost `depth` calls are gone. */
export function dropCalls(stack: CallStack, depth: number): void {
  stack.depth = depth;
  stack.due = -1;
}

/** Do call `at` and the one that it was made by return to the same place, as with a tail call? */
export function sharesReturn({ ras, sps }: CallStack, at: number): boolean {
  return at > 0 && ras[at] === ras[at - 1] && sps[at] === sps[at - 1];
}

function cpuStacks(all: CallStacks, cpu: number): CpuStacks {
  let own = all.cpus.get(cpu);
  if (own === undefined) {
    own = { stacks: [], open: 0 };
    all.cpus.set(cpu, own);
  }
  return own;
}

function stackNumber({ stacks }: CpuStacks, number: number): CallStack {
  return (stacks[number] ??= newCallStack());
}

function newCallStack(): CallStack {
  return { funcs: [], ras: [], sps: [], entered: [], hooked: [], depth: 0, due: -1 };
}
