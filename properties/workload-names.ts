// Names, patterns and limits of random workloads, and how draws pick among them.
export const NAMES = ['vfs_a', 'mem_a', 'vfs_b', 'mem_b', 'vfs_c', 'mem_c'] as const;
/** The second function, whatever it is called. */
export const INDEX = '2';
export const PATTERNS = [
  'vfs_*',
  'mem_*',
  '*_a',
  '*_[ab]',
  'vfs_?',
  '*',
  INDEX,
  '!*_a',
  'no_such*',
] as const;
/** No filter change comes later: runs are about 2,000 steps. */
export const STEP_MAX = 600;

/** What filters can be told of: in the order of their addresses, traceable functions and their names for patterns. */
export interface Table {
  readonly functions: readonly string[];
  readonly symbols: readonly string[];
  /** A function without a call site, if there is one. */
  readonly quiet: string | undefined;
}

export function nameAt(names: readonly string[], index: number): string {
  return names[index % names.length] ?? NAMES[0];
}

/** Low draws name one function, the others a pattern. */
export function patternAt(draw: number, selectable: readonly string[]): string {
  return draw < NAMES.length ? nameAt(selectable, draw) : (PATTERNS[draw - NAMES.length] ?? '*');
}
