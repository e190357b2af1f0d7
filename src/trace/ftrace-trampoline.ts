// Layer trace. Trampolines are guest text (FT-19, FT-20, CC-H3): a task can be preempted at each of their
// instructions, and one that was freed is poison. What they save is in `ftrace-regs.ts`.
import { assert } from '../assert.ts';
import { NO_ADDRESS, type Address, TRAMPOLINE_BASE, TRAMPOLINE_BYTES_MAX } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { Context } from '../emu/context.ts';
import { FLAG } from '../emu/flags.ts';
import { mutexLock, mutexUnlock } from '../emu/lock.ts';
import type { Machine } from '../emu/machine.ts';
import type { Path } from '../emu/path.ts';
import { REG } from '../emu/regs.ts';
import { Assembler } from '../emu/riscv/assembler.ts';
import { allocate, type KObject, release } from '../emu/slab.ts';
import { beginsCall, callWords, MCOUNT_INSN_SIZE, type Patching } from './ftrace-insn.ts';
import { keepsTrampoline, redirects, wantsRegs } from './ftrace-ops-flags.ts';
import { useOps } from './ftrace-ops-memory.ts';
import type { FtraceOps } from './ftrace-ops.ts';
import {
  SAVES_ARGUMENTS,
  SAVES_REGS,
  SAVES_REGS_IPMODIFY,
  type SavingText,
} from './ftrace-regs.ts';
import { whileTextRests } from './ftrace-stop.ts';
import type { Kernel } from './kernel.ts';

/** How far a `jal` reaches. */
const JAL_REACH = 0x100000;
/** No instruction. */
const ILLEGAL = 0;
const INSTRUCTION_BYTES = 4;
/** Each trampoline has a place of one of these sizes; the first one holds the generic caller. */
const TRAMPOLINE_BYTES = 128;
const REGS_TRAMPOLINE_BYTES = 384;
const FIRST_TRAMPOLINE: Address = TRAMPOLINE_BASE + TRAMPOLINE_BYTES;
/** The generic caller that saves all registers lies behind the last place. */
const REGS_CALLER: Address = TRAMPOLINE_BASE + TRAMPOLINE_BYTES_MAX - REGS_TRAMPOLINE_BYTES;
/** Before it, where the machine that takes returns has its text. */
const RETURN_TEXT_BYTES = 512;
export const RETURN_TEXT: Address = REGS_CALLER - RETURN_TEXT_BYTES;

/** Where `function_trace_op` lies, if the generic caller passes it on: out of the way of every other segment. */
export const FUNCTION_TRACE_OP: Address = 0x001ff000;

/** Where trampolines may lie. Guarded by `ftrace_lock`. */
export interface TrampolinePlaces {
  /** The first place that was never used. */
  readonly fresh: Cell<Address>;
  /** Freed places, longest free first: reuse is as late as it can be. */
  readonly freed: Cell<readonly Place[]>;
}

interface Place {
  readonly address: Address;
  readonly bytes: number;
}

/** The generic caller, which every site calls that serves several ops, or one without a trampoline. */
export interface FtraceCaller {
  readonly entry: Address;
  /** The same for a site one of whose ops wants all registers (FT-5, FT-23); NO_ADDRESS where no such exists. */
  readonly regsEntry: Address;
  /** The patchable call inside (FT-13). */
  readonly innerCall: Address;
  /** `ftrace_stub`: returns. */
  readonly stub: Address;
  /** `ftrace_ops_list_func`. */
  readonly listFunc: Address;
}

export function newTrampolinePlaces(k: Pick<Kernel, 'machine' | 'ftrace'>): TrampolinePlaces {
  const { cells } = k.machine;
  const { ftraceLock } = k.ftrace;
  return {
    fresh: cells.cell('trampoline/fresh', FIRST_TRAMPOLINE, ftraceLock),
    freed: cells.cell<readonly Place[]>('trampoline/freed', [], ftraceLock),
  };
}

export interface CallerOptions {
  readonly listFunc: Address;
  /** What the caller that saves all registers calls; undefined where no register can be saved. */
  readonly listFuncWithRegs: Address | undefined;
  /**
   * The caller passes `function_trace_op`, which the list function would not look at, and which nobody else is
   * called with where trampolines are.
   */
  readonly passesOp: boolean;
  readonly patching: Patching;
}

