// The rows of an event log, read without making objects of them.
/* oxlint-disable typescript/no-unsafe-type-assertion -- a hot loop over typed arrays */
import { ROW_HEAD } from '../src/replay/decode.ts';
import type { EventLog } from '../src/replay/event-log.ts';
import { WORDS_BY_ID } from '../src/replay/schema.ts';

/** Calls `see` with each place in `rows` where an event begins, and its id. */
export function eachRow(rows: Int32Array, see: (at: number, id: number) => void): void {
  for (let at = 0; at < rows.length;) {
    const id = rows[at] as number;
    see(at, id);
    at += ROW_HEAD + (WORDS_BY_ID[id] as number);
  }
}

/** How many events of kind `id` there are. */
export function countEvents(log: EventLog, id: number): number {
  let count = 0;
  eachRow(log.rows(), (_at, found) => {
    if (found === id) count++;
  });
  return count;
}
