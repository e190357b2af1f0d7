// A machine with jump-optimised kprobes, and a function whose instructions one jump replaces: two of two bytes, so that a
// task can be parked between them. Each call adds 2 to `sum`.
import { assert } from '../src/assert.ts';
import type { Context } from '../src/emu/context.ts';
import { FLAG } from '../src/emu/flags.ts';
import type { Path } from '../src/emu/path.ts';
import { Assembler } from '../src/emu/riscv/assembler.ts';
import type { ScriptOp } from '../src/emu/script.ts';
import { sleepFor } from '../src/emu/timer.ts';
import { type KprobeFields, newKprobe } from '../src/trace/kprobe-object.ts';
import { type KprobeCall, kprobeOperation } from '../src/trace/kprobe-operation.ts';
import { OPTIMIZE_DELAY_US } from '../src/trace/kprobe-optimizer.ts';
import { kprobeBucket } from '../src/trace/kprobe-table.ts';
import type { Kprobe, KprobeNode } from '../src/trace/kprobe.ts';
import { smallKernel, type SmallKernel, type SmallKernelOptions } from './small-kernel.ts';

/** Offset of the region in `a1`. */
export const REGION = 12;
/** `c.addi a5, 1` */
export const C_ADDI = 0x0785;
const A4 = 14;
const A5 = 15;
/** `amoadd.d zero, a5, (a4)` */
const AMOADD = 0x00f7302f;
const ROOM: readonly ScriptOp[] = [{ op: 'work', count: 16 }];

export interface SmallOptprobes extends SmallKernel {
  probe(fields?: Partial<KprobeFields>): Kprobe;
  do(cx: Context, op: KprobeCall, ...probes: Kprobe[]): Path<number>;
  /** Longer than the optimiser waits for more to come. */
  delay(cx: Context): Path<void>;
  /** What `a1` has added up. */
  sum(): number;
  /** What is at the region: `insn`, `break`, `jump`. */
  holds(offset?: number): 'insn' | 'break' | 'jump';
  node(offset?: number): KprobeNode | undefined;
  /** What hits did. */
  told(): string[];
}

export function smallOptprobes(options: Partial<SmallKernelOptions> = {}): SmallOptprobes {
  const m = smallKernel({
    callbacks: { pre: [], post: [], one: [{ op: 'return', value: 1 }] },
    data: ['sum'],
    ...options,
    functions: { a1: ROOM, ...options.functions },
    kprobe: { optprobes: true, ...options.kprobe },
  });
  const { address } = m.fn('a1');
  writeRegion(m, address);
  let made = 0;
  return {
    ...m,
    probe: (fields = {}) =>
      newKprobe(m.k, {
        name: `p${made++}`,
        kind: 'kprobe',
        symbol: 'a1',
        offset: REGION,
        preHandler: m.fn('pre').address,
        ...fields,
      }),
    do: (cx, op, ...probes) => kprobeOperation(cx, m.k, { op, probes }),
    delay: (cx) => sleepFor(cx, OPTIMIZE_DELAY_US + 500),
    sum: () => m.machine.memory.loadLo(m.data('sum')),
    holds: (offset = REGION) => holds(m.machine.text.word(address + offset)),
    node: (offset = REGION) =>
      kprobeBucket(m.k, address + offset).value.find(({ addr }) => addr === address + offset),
    told: () => told(m),
  };
}

function writeRegion(m: SmallKernel, address: number): void {
  const text = new Assembler(address + REGION - 4);
  text.emit('addi', { rd: A5, rs1: 0, imm: 0 });
  text.half(C_ADDI);
  text.half(C_ADDI);
  text.la(A4, m.data('sum'));
  text.word(AMOADD);
  text.plain('ret');
  assert(text.here < address + m.fn('a1').size, 'the function has room');
  m.machine.text.writeCode(text.base, text.halves());
  m.machine.core.setFlags(address + REGION + 2, FLAG.visible);
}

function holds(word: number): 'insn' | 'break' | 'jump' {
  if ((word & 0xffff) === 0x9002) return 'break';
  return (word & 0xfff) === 0x6f ? 'jump' : 'insn';
}

function told(m: SmallKernel): string[] {
  return [...m.log.events()].flatMap((e) => {
    if (e.event === 'cb_begin') return [`${e.kind} ${e.object}`];
    if (e.event === 'kprobe_step') return [`step ${e.how}`];
    if (e.event === 'skip') return [`skip ${e.object} ${e.reason}`];
    if (e.event === 'count') return [`count ${e.object} ${e.new}`];
    if (e.event === 'oops') return [`oops ${e.reason}`];
    return [];
  });
}
