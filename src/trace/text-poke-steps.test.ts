// A patch batch and the trap that comes into it, step by step (CC-S1, CC-H2).
import { expect, test } from 'vitest';
import { watchAccesses } from '../../properties/accesses.ts';
import {
  perform,
  REGISTER,
  restless,
  smallKernel,
  type SmallKernel,
  UNREGISTER,
} from '../../properties/small-kernel.ts';
import { NO_ADDRESS } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { type Path, writeOnce } from '../emu/path.ts';
import { REG } from '../emu/regs.ts';
import { PLAIN } from '../emu/riscv/encode.ts';
import type { ScriptOp } from '../emu/script.ts';
import { C_EBREAK, writeHalf } from '../emu/text.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];
const SYNC = ['act preempt_count', 'spin sync', 'act preempt_count'];

test('CC-S1.1-9, FT-6, FT-10: the descriptor is there before the first breakpoint, and until the last SYNC', () => {
  const m = smallKernel({ functions: { a1: WORK, a2: WORK } });
  const { site } = m.fn('a1');
  const { refs, vec } = m.k.poke;
  m.thread('poker', 0, (cx) => {
    m.k.textMutex.holder = cx;
    return m.k.fn.textPoke(
      cx,
      m.k,
      // Handed over in the wrong order.
      ['a2', 'a1'].map((name) => ({ ip: m.fn(name).site, target: site + 0x40, link: REG.t0 })),
    );
  });
  const seen = watchAccesses(m.machine, () => {
    const sites = vec.value.map(({ ip }) => (ip === site ? 'a1' : 'a2')).join(' ');
    return `${refs.value} refs, ${sites}; ${['a1', 'a2'].map((name) => holds(m, name)).join(' ')}`;
  });
  expect(seen).toEqual([
    'write poke/vec',
    '-> 0 refs, a1 a2; nop nop',
    'write poke/refs',
    '-> 1 refs, a1 a2; nop nop',
    'act text',
    '-> 1 refs, a1 a2; break nop',
    'act text',
    '-> 1 refs, a1 a2; break break',
    ...SYNC,
    'act text',
    'act text',
    ...SYNC,
    'act text',
    '-> 1 refs, a1 a2; call break',
    'act text',
    '-> 1 refs, a1 a2; call call',
    ...SYNC,
    'add poke/refs',
    '-> 0 refs, a1 a2; call call',
    'spin poke/refs',
  ]);
});

/** What stands in a site. */
function holds(m: SmallKernel, name: string): string {
  const word = m.machine.text.word(m.fn(name).site);
  if ((word & 0xffff) === C_EBREAK) return 'break';
  return word === PLAIN.nop ? 'nop' : 'call';
}

/** A breakpoint in the site of a1, with a descriptor of `refs` references that stands for a nop at `ip`. */
function* breakpoint(m: SmallKernel, cx: Context, refs: number, ip: number): Path<void> {
  const { site } = m.fn('a1');
  m.k.textMutex.holder = cx;
  yield* writeOnce(m.k.poke.vec, [{ ip, target: NO_ADDRESS, link: REG.t0 }]);
  yield* writeOnce(m.k.poke.refs, refs);
  m.machine.text.beginPatch(site, PLAIN.nop);
  yield* writeHalf(cx, site, 0, C_EBREAK);
  yield* m.call(cx, 'a1');
}

/** The accesses of the trap, and how the run ends. */
function trapped(refs: number, ip?: number): readonly string[] {
  const m = smallKernel({ functions: { a1: WORK } });
  m.thread('poker', 0, (cx) => breakpoint(m, cx, refs, ip ?? m.fn('a1').site));
  const seen = watchAccesses(m.machine);
  const reason = m.events('oops')[0]?.reason ?? 'no oops';
  return [...seen.slice(seen.indexOf('call cpu') + 1), reason, `${m.k.poke.refs.value} refs`];
}

test('CC-H2.1-5: a trap takes a reference, looks at the sites, and gives it back', () => {
  const whole = ['update poke/refs', 'read poke/vec', 'add poke/refs'];
  // The way back is a step of its own: from here to it, the trap may be seen without its reference.
  expect(trapped(1)).toEqual([...whole, 'act cpu', 'no oops', '1 refs']);
  expect(trapped(1, 0x100)).toEqual([...whole, 'breakpoint', '1 refs']);
});

test('CC-H2.1, FT-10: a trap that finds no reference does not look at the sites', () => {
  expect(trapped(0)).toEqual(['update poke/refs', 'breakpoint', '0 refs']);
});

test('CC-H1.1, CC-M6: a site is fetched as a nop, a call or a breakpoint, and the trap is the same step', () => {
  const fetched = new Map<string, number>();
  for (let seed = 1; seed <= 20; seed++) {
    const m = smallKernel({ functions: { a1: WORK }, chooser: restless(seed) });
    const ops = m.ops('A', 'cb');
    m.task('caller', 1, 'a1', 40);
    m.control(function* (cx) {
      yield* perform(cx, m.k, ops, REGISTER);
      yield* m.call(cx, 'a1');
      yield* perform(cx, m.k, ops, UNREGISTER);
    });
    const events = [...m.log.events()];
    for (const [i, e] of events.entries()) {
      if (e.event !== 'site_fetch') continue;
      fetched.set(e.does, (fetched.get(e.does) ?? 0) + 1);
      const next = events[i + 1];
      const trap = { event: 'trap_enter', step: e.step, cpu: e.cpu, pc: e.ip };
      if (e.does === 'break') expect(next).toMatchObject(trap);
      else expect(next?.event).not.toBe('trap_enter');
    }
  }
  expect([...fetched.keys()].toSorted()).toEqual(['break', 'call', 'nop']);
});
