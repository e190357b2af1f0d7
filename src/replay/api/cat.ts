// Layer replay, public face. Files of debugfs at a moment of a recording.
import { readDebugFile } from '../debug-file.ts';
import type { Handler, Task } from '../handler.ts';
import { readRecording } from '../recording.ts';

/**
 * Which moment of the recording is meant, and what its run needs.
 *
 * @example
 * import { cat, type CatOptions, record, workload } from 'reprobe';
 * const options: CatOptions = { at: 0 };
 * const w = workload('small', { cpus: 1 });
 * w.task('t', { cpu: 0, run: w.function('f', (f) => [f.work(3)]) });
 * console.log(cat(record(w).bytes, 'kprobes/enabled', options).trim()); // → 1
 */
export interface CatOptions {
  /** The index of an event: behind the step in which it happened. The last one by default. */
  readonly at?: number | undefined;
  /** Paths in TypeScript; those that the recording names have to be among them. */
  readonly handlers?: readonly (Handler | Task)[] | undefined;
}

/**
 * What a file of debugfs holds at a moment of a recording, whose run is made again up to there: `kprobes/list`,
 * `kprobes/enabled`, `kprobes/blacklist`. InputError: there is no such file, or no such event.
 *
 * @example
 * import { cat, record, workload } from 'reprobe';
 * const w = workload('listed', { cpus: 1 });
 * const open = w.function('vfs_open', (f) => [f.work(4)]);
 * w.task('t', { cpu: 0, run: open, times: 3 });
 * w.at('start', { register: w.probe('p0', { kind: 'kprobe', symbol: 'vfs_open', offset: 8 }) });
 * const { bytes } = record(w);
 * console.log(cat(bytes, 'kprobes/list').trim()); // → ffffffff80000008  k  vfs_open+0x8
 * console.log(cat(bytes, 'kprobes/list', { at: 0 }) === ''); // → true
 */
export function cat(recording: Uint8Array, file: string, options: CatOptions = {}): string {
  return readDebugFile(readRecording(recording), { file, ...options });
}
