// Layer replay. Which of the paths in TypeScript that are at hand a workload or a recording means: one of its name and
// version, for each that it names.
import { InputError } from '../assert.ts';
import { type DefinedPath, isDefined, titleOf } from './handler.ts';
import type { Finding, Positions } from './workload/finding.ts';
import { refuse } from './workload/finding.ts';
import { didYouMean } from './workload/nearest.ts';
import type { PlanPath } from './workload/plan.ts';

/** In the order of `wanted`. One InputError names all that are missing, with what to do. */
export function chooseHandlers(
  wanted: readonly PlanPath[],
  atHand: readonly DefinedPath[],
  positions: Positions,
): readonly DefinedPath[] {
  refuseDoubles(atHand);
  const findings: Finding[] = [];
  const chosen = wanted.flatMap((path) => {
    const found = atHand.find(
      ({ name, version }) => name === path.name && version === path.version,
    );
    if (found !== undefined) return [found];
    findings.push({
      path: ['typescript', path.name],
      part: 'value',
      message: () => missing(path, atHand),
    });
    return [];
  });
  refuse(findings, positions);
  return chosen;
}

const ADVICE = '--handlers MODULE.js on the command line, `handlers` in a program';

function missing({ name, version }: PlanPath, atHand: readonly DefinedPath[]): string {
  const wanted = `'${name}' version ${version}`;
  const others = atHand.filter((one) => one.name === name).map((one) => one.version);
  if (others.length > 0) {
    const found = `found version ${others.join(' and ')}`;
    return `expected the TypeScript handler ${wanted}, ${found}: give the module as it was at version ${version} (${ADVICE})`;
  }
  const names = atHand.map((one) => one.name);
  const given = names.length === 0 ? 'none is given' : `given are ${names.join(', ')}`;
  return `the TypeScript handler ${wanted} is missing${didYouMean(name, names)}, ${given}: give the module that defines it (${ADVICE})`;
}

function refuseDoubles(atHand: readonly unknown[]): void {
  const seen = new Map<string, DefinedPath>();
  for (const one of atHand) {
    if (!isDefined(one))
      throw new InputError('expected what defineHandler or defineTask made', 'handlers');
    const title = titleOf(one);
    const before = seen.get(`${one.name} ${one.version}`);
    if (before !== undefined && before.path !== one.path)
      throw new InputError(`${title} is given twice, with different paths`, 'handlers');
    seen.set(`${one.name} ${one.version}`, one);
  }
}
