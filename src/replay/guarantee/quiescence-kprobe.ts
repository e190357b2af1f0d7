// Layer replay. Guarantee `quiescence` for kprobes: when all of them are unregistered, no breakpoint of theirs is left in
// the text, nobody is planted or said to run, and no aggregate, slot or instance is kept (KP-20, KP-22, KP-36, KR-8, KR-12,
// CC-O11).
//
// Asked once, at the end of a run that ended regularly and in which every kprobe was unregistered again; where one that is on
// an ftrace site was not, nothing is said of any probe.
//
// Left alone: slots, unless the run shows that none is boosted: one that somebody may still be in is kept (CC-S11.6). A
// breakpoint in a module that went. What `register_kretprobe` of a registered one leaves behind of the first pool.
//
// Exercised, for each registration that was ended in such a run.
import type { EventOf } from '../schema.ts';
import { broken, type Broken } from './judge.ts';
import type { KprobeJudge, KprobePart } from './kprobe-part.ts';
import { FTRACE, kprobeOf, NULL_ADDRESS, probesAt } from './kprobes.ts';
import type { Story } from './story.ts';
import { nameOfPlace, where } from './wording.ts';

interface Findings {
  readonly story: Story;
  /** The last value of each first halfword that was written. */
  readonly text: Map<number, EventOf<'text_write'>>;
  /** Aggregates and slots that live, by object and generation. */
  readonly aggregates: Map<string, EventOf<'alloc'>>;
  readonly slots: Map<string, EventOf<'alloc'>>;
  /** Returns that are taken. */
  readonly hooks: Map<string, EventOf<'hook'>>;
  readonly locks: Map<string, EventOf<'lock'>>;
  /** By CPU: what is said to run. */
  readonly current: Map<number, EventOf<'current_kprobe'>>;
  readonly states: EventOf<'kprobe_state'>[];
  /** A probe without a post_handler was stepped: nothing is boosted. */
  unboosted: boolean;
  ftrace: EventOf<'ftrace_state'> | undefined;
  end: EventOf<'run_end'> | undefined;
}

/** What is left over, and the event that shows it. */
interface Left {
  readonly what: string;
  readonly index: number;
}

const C_EBREAK = 0x9002;
const LOCKS = /^kprobe_(?:mutex|insn_slots\/mutex)$/u;

export const kprobesQuiescence: KprobePart = {
  sentence:
    'When every kprobe is unregistered, no breakpoint of theirs is in the text, nobody is planted or said to ' +
    'run, and no aggregate and no instance is kept.',
  rules: ['KP-22', 'KP-36', 'KR-8', 'KR-12'],
  hides: ['ipmodify'],
  start(story): KprobeJudge {
    const found: Findings = {
      story,
      text: new Map(),
      aggregates: new Map(),
      slots: new Map(),
      hooks: new Map(),
      locks: new Map(),
      current: new Map(),
      states: [],
      unboosted: false,
      ftrace: undefined,
      end: undefined,
    };
    return { on: listeners(found), end: () => verdict(found) };
  },
};

function listeners(found: Findings): KprobeJudge['on'] {
  const { aggregates, current, hooks, locks, slots, states, story, text } = found;
  const { kprobes } = story;
  return {
    text_write: (e) => {
      if (e.part === 0) text.set(e.ip, e);
    },
    alloc: (e) => {
      if (e.kind === 'kprobe_aggr') aggregates.set(lifeOf(e), e);
      if (e.kind === 'kprobe_insn_slot') slots.set(lifeOf(e), e);
    },
    free: (e) => {
      aggregates.delete(lifeOf(e));
      slots.delete(lifeOf(e));
    },
    hook: (e) => {
      if (kprobes.all.has(e.object)) hooks.set(`${e.frame} ${e.ip} ${e.object}`, e);
    },
    unhook: (e) => hooks.delete(`${e.frame} ${e.ip} ${e.object}`),
    lock: (e) => {
      if (LOCKS.test(e.name)) locks.set(e.name, e);
    },
    unlock: (e) => locks.delete(e.name),
    current_kprobe: (e) => current.set(e.cpu, e),
    kprobe_step: ({ how, ip }) => {
      const isPlain = probesAt(kprobes, ip).every(({ told }) => told?.post === NULL_ADDRESS);
      if (how === 'slot' && isPlain) found.unboosted = true;
    },
    kprobe_state: (e) => {
      states.push(e);
    },
    ftrace_state: (e) => {
      found.ftrace = e;
    },
    run_end: (e) => {
      found.end = e;
    },
  };
}

