// Layer replay. Addresses as people read them. Known are the functions that a run reports (`symbol` events),
// kernel symbols, and the area of the trampolines; everything else stays a number.
import { type Address, TRAMPOLINE_BASE, TRAMPOLINE_BYTES_MAX } from '../emu/address.ts';
import {
  EMU_STUBS,
  PATH_STUBS_FIRST,
  STUB_STRIDE,
  stubAddress,
  TRACE_STUBS_FIRST,
} from '../emu/stub-table.ts';
import { TRACE_STUBS } from '../trace/stub-table.ts';
import type { EventOf } from './schema.ts';

const NOTES_MAX = 4096;
const NOT_IN_NOTE = /[^!-;=?-~]/g;

export interface Place {
  readonly name: string;
  readonly offset: number;
}

interface Span {
  readonly name: string;
  readonly address: Address;
  readonly size: number;
}

/** A symbol table that grows as events pass; a later symbol hides an older one below it. */
export class Symbols {
  /** In order of addresses. */
  readonly #spans: Span[] = [];
  /** Notes given since the last symbol came: few addresses are asked for, and again and again. */
  readonly #notes = new Map<Address, string>();

  constructor() {
    for (const [index, name] of EMU_STUBS.entries()) this.#addStub(name, index);
    for (const [index, name] of TRACE_STUBS.entries())
      this.#addStub(name, TRACE_STUBS_FIRST + index);
    this.#add({ name: 'trampoline', address: TRAMPOLINE_BASE, size: TRAMPOLINE_BYTES_MAX });
  }

  see({ name, address, size }: EventOf<'symbol'>): void {
    this.#add({ name, address, size });
  }

  /** The symbol that holds `address`. */
  find(address: Address): Place | undefined {
    const span = this.#spans[this.#above(address) - 1];
    if (span === undefined || address >= span.address + span.size) return undefined;
    return { name: span.name, offset: address - span.address };
  }

  /** The kernel's symbol that a guest which stands at `address` has called. */
  kernelSymbol(address: Address): string | undefined {
    const isOne = address >= stubAddress(0) && address < stubAddress(PATH_STUBS_FIRST);
    return isOne ? this.find(address)?.name : undefined;
  }

  /** `vfs_open+0x4`, `vfs_open` for its first byte. */
  text(address: Address): string | undefined {
    const place = this.find(address);
    if (place === undefined) return undefined;
    const { name, offset } = place;
    return offset === 0 ? name : `${name}+0x${offset.toString(16)}`;
  }

  /** ` <vfs_open+0x4>` to stand behind the number, or nothing; never more than one line or one note. */
  note(address: Address): string {
    const found = this.#notes.get(address);
    if (found !== undefined) return found;
    const text = this.text(address);
    const note = text === undefined ? '' : ` <${text.replaceAll(NOT_IN_NOTE, '?')}>`;
    if (this.#notes.size < NOTES_MAX) this.#notes.set(address, note);
    return note;
  }

  #addStub(name: string, index: number): void {
    this.#add({ name, address: stubAddress(index), size: STUB_STRIDE });
  }

  #add(span: Span): void {
    this.#notes.clear();
    const at = this.#above(span.address);
    const same = this.#spans[at - 1]?.address === span.address;
    this.#spans.splice(same ? at - 1 : at, same ? 1 : 0, span);
  }

  /** Number of symbols that start at or below `address`. */
  #above(address: Address): number {
    let [low, high] = [0, this.#spans.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const span = this.#spans[middle];
      if (span !== undefined && span.address <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
