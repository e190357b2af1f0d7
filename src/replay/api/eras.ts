// Layer replay, public face. One workload in several kernel eras.
import { type EraComparison, erasOf } from '../eras.ts';
import {
  prepareInput,
  type RecordOptions,
  settingsOf,
  sourceOf,
  type WorkloadInput,
} from './record.ts';

/**
 * In which eras, and how a run is made in each.
 *
 * @example
 * import { compareEras, type EraOptions, workload } from 'reprobe';
 * const options: EraOptions = { profiles: ['today', 'v6.12'], seed: 3 };
 * console.log(compareEras(workload('empty', { cpus: 1 }), options).seed); // → 3
 */
export interface EraOptions extends Pick<
  RecordOptions,
  'seed' | 'chooser' | 'handlers' | 'image' | 'modules'
> {
  /** Of `profiles()`; default: every era that has what the workload uses. */
  readonly profiles?: readonly string[] | undefined;
}

/**
 * Runs a workload in several eras, each with the same seed and chooser, and tells what each has of every fact: results
 * of calls, handlers that ran, counters, skips by reason, orders of handlers, verdicts. Schedules differ where eras take
 * different steps. InputError: what is wrong with the workload or the options.
 *
 * @example
 * import { compareEras, workload } from 'reprobe';
 * const w = workload('twice', { cpus: 1 });
 * const open = w.function('vfs_open', (f) => [f.work(4)]);
 * w.task('t', { cpu: 0, run: w.function('round', (f) => [f.call(open), f.sleep(50)]), times: 9 });
 * const fp = w.probe('fp', { kind: 'fprobe', filter: 'vfs_open', exit: 'count' });
 * w.at('start', { register: fp }).at('end', { unregister: fp }).at('end', { unregister: fp });
 * const { rows } = compareEras(w, { profiles: ['today', 'v6.12'], chooser: 'calm' });
 * const again = rows.find(({ what }) => what === 'unregister_fprobe(fp) #2');
 * console.log(again?.values.join()); // → -EINVAL,-EBUSY
 */
export function compareEras(workload: WorkloadInput, options: EraOptions = {}): EraComparison {
  const source = sourceOf(workload, options);
  const prepared = prepareInput(workload, source);
  const { chooser, seed } = settingsOf(prepared, options);
  const settings = { seed, chooser, variants: [] };
  return erasOf(prepared, { source, settings, profiles: options.profiles });
}
