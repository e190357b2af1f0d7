// Layer replay. What is wrong with a workload, and where. Readers and checks collect findings and refuse once,
// so that a user sees every mistake of a file at the same time, in the order of the file.
import { InputError, known } from '../../assert.ts';
import { LIMIT } from './model.ts';

/** From the root of a workload to a value: `['timeline', 2, 'register']`. */
export type KeyPath = readonly (string | number)[];

export interface Finding {
  readonly path: KeyPath;
  /** Is the key at the end of the path wrong, or its value? */
  readonly part: 'key' | 'value';
  /** A function where it takes time to find the words: only those of mistakes that are shown are asked for. */
  readonly message: string | (() => string);
}

/** Knows where each key and value of a workload was written. What is absent lies where its parent lies. */
export interface Positions {
  /** `file:line:column`, or the key path when the workload was no text. */
  where(path: KeyPath, part?: 'key' | 'value'): string;
  /** Grows along the file. */
  offset(path: KeyPath, part?: 'key' | 'value'): number;
}

/** Positions of a workload that never was a file: the key path itself. */
export function pathPositions(origin: string): Positions {
  return {
    where: (path) => (path.length === 0 ? origin : `${origin}: ${showPath(path)}`),
    offset: () => 0,
  };
}

/** `timeline[2].register` */
export function showPath(path: KeyPath): string {
  return path
    .map((step, index) =>
      typeof step === 'number' ? `[${step}]` : `${index > 0 ? '.' : ''}${step}`,
    )
    .join('');
}

/** A name with a line end in it forges no line of its own. */
function oneLine(text: string): string {
  return text.replaceAll('\n', '\\n');
}

export function messageOf({ message }: Pick<Finding, 'message'>): string {
  return typeof message === 'string' ? message : message();
}

/** Throws one `InputError` that names every finding, one a line; returns when there is none. */
export function refuse(findings: readonly Finding[], positions: Positions): void {
  if (findings.length === 0) return;
  const sorted = findings
    .map((finding) => ({
      where: oneLine(positions.where(finding.path, finding.part)),
      offset: positions.offset(finding.path, finding.part),
      message: finding.message,
    }))
    .toSorted((a, b) => a.offset - b.offset);
  const first = known(sorted[0], 'there is a finding');
  const lines = [oneLine(messageOf(first))];
  for (const finding of sorted.slice(1, LIMIT.errorsShown)) {
    lines.push(`${finding.where}: ${oneLine(messageOf(finding))}`);
  }
  const rest = sorted.length - LIMIT.errorsShown;
  if (rest > 0) lines.push(`and ${rest} more`);
  throw new InputError(lines.join('\n'), first.where);
}
