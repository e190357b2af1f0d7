// Runs of random workloads with kprobes end as they should, and are what their workload and choices make of them: recorded
// with a chooser that looks ahead or not, they are the same, and their recordings replay.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { known } from '../src/assert.ts';
import { LEVEL } from '../src/emu/context.ts';
import { readEvents } from '../src/replay/api/events.ts';
import { prepareModel } from '../src/replay/prepare.ts';
import { joinBytes } from '../src/replay/recording.ts';
import { replayRecording } from '../src/replay/replay.ts';
import { recordPrepared } from '../src/replay/run.ts';
import type { Event } from '../src/replay/schema.ts';
import { toYaml } from '../src/replay/workload/to-yaml.ts';
import { TEST_MS } from './check-guarantee.ts';
import { kprobeCases, type KprobeCase, type KprobeFeatures } from './workloads-kprobe.ts';

const RUNS = 300;
/** What all runs together have to show. */
const WANTED = `
  kprobe_pre kprobe_post kretprobe_entry kretprobe in-an-interrupt by-ftrace by-breakpoint
  step-slot step-boost step-simulate step-skip
  skip-kprobe_running skip-disabled skip-stopped skip-no_node skip-rejected skip-removed skip-recursion
  register_kprobe register_kprobes register_kretprobes unregister_kprobes disable_kprobe enable_kretprobe
  kprobes_enabled register_kprobe-fails
`
  .trim()
  .split(/\s+/u);

/** Features in turn: any case, and those in which something is sure to be there. */
const FEATURES: readonly KprobeFeatures[] = [
  {},
  { siblings: true, crowded: true },
  { breakpoints: true, handlers: 2 },
  { sites: true },
  { short: true, recurses: true, crowded: true },
  { pauses: true },
  { leaves: true, handlers: 1 },
  { fprobes: true },
];

interface Recorded {
  readonly bytes: Uint8Array;
  readonly ending: string;
}

function recorded({ workload, profile }: KprobeCase, seed: number): Recorded {
  const text = toYaml(workload);
  const prepared = prepareModel(workload, {}, 'drawn');
  const source = { file: 'drawn.yaml', text, image: undefined };
  const settings = { seed, chooser: 'random', profile, variants: [] } as const;
  const parts: Uint8Array[] = [];
  const sink = (bytes: Uint8Array): void => {
    parts.push(bytes.slice());
  };
  const { ending } = recordPrepared(prepared, { source, settings, sink });
  return { bytes: joinBytes(parts), ending };
}

/** What of `WANTED` an event shows. */
function factsOf(e: Event): readonly string[] {
  if (e.event === 'cb_begin')
    return e.level === LEVEL.hardirq ? [e.kind, 'in-an-interrupt'] : [e.kind];
  if (e.event === 'kprobe_step') return [`step-${e.how}`];
  if (e.event === 'skip') return [`skip-${e.reason}`];
  if (e.event === 'kprobe') return [`by-${e.how}`];
  if (e.event === 'ctl_end') return [e.result === 0 ? e.op : `${e.op}-fails`];
  return [];
}

const cases = fc
  .nat(FEATURES.length - 1)
  .chain((index) => kprobeCases(known(FEATURES[index], 'it is in the table')));

test('runs with kprobes end regularly and replay', { timeout: TEST_MS }, async () => {
  const facts = new Set<string>();
  await fc.assert(
    fc.asyncProperty(cases, fc.nat(1000), async (drawn, seed) => {
      const { bytes, ending } = recorded(drawn, seed);
      expect(ending).toBe('run_end');
      expect(replayRecording(bytes).status).toBe('identical');
      for await (const event of readEvents(bytes))
        for (const fact of factsOf(event)) facts.add(fact);
    }),
    { numRuns: RUNS },
  );
  expect(WANTED.filter((fact) => !facts.has(fact))).toEqual([]);
});
