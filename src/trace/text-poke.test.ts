import { expect, test } from 'vitest';
import {
  perform,
  REGISTER,
  restless,
  setFilter,
  smallKernel,
  type SmallKernel,
  UNREGISTER,
} from '../../properties/small-kernel.ts';
import { InvariantError } from '../assert.ts';
import { NO_ADDRESS } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { mutexLock, mutexUnlock } from '../emu/lock.ts';
import type { Path } from '../emu/path.ts';
import { REG } from '../emu/regs.ts';
import type { ScriptOp } from '../emu/script.ts';
import { sleepFor } from '../emu/timer.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];

test('a batch writes breakpoints, tails and first halves, with a SYNC after each (FT-6, CC-S1.3-8)', () => {
  const m = smallKernel({ functions: { a1: WORK, a2: WORK } });
  const ops = m.ops('A', 'cb');
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, REGISTER);
  });
  const seen = [...m.log.events()].flatMap((e) => {
    if (e.event === 'sync_done') return ['sync'];
    if (e.event !== 'text_write' || e.ip === m.k.caller.innerCall) return [];
    return [`${m.k.records.find((r) => r.ip === e.ip)?.func.name} ${e.part}`];
  });
  const inner = ['sync', 'sync', 'sync'];
  const sites = ['a1 0', 'a2 0', 'sync', 'a1 1', 'a2 1', 'sync', 'a1 0', 'a2 0', 'sync'];
  expect(seen).toEqual([...inner, ...sites]);
  expect(m.events('text_write').at(-4)?.value).not.toBe(0x9002);
  expect(m.k.poke.refs.value).toBe(0);
});

/** Writes a nop where one is. */
function poke(m: SmallKernel, cx: Context): Path<void> {
  const { site: ip } = m.fn('a1');
  return m.k.fn.textPoke(cx, m.k, [{ ip, target: NO_ADDRESS, link: REG.t0 }]);
}

test('who writes text holds text_mutex: anything else is a fault of ours', () => {
  const free = smallKernel({ functions: { a1: WORK } });
  free.thread('writer', 0, (cx) => poke(free, cx));
  expect(() => free.machine.run()).toThrow(InvariantError);

  const others = smallKernel({ functions: { a1: WORK } });
  others.thread('holder', 0, function* (cx) {
    yield* mutexLock(cx, others.k.textMutex);
    others.thread('writer', 1, (own) => poke(others, own));
    yield* sleepFor(cx, 50);
  });
  expect(() => others.machine.run()).toThrow('text is written under text_mutex');
  expect(others.events('text_write')).toEqual([]);

  const own = smallKernel({ functions: { a1: WORK } });
  own.control(function* (cx) {
    yield* mutexLock(cx, own.k.textMutex);
    yield* poke(own, cx);
    yield* mutexUnlock(cx, own.k.textMutex);
  });
  expect(own.events('text_write')).toHaveLength(3);
});

test('more than 256 sites go in batches (FT-6)', () => {
  const names = Array.from({ length: 300 }, (_, i) => `f${i}`);
  const m = smallKernel({ functions: Object.fromEntries(names.map((name) => [name, WORK])) });
  const ops = m.ops('A', 'cb');
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, REGISTER);
    expect(m.hooked()).toHaveLength(300);
    yield* perform(cx, m.k, ops, UNREGISTER);
  });
  expect(m.hooked()).toEqual([]);
  // Inner call, two batches; two batches, the IPI of CC-S3.4, inner call.
  expect(m.events('sync_done')).toHaveLength(3 + 6 + 6 + 1 + 3);
});

test('a breakpoint does what the new instruction will do (FT-7, CC-H2.3, CC-G24)', () => {
  let entered = 0;
  let skipped = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const m = smallKernel({ functions: { a1: WORK }, chooser: restless(seed) });
    const ops = m.ops('A', 'cb');
    m.task('caller', 1, 'a1', 40);
    m.control(function* (cx) {
      yield* perform(cx, m.k, ops, setFilter('a1'));
      yield* perform(cx, m.k, ops, REGISTER);
      yield* perform(cx, m.k, ops, UNREGISTER);
    });
    const { site } = m.fn('a1');
    const place = m.events('alloc').find((e) => e.kind === 'trampoline')?.address;
    const registered = m.events('ctl_end').find((e) => e.op === REGISTER.op)?.index ?? 0;
    for (const exit of m.events('trap_exit').filter((e) => e.pc === site)) {
      const patchesIn = exit.index < registered;
      expect(exit.to).toBe(patchesIn ? place : site + 4);
      if (patchesIn) entered++;
      else skipped++;
    }
    expect(m.events('func_return').filter((e) => e.func === m.fn('a1').address)).toHaveLength(40);
    expect(m.k.poke.refs.value).toBe(0);
  }
  expect(entered).toBeGreaterThan(0);
  expect(skipped).toBeGreaterThan(0);
});

test('each missing SYNC is seen by a CPU that fetches stale text (CC-G24, M-08, M-09, M-10)', () => {
  for (const [id, reason] of [
    ['M-08', 'torn instruction'],
    ['M-09', 'torn instruction'],
    ['M-10', 'breakpoint'],
  ] as const) {
    const reasons = new Set<string>();
    for (let seed = 1; seed <= 60 && reasons.size === 0; seed++) {
      const m = smallKernel({
        functions: { a1: WORK },
        chooser: restless(seed),
        variants: [id],
      });
      const ops = m.ops('A', 'cb');
      m.task('caller', 1, 'a1', 60);
      m.thread('control', 0, function* (cx) {
        for (let i = 0; i < 4; i++) {
          yield* perform(cx, m.k, ops, REGISTER);
          yield* perform(cx, m.k, ops, UNREGISTER);
        }
      });
      m.machine.run();
      for (const oops of m.events('oops')) reasons.add(oops.reason);
    }
    expect([...reasons]).toEqual([reason]);
  }
});
