// A callback compiled from C, interrupted at each of its instructions.
import { expect, test } from 'vitest';
import { known } from '../../src/assert.ts';
import { functionsNamed, type Image } from '../../src/emu/image.ts';
import { joinBytes } from '../../src/replay/recording.ts';
import { replayRecording } from '../../src/replay/replay.ts';
import { recordRun } from '../../src/replay/run.ts';
import { type CModel, type CRun, readC, runC } from './run-c.ts';

const CALLBACK = 'sample_callback';
const LEVELS = { irq: 2, nmi: 3 } as const;

/** One task calls a hooked function; `strike` says when what else happens. */
function model(strike: readonly object[]): CModel {
  return {
    machine: { cpus: 2, grain: 'instruction' },
    modules: { sample: { image: 'ftrace_sample.ko', params: { func: 'vfs_open' } } },
    functions: {
      vfs_open: { body: ['work 2'] },
      caller: { body: ['sleep 700', 'call vfs_open', 'sleep 10'] },
      tick: { body: ['call vfs_open'] },
    },
    tasks: { caller: { cpu: 1, run: 'caller' } },
    timeline: [
      { at: 'start', init_module: 'sample', expect: 0 },
      ...strike,
      { at: 'end', delete_module: 'sample', expect: 0 },
    ],
  };
}

/** The steps from the first instruction of the outermost callback to its return. */
function stepsInside(run: CRun): { readonly from: number; readonly to: number } {
  const begin = known(run.of('cb_begin')[0], 'the callback runs');
  const end = known(
    run.of('cb_end').findLast(({ cpu }) => cpu === 1),
    'and returns',
  );
  return { from: begin.step, to: end.step };
}

/** Offsets into the callback at which CPU 1 stands before some step. */
function executed(): ReadonlySet<number> {
  const offsets = new Set<number>();
  runC(model([]), ({ machine, image }) => {
    const { hart } = known(machine.cpus[1], 'there is a second CPU');
    const at = offsetInCallback(image, hart.pc);
    if (at !== undefined) offsets.add(at);
  });
  return offsets;
}

function offsetInCallback(image: Image, pc: number): number | undefined {
  const fn = known(functionsNamed(image, CALLBACK)[0], 'the module has its callback');
  return pc >= fn.address && pc < fn.address + fn.size ? pc - fn.address : undefined;
}

/** Offsets at which an interrupt found CPU 1, when it is raised before each step of the callback. */
function struck(kind: 'irq' | 'nmi'): ReadonlySet<number> {
  const { from, to } = stepsInside(runC(model([])));
  const offsets = new Set<number>();
  for (let step = from; step <= to; step++) {
    const run = runC(model([{ at: { step, cpu: 1 }, [kind]: { run: 'tick' } }]));
    expect(run.session.ending).toBe('run_end');
    for (const { level, cpu, interrupted } of run.of('irq_enter')) {
      const at = offsetInCallback(run.session.image, interrupted);
      if (level === LEVELS[kind] && cpu === 1 && at !== undefined) offsets.add(at);
    }
    expectNothingLost(run);
    // What the interrupt calls is hooked as well.
    expect(run.of('cb_begin').map(({ level }) => level)).toContain(LEVELS[kind]);
  }
  return offsets;
}

/** What the module counted is what ran and got the lock. */
function expectNothingLost(run: CRun): void {
  const refused = run.of('skip').filter(({ reason }) => reason === 'recursion').length;
  expect(run.session.readData('hits', 8)).toBe(run.of('cb_begin').length - refused);
}

test.each(['irq', 'nmi'] as const)('%s at every instruction of it', { timeout: 60_000 }, (kind) => {
  const instructions = executed();
  expect(instructions.size).toBeGreaterThan(40);
  expect(sorted(struck(kind))).toEqual(sorted(instructions));
});

function sorted(numbers: ReadonlySet<number>): number[] {
  return [...numbers].toSorted((a, b) => a - b);
}

test('a run with the callback interrupted in the middle is recorded and replays', () => {
  const { from, to } = stepsInside(runC(model([])));
  const middle = { at: { step: (from + to) >> 1, cpu: 1 }, nmi: { run: 'tick' } };
  // JSON is YAML.
  const text = JSON.stringify({ name: 'c', ...model([middle]) });
  const parts: Uint8Array[] = [];
  const modules = [{ name: 'sample', bytes: readC('ftrace_sample.ko') }];
  const source = { file: 'c.yaml', text, image: undefined, modules };
  const settings = { seed: 3, chooser: 'random', profile: 'today', variants: [] } as const;
  const result = recordRun(source, settings, (bytes) => {
    parts.push(bytes.slice());
  });
  expect(result.ending).toBe('run_end');
  expect(replayRecording(joinBytes(parts)).status).toBe('identical');
});
