// Layer emu. Call sites of two instructions (FT-12): two nops, or AUIPC and JALR. They are written whole while the
// machine is stopped, so a site has one version, not phases. Each CPU keeps the newest version that it has seen
// and may fetch any from there to the latest (CC-M5); whoever executed the first half of one version must not
// go on with the second half of another (guest.ts).
import { assert, known } from '../assert.ts';
import type { Address } from './address.ts';
import type { Context } from './context.ts';
import type { Cpu } from './cpu.ts';
import { EMU_EVENTS } from './event.ts';
import { FLAG } from './flags.ts';
import type { Machine } from './machine.ts';
import { act, type Path } from './path.ts';

/** Bytes of the first half. */
export const HALF_BYTES = 4;
/** A context that is not between the halves of a site. */
export const NO_HALF = -1;
const LOW_HALF = 0xffff;
const SITE_FLAGS = FLAG.visible | FLAG.attention | FLAG.site;

/** Both instructions of a site. */
export type Pair = readonly [first: number, second: number];

export interface PairSite {
  readonly ip: Address;
  readonly versions: Pair[];
  /** Newest version seen, per CPU. */
  readonly seen: number[];
}

export class Pairs {
  readonly #machine: Machine;
  /** By the address of either half. */
  readonly #sites = new Map<Address, PairSite>();
  /** Sites that some CPU may still see an old version of. */
  #stale: PairSite[] = [];

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** The site one of whose halves is at `pc`, if it was ever patched. */
  at(pc: Address): PairSite | undefined {
    return this.#sites.get(pc);
  }

  /** The version that `cpu` fetches now, by choice where it may be stale. */
  pick(cpu: Cpu, { seen, versions }: PairSite): number {
    const newest = versions.length - 1;
    const oldest = known(seen[cpu.id], 'every CPU has a view');
    const back = this.#machine.chooseFetch(cpu, newest - oldest + 1, newest);
    seen[cpu.id] = newest - back;
    return newest - back;
  }

  /** Stores both halves as the newest version; `cpu` sees it at once. */
  store(cpu: Cpu, ip: Address, pair: Pair): void {
    const { core, cpus } = this.#machine;
    const site = this.#sites.get(ip) ?? this.#add(ip);
    const version = site.versions.push(pair) - 1;
    site.seen[cpu.id] = version;
    if (cpus.length > 1 && !this.#stale.includes(site)) this.#stale.push(site);
    pair.forEach((word, i) => {
      core.writeHalf(ip + i * HALF_BYTES, word & LOW_HALF);
      core.writeHalf(ip + i * HALF_BYTES + 2, word >>> 16);
    });
    this.#machine.report(cpu, EMU_EVENTS.text_pair.id, ip, pair[0], pair[1], version);
  }

  /** All of `cpu`'s views become the latest (CC-M5). */
  see(cpu: Cpu): void {
    if (this.#stale.length === 0) return;
    for (const { seen, versions } of this.#stale) seen[cpu.id] = versions.length - 1;
    this.#stale = this.#stale.filter(({ seen, versions }) =>
      seen.some((version) => version < versions.length - 1),
    );
  }

  /** Code that is no more has no sites: what is written there next is what every CPU sees. */
  forget(address: Address, bytes: number): void {
    const { core } = this.#machine;
    for (const [at, site] of this.#sites) {
      if (at < address || at >= address + bytes) continue;
      this.#sites.delete(at);
      this.#stale = this.#stale.filter((stale) => stale !== site);
      core.setFlags(at, core.flagsAt(at) & ~SITE_FLAGS);
    }
  }

  #add(ip: Address): PairSite {
    const { core, cpus, memory } = this.#machine;
    const pair: Pair = [memory.load32(ip), memory.load32(ip + HALF_BYTES)];
    const site: PairSite = { ip, versions: [pair], seen: cpus.map(() => 0) };
    for (const at of [ip, ip + HALF_BYTES]) {
      assert(!this.#sites.has(at), 'sites do not overlap');
      this.#sites.set(at, site);
      core.setFlags(at, core.flagsAt(at) | SITE_FLAGS);
    }
    return site;
  }
}

/** Writes both halves of the site at `ip`: one step (CC-S2.2). Interrupts are off on every CPU, `text_mutex` is held. */
export function* writePair(cx: Context, ip: Address, pair: Pair): Path<void> {
  const { text, textCell } = cx.cpu.machine;
  yield* act(textCell, () => {
    const { guard } = text;
    if (guard !== undefined) assert(cx.holds(guard), `text is written under ${guard.name}`);
    assert(cx.cpu.stopped, 'two instructions are written while the machine is stopped');
    text.pairs.store(cx.cpu, ip, pair);
  });
}
