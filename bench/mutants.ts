// The time in which the mutants of ftrace die, all of them, from the seeds that the tests pin. It is a figure and no test: a
// busy host is no failure.
import { findMutant, MUTANTS } from '../properties/mutants.ts';
import { known } from '../src/assert.ts';
import { Digest } from '../src/replay/digest.ts';
import type { Suite } from './suite.ts';

/** M-01..M-05, M-08..M-10, M-12..M-34 of docs/spec/mutants.md; some have two judges. */
const OF_FTRACE = /^M-(?:0[1-589]|1[02-9]|2\d|3[0-4])$/u;
/** Enough to see that it runs. */
const TOY = /^M-1[367]$/u;
const NAME = 'mutants of ftrace, pinned seeds';

export const mutants: Suite = {
  budgets: { [NAME]: { bound: 'most', limit: 10, unit: 's' } },
  measure({ clock, toy }) {
    const wanted = toy ? TOY : OF_FTRACE;
    const digest = new Digest();
    let runs = 0;
    const value = clock(() => {
      for (const { pinned, ...mutant } of MUTANTS) {
        if (!wanted.test(mutant.id)) continue;
        for (const seed of pinned) {
          const kill = known(findMutant(mutant, seed), `${mutant.id} is found from seed ${seed}`);
          digest.text(kill.why);
          runs += kill.runs;
        }
      }
    });
    const hex = digest.hex();
    return [
      { name: NAME, value, unit: 's', compared: value, digest: hex },
      { name: 'runs that this takes', value: runs, unit: 'runs', digest: hex },
    ];
  },
};
