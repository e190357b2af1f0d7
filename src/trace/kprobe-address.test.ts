// Where a probe can be: what a name stands for, and what is refused there.
import { expect, test } from 'vitest';
import { smallKernel } from '../../properties/small-kernel.ts';
import { newKprobe } from './kprobe-object.ts';
import { kprobeOperation } from './kprobe-operation.ts';

test('KP-10.2, KP-10.7: data has symbols, but is no text', () => {
  const m = smallKernel({ functions: { a1: [] }, data: ['hits'] });
  const results: number[] = [];
  m.control(function* (cx) {
    for (const symbol of ['a1', 'hits', 'nobody']) {
      const p = newKprobe(m.k, { name: symbol, kind: 'kprobe', symbol });
      results.push(yield* kprobeOperation(cx, m.k, { op: 'register_kprobe', probes: [p] }));
    }
  });
  expect(results).toEqual([0, -22, -2]);
});
