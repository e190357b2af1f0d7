// Layer trace. `struct ftrace_ops`: the part that callers fill in lies in guest memory, as
// include/linux/ftrace.h publishes it; what the kernel keeps about it is here.
import { assert } from '../assert.ts';
import { type Address, addressHi, addressLo, NO_ADDRESS, toAddress } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { Context } from '../emu/context.ts';
import { Mutex } from '../emu/lock.ts';
import { type Path, writeOnce } from '../emu/path.ts';
import type { KObject } from '../emu/slab.ts';
import { EINVAL, type Errno } from './errno.ts';
import { TRACE_EVENTS } from './event.ts';
import { watchCallback } from './ftrace-callback.ts';
import type { FtraceHash } from './ftrace-hash.ts';
import {
  FTRACE_OPS_FL_ENABLED,
  FTRACE_OPS_FL_INITIALIZED,
  FTRACE_OPS_FL_PERMANENT,
  FTRACE_OPS_FL_PID,
  FTRACE_OPS_FL_SAVE_REGS,
  FTRACE_OPS_FL_SAVE_REGS_IF_SUPPORTED,
  FTRACE_OPS_FL_USER,
  isKernelOps,
} from './ftrace-ops-flags.ts';
import { useOps } from './ftrace-ops-memory.ts';
import type { Kernel } from './kernel.ts';

/** Offsets in the guest's struct; include/linux/ftrace.h repeats them: change both or neither. */
const FTRACE_OPS_FUNC = 0;
const FTRACE_OPS_FLAGS = 8;
const FTRACE_OPS_PRIVATE = 16;
/** Stands for the hashes that a real kernel keeps in the struct: as long as it is there, they are. */
const FTRACE_OPS_MARK = 24;
export const FTRACE_OPS_BYTES = 64;

/** What a user may ask for, by the name of the flag; of register in `ctl_begin`. */
const FILE_FLAGS = {
  PID: FTRACE_OPS_FL_PID,
  PERMANENT: FTRACE_OPS_FL_PERMANENT,
} as const;

/** Structs of script probes lie here, out of the way of every other segment. */
const OPS_BASE: Address = 0x00200000;
const OPS_COUNT_MAX = 4096;
/** The segment is mapped for so many at first, and grows. */
const OPS_COUNT_FIRST = 16;

/**
 * A user's, or one that the kernel has itself: it is no user's object, so its calls are no control events, and what a hit
 * calls is a path of the kernel and no callback.
 */
type OpsKind = 'ftrace_ops' | 'static_ftrace_ops' | 'fprobe_ops' | 'graph_ops' | 'kprobe_ops';

export interface FtraceOps {
  /** Its number in events, from 1. */
  readonly object: number;
  readonly name: string;
  /** What events call it. */
  readonly kind: OpsKind;
  /** In core kernel data: not DYNAMIC, so unregister waits for nobody (FT-31). */
  readonly isStatic: boolean;
  /** `struct ftrace_ops` in guest memory: what callbacks get. */
  readonly address: Address;
  /** What the struct of a guest's ops holds at FTRACE_OPS_MARK; a script's has no mark. */
  readonly mark: number;
  /** The heap object that the struct lies in; undefined elsewhere. */
  readonly memory: KObject | undefined;
  /** Whom a hit calls: the callback, read from the struct at registration, or the check before it (FT-18). */
  readonly func: Cell<Address>;
  /** `saved_func`: the callback while it is registered. */
  readonly savedFunc: Cell<Address>;
  /** Written to the struct as well, so that guests see them. */
  readonly flags: Cell<number>;
  readonly next: Cell<FtraceOps | undefined>;
  readonly regexLock: Mutex;
  readonly filterHash: Cell<FtraceHash>;
  readonly notraceHash: Cell<FtraceHash>;
  /** Has it hashes at all, by a filter call or a registration (`ftrace_ops_init`)? */
  readonly hasHashes: Cell<boolean>;
  /** Counts registrations, from 1; 0 before the first. */
  readonly generation: Cell<number>;
  readonly trampoline: Cell<KObject | undefined>;
}

