// Layer emu. The options of a scheduling choice, by who runs and who is ready. The same few lists come again
// and again and are never written to, so each is made once, for all machines.
import { LIMITS } from './limits.ts';

/** By number of CPUs, then by running CPU and ready mask. */
const lists: (Int32Array | undefined)[][] = Array.from({ length: LIMITS.cpusMax + 1 }, () => []);

/** CPU numbers of the bits of `ready`, beginning with `running` and going round. */
export function schedulingOptions(cpus: number, running: number, ready: number): Int32Array {
  const own = lists[cpus] ?? [];
  if (own.length === 0) own.push(...Array.from({ length: cpus << cpus }, () => undefined));
  const key = (running << cpus) | ready;
  return (own[key] ??= make(cpus, running, ready));
}

function make(cpus: number, running: number, ready: number): Int32Array {
  const ids = Array.from({ length: cpus }, (_, i) => (running + i) % cpus);
  return Int32Array.from(ids.filter((id) => ((ready >> id) & 1) === 1));
}
