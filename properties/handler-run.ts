// Paths in TypeScript in a workload with some of everything, and what a refused one is told.
import { expect } from 'vitest';
import { defineTask, type TaskPath } from '../src/replay/handler.ts';
import { workload, type WorkloadBuilder } from '../src/replay/workload/build.ts';

/** A workload with a task that runs `path` once. */
export function taskOf(path: TaskPath): WorkloadBuilder {
  const w = workload('one-task', { cpus: 1 });
  w.data('hits', 8);
  w.data('table', 24);
  w.function('seven', (f) => [f.return(7)]);
  w.task('t', { cpu: 0, run: defineTask('path', 1, path) });
  return w;
}

/** The message of the InputError that `work` is. */
export function refused(work: () => unknown): string {
  expect(work).toThrow(expect.objectContaining({ name: 'InputError' }));
  try {
    work();
  } catch (error) {
    return error instanceof Error ? error.message : '';
  }
  return '';
}