/** All `ftrace_ops` that the kernel has heard of. */
export interface OpsTable {
  readonly byAddress: Map<Address, FtraceOps>;
  /** Structs handed out from OPS_BASE, and objects numbered. */
  placed: number;
  numbered: number;
}

export function newOpsTable(k: Pick<Kernel, 'machine'>): OpsTable {
  k.machine.memory.addSegment({
    name: 'ftrace_ops',
    base: OPS_BASE,
    bytes: OPS_COUNT_FIRST * FTRACE_OPS_BYTES,
    bytesMax: OPS_COUNT_MAX * FTRACE_OPS_BYTES,
    writable: true,
  });
  return { byAddress: new Map(), placed: 0, numbered: 0 };
}

function growOps(k: Kernel): void {
  const { memory } = k.machine;
  const segment = memory.segmentAt(OPS_BASE);
  assert(segment !== undefined, 'the structs have their segment');
  const bytes = k.ops.placed * FTRACE_OPS_BYTES;
  if (bytes > segment.size) memory.grow(segment, 2 * bytes);
}

export interface OpsRequest {
  readonly name: string;
  readonly func: Address;
  /** FTRACE_OPS_FL_*, as a user sets them before registering. */
  readonly flags?: number;
  /** ops->private, an Address in the kernel's space or a small number. */
  readonly private?: number;
  readonly isStatic?: boolean;
  /** Of the kernel's own; a user's by default. */
  readonly kind?: OpsKind;
}

/** A script's ops, or the kernel's own: its struct is placed and filled in. For boot, or part of a step. */
export function newFtraceOps(k: Kernel, request: OpsRequest): FtraceOps {
  const ops = placeFtraceOps(k, request);
  const [cpu] = k.machine.cpus;
  assert(cpu !== undefined, 'there is a first CPU');
  k.machine.report(cpu, TRACE_EVENTS.object.id, ...objectWords(k, ops));
  return ops;
}

/** As `newFtraceOps`, of which events say nothing: sub-ops, which nobody ever registers by themselves. */
export function placeFtraceOps(k: Kernel, request: OpsRequest): FtraceOps {
  const { memory } = k.machine;
  assert(k.ops.placed < OPS_COUNT_MAX, 'the ops of a workload fit their segment');
  const address = OPS_BASE + k.ops.placed++ * FTRACE_OPS_BYTES;
  growOps(k);
  const own = request.private ?? 0;
  storeFunc(k, address, request.func);
  memory.store64(address + FTRACE_OPS_FLAGS, request.flags ?? 0, 0);
  memory.store64(address + FTRACE_OPS_PRIVATE, own, own >> 31);
  return makeOps(k, address, { ...request, mark: 0 });
}

/**
 * The ops whose struct a guest keeps at `address` (`ftrace_ops_init`). One that is zeroed for reuse, copied
 * or never used is a new ops; assigning flags before register only chooses attributes (FT-17).
 */
export function bindFtraceOps(cx: Context, k: Kernel, address: Address): FtraceOps {
  return cx.make(() => bindOps(cx, k, address, { name: k.machine.nameOf(address) }));
}

/** What the kernel fills in of an ops of its own; flags that are there stay. */
export interface InnerOps {
  readonly kind: OpsKind;
  readonly name: string;
  readonly func: Address;
  readonly flags: number;
}

/** The kernel's own ops that lies within another struct, at `address`. Part of the present step. */
export function bindInnerOps(
  cx: Context,
  k: Kernel,
  address: Address,
  { kind, name, func, flags }: InnerOps,
): FtraceOps {
  storeFunc(k, address, func);
  addFlags(k, address, flags);
  return bindOps(cx, k, address, { kind, name });
}

function bindOps(
  cx: Context,
  k: Kernel,
  address: Address,
  what: Pick<OpsRequest, 'kind' | 'name'>,
): FtraceOps {
  const ops = presentOps(k, address) ?? newGuestOps(cx, k, address, what);
  addFlags(k, address, FTRACE_OPS_FL_INITIALIZED);
  return ops;
}

