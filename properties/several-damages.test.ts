// Damage to several objects costs no more than to one, as long as no two of them are neighbours, or header and end
// (docs/format.md): every whole frame replays, and what the others held is made again.
import { expect, test } from 'vitest';
import { known } from '../src/assert.ts';
import { joinBytes, readRecording } from '../src/replay/recording.ts';
import { replayRecording } from '../src/replay/replay.ts';
import { Draws, flipBit } from './mutate-bytes.ts';
import { originalOf } from './mutate-recording.ts';
import { recordLong } from './record-long.ts';
import { reframed } from './reframe.ts';

const FILES = 300;
const SEED = Number(process.env['SEED'] ?? 1);
const TIMEOUT = 300_000;
const HEADER = 1;

const ORIGINAL = originalOf(reframed(recordLong({ rounds: 3, seed: 31 }), 80));
const WHOLE = readRecording(ORIGINAL.bytes);
const END = ORIGINAL.objects.length - 1;

/** Two or three objects of which nothing is lost for good. */
function drawObjects(draws: Draws): readonly number[] {
  const hit: number[] = [];
  const wanted = 2 + draws.below(2);
  while (hit.length < wanted) {
    const one = draws.below(END + 1);
    const isApart = hit.every((other) => Math.abs(other - one) > 1);
    const isBothEnds = [one, ...hit].includes(HEADER) && [one, ...hit].includes(END);
    if (isApart && !isBothEnds) hit.push(one);
  }
  return hit;
}

test(
  `${FILES} files with flipped bits in two or three objects: nothing is lost for good`,
  () => {
    expect(END).toBeGreaterThan(8);
    for (let i = 0; i < FILES; i++) {
      const draws = new Draws(SEED * FILES + i);
      const hit = drawObjects(draws);
      const objects = ORIGINAL.objects.map((object, at) =>
        hit.includes(at) ? flipBit(object, draws, object) : object,
      );
      const lost = hit.reduce((sum, at) => sum + (WHOLE.frames[at - 2]?.eventCount ?? 0), 0);
      const outcome = replayRecording(joinBytes(objects));
      if (outcome.status !== 'identical') throw new Error(`diverged: ${hit.join()}`);
      const { events, behind = 0, made = 0, damage } = outcome;
      expect({ made, replayed: events + behind }, damage).toEqual({
        made: lost,
        replayed: WHOLE.log.count - lost,
      });
      if (!hit.includes(END)) expect(outcome.digest).toBe(known(WHOLE.end, 'it is whole').digest);
    }
  },
  TIMEOUT,
);
