// Layer replay. Guarantee `context` for fprobes: where their handlers run (FP-11).
//
// Broken by a handler that begins in a task which can be preempted there; by an entry handler without a recursion lock
// that its context holds; and by a handler that begins, or ends, with interrupts on where they were off before, or the reverse,
// although nobody asked for that.
//
// Left alone: a handler in which its task slept, which is a user error.
//
// Exercised, for each time: an entry handler (part `entry`), or an exit handler (`exit`), begins in a task.
import type { EventOf } from '../schema.ts';
import { ENTRY, type Handler } from './fprobes.ts';
import { broken, type Broken, type Parts } from './judge.ts';
import { contextOf, type Story } from './story.ts';
import { theHandler, where } from './wording.ts';

const TASK = 0;

/** What the CPU of a handler is like. */
export interface Surroundings {
  readonly preemptible: boolean;
  /** The innermost recursion lock of its context. */
  readonly lock: EventOf<'recursion_lock'> | undefined;
  /** Where interrupts were first turned since event `since`, if they are not what they were before; unless asked for. */
  turnedSince(since: number): EventOf<'irqs'> | undefined;
}

export interface HandlerFindings {
  readonly story: Story;
  first: Broken | undefined;
  entry: number;
  exit: number;
}

export function newHandlerFindings(story: Story): HandlerFindings {
  return { story, first: undefined, entry: 0, exit: 0 };
}

/** The parts of the sentence that only fprobes have. */
export function handlerParts({ entry, exit, story }: HandlerFindings): Parts {
  return story.fprobes.all.length === 0 ? {} : { entry, exit };
}

/** At its cb_begin. */
export function handlerBegan(found: HandlerFindings, handler: Handler, around: Surroundings): void {
  const { begin } = handler;
  const isEntry = begin.kind === ENTRY;
  if (begin.level === TASK) found[isEntry ? 'entry' : 'exit']++;
  const began = `${theHandler(found.story, handler)} began (${where(found.story, begin)})`;
  if (around.preemptible && begin.level === TASK)
    report(found, begin.index, `${began} with preemption on`, []);
  if (isEntry && around.lock === undefined)
    report(found, begin.index, `${began} outside of any recursion lock`, []);
  const hit = contextOf(found.story, begin).top;
  const turned = hit === undefined ? undefined : around.turnedSince(hit.began);
  if (turned === undefined) return;
  const why = `${began} with interrupts turned ${stateOf(turned)} on its way`;
  report(found, begin.index, why, [turned.index, hit?.began ?? -1]);
}

/** At its cb_end. */
export function handlerEnded(
  found: HandlerFindings,
  handler: Handler,
  { end, around }: { readonly end: EventOf<'cb_end'>; readonly around: Surroundings },
): void {
  const { begin, slept } = handler;
  if (slept) return;
  const ended = `${theHandler(found.story, handler)} ended (${where(found.story, end)})`;
  const turned = around.turnedSince(begin.index);
  if (turned === undefined) return;
  const why = `${ended} with interrupts turned ${stateOf(turned)}`;
  report(found, end.index, why, [begin.index, turned.index]);
}

function stateOf({ on }: EventOf<'irqs'>): string {
  return on ? 'on' : 'off';
}

function report(found: HandlerFindings, at: number, why: string, shows: readonly number[]): void {
  found.first ??= broken(at, why, shows);
}
