// Layer replay. Guarantee `recursion` for kprobes: no handler begins while another kprobe runs on that CPU (KP-42, KP-43,
// KR-6, CC-G12), and one on an ftrace site runs with its recursion bit held (KP-51, CC-H8.1).
//
// Broken by a handler of a kprobe or kretprobe that begins on a CPU where another one is open, or while an instruction is
// stepped there; and by a handler of a hit on an ftrace site whose context holds no trylock.
//
// Left alone: handlers in which the task slept. Between the hit and the moment that says that a kprobe runs, an interrupt
// may have hits of its own.
//
// Exercised: a hit began where a handler was open, or while an instruction was stepped (part `kprobe nested`); a
// handler ran on an ftrace site (`kprobe locked`).
import type { EventOf } from '../schema.ts';
import { broken, type Broken } from './judge.ts';
import { hitsOn } from './kprobe-hits.ts';
import type { KprobeJudge, KprobePart } from './kprobe-part.ts';
import { FTRACE, type KprobeHandler, RETURN } from './kprobes.ts';
import {
  GROUP,
  groupOf,
  heldBy,
  newRecursionWords,
  type RecursionWords,
  wordListeners,
} from './recursion-words.ts';
import type { Story } from './story.ts';
import { nameOfPlace, theKprobeHandler, where } from './wording.ts';

interface Findings {
  readonly story: Story;
  readonly words: RecursionWords;
  first: Broken | undefined;
  nested: number;
  locked: number;
}

export const kprobesRecursion: KprobePart = {
  sentence:
    'A kprobe that is hit while another kprobe runs on the CPU runs no handler; on an ftrace site its ' +
    'handlers run under a recursion lock.',
  rules: ['KP-42', 'KP-43', 'KP-51', 'KR-6', 'CC-G12'],
  start(story): KprobeJudge {
    const words = newRecursionWords();
    const found: Findings = { story, words, first: undefined, nested: 0, locked: 0 };
    const { kprobeHits, kprobes } = story;
    const follow = wordListeners(words);
    return {
      on: {
        ...follow,
        trap_enter: (e) => {
          follow.trap_enter?.(e);
          if (kprobeHits.begun !== undefined && isRunning(story, e)) found.nested++;
        },
        cb_begin: () => {
          if (kprobes.handler !== undefined) handlerBegan(found, kprobes.handler);
        },
      },
      end: () => ({ first: found.first, parts: partsOf(found) }),
    };
  },
};

function partsOf({ locked, nested, story }: Findings): Record<string, number> {
  return story.kprobes.all.size === 0 ? {} : { 'kprobe nested': nested, 'kprobe locked': locked };
}

function isRunning({ kprobeHits, kprobes }: Story, { cpu }: EventOf<'trap_enter'>): boolean {
  const isOpen = kprobes.open.some(({ begin, slept }) => begin.cpu === cpu && !slept);
  return isOpen || hitsOn(kprobeHits, cpu).some(({ phase }) => phase === 'step');
}

function handlerBegan(found: Findings, handler: KprobeHandler): void {
  const { story } = found;
  const { begin, probe } = handler;
  const { cpu, index, ip } = begin;
  const began = (): string => `${theKprobeHandler(story, handler)} began (${where(story, begin)})`;
  const other = story.kprobes.open.find(
    (one) => one !== handler && one.begin.cpu === cpu && !one.slept,
  );
  if (other !== undefined) {
    const why = `${began()} while ${theKprobeHandler(story, other)} ran on this CPU`;
    found.first ??= broken(index, why, [other.begin.index]);
  }
  const stepped = hitsOn(story.kprobeHits, cpu).find(({ phase }) => phase === 'step');
  if (stepped?.step !== undefined) {
    const at = nameOfPlace(story.functions, stepped.ip);
    const why = `${began()} while the instruction at ${at} was stepped on this CPU`;
    found.first ??= broken(index, why, [stepped.step.index]);
  }
  if (begin.kind === RETURN || probe.told?.how !== FTRACE || probe.told.ip !== ip) return;
  found.locked++;
  const isHeld = heldBy(found.words, begin).some(({ bit }) => groupOf(bit) === GROUP.ftrace);
  if (!isHeld) found.first ??= broken(index, `${began()} without a recursion lock`, []);
}
