// Layer replay. What a guarantee says of kprobes, beside what it says of the others: judged apart, in a file of its own,
// and told in one verdict. What concerns a kprobe only never reaches the judge of the others.
import type { Event, EventName } from '../schema.ts';
import { type Broken, earlier, type Guarantee, type Parts, type Verdict } from './judge.ts';
import type { Listeners } from './listen.ts';
import type { Story } from './story.ts';

export interface KprobePart {
  /** Added to the sentence. */
  readonly sentence: string;
  readonly rules: readonly string[];
  /** Events that name one of the kernel's own ftrace_ops behind kprobes, and are not for the other judge. */
  readonly hides?: readonly EventName[];
  start(story: Story): KprobeJudge;
}

export interface KprobeJudge {
  readonly on: Listeners;
  /** Asked once, at the end. */
  end(): KprobeVerdict;
}

interface KprobeVerdict {
  readonly first: Broken | undefined;
  readonly parts: Parts;
  /** Why nothing can be said about any probe. */
  readonly voids?: string | undefined;
}

/** Events that name a probe; fprobes have them, too. */
const OF_PROBES: readonly EventName[] = ['hook', 'unhook', 'skip', 'count', 'entry_result'];

/** `guarantee` with `part`. */
export function withKprobes(guarantee: Guarantee, part: KprobePart): Guarantee {
  return {
    ...guarantee,
    joins: [guarantee, part],
    sentence: `${guarantee.sentence} ${part.sentence}`,
    rules: [...guarantee.rules, ...part.rules],
    start: (story) => {
      const others = guarantee.start(story);
      const kprobes = part.start(story);
      const heard = withoutKprobes(story, others.on, part.hides ?? []);
      return {
        on: bothHear(heard, kprobes.on),
        end: () => joined(others.end(), kprobes.end(), story),
      };
    },
  };
}

type Listener = (event: Event) => void;
type ByName = Partial<Record<EventName, Listener>>;

/** A copy that can be changed. */
function copyOf(on: Listeners): ByName {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each hears the events of its key only
  return { ...on } as ByName;
}

/** `on` without what is about a kprobe. */
function withoutKprobes(story: Story, on: Listeners, hidden: readonly EventName[]): Listeners {
  const { all, ops } = story.kprobes;
  const own = copyOf(on);
  for (const name of [...OF_PROBES, ...hidden]) {
    const listener = own[name];
    if (listener === undefined) continue;
    own[name] = (e) => {
      const isKprobes = 'object' in e && (all.has(e.object) || ops.has(e.object));
      if (!isKprobes) listener(e);
    };
  }
  return own;
}

function bothHear(a: Listeners, b: Listeners): Listeners {
  const [both, others] = [copyOf(a), copyOf(b)];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys name the events
  for (const name of Object.keys(others) as EventName[]) {
    const [first, second] = [both[name], others[name]];
    both[name] = (e) => {
      first?.(e);
      second?.(e);
    };
  }
  return both;
}

function joined(others: Verdict, { first, parts, voids }: KprobeVerdict, story: Story): Verdict {
  if (voids !== undefined) return { status: 'never exercised', why: voids };
  const worst = earlier(others.status === 'broken' ? others : undefined, first);
  if (worst !== undefined) return worst;
  if (story.kprobes.all.size === 0 || others.status === 'broken') return others;
  const exercised = Object.values(parts).reduce((sum, times) => sum + times, 0);
  if (others.status === 'held') {
    const all = { ...others.parts, ...parts };
    return { status: 'held', exercised: others.exercised + exercised, parts: all };
  }
  return exercised === 0 ? others : { status: 'held', exercised, parts };
}
