// Layer replay, public face. Where recursion happened in a recorded run.
import { InputError } from '../../assert.ts';
import { damageText, joinBytes, salvageRecording } from '../recording.ts';
import { summarize } from '../report-summary.ts';

/**
 * A function at which a recursion lock was refused for the first time.
 *
 * @example
 * import { type Recursion, recursedFunctions, record, workload } from 'reprobe';
 * const { bytes } = record(workload('empty', { cpus: 1, recordRecursion: true }));
 * const found: readonly Recursion[] = recursedFunctions(bytes);
 * console.log(found.length); // → 0
 */
export interface Recursion {
  /** The call site and who called the function, as `vfs_open+0x4`. */
  readonly ip: string;
  readonly parent_ip: string;
}

/**
 * What the kernel's file `recursed_functions` would list, of a run with the machine option `recordRecursion`: each
 * function once. InputError: the file is damaged.
 *
 * @example
 * import { record, recursedFunctions, workload } from 'reprobe';
 * const w = workload('nested', { cpus: 1, landingPad: false, recordRecursion: true });
 * const open = w.function('vfs_open', (f) => [f.work(2)]);
 * const again = w.callback('again', (c) => [c.trylock([c.call(open)])]);
 * w.task('t', { cpu: 0, run: w.function('round', (f) => [f.call(open), f.sleep(50)]), times: 30 });
 * w.at('start', { register: w.probe('ops', { kind: 'ftrace', filter: 'vfs_open', callback: again }) });
 * console.log(recursedFunctions(record(w).bytes)[0]?.ip); // → vfs_open
 */
export function recursedFunctions(bytes: Uint8Array): readonly Recursion[] {
  const recording = salvageRecording(joinBytes([bytes]));
  if (recording.damage !== undefined) throw new InputError(damageText(recording));
  return summarize(recording.log).recursed;
}
