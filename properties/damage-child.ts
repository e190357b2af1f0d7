// Reads mutants in a process of its own, so that its memory can be bounded and measured. It runs from built
// code; the task is JSON in its arguments, the answer one line of JSON.
import { checkDamage, type DamageOptions, type DamageReport } from './damage.ts';

export interface DamageAnswer extends DamageReport {
  /** The most memory that the whole process ever held, in MiB. */
  readonly megabytes: number;
}

const KIB_PER_MIB = 1024;

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- damage-process.ts made it
const report = checkDamage(JSON.parse(process.argv[2] ?? '') as DamageOptions);
const megabytes = Math.round(process.resourceUsage().maxRSS / KIB_PER_MIB);
process.stdout.write(`${JSON.stringify({ ...report, megabytes } satisfies DamageAnswer)}\n`);
