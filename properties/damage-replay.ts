// What a replay owes to a recording that some accident befell (docs/format.md, "Damage"): whatever is readable is the
// run that it says it is, so it replays; what is lost is named. It is never another run.
import { InputError } from '../src/assert.ts';
import { lostEvents } from '../src/replay/assembly.ts';
import { damageText, type Salvage } from '../src/replay/recording.ts';
import { type ReplayOutcome, replayRecording } from '../src/replay/replay.ts';
import type { Original } from './mutate-recording.ts';

/** Gaps that a message names. */
const GAPS_NAMED = 3;

/** Replays `bytes`, of which `found` was read. */
export function expectReplay(bytes: Uint8Array, found: Salvage): void {
  const { damage, header, isHeaderDoubtful } = found;
  const outcome = replayUnlessRefused(bytes);
  if (outcome === undefined) {
    if (header !== undefined && !isHeaderDoubtful)
      throw new Error(`the replay was refused although the header is whole: ${damageText(found)}`);
    return;
  }
  expectIdentical(outcome, found);
  if ((outcome.damage === undefined) !== (damage === undefined))
    throw new Error('the replay does not tell what is damaged');
}

function replayUnlessRefused(bytes: Uint8Array): ReplayOutcome | undefined {
  try {
    return replayRecording(bytes);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return undefined;
  }
}

function expectIdentical(outcome: ReplayOutcome, found: Salvage): void {
  const told = damageText(found);
  if (outcome.status !== 'identical') throw new Error(`diverged at ${outcome.at}: ${told}`);
  const { events, behind = 0, damage } = outcome;
  if (events !== found.log.count)
    throw new Error(`${events} events replayed, ${found.log.count} can be read: ${told}`);
  const frames = found.islands.flatMap((island) => island.frames);
  const readable = frames.reduce((sum, { eventCount }) => sum + eventCount, 0);
  if (behind < readable && damage?.includes('cannot be replayed') !== true)
    throw new Error(`${behind} of ${readable} events behind the damage replayed: ${damage}`);
  for (const [from, to] of lostEvents(found).slice(0, GAPS_NAMED))
    if (!told.includes(`${from} to ${to}`))
      throw new Error(`events ${from} to ${to} are lost: ${told}`);
}

/** Every frame that lies in `bytes` as it was written is read, if it is of the file's run; any other is named. */
export function expectFramesOf(
  bytes: Uint8Array,
  found: Salvage,
  written: readonly Original[],
): void {
  const { frames, islands, damages } = found;
  const behind = islands.flatMap((island) => island.frames);
  const read = new Set([...frames, ...behind].map(({ digest }) => digest));
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const { objects, run } of written) {
    for (const object of objects.slice(2, -1)) {
      const offset = buffer.indexOf(object);
      const isRead = read.has(Buffer.from(object.subarray(-16)).toString('latin1'));
      if (run !== found.run && isRead)
        throw new Error(`the frame at byte ${offset} is of another recording, and is read`);
      if (offset < 0 || isRead) continue;
      const isNamed =
        run === found.run
          ? // Of two frames with the same events one is enough.
            damages.some((one) => one.part === 'frame' && one.offset === offset)
          : damages.some((one) => one.offset <= offset && one.what.includes('another recording'));
      if (!isNamed) throw new Error(`the whole frame at byte ${offset} is not read`);
    }
  }
}
