// Layer replay. From text or from unknown data to a workload, or to one `InputError` that names every mistake.
// Nothing else is ever thrown, whatever the text is.
import { InputError } from '../../assert.ts';
import { pathPositions, type Positions, refuse } from './finding.ts';
import { toFindings } from './issue.ts';
import { LIMIT, type Workload } from './model.ts';
import { workloadSchema } from './schema.ts';
import { readTree } from './tree.ts';

export interface ParsedWorkload {
  readonly workload: Workload;
  readonly positions: Positions;
}

/** Reads a workload file. `file` is its name in messages: `file:line:column: message`. */
export function parseWorkload(text: string, file: string): ParsedWorkload {
  const given: unknown = text;
  if (typeof given !== 'string')
    throw new InputError(`expected a workload in YAML, a text, found ${typeof given}`, file);
  const { value, positions } = readTree(text, file);
  return { workload: accept(value, positions), positions };
}

/**
 * Reads a workload that is data already: a builder's, or that of a recording's header. `places` says where its parts
 * were written, or just where it is from.
 */
export function readWorkload(value: unknown, places: string | Positions): ParsedWorkload {
  const positions = typeof places === 'string' ? pathPositions(places) : places;
  if (!isShallow(value)) {
    const message = `expected at most ${LIMIT.yamlDepth} levels of nesting`;
    throw new InputError(message, positions.where([]));
  }
  return { workload: accept(value, positions), positions };
}

function accept(value: unknown, positions: Positions): Workload {
  const result = workloadSchema.safeParse(value);
  if (result.success) return result.data;
  refuse(toFindings(result.error.issues, value), positions);
  throw new InputError('expected a workload', positions.where([]));
}

function isShallow(value: unknown): boolean {
  const open: { readonly value: unknown; readonly depth: number }[] = [{ value, depth: 0 }];
  for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
    if (entry.depth > LIMIT.yamlDepth) return false;
    if (typeof entry.value !== 'object' || entry.value === null) continue;
    for (const child of Object.values(entry.value)) {
      open.push({ value: child, depth: entry.depth + 1 });
    }
  }
  return true;
}
