// Layer replay. Guarantee `recursion`: what the recursion lock lets in and what it refuses (CC-O8, CC-G11).
//
// Each task has a word of bits: for every group one for each level and a spare one, TRANSITION (FT-50). Broken by
// a trylock that sets a bit which is set already, so that nothing bounds the nesting; by one that sets the bit of
// another level, or TRANSITION while its own is free (FT-51); by a refusal while its own bit or TRANSITION is free,
// which loses a hit; by a trylock that guest code is told has let it in, without a bit that it has set (H-12); and by an
// interrupt that is over and leaves a bit of the list function set, or a function that returns while a bit is set that
// its hit has taken: the next hits are lost. Bits that guest code keeps by its own trylock, and those of callbacks which never returned, are
// their own affair. Broken also by a third handler of an fprobe within two others of its context (FP-34).
//
// Exercised, for each time: a trylock finds its own bit set, and takes TRANSITION (part `let in`) or is refused
// (`refused`).
import type { EventOf } from '../schema.ts';
import { fprobeOf, type Handler } from './fprobes.ts';
import { nameOfSite } from './functions.ts';
import type { Frame } from './hit.ts';
import { broken, type Broken, type Guarantee, heldInParts, type Verdict } from './judge.ts';
import {
  GROUP,
  groupOf,
  heldBy,
  holderOf,
  isFull,
  nameOfBit,
  newRecursionWords,
  ownBit,
  type RecursionWords,
  transitionBit,
  wordListeners,
} from './recursion-words.ts';
import type { Story } from './story.ts';
import { where } from './wording.ts';

interface Findings {
  readonly story: Story;
  readonly words: RecursionWords;
  first: Broken | undefined;
  letIn: number;
  refusals: number;
  locks: number;
  /** The trylocks whose bits guest code was told of: indexes of their `recursion_set`. */
  readonly told: Set<number>;
  /** A callback was left without a return: its caller's bits stay. */
  abandoned: boolean;
}

const RECURSION = 'recursion';

export const recursion: Guarantee = {
  name: 'recursion',
  sentence:
    'A callback that leads back to itself is let through once more for each task, whatever the ' +
    'context, and then refused; no hit is refused while its level or the spare one is free.',
  document: 'Using ftrace to hook to functions',
  section: 'Protect your callback',
  rules: ['FT-51', 'FT-52', 'FT-56', 'FP-34', 'CC-H5', 'CC-G11', 'CC-O8'],
  start(story) {
    const words = newRecursionWords();
    const found: Findings = {
      story,
      words,
      first: undefined,
      letIn: 0,
      refusals: 0,
      locks: 0,
      told: new Set(),
      abandoned: false,
    };
    const follow = wordListeners(words);
    return {
      on: {
        ...follow,
        recursion_set: (e) => {
          bitSet(found, e);
          follow.recursion_set?.(e);
        },
        trylock: (e) => {
          callerTold(found, e);
        },
        skip: (e) => {
          if (e.reason === RECURSION) refused(found, e);
        },
        cb_begin: () => {
          const { handler } = story.fprobes;
          if (handler !== undefined) handlerBegan(found, handler);
        },
        func_abandon: (e) => {
          if (story.callbackFunctions.has(e.func)) found.abandoned = true;
        },
        func_return: (e) => {
          if (story.left !== undefined) returned(found, story.left, e);
        },
        irq_exit: (e) => {
          interruptEnded(found, e);
          follow.irq_exit?.(e);
        },
      },
      end: () => verdict(found),
    };
  },
};

