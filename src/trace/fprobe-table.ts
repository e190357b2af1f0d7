// Layer trace. The tables of fprobes on the function-graph machine (FP-52): which fprobes exist, and which of them want
// which call site. Hits walk them without a lock, with preemption off; writers hold `fprobe_mutex`.
import { assert } from '../assert.ts';
import { type Address, NO_ADDRESS } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { Context } from '../emu/context.ts';
import { useObject } from '../emu/kernel-access.ts';
import { Mutex } from '../emu/lock.ts';
import { andThen, type Path, readOnce, writeOnce } from '../emu/path.ts';
import { type KObject, touch } from '../emu/slab.ts';
import { type FgraphOps, newFgraphOps } from './fgraph-state.ts';
import type { FprobeStruct } from './fprobe-struct.ts';
import type { Fprobe } from './fprobe.ts';
import { type FtraceOps, newFtraceOps } from './ftrace-ops.ts';
import type { Kernel } from './kernel.ts';
import { traceStub } from './stub-table.ts';

const HEADER_WORDS = 1;
const WORD_BYTES = 8;

/** Through which of the two shared hooks an fprobe is reached (FP-54). */
export type HookType = 'fgraph' | 'ftrace';

/** `struct fprobe_hlist_node`: this fprobe wants that site. */
export interface FprobeNode {
  readonly addr: Address;
  /** NULL when it is being unregistered. */
  readonly fp: Cell<Fprobe | undefined>;
  readonly next: Cell<FprobeNode | undefined>;
  readonly array: FprobeHlist;
}

/** `struct fprobe_hlist`: what is in the tables of one registration. */
export interface FprobeHlist {
  readonly memory: KObject;
  /** The registration's number; written before anybody can find it. For events only. */
  readonly generation: Cell<number>;
  readonly fp: Cell<Fprobe | undefined>;
  readonly hook: HookType;
  /** Guarded by `fprobe_mutex`; those of a module leave with it (FP-60). */
  readonly nodes: Cell<readonly FprobeNode[]>;
}

export interface FprobeTables {
  /** `fprobe_mutex`; outside of `regex_lock` and `ftrace_lock`. */
  readonly mutex: Mutex;
  /** `fprobe_table`: newest first. */
  readonly existence: Cell<readonly FprobeHlist[]>;
  /** `fp->hlist_array` of what is registered, by the address of the struct. Guarded by `fprobe_mutex`. */
  readonly arrays: Cell<ReadonlyMap<Address, FprobeHlist>>;
  /** `fprobe_ip_table`: the newest node of each site, which leads to the older ones. */
  readonly byIp: Map<Address, Cell<FprobeNode | undefined>>;
  /** The two shared hooks, how many fprobes are on each, and whether it is registered. Guarded by `fprobe_mutex`. */
  readonly graph: FgraphOps;
  readonly ftrace: () => FtraceOps;
  readonly active: Readonly<Record<HookType, Cell<number>>>;
  readonly registered: Readonly<Record<HookType, Cell<boolean>>>;
}

/** The tables; made in the step that first asks for them. */
export function tablesOf(k: Kernel): FprobeTables {
  k.fprobeTables ??= newTables(k);
  return k.fprobeTables;
}

function newTables(k: Kernel): FprobeTables {
  const { cells } = k.machine;
  const mutex = new Mutex(cells, 'fprobe_mutex');
  let ftrace: FtraceOps | undefined;
  return {
    mutex,
    existence: cells.cell<readonly FprobeHlist[]>('fprobe_table', []),
    arrays: cells.cell<ReadonlyMap<Address, FprobeHlist>>('hlist_array', new Map(), mutex),
    byIp: new Map(),
    graph: newFgraphOps(k, {
      name: 'fprobe_graph_ops',
      entryfunc: (cx, _k, gops, call) => k.fn.fprobeFgraphEntry(cx, k, gops, call),
      retfunc: (cx, _k, gops, call) => k.fn.fprobeReturn(cx, k, gops, call),
    }),
    ftrace: () =>
      (ftrace ??= newFtraceOps(k, {
        name: 'fprobe_ftrace_ops',
        kind: 'graph_ops',
        isStatic: true,
        func: traceStub('fprobe_ftrace_entry'),
      })),
    active: {
      fgraph: cells.cell('fprobe_graph_active', 0, mutex),
      ftrace: cells.cell('fprobe_ftrace_active', 0, mutex),
    },
    registered: {
      fgraph: cells.cell('fprobe_graph_registered', false, mutex),
      ftrace: cells.cell('fprobe_ftrace_registered', false, mutex),
    },
  };
}

/** The head of the nodes of a site. */
function headOf(k: Kernel, ip: Address): Cell<FprobeNode | undefined> {
  const { byIp } = tablesOf(k);
  const present = byIp.get(ip);
  if (present !== undefined) return present;
  const made = k.machine.cells.cell<FprobeNode | undefined>(`fprobe_ip_table/${ip}`, undefined);
  byIp.set(ip, made);
  return made;
}

/** The newest node of `ip` (CC-H14.6); part of a walk, with preemption off. */
export function firstNode(cx: Context, k: Kernel, ip: Address): Path<FprobeNode | undefined> {
  const head = headOf(k, ip);
  return andThen(readOnce(head), (node) => {
    useNode(cx, node);
    return node;
  });
}

/** The one that stands behind `node` (CC-H14.6). */
export function nextNode(cx: Context, node: FprobeNode): Path<FprobeNode | undefined> {
  return andThen(readOnce(node.next), (next) => {
    useNode(cx, node);
    useNode(cx, next);
    return next;
  });
}