/** Maps the trampolines' text and writes the generic callers into it. */
export function newFtraceCaller(machine: Machine, options: CallerOptions): FtraceCaller {
  const { listFunc, passesOp, patching } = options;
  machine.core.addText(TRAMPOLINE_BASE, REGS_CALLER - TRAMPOLINE_BASE);
  const text = new Assembler(TRAMPOLINE_BASE);
  const { enter, leave } = SAVES_ARGUMENTS[patching];
  text.append(enter);
  if (passesOp) loadOp(machine, text);
  else text.emit('addi', { rd: REG.a2, rs1: REG.zero, imm: 0 });
  const innerCall = text.here;
  // Only what follows lies between the call and the stub.
  const stub = innerCall + MCOUNT_INSN_SIZE[patching] + leave.byteLength;
  writeCall(text, patching, stub);
  text.append(leave);
  assert(text.here === stub, 'the stub is where it is called');
  text.plain('ret');
  writeText(machine, text);
  const regsEntry = writeRegsCaller(machine, options);
  return { entry: TRAMPOLINE_BASE, regsEntry, innerCall, stub, listFunc };
}

/**
 * The list function tests every hash, whoever is registered, so its call need not be patched; and it is what keeps
 * an ops without IPMODIFY from redirecting the function (FT-46).
 */
function writeRegsCaller(machine: Machine, { listFuncWithRegs, patching }: CallerOptions): Address {
  if (listFuncWithRegs === undefined) return NO_ADDRESS;
  // A region of its own: one that reached from the first place to here would all be mapped.
  machine.core.addText(REGS_CALLER, REGS_TRAMPOLINE_BYTES);
  const text = new Assembler(REGS_CALLER);
  const { enter, leave } = SAVES_REGS_IPMODIFY[patching];
  text.append(enter);
  writeCall(text, patching, listFuncWithRegs);
  text.append(leave);
  writeText(machine, text);
  return REGS_CALLER;
}

/** A call that can be patched as sites are. */
function writeCall(text: Assembler, patching: Patching, target: Address): void {
  const call = { ip: text.here, target, link: REG.ra };
  for (const word of callWords(patching, call)) text.word(word);
}

/** Gives `function_trace_op` its memory; loads it into a2, which is a step of its own (CC-H4.1). */
function loadOp(machine: Machine, text: Assembler): void {
  machine.memory.addSegment({
    name: 'function_trace_op',
    base: FUNCTION_TRACE_OP,
    bytes: 8,
    writable: true,
  });
  const low = text.upper(REG.a2, FUNCTION_TRACE_OP);
  text.emit('ld', { rd: REG.a2, rs1: REG.a2, imm: low });
}

/** Does `address` lie in the text of some ops' own trampoline? */
export function isTrampoline(address: Address): boolean {
  return address >= FIRST_TRAMPOLINE && address < RETURN_TEXT;
}

/**
 * `arch_ftrace_update_trampoline` (CC-S4.4): a copy of the caller with the ops baked in. Without memory or
 * room the ops uses the list (FT-19). Those of the graph hooks stay for ever (FT-31). Caller holds `ftrace_lock`.
 */
export function* ftraceUpdateTrampoline(cx: Context, k: Kernel, ops: FtraceOps): Path<void> {
  if (k.trampolines === undefined) return;
  if (keepsTrampoline(ops) && cx.read(ops.trampoline) !== undefined) return;
  const bytes = wantsRegs(cx, k, ops) ? REGS_TRAMPOLINE_BYTES : TRAMPOLINE_BYTES;
  const address = findPlace(cx, k.trampolines, bytes);
  if (address === undefined) return;
  const kind = keepsTrampoline(ops) ? 'kernel_trampoline' : 'trampoline';
  const memory = yield* allocate(cx, { kind, bytes, address });
  if (memory === undefined) return;
  takePlace(cx, k.trampolines, { address, bytes });
  const func = k.fn.ftraceOpsGetFunc(cx, k, ops);
  const saving = savingText(cx, k, ops);
  cx.make(() => {
    const { patching } = k;
    writeText(k.machine, trampolineText(address, { ops: ops.address, func, saving, patching }));
  });
  cx.write(ops.trampoline, memory);
}

