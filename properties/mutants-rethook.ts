// Faults of fprobe on rethook, for the list of mutants: looked for among random workloads with fprobes, of which two
// thirds run in an era of rethook.
import type { Mutant } from './mutants.ts';

export const RETHOOK_MUTANTS: readonly Mutant[] = [
  {
    id: 'M-36',
    judge: 'memory',
    cases: 'rethook',
    budget: 400,
    pinned: [9, 71],
    says: /^rethook \d+ .* was used/u,
  },
  {
    id: 'M-38',
    judge: 'nmissed',
    budget: 100,
    pinned: [3, 7],
    says: /nmissed was not increased/u,
  },
  {
    id: 'M-39',
    judge: 'pairing',
    cases: 'fprobes',
    budget: 250,
    pinned: [2, 11],
    says: /although its entry handler refused/u,
  },
  {
    id: 'M-40',
    judge: 'quiescence',
    cases: 'fprobes',
    budget: 250,
    pinned: [2, 11],
    says: /were in its pool$|the rethook(?: nodes)? of \S+ (?:lived on|was kept)/u,
  },
  {
    id: 'M-41',
    judge: 'pairing',
    cases: 'fprobes',
    budget: 60,
    pinned: [4, 5],
    says: /passed over without a word|given back while it ran/u,
  },
  {
    id: 'M-42',
    judge: 'quiescence',
    cases: 'fprobes',
    budget: 1200,
    pinned: [1],
    says: /were in its pool$|the rethook(?: nodes)? of \S+ (?:lived on|was kept)/u,
  },
  {
    id: 'M-43',
    judge: 'pairing',
    cases: 'fprobes',
    budget: 120,
    pinned: [1, 4],
    says: /given the addresses of another call/u,
  },
  {
    id: 'H-08',
    judge: 'recursion',
    cases: 'everywhere',
    budget: 60,
    pinned: [1, 3],
    says: /returned .* and left .* set$/u,
  },
];
