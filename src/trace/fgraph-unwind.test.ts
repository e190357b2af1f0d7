// The unwinder finds its way over the shadow stack wherever it comes (CC-G22), which takes the first of the two writes
// of a frame (CC-H14.3).
import { expect, test } from 'vitest';
import { call, fprobeKernel, type FprobeKernel, WORK } from '../../properties/fgraph-kernel.ts';
import { known } from '../assert.ts';
import { CHOICE, type Chooser } from '../emu/choose.ts';
import { LEVEL } from '../emu/context.ts';
import { guestHandler } from '../emu/interrupt.ts';

/** Goes on calmly, and takes an interrupt that unwinds at the `nth` question about scheduling. */
function unwindingAt(m: () => FprobeKernel, nth: number): Chooser {
  let asked = 0;
  return {
    choose: ({ kind }) => {
      if (kind !== CHOICE.schedule || ++asked !== nth) return 0;
      const cpu = known(m().machine.cpus[0], 'there is a first CPU');
      const handler = m().fn('unwinds').address;
      cpu.pending.push({ level: LEVEL.hardirq, handler, body: guestHandler(handler) });
      m().machine.touchCpu(cpu);
      return 0;
    },
  };
}

/** What the unwinder found wrong in a run with an interrupt at that place; `none`: it never ran. */
function unwound(nth: number): 'none' | 'right' | 'wrong' {
  const chooser = unwindingAt(() => m, nth);
  const m: FprobeKernel = fprobeKernel({
    functions: {
      a1: WORK,
      b1: [call('a1')],
      unwinds: [call('reprobe_unwind')],
      outer: [call('b1'), call('a1')],
    },
    callbacks: { fp0In: [], fp0Out: [] },
    chooser,
  });
  const fp = m.fprobe('fp0', { entryDataSize: 8 });
  m.task('other', 1, 'a1', 60);
  m.control(function* (cx) {
    yield* m.register(cx, fp, ['a1', 'b1']);
    yield* m.call(cx, 'outer');
  });
  const found = m.events('unwind');
  if (m.events('irq_enter').length === 0) return 'none';
  const returns = new Set(m.events('func_enter').map(({ ra }) => ra));
  return found.every(({ ret, depth }, i) => returns.has(ret) && depth === i) ? 'right' : 'wrong';
}

test('CC-G22, CC-H14.3: an unwinding interrupt at every place of two hooked calls', () => {
  const found = Array.from({ length: 250 }, (_, i) => unwound(i + 1));
  expect(found.filter((what) => what === 'right').length).toBeGreaterThan(100);
  expect(found).not.toContain('wrong');
});
