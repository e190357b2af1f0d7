// Layer replay. The schema's issues in words: what was expected, what was found, and the nearest valid word.
import type * as z from 'zod';
import type { Finding, KeyPath } from './finding.ts';
import { LIMIT } from './model.ts';
import { didYouMean, nearest } from './nearest.ts';

type Issue = z.core.$ZodIssue;

const FOUND_MAX = 40;

/** Every mistake that `issues` tell of in `value`. */
export function toFindings(issues: readonly Issue[], value: unknown): Finding[] {
  const findings: Finding[] = [];
  for (const issue of settle(issues, value, [])) findings.push(...describe(issue, value));
  return findings;
}

/** An issue with its path from the root. */
interface Settled {
  readonly issue: Issue;
  readonly path: KeyPath;
}

/** Issues with unions replaced by those of the branch that was probably meant. */
function settle(issues: readonly Issue[], root: unknown, base: KeyPath): Settled[] {
  const settled: Settled[] = [];
  for (const issue of issues) {
    const path = [...base, ...toKeyPath(issue.path)];
    const branch = issue.code === 'invalid_union' ? nearestBranch(issue, root, path) : undefined;
    if (branch === undefined) settled.push({ issue, path });
    else settled.push(...settle(branch, root, path));
  }
  const unknown = unknownKeys(settled);
  return settled.filter((one) => !isExplainedBy(one, unknown));
}

type UnknownKeys = Extract<Issue, { code: 'unrecognized_keys' }>;

/** Maps with keys that none should have, by path: there can be thousands of them. */
function unknownKeys(settled: readonly Settled[]): ReadonlyMap<string, readonly UnknownKeys[]> {
  const found = new Map<string, UnknownKeys[]>();
  for (const { issue, path } of settled) {
    if (issue.code !== 'unrecognized_keys') continue;
    const parent = JSON.stringify(path);
    found.set(parent, [...(found.get(parent) ?? []), issue]);
  }
  return found;
}

function toKeyPath(path: readonly PropertyKey[]): KeyPath {
  return path.map((step) => (typeof step === 'number' ? step : String(step)));
}

/** A branch that does not even fit the value's type says nothing; of the others, the one with fewest issues. */
function nearestBranch(
  union: Extract<Issue, { code: 'invalid_union' }>,
  root: unknown,
  path: KeyPath,
): readonly Issue[] | undefined {
  const value = valueAt(root, path);
  let best: readonly Issue[] | undefined;
  let bestCost = MISFIT;
  for (const branch of union.errors) {
    const cost = branch.reduce((sum, issue) => sum + costOf(issue, value), 0);
    if (cost >= bestCost) continue;
    best = branch;
    bestCost = cost;
  }
  return best;
}

const MISFIT = 1000;

function costOf(issue: Issue, value: unknown): number {
  if (issue.path.length > 0) return 1;
  if (issue.code === 'invalid_type') return MISFIT;
  if (issue.code !== 'invalid_value') return 1;
  if (typeof value === 'object') return MISFIT;
  return issue.values.some((one) => typeof one === typeof value) ? 1 : MISFIT - 1;
}

/** A missing `filter` beside an unknown `fitler` is one mistake. */
function isExplainedBy(
  one: Settled,
  unknown: ReadonlyMap<string, readonly UnknownKeys[]>,
): boolean {
  const missing = one.path.at(-1);
  if (one.issue.code !== 'invalid_type' || typeof missing !== 'string') return false;
  const beside = unknown.get(JSON.stringify(one.path.slice(0, -1))) ?? [];
  return beside.some((issue) =>
    someKeys(issue).some((key) => nearest(key, validKeys(issue)) === missing),
  );
}

/** A few more than are shown: what is near to a key takes time to find. */
function someKeys({ keys }: UnknownKeys): readonly string[] {
  return keys.slice(0, LIMIT.errorsShown + 1);
}

/** `part.map` puts the valid keys into the message of this issue. */
function validKeys(issue: Issue): string[] {
  return issue.message.split(', ');
}

function describe({ issue, path }: Settled, root: unknown): Finding[] {
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        path: [...path, key],
        part: 'key',
        message: () => unknownKey(key, validKeys(issue)),
      }));
    case 'invalid_key': {
      const message = issue.issues[0]?.message ?? issue.message;
      return [{ path, part: 'key', message: `${message}, found '${String(path.at(-1))}'` }];
    }
    case 'invalid_value':
      return [{ path, part: 'value', message: () => describeValue(issue, path, root) }];
    case 'custom': {
      const part = issue.params?.['atKey'] === true ? 'key' : 'value';
      return [{ path, part, message: issue.message }];
    }
    case 'invalid_type':
    case 'invalid_format':
    case 'invalid_union':
    case 'invalid_element':
    case 'too_big':
    case 'too_small':
    case 'not_multiple_of':
      return [describeOther(issue, path, root)];
  }
}

function unknownKey(key: string, valid: readonly string[]): string {
  const hint = didYouMean(key, valid) || ',';
  return `unknown key '${key}'${hint} expected ${valid.length === 1 ? '' : 'one of '}${valid.join(', ')}`;
}

function describeValue(
  issue: Extract<Issue, { code: 'invalid_value' }>,
  path: KeyPath,
  root: unknown,
): string {
  const value = valueAt(root, path);
  const words = issue.values.filter((one) => typeof one === 'string');
  const hint = typeof value === 'string' ? didYouMean(value, words) : '';
  return `${issue.message}, found ${show(value)}${hint}`;
}

function describeOther(issue: Issue, path: KeyPath, root: unknown): Finding {
  const key = path.at(-1);
  const parent = valueAt(root, path.slice(0, -1));
  const isMissing = typeof key === 'string' && isMap(parent) && !Object.hasOwn(parent, key);
  if (isMissing) {
    const message = `missing key '${key}': ${issue.message}`;
    return { path: path.slice(0, -1), part: 'key', message };
  }
  return { path, part: 'value', message: `${issue.message}, found ${show(valueAt(root, path))}` };
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function valueAt(root: unknown, path: KeyPath): unknown {
  let value = root;
  for (const step of path) {
    if (Array.isArray(value) && typeof step === 'number') value = value[step] as unknown;
    else if (isMap(value) && Object.hasOwn(value, step)) value = value[step];
    else return undefined;
  }
  return value;
}

/** A value in a message. */
function show(value: unknown): string {
  if (typeof value === 'string') {
    return value.length > FOUND_MAX ? `'${value.slice(0, FOUND_MAX)}...'` : `'${value}'`;
  }
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return 'a list';
  return isMap(value) ? 'a map' : 'nothing';
}