/** Fills in ops->flags, as a user does before registering. Part of a step. */
export function storeOpsFlags(k: Kernel, address: Address, flags: number): void {
  k.machine.memory.store64(address + FTRACE_OPS_FLAGS, flags, 0);
}

function addFlags(k: Kernel, address: Address, bits: number): void {
  const { memory } = k.machine;
  const flags = memory.loadLo(address + FTRACE_OPS_FLAGS);
  memory.store64(address + FTRACE_OPS_FLAGS, flags | bits, 0);
}

/** The ops at `address`, if the kernel has heard of it. */
export function presentOps(k: Kernel, address: Address): FtraceOps | undefined {
  const present = k.ops.byAddress.get(address);
  if (present === undefined || present.memory !== k.machine.slab.holding(address)) return undefined;
  return k.machine.memory.loadLo(address + FTRACE_OPS_MARK) === present.mark ? present : undefined;
}

function newGuestOps(
  cx: Context,
  k: Kernel,
  address: Address,
  what: Pick<OpsRequest, 'kind' | 'name'>,
): FtraceOps {
  const ops = makeOps(k, address, { ...what, mark: k.ops.numbered + 1 });
  k.machine.memory.store64(address + FTRACE_OPS_MARK, ops.mark, 0);
  cx.emit(TRACE_EVENTS.object.id, ...objectWords(k, ops));
  return ops;
}

function makeOps(
  k: Kernel,
  address: Address,
  {
    name,
    mark,
    isStatic = false,
    kind = isStatic ? 'static_ftrace_ops' : 'ftrace_ops',
  }: Pick<OpsRequest, 'name' | 'isStatic' | 'kind'> & { readonly mark: number },
): FtraceOps {
  const { cells, memory } = k.machine;
  const { ftraceLock, emptyHash } = k.ftrace;
  const named = (field: string): string => `${field}/${name}`;
  const ops: FtraceOps = {
    object: ++k.ops.numbered,
    name,
    kind,
    isStatic,
    address,
    mark,
    memory: k.machine.slab.holding(address),
    func: cells.cell(named('func'), structFunc(k, address), ftraceLock),
    savedFunc: cells.cell(named('saved_func'), NO_ADDRESS, ftraceLock),
    flags: cells.cell(named('flags'), memory.loadLo(address + FTRACE_OPS_FLAGS), ftraceLock),
    next: cells.cell<FtraceOps | undefined>(named('next'), undefined, ftraceLock),
    regexLock: new Mutex(cells, named('regex_lock')),
    filterHash: cells.cell(named('filter_hash'), emptyHash, ftraceLock),
    notraceHash: cells.cell(named('notrace_hash'), emptyHash, ftraceLock),
    hasHashes: cells.cell(named('has_hashes'), false),
    generation: cells.cell(named('generation'), 0, ftraceLock),
    trampoline: cells.cell<KObject | undefined>(named('trampoline'), undefined, ftraceLock),
  };
  k.ops.byAddress.set(address, ops);
  ops.flags.set(ops.flags.value | FTRACE_OPS_FL_INITIALIZED);
  memory.store64(address + FTRACE_OPS_FLAGS, ops.flags.value, 0);
  return ops;
}

function objectWords(k: Kernel, ops: FtraceOps): readonly [number, number, number, number] {
  const { strings } = k.machine;
  return [strings.id(ops.kind), ops.object, strings.id(ops.name), ops.func.value];
}

/** ops->func as the struct has it now. */
function structFunc(k: Kernel, address: Address): Address {
  const { memory } = k.machine;
  const at = address + FTRACE_OPS_FUNC;
  return toAddress(memory.loadLo(at), memory.loadHi(at));
}

/** Takes over what the user put into the struct; from here on changing it is undefined (FT-17). */
export function readOpsStruct(cx: Context, k: Kernel, ops: FtraceOps): void {
  useOps(cx, ops);
  const before = cx.read(ops.func);
  const func = cx.make(() => {
    const found = structFunc(k, ops.address);
    if (!isKernelOps(ops)) watchCallback(k, found);
    return found;
  });
  cx.write(ops.func, func);
  if (func !== before) cx.emit(TRACE_EVENTS.object.id, ...cx.make(() => objectWords(k, ops)));
  const flags = cx.make(() => k.machine.memory.loadLo(ops.address + FTRACE_OPS_FLAGS));
  writeOpsFlags(cx, k, ops, flags | FTRACE_OPS_FL_INITIALIZED);
}

