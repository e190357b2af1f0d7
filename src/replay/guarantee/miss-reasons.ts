// Layer replay. Why a hit of an fprobe may be passed over, by the judge's own account: what a `skip` says is checked against
// the events of the machine and of the calls (CC-G10). Which reasons count in `nmissed` is a rule of the era
// (ARCHITECTURE.md, "fprobe").
//
// A reason is refuted only for certain: pools (`node-pools.ts`) and shadow stacks (`shadow-stacks.ts`) are bounded from
// above by all that may lie there.
import type { EventOf } from '../schema.ts';
import { type Fprobe, FPROBE_FL_KPROBE_SHARED, fprobeOf, NOBODY } from './fprobes.ts';
import { contextKey, type Frame } from './hit.ts';
import type { Listeners } from './listen.ts';
import {
  areNodesLeft,
  newNodePools,
  type NodePools,
  nodePoolListeners,
  nodesTooMany,
} from './node-pools.ts';
import { newOpenHits } from './open-hits.ts';
import {
  isFull,
  newRecursionWords,
  type RecursionWords,
  wordListeners,
} from './recursion-words.ts';
import {
  isRoomLeft,
  hasGrown,
  newShadowStacks,
  type ShadowStacks,
  shadowStackListeners,
  whyNoRoom,
} from './shadow-stacks.ts';
import type { Story } from './story.ts';

/** A kprobe, or the dummy, runs on a CPU. */
interface Busy {
  readonly since: EventOf<'current_kprobe'>;
  /** One ran already. */
  readonly before: EventOf<'current_kprobe'> | undefined;
}

export interface Reasons {
  readonly story: Story;
  readonly words: RecursionWords;
  /** What makes each CPU busy with a kprobe: nothing else does. */
  readonly busy: Map<number, Busy>;
  readonly pools: NodePools;
  readonly stacks: ShadowStacks;
  /** The last answer of an entry handler, by flow and fprobe. */
  readonly answers: Map<string, EventOf<'entry_result'>>;
  /** Returns are taken by the graph hook. */
  isGraph: boolean;
}

const RETHOOK = 'rethook';
const NO_KPROBE = -1;

export function newReasons(story: Story): Reasons {
  const words = newRecursionWords();
  const hits = newOpenHits(story, words);
  return {
    story,
    words,
    busy: new Map(),
    pools: newNodePools(hits),
    stacks: newShadowStacks(hits),
    answers: new Map(),
    isGraph: false,
  };
}

export function reasonListeners(reasons: Reasons): readonly Listeners[] {
  const { answers, busy, pools, stacks, words } = reasons;
  const own: Listeners = {
    current_kprobe: (e) => {
      if (e.kprobe === NO_KPROBE) busy.delete(e.cpu);
      else busy.set(e.cpu, { since: e, before: busy.get(e.cpu)?.since });
    },
    fprobe: (e) => {
      reasons.isGraph ||= e.hook !== RETHOOK;
    },
    entry_result: (e) => {
      answers.set(answerKey(e), e);
    },
  };
  return [wordListeners(words), nodePoolListeners(pools), shadowStackListeners(stacks), own];
}

interface Place {
  readonly pid: number;
  readonly cpu: number;
  readonly level: number;
}

function answerKey(e: Place & { readonly object: number }): string {
  return `${contextKey(e.pid, e.cpu, e.level)} ${e.object}`;
}

/** Does a miss for this reason count in this era? */
export function isCounted({ story: { fprobes } }: Reasons, e: EventOf<'skip'>): boolean {
  const told = fprobes.all.find(({ object }) => object === e.object)?.told;
  const isRethook = told?.hook === RETHOOK;
  switch (e.reason) {
    case 'recursion':
      return e.object !== NOBODY && (isRethook || fprobes.rules?.count_recursion === true);
    case 'exit_recursion':
    case 'not_watching':
      return isRethook;
    case 'no_frame':
      return e.object !== NOBODY;
    case 'kprobe_running':
    case 'no_node':
    case 'no_data':
    case 'grew':
      return true;
    default:
      return false;
  }
}

