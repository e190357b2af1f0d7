// Layer emu. The bytes of code as each CPU sees them (CC-M5..M7, FT-6..FT-9).
//
// A patchable site is 4 bytes: part 0 is its low halfword ("byte 0" of the rules), part 1 its high
// halfword (the tail). Of an instruction of 2 bytes part 0 is all there is. Each part has versions; each CPU keeps the newest version that it has seen and may
// fetch any from there to the latest, until a sync answer or a return from an interrupt brings it up to
// date. The writing CPU sees its own write at once.
import { assert } from '../assert.ts';
import { type Address, NO_ADDRESS } from './address.ts';
import type { Cell, Guard } from './cell.ts';
import type { Context } from './context.ts';
import type { Cpu } from './cpu.ts';
import { EMU_EVENTS } from './event.ts';
import { FLAG } from './flags.ts';
import type { Machine } from './machine.ts';
import { Pairs } from './pair.ts';
import { act, type Path, waitUntil } from './path.ts';
import { changePreemptCount } from './preempt.ts';
import { immJ } from './riscv/decode.ts';
import { Tails } from './tail.ts';

/** `c.ebreak`: the breakpoint of all patching. */
export const C_EBREAK = 0x9002;
const OPCODE_MASK = 0x7f;
const OPCODE_JAL = 0x6f;

interface Part {
  /** Values by version. */
  readonly values: number[];
  /** Newest version seen, per CPU. */
  readonly seen: number[];
}

export interface Site {
  readonly ip: Address;
  /** Of a site that is no call site: the bytes of the instruction that breakpoints stand for there. */
  insnBytes: 2 | 4 | undefined;
  /** The newest whole word, and where it calls to; NO_ADDRESS when it is no call. */
  word: number;
  target: Address;
  /** The newest version of byte 0. */
  version: number;
  readonly parts: readonly [Part, Part];
  /** Whole instructions that a CPU may legally compose: the current one, and one being patched in. */
  words: number[];
  /** Some CPU may still see an old version. */
  stale: boolean;
}

/** What a CPU found at a site. */
export interface Fetched {
  readonly low: number;
  readonly high: number;
  readonly torn: boolean;
  readonly seen: number;
  readonly newest: number;
}

export class Text {
  private readonly machine: Machine;
  /** `text_mutex`, once somebody has made it: who patches holds it. */
  guard: Guard | undefined;
  /** Sites of two instructions (FT-12). */
  readonly pairs: Pairs;
  /** Instructions behind the first one that a jump covers (CC-G19). */
  readonly tails: Tails;
  private readonly sites = new Map<Address, Site>();
  /** Sites that some CPU may still see an old version of. */
  private stale: Site[] = [];
  private syncCount = 0;
  /** Answers still due, by sync number. */
  private readonly due = new Map<number, Cell<number>>();
  /** What each CPU does when it answers, by sync number. */
  private readonly calls = new Map<number, (cpu: Cpu) => void>();

  constructor(machine: Machine) {
    this.machine = machine;
    this.pairs = new Pairs(machine);
    this.tails = new Tails(machine);
  }

  /** The newest whole word at `ip`. */
  word(ip: Address): number {
    return this.machine.memory.load32(ip);
  }

  /** `word` is about to replace the instruction at `ip`: both are whole until the next one. */
  beginPatch(ip: Address, word: number): void {
    const site = this.site(ip);
    site.words = [this.word(ip), word | 0];
  }

  /** A breakpoint is about to stand for the instruction of `bytes` at `ip`, or does so no more. */
  beginBreakpoint(ip: Address, bytes: 2 | 4): void {
    const site = this.site(ip);
    site.insnBytes = bytes;
    if (site.parts[0].values.at(-1) !== C_EBREAK) site.words = [this.word(ip)];
  }

  /** The site at `ip` if every CPU sees its newest version; undefined while some may see an older one. */
  settled(ip: Address): Site | undefined {
    const site = this.site(ip);
    return site.stale ? undefined : site;
  }