function lifeOf(e: { readonly object: number; readonly generation: number }): string {
  return `${e.object}.${e.generation}`;
}

function verdict(found: Findings): ReturnType<KprobeJudge['end']> {
  const all = [...found.story.kprobes.all.values()];
  const parts: Record<string, number> = all.length === 0 ? {} : { kprobes: 0 };
  const there = all.filter(({ busy, generation, lost }) => lost || generation !== 0 || busy > 0);
  const onSite = there.find(({ told }) => told?.how === FTRACE);
  const voids = onSite === undefined ? undefined : `${onSite.name} was not unregistered.`;
  if (there.length > 0 || found.end === undefined) return { first: undefined, parts, voids };
  const ended = all.reduce((sum, probe) => sum + probe.ended.size, 0);
  if (all.length > 0) parts['kprobes'] = ended;
  return { first: firstLeft(found, found.end), parts };
}

function firstLeft(found: Findings, end: EventOf<'run_end'>): Broken | undefined {
  const [left] = [
    ...leftOfText(found),
    ...leftOfFtrace(found),
    ...leftOfMemory(found),
    ...leftOfCalls(found),
    ...leftOfStates(found),
  ];
  if (left === undefined) return undefined;
  const why = `when all kprobes were unregistered and all was over, ${left.what}`;
  return broken(end.index, why, [left.index]);
}

function leftOfText({ story, text }: Findings): Left[] {
  const { functions, kprobes } = story;
  return [...kprobes.all.values()].flatMap(({ gone, name, told }) => {
    const written = told === undefined ? undefined : text.get(told.ip);
    if (gone || written?.value !== C_EBREAK || told?.how === FTRACE) return [];
    const at = nameOfPlace(functions, written.ip);
    const what = `the breakpoint of ${name} was in the text at ${at} (${where(story, written)})`;
    return [{ what, index: written.index }];
  });
}

/** Those on ftrace sites, where nobody else is. */
function leftOfFtrace({ ftrace, story }: Findings): Left[] {
  const others = [...story.ops, ...story.fprobes.all];
  const isElse = others.some(
    ({ generation, registering, unregistering }) =>
      generation !== 0 || registering > 0 || unregistering > 0,
  );
  if (ftrace === undefined || isElse || ftrace.dead) return [];
  const { index, listed, served } = ftrace;
  if (listed !== 0) return [{ what: `${listed} ftrace_ops were on the list`, index }];
  return served === 0 ? [] : [{ what: `${served} sites still served an ftrace_ops`, index }];
}

function leftOfMemory({ aggregates, slots, story, unboosted }: Findings): Left[] {
  const kept = [...aggregates.values(), ...(unboosted ? slots.values() : [])];
  return kept.map((e) => ({
    what: `${e.kind} ${lifeOf(e)} was not freed (${where(story, e)})`,
    index: e.index,
  }));
}

function leftOfCalls({ current, hooks, locks, story }: Findings): Left[] {
  const running = [...current.values()].filter(({ status }) => status !== 0);
  return [
    ...running.map((e) => ({
      what: `a kprobe was said to run on CPU ${e.cpu} (since ${where(story, e)})`,
      index: e.index,
    })),
    ...[...hooks.values()].map((e) => {
      const { name } = kprobeOf(story.kprobes, e.object);
      const at = nameOfPlace(story.functions, e.ip);
      return { what: `the return of ${at} was taken for ${name}`, index: e.index };
    }),
    ...[...locks.values()].map((e) => ({
      what: `${e.name} was held (since ${where(story, e)})`,
      index: e.index,
    })),
  ];
}

/** Of one that is not registered, instances are those that calls under way hold. */
function leftOfStates({ states, story }: Findings): Left[] {
  return states.flatMap(({ index, nodes, object, planted }) => {
    const { name } = kprobeOf(story.kprobes, object);
    if (planted) return [{ what: `${name} was planted`, index }];
    return nodes === 0 ? [] : [{ what: `${nodes} instances of ${name} were not back`, index }];
  });
}
