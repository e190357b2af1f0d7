// What golden/filter-swap-by-address.yaml claims: two functions of one name, told apart by their addresses.
import { changes, type Claim } from './moments.ts';
import { isIn, like, ofKind, type OperationSpan, type Told } from './told.ts';

const SET_IPS = 'ftrace_set_filter_ips';
const EINVAL = 22;

/** The call sites of the functions that are named `show`, by address. */
function shows(told: Told): readonly number[] {
  return ofKind(told.events, 'symbol')
    .filter(({ name }) => name === 'show')
    .map(({ site }) => site);
}

/** Sites at which callbacks began between two events. */
function hitBetween(told: Told, after: number, before: number): ReadonlySet<number> {
  const hits = ofKind(told.events, 'cb_begin').filter(
    ({ index }) => index > after && index < before,
  );
  return new Set(hits.map(({ ip }) => ip));
}

/** The call that fails. */
function failed(told: Told): OperationSpan | undefined {
  return like(told.operations, { op: SET_IPS, result: -EINVAL })[0];
}

export const BY_ADDRESS: readonly Claim[] = [
  {
    says: 'the name selects both functions, the array only the second one and stop',
    holds: (told) => {
      const [first = 0, second = 0] = shows(told);
      const [swap] = changes(told, SET_IPS);
      if (swap === undefined) return false;
      const before = hitBetween(told, 0, swap.begin);
      const after = hitBetween(told, swap.end, Infinity);
      return (
        [before.has(first), before.has(second)].every(Boolean) &&
        after.has(second) &&
        !after.has(first)
      );
    },
  },
  {
    says: 'the array with a bad entry changes no text, and what was hooked stays so',
    holds: (told) => {
      const call = failed(told);
      if (call === undefined) return false;
      const written = ofKind(told.events, 'text_write').some(({ index }) => isIn(index, call));
      return !written && hitBetween(told, call.end, Infinity).size === 2;
    },
  },
  {
    says: 'the last callbacks are those of stop alone',
    holds: (told) => {
      const last = changes(told, SET_IPS).at(-1);
      if (last === undefined) return false;
      const sites = hitBetween(told, last.end, Infinity);
      return sites.size === 1 && like(told.callbacks, { func: 'stop' }).length > 0;
    },
  },
  {
    says: 'free_filter frees what the last call published',
    holds: (told) => {
      const [free] = like(told.operations, { op: 'ftrace_free_filter', probe: 'ops0' });
      return (
        free !== undefined && ofKind(told.events, 'free').some(({ index }) => isIn(index, free))
      );
    },
  },
];
