// Layer emu. Sources of interrupts and NMIs that the chooser may raise at any boundary, a bounded number of
// times each (CC-M2, CC-X3).
import { assert } from '../assert.ts';
import type { Address } from './address.ts';
import { CHOICE } from './choose.ts';
import type { Level } from './context.ts';
import type { Cpu } from './cpu.ts';
import { EMU_EVENTS } from './event.ts';
import { enter, guestHandler } from './interrupt.ts';
import type { Machine } from './machine.ts';

export interface Source {
  readonly name: string;
  readonly level: Level;
  readonly handler: Address;
  /** Runs before the interrupt counts itself, and after (CC-H5). */
  readonly entry?: Address;
  /** The only CPU that it strikes; -1 for any. */
  readonly cpu: number;
  left: number;
}

export class Injector {
  private readonly machine: Machine;
  private readonly sources: Source[] = [];
  /** How many injections are left over all sources. */
  left = 0;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  add(source: Source): void {
    this.sources.push(source);
    this.left += source.left;
  }

  /** Offers an injection at this boundary of `cpu`; true when one was made. */
  offer(cpu: Cpu): boolean {
    const count = this.eligible(cpu);
    if (count === 0) return false;
    const chosen = this.machine.choose(cpu, CHOICE.inject, count + 1);
    if (chosen === 0) return false;
    this.strike(cpu, this.machine.options32[chosen] as number);
    return true;
  }

  /** Appends idle CPUs that a source could strike to the scheduling options; the new count. */
  idleOptions(options: Int32Array, count: number): number {
    if (count === 0) return 0; // Nothing runs: an injection must not keep a finished run alive.
    let at = count;
    for (const cpu of this.machine.cpus) {
      if (!this.machine.isReady(cpu) && this.hasEligible(cpu)) options[at++] = cpu.id;
    }
    return at;
  }

  /** An idle CPU was chosen: it is struck. */
  strikeIdle(cpu: Cpu): void {
    const count = this.eligible(cpu);
    assert(count > 0, 'an idle CPU is chosen for an injection');
    const options = this.machine.options32;
    for (let i = 0; i < count; i++) options[i] = options[i + 1] as number;
    const chosen = count === 1 ? 0 : this.machine.choose(cpu, CHOICE.inject, count);
    this.strike(cpu, options[chosen] as number);
  }

  private strike(cpu: Cpu, index: number): void {
    const source = this.sources[index - 1];
    assert(source !== undefined, 'an injection has its source');
    source.left--;
    this.left--;
    this.report(cpu, source.name, source.handler);
    enter(cpu, {
      level: source.level,
      handler: source.handler,
      body: guestHandler(source.handler, source.entry),
    });
  }

  /** Reports that `name` strikes `cpu`, by the chooser or by the timeline. */
  report(cpu: Cpu, name: string, handler: Address): void {
    const { machine } = this;
    machine.report(cpu, EMU_EVENTS.inject.id, machine.strings.id(name), handler);
  }

  /** Could a source strike an idle or spinning CPU other than `running`? */
  strikesOther(running: Cpu): boolean {
    const { machine } = this;
    return machine.cpus.some(
      (cpu) => cpu !== running && !machine.isReady(cpu) && this.hasEligible(cpu),
    );
  }

  /** Could a source strike `cpu` now? */
  hasEligible(cpu: Cpu): boolean {
    return this.sources.some((source) => strikes(source, cpu));
  }

  /** Writes the numbers (from 1) of the sources that may strike `cpu` to options[1..]; how many. */
  private eligible(cpu: Cpu): number {
    const options = this.machine.options32;
    options[0] = 0;
    let count = 0;
    this.sources.forEach((source, i) => {
      if (strikes(source, cpu)) options[++count] = i + 1;
    });
    return count;
  }
}

function strikes(source: Source, cpu: Cpu): boolean {
  if (source.left === 0 || (source.cpu >= 0 && source.cpu !== cpu.id)) return false;
  return cpu.mayEnter(source.level);
}