function findPlace(cx: Context, places: TrampolinePlaces, bytes: number): Address | undefined {
  const unused = cx.read(places.fresh);
  if (unused + bytes <= RETURN_TEXT) return unused;
  return cx.read(places.freed).find((place) => place.bytes === bytes)?.address;
}

function takePlace(
  cx: Context,
  { fresh, freed }: TrampolinePlaces,
  { address, bytes }: Place,
): void {
  if (address === cx.read(fresh)) cx.write(fresh, address + bytes);
  else
    cx.write(
      freed,
      cx.read(freed).filter((place) => place.address !== address),
    );
}

function savingText(cx: Context, k: Kernel, ops: FtraceOps): SavingText {
  if (!wantsRegs(cx, k, ops)) return SAVES_ARGUMENTS[k.patching];
  const texts = redirects(ops, cx.read(ops.flags)) ? SAVES_REGS_IPMODIFY : SAVES_REGS;
  return texts[k.patching];
}

/**
 * `arch_ftrace_update_trampoline` on one that exists (CC-S21.5): from now on it calls ops->func. A task may be in
 * it, so it is patched like a site. Caller holds `ftrace_lock`.
 */
export function* ftraceRefreshTrampoline(cx: Context, k: Kernel, ops: FtraceOps): Path<void> {
  useOps(cx, ops);
  const memory = cx.read(ops.trampoline);
  if (memory === undefined) return;
  const ip = cx.make(() => callIn(k, memory));
  const target = k.fn.ftraceOpsGetFunc(cx, k, ops);
  // The assist function stays; it reads ops->func itself.
  if (ip === undefined || !isReachable(ip, target) || target === k.assistFunc) return;
  yield* mutexLock(cx, k.textMutex); // CC-S21.5
  const call = { ip, target, link: REG.ra };
  yield* whileTextRests(cx, k, (own) => k.fn.textPoke(own, k, [call]));
  yield* mutexUnlock(cx, k.textMutex); // CC-S21.5
}

/** Where a trampoline calls; undefined when it calls nobody. */
function callIn(k: Kernel, { address, bytes }: KObject): Address | undefined {
  for (let ip = address; ip < address + bytes; ip += INSTRUCTION_BYTES) {
    if (beginsCall(k.patching, k.machine.text.word(ip), REG.ra)) return ip;
  }
  return undefined;
}

/** `arch_ftrace_trampoline_free` (CC-S5.8). Caller holds `ftrace_lock` and has waited. */
export function* ftraceTrampolineFree(cx: Context, k: Kernel, ops: FtraceOps): Path<void> {
  useOps(cx, ops);
  const memory = cx.read(ops.trampoline);
  if (memory === undefined || k.trampolines === undefined) return;
  const { freed } = k.trampolines;
  yield* release(cx, memory);
  cx.make(() => {
    k.machine.text.poison(memory.address, memory.bytes);
  });
  cx.write(ops.trampoline, undefined);
  const { address, bytes } = memory;
  cx.write(freed, [...cx.read(freed), { address, bytes }]);
}

interface TrampolineParts {
  readonly ops: Address;
  readonly func: Address;
  readonly saving: SavingText;
  readonly patching: Patching;
}

function trampolineText(at: Address, parts: TrampolineParts): Assembler {
  const { ops, func, saving, patching } = parts;
  const text = new Assembler(at);
  text.append(saving.enter);
  const low = text.upper(REG.a2, ops);
  text.emit('addi', { rd: REG.a2, rs1: REG.a2, imm: low });
  // A func that no call reaches is a jump to nowhere at the first hit.
  if (isReachable(text.here, func)) writeCall(text, patching, func);
  else text.word(ILLEGAL);
  text.append(saving.leave);
  return text;
}

/** Can a `jal` at `from` go there? */
export function isReachable(from: Address, to: Address): boolean {
  return to !== NO_ADDRESS && (to & 1) === 0 && Math.abs(to - from) < JAL_REACH;
}

/** Writes code that nobody executes yet; each instruction of it is a step (CC-H3). */
export function writeText({ core, text: memory }: Machine, text: Assembler): void {
  memory.writeCode(text.base, text.halves());
  for (let ip = text.base; ip < text.here; ip += INSTRUCTION_BYTES) {
    core.setFlags(ip, core.flagsAt(ip) | FLAG.visible);
  }
}
