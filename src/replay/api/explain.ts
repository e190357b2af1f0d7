// Layer replay, public face. Why hits of a recording ran no handler.
import { InputError } from '../../assert.ts';
import { explainMiss as explainOne, type MissExplanation } from '../explain/explain-miss.ts';
import { groupMisses, type MissGroup, missesOf } from '../explain/misses.ts';
import { salvageRecording } from '../recording.ts';

/**
 * The hits of a recording that ran no handler, by probe and reason; they are numbered from 1. Of a damaged recording what
 * lies before the damage.
 *
 * @example
 * import { misses, record, workload } from 'reprobe';
 * const w = workload('silent', { cpus: 1 });
 * const open = w.function('vfs_open', (f) => [f.work(4)]);
 * w.task('t', { cpu: 0, run: w.function('round', (f) => [f.call(open), f.sleep(50)]), times: 9 });
 * w.at('start', { register: w.probe('fp', { kind: 'fprobe', filter: 'vfs_open', entry: 'count', flags: ['DISABLED'] }) });
 * const [group] = misses(record(w).bytes);
 * console.log(group?.probe, group?.reason, group?.counted); // → fp disabled 0
 */
export function misses(recording: Uint8Array): readonly MissGroup[] {
  return groupMisses(missesOf(salvageRecording(recording).log));
}

/**
 * Why one of them was missed or passed over. InputError: there is no such number.
 *
 * @example
 * import { explainMiss, record, workload } from 'reprobe';
 * const w = workload('silent', { cpus: 1 });
 * const open = w.function('vfs_open', (f) => [f.work(4)]);
 * w.task('t', { cpu: 0, run: w.function('round', (f) => [f.call(open), f.sleep(50)]), times: 9 });
 * w.at('start', { register: w.probe('fp', { kind: 'fprobe', filter: 'vfs_open', entry: 'count', flags: ['DISABLED'] }) });
 * const miss = explainMiss(record(w).bytes, 1);
 * console.log(miss.words, miss.rules[0], miss.counted); // → the probe was disabled FP-9 null
 * console.log(miss.evidence[0]?.text); // → it was registered with FPROBE_FL_DISABLED
 */
export function explainMiss(recording: Uint8Array, number: number): MissExplanation {
  const { log } = salvageRecording(recording);
  const all = missesOf(log);
  const miss = all[number - 1];
  if (miss === undefined) {
    throw new InputError(`expected a miss from 1 to ${all.length}, found ${number}`, 'number');
  }
  return explainOne(log, miss);
}
