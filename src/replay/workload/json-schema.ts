// Layer replay. The workload schema as others read it. A file of its own, so that the public declarations do not speak
// of zod.
import * as z from 'zod';
import { workloadSchema } from './schema.ts';

/**
 * JSON schema of a workload file (`reprobe schema`), for editors and other tools.
 *
 * @example
 * import { workloadJsonSchema } from 'reprobe';
 * console.log(workloadJsonSchema()['title']); // → reprobe workload
 */
export function workloadJsonSchema(): Readonly<Record<string, unknown>> {
  return z.toJSONSchema(workloadSchema, { io: 'input' });
}
