// An fprobe on the function-graph machine that is registered although it is (FP-53): what the call does before it finds
// that out, and what is left of it; and what a call that fails has stored in the struct (FP-50).
import { expect, test } from 'vitest';
import { call, fprobeKernel, type FprobeKernel, WORK } from '../../properties/fgraph-kernel.ts';
import { CHOICE } from '../emu/choose.ts';
import { E2BIG, EEXIST, ENOMEM } from './errno.ts';
import { loadStruct } from './fprobe-struct.ts';

const TOO_MUCH = 120;

function small(era: string): FprobeKernel {
  return fprobeKernel({
    era,
    functions: { a1: WORK, b1: WORK, outer: [call('a1'), call('b1')] },
    callbacks: {
      fp0In: WORK,
      fp0Out: WORK,
      bigIn: WORK,
      bigOut: WORK,
      moreIn: WORK,
      moreOut: WORK,
    },
  });
}

test.each(['today', 'v6.18'])(
  '%s: FP-53, CC-S9.4: who is there already is refused late: nmissed is 0, and all else as before',
  (era) => {
    const m = small(era);
    const [fp, big, more] = [
      m.fprobe('fp0'),
      m.fprobe('big', { entryDataSize: TOO_MUCH }),
      m.fprobe('more', { entryDataSize: TOO_MUCH }),
    ];
    const seen: unknown[] = [];
    m.control(function* (cx) {
      for (const one of [fp, big, more]) yield* m.register(cx, one, ['a1']);
      yield* m.call(cx, 'a1'); // No room for the data of all three.
      seen.push(m.nmissed(fp));
      yield* m.unregister(cx, more);
      seen.push(yield* m.register(cx, fp, ['a1', 'b1']), m.nmissed(fp), m.hooked());
      yield* m.call(cx, 'outer');
      seen.push(yield* m.unregister(cx, fp), yield* m.unregister(cx, big), m.hooked());
    });
    expect(seen).toEqual([1, -EEXIST, 0, ['a1 -> graph_ops'], 0, 0, []]);
    const after = ['big > a1', 'fp0 > a1', 'big < a1', 'fp0 < a1'];
    expect(m.story().slice(-4)).toEqual(after);
    // It is one registration all the time.
    expect(m.events('cb_begin').map(({ generation }) => generation)).toEqual([1, 1, 1, 1]);
    expect(m.events('fprobe')).toHaveLength(3);
  },
);

test('v6.14: FP-53: nobody is told, each hit finds it twice, and what was never linked cannot be unlinked', () => {
  const m = small('v6.14');
  const fp = m.fprobe('fp0');
  const results: number[] = [];
  m.thread('control', 0, function* (cx) {
    for (const _ of [1, 2]) results.push(yield* m.register(cx, fp, ['a1']));
    yield* m.call(cx, 'a1');
    results.push(yield* m.unregister(cx, fp));
  });
  m.machine.run();
  expect(results).toEqual([0, 0]);
  expect(m.story()).toEqual(['fp0 > a1', 'fp0 > a1', 'fp0 < a1', 'fp0 < a1']);
  expect(m.events('oops').map(({ reason }) => reason)).toEqual(['NULL pprev']);
});

test('FP-50: the rounded size is stored also where there is no memory, but not where it is too large', () => {
  const chooser = {
    choose: ({ kind }: { readonly kind: number }, count: number): number =>
      kind === CHOICE.alloc ? count - 1 : 0,
  };
  const m = fprobeKernel({ functions: { a1: WORK }, callbacks: { fp0Out: WORK }, chooser });
  const seen: unknown[] = [];
  m.control(function* (cx) {
    for (const entryDataSize of [13, 121]) {
      const fp = m.fprobe('fp0', { entryDataSize });
      m.machine.slab.failing = new Set(['fprobe_hlist']);
      seen.push(yield* m.register(cx, fp, ['a1']), loadStruct(m.k, fp).entryDataSize);
      m.machine.slab.failing = new Set();
    }
  });
  expect(seen).toEqual([-ENOMEM, 16, -E2BIG, 121]);
});
