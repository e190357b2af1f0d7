// A bare core for tests of code: memory, an image, some harts, and kernel symbols that the test
// answers. No scheduler, no interrupts, no tracing: what runs next is what the test asks for.
import { assert, known } from '../../src/assert.ts';
import {
  type Address,
  addressHi,
  addressLo,
  GUARD_BYTES,
  IMAGE_BASE,
  IMAGE_BYTES_MAX,
  STACK_BASE,
  STACK_BYTES,
  STACK_STRIDE,
  STUB_BASE,
  STUB_BYTES_MAX,
} from '../../src/emu/address.ts';
import { functionsNamed, type Image } from '../../src/emu/image.ts';
import { Memory } from '../../src/emu/memory.ts';
import { Hart, REG, setReg } from '../../src/emu/regs.ts';
import { Core } from '../../src/emu/riscv/core.ts';
import { run } from '../../src/emu/riscv/run.ts';
import { STOP_ECALL, STOP_IRQ, STOP_STEPS } from '../../src/emu/riscv/stop.ts';
import { RETURN_STUB } from '../../src/emu/stub-table.ts';
import { stubAddresses } from './stubs.ts';

/** `ecall; ret`. */
const STUB_TEXT = Uint16Array.of(0x0073, 0x0000, 0x8067, 0x0000);

export interface KernelCall {
  readonly name: string;
  readonly hart: number;
  readonly a0: bigint;
  readonly a1: bigint;
}

/** What a kernel symbol returns; undefined: not yet, ask again. */
export type Kernel = (call: KernelCall) => number | undefined;

export class Guest {
  readonly image: Image;
  readonly memory: Memory = new Memory();
  readonly core: Core = new Core(this.memory);
  readonly harts: readonly Hart[];
  readonly #kernel: Kernel;
  readonly #names: ReadonlyMap<Address, string>;

  constructor(image: Image, hartCount: number, kernel: Kernel) {
    const { memory, core } = this;
    this.image = image;
    this.#kernel = kernel;
    const stubs = stubAddresses();
    this.#names = new Map([...stubs].map(([name, address]) => [address, name]));
    const dataBytes = image.data.length;
    core.addText(IMAGE_BASE, dataBytes === 0 ? IMAGE_BYTES_MAX : image.dataBase);
    const padded = new Uint8Array((image.text.length + 1) & ~1);
    padded.set(image.text);
    core.writeText(IMAGE_BASE, new Uint16Array(padded.buffer));
    core.addText(STUB_BASE, STUB_BYTES_MAX);
    for (const address of stubs.values()) core.writeText(address, STUB_TEXT);
    if (dataBytes > 0) {
      const data = { name: 'data', base: image.dataBase, bytes: dataBytes, writable: true };
      memory.addSegment(data).bytes.set(image.data);
    }
    this.harts = Array.from({ length: hartCount }, (_, id) => {
      const hart = new Hart(id);
      hart.stackBase = STACK_BASE + id * STACK_STRIDE + GUARD_BYTES;
      const stack = { name: `stack ${id}`, base: hart.stackBase, bytes: STACK_BYTES };
      memory.addSegment({ ...stack, writable: true });
      return hart;
    });
  }

  /** Puts a hart at the start of a function, as if just called. */
  enter(hart: Hart, name: string, args: readonly number[] = []): void {
    const [fn] = functionsNamed(this.image, name);
    hart.pc = known(fn, `the image has a function ${name}`).address;
    setAddress(hart, REG.sp, hart.stackBase + STACK_BYTES);
    setAddress(hart, REG.ra, RETURN_STUB);
    args.forEach((value, index) => setReg(hart, REG.a0 + index, value, value < 0 ? -1 : 0));
  }

  /** Goes on for `steps` steps or up to a kernel symbol; whether the function is still running. */
  step(hart: Hart, steps: number, everyInstruction = false): boolean {
    const stop = run(this.core, hart, steps, everyInstruction);
    if (stop === STOP_STEPS || stop === STOP_IRQ) return true;
    assert(stop === STOP_ECALL, `stop ${stop} at pc ${hart.pc}: ${hart.faultReason ?? 'no fault'}`);
    if (hart.pc === RETURN_STUB) return false;
    const name = known(this.#names.get(hart.pc), 'an ecall is in a stub');
    const [a0, a1] = [register(hart, REG.a0), register(hart, REG.a1)];
    const result = this.#kernel({ name, hart: hart.id, a0, a1 });
    if (result === undefined) return true;
    setReg(hart, REG.a0, result, result < 0 ? -1 : 0);
    hart.pc += 4;
    return true;
  }

  /** Calls a function on the first hart and returns its a0. */
  call(name: string, args: readonly number[] = []): bigint {
    const hart = known(this.harts[0], 'there is a hart');
    this.enter(hart, name, args);
    const sp = register(hart, REG.sp);
    for (let slices = 0; this.step(hart, 1000); slices++) assert(slices < 2000, 'it ends');
    assert(register(hart, REG.sp) === sp, 'the stack is as it was');
    return register(hart, REG.a0);
  }

  /** 8 bytes of named data. */
  word(symbol: string, offset = 0): bigint {
    const { address } = known(this.image.dataSymbols.get(symbol), `there is data ${symbol}`);
    return (
      (BigInt(this.memory.loadHi(address + offset)) << 32n) |
      BigInt(this.memory.loadLo(address + offset) >>> 0)
    );
  }
}

/** As a signed number. */
export function register(hart: Hart, index: number): bigint {
  return (BigInt(hart.hi[index] ?? 0) << 32n) | BigInt((hart.lo[index] ?? 0) >>> 0);
}

function setAddress(hart: Hart, index: number, address: Address): void {
  setReg(hart, index, addressLo(address), addressHi(address));
}
