// Layer replay. The hits of a recording that ran no handler (`skip` events), numbered from 1 in the order in which they
// came, and what `nmissed` made of each. Which of them an era counts is not known here: a count is one that was seen.
import type { EventLog } from '../event-log.ts';
import { flowOf } from '../flow.ts';
import { listen } from '../guarantee/listen.ts';
import type { EventOf } from '../schema.ts';

export interface Miss {
  /** From 1. */
  readonly number: number;
  readonly event: EventOf<'skip'>;
  /** What it was counted to; undefined: it was not counted. */
  readonly count: EventOf<'count'> | undefined;
  /** The probe's name. */
  readonly probe: string;
}

/** A hit that is refused before anybody is looked up concerns nobody yet. */
export const NOBODY = 0;
const NOBODY_NAME = '(nobody yet)';

/** All of them, in order. */
export function missesOf(log: EventLog): readonly Miss[] {
  const misses: Miss[] = [];
  const names = new Map([[NOBODY, NOBODY_NAME]]);
  /** Places in `misses`, by flow: a miss is counted right behind its skip, before its flow does anything else. */
  const open = new Map<number, number>();
  listen(
    [
      {
        object: ({ kind, name, object }) => {
          const isBehind = kind === 'fprobe_ops' || kind === 'graph_ops';
          names.set(object, isBehind ? `${name} (${kind})` : name);
        },
        skip: (event) => {
          open.set(flowOf(event), misses.length);
          const probe = names.get(event.object) ?? `object ${event.object}`;
          misses.push({ number: misses.length + 1, event, count: undefined, probe });
        },
        count: (count) => {
          const at = open.get(flowOf(count)) ?? -1;
          const miss = misses[at];
          if (miss !== undefined && miss.event.object === count.object) {
            misses[at] = { ...miss, count };
          }
          open.delete(flowOf(count));
        },
        func_enter: (e) => void open.delete(flowOf(e)),
        func_return: (e) => void open.delete(flowOf(e)),
        recursion_clear: (e) => void open.delete(flowOf(e)),
      },
    ],
    log,
  );
  return misses;
}

/**
 * Misses of one probe for one reason.
 *
 * @example
 * import { type MissGroup, misses, record, workload } from 'reprobe';
 * const groups: readonly MissGroup[] = misses(record(workload('empty', { cpus: 1 })).bytes);
 * console.log(groups.length); // → 0
 */
export interface MissGroup {
  readonly probe: string;
  readonly reason: string;
  /** How many of them were counted in `nmissed`. */
  readonly counted: number;
  /** Their numbers, rising. */
  readonly numbers: readonly number[];
}

/** In the order in which each probe and reason first came. */
export function groupMisses(misses: readonly Miss[]): readonly MissGroup[] {
  const groups = new Map<string, { first: Miss; counted: number; numbers: number[] }>();
  for (const miss of misses) {
    const key = JSON.stringify([miss.event.object, miss.event.reason]);
    let group = groups.get(key);
    if (group === undefined) groups.set(key, (group = { first: miss, counted: 0, numbers: [] }));
    group.numbers.push(miss.number);
    if (miss.count !== undefined) group.counted++;
  }
  return [...groups.values()].map(({ counted, first, numbers }) => ({
    probe: first.probe,
    reason: first.event.reason,
    counted,
    numbers,
  }));
}
