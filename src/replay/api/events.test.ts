import { expect, test } from 'vitest';
import { workload } from '../workload/build.ts';
import { readEvents, type RecordingSource } from './events.ts';
import { judge } from './judge.ts';
import { record } from './record.ts';

const w = workload('little', { cpus: 1 });
w.task('t', { cpu: 0, run: w.function('f', (f) => [f.work(3), f.sleep(5)]), times: 9 });
const { bytes, events: count } = record(w);

/** How many events there were, and the error that came after them. */
async function read(source: RecordingSource): Promise<readonly [number, string | undefined]> {
  let events = 0;
  try {
    for await (const { index } of readEvents(source)) {
      expect(index).toBe(events);
      events++;
    }
    return [events, undefined];
  } catch (error) {
    return [events, error instanceof Error ? error.message : ''];
  }
}

async function* trickle(): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 100) yield bytes.subarray(at, at + 100);
}

test('all events come, whole or in pieces', async () => {
  expect(await read(bytes)).toEqual([count, undefined]);
  expect(await read([bytes.subarray(0, 9), bytes.subarray(9)])).toEqual([count, undefined]);
  expect(await read(trickle())).toEqual([count, undefined]);
});

test('what lies before the damage comes, then an error says where it is', async () => {
  const cut = bytes.subarray(0, bytes.length - 5);
  const [events, message] = await read(cut);
  expect(events).toBe(count);
  expect(message).toMatch(/^end \(byte \d+\): .* can be used$/u);
  expect(judge(cut)).toMatchObject({ events: count, damage: message });
});

test('what is no recording is an error at once', async () => {
  expect(await read(new Uint8Array([1, 2, 3]))).toEqual([
    0,
    'expected a recording (.trace), found something else',
  ]);
});
