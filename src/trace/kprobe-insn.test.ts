// What becomes of a kprobe on each instruction, and where in a function it may be.
import { expect, test } from 'vitest';
import { smallKernel } from '../../properties/small-kernel.ts';
import { known } from '../assert.ts';
import { type Address, NO_ADDRESS } from '../emu/address.ts';
import { Assembler } from '../emu/riscv/assembler.ts';
import { C_EBREAK, encode, PLAIN } from '../emu/riscv/encode.ts';
import { type Form, FORMS, identify } from '../emu/riscv/instruction.ts';
import { EILSEQ, EINVAL } from './errno.ts';
import {
  archCheckKprobe,
  insnBytes,
  isEntryText,
  type KprobeInsn,
  kprobeInsnAt,
  type ProbedText,
  probedText,
  riscvProbeDecodeInsn,
} from './kprobe-insn.ts';

const SIMULATED = /^(?:auipc|jalr?|b(?:eq|ne|ltu?|geu?))$/u;
const REFUSED = /^(?:ecall|ebreak|wfi|csr.*|fence.*|lr\..|sc\..)$/u;

/** From the tables of the manual, which the code under test does not read. */
function expected(form: Form | undefined): KprobeInsn {
  if (form === undefined || REFUSED.test(form.base)) return { kind: 'rejected', errno: -EINVAL };
  return { kind: SIMULATED.test(form.base) ? 'simulate' : 'step', bytes: form.bytes };
}

test('section 9: every halfword that is an instruction is stepped, simulated or refused by its name; no other is probed (KP-10.10)', () => {
  const kinds = new Map<string, number>();
  for (let low = 0; low <= 0xffff; low++) {
    if ((low & 3) === 3) continue;
    const found = riscvProbeDecodeInsn(low, undefined);
    const { kind } = found;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    const wanted = expected(identify(low, 0)?.form);
    if (kind !== wanted.kind) expect([low.toString(16), found]).toEqual(['', wanted]);
    expect(kind === 'rejected' ? found.errno : found.bytes).toBe(kind === 'rejected' ? -EINVAL : 2);
  }
  expect([...kinds.keys()].toSorted()).toEqual(['rejected', 'simulate', 'step']);
  expect(riscvProbeDecodeInsn(C_EBREAK, undefined)).toEqual({ kind: 'rejected', errno: -EINVAL });
});

test('section 9: so is every 32-bit instruction, whatever its operands (KP-10.10, KP-100)', () => {
  const wide = FORMS.filter(({ bytes }) => bytes === 4);
  for (const form of wide) {
    for (let i = 0; i < 64; i++) {
      const word = form.match | (Math.imul(i, 0x9e3779b1) & ~form.mask) | 0;
      const named = identify(word & 0xffff, word >>> 16);
      const found = riscvProbeDecodeInsn(word & 0xffff, word >>> 16);
      expect([form.name, found]).toEqual([form.name, expected(named?.form)]);
    }
  }
  for (const [name, word] of [
    ['a custom opcode', 0x0b],
    ['jalr with another funct3', 0x1067],
    ['a branch without meaning', 0x2063],
    ['no CSR instruction', 0x4073],
    ['sret', 0x10200073],
  ] as const) {
    const found = riscvProbeDecodeInsn(word & 0xffff, word >>> 16);
    expect([name, found]).toEqual([name, { kind: 'rejected', errno: -EINVAL }]);
  }
  expect(riscvProbeDecodeInsn(PLAIN.nop & 0xffff, undefined)).toMatchObject({ errno: -EINVAL });
});

const AT: Address = 0x100;
const EILSEQ_HERE = { kind: 'rejected', errno: -EILSEQ };
const EINVAL_HERE = { kind: 'rejected', errno: -EINVAL };
const STEP_2 = { kind: 'step', bytes: 2 };
const STEP_4 = { kind: 'step', bytes: 4 };

function textFrom(write: (text: Assembler) => void, site: Address = NO_ADDRESS): ProbedText {
  const text = new Assembler(AT);
  write(text);
  const halves = text.halves();
  return {
    func: { address: AT, size: 2 * halves.length, site },
    siteBytes: 4,
    read: (address) => known(halves[(address - AT) >> 1], 'text is read inside its function'),
  };
}

/** What there is for each byte of the function. */
function allOf(text: ProbedText, check?: typeof archCheckKprobe): Record<string, KprobeInsn> {
  const found: Record<string, KprobeInsn> = {};
  for (let i = 0; i < text.func.size; i++) {
    if (AT + i !== text.func.site) found[`+${i}`] = kprobeInsnAt(text, AT + i, check);
  }
  return found;
}

const C_LI = 0x4505; // c.li a0, 1
const MIXED = (text: Assembler): void => {
  text.half(C_LI);
  text.plain('nop');
  text.half(C_LI);
};

