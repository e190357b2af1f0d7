// Layer trace. What a kprobe may do with the instruction at an address (KP-10.10, docs/spec/kprobes.md section 9): step a
// copy of it out of line, simulate it, or nothing. Mirrors arch/riscv/kernel/probes/decode-insn.c and the check of
// arch_prepare_kprobe. Pure: text is read through `ProbedText`. Left out: the place at a function's call site, whose
// probes ftrace serves (KP-10.6).
import { assert } from '../assert.ts';
import { type Address, NO_ADDRESS } from '../emu/address.ts';
import type { FunctionSymbol } from '../emu/image.ts';
import { decodeCompressed } from '../emu/riscv/decode-compressed.ts';
import { decode } from '../emu/riscv/decode.ts';
import { OP, type Op } from '../emu/riscv/ops.ts';
import { EILSEQ, EINVAL, type Errno } from './errno.ts';
import { MCOUNT_INSN_SIZE } from './ftrace-insn.ts';
import type { Kernel } from './kernel.ts';

/** What becomes of a probe on an instruction. */
export type KprobeInsn =
  | { readonly kind: 'step' | 'simulate'; readonly bytes: 2 | 4 }
  | { readonly kind: 'rejected'; readonly errno: Errno };

/** The function that a probe is to be in, and its text as it would be without kprobes. */
export interface ProbedText {
  readonly func: Pick<FunctionSymbol, 'address' | 'size' | 'site'>;
  /** Bytes of its call site. */
  readonly siteBytes: number;
  /** The halfword at an address: what a breakpoint there replaced, not the breakpoint. */
  readonly read: (address: Address) => number;
}

const OPCODE_MASK = 0x7f;
const OPCODE_AUIPC = 0x17;
const OPCODE_MISC_MEM = 0x0f;
const OPCODE_SYSTEM = 0x73;
/** `lpad`: AUIPC to x0. */
const LPAD_MASK = 0xfff;
const LPAD_BYTES = 4;

/** Those of which the result depends on where they stand, beside auipc. */
const JUMPS: ReadonlySet<Op> = new Set<Op>([
  OP.beq,
  OP.bne,
  OP.blt,
  OP.bge,
  OP.bltu,
  OP.bgeu,
  OP.j,
  OP.jal,
  OP.jr,
  OP.jalr,
]);
const LOAD_RESERVED: ReadonlySet<Op> = new Set<Op>([OP.lrw, OP.lrd]);
const STORE_CONDITIONAL: ReadonlySet<Op> = new Set<Op>([OP.scw, OP.scd]);

/**
 * The text of `func`. `replaced` knows the halfwords that breakpoints of kprobes hide; a call site needs no such
 * knowledge, for nobody looks into it.
 */
export function probedText(
  { machine, patching }: Pick<Kernel, 'machine' | 'patching'>,
  func: ProbedText['func'],
  replaced: (address: Address) => number | undefined,
): ProbedText {
  return {
    func,
    siteBytes: MCOUNT_INSN_SIZE[patching],
    read: (address) => replaced(address) ?? machine.memory.load16(address),
  };
}

/**
 * What a kprobe at `address` of the function would do (KP-10.10). `check` says whether an instruction begins there: an
 * era that does not look (KP-15) has another one. Never asked for the call site itself (KP-10.6).
 */
export function kprobeInsnAt(
  text: ProbedText,
  address: Address,
  check: typeof archCheckKprobe = archCheckKprobe,
): KprobeInsn {
  const { func, read } = text;
  const end = func.address + func.size;
  assert(address >= func.address && address < end, 'the probe is in its function');
  assert(address !== func.site, 'ftrace serves probes of a call site (KP-10.6)');
  if ((address & 1) !== 0 || isEntryText(text, address) || !check(text, address)) {
    return { kind: 'rejected', errno: -EILSEQ };
  }
  if (isReserved(text, address)) return { kind: 'rejected', errno: -EINVAL };
  return riscvProbeDecodeInsn(read(address), address + 2 < end ? read(address + 2) : undefined);
}

/**
 * `riscv_probe_decode_insn`: of the instruction that begins with halfword `low`, wherever it stands. `high` follows it,
 * unless the function ends there. LR and SC are no kprobe's business (KP-100).
 */
export function riscvProbeDecodeInsn(low: number, high: number | undefined): KprobeInsn {
  const bytes = insnBytes(low);
  const op = opOf(low, high);
  if (op === undefined || isRefused(op, low)) return { kind: 'rejected', errno: -EINVAL };
  const isAuipc = (low & OPCODE_MASK) === OPCODE_AUIPC;
  return { kind: isAuipc || JUMPS.has(op) ? 'simulate' : 'step', bytes };
}

/** How long the instruction is that begins with `low`, whether there is one or not. */
export function insnBytes(low: number): 2 | 4 {
  return (low & 3) === 3 ? 4 : 2;
}

/** `arch_check_kprobe`: does an instruction begin at `address`, counted from the start of the function? */
export function archCheckKprobe(text: ProbedText, address: Address): boolean {
  const last = insnsUpTo(text, address).at(-1);
  return last === address;
}

/** Is `address` in the landing pad of the function, or in its call site? */
export function isEntryText({ func, siteBytes, read }: ProbedText, address: Address): boolean {
  const { site } = func;
  if (site !== NO_ADDRESS && address >= site && address < site + siteBytes) return true;
  if (address >= func.address + LPAD_BYTES || func.size < LPAD_BYTES) return false;
  return (read(func.address) & LPAD_MASK) === OPCODE_AUIPC;
}

/**
 * May a reservation of the function be held at `address` (KP-100)? It is from an LR to the next SC behind it; from one
 * without, up to the end.
 */
function isReserved(text: ProbedText, address: Address): boolean {
  let held = false;
  for (const at of insnsUpTo(text, address)) {
    if (at === address) break;
    const low = text.read(at);
    const op = insnBytes(low) === 4 ? opOf(low, text.read(at + 2)) : undefined;
    if (op !== undefined && LOAD_RESERVED.has(op)) held = true;
    if (op !== undefined && STORE_CONDITIONAL.has(op)) held = false;
  }
  return held;
}

/** Where the instructions of the function begin, the last one at `address` or before it; a call site counts as one. */
function insnsUpTo({ func, siteBytes, read }: ProbedText, address: Address): readonly Address[] {
  const found: Address[] = [];
  let at = func.address;
  while (at <= address) {
    found.push(at);
    at += at === func.site ? siteBytes : insnBytes(read(at));
  }
  return found;
}

/** What the core makes of these halfwords; undefined when it is half an instruction. */
function opOf(low: number, high: number | undefined): Op | undefined {
  if (insnBytes(low) === 2) return decodeCompressed(low).op;
  return high === undefined ? undefined : decode(low | (high << 16), 0).op;
}

function isRefused(op: Op, low: number): boolean {
  if (op === OP.illegal || op === OP.ebreak) return true;
  if (LOAD_RESERVED.has(op) || STORE_CONDITIONAL.has(op)) return true;
  const opcode = low & OPCODE_MASK;
  return insnBytes(low) === 4 && (opcode === OPCODE_MISC_MEM || opcode === OPCODE_SYSTEM);
}
