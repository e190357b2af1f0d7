// The story of filter-swap-no-memory: a change of a filter that finds no memory changes nothing (FT-43).
import { changes, type Claim, HARDIRQ, swaps } from './moments.ts';
import {
  calls,
  isIn,
  isWithin,
  isWithinOne,
  like,
  type OperationSpan,
  ofKind,
  type Span,
  type Told,
} from './told.ts';

const ENOMEM = 12;

export const NO_MEMORY: readonly Claim[] = [
  {
    says: 'the first change finds no memory, returns -ENOMEM and patches nothing',
    holds: (told) =>
      failedChanges(told).some(
        (change) =>
          ofKind(told.events, 'alloc_failed').some(
            ({ index, kind }) => kind === 'ftrace_hash' && isIn(index, change),
          ) && !ofKind(told.events, 'text_write').some(({ index }) => isIn(index, change)),
      ),
  },
  {
    says: 'until the second change the old filter fires, and vfs_write is called and does not',
    holds: (told) =>
      betweenChanges(told).some(
        (span) =>
          like(told.callbacks, { func: 'vfs_read', level: 0 }).some((hit) => isWithin(hit, span)) &&
          calls(told, 'vfs_write').some(({ index }) => isIn(index, span)) &&
          !like(told.callbacks, { func: 'vfs_write' }).some(({ begin }) => begin < span.end),
      ),
  },
  {
    says: 'the chooser raises tick inside a callback in there, and the handler fires by the old filter',
    holds: (told) =>
      betweenChanges(told).some((span) =>
        like(told.interrupts, { level: HARDIRQ, cpu: 1, handler: 'timer_tick' }).some(
          (tick) =>
            isWithin(tick, span) &&
            ofKind(told.events, 'inject').some(
              ({ index, source }) => source === 'tick' && index === tick.begin - 1,
            ) &&
            isWithinOne(tick, like(told.callbacks, { level: 0, func: 'vfs_read' })) &&
            like(told.callbacks, { level: HARDIRQ, func: 'vfs_read' }).some((hit) =>
              isWithin(hit, tick),
            ),
        ),
      ),
  },
  {
    says: 'the second change succeeds, and vfs_write fires',
    holds: (told) =>
      like(changes(told, 'ftrace_set_filter'), { result: 0 }).some(({ end }) =>
        like(told.callbacks, { func: 'vfs_write' }).some(({ begin }) => begin > end),
      ),
  },
];

function failedChanges(told: Told): readonly OperationSpan[] {
  return like(swaps(told), { result: -ENOMEM });
}

/** From the end of a change without memory to the beginning of the next one. */
function betweenChanges(told: Told): readonly Span[] {
  return failedChanges(told).flatMap(({ end }) => {
    const next = swaps(told).find(({ begin }) => begin > end);
    return next === undefined ? [] : [{ begin: end, end: next.begin }];
  });
}
