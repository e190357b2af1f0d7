// Layer replay, public face. The events of a recording, one by one.
import { InputError } from '../../assert.ts';
import { damageText, joinBytes, salvageRecording } from '../recording.ts';
import type { Event } from '../schema.ts';

/**
 * A recording: its bytes, or the pieces of them in order, such as a stream gives.
 *
 * @example
 * import { type RecordingSource, readEvents, record, workload } from 'reprobe';
 * const { bytes } = record(workload('empty', { cpus: 1 }));
 * const source: RecordingSource = [bytes.subarray(0, 20), bytes.subarray(20)];
 * for await (const event of readEvents(source)) {
 *   if (event.event === 'run_end') console.log(event.step > 0); // → true
 * }
 */
export type RecordingSource = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * The events of a recording in order; the file is read as a whole first. What lies before any damage is given; then
 * comes an InputError that says where the file is damaged, or that it was cut short.
 *
 * @example
 * import { readEvents, record, workload } from 'reprobe';
 * const w = workload('printing', { cpus: 1 });
 * w.task('t', { cpu: 0, run: w.function('vfs_open', (f) => [f.work(2)]), times: 3 });
 * let entered = 0;
 * for await (const event of readEvents(record(w).bytes)) {
 *   if (event.event === 'func_enter') entered++;
 * }
 * console.log(entered); // → 3
 */
export async function* readEvents(source: RecordingSource): AsyncGenerator<Event, void, undefined> {
  const recording = salvageRecording(source instanceof Uint8Array ? source : await collect(source));
  yield* recording.log.events();
  if (recording.damage !== undefined) throw new InputError(damageText(recording));
}

async function collect(
  source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return joinBytes(parts);
}