/** The flags that the user has put into the struct, registered or not. */
export function structFlags(cx: Context, k: Kernel, ops: FtraceOps): number {
  useOps(cx, ops);
  return cx.make(() => k.machine.memory.loadLo(ops.address + FTRACE_OPS_FLAGS));
}

/**
 * FT-25.5, FT-14: whether registers can be saved as asked. Where none can be, IF_SUPPORTED makes up for it; where
 * they can be, IF_SUPPORTED alone asks for nothing, unless the option has it as the document does.
 */
export function ftraceRegsCheck(cx: Context, k: Kernel, ops: FtraceOps): Errno {
  const flags = cx.read(ops.flags);
  const ifSupported = (flags & FTRACE_OPS_FL_SAVE_REGS_IF_SUPPORTED) !== 0;
  if (!k.arch.regs && (flags & FTRACE_OPS_FL_SAVE_REGS) !== 0 && !ifSupported) return -EINVAL;
  if (ifSupported && (!k.arch.regs || k.arch.ifSupportedGivesRegs)) {
    writeOpsFlags(cx, k, ops, flags | FTRACE_OPS_FL_SAVE_REGS);
  }
  const promised = cx.read(ops.flags);
  const attributes = promised & FTRACE_OPS_FL_USER;
  if (attributes === 0) return 0;
  const regs = k.arch.regs && (promised & FTRACE_OPS_FL_SAVE_REGS) !== 0 ? 1 : 0;
  cx.make(() => {
    if (regs === 1) k.machine.notesRegisters = true;
  });
  cx.emit(TRACE_EVENTS.ops_flags.id, ops.object, attributes, regs);
  return 0;
}

/** ops->func. Caller holds `ftrace_lock`. */
export function readOpsFunc(cx: Context, ops: FtraceOps): Address {
  useOps(cx, ops);
  return cx.read(ops.func);
}

/** Stores ops->func in one step: hits read it without a lock. Caller holds `ftrace_lock`. */
export function* writeOpsFunc(cx: Context, k: Kernel, ops: FtraceOps, func: Address): Path<void> {
  yield* writeOnce(ops.func, func);
  useOps(cx, ops);
  cx.make(() => {
    storeFunc(k, ops.address, func);
  });
}

function storeFunc(k: Kernel, address: Address, func: Address): void {
  k.machine.memory.store64(address + FTRACE_OPS_FUNC, addressLo(func), addressHi(func));
}

/** `PID PERMANENT`: what of FILE_FLAGS the struct asks for now. */
export function flagNames(k: Kernel, ops: FtraceOps): string {
  const flags = k.machine.memory.loadLo(ops.address + FTRACE_OPS_FLAGS);
  const asked = Object.entries(FILE_FLAGS).filter(([, bit]) => (flags & bit) !== 0);
  return asked.map(([name]) => name).join(' ');
}

/** Registered, and its struct has another func or other flags than the kernel has put there (FT-17). */
export function isStructChanged(k: Kernel, ops: FtraceOps): boolean {
  const flags = ops.flags.value;
  if ((flags & FTRACE_OPS_FL_ENABLED) === 0 || ops.memory?.live === false) return false;
  const now = k.machine.memory.loadLo(ops.address + FTRACE_OPS_FLAGS);
  return now !== flags || structFunc(k, ops.address) !== ops.func.value;
}

/** Stores ops->flags. Caller holds `ftrace_lock`. */
export function writeOpsFlags(cx: Context, k: Kernel, ops: FtraceOps, flags: number): void {
  useOps(cx, ops);
  cx.write(ops.flags, flags);
  cx.make(() => {
    k.machine.memory.store64(ops.address + FTRACE_OPS_FLAGS, flags, 0);
  });
}
