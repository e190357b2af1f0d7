// Layer replay. Why a hit of an fprobe may be passed over, by the judge's own account: what a `skip` says is checked against
// the events of the machine and of the calls (CC-G10). Which reasons count in `nmissed` is a rule of the era
// (ARCHITECTURE.md, "fprobe").
//
// A reason is refuted only for certain: pools and shadow stacks are bounded from above by all that may lie there.
import type { EventOf } from '../schema.ts';
import { type Fprobe, FPROBE_FL_KPROBE_SHARED, fprobeOf, NOBODY } from './fprobes.ts';
import { contextKey, type Frame } from './hit.ts';
import type { Listeners } from './listen.ts';
import {
  isFull,
  newRecursionWords,
  type RecursionWords,
  wordListeners,
} from './recursion-words.ts';
import { contextOf, type Story } from './story.ts';

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
  /** Returns that are taken, of each registration. */
  readonly taken: Map<number, number>;
  /** The last answer of an entry handler, by flow and fprobe. */
  readonly answers: Map<string, EventOf<'entry_result'>>;
  /** Index of the last call that registered an fprobe. */
  lastRegister: number;
  /** Memory was short some time: a task may have no shadow stack. */
  wasShort: boolean;
  /** Returns are taken by the graph hook. */
  isGraph: boolean;
  cpus: number;
}

const GENERATIONS_MAX = 0x100000;
const RETHOOK = 'rethook';
const NO_KPROBE = -1;
/** Words of a shadow stack, and the most that one call needs: a frame, its descriptor, all data, its trailer. */
const STACK_WORDS = 512;
const TASK_VARIABLES = 16;
const CALL_WORDS_MAX: number = 4 + 1 + 32 + 1;

export function newReasons(story: Story): Reasons {
  return {
    story,
    words: newRecursionWords(),
    busy: new Map(),
    taken: new Map(),
    answers: new Map(),
    lastRegister: -1,
    wasShort: false,
    isGraph: false,
    cpus: 1,
  };
}

export function reasonListeners(reasons: Reasons): Listeners {
  const { answers, busy, taken } = reasons;
  return {
    ...wordListeners(reasons.words),
    current_kprobe: (e) => {
      if (e.kprobe === NO_KPROBE) busy.delete(e.cpu);
      else busy.set(e.cpu, { since: e, before: busy.get(e.cpu)?.since });
    },
    task_new: (e) => {
      reasons.cpus = Math.max(reasons.cpus, e.on_cpu + 1);
    },
    fprobe: (e) => {
      reasons.isGraph ||= e.hook !== RETHOOK;
    },
    ctl_begin: (e) => {
      if (e.op.startsWith('register_fprobe')) reasons.lastRegister = e.index;
    },
    ctl_end: (e) => {
      if (e.op.startsWith('register_fprobe')) reasons.lastRegister = e.index;
    },
    alloc_failed: () => {
      reasons.wasShort = true;
    },
    hook: (e) => {
      taken.set(lifeOf(e), (taken.get(lifeOf(e)) ?? 0) + 1);
    },
    unhook: (e) => {
      taken.set(lifeOf(e), (taken.get(lifeOf(e)) ?? 1) - 1);
    },
    entry_result: (e) => {
      answers.set(answerKey(e), e);
    },
  };
}

interface Life {
  readonly object: number;
  readonly generation: number;
}

function lifeOf({ generation, object }: Life): number {
  return object * GENERATIONS_MAX + generation;
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
      return isStillThere(fprobe, e) ? 'it was registered all the time' : undefined;
    case 'grew':
      return isRegistering(reasons) || reasons.lastRegister >= (frame?.began ?? -1)
        ? undefined
        : 'no fprobe was registered meanwhile';
    default:
      return whyNotShort(reasons, e, fprobe);
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

function isRegistering({ story }: Reasons): boolean {
  return story.fprobes.all.some(({ registering }) => registering > 0);
}

/** Registered for certain, by the registration that was hit, and nobody wants to end that. */
function isStillThere(fprobe: Fprobe, { generation }: EventOf<'skip'>): boolean {
  return fprobe.generation === generation && fprobe.unregistering === 0;
}

/** Of what may be short: nodes, or words of the shadow stack. */
function whyNotShort(reasons: Reasons, e: EventOf<'skip'>, fprobe: Fprobe): string | undefined {
  switch (e.reason) {
    case 'no_node':
      return areNodesLeft(reasons, e, fprobe) ? 'nodes of its pool were free' : undefined;
    case 'no_frame':
    case 'no_data':
      if (e.reason === 'no_data' && fprobe.disabled === true) return 'it was disabled';
      return isRoomLeft(reasons, e) ? 'the shadow stack had room' : undefined;
    default:
      return undefined;
  }
}

/** Those that lie in a pool, and those that a call may have in its hands. */
function areNodesLeft(
  { cpus, story, taken }: Reasons,
  e: EventOf<'skip'>,
  fprobe: Fprobe,
): boolean {
  if (fprobe.unregistering > 0) return false;
  let busy = taken.get(lifeOf(e)) ?? 0;
  for (const { top } of story.contexts.values()) {
    for (let frame = top; frame !== undefined; frame = frame.below) if (frame.fetched) busy++;
  }
  return busy < poolSize(fprobe, cpus);
}

/** Nodes that the pool has at least (FP-22): what was asked for, or two for each function and CPU. */
function poolSize({ sites, told }: Fprobe, cpus: number): number {
  const asked = told?.maxactive ?? 0;
  return asked === 0 ? 2 * cpus * (sites?.size ?? 0) : asked;
}

function isRoomLeft({ story, wasShort }: Reasons, e: EventOf<'skip'>): boolean {
  if (wasShort) return false;
  let calls = 1;
  for (const level of [0, 1, 2, 3, 4]) {
    const key = contextKey(e.pid, e.cpu, level);
    for (let frame = story.contexts.get(key)?.top; frame !== undefined; frame = frame.below)
      calls++;
  }
  const { top } = contextOf(story, e);
  // One call alone can want more than there is for all probes of its function (FP-74).
  if (e.reason === 'no_data' && wantsTooMuch(story, top?.site ?? -1)) return false;
  return calls * CALL_WORDS_MAX < STACK_WORDS - TASK_VARIABLES - CALL_WORDS_MAX;
}

/** Data words that one call may have, over all its fprobes. */
const DATA_WORDS_MAX = 32;

function wantsTooMuch({ fprobes }: Story, site: number): boolean {
  let words = 0;
  for (const { sites, told } of fprobes.all) {
    if (told === undefined || told.exit === -1) continue;
    if (sites === undefined || sites.has(site)) words += 1 + Math.ceil(told.data_size / 8);
  }
  return words > DATA_WORDS_MAX;
}
