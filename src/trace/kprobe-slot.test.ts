// Slots: which one is handed out, when a freed one is clean again, what it holds, and what -ENOMEM comes from.
import { expect, test } from 'vitest';
import { smallKernel, type SmallKernel } from '../../properties/small-kernel.ts';
import { known } from '../assert.ts';
import {
  IMAGE_BASE,
  MODULE_BASE,
  MODULE_BYTES_MAX,
  SLOT_BASE,
  SLOT_BYTES_MAX,
} from '../emu/address.ts';
import { CHOICE } from '../emu/choose.ts';
import type { Context } from '../emu/context.ts';
import { FLAG } from '../emu/flags.ts';
import { act, callGuest, type Path, sleepUntil, waitUntil, writeOnce } from '../emu/path.ts';
import { synchronize } from '../emu/rcu.ts';
import { encode, PLAIN } from '../emu/riscv/encode.ts';
import type { KObject } from '../emu/slab.ts';
import { callTarget } from '../emu/text.ts';
import {
  archPrepareSsSlot,
  collectGarbageSlots,
  freeInsnSlot,
  getInsnSlot,
  INSN_PAGE_BYTES,
  INSN_SLOT_BYTES,
  type KprobeInsnCache,
  newKprobeInsnCache,
  slotText,
} from './kprobe-slot.ts';

const SLOTS_PER_PAGE = INSN_PAGE_BYTES / INSN_SLOT_BYTES;

interface Small extends SmallKernel {
  readonly cache: KprobeInsnCache;
}

function small(pages: number, failing: readonly number[] = []): Small {
  let asked = 0;
  const m = smallKernel({
    functions: { a1: [] },
    chooser: { choose: ({ kind }) => (kind === CHOICE.alloc && failing.includes(asked++) ? 1 : 0) },
  });
  const cache = newKprobeInsnCache(m.machine, {
    name: 'kprobe_insn_slots',
    base: SLOT_BASE,
    bytes: pages * INSN_PAGE_BYTES,
    synchronize: (cx) => synchronize(cx, 'synchronize_rcu'),
  });
  return { ...m, cache };
}

function* take(cx: Context, { cache }: Small, count: number): Path<KObject[]> {
  const taken: KObject[] = [];
  for (let i = 0; i < count; i++) taken.push(known(yield* getInsnSlot(cx, cache), 'there is one'));
  return taken;
}

/** The number of a slot. */
function indexOf(slot: KObject | undefined): number | undefined {
  return slot === undefined ? undefined : (slot.address - SLOT_BASE) / INSN_SLOT_BYTES;
}

function waits(m: Small): number {
  return m.events('wait_end').length;
}

test('CC-S11.6: the lowest slot that is free is the next one; one that was freed clean is free at once', () => {
  const m = small(1);
  m.control(function* (cx) {
    const [a, b, c] = yield* take(cx, m, 3);
    expect([a, b, c].map(indexOf)).toEqual([0, 1, 2]);
    yield* freeInsnSlot(cx, m.cache, known(b, 'b'), false);
    yield* freeInsnSlot(cx, m.cache, known(a, 'a'), false);
    const again = yield* take(cx, m, 3);
    expect(again.map(indexOf)).toEqual([0, 1, 3]);
    expect(again.map(({ generation }) => generation)).toEqual([2, 2, 1]);
  });
  expect(waits(m)).toBe(0);
});

test('CC-S11.6: a dirty slot is used again only when it has been collected behind one more grace period', () => {
  const m = small(1);
  m.control(function* (cx) {
    const [a] = yield* take(cx, m, 1);
    archPrepareSsSlot(m.machine, known(a, 'a'), { insn: [0x4505] });
    yield* freeInsnSlot(cx, m.cache, known(a, 'a'), true);
    expect([a?.live, m.machine.memory.load16(SLOT_BASE)]).toEqual([true, 0x4505]);
    const [b] = yield* take(cx, m, 1);
    expect(indexOf(b)).toBe(1);
    expect(waits(m)).toBe(0);
    yield* collectGarbageSlots(cx, m.cache);
    expect([a?.live, m.machine.memory.load16(SLOT_BASE), waits(m)]).toEqual([false, 0, 1]);
    yield* collectGarbageSlots(cx, m.cache); // There is none.
    expect(waits(m)).toBe(1);
    expect((yield* take(cx, m, 1)).map(indexOf)).toEqual([0]);
  });
});

test('CC-S11.6: who is in a garbage slot holds the collector up', () => {
  const m = small(1);
  const order: string[] = [];
  const slots: KObject[] = [];
  const turn = m.machine.cells.cell('turn', 0);
  const say = (what: string): void => {
    order.push(`${what}, slot is ${slots[0]?.live === true ? 'there' : 'gone'}`);
  };
  m.thread('reader', 1, function* (cx) {
    const { rcu } = m.machine;
    yield* act(turn, () => {
      rcu.readLock(cx.task);
      turn.set(1);
    });
    yield* waitUntil(turn, (value) => value === 2);
    yield* act(turn, () => {
      say('reader leaves');
      rcu.readUnlock(cx.task);
    });
  });
  m.control(function* (cx) {
    slots.push(...(yield* take(cx, m, 1)));
    yield* sleepUntil(turn, (value) => value === 1);
    yield* freeInsnSlot(cx, m.cache, known(slots[0], 'it is taken'), true);
    yield* writeOnce(turn, 2);
    yield* collectGarbageSlots(cx, m.cache);
    say('collected');
  });
  expect(order).toEqual(['reader leaves, slot is there', 'collected, slot is gone']);
});

