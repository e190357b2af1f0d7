// Layer replay. Checks of one reference: a CPU, a function, a variable, a pattern.
import type { Finding, KeyPath } from './finding.ts';
import { readSymbol } from './line.ts';
import type { Workload } from './model.ts';
import { didYouMean } from './nearest.ts';
import { matches } from './pattern.ts';
import { type Scope, unknownName } from './scope.ts';

/** A CPU that the machine has. */
export function checkCpu(workload: Workload, cpu: number | undefined, path: KeyPath): Finding[] {
  const { cpus } = workload.machine;
  if (cpu === undefined || cpu < cpus) return [];
  const expected = cpus === 1 ? 'CPU 0' : `a CPU from 0 to ${cpus - 1}`;
  return [{ path, part: 'value', message: `expected ${expected}, found ${cpu}` }];
}

/** A function that code can be told to run. */
export function checkFunction(scope: Scope, name: string, path: KeyPath): Finding[] {
  if (scope.functions.has(name) || !scope.complete) return [];
  return [unknownName(path, 'function', name, () => [...scope.functions.keys()])];
}

/** A function whose address can be hooked. */
export function checkAddress(
  scope: Scope,
  name: string,
  path: KeyPath,
  mayFail: boolean,
): Finding[] {
  const findings = checkFunction(scope, name, path);
  if (scope.functions.get(name) !== false || mayFail) return findings;
  const message = `'${name}' is notrace and has no call site; expect: -EINVAL if that is the point`;
  return [...findings, { path, part: 'value', message }];
}

/** `counter` or `counter+8`: eight bytes that lie inside. */
export function checkSymbol(
  scope: Pick<Scope, 'data' | 'complete'>,
  text: string,
  path: KeyPath,
): Finding[] {
  const { symbol, offset } = readSymbol(text);
  const bytes = scope.data.get(symbol);
  if (bytes === undefined) {
    return scope.complete ? [unknownName(path, 'data', symbol, () => [...scope.data.keys()])] : [];
  }
  if (offset % 8 === 0 && offset + 8 <= bytes) return [];
  const message = `expected an offset into '${symbol}' from 0 to ${bytes - 8} in steps of 8, found ${offset}`;
  return [{ path, part: 'value', message }];
}

/** As `checkPattern`, for a filter that is set before any module is there. */
export function checkEarlyPattern(scope: Scope, pattern: string, path: KeyPath): Finding[] {
  const { coming, traceable } = scope;
  const found = matches(pattern, traceable).map((index) => traceable[index] ?? '');
  if (found.length === 0 || !found.every((name) => coming.has(name)))
    return checkPattern(scope, pattern, path);
  const message = `the pattern '${pattern}' matches functions of modules only: expected a set_filter after init_module`;
  return [{ path, part: 'value', message }];
}

/** A pattern that selects nothing is -EINVAL (FT-43): here the mistake of whoever wrote it. */
export function checkPattern(scope: Scope, pattern: string, path: KeyPath): Finding[] {
  if (!scope.complete || matches(pattern, scope.traceable).length > 0) return [];
  const name = pattern.replace(/^!/u, '');
  const untraceable = scope.functions.get(name) === false ? ` ('${name}' is notrace)` : '';
  const message = `the pattern '${pattern}' matches no traceable function${untraceable}`;
  const hinted = (): string => message + didYouMean(name, scope.traceable);
  return [{ path, part: 'value', message: hinted }];
}
