// Layer replay. One call of a path in TypeScript: the context that it gets, and the steps that it makes of it. A step
// is a plan until the path yields it; `handler-path.ts` then performs it.
import { InputError } from '../assert.ts';
import { type Address, addressHi, addressLo, toAddress } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { EMU_EVENTS } from '../emu/event.ts';
import { functionAt } from '../emu/image.ts';
import { act, callGuest, type Path } from '../emu/path.ts';
import type { StubArguments } from '../emu/stubs.ts';
import type { PathHost } from './handler-host.ts';
import { type DefinedPath, type Step, type TaskContext, titleOf } from './handler.ts';
import { checkSymbol } from './workload/check-reference.ts';
import { messageOf } from './workload/finding.ts';
import { readSymbol } from './workload/line.ts';
import { LIMIT } from './workload/model.ts';
import { unknownText } from './workload/scope.ts';

const WORD = 0x100000000;
const INT_MAX = 0x7fffffff;
const ARGUMENTS = 8;

/** A step that a path asked for; `perform` does it. */
class Planned<T> implements Step<T> {
  readonly what: string;
  readonly perform: () => Path<T>;

  constructor(what: string, perform: () => Path<T>) {
    this.what = what;
    this.perform = perform;
  }

  *[Symbol.iterator](): Generator<Step<unknown>, T, unknown> {
    return (yield this) as T;
  }
}

/** One call of a path: its context, and what became of the steps that it made. */
export class Call implements TaskContext {
  readonly args: readonly number[];
  readonly cpu: number;
  readonly pid: number;
  readonly #cx: Context;
  readonly #who: DefinedPath;
  readonly #host: PathHost;
  readonly #untaken = new Set<Planned<unknown>>();

  constructor(cx: Context, args: StubArguments, who: DefinedPath, host: PathHost) {
    this.args = Array.from({ length: ARGUMENTS }, (_, i) => toNumber(args.lo(i), args.hi(i)));
    this.cpu = cx.cpu.id;
    this.pid = cx.task.pid;
    this.#cx = cx;
    this.#who = who;
    this.#host = host;
  }

  start(): Iterator<unknown, unknown, unknown> {
    const program: unknown = this.#who.path(this);
    if (isIterator(program)) return program;
    throw this.#misuse('expected a generator function (function*)');
  }

  /** The step that the path yielded, if it is one. */
  taken(yielded: unknown): Planned<unknown> {
    if (!(yielded instanceof Planned) || !this.#untaken.delete(yielded)) {
      const expected = 'expected steps of its own context, each taken once with yield*';
      throw this.#misuse(`${expected}, found ${describe(yielded)}`);
    }
    return yielded;
  }

  /** What the path returned, as the `int` that it gives its caller. */
  result(returned: unknown): number {
    for (const { what } of this.#untaken)
      throw this.#misuse(`${what} did nothing: write yield* cx.${what}`);
    if (returned === undefined) return 0;
    if (typeof returned === 'number' && Number.isInteger(returned) && Math.abs(returned) <= INT_MAX)
      return returned;
    throw this.#misuse(`expected it to return nothing or an int, found ${describe(returned)}`);
  }

  read(symbol: string): Step<number> {
    return this.#plan(`read('${symbol}')`, (what) =>
      this.#onData(what, symbol, (at) => this.#load(at)),
    );
  }