  /** See `Site`. */
  insnBytes(ip: Address): 2 | 4 | undefined {
    return this.site(ip).insnBytes;
  }

  /** What `cpu` fetches at a site that has been patched, by choice where it may be stale. */
  fetch(cpu: Cpu, ip: Address): Fetched {
    const site = this.site(ip);
    const [low, high] = site.parts;
    const lowVersion = this.pick(cpu, low);
    const lowValue = valueAt(low, lowVersion);
    const newest = low.values.length - 1;
    if (lowValue === C_EBREAK || (site.insnBytes !== undefined && isCompressed(lowValue))) {
      return { low: lowValue, high: 0, torn: false, seen: lowVersion, newest };
    }
    const highValue = valueAt(high, this.pick(cpu, high));
    const word = lowValue | (highValue << 16);
    const torn = !site.words.includes(word);
    return { low: lowValue, high: highValue, torn, seen: lowVersion, newest };
  }

  /** Stores one halfword as the newest version; `cpu` sees it at once. */
  store(cpu: Cpu, ip: Address, part: 0 | 1, value: number): void {
    const site = this.site(ip);
    const versions = site.parts[part];
    versions.values.push(value);
    const version = versions.values.length - 1;
    versions.seen[cpu.id] = version;
    if (!site.stale) this.stale.push(site);
    site.stale = true;
    if (part === 0) site.version = version;
    this.machine.core.writeHalf(ip + part * 2, value);
    site.word = this.word(ip);
    site.target = callTarget(ip, site.word);
    this.machine.report(cpu, EMU_EVENTS.text_write.id, ip, part, value, version);
    if (this.machine.cpus.length === 1) this.see(cpu);
  }

  /** All of `cpu`'s views become the latest (CC-M5). */
  see(cpu: Cpu): void {
    this.pairs.see(cpu);
    if (this.stale.length === 0) return;
    for (const site of this.stale) for (const part of site.parts) catchUp(part, cpu.id);
    for (const site of this.stale) site.stale = !site.parts.every(isSettled);
    this.stale = this.stale.filter((site) => site.stale);
  }

  /** Code that no CPU is executing yet or any more: a trampoline, a slot. */
  writeCode(address: Address, halfwords: ArrayLike<number>): void {
    this.machine.core.writeText(address, new Uint16Array(halfwords));
  }

  /** Freed code: executing it is an illegal instruction, which the machine reports as poison. */
  poison(address: Address, bytes: number): void {
    this.pairs.forget(address, bytes);
    this.machine.core.writeText(address, new Uint16Array(bytes >> 1));
  }

  /** The site at `ip` is no more: what is written there next is what every CPU sees. */
  forgetSite(ip: Address): void {
    this.stale = this.stale.filter((site) => site.ip !== ip);
    this.sites.delete(ip);
    const { core } = this.machine;
    core.setFlags(ip, core.flagsAt(ip) & ~(FLAG.visible | FLAG.attention | FLAG.site));
  }

  /** As `forgetSite`, of all that lie in the text from `base` on. */
  forgetSites(base: Address, bytes: number): void {
    this.tails.forget(base, bytes);
    const gone = [...this.sites.keys()].filter((ip) => ip >= base && ip < base + bytes);
    for (const ip of gone) this.forgetSite(ip);
  }

  /** Sends IPIs to all other CPUs, and does here what they do when they answer; the sync's number. */
  sendSync(cx: Context, each?: (cpu: Cpu) => void): number {
    const number = ++this.syncCount;
    if (each !== undefined) this.calls.set(number, each);
    const cpus = this.machine.cpus.filter(({ online }) => online);
    this.due.set(number, this.machine.cells.cell(`sync/${number}`, cpus.length - 1));
    for (const cpu of cpus) {
      if (cpu === cx.cpu) continue;
      cpu.ipis.push(number);
      this.machine.touchCpu(cpu);
    }
    this.see(cx.cpu);
    each?.(cx.cpu);
    cx.emit(EMU_EVENTS.sync_send.id, number);
    return number;
  }

