// Layer trace. What the function-graph machine keeps (CC-S18), after kernel/trace/fgraph.c: hooks in their slots, the
// manager ops behind them, and a shadow stack for each task. It exists from the first registration of a hook on.
import { known } from '../assert.ts';
import type { Address } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { Context } from '../emu/context.ts';
import { useObject } from '../emu/kernel-access.ts';
import type { Path } from '../emu/path.ts';
import type { KObject } from '../emu/slab.ts';
import type { Task } from '../emu/task.ts';
import { FGRAPH_ARRAY_SIZE, type FrameWords, type RetStack } from './fgraph-stack.ts';
import type { GraphCall, GraphReturn } from './fgraph.ts';
import { type FtraceOps, newFtraceOps, placeFtraceOps } from './ftrace-ops.ts';
import type { Kernel } from './kernel.ts';
import { writeReturnToHandler } from './return-to-handler.ts';
import { traceStub } from './stub-table.ts';

/** `struct fgraph_ops`: someone who takes returns. */
export interface FgraphOps {
  readonly name: string;
  /** A sub-ops: its hashes say which functions; it is never on the list itself (FT-58). */
  readonly ops: FtraceOps;
  /** Which slot, and which bit of frames; -1: none. */
  readonly idx: Cell<number>;
  /** A call is entered, with preemption off: is its return wanted? */
  readonly entryfunc: (cx: Context, k: Kernel, gops: FgraphOps, call: GraphCall) => Path<boolean>;
  /** A call whose return was wanted is over. */
  readonly retfunc: (cx: Context, k: Kernel, gops: FgraphOps, call: GraphReturn) => Path<void>;
}

export interface Fgraph {
  readonly frameWords: FrameWords;
  /** `graph_ops`: what is on the ops list for all of them. */
  readonly manager: FtraceOps;
  /** `subop_list` of the manager, oldest first. Guarded by `ftrace_lock`. */
  readonly subops: Cell<readonly FgraphOps[]>;
  /** `ftrace_graph_active`. Guarded by `ftrace_lock`. */
  readonly active: Cell<number>;
  /** `fgraph_array`; undefined is the stub. */
  readonly array: readonly Cell<FgraphOps | undefined>[];
  /** `fgraph_array_bitmask`: slots that are in use. */
  readonly bitmask: Cell<number>;
  /** The only hook, whose hashes need not be tested: the manager's are the same (FT-59). */
  readonly direct: Cell<FgraphOps | undefined>;
  /** Free slots, longest free first: an old frame that hits a new hook needs many registrations (CC-S18). */
  readonly freeSlots: Cell<readonly number[]>;
  /** `trace_overrun`: frames for which there was no room (FP-70.2). */
  readonly overrun: Cell<number>;
  /** By index of the task. */
  readonly tasks: (TaskStack | undefined)[];
}

/** Fields of `task_struct`. */
export interface TaskStack {
  /** `ret_stack`: one page; undefined while the task has none. */
  readonly memory: Cell<KObject | undefined>;
  /** `curr_ret_stack`: the first free word. */
  readonly curr: Cell<number>;
  /** Identity of accesses to its words. */
  readonly words: Cell<number>;
  /** Returns that are taken, for events only, innermost last. */
  readonly hooks: Cell<readonly OpenHook[]>;
}

/** A `hook` without its `unhook`. */
export interface OpenHook {
  readonly object: number;
  readonly generation: number;
  readonly ip: Address;
  readonly frame: Address;
  /** First word of its frame, and of its data. */
  readonly start: number;
  readonly data: number;
}

/** The machine's state; made in the step that first asks for it. */
export function fgraphOf(k: Kernel): Fgraph {
  k.fgraph ??= newFgraph(k);
  return k.fgraph;
}

function newFgraph(k: Kernel): Fgraph {
  const { cells, options } = k.machine;
  const { ftraceLock } = k.ftrace;
  writeReturnToHandler(k.machine, traceStub('ftrace_return_to_handler'));
  return {
    frameWords: k.arch.returnFrameWords ?? 4,
    manager: newFtraceOps(k, {
      name: 'graph_ops',
      kind: 'graph_ops',
      isStatic: true,
      func: traceStub('ftrace_graph_func'),
    }),
    subops: cells.cell<readonly FgraphOps[]>('subop_list', [], ftraceLock),
    active: cells.cell('ftrace_graph_active', 0, ftraceLock),
    array: Array.from({ length: FGRAPH_ARRAY_SIZE }, (_, i) =>
      cells.cell<FgraphOps | undefined>(`fgraph_array[${i}]`, undefined),
    ),
    bitmask: cells.cell('fgraph_array_bitmask', 0),
    direct: cells.cell<FgraphOps | undefined>('fgraph_direct_gops', undefined),
    freeSlots: cells.cell<readonly number[]>(
      'fgraph_lru_table',
      Array.from({ length: FGRAPH_ARRAY_SIZE }, (_, i) => i),
      ftraceLock,
    ),
    overrun: cells.cell('trace_overrun', 0),
    tasks: Array.from({ length: options.tasksMax }),
  };
}

/** A hook, not registered. Part of a step. */
export function newFgraphOps(
  k: Kernel,
  { name, entryfunc, retfunc }: Pick<FgraphOps, 'name' | 'entryfunc' | 'retfunc'>,
): FgraphOps {
  const func = traceStub('ftrace_graph_func');
  return {
    name,
    ops: placeFtraceOps(k, { name, kind: 'graph_ops', isStatic: true, func }),
    idx: k.machine.cells.cell(`idx/${name}`, -1, k.ftrace.ftraceLock),
    entryfunc,
    retfunc,
  };
}

export function taskStack(k: Kernel, task: Task): TaskStack {
  const { tasks } = fgraphOf(k);
  const present = tasks[task.index];
  if (present !== undefined) return present;
  const { cells } = k.machine;
  const named = (field: string): string => `${field}/${task.name}`;
  const made: TaskStack = {
    memory: cells.cell<KObject | undefined>(named('ret_stack'), undefined),
    curr: cells.cell(named('curr_ret_stack'), 0),
    words: cells.cell(named('ret_stack_words'), 0),
    hooks: cells.cell<readonly OpenHook[]>(named('hooks'), []),
  };
  tasks[task.index] = made;
  return made;
}

/** The words of a shadow stack, for accesses that are part of the present step: an oops when it was freed. */
export function wordsOf(cx: Context, k: Kernel, { memory }: TaskStack): RetStack {
  const page = known(memory.value, 'who has a frame has a shadow stack');
  useObject(cx, page, page.address);
  return { memory: k.machine.memory, base: page.address, frameWords: fgraphOf(k).frameWords };
}