  write(symbol: string, value: number): Step<void> {
    return this.#plan(`write('${symbol}', ${value})`, (what) => {
      this.#checkWhole(what, value);
      return this.#onData(what, symbol, (at) => this.#store(at, value));
    });
  }

  writeText(symbol: string, text: string): Step<void> {
    return this.#plan(`writeText('${symbol}', ...)`, (what) => {
      this.#checkText(what, symbol, text);
      return this.#onData(what, symbol, (at) => this.#storeText(at, text));
    });
  }

  add(symbol: string, delta: number): Step<number> {
    return this.#plan(`add('${symbol}', ${delta})`, (what) => this.#add(what, symbol, delta));
  }

  count(symbol: string): Step<number> {
    return this.#plan(`count('${symbol}')`, (what) => this.#add(what, symbol, 1));
  }

  call(name: string, ...args: readonly number[]): Step<number> {
    return this.#plan(`call('${name}')`, (what) => {
      const target = this.#function(what, name);
      if (args.length > ARGUMENTS)
        throw this.#misuse(
          `${what}: expected at most ${ARGUMENTS} arguments, found ${args.length}`,
        );
      for (const value of args) this.#checkWhole(what, value);
      const words = args.flatMap((value) => [lowWord(value), highWord(value)]);
      return callGuest(this.#cx.cpu.state, target, words);
    });
  }

  printk(text: string): Step<void> {
    return this.#plan('printk(...)', () => {
      const { machine } = this.#host;
      return act(this.#cx.cpu.state, () => {
        this.#cx.emit(EMU_EVENTS.printk.id, machine.strings.id(text));
      });
    });
  }

  sleep(us: number): Step<void> {
    return this.#plan(`sleep(${us})`, (what) => this.#sleep(what, us));
  }

  addressOf(name: string): number {
    const { image } = this.#host;
    const { symbol, offset } = readSymbol(name);
    const data = image.dataSymbols.get(symbol);
    const at =
      data === undefined ? this.#function(`addressOf('${name}')`, name) : data.address + offset;
    return toNumber(addressLo(at), addressHi(at));
  }

  functionAt(address: number): string | undefined {
    const { image } = this.#host;
    return functionAt(image, toAddress(lowWord(address), highWord(address)))?.name;
  }

  #plan<T>(what: string, perform: (what: string) => Path<T>): Step<T> {
    const planned = new Planned(what, () => perform(what));
    this.#untaken.add(planned);
    return planned;
  }

  #add(what: string, symbol: string, delta: number): Path<number> {
    this.#checkWhole(what, delta);
    const { memory } = this.#host.machine;
    return this.#onData(what, symbol, (at) => {
      const [lo, hi] = [memory.loadLo(at), memory.loadHi(at)];
      const sum = BigInt(hi) * BigInt(WORD) + BigInt(lo >>> 0) + BigInt(delta);
      memory.store64(at, Number(BigInt.asIntN(32, sum)), Number(BigInt.asIntN(32, sum >> 32n)));
      return toNumber(lo, hi);
    });
  }

  *#sleep(what: string, us: number): Path<void> {
    if (!Number.isInteger(us) || us < 0 || us > LIMIT.microseconds) {
      throw this.#misuse(`${what}: expected microseconds from 0 to ${LIMIT.microseconds}`);
    }
    const target = this.#function(what, 'usleep_range');
    yield* callGuest(this.#cx.cpu.state, target, [us, 0, us, 0]);
  }

  #onData<T>(what: string, text: string, effect: (at: Address) => T): Path<T> {
    const { image, data, dataCell } = this.#host;
    const [wrong] = checkSymbol({ data, complete: true }, text, []);
    if (wrong !== undefined) throw this.#misuse(`${what}: ${messageOf(wrong)}`);
    const { symbol, offset } = readSymbol(text);
    const at = (image.dataSymbols.get(symbol)?.address ?? 0) + offset;
    return act(dataCell, () => effect(at));
  }

  #load(at: Address): number {
    const { memory } = this.#host.machine;
    return toNumber(memory.loadLo(at), memory.loadHi(at));
  }

  #store(at: Address, value: number): void {
    this.#host.machine.memory.store64(at, lowWord(value), highWord(value));
  }

  #storeText(at: Address, text: string): void {
    const { memory } = this.#host.machine;
    for (let i = 0; i < text.length; i++) memory.store8(at + i, text.charCodeAt(i));
    memory.store8(at + text.length, 0);
  }

  /** One byte a letter, and room for all of them and the NUL. */
  #checkText(what: string, symbol: string, text: unknown): void {
    if (typeof text !== 'string' || Array.from(text).some((letter) => !hasOneByte(letter)))
      throw this.#misuse(`${what}: expected a text of letters that have one byte`);
    const { symbol: name, offset } = readSymbol(symbol);
    const room = (this.#host.data.get(name) ?? Infinity) - offset;
    if (text.length < room) return;
    throw this.#misuse(`${what}: expected at most ${room - 1} letters, found ${text.length}`);
  }

  #function(what: string, name: string): Address {
    const { functions } = this.#host;
    const found = functions.get(name);
    if (found !== undefined) return found;
    throw this.#misuse(`${what}: ${unknownText('function', name, [...functions.keys()])}`);
  }

  #checkWhole(what: string, value: unknown): void {
    if (Number.isSafeInteger(value)) return;
    throw this.#misuse(
      `${what}: expected a whole number of at most 53 bits, found ${describe(value)}`,
    );
  }

  #misuse(what: string): InputError {
    return new InputError(`${titleOf(this.#who)}: ${what}`);
  }
}

/** A letter of a C string. */
function hasOneByte(letter: string): boolean {
  return letter !== '\0' && letter <= '\u00ff';
}

function isIterator(value: unknown): value is Iterator<unknown, unknown, unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    Symbol.iterator in value &&
    'next' in value &&
    typeof value.next === 'function'
  );
}

function describe(value: unknown): string {
  if (value instanceof Planned) return value.what;
  return typeof value === 'number' ? String(value) : typeof value;
}

/** The signed value of two words; beyond 2^53 the nearest number. */
function toNumber(lo: number, hi: number): number {
  return hi * WORD + (lo >>> 0);
}

function lowWord(value: number): number {
  return value | 0;
}

function highWord(value: number): number {
  return Math.floor(value / WORD) | 0;
}
