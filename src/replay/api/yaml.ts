// Layer replay, public face. Workloads from and to YAML.
import { check } from '../workload/check.ts';
import type { Workload } from '../workload/model.ts';
import { parseWorkload } from '../workload/parse.ts';

/**
 * Reads a workload in YAML and checks it. InputError: every mistake, with `file:line:column`. Names that could be
 * those of an ELF file (`image`) are believed until it runs.
 *
 * @example
 * import { fromYaml, InputError } from 'reprobe';
 * const text = `name: typo
 * machine: { cpus: 1 }
 * functions: { vfs_open: { body: [work 4] } }
 * tasks: { opener: { cpu: 0, run: vfs_opn } }
 * `;
 * try {
 *   fromYaml(text, 'typo.yaml');
 * } catch (error) {
 *   if (error instanceof InputError) console.log(error.where); // → typo.yaml:4:33
 * }
 */
export function fromYaml(text: string, file = 'workload'): Workload {
  const { workload, positions } = parseWorkload(text, file);
  check(workload, positions);
  return workload;
}