  /** `cpu` answers its oldest IPI, in a step of its own. */
  acknowledge(cpu: Cpu): void {
    const number = cpu.ipis.shift();
    assert(number !== undefined, 'an answer has its question');
    this.see(cpu);
    this.calls.get(number)?.(cpu);
    this.machine.report(cpu, EMU_EVENTS.sync_ack.id, number);
    const due = this.dueOf(number);
    due.set(due.value - 1);
  }

  dueOf(number: number): Cell<number> {
    const due = this.due.get(number);
    assert(due !== undefined, 'a sync is awaited once');
    return due;
  }

  finishSync(number: number): void {
    this.due.delete(number);
    this.calls.delete(number);
  }

  private pick(cpu: Cpu, part: Part): number {
    const newest = part.values.length - 1;
    const oldest = part.seen[cpu.id] ?? newest;
    const back = this.machine.chooseFetch(cpu, newest - oldest + 1, newest);
    part.seen[cpu.id] = newest - back;
    return newest - back;
  }

  private site(ip: Address): Site {
    const known = this.sites.get(ip);
    if (known !== undefined) return known;
    const word = this.word(ip);
    const site: Site = {
      ip,
      insnBytes: undefined,
      word,
      target: callTarget(ip, word),
      version: 0,
      parts: [this.newPart(word & 0xffff), this.newPart(word >>> 16)],
      words: [word],
      stale: false,
    };
    this.sites.set(ip, site);
    const core = this.machine.core;
    core.setFlags(ip, core.flagsAt(ip) | FLAG.visible | FLAG.attention | FLAG.site);
    return site;
  }

  private newPart(value: number): Part {
    return { values: [value], seen: this.machine.cpus.map(() => 0) };
  }
}

/** Where the instruction `word` at `ip` calls to: a `jal`, or nowhere. */
export function callTarget(ip: Address, word: number): Address {
  return (word & OPCODE_MASK) === OPCODE_JAL ? ip + immJ(word) : NO_ADDRESS;
}

/** Does the halfword begin an instruction of 2 bytes? */
export function isCompressed(low: number): boolean {
  return (low & 3) !== 3;
}

function valueAt(part: Part, version: number): number {
  const value = part.values[version];
  assert(value !== undefined, 'a version has a value');
  return value;
}

function catchUp(part: Part, cpu: number): void {
  part.seen[cpu] = part.values.length - 1;
}

function isSettled(part: Part): boolean {
  return part.seen.every((seen) => seen === part.values.length - 1);
}

/** Writes one halfword of the site at `ip`: one step. Caller holds `text_mutex`. */
export function writeHalf(cx: Context, ip: Address, part: 0 | 1, value: number): Path<void> {
  const { text, textCell } = cx.cpu.machine;
  return act(textCell, () => {
    const { guard } = text;
    if (guard !== undefined) assert(cx.holds(guard), `text is written under ${guard.name}`);
    text.store(cx.cpu, ip, part, value);
  });
}

/** SYNC (CC-M7, FT-8): every other CPU has answered an IPI. The sender spins with preemption off. */
export function sync(cx: Context): Path<void> {
  return onEachCpu(cx);
}

/** `on_each_cpu`: a SYNC; each CPU does `each`, the others when they answer. */
export function* onEachCpu(cx: Context, each?: (cpu: Cpu) => void): Path<void> {
  const text = cx.cpu.machine.text;
  const number = yield* act(cx.cpu.preemptCount, () => {
    changePreemptCount(cx, 1);
    return text.sendSync(cx, each);
  });
  yield* waitUntil(
    cx.make(() => text.dueOf(number)),
    (due) => due === 0,
  );
  yield* act(cx.cpu.preemptCount, () => {
    text.finishSync(number);
    cx.emit(EMU_EVENTS.sync_done.id, number);
    changePreemptCount(cx, -1);
  });
}