function bitSet(found: Findings, e: EventOf<'recursion_set'>): void {
  const { story, words } = found;
  found.locks++;
  const group = groupOf(e.bit);
  const own = ownBit(words, e, group);
  const [owner, before] = [own, e.bit].map((bit) => holderOf(words, e, bit));
  if (owner !== undefined) found.letIn++;
  const what = `a trylock (${where(story, e)}) took ${nameOfBit(e.bit)}`;
  if (before !== undefined) {
    report(found, e.index, `${what}, which was set already: nothing bounds it`, [before.index]);
  } else if (e.bit !== own && e.bit !== transitionBit(group)) {
    report(found, e.index, `${what}, but its own level is ${nameOfBit(own)}`, []);
  } else if (e.bit !== own && owner === undefined) {
    report(found, e.index, `${what}, although ${nameOfBit(own)} was free`, []);
  }
}

/** The lock has two bits for its context, so that many handlers can be inside each other. */
function handlerBegan(found: Findings, { begin }: Handler): void {
  const { fprobes } = found.story;
  const inside = fprobes.open.filter((open) => isBeside(open.begin, begin));
  if (inside.length <= 2 || found.abandoned) return;
  const { name } = fprobeOf(fprobes, begin.object);
  const why = `a handler of ${name} began (${where(found.story, begin)}) inside of ${inside.length - 1} others: nothing bounds it`;
  report(
    found,
    begin.index,
    why,
    inside.map((open) => open.begin.index),
  );
}

function isBeside(a: EventOf<'cb_begin'>, b: EventOf<'cb_begin'>): boolean {
  return a.pid === b.pid && a.level === b.level && a.cpu === b.cpu;
}

/** Each trylock is told of a bit of its own. */
function callerTold(found: Findings, e: EventOf<'trylock'>): void {
  const set = holderOf(found.words, e, e.bit);
  const isOwn = set !== undefined && set.level === e.level && !found.told.has(set.index);
  if (isOwn) found.told.add(set.index);
  else {
    const why = `a trylock (${where(found.story, e)}) let its caller in and set no bit: nothing bounds it`;
    report(found, e.index, why, set === undefined ? [] : [set.index]);
  }
}

function refused(found: Findings, e: EventOf<'skip'>): void {
  const { story, words } = found;
  if (isFull(words, e)) {
    found.refusals++;
    return;
  }
  const set = heldBy(words, e);
  const bits = set.map(({ bit }) => nameOfBit(bit)).join(', ');
  const what = bits === '' ? 'no bit was set' : `only these were set: ${bits}`;
  const why = `a hit was refused for recursion (${where(story, e)}), but ${what}`;
  report(
    found,
    e.index,
    why,
    set.map((one) => one.set.index),
  );
}

/** Each trylock of the list function is given back where it was made. */
function interruptEnded(found: Findings, e: EventOf<'irq_exit'>): void {
  if (found.abandoned) return;
  const left = heldBy(found.words, e).find(
    ({ bit, set }) => groupOf(bit) === GROUP.list && set.level === e.level && set.cpu === e.cpu,
  );
  if (left === undefined) return;
  const why = `an interrupt ended (${where(found.story, e)}) and left ${nameOfBit(left.bit)} set`;
  report(found, e.index, why, [left.set.index]);
}

/** What a hit has taken, at the entry or on the way back, is given back before the caller goes on (H-08). */
function returned(found: Findings, { entered, site }: Frame, e: EventOf<'func_return'>): void {
  if (found.abandoned) return;
  const left = heldBy(found.words, e).find(
    ({ set }) => set.level === e.level && set.index > entered && !found.told.has(set.index),
  );
  if (left === undefined) return;
  const { story } = found;
  const name = nameOfSite(story.functions, site);
  const why = `${name} returned (${where(story, e)}) and left ${nameOfBit(left.bit)} set`;
  report(found, e.index, why, [left.set.index]);
}

function report(found: Findings, at: number, why: string, shows: readonly number[]): void {
  found.first ??= broken(at, why, shows);
}

function verdict(found: Findings): Verdict {
  if (found.first !== undefined) return found.first;
  const { letIn, locks, refusals } = found;
  const why =
    locks === 0
      ? 'No recursion lock was taken.'
      : 'No trylock found the bit of its level set: nothing recursed.';
  return heldInParts({ 'let in': letIn, refused: refusals }, why);
}
