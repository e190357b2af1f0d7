// Replaying what is left of a damaged recording.
import { expect, test } from 'vitest';
import { rebind } from '../../properties/rebind.ts';
import { recordLong } from '../../properties/record-long.ts';
import { scanFrames } from './frame-scan.ts';
import { unpack } from './packed.ts';
import { joinBytes, readRecording, type Recording } from './recording.ts';
import { replayRecording } from './replay.ts';
import { FORMAT_VERSION, sealed, SEAL_NONE } from './seal.ts';

/** Enough for several frames. */
const ROUNDS = 120;

const LONG = recordLong({ rounds: ROUNDS, seed: 3 });
const WHOLE = readRecording(LONG);
const [FIRST, SECOND, THIRD] = WHOLE.frames.map(({ offset }) => offset) as [number, number, number];
const END = scanFrames(LONG, FIRST).objects.at(-1)?.offset ?? 0;

/** The file with one byte changed. */
function changed(at: number, by: number): Uint8Array {
  const bytes = LONG.slice();
  bytes[at] = (bytes[at] ?? 0) ^ by;
  return bytes;
}

/** The same without an end, as of a killed run. */
function endless(at: number): Uint8Array {
  return changed(at, 1).subarray(0, END);
}

/** Where the choices of frame `number` begin, in the frame itself. */
function choicesAt(number: number): number {
  const { choices, offset } = WHOLE.frames[number] as Recording['frames'][number];
  return Buffer.from(LONG).indexOf(choices, offset);
}

/** The file with another header at both places. */
function withHeader(change: (text: string) => string): Uint8Array {
  const { version, ...rest } = WHOLE.header;
  const header: unknown = { version, ...(JSON.parse(change(JSON.stringify(rest))) as object) };
  const object = sealed([header, FORMAT_VERSION, SEAL_NONE]);
  const [end, run] = unpack(LONG.subarray(END)) as [object, string];
  const ended = sealed([{ ...end, header }, run, SEAL_NONE]);
  const frames = WHOLE.frames.map(({ offset }, i) =>
    LONG.subarray(offset, WHOLE.frames[i + 1]?.offset ?? END),
  );
  return joinBytes([LONG.subarray(0, 10), object, ...rebind(object, [...frames, ended])]);
}

test('a replay goes on over a damaged frame', () => {
  for (const at of [SECOND + 2000, choicesAt(1) + 20, THIRD - 1]) {
    const outcome = replayRecording(changed(at, 1));
    const behind = WHOLE.log.count - (WHOLE.frames[2]?.firstEvent ?? 0);
    expect(behind).toBeGreaterThan(3000);
    expect(outcome).toMatchObject({
      status: 'identical',
      events: WHOLE.frames[1]?.firstEvent,
      steps: WHOLE.end?.steps,
      digest: WHOLE.end?.digest,
      behind,
      made: WHOLE.frames[1]?.eventCount,
    });
    expect(outcome.damage).toMatch(
      /^frame 1 \(byte \d+\): its digest does not match; events \d+ to \d+ are lost; 1 whole frames with \d+ events can be used, \d+ frames with \d+ events behind them can be read; the \d+ lost events were made again by the same choices, and the digest of the whole run is as recorded$/u,
    );
  }
});

test('a frame that is gone is no loss either, also where the run was killed', () => {
  const gone = joinBytes([LONG.subarray(0, SECOND), LONG.subarray(THIRD - 100, END)]);
  const outcome = replayRecording(gone);
  expect(outcome).toMatchObject({
    status: 'identical',
    events: WHOLE.frames[1]?.firstEvent,
    behind: WHOLE.log.count - (WHOLE.frames[2]?.firstEvent ?? 0),
    made: WHOLE.frames[1]?.eventCount,
  });
  expect(outcome.damage).toMatch(
    /; the \d+ lost events were made again by the same choices, the \d+ events behind them are as recorded$/u,
  );
});

test('the first frame and the last are no loss either', () => {
  const last = WHOLE.frames.at(-1) as Recording['frames'][number];
  expect(replayRecording(changed(FIRST + 2000, 1))).toMatchObject({
    status: 'identical',
    events: 0,
    digest: WHOLE.end?.digest,
    made: WHOLE.frames[0]?.eventCount,
  });
  const outcome = replayRecording(changed(last.offset + 200, 1));
  expect(outcome).toMatchObject({
    status: 'identical',
    events: last.firstEvent,
    digest: WHOLE.end?.digest,
    made: last.eventCount,
  });
  expect(outcome).not.toHaveProperty('behind');
});

