// `npm run golden`: records every golden again and writes those files that differ. A run that breaks its
// own expectations or story is not written, and nothing is deleted. `npm run golden -- --seek NAME` looks for
// seeds by which a golden's story is true.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  complaints,
  firstDifference,
  goldenNames,
  leftovers,
  recordGolden,
  type RecordedGolden,
} from './golden.ts';

const folder = join(process.cwd(), 'golden');
const SEEDS_TRIED = 500;
const SEEDS_SHOWN = 5;

/** Writes a golden's files where they differ; true when all is well with it. */
function update(name: string): boolean {
  const golden = recordGolden(folder, name);
  const wrong = complaints(name, golden);
  if (wrong.length > 0) {
    console.error(`${name}: not written`);
    for (const sentence of wrong) console.error(`  ${sentence}`);
    console.error(`  change the workload, or try other seeds: npm run golden -- --seek ${name}`);
    return false;
  }
  console.log(`${name}: ${write(name, golden)}`);
  return true;
}

function write(name: string, { text, trace, result }: RecordedGolden): string {
  const summary = `${result.events} events, ${result.steps} steps`;
  const [traceFile, textFile] = ['.trace', '.txt'].map((ending) => join(folder, name + ending));
  if (traceFile === undefined || textFile === undefined) return summary;
  const isSame = existsSync(traceFile) && readFileSync(traceFile).equals(trace);
  const before = existsSync(textFile) ? readFileSync(textFile, 'utf8') : '';
  if (isSame && before === text) return `unchanged, ${summary}`;
  writeFileSync(traceFile, trace);
  writeFileSync(textFile, text);
  if (before === '') return `new, ${summary}`;
  return `rewritten, ${summary}; differs from ${firstDifference(before, text) ?? '(text is equal)'}`;
}

/** Prints the first seeds by which all is well with a golden. */
function seek(name: string): number {
  let found = 0;
  for (let seed = 1; seed <= SEEDS_TRIED && found < SEEDS_SHOWN; seed++) {
    if (complaints(name, recordGolden(folder, name, { seed })).length > 0) continue;
    console.log(`seed: ${seed}`);
    found++;
  }
  if (found === 0) console.error(`none of the seeds 1 to ${SEEDS_TRIED} makes the story true`);
  return found > 0 ? 0 : 1;
}

function main(words: readonly string[]): number {
  const [option, name] = words;
  if (option === '--seek' && name !== undefined && goldenNames(folder).includes(name)) {
    return seek(name);
  }
  if (option !== undefined) {
    console.error(`expected no arguments, or --seek and one of ${goldenNames(folder).join(', ')}`);
    return 2;
  }
  const { CI } = process.env;
  if (CI !== undefined && CI !== '') {
    console.error(
      'goldens are not rewritten in CI: run npm run golden, look at the difference, commit',
    );
    return 1;
  }
  const results = goldenNames(folder).map(update);
  const rest = leftovers(readdirSync(folder));
  for (const sentence of rest) console.error(`golden/${sentence}`);
  return rest.length === 0 && results.every(Boolean) ? 0 : 1;
}

process.exitCode = main(process.argv.slice(2));
