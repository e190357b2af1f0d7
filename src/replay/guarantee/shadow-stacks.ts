// Layer replay. Words of the shadow stack of each task, by the judge's own account (FP-70.2, FP-70.4, FP-73): of every call
// whose return is taken a frame, its descriptor, and the data of all fprobes of the function with their trailer; and what
// hits under way may have put there. From above, so that a claim that there was no room is refuted for certain; and from
// below, by what the fprobes that took the return have for certain, so that too much is found as well.
//
// Left alone: tasks that left a frame by a jump, whose words stay; tasks that found no memory for a stack; frames of
// x86-64, which are a word shorter: no machine of ours has them.
import type { EventOf } from '../schema.ts';
import { type Fprobe, fprobeOf } from './fprobes.ts';
import { contextKey, type Frame, innermost } from './hit.ts';
import type { Listeners } from './listen.ts';
import { bitTaken, type OpenHits, openHitsOf } from './open-hits.ts';
import { contextOf, type Story } from './story.ts';

/** A call whose return is taken. */
interface Kept {
  readonly flow: number;
  readonly call: Frame | undefined;
  readonly frame: number;
  readonly ip: number;
  /** Words that it has at most. */
  readonly most: number;
  /** Those of the fprobes that took it. */
  least: number;
  /** Who has not given it back yet. */
  readonly objects: Set<number>;
  /** Some fprobe was registered while its hit looked for those of the function: it may be one more than it reserved for. */
  readonly mayHaveGrown: boolean;
}

/** What a hit may reserve, looked at when it began. */
interface Reservation {
  readonly words: number;
  readonly since: number;
}

export interface ShadowStacks {
  readonly hits: OpenHits;
  /** By task. */
  readonly kept: Map<number, Kept[]>;
  readonly reserved: WeakMap<Frame, Reservation>;
  /** Tasks whose stacks are not known. */
  readonly lost: Set<number>;
  /** Index of the last call that registered an fprobe. */
  lastRegister: number;
  /** Memory was short some time: a task may have no stack. */
  wasShort: boolean;
}

const TASK = 0;
const WORD_BYTES = 8;
/** A frame and its descriptor. */
const FRAME_WORDS: number = 4 + 1;
const TASK_VARIABLES = 16;
/** What lies on the stack ends before this word. */
const WORDS_MAX: number = 512 - TASK_VARIABLES - FRAME_WORDS;
/** Data words that one call may have, over all its fprobes (FP-74). */
const DATA_WORDS_MAX = 32;

export function newShadowStacks(hits: OpenHits): ShadowStacks {
  return {
    hits,
    kept: new Map(),
    reserved: new WeakMap(),
    lost: new Set(),
    lastRegister: -1,
    wasShort: false,
  };
}

export function shadowStackListeners(stacks: ShadowStacks): Listeners {
  const { hits, kept, reserved } = stacks;
  const { story } = hits;
  return {
    recursion_set: (e) => {
      const frame = bitTaken(hits, e);
      if (frame === undefined || reserved.has(frame)) return;
      reserved.set(frame, { words: reservedAt(story, frame.site), since: e.index });
    },
    hook: (e) => {
      returnTaken(stacks, e);
    },
    unhook: (e) => {
      const call = keptOf(stacks, e).findLast(
        ({ frame, ip, objects }) => frame === e.frame && ip === e.ip && objects.has(e.object),
      );
      call?.objects.delete(e.object);
    },
    func_enter: (e) => {
      dropLeft(stacks, e);
    },
    func_return: (e) => {
      dropLeft(stacks, e);
    },
    func_abandon: (e) => {
      dropLeft(stacks, e);
      const { left } = story;
      if (keptOf(stacks, e).some(({ call }) => call === left)) stacks.lost.add(taskOf(e));
    },
    task_exit: (e) => {
      kept.delete(taskOf(e));
      stacks.lost.delete(taskOf(e));
    },
    alloc_failed: ({ kind }) => {
      stacks.wasShort ||= kind === 'ret_stack';
    },
    ctl_begin: (e) => {
      if (e.op.startsWith('register_fprobe')) stacks.lastRegister = e.index;
    },
    ctl_end: (e) => {
      if (e.op.startsWith('register_fprobe')) stacks.lastRegister = e.index;
    },
  };
}

interface Place {
  readonly pid: number;
  readonly cpu: number;
  readonly level: number;
}

function taskOf({ cpu, pid }: Place): number {
  return contextKey(pid, cpu, TASK);
}

function keptOf({ kept }: ShadowStacks, e: Place): Kept[] {
  let own = kept.get(taskOf(e));
  if (own === undefined) {
    own = [];
    kept.set(taskOf(e), own);
  }
  return own;
}

/** Words that fprobes of the site want at most, without their trailer. */
function reservedAt({ fprobes }: Story, site: number): number {
  let words = 0;
  for (const fprobe of fprobes.all) if (mayHaveNode(fprobe, site)) words += wordsOf(fprobe);
  return words;
}

