// Layer replay. Guarantee `pairing` for kprobes: which handlers a hit owes, and in which order (KP-31, KP-32, KP-40, KP-41,
// KP-42); and for kretprobes, whose return handler runs once for each call whose entry was accepted (KR-4, KR-5, KR-6,
// CC-G9).
//
// Broken by a pre_handler behind that of an older probe of the address, or behind one that refused; by a post_handler in a
// hit that a pre_handler refused or that was missed, twice, or behind that of an older probe; by a hit that was passed
// without a post_handler of a probe that has one; by an instruction that is passed although a pre_handler refused, or is
// skipped although none did. By a return handler without a return that was taken for it and is still owed, or before those of
// calls further in; by a return that is taken although the entry handler refused; by one that is given back while
// its handler was passed over without a word, or runs; and by a function that returns with what it owed.
//
// Left alone: calls that never return (KR-12); probes on which a call began or ended since their hit began.
//
// Exercised, for each time: a post_handler ran (part `kprobe post`), several pre_handlers of one hit ran (`kprobe order`), a
// pre_handler refused (`kprobe refused`), a return handler ran (`kretprobe paired`), an entry handler refused and the return
// was left alone (`kretprobe refused`).
import type { Event, EventOf } from '../schema.ts';
import { broken, type Broken } from './judge.ts';
import { type KprobeHit, hitAt, hitsOn } from './kprobe-hits.ts';
import type { KprobeJudge, KprobePart } from './kprobe-part.ts';
import { type KprobeHandler, NULL_ADDRESS, POST, PRE, RETURN } from './kprobes.ts';
import {
  type KretprobeFindings,
  kretprobeListeners,
  newKretprobeFindings,
} from './pairing-kretprobe.ts';
import type { Story } from './story.ts';
import { nameOfPlace, theKprobeHandler, where } from './wording.ts';

interface Findings {
  readonly story: Story;
  readonly returns: KretprobeFindings;
  first: Broken | undefined;
  posts: number;
  ordered: number;
  refused: number;
}

export const kprobesPairing: KprobePart = {
  sentence:
    'Of several kprobes of an instruction the newest runs first; one whose pre_handler refuses is the last; ' +
    'else each post_handler runs once behind the instruction. The handler of a kretprobe runs once when the call ' +
    'returns whose entry handler returned 0.',
  rules: ['KP-31', 'KP-32', 'KP-41', 'KP-45', 'KR-4', 'KR-5', 'KR-6'],
  start(story): KprobeJudge {
    const tell = (e: Event, why: string, shows: readonly number[] = []): void => {
      report(found, e, why, shows);
    };
    const found: Findings = {
      story,
      returns: newKretprobeFindings(story, tell),
      first: undefined,
      posts: 0,
      ordered: 0,
      refused: 0,
    };
    const { kprobeHits, kprobes } = story;
    const ofReturns = kretprobeListeners(found.returns);
    return {
      on: {
        ...ofReturns,
        cb_begin: (e) => {
          ofReturns.cb_begin?.(e);
          if (kprobes.handler !== undefined) handlerBegan(found, kprobes.handler);
        },
        kprobe_step: (e) => {
          passed(found, e);
        },
        trap_exit: (e) => {
          if (kprobeHits.left?.phase === 'over') hitOver(found, kprobeHits.left, e);
        },
      },
      end: () => {
        found.returns.finish();
        return { first: found.first, parts: partsOf(found) };
      },
    };
  },
};

function partsOf({ ordered, posts, refused, returns, story }: Findings): Record<string, number> {
  if (story.kprobes.all.size === 0) return {};
  return {
    'kprobe post': posts,
    'kprobe order': ordered,
    'kprobe refused': refused,
    'kretprobe paired': returns.paired,
    'kretprobe refused': returns.refused,
  };
}

function handlerBegan(found: Findings, handler: KprobeHandler): void {
  const { begin } = handler;
  if (begin.kind === RETURN) return;
  const hit = hitAt(found.story.kprobeHits, begin);
  if (hit === undefined) return;
  const name = theKprobeHandler(found.story, handler);
  if (begin.kind === PRE) preBegan(found, hit, handler, name);
  if (begin.kind === POST) postBegan(found, hit, handler, name);
}

