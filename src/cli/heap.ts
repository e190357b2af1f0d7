// Layer cli. Tells V8 how this program uses memory; it changes speed and nothing else.
import { setFlagsFromString } from 'node:v8';

/**
 * A check makes thousands of short-lived machines. V8 learns from the first ones to allocate parts of them
 * as if they stayed, and those then keep the rest of each dead machine alive until a full collection:
 * without this flag such a loop spends a quarter of its time on collecting (docs/bench.md).
 */
export function tuneHeap(): void {
  setFlagsFromString('--no-allocation-site-pretenuring');
}
