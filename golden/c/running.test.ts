// The compiled example at work: on a bare core, with locks that are real or not.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assert, known } from '../../src/assert.ts';
import { loadElf } from '../../src/emu/elf.ts';
import { buildImage } from '../../src/emu/image.ts';
import { REG } from '../../src/emu/regs.ts';
import { Guest, register } from './guest.ts';
import { stubAddresses } from './stubs.ts';

const elf = loadElf(readFileSync(new URL('store.elf', import.meta.url)), 'store.elf');
const sources = { functions: [], data: [], stubs: stubAddresses(), landingPad: true };
const image = buildImage({ ...sources, elf });

interface Store {
  readonly guest: Guest;
  readonly complaints: string[];
}

/** `locking` says whether mutexes and spinlocks keep anybody out. */
function start(hartCount: number, locking: boolean): Store {
  const owners = new Map<bigint, number>();
  const complaints: string[] = [];
  const guest = new Guest(image, hartCount, ({ name, hart, a0 }) => {
    switch (name) {
      case 'mutex_lock':
      case '_raw_spin_lock_irqsave':
        if (locking && owners.has(a0)) return undefined;
        owners.set(a0, hart);
        return 0;
      case 'mutex_unlock':
      case '_raw_spin_unlock_irqrestore':
        assert(!locking || owners.get(a0) === hart, 'who unlocks has locked');
        owners.delete(a0);
        return 0;
      case '_printk':
        complaints.push(name);
        return 0;
      default:
        expect(name).toBe('usleep_range');
        return 0;
    }
  });
  return { guest, complaints };
}

/** Runs functions side by side, one hart each, again and again as the schedule says. */
function runTogether(
  { guest }: Store,
  names: readonly string[],
  schedule: readonly number[],
): void {
  const running = names.map(() => false);
  const slice = (index: number, steps: number): void => {
    const hart = known(guest.harts[index], 'each function has a hart');
    if (!(running[index] ?? false)) guest.enter(hart, known(names[index], 'a function'));
    const still = guest.step(hart, steps);
    running[index] = still;
    if (!still) expect(register(hart, REG.a0) >> 63n).toBe(0n);
  };
  for (const draw of schedule) slice(draw % names.length, 1 + (draw >> 4));
  for (let rounds = 0; running.includes(true); rounds++) {
    assert(rounds < 500, 'what was begun comes to its end');
    running.forEach((still, index) => still && slice(index, 500));
  }
}

const together = ['producer', 'consumer', 'consumer', 'tick'];
const schedules = fc.array(fc.nat(0x3fff), { minLength: 100, maxLength: 400 });

test('one producer, then consumers: every record arrives as it was', () => {
  const { guest, complaints } = start(1, true);
  for (let i = 0; i < 20; i++) {
    expect(guest.call('producer')).toBe(0n);
    guest.call('tick');
    expect(guest.call('consumer')).toBe(0n);
    expect(guest.call('store_check')).toBe(0n);
  }
  const counters = ['produced', 'consumed', 'dropped', 'ticks', 'errors'];
  expect(counters.map((_, index) => guest.word('stats', 8 * index))).toEqual([
    160n,
    160n,
    0n,
    20n,
    0n,
  ]);
  expect(complaints).toEqual([]);
});

test('a full queue drops records and goes on', () => {
  const { guest } = start(1, true);
  for (let i = 0; i < 3; i++) guest.call('producer');
  expect([guest.word('stats'), guest.word('stats', 16)]).toEqual([8n, 16n]);
  expect(guest.call('store_check')).toBe(0n);
});

test('under any schedule producer, consumers and tick find nothing wrong', () => {
  let consumed = 0n;
  fc.assert(
    fc.property(schedules, (schedule) => {
      const store = start(together.length, true);
      runTogether(store, together, schedule);
      consumed += store.guest.word('stats', 8);
      expect(store.complaints).toEqual([]);
      expect(store.guest.call('store_check')).toBe(0n);
    }),
    { numRuns: 40 },
  );
  expect(consumed).toBeGreaterThan(100n);
});

test('without locks they notice', () => {
  const found = fc.sample(schedules, { numRuns: 12, seed: 1 }).filter((schedule) => {
    const store = start(together.length, false);
    try {
      runTogether(store, together, schedule);
      return store.complaints.length > 0 || store.guest.call('store_check') !== 0n;
    } catch {
      return true; // Damaged links lead anywhere.
    }
  });
  expect(found.length).toBeGreaterThan(3);
});

/** How often each function was called while a named one ran, seen at its call site. */
function countCalls(guest: Guest, name: string, calls: Map<number, number>): void {
  const hart = known(guest.harts[0], 'there is a hart');
  guest.enter(hart, name);
  do {
    const count = calls.get(hart.pc);
    if (count !== undefined) calls.set(hart.pc, count + 1);
  } while (guest.step(hart, 1, true));
}

test('hooks on every function would be hit once in some hundred instructions', () => {
  const { guest } = start(1, true);
  const calls = new Map(image.functions.filter((fn) => !fn.notrace).map((fn) => [fn.site, 0]));
  for (const name of ['producer', 'tick', 'consumer', 'store_check'])
    countCalls(guest, name, calls);
  const hits = [...calls.values()];
  const total = hits.reduce((sum, count) => sum + count, 0);
  const { instret } = known(guest.harts[0], 'there is a hart');
  expect(hits).not.toContain(0);
  expect(instret / total).toBeGreaterThan(200);
});
