// The debug files of kprobes, where no workload leads to what they show. The rest is in src/replay/debug-file.test.ts.
import { expect, test } from 'vitest';
import { smallKernel } from '../../properties/small-kernel.ts';
import { known } from '../assert.ts';
import { kprobeFiles } from './kprobe-files.ts';
import { newKprobe } from './kprobe-object.ts';
import { kprobeOperation } from './kprobe-operation.ts';
import { KPROBE_FLAG_OPTIMIZED } from './kprobe-struct.ts';

test('KP-70: OPTIMIZED is the status of the address, and without probes the list is empty', () => {
  const m = smallKernel({ functions: { a1: [{ op: 'work', count: 4 }] } });
  const list = (): string => known(kprobeFiles(m.k).get('kprobes/list'), 'there is a list')(m.k);
  expect(list()).toBe('');
  const fields = { kind: 'kprobe', symbol: 'a1', offset: 8 } as const;
  const probes = ['p0', 'p1'].map((name) => newKprobe(m.k, { name, ...fields }));
  m.control((cx) => kprobeOperation(cx, m.k, { op: 'register_kprobes', probes }));
  const { flags } = known(probes[0]?.node.value, 'it is planted');
  flags.set(flags.value | KPROBE_FLAG_OPTIMIZED);
  const at = (0xffffffff80000000n + BigInt(m.fn('a1').address) + 8n).toString(16);
  expect(list()).toBe(`${at}  k  a1+0x8    [OPTIMIZED]\n`.repeat(2));
});