test('of two frames in a row one is gone unless its choices look like some', () => {
  const damaged = changed(SECOND + 2000, 4);
  damaged[THIRD + 2000] = (damaged[THIRD + 2000] ?? 0) ^ 1;
  const made = (WHOLE.frames[1]?.eventCount ?? 0) + (WHOLE.frames[2]?.eventCount ?? 0);
  expect(replayRecording(damaged)).toMatchObject({ status: 'identical', made });
  // The answer behind the number of answers and the first run of zeros: no divergence.
  damaged[choicesAt(1) + 20] = (damaged[choicesAt(1) + 20] ?? 0) ^ 1;
  const outcome = replayRecording(damaged);
  expect(outcome).toMatchObject({ status: 'identical', events: WHOLE.frames[1]?.firstEvent });
  expect(outcome).not.toHaveProperty('behind');
  expect(outcome).not.toHaveProperty('made');
  expect(outcome.damage).toMatch(/cannot be replayed: the choices in it are lost$/u);
});

test('another run behind a damaged frame is a divergence', () => {
  const third = unpack(LONG.subarray(THIRD, WHOLE.frames[3]?.offset)) as unknown[];
  const state = sealed(third.with(5, '0123456789abcdef').with(8, SEAL_NONE));
  const other = joinBytes([changed(SECOND + 2000, 4).subarray(0, THIRD), state]);
  const end = WHOLE.frames[3]?.firstEvent;
  expect(replayRecording(other)).toMatchObject({
    status: 'diverged',
    at: end,
    state: expect.arrayContaining([
      expect.stringMatching(/^state digest 0123456789abcdef was recorded, /u),
    ]) as string[],
  });
  const first = third[0] as number;
  const step = (third[2] as Uint8Array).slice();
  // A bit of the first event's step.
  step[2] = (step[2] ?? 0) ^ 2;
  const moved = sealed(third.with(2, step).with(8, SEAL_NONE));
  const outcome = replayRecording(joinBytes([changed(SECOND + 2000, 4).subarray(0, THIRD), moved]));
  expect(outcome).toMatchObject({
    status: 'diverged',
    at: first,
    recorded: expect.stringMatching(new RegExp(`^#${first} `, 'u')) as string,
    replayed: expect.stringMatching(new RegExp(`^#${first} `, 'u')) as string,
  });
  expect(outcome.damage).toMatch(/can be read$/u);
});

test('a damaged header is read from the end', () => {
  for (const at of [2, 9, 10, 11, 40, FIRST - 1])
    expect(replayRecording(changed(at, 1))).toMatchObject({
      status: 'identical',
      events: WHOLE.log.count,
      digest: WHOLE.end?.digest,
      damage: expect.stringMatching(/^header \(byte (?:0|10)\): /u) as string,
    });
});

test('where the end is lost, too, what a damaged header says is a run only if it is the recorded one', () => {
  const inVersion = Buffer.from(LONG).indexOf('0.1.0');
  expect(replayRecording(endless(inVersion))).toMatchObject({
    status: 'identical',
    events: WHOLE.log.count,
    damage: expect.stringMatching(/^header \(byte 10\): its digest does not match; /u) as string,
  });
  // The `times` of a task in the model, one more, and a CPU that does not exist.
  const times = Buffer.from(LONG.subarray(0, FIRST)).lastIndexOf(
    Uint8Array.of(...Buffer.from('times'), ROUNDS),
  );
  expect(() => replayRecording(endless(times + 5))).toThrow(
    /what the header says now is another run$/u,
  );
  const cpus = Buffer.from(LONG).indexOf(Uint8Array.of(...Buffer.from('cpus'), 4));
  expect(() => replayRecording(endless(cpus + 4))).toThrow(
    /what the header says now (?:cannot be run: |is another run$)/u,
  );
});

test('a run that goes on behind the recorded one is not followed to its end', () => {
  const longer = withHeader((text) => text.replaceAll(`"times":${ROUNDS}`, '"times":1000000'));
  const steps: number[] = [];
  const outcome = replayRecording(longer, { progress: (step) => steps.push(step) });
  expect(outcome.status).toBe('diverged');
  expect(Math.max(0, ...steps)).toBeLessThan((WHOLE.end?.steps ?? 0) + 50_000);
});
