// Paths in TypeScript under random workloads and schedules: as callback, as handler of an interrupt, as task. Their runs
// replay bit for bit, and another behaviour under the same name and version is a divergence, never a crash.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assert } from '../src/assert.ts';
import { record } from '../src/replay/api/record.ts';
import { type DefinedPath, defineHandler, defineTask } from '../src/replay/handler.ts';
import { readRecording } from '../src/replay/recording.ts';
import { replayRecording } from '../src/replay/replay.ts';
import type { Event } from '../src/replay/schema.ts';
import type { Workload } from '../src/replay/workload/model.ts';
import { workloadsWith } from './workloads.ts';

/** Counts in two steps, so that others come between them; every third time it calls a function. */
const audit = defineHandler('audit', 1, function* (cx) {
  const seen = yield* cx.read('hits');
  yield* cx.write('hits', seen + 1);
  if (seen % 3 === 2) yield* cx.call('rcu_is_watching');
});

const tick = defineHandler('tick', 1, function* (cx) {
  if ((yield* cx.add('shared', 1)) < 40) yield* cx.call('vfs_a');
});

const pump = defineTask('pump', 1, function* (cx) {
  yield* cx.call('do_0');
  yield* cx.sleep(1 + ((yield* cx.read('hits')) % 7));
});

const paths: readonly DefinedPath[] = [audit, tick, pump];

/** `base` with all three in it. */
function withPaths(base: Workload): Workload {
  const { ops0 } = base.probes ?? {};
  assert(ops0?.kind === 'ftrace', 'there is a first probe');
  return {
    ...base,
    typescript: { audit: 1, tick: 1, pump: 1 },
    probes: { ...base.probes, ops0: { ...ops0, callback: 'audit' } },
    handlers: { ...base.handlers, ticking: { irq: 'tick', inject: 3 } },
    tasks: { ...base.tasks, task0: { cpu: 0, run: 'pump', times: 6 } },
  };
}

const workloads = workloadsWith({}).map(withPaths);
const seeds = fc.nat(1_000_000);

/** How often an interrupt or a switch came while the callback was open. */
function interruptions(events: Iterable<Event>): number {
  let open = 0;
  let found = 0;
  for (const event of events) {
    if (event.event === 'cb_begin') open++;
    if (event.event === 'cb_end') open--;
    if (open > 0 && (event.event === 'irq_enter' || event.event === 'sched_switch')) found++;
  }
  return found;
}

const RUNS = 30;
const TIMEOUT_MS = 30_000;

test(
  'a run with paths in TypeScript replays bit for bit',
  () => {
    let interrupted = 0;
    fc.assert(
      fc.property(workloads, seeds, (model, seed) => {
        const { bytes, digest, ending } = record(model, { seed, handlers: paths });
        expect(ending).toBe('run_end');
        const outcome = replayRecording(bytes, { handlers: paths });
        expect(outcome).toMatchObject({ status: 'identical', digest });
        const again = record(model, { seed, handlers: paths }).bytes;
        expect(Buffer.compare(again, bytes)).toBe(0);
        if (interruptions(readRecording(bytes).log.events()) > 0) interrupted++;
      }),
      { numRuns: RUNS },
    );
    expect(interrupted).toBeGreaterThanOrEqual(RUNS / 5);
  },
  TIMEOUT_MS,
);

const OTHERS: readonly DefinedPath[] = [
  defineHandler('audit', 1, function* (cx) {
    yield* audit.path(cx);
    yield* cx.printk('one more step');
  }),
  defineHandler('audit', 1, function* (cx) {
    yield* cx.count('hits');
    if ((yield* cx.read('hits')) > 1) throw new Error('changed its mind');
  }),
  defineHandler('tick', 1, function* (cx) {
    yield* cx.call('rcu_read_unlock');
  }),
  defineTask('pump', 1, function* (cx) {
    while ((yield* cx.read('hits')) < 2) yield* cx.sleep(3);
  }),
];

test(
  'another behaviour of the same version is a divergence, or no difference at all',
  () => {
    let diverged = 0;
    fc.assert(
      fc.property(workloads, seeds, fc.constantFrom(...OTHERS), (model, seed, other) => {
        const { bytes } = record(model, { seed, handlers: paths });
        const changed = paths.map((path) => (path.name === other.name ? other : path));
        const { status } = replayRecording(bytes, { handlers: changed });
        if (status === 'diverged') diverged++;
      }),
      { numRuns: RUNS },
    );
    expect(diverged).toBeGreaterThan(RUNS / 2);
  },
  TIMEOUT_MS,
);
