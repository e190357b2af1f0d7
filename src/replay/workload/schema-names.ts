// Layer replay. Parts of the workload schema that stand for something defined elsewhere in the workload.
import * as z from 'zod';
import { LIMIT } from './model.ts';
import * as part from './schema-parts.ts';

export const cpu = part.whole(0, LIMIT.cpus - 1, 'Number of a CPU, from 0.');
export const taskName = z
  .string()
  .regex(/^(?!__proto__$)[A-Za-z_][A-Za-z0-9_:.-]*$/u, {
    error: 'expected a task name such as reader or reader-1',
  })
  .max(LIMIT.taskNameLength, {
    error: `expected a task name of at most ${LIMIT.taskNameLength} letters`,
  });
