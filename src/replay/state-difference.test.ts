// What a replay says when every event is as recorded and the machine is not.
import { expect, test } from 'vitest';
import { recordLong } from '../../properties/record-long.ts';
import { scanFrames } from './frame-scan.ts';
import { unpack } from './packed.ts';
import { joinBytes, readRecording } from './recording.ts';
import { replayRecording } from './replay.ts';
import { sealed, SEAL_NONE } from './seal.ts';
import { differingParts, partsIn, WHOLE_DIGITS } from './state-digest.ts';

const LONG = recordLong({ rounds: 60, seed: 3 });
const WHOLE = readRecording(LONG);
const FIRST = WHOLE.frames[0]?.offset ?? 0;
const SECOND = WHOLE.frames[1]?.offset ?? 0;
const STATE = WHOLE.frames[0]?.stateDigest ?? '';
const PARTS = partsIn(STATE);

/** The file with another state behind its first frame. */
function withState(state: string): Uint8Array {
  const frame = unpack(LONG.subarray(FIRST, SECOND)) as unknown[];
  const other = sealed(frame.with(5, state).with(8, SEAL_NONE));
  return joinBytes([LONG.subarray(0, FIRST), other, LONG.subarray(SECOND)]);
}

/** What a replay says where parts `numbers` of the recorded state were others. */
function said(...numbers: readonly number[]): readonly string[] {
  const parts = PARTS.map((part, number) => (numbers.includes(number) ? '01234567' : part));
  const outcome = replayRecording(withState(`0123456789abcdef${parts.join('')}`));
  expect(outcome).toMatchObject({ status: 'diverged', at: WHOLE.frames[1]?.firstEvent });
  const lines = outcome.status === 'diverged' ? outcome.state : [];
  expect(lines[0]).toMatch(
    /^state digest 0123456789abcdef was recorded, [0-9a-f]{16} is replayed; all events of the frame at byte \d+, 0 to \d+, are the same$/u,
  );
  const end = lines.findIndex((line) => line.startsWith('replayed up to step '));
  return lines.slice(1, end);
}

test('a state is the digest of the whole, then of machine, CPUs, tasks and segments', () => {
  expect(scanFrames(LONG, FIRST).objects.length).toBeGreaterThan(2);
  expect(STATE).toHaveLength(WHOLE_DIGITS + 8 * PARTS.length);
  expect(PARTS.length).toBeGreaterThan(1 + 4 + 6);
});

test('the part that differs is shown as it is replayed', () => {
  expect(said(0)).toEqual([expect.stringMatching(/^differs: the machine: step \d+, \d+ cells$/u)]);
  const cpu = said(2);
  expect(cpu).toEqual([
    expect.stringMatching(/^differs: CPU 1: preempt_count \d+, irqs (?:on|off), pc \S+, ra 0x/u),
    expect.stringMatching(/^ {2}stack of swapper\/1: /u),
  ]);
  const task = said(5);
  expect(task).toEqual([
    expect.stringMatching(/^differs: task 1 \([^)]+\): [a-z]+, /u),
    expect.stringMatching(
      /^ {2}stack of \S+: pages of 256 bytes written since boot: 0xffffffff900[0-9a-f]{5}/u,
    ),
  ]);
  const data = PARTS.flatMap((_, number) => (number > 4 ? said(number) : [])).filter((line) =>
    line.startsWith('differs: data: '),
  );
  expect(data).toEqual([
    expect.stringMatching(
      /^differs: data: pages of 256 bytes written since boot: 0xffffffff8000[0-9a-f]{4} <\w+/u,
    ),
  ]);
});

test('several parts that differ are all shown, in their order', () => {
  expect(said(0, 1, 3).filter((line) => line.startsWith('differs: '))).toEqual([
    expect.stringContaining('the machine'),
    expect.stringContaining('CPU 0'),
    expect.stringContaining('CPU 2'),
  ]);
});

test('a state of other parts tells nothing more', () => {
  const outcome = replayRecording(withState('0123456789abcdef'));
  expect(outcome).toMatchObject({
    status: 'diverged',
    state: expect.arrayContaining([
      'the recorded state is not of the same parts: nothing tells what differs',
    ]) as string[],
  });
  expect(differingParts('0'.repeat(24), '0'.repeat(32))).toBeUndefined();
});