/** The last of `all` but `handler` itself. */
function before(all: readonly KprobeHandler[], handler: KprobeHandler): KprobeHandler | undefined {
  return all.findLast((one) => one !== handler);
}

/** Was the probe of `a` registered before that of `b`? */
function isOlder(a: KprobeHandler, b: KprobeHandler): boolean {
  return (a.probe.told?.index ?? -1) < (b.probe.told?.index ?? -1);
}

function preBegan(found: Findings, hit: KprobeHit, handler: KprobeHandler, name: string): void {
  const last = hit.ran.findLast((one) => one.handler !== handler);
  if (last === undefined) return;
  found.ordered++;
  const shows = [last.handler.begin.index];
  const other = theKprobeHandler(found.story, last.handler);
  if (last.refused === true)
    report(found, handler.begin, `${name} ran behind ${other}, which had refused`, shows);
  if (isOlder(last.handler, handler))
    report(found, handler.begin, `${name} ran behind ${other}, which is older`, shows);
  if (last.handler.probe === handler.probe)
    report(found, handler.begin, `${name} ran twice for one hit`, shows);
}

function postBegan(found: Findings, hit: KprobeHit, handler: KprobeHandler, name: string): void {
  found.posts++;
  const refusal = hit.ran.find(({ refused }) => refused === true);
  const miss = hit.skips.find(({ reason }) => reason === 'kprobe_running');
  const last = before(hit.posts, handler);
  if (refusal !== undefined) {
    const other = theKprobeHandler(found.story, refusal.handler);
    report(found, handler.begin, `${name} ran although ${other} had refused`, [
      refusal.handler.begin.index,
    ]);
  }
  if (miss !== undefined)
    report(found, handler.begin, `${name} ran in a hit that was missed`, [miss.index]);
  if (hit.step === undefined)
    report(found, handler.begin, `${name} ran before the instruction`, []);
  if (last === undefined) return;
  const other = theKprobeHandler(found.story, last);
  if (last.probe === handler.probe)
    report(found, handler.begin, `${name} ran twice for one hit`, [last.begin.index]);
  else if (isOlder(last, handler))
    report(found, handler.begin, `${name} ran behind ${other}, which is older`, [last.begin.index]);
}

/** KP-45: the instruction is passed if nobody refused, and only then. */
function passed(found: Findings, e: EventOf<'kprobe_step'>): void {
  const hit = hitsOn(found.story.kprobeHits, e.cpu).findLast(({ ip }) => ip === e.ip);
  if (hit === undefined) return;
  const refusal = hit.ran.find(({ refused }) => refused === true);
  const at = nameOfPlace(found.story.functions, e.ip);
  if (e.how === 'skip') found.refused++;
  if (refusal !== undefined && e.how !== 'skip') {
    const other = theKprobeHandler(found.story, refusal.handler);
    report(found, e, `the instruction at ${at} was executed although ${other} had refused`, []);
  }
  if (e.how === 'skip' && hit.ran.every(({ refused }) => refused === false))
    report(
      found,
      e,
      `the instruction at ${at} was passed over although no pre_handler refused`,
      [],
    );
}

/** KP-41: the post_handlers that are missing. */
function hitOver(found: Findings, hit: KprobeHit, e: EventOf<'trap_exit'>): void {
  const isMissed = hit.skips.some(({ reason }) => reason === 'kprobe_running');
  if (isMissed || hit.step === undefined || hit.step.how === 'skip') return;
  for (const { disabled, probe, turns } of hit.candidates) {
    const has = probe.told !== undefined && probe.told.post !== NULL_ADDRESS;
    if (!has || disabled !== false || turns !== probe.turns || probe.lost || probe.gone) continue;
    if (probe.kind !== 'kprobe' || hit.posts.some((one) => one.probe === probe)) continue;
    const at = nameOfPlace(found.story.functions, hit.ip);
    report(found, e, `a hit at ${at} was over without the post_handler of ${probe.name}`, [
      hit.begin.index,
    ]);
  }
}

function report(found: Findings, e: Event, why: string, shows: readonly number[]): void {
  found.first ??= broken(e.index, `${why} (${where(found.story, e)})`, shows);
}
