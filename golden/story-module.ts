// The story of memory-module-reload: a module that goes is waited for, and one that comes is hooked (CC-S20, FT-49).
import type { Claim } from './moments.ts';
import { calls, isIn, isWithin, like, type OperationSpan, ofKind, type Told } from './told.ts';

const EINVAL = 22;

export const MODULE_RELOAD: readonly Claim[] = [
  {
    says: 'the filter does not find m_read before the module is there, and finds it then',
    holds: (told) => {
      const [before, after] = like(told.operations, { op: 'ftrace_set_filter' });
      return before?.result === -EINVAL && after?.result === 0;
    },
  },
  {
    says: 'the m_read of the first init function does not fire, that of the exit function does',
    holds: (told) => firedBy(told, comes(told)[0]) === 0 && firedBy(told, goes(told)[0]) === 1,
  },
  {
    says: 'the reader is in m_read when its record goes, is waited for, and the text is freed after that',
    holds: (told) => {
      const [going] = goes(told);
      if (going === undefined) return false;
      const dropped = ofKind(told.events, 'symbol_gone').find(({ index }) => isIn(index, going));
      const left = ofKind(told.events, 'func_return').find(
        ({ index, pid, func }) =>
          index > (dropped?.index ?? Infinity) &&
          pid === told.pid('reader') &&
          told.func(func) === 'm_read',
      );
      const waited = told.waits.some(
        ({ begin, end, kind }) =>
          kind === 'synchronize_rcu' &&
          isWithin({ begin, end }, going) &&
          isIn(left?.index ?? -1, { begin, end: freed(told)[0] ?? -1 }),
      );
      return waited && isIn(freed(told)[0] ?? -1, going);
    },
  },
  {
    says: 'between its lives use is called, and m_read is not',
    holds: (told) => {
      const between = { begin: freed(told)[0] ?? Infinity, end: comes(told)[1]?.begin ?? -1 };
      return (
        calls(told, 'use').some(({ index }) => isIn(index, between)) &&
        !calls(told, 'm_read').some(({ index }) => isIn(index, between))
      );
    },
  },
  {
    says: 'the m_read of the second init function fires, at the same place',
    holds: (told) =>
      firedBy(told, comes(told)[1]) === 1 &&
      new Set(ofKind(told.events, 'alloc').flatMap((e) => (e.kind === 'module' ? [e.address] : [])))
        .size === 1,
  },
];

function comes(told: Told): readonly OperationSpan[] {
  return like(told.operations, { op: 'init_module' });
}

function goes(told: Told): readonly OperationSpan[] {
  return like(told.operations, { op: 'delete_module' });
}

/** How many callbacks for m_read the operation's own task runs within it. */
function firedBy(told: Told, operation: OperationSpan | undefined): number {
  if (operation === undefined) return -1;
  const { pid } = operation;
  return like(told.callbacks, { func: 'm_read', pid }).filter((hit) => isWithin(hit, operation))
    .length;
}

/** Where texts of modules are freed. */
function freed(told: Told): readonly number[] {
  const modules = like(ofKind(told.events, 'alloc'), { kind: 'module' });
  return ofKind(told.events, 'free')
    .filter((e) => modules.some((m) => m.object === e.object && m.generation === e.generation))
    .map(({ index }) => index);
}
