// Layer emu. Kernel symbols that guest code calls: `ecall; ret` at pinned addresses (stub-table.ts). The
// ecall starts a path, or does its work at once; the result goes to a0. This is the small trap table
// through which the layer above is called.
import { assert } from '../assert.ts';
import { type Address, addressHi, addressLo, NO_ADDRESS, STUB_BASE, toAddress } from './address.ts';
import type { Context } from './context.ts';
import type { Cpu } from './cpu.ts';
import { FLAG } from './flags.ts';
import type { Machine } from './machine.ts';
import type { Memory } from './memory.ts';
import type { Path } from './path.ts';
import { REG } from './regs.ts';
import { RETURN_STUB, STUB_STRIDE, stubAddress } from './stub-table.ts';

const ECALL = 0x00000073;
const RET = 0x00008067;
const A0 = REG.a0;
/** `ecall; ret` */
const STUB_TEXT = Uint16Array.of(ECALL & 0xffff, ECALL >>> 16, RET & 0xffff, RET >>> 16);
const ARGUMENTS = 8;
const ARGUMENT_BYTES = 8;

/**
 * Arguments of the call: a0..a7 as they were, then the caller's stack from sp on, eight bytes each, where C puts
 * what does not fit into registers. An argument that is not mapped is 0.
 */
export class StubArguments {
  /** Low and high words of a0, a1, ...: a typed array for each call would cost more than all else here. */
  private readonly words: readonly number[];
  private readonly memory: Memory;
  private readonly stack: Address;

  constructor(cpu: Cpu) {
    this.memory = cpu.machine.memory;
    const { lo, hi } = cpu.hart;
    this.stack = toAddress(lo[REG.sp] as number, hi[REG.sp] as number);
    const words: number[] = [];
    for (let number = A0; number < A0 + ARGUMENTS; number++) {
      words.push(lo[number] as number, hi[number] as number);
    }
    this.words = words;
  }

  lo(index: number): number {
    return this.word(index, 0);
  }

  hi(index: number): number {
    return this.word(index, 1);
  }

  private word(index: number, half: 0 | 1): number {
    if (index < ARGUMENTS) return this.words[2 * index + half] as number;
    const at = this.stack + ARGUMENT_BYTES * (index - ARGUMENTS);
    const isMapped = this.stack !== NO_ADDRESS && this.memory.contains(at, ARGUMENT_BYTES);
    return isMapped ? this.memory.load32(at + 4 * half) : 0;
  }

  /** NO_ADDRESS when no segment can lie there; a NULL pointer too. */
  address(index: number): Address {
    if (this.lo(index) === 0 && this.hi(index) === 0) return NO_ADDRESS;
    return toAddress(this.lo(index), this.hi(index));
  }

  isNull(index: number): boolean {
    return this.lo(index) === 0 && this.hi(index) === 0;
  }
}

/** What a kernel symbol does. `pointer`: the result is an Address; NO_ADDRESS becomes NULL. */
export interface Stub {
  /** Done in the ecall's own step. */
  readonly now?: (cx: Context, args: StubArguments) => number;
  /** Starts a path; the result of one without a value is 0. */
  readonly path?: (cx: Context, args: StubArguments) => Path<number | void>;
  readonly pointer?: boolean;
  /** The result is a whole number of up to 53 bits, not a sign-extended int. */
  readonly wide?: boolean;
}

export class Stubs {
  private readonly machine: Machine;
  private readonly byIndex: (Stub | undefined)[] = [];
  private readonly indexes = new Map<string, number>();

  /** Maps the text of `count` stubs. */
  constructor(machine: Machine, count: number) {
    this.machine = machine;
    const core = machine.core;
    core.addText(STUB_BASE, count * STUB_STRIDE);
    core.setFlags(RETURN_STUB, FLAG.visible | FLAG.attention | FLAG.back);
  }

  /** Publishes `name` at stub `index`. */
  name(name: string, index: number): void {
    assert(!this.indexes.has(name), `${name} is published once`);
    this.indexes.set(name, index);
    this.machine.core.writeText(stubAddress(index), STUB_TEXT);
  }

  /** Gives a published symbol its meaning. */
  define(name: string, stub: Stub): void {
    const index = this.indexes.get(name);
    assert(index !== undefined, `${name} is a published symbol`);
    this.byIndex[index] = stub;
  }

  /** Address of every published symbol. */
  addresses(): ReadonlyMap<string, Address> {
    return new Map([...this.indexes].map(([name, index]) => [name, stubAddress(index)]));
  }

  /** Address of a published symbol; undefined: there is none of that name. */
  addressOf(name: string): Address | undefined {
    const index = this.indexes.get(name);
    return index === undefined ? undefined : stubAddress(index);
  }

  /** The hart stands at an ecall: does or starts what it asks for. False: no such symbol. */
  call(cpu: Cpu): boolean {
    const offset = cpu.hart.pc - STUB_BASE;
    const stub = offset % STUB_STRIDE === 0 ? this.byIndex[offset / STUB_STRIDE] : undefined;
    if (stub === undefined) return false;
    const cx = cpu.top;
    const args = new StubArguments(cpu);
    if (stub.now !== undefined) {
      const result = stub.now(cx, args);
      if (this.machine.ending !== undefined || cpu.top !== cx) return true;
      this.answer(cpu, result, stub.pointer === true);
      if (stub.wide === true) cpu.hart.hi[A0] = Math.floor(result / 0x100000000);
      return true;
    }
    const path = stub.path;
    assert(path !== undefined, 'a stub has a meaning');
    cx.begin(() => path(cx, args), stub.pointer === true);
    return true;
  }

  /** The symbol is done: result to a0, on to its `ret`. */
  answer(cpu: Cpu, result: number, pointer: boolean): void {
    const { hart } = cpu;
    const none = pointer && result === NO_ADDRESS;
    hart.lo[A0] = none ? 0 : pointer ? addressLo(result) : result;
    hart.hi[A0] = none ? 0 : pointer ? addressHi(result) : result >> 31;
    hart.pc += 4;
  }
}