test('KP-10.10: a probe is on an instruction boundary of its function, or -EILSEQ; so is an odd address', () => {
  expect(allOf(textFrom(MIXED))).toEqual({
    '+0': STEP_2,
    '+1': EILSEQ_HERE,
    '+2': STEP_4,
    '+3': EILSEQ_HERE,
    '+4': EILSEQ_HERE,
    '+5': EILSEQ_HERE,
    '+6': STEP_2,
    '+7': EILSEQ_HERE,
  });
});

test('an era with another check takes any halfword that decodes', () => {
  const text = textFrom((into) => {
    into.half(C_LI);
    into.word(0x45050013 | 0); // Its high half is c.li.
  });
  expect(kprobeInsnAt(text, AT + 4)).toEqual(EILSEQ_HERE);
  expect(kprobeInsnAt(text, AT + 4, () => true)).toEqual(STEP_2);
  expect(kprobeInsnAt(text, AT + 3, () => true)).toEqual(EILSEQ_HERE);
});

test('KP-10.10: an instruction that its function cuts off is -EINVAL', () => {
  const text = textFrom((into) => {
    into.half(C_LI);
    into.half(PLAIN.nop & 0xffff);
  });
  expect(kprobeInsnAt(text, AT + 2)).toEqual(EINVAL_HERE);
});

test('KP-10.10: the bytes of landing pad and call site are -EILSEQ, whatever era looks', () => {
  const text = textFrom((into) => {
    into.plain('lpad');
    into.plain('nop');
    into.half(C_LI);
  }, AT + 4);
  for (const check of [archCheckKprobe, () => true]) {
    const { '+8': last, '+9': odd, ...entry } = allOf(text, check);
    expect([last, odd]).toEqual([STEP_2, EILSEQ_HERE]);
    expect(Object.keys(entry)).toEqual(['+0', '+1', '+2', '+3', '+5', '+6', '+7']);
    expect(new Set(Object.values(entry).map((one) => JSON.stringify(one)))).toEqual(
      new Set([JSON.stringify(EILSEQ_HERE)]),
    );
  }
  // Without pad and site the first instruction is like all others.
  expect(isEntryText(textFrom(MIXED), AT)).toBe(false);
});

test('KP-10.10: of a site of two instructions the second one belongs to it', () => {
  const three = textFrom((into) => {
    into.padTo(AT + 12);
  }, AT);
  const text = { ...three, siteBytes: 8 };
  expect(kprobeInsnAt(text, AT + 4)).toEqual(EILSEQ_HERE);
  expect(kprobeInsnAt(text, AT + 8)).toEqual(STEP_4);
});

const A0 = 10;
const A1 = 11;
const LR = encode('lr.w', { rd: A0, rs1: A1, rs2: 0 });
const SC = encode('sc.w', { rd: A0, rs1: A1, rs2: A0 });
const ADD = encode('addi', { rd: A0, rs1: A0, imm: 1 });

function kindsOf(words: readonly number[]): string[] {
  const text = textFrom((into) => {
    for (const word of words) into.word(word);
  });
  return words.map((_, i) => kprobeInsnAt(text, AT + 4 * i).kind);
}

test('KP-100: no probe on LR, on SC and between them, where the trap would take the reservation away', () => {
  expect(kindsOf([ADD, LR, ADD, ADD, SC, ADD])).toEqual([
    'step',
    'rejected',
    'rejected',
    'rejected',
    'rejected',
    'step',
  ]);
  // Two loops; an LR that no SC follows; an SC alone.
  expect(kindsOf([LR, SC, ADD, LR, SC, ADD]).indexOf('step')).toBe(2);
  expect(kindsOf([ADD, LR, ADD, ADD])).toEqual(['step', 'rejected', 'rejected', 'rejected']);
  expect(kindsOf([ADD, SC, ADD])).toEqual(['step', 'rejected', 'step']);
  const text = textFrom((into) => {
    into.word(LR);
    into.half(C_LI);
    into.word(SC);
  });
  expect(kprobeInsnAt(text, AT + 4)).toEqual(EINVAL_HERE);
});

test('KP-10.10: text is read as it is without breakpoints of other kprobes, calls of ftrace included', () => {
  const m = smallKernel({ functions: { a1: [{ op: 'work', count: 3 }] } });
  const func = m.fn('a1');
  const plain = probedText(m.k, func, () => undefined);
  const after = func.site + 4;
  const whole = { low: plain.read(after), high: plain.read(after + 2) };
  const wanted = riscvProbeDecodeInsn(whole.low, whole.high);
  expect(wanted.kind).toBe('step');
  const bytes = insnBytes(whole.low);
  m.machine.core.writeHalf(after, C_EBREAK);
  const replaced = probedText(m.k, func, (at) => (at === after ? whole.low : undefined));
  expect(kprobeInsnAt(replaced, after)).toEqual(wanted);
  expect(archCheckKprobe(replaced, after + bytes)).toBe(true);
  expect(kprobeInsnAt(plain, after)).toEqual(EINVAL_HERE);
});