function mayHaveNode(fprobe: Fprobe, site: number): boolean {
  const { generation, registering, sites, unregistering } = fprobe;
  if (registering > 0) return true;
  return (generation !== 0 || unregistering > 0) && sites?.has(site) !== false;
}

/** FP-70.3: a header, and its data. */
function wordsOf({ told }: Fprobe): number {
  if (told?.hook !== 'fgraph') return 0;
  return 1 + Math.ceil(told.data_size / WORD_BYTES);
}

/** As `reservedAt`, from the moment on at which the hit of `frame` began; undefined: not known. */
function reservedBy(stacks: ShadowStacks, frame: Frame | undefined): number | undefined {
  if (frame === undefined) return undefined;
  const { since, words } = stacks.reserved.get(frame) ?? { since: frame.began, words: 0 };
  if (stacks.lastRegister > since) return undefined;
  return Math.max(words, reservedAt(stacks.hits.story, frame.site));
}

/** All words of a call, at most. */
function mostOf(stacks: ShadowStacks, frame: Frame | undefined): number {
  const data = Math.min(reservedBy(stacks, frame) ?? DATA_WORDS_MAX, DATA_WORDS_MAX);
  return FRAME_WORDS + data + 1;
}

function returnTaken(stacks: ShadowStacks, e: EventOf<'hook'>): void {
  const { story } = stacks.hits;
  const words = wordsOf(fprobeOf(story.fprobes, e.object));
  if (words === 0) return;
  const flow = contextKey(e.pid, e.cpu, e.level);
  const own = keptOf(stacks, e);
  const call = innermost(contextOf(story, e), e.ip);
  const last = own.at(-1);
  if (last !== undefined && last.call === call && last.frame === e.frame && last.flow === flow) {
    last.objects.add(e.object);
    last.least += words;
    return;
  }
  const { frame, ip } = e;
  const objects = new Set([e.object]);
  const mayHaveGrown = isRegistering(story) || reservedBy(stacks, call) === undefined;
  const most = mostOf(stacks, call);
  own.push({ flow, call, frame, ip, most, least: words, objects, mayHaveGrown });
}

function isRegistering({ fprobes }: Story): boolean {
  return fprobes.all.some(({ registering }) => registering > 0);
}

/** May the hit have seen more fprobes than it had reserved words for (FP-70.7), by whose return `e` is passed over? */
export function hasGrown(stacks: ShadowStacks, e: EventOf<'skip'>): boolean {
  const call = keptOf(stacks, e).findLast(
    ({ ip, objects }) => ip === e.ip && objects.has(e.object),
  );
  return call?.mayHaveGrown === true;
}

/** Who was given back by all is off the stack when its flow goes on. */
function dropLeft({ kept }: ShadowStacks, e: Place): void {
  const own = kept.get(taskOf(e));
  if (own === undefined) return;
  const flow = contextKey(e.pid, e.cpu, e.level);
  const isLeft = (call: Kept): boolean => call.objects.size === 0 && call.flow === flow;
  if (own.some(isLeft)) {
    kept.set(
      taskOf(e),
      own.filter((call) => !isLeft(call)),
    );
  }
}

/** Had the hit of `frame` room for certain, that says that it had none (`no_frame`, `no_data`)? */
export function isRoomLeft(
  stacks: ShadowStacks,
  e: EventOf<'skip'>,
  frame: Frame | undefined,
): boolean {
  if (stacks.wasShort || stacks.lost.has(taskOf(e))) return false;
  const used = wordsUsed(stacks, e, frame) + FRAME_WORDS;
  if (e.reason === 'no_frame') return used < WORDS_MAX;
  const data = reservedBy(stacks, frame);
  if (data === undefined || data > DATA_WORDS_MAX) return false;
  return used + data + 1 < WORDS_MAX;
}

/** At most, without what the hit of `own` has put there. */
function wordsUsed(stacks: ShadowStacks, e: Place, own: Frame | undefined): number {
  const kept = keptOf(stacks, e);
  let used = kept.reduce((sum, { most }) => sum + most, 0);
  for (const frame of openHitsOf(stacks.hits, e)) {
    if (frame !== own && !kept.some(({ call }) => call === frame)) used += mostOf(stacks, frame);
  }
  return used;
}

/** Was the return taken although there was no room for it? Why not. */
export function whyNoRoom(stacks: ShadowStacks, e: EventOf<'hook'>): string | undefined {
  if (stacks.lost.has(taskOf(e))) return undefined;
  const own = keptOf(stacks, e).filter(({ objects }) => objects.size > 0);
  const last = own.at(-1);
  if (last === undefined) return undefined;
  if (last.least > DATA_WORDS_MAX) {
    return `fprobes had ${last.least} words of data for it, and one call may have ${DATA_WORDS_MAX}`;
  }
  const used = own.reduce((sum, { least }) => sum + FRAME_WORDS + least + 1, 0);
  return used < WORDS_MAX ? undefined : `the shadow stack had no room for ${used} words`;
}
