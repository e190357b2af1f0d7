// One step of a scenario of golden/truth/api*.json as commands, and as what is to be seen of them.
import { assert } from '../../src/assert.ts';
import { bufferOf } from './adaptations.ts';
import { type Argument, type Command, OPS } from './rig.ts';
import type { Seen } from './seen.ts';
import { asked, calledOps, givenMove, shellMove } from './surroundings.ts';
import type { Scenario, TruthStep } from './truth.ts';

/** A step that is played: its commands, and what they show, to be held against `there`. */
export interface Move {
  readonly what: string;
  readonly commands: readonly Command[];
  readonly there: unknown;
  /** `before`: what was seen of the steps before this one. */
  readonly here: (seen: readonly Seen[], before: readonly Seen[]) => unknown;
}

/** The functions whose callbacks the scenarios count, and some more. */
const FIVE = ['a1', 'a2', 'a3', 'b1', 'b2'] as const;
const CALLS: readonly string[] = FIVE.map((name) => `tgt_${name}`);
const MORE: readonly string[] = ['vfs_read', 'ksys_sync'];

/** Makes moves of steps. */
export class Moves {
  readonly #scenario: string;
  readonly #ops: string;
  #filters = 0;

  /** `ops` names the ops of each filter call, in order, the last one for all that follow. */
  constructor({ name }: Scenario, ops: string) {
    this.#scenario = name;
    this.#ops = ops;
  }

  /** Undefined for a step that looks at a file that is not there yet. */
  of(step: TruthStep): Move | undefined {
    if (step.sh !== undefined) return shellMove(step.sh, step);
    return step.do === undefined ? this.#look(step) : this.#call(step.do, step.ret);
  }

  #call(what: string, ret: unknown): Move {
    return {
      what,
      commands: this.#commands(what),
      there: ret,
      here: (seen) => seen.at(-1)?.result,
    };
  }

  #commands(what: string): readonly Command[] {
    const [, enabled] = /^write (\d)/u.exec(what) ?? [];
    if (enabled !== undefined) return [{ operate: { ftrace_enabled: enabled === '0' ? 0 : 1 } }];
    const [register, un = '', name = 'A', flags] =
      /^(un)?register(?:_ftrace_function)?(?:\((\w)(?: \((.*?)\))?)?/u.exec(what) ?? [];
    if (register === undefined) return [this.#filter(what)];
    const call: Command = { call: `${un}register_ftrace_function`, args: [{ at: name }] };
    return flags === undefined ? [call] : [...asked(name, flags), call];
  }

  #filter(what: string): Command {
    const ops = { at: this.#nextOps() };
    const set = /^set_(filter|notrace) (?:'(.*)'|NULL)(?: reset=(\d)| before .*)?$/su.exec(what);
    if (set === null) return { call: 'ftrace_set_filter_ip', args: [ops, ...addressOf(what)] };
    const [, hash = '', shown, reset = 0] = set;
    const text = shown === undefined ? undefined : bufferOf(this.#scenario, what, shown);
    const buffer: Argument[] = text === undefined ? [0, 0] : [{ text }, text.length];
    return { call: `ftrace_set_${hash}`, args: [ops, ...buffer, Number(reset)] };
  }

  #nextOps(): string {
    return this.#ops[Math.min(this.#filters++, this.#ops.length - 1)] ?? OPS[0];
  }

  #look({ see = '', is, events }: TruthStep): Move {
    const what = see;
    if (see.startsWith('during the '))
      return { what, commands: [], there: events, here: (_, before) => calledOps(before.at(-1)) };
    const given = givenMove(see, is);
    if (given !== undefined) return given;
    if (events !== undefined) {
      const here: Move['here'] = (seen) => seen.at(-1)?.order.map(shortName);
      return { what, commands: [...readied(see), { run: ['tgt_a1'] }], there: events, here };
    }
    if (see.endsWith(': of a1 a2 a3 b1 b2, reached the callback'))
      return { what, commands: [{ run: CALLS }], there: is, here: ([seen]) => reached(seen, what) };
    if (see === "times B's lock said no")
      return { what, commands: [{ read: 'refused' }], there: is, here: ([seen]) => seen?.result };
    if (see.startsWith('callbacks of any function'))
      return {
        what,
        commands: [{ run: [...CALLS, ...MORE] }],
        there: is,
        here: ([seen]) => seen?.hits.length,
      };
    assert(/other than|other functions/u.test(see), `${see} can be looked at`);
    return { what, commands: [{ run: MORE }], there: is, here: ([seen]) => (isHit(seen) ? 1 : 0) };
  }
}

/** `a1+12`, `symbol address of a1`, `0`, ... and what to do with it. */
function addressOf(what: string): readonly [Argument, number, number] {
  const flag = (name: string): number => (what.includes(`${name}=1`) ? 1 : 0);
  const [, name = '', plus = '0'] =
    /set_filter_ip (?:symbol address of )?(\w+)(?:\+(\d+))?/u.exec(what) ?? [];
  return [placeOf(what, name, Number(plus)), flag('remove'), flag('reset')];
}

function placeOf(what: string, name: string, plus: number): Argument {
  if (name === '0') return 0;
  if (what.includes('data address')) return { at: 'jiffies' };
  if (what.includes('notrace function')) return { at: 'tgt_notrace' };
  return { at: `tgt_${name}`, plus };
}

/** Callbacks with and without the recursion lock (F24). */
function readied(see: string): readonly Command[] {
  if (!see.includes('take')) return [];
  return [
    { set: 'helps', to: 1 },
    { set: 'locks', to: see.startsWith('both') ? 1 : 0 },
  ];
}

function isHit(seen: Seen | undefined): boolean {
  return (seen?.hits.length ?? 0) > 0;
}

/** Which of the five had a callback, of the ops that `what` begins with if it does, as the truth writes it. */
export function reached(seen: Seen | undefined, what = ''): string {
  const [ops] = /^[ABC]\b/u.exec(what) ?? [];
  const own = seen?.hits.filter((hit) => ops === undefined || hit.ops === ops);
  const hit = new Set(own?.map(({ func }) => func));
  return FIVE.filter((name) => hit.has(`tgt_${name}`)).join(' ');
}

function shortName(name: string): string {
  return name.replace(/^tgt_/u, '');
}
