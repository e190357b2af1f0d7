// The cases of golden/truth/filters*.json that need no tracefs: what is written to set_ftrace_filter or
// set_ftrace_notrace is one word, and no command. Opening with `>` empties the set, as O_TRUNC does, by
// ftrace_set_filter(NULL, 0, 1); each word is a call with reset 0. The two files belong to A and to B, so that each can
// be read: register, and see who arrives.
import { compare, type Difference, type Outcome } from './outcome.ts';
import { type Command, type KernelModel, play, type Rig } from './rig.ts';
import type { Seen } from './seen.ts';
import type { FilterCase, FilterFacts, Listing } from './truth.ts';

/** Functions that no truth file lists, in the place of the tens of thousands of a real kernel. */
const OTHERS = [
  'first_fn',
  'second_fn',
  'cpu_a1',
  'tcp_x1',
  'tcp_add',
  'ksys_more',
  'vfs_rewrite',
] as const;
const EINVAL = -22;

type Write = FilterCase['steps'][number];

/** Why a case is no sequence of calls. */
function needsTracefs({ group, steps }: FilterCase): string | undefined {
  if (group === 'instance') return 'tracefs: instances';
  for (const { file, text } of steps) {
    if (text === undefined || file === undefined) {
      return group === 'traced' ? 'tracefs: tracers' : 'tracefs: one open file, several writes';
    }
    if (text.includes(':')) return 'tracefs: commands';
    if (wordsOf(text).length > 1) return 'tracefs: several words in a write';
  }
  return undefined;
}

function wordsOf(text: string): readonly string[] {
  return text.split(/\s+/u).filter((word) => word !== '');
}

/** Compares every case. */
export function compareFilters(facts: FilterFacts, model: KernelModel): readonly Outcome[] {
  const rig: Rig = { ...model, functions: [...OTHERS, ...facts.functions.map(({ name }) => name)] };
  return facts.cases.map((one) => {
    const missing = needsTracefs(one);
    return missing === undefined
      ? compareCase(facts, rig, one)
      : { id: one.id, differences: [], missing: [missing] };
  });
}

function compareCase(facts: FilterFacts, rig: Rig, one: FilterCase): Outcome {
  const writes = one.steps.map((step) => commandsOf(facts, rig, step));
  const looks: Command[] = ['A', 'B'].flatMap((name): Command[] => [
    { call: 'register_ftrace_function', args: [{ at: name }] },
    { run: rig.functions },
    { call: 'unregister_ftrace_function', args: [{ at: name }] },
  ]);
  const { seen } = play(rig, [...writes.flat(), ...looks]);
  const differences: Difference[] = [];
  for (const { text = '' } of one.steps) {
    const here = wordsOf(text).map((word) => renumbered(facts, rig, word));
    differences.push(...compare('index', wordsOf(text), here, 'build-dependent value'));
  }
  let at = 0;
  for (const [index, commands] of writes.entries()) {
    const results = seen.slice(at, at + commands.length).map(({ result }) => result);
    at += commands.length;
    const there = one.steps[index]?.errno === 'EINVAL' ? EINVAL : 0;
    differences.push(...compare(`write ${index + 1}`, there, results.find((r) => r !== 0) ?? 0));
  }
  differences.push(...compareListing(rig, 'filter', one.filter, reached(seen[at + 1])));
  const spared = reached(seen[at + 4]);
  const excluded = new Set(rig.functions.filter((name) => !spared.has(name)));
  differences.push(...compareListing(rig, 'notrace', one.notrace, excluded));
  return { id: one.id, differences, missing: [] };
}

function commandsOf(
  facts: FilterFacts,
  rig: Rig,
  { file, mode, text = '' }: Write,
): readonly Command[] {
  const isFilter = file === 'set_ftrace_filter';
  const call = isFilter ? 'ftrace_set_filter' : 'ftrace_set_notrace';
  const ops = { at: isFilter ? 'A' : 'B' };
  const set = (word: string): Command => ({ call, args: [ops, { text: word }, word.length, 0] });
  const truncate: Command = { call, args: [ops, 0, 0, 1] };
  const words = wordsOf(text).map((word) => set(renumbered(facts, rig, word)));
  return [...(mode === '>' ? [truncate] : []), ...words];
}

/** An index means a function by its line: the same function has another line here. */
function renumbered(facts: FilterFacts, rig: Rig, word: string): string {
  const [, bang = '', digits = ''] = /^(!?)(\d\w*)$/u.exec(word) ?? [];
  const name = facts.functions.find(({ line }) => line === Number(digits))?.name;
  if (digits === '' || name === undefined) return word;
  const here = rig.functions.indexOf(name) + 1;
  return `${bang}${digits.startsWith('0x') ? `0x${here.toString(16)}` : here}`;
}

function reached(seen: Seen | undefined): ReadonlySet<string> {
  return new Set(seen?.hits.map(({ func }) => func));
}

/** A file that lists nothing means all functions (filter) or none (notrace). */
function compareListing(
  rig: Rig,
  what: 'filter' | 'notrace',
  { lines, others = 0 }: Listing,
  here: ReadonlySet<string>,
): readonly Difference[] {
  const unlisted: ReadonlySet<string> = new Set(OTHERS);
  const isEmpty = lines.some((line) => line.startsWith('####'));
  const all = isEmpty && what === 'filter';
  const there = all
    ? rig.functions
    : isEmpty
      ? []
      : lines.map((line) => line.replace(/ \[.*/u, ''));
  const listed = (names: Iterable<string>): string[] =>
    [...names].filter((name) => !unlisted.has(name)).toSorted();
  const more = all ? OTHERS.length : others;
  const moreHere = [...here].filter((name) => unlisted.has(name)).length;
  return [
    ...compare(what, listed(there), listed(here)),
    ...compare(`${what}: others are there`, more > 0, moreHere > 0),
    ...compare(`${what}: how many others`, more, moreHere, 'build-dependent value'),
  ];
}