/** What rules the reason of `e` out; undefined when nothing does. `frame` is the call that was hit. */
export function whyNot(
  reasons: Reasons,
  e: EventOf<'skip'>,
  frame: Frame | undefined,
): string | undefined {
  const fprobe = fprobeOf(reasons.story.fprobes, e.object);
  switch (e.reason) {
    case 'disabled':
    case 'exit_disabled':
      return fprobe.disabled === false ? 'it was enabled' : undefined;
    case 'recursion':
    case 'exit_recursion':
      return isFull(reasons.words, e) ? undefined : 'a recursion bit was free';
    case 'kprobe_running': {
      const flags = fprobe.told?.flags ?? 0;
      if ((flags & FPROBE_FL_KPROBE_SHARED) === 0) return 'it is not KPROBE_SHARED';
      return reasons.busy.has(e.cpu) ? undefined : 'no kprobe ran there';
    }
    case 'not_watching':
      return reasons.story.unwatched.has(e.cpu) ? undefined : 'RCU was watching';
    case 'rejected':
      return reasons.answers.get(answerKey(e))?.value === 0
        ? 'its entry handler returned 0'
        : undefined;
    case 'removed':
      return isStillThere(fprobe, e) ? whyRemoved(reasons, e) : undefined;
    case 'grew':
      return isRegistering(reasons) || reasons.stacks.lastRegister >= (frame?.began ?? -1)
        ? undefined
        : 'no fprobe was registered meanwhile';
    default:
      return whyNotShort(reasons, e, { fprobe, frame });
  }
}

/** The kprobe that kept the handler that begins at `e` from running (FP-30.3, FP-70.5), and did not; undefined: none did. */
export function ignoredKprobe(
  { busy, story }: Reasons,
  e: EventOf<'cb_begin'>,
): EventOf<'current_kprobe'> | undefined {
  const flags = fprobeOf(story.fprobes, e.object).told?.flags ?? 0;
  const now = busy.get(e.cpu);
  if ((flags & FPROBE_FL_KPROBE_SHARED) === 0 || now === undefined) return undefined;
  // The fprobe itself made the CPU busy, for its handler: where nobody else comes in between.
  const { level, pid } = now.since;
  return level === e.level && pid === e.pid ? now.before : undefined;
}

/** As `whyNot`, of a hit that the ftrace_ops behind an fprobe kept away (FP-20): by the rules of FT-54 and FT-55. */
export function whyNotOps(reasons: Reasons, e: EventOf<'skip'>): string | undefined {
  if (e.reason === 'recursion' && !isFull(reasons.words, e)) return 'a recursion bit was free';
  if (e.reason === 'rcu' && !reasons.story.unwatched.has(e.cpu)) return 'RCU was watching';
  return undefined;
}

function isRegistering({ story }: Reasons): boolean {
  return story.fprobes.all.some(({ registering }) => registering > 0);
}

/** Registered for certain, by the registration that was hit, and nobody wants to end that. */
function isStillThere(fprobe: Fprobe, { generation }: EventOf<'skip'>): boolean {
  return fprobe.generation === generation && fprobe.unregistering === 0;
}

/** FP-70.7: these eras let a hit write behind what it has reserved, and its return finds nothing there (H-45). */
const GROWING_ERAS: ReadonlySet<string> = new Set(['v6.14', 'v6.18']);

function whyRemoved({ stacks, story }: Reasons, e: EventOf<'skip'>): string {
  const isKnown = GROWING_ERAS.has(story.fprobes.rules?.era ?? '') && hasGrown(stacks, e);
  return isKnown
    ? 'it was registered all the time: as another one came, its hit found more fprobes than it had reserved room for'
    : 'it was registered all the time';
}

/** Of what may be short: nodes, or words of the shadow stack. */
function whyNotShort(
  { pools, stacks }: Reasons,
  e: EventOf<'skip'>,
  { fprobe, frame }: { readonly fprobe: Fprobe; readonly frame: Frame | undefined },
): string | undefined {
  switch (e.reason) {
    case 'no_node':
      return areNodesLeft(pools, e, fprobe, frame) ? 'nodes of its pool were free' : undefined;
    case 'no_frame':
    case 'no_data':
      if (e.reason === 'no_data' && fprobe.disabled === true) return 'it was disabled';
      return isRoomLeft(stacks, e, frame) ? 'the shadow stack had room' : undefined;
    default:
      return undefined;
  }
}

/** Why the return of a call cannot have been taken; undefined: it can. */
export function whyNotTaken(
  { pools, stacks, story }: Reasons,
  e: EventOf<'hook'>,
): string | undefined {
  const fprobe = fprobeOf(story.fprobes, e.object);
  const nodes = nodesTooMany(pools, fprobe);
  if (nodes !== undefined) return `${nodes} calls had a node of its pool then`;
  return whyNoRoom(stacks, e);
}
