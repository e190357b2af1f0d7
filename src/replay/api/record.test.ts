import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { InputError } from '../../assert.ts';
import { joinBytes, readRecording } from '../recording.ts';
import { replayRecording } from '../replay.ts';
import { recordRun } from '../run.ts';
import { workload } from '../workload/build.ts';
import { parseWorkload } from '../workload/parse.ts';
import { record, type RecordOptions } from './record.ts';
import { fromYaml } from './yaml.ts';

const YAML = `name: little
machine: { cpus: 2, seed: 9 }
functions: { f: { body: [work 3, sleep 5] } }
tasks: { t: { cpu: 0, run: f, times: 9 }, u: { cpu: 1, run: f, times: 9 } }
`;

function little(): ReturnType<typeof workload> {
  const w = workload('little', { cpus: 2, seed: 9 });
  const run = w.function('f', (f) => [f.work(3), f.sleep(5)]);
  w.task('t', { cpu: 0, run, times: 9 });
  w.task('u', { cpu: 1, run, times: 9 });
  return w;
}

test('the three forms of a workload are one run', () => {
  const runs = [little(), little().build(), { yaml: YAML, file: 'little.yaml' }].map((input) =>
    record(input),
  );
  expect(new Set(runs.map(({ digest }) => digest)).size).toBe(1);
  expect(record(little()).bytes).toEqual(record(little().build()).bytes);
});

test('YAML records the bytes that the command line writes; the sink gets them too', () => {
  const parts: Uint8Array[] = [];
  const source = { file: 'little.yaml', text: YAML, image: undefined };
  const settings = { seed: 9, chooser: 'random', profile: 'today', variants: [] } as const;
  recordRun(source, settings, (bytes) => parts.push(bytes.slice()));
  const pieces: Uint8Array[] = [];
  const sink = (bytes: Uint8Array): void => void pieces.push(bytes.slice());
  const { bytes } = record({ yaml: YAML, file: 'little.yaml' }, { sink });
  expect(bytes).toEqual(joinBytes(parts));
  expect(joinBytes(pieces)).toEqual(bytes);
  expect(pieces.length).toBeGreaterThan(2);
});

test('the recording of a builder quotes it as YAML', () => {
  const { workload: recorded } = readRecording(record(little()).bytes).header;
  expect(recorded.file).toBe('little');
  expect(fromYaml(recorded.source)).toEqual(little().build());
});

function headerOf(options: RecordOptions): unknown {
  return readRecording(record(little(), options).bytes).header;
}

test('options are those of the run; what is not said is the workload’s', () => {
  expect(headerOf({})).toMatchObject({ chooser: { name: 'random', seed: 9 }, profile: 'today' });
  expect(headerOf({ seed: 4, chooser: 'calm', variants: ['M-02'] })).toMatchObject({
    chooser: { name: 'calm', seed: 4 },
    variants: ['M-02'],
  });
});

test.each<readonly [RecordOptions, string]>([
  [{ seed: 1.5 }, 'seed: expected a whole number from 0 to 4294967295, found 1.5'],
  [{ seed: -1 }, 'seed: expected a whole number from 0 to 4294967295, found -1'],
  [
    { chooser: 'clam' as 'calm' },
    "chooser: expected random or calm, found 'clam', did you mean 'calm'?",
  ],
  [{ profile: 'toady' }, "unknown profile 'toady', did you mean 'today'?"],
  [{ variants: ['M-2'] }, "unknown variant 'M-2', did you mean 'M-02'?"],
])('%o is refused', (options, message) => {
  expect(() => record(little(), options)).toThrow(
    expect.objectContaining({ name: 'InputError', message }),
  );
});

test('a mistake of plain data is told by its key, one of YAML by its line', () => {
  const wrong = { ...little().build(), tasks: { t: { cpu: 5, run: 'f' } } };
  expect(() => record(wrong)).toThrow('little: tasks.t.cpu: expected a CPU from 0 to 1, found 5');
  const yaml = YAML.replace('run: f,', 'run: g,');
  expect(() => record({ yaml })).toThrow("workload:4:28: unknown function 'g'");
});

test('a trigger that never fires is told with the place of its call', () => {
  const w = little();
  w.on({ event: 'printk' }, { irq: w.external('f') });
  const [unfired] = record(w).unfired;
  expect(unfired).toMatch(/record\.test\.ts:\d+:\d+: timeline\[0\]: this trigger never fired/u);
});

test('compiled code takes part; its content is handed over', () => {
  const folder = join(import.meta.dirname, '../../../golden');
  const text = readFileSync(join(folder, 'memory-c-store.yaml'), 'utf8');
  const { workload: model } = parseWorkload(text, 'store');
  const image = readFileSync(join(folder, model.image ?? ''));
  const { ending, bytes } = record(model, { image });
  expect(ending).toBe('run_end');
  expect(replayRecording(bytes).status).toBe('identical');
  expect(() => record(model)).toThrow(/: image: .* was not given/u);
});

test('what is no workload and no recording is an InputError, whatever it is', () => {
  for (const given of [undefined, null, 5, {}, { yaml: 5 }, { name: 5 }, []]) {
    expect(() => record(given as unknown as { yaml: string })).toThrow(InputError);
    expect(() => replayRecording(given as unknown as Uint8Array)).toThrow(InputError);
    expect(() => fromYaml(given as unknown as string)).toThrow(InputError);
  }
});
