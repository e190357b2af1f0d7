// Replaying what is left of a damaged recording.
import { expect, test } from 'vitest';
import { longWorkload } from '../../properties/determinism-long.ts';
import { unpack } from './packed.ts';
import { joinBytes, readRecording, type Recording } from './recording.ts';
import { replayRecording } from './replay.ts';
import { recordRun } from './run.ts';
import { sealed, SEAL_NONE } from './seal.ts';

function record(): Uint8Array {
  const parts: Uint8Array[] = [];
  recordRun(
    { file: 'long.yaml', text: longWorkload(60), image: undefined },
    { seed: 3, chooser: 'random', profile: 'today', variants: [] },
    (bytes) => {
      parts.push(bytes.slice());
    },
  );
  return joinBytes(parts);
}

const LONG = record();
const WHOLE = readRecording(LONG);
const [FIRST, SECOND, THIRD] = WHOLE.frames.map(({ offset }) => offset) as [number, number, number];

/** The file with one byte changed. */
function changed(at: number, by: number): Uint8Array {
  const bytes = LONG.slice();
  bytes[at] = (bytes[at] ?? 0) ^ by;
  return bytes;
}

/** Where the choices of the second frame begin. */
function choicesAt(): number {
  const { choices } = WHOLE.frames[1] as Recording['frames'][number];
  return Buffer.from(LONG).indexOf(choices, SECOND);
}

/** The file with another model in its header, and a seal that fits. */
function withModel(change: (model: string) => string): Uint8Array {
  const [header] = unpack(LONG.subarray(10, FIRST)) as [Recording['header']];
  const model: unknown = JSON.parse(change(JSON.stringify(header.workload.model)));
  const object = sealed([{ ...header, workload: { ...header.workload, model } }, SEAL_NONE]);
  return joinBytes([LONG.subarray(0, 10), object, LONG.subarray(FIRST)]);
}

test('a replay goes on over a damaged frame whose choices are still there', () => {
  const outcome = replayRecording(changed(SECOND + 2000, 4));
  const behind = WHOLE.log.count - (WHOLE.frames[2]?.firstEvent ?? 0);
  expect(behind).toBeGreaterThan(3000);
  expect(outcome).toMatchObject({
    status: 'identical',
    events: WHOLE.frames[1]?.firstEvent,
    behind,
  });
  expect(outcome.damage).toMatch(
    /^frame 1 \(byte \d+\): its digest does not match; events \d+ to \d+ are lost; 1 whole frames with \d+ events can be used, \d+ frames with \d+ events behind them can be read; the \d+ events behind the damage replay, too, with the choices found in it$/u,
  );
});

test('other choices in a damaged frame are no divergence', () => {
  // The answer behind the number of answers and the first run of zeros.
  const outcome = replayRecording(changed(choicesAt() + 20, 1));
  expect(outcome).toMatchObject({ status: 'identical', events: WHOLE.frames[1]?.firstEvent });
  expect(outcome).not.toHaveProperty('behind');
  expect(outcome.damage).toMatch(/cannot be replayed: the choices in it are lost$/u);
});

test('behind a frame that is gone nothing can be replayed', () => {
  const gone = joinBytes([LONG.subarray(0, SECOND), LONG.subarray(THIRD - 100)]);
  const outcome = replayRecording(gone);
  expect(outcome).toMatchObject({ status: 'identical', events: WHOLE.frames[1]?.firstEvent });
  expect(outcome.damage).toMatch(/cannot be replayed: the choices in it are lost$/u);
});

test('what a damaged header says is a run only if it is the recorded one', () => {
  const inVersion = Buffer.from(LONG).indexOf('0.1.0');
  expect(replayRecording(changed(inVersion, 1))).toMatchObject({
    status: 'identical',
    events: WHOLE.log.count,
    damage: expect.stringMatching(/^header \(byte 10\): its digest does not match; /u) as string,
  });
  // `times: 60` of a task in the model, as 61, and a CPU that does not exist.
  const times = Buffer.from(LONG).lastIndexOf(Uint8Array.of(...Buffer.from('times'), 60));
  expect(() => replayRecording(changed(times + 5, 1))).toThrow(
    /what the header says now is another run$/u,
  );
  const cpus = Buffer.from(LONG).indexOf(Uint8Array.of(...Buffer.from('cpus'), 4));
  expect(() => replayRecording(changed(cpus + 4, 1))).toThrow(
    /what the header says now (?:cannot be run: |is another run$)/u,
  );
});

test('a run that goes on behind the recorded one is not followed to its end', () => {
  const endless = withModel((model) => model.replaceAll('"times":60', '"times":1000000'));
  const steps: number[] = [];
  const outcome = replayRecording(endless, { progress: (step) => steps.push(step) });
  expect(outcome.status).toBe('diverged');
  expect(Math.max(0, ...steps)).toBeLessThan((WHOLE.end?.steps ?? 0) + 50_000);
});