test('CC-S11.6: a full cache collects its garbage before it gives up; more garbage than a page is collected at once', () => {
  const m = small(2);
  m.control(function* (cx) {
    const all = yield* take(cx, m, 2 * SLOTS_PER_PAGE);
    expect(indexOf(all.at(-1))).toBe(2 * SLOTS_PER_PAGE - 1);
    expect(yield* getInsnSlot(cx, m.cache)).toBeUndefined();
    yield* freeInsnSlot(cx, m.cache, known(all[700], 'it is taken'), true);
    expect(waits(m)).toBe(0);
    expect((yield* take(cx, m, 1)).map(indexOf)).toEqual([700]);
    expect(waits(m)).toBe(1);
    for (const slot of all.slice(0, SLOTS_PER_PAGE)) yield* freeInsnSlot(cx, m.cache, slot, true);
    expect(waits(m)).toBe(1);
    yield* freeInsnSlot(cx, m.cache, known(all.at(-1), 'it is taken'), true);
    expect(waits(m)).toBe(2);
    expect((yield* take(cx, m, 1)).map(indexOf)).toEqual([2 * SLOTS_PER_PAGE - 1]);
  });
});

test('a page without slots goes, unless it is the last one; the lowest page comes back first', () => {
  const m = small(3);
  const pages = (): number[] => m.cache.pages.value.map(({ base }) => (base - SLOT_BASE) >> 12);
  m.control(function* (cx) {
    const all = yield* take(cx, m, 2 * SLOTS_PER_PAGE + 1);
    expect(pages()).toEqual([0, 1, 2]);
    for (const slot of all.slice(0, SLOTS_PER_PAGE)) yield* freeInsnSlot(cx, m.cache, slot, false);
    expect(pages()).toEqual([1, 2]);
    yield* freeInsnSlot(cx, m.cache, known(all.at(-1), 'it is taken'), false);
    expect(pages()).toEqual([1]);
    expect((yield* take(cx, m, 1)).map(indexOf)).toEqual([0]);
    expect(pages()).toEqual([0, 1]);
    for (const slot of all.slice(SLOTS_PER_PAGE, -1)) {
      yield* freeInsnSlot(cx, m.cache, slot, false);
    }
    yield* freeInsnSlot(cx, m.cache, known(m.cache.slots.value[0]?.memory, 'one is left'), false);
    expect(pages()).toEqual([0]);
  });
});

test.each(['kprobe_insn_page', 'kprobe_insn_slot'])(
  'KP-10.10: no slot without memory (%s), and one when there is some again',
  (kind) => {
    const m = small(1, [0]);
    m.machine.slab.failing = new Set([kind]);
    m.control(function* (cx) {
      expect(yield* getInsnSlot(cx, m.cache)).toBeUndefined();
      expect((yield* take(cx, m, 1)).map(indexOf)).toEqual([0]);
    });
    expect(m.events('alloc_failed').map((e) => e.kind)).toEqual([kind]);
  },
);

test('a freed slot is poison: going on in it is a fault that names it', () => {
  const m = small(1);
  m.thread('t', 0, function* (cx) {
    const [a] = yield* take(cx, m, 1);
    archPrepareSsSlot(m.machine, known(a, 'a'), { insn: [PLAIN.ret & 0xffff, PLAIN.ret >>> 16] });
    yield* callGuest(cx.cpu.state, SLOT_BASE, []);
    yield* freeInsnSlot(cx, m.cache, known(a, 'a'), false);
    yield* callGuest(cx.cpu.state, SLOT_BASE, []);
  });
  expect(m.machine.run()).toBe('oops');
  expect(m.events('oops').map(({ reason, pc }) => [reason, pc])).toEqual([['poison', SLOT_BASE]]);
});

test('a slot holds the copy, and behind it a breakpoint or the jump back; each of the two is a choice point', () => {
  const m = small(1);
  const { core, memory } = m.machine;
  const visible = (): number[] =>
    [0, 2, 4, 6].filter((at) => core.flagsAt(SLOT_BASE + at) === FLAG.visible);
  m.control(function* (cx) {
    const [slot] = yield* take(cx, m, 1);
    const prepare = (insn: readonly number[], boostTo?: number): void => {
      archPrepareSsSlot(
        m.machine,
        known(slot, 'slot'),
        boostTo === undefined ? { insn } : { insn, boostTo },
      );
    };
    prepare([0x4505]);
    expect([memory.load16(SLOT_BASE), memory.load16(SLOT_BASE + 2)]).toEqual([0x4505, 0x9002]);
    expect(visible()).toEqual([0, 2]);
    prepare([PLAIN.nop & 0xffff, PLAIN.nop >>> 16], 0x1004);
    expect(memory.load32(SLOT_BASE)).toBe(PLAIN.nop);
    const jump = encode('jal', { rd: 0, imm: 0x1004 - (SLOT_BASE + 4) });
    expect(memory.load32(SLOT_BASE + 4)).toBe(jump);
    expect(visible()).toEqual([0, 4]);
  });
  expect(slotText(SLOT_BASE, { insn: [0x4505], boostTo: SLOT_BASE + 2 })).toEqual([
    0x4505, 0x6f, 0,
  ]);
});

test('from every slot the jump back reaches all text that can be probed', () => {
  const last = SLOT_BASE + SLOT_BYTES_MAX - INSN_SLOT_BYTES;
  for (const slot of [SLOT_BASE, last]) {
    for (const boostTo of [IMAGE_BASE, MODULE_BASE + MODULE_BYTES_MAX - 2]) {
      const [, low = 0, high = 0] = slotText(slot, { insn: [0x4505], boostTo });
      expect(callTarget(slot + 2, low | (high << 16))).toBe(boostTo);
    }
  }
});
