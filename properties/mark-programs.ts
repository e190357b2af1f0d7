// Marks a built program (a folder that `tsc -p bench` wrote): from then on its kernel paths count their steps in
// marks.ts, and `steps.json` beside it says which number is which step.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assert } from '../src/assert.ts';
import { LINKS } from '../src/trace/link.ts';
import { parse } from '../tidy/source.ts';
import { markSteps, type Step, stepsIn } from '../tidy/steps.ts';
import { reached } from './marks.ts';

const FOLDER = 'src/trace';
const COUNTERS = '../../properties/marks.js';

/** Marks the program in `folder`, which was built from the sources in `root`. */
export function markPrograms(root: string, folder: string): void {
  const linked = new Set(Object.keys(LINKS));
  const steps: Step[] = [];
  for (const name of readdirSync(join(root, FOLDER)).toSorted(byCodeUnits)) {
    if (!name.endsWith('.ts') || name.endsWith('.test.ts')) continue;
    const source = parse(read(root, `${FOLDER}/${name}`));
    const built = parse(read(folder, `${FOLDER}/${name.replace(/ts$/u, 'js')}`));
    const own = stepsIn(source, linked);
    const marked = markSteps(built, linked, { first: steps.length, counters: COUNTERS });
    assert(marked.count === own.length, `${name} has the same steps before and after compiling`);
    if (own.length > 0) writeFileSync(join(folder, built.path), marked.text);
    steps.push(...own);
  }
  assert(steps.length <= reached.length, 'every step has its counter');
  writeFileSync(join(folder, STEPS), JSON.stringify(steps));
}

const STEPS = 'steps.json';

/** The steps of the program that runs, by their numbers; none when it is not marked. */
export function ownSteps(): readonly Step[] {
  const url = new URL(`../${STEPS}`, import.meta.url);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- markPrograms wrote it
  return JSON.parse(readFileSync(url, 'utf8')) as readonly Step[];
}

function read(folder: string, path: string): { readonly path: string; readonly text: string } {
  return { path, text: readFileSync(join(folder, path), 'utf8') };
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