/** Whom the node is for (CC-H14.6); undefined when it is being unregistered. */
export function nodeFprobe(cx: Context, node: FprobeNode): Path<Fprobe | undefined> {
  return andThen(readOnce(node.fp), (fp) => {
    useNode(cx, node);
    return fp;
  });
}

/** The registration that `node` is of. Part of a step. */
export function generationOf(cx: Context, { array }: FprobeNode): number {
  return cx.make(() => array.generation.value);
}

/** A walker stands on `node`. */
function useNode(cx: Context, node: FprobeNode | undefined): void {
  if (node === undefined) return;
  useHlist(cx, node.array);
}

function useHlist(cx: Context, { memory }: FprobeHlist): void {
  cx.make(() => {
    if (memory.live) touch(cx, memory);
    else useObject(cx, memory, cx.cpu.hart.pc);
  });
}

/** An fprobe that exists, and by which registration. */
export interface Existing {
  readonly fp: Fprobe;
  readonly generation: number;
}

/**
 * `is_fprobe_still_exist` (CC-H15.3): the fprobe that is registered with its struct at `address`, be it another one than the call
 * was entered for (FP-77). Its struct is not looked at.
 */
export function fprobeStillExists(
  cx: Context,
  k: Kernel,
  address: Address,
): Path<Existing | undefined> {
  const { existence } = tablesOf(k);
  return andThen(readOnce(existence), (all) =>
    cx.make(() => {
      const found = all.find(({ fp }) => fp.value?.address === address);
      const fp = found?.fp.value;
      return found === undefined || fp === undefined
        ? undefined
        : { fp, generation: found.generation.value };
    }),
  );
}

/** Is `fp` in the existence table? Caller holds `fprobe_mutex`. */
export function* fprobeExists(cx: Context, k: Kernel, fp: Fprobe): Path<boolean> {
  const { existence, mutex } = cx.make(() => tablesOf(k));
  cx.make(() => {
    assert(mutex.holder === cx, 'fprobes come and go under fprobe_mutex');
  });
  const all = yield* readOnce(existence); // CC-S9.1, CC-S9.4
  return cx.make(() => {
    const found = all.find((hlist) => hlist.fp.value?.address === fp.address);
    if (found?.memory.live === false) useObject(cx, found.memory, NO_ADDRESS);
    return found !== undefined;
  });
}

/** `add_fprobe_hash`, once it is known that it is not there (CC-S9.4 of register). */
export function* addToExistence(cx: Context, k: Kernel, hlist: FprobeHlist): Path<void> {
  const { existence } = cx.make(() => tablesOf(k));
  const present = cx.make(() => existence.value);
  yield* writeOnce(existence, [hlist, ...present]); // CC-S9.4
}

/** `del_fprobe_hash` (CC-S9.3 of unregister). What never was linked cannot be unlinked (FP-53). */
export function* removeFromExistence(cx: Context, k: Kernel, hlist: FprobeHlist): Path<void> {
  const { existence } = cx.make(() => tablesOf(k));
  yield* writeOnce(hlist.fp, undefined); // CC-S9.3
  const present = cx.make(() => existence.value);
  cx.make(() => {
    const { cpu } = cx;
    if (!present.includes(hlist)) cpu.machine.oops(cpu, 'NULL pprev', cpu.hart.pc, NO_ADDRESS);
  });
  yield* writeOnce(
    existence,
    present.filter((one) => one !== hlist),
  ); // CC-S9.3
}

/** CC-S9.5 of register: `node` can be found, before all others of its site. */
export function* insertNode(cx: Context, k: Kernel, node: FprobeNode): Path<void> {
  const head = cx.make(() => headOf(k, node.addr));
  cx.make(() => {
    node.next.set(head.value); // Nobody sees the node yet.
  });
  yield* writeOnce(head, node); // CC-S9.5
}

/** CC-S9.2 of unregister. Who stands on the node goes on from it. */
export function* deleteNode(cx: Context, k: Kernel, node: FprobeNode): Path<void> {
  yield* writeOnce(node.fp, undefined); // CC-S9.2
  yield* unlinkNode(cx, k, node);
}

function* unlinkNode(cx: Context, k: Kernel, node: FprobeNode): Path<void> {
  const link = cx.make(() => linkTo(k, node));
  const next = cx.make(() => node.next.value);
  if (link !== undefined) yield* writeOnce(link, next); // CC-S9.2
}

/** The cell that leads to `node`; undefined when nothing does. */
function linkTo(k: Kernel, node: FprobeNode): Cell<FprobeNode | undefined> | undefined {
  let link = headOf(k, node.addr);
  for (let found = link.value; found !== undefined; found = link.value) {
    if (found === node) return link;
    link = found.next;
  }
  return undefined;
}

/** Nodes of a site, newest first. For writers, and for the end of a run. */
export function nodesOf(k: Kernel, ip: Address): readonly FprobeNode[] {
  const found: FprobeNode[] = [];
  let node = headOf(k, ip).value;
  for (; node !== undefined; node = node.next.value) found.push(node);
  return found;
}

/** Words of the shadow stack that one call of a probed function needs for this fprobe (FP-70.3). */
export function dataWords({ exitHandler, entryDataSize }: FprobeStruct): number {
  return exitHandler === NO_ADDRESS ? 0 : HEADER_WORDS + Math.ceil(entryDataSize / WORD_BYTES);
}
