// Steps of golden/truth/api*.json that are no call on an ops: what a callback is given (F22), modules that come and go
// (F17), and the sysctl (F41). Nothing here reads a file: what it would say is seen in who is called.
import { type Command, type Operation, PRIVATE, type Rig } from './rig.ts';
import type { Seen } from './seen.ts';
import type { Move } from './steps.ts';
import type { TruthStep } from './truth.ts';

/** FTRACE_OPS_FL_* that the scenarios ask for. */
const FLAGS: Readonly<Record<string, number>> = {
  SAVE_REGS: 1 << 2,
  SAVE_REGS_IF_SUPPORTED: 1 << 3,
  RECURSION: 1 << 4,
  PERMANENT: 1 << 16,
};
const FLAGS_AT = 8;
/** What the scenario sets as ops->private of A. */
const OWN = 0x5eed;

/** Before an ops is registered: its flags, and what A has as private. */
export function asked(name: string, flags: string): readonly Command[] {
  const to = flags.split(' ').reduce((all, flag) => all | (FLAGS[flag] ?? 0), 0);
  return [
    { set: `A+${PRIVATE}`, to: OWN },
    { set: `${name}+${FLAGS_AT}`, to },
  ];
}

/** Every function whose callback looks at what it is given. */
const LOOKED: readonly Command[] = [
  { set: 'looks', to: 1 },
  { run: ['tgt_a1', 'tgt_a2', 'tgt_a3'] },
  { set: 'looks', to: 0 },
];

/** `A: full registers given` and the like. */
export function givenMove(what: string, there: unknown): Move | undefined {
  const [, name = '', aspect = ''] = /^([ABC]): (.*)/u.exec(what) ?? [];
  if (aspect.startsWith('ops->private')) return privateMove(what, name, there);
  const of = ASPECTS.find(([words]) => aspect.startsWith(words))?.[1];
  if (of === undefined) return undefined;
  const here: Move['here'] = ([, seen]) => {
    const hits = seen?.hits.filter(({ ops }) => ops === name).map((hit) => Number(of(hit)));
    // One ops, one function, one call: one answer.
    return hits?.length === 1 ? hits[0] : hits;
  };
  return { what, commands: LOOKED, there, here };
}

const ASPECTS: readonly (readonly [string, (hit: Seen['hits'][number]) => number | boolean])[] = [
  ["ip minus the symbol's address", ({ plus }) => plus],
  ['full registers given', ({ registers }) => registers.includes('sp')],
  ['preempt_count in the callback', ({ preemptCount }) => preemptCount],
  ['interrupts off in the callback', ({ irqsOff }) => irqsOff],
];

/** That of A is what was set, that of others what it is in a struct of zeros. */
function privateMove(what: string, name: string, there: unknown): Move {
  const commands: readonly Command[] = [...LOOKED, { read: `private_${name}` }];
  const here: Move['here'] = (seen) => {
    const found = seen.at(-1)?.result;
    return what.includes('never set') ? found : Number(found === OWN);
  };
  return { what, commands, there, here };
}

/** What a command of the shell did; undefined for a file that is not there yet. */
export function shellMove(sh: string, { see = '', status, lines }: TruthStep): Move | undefined {
  if (sh.startsWith('cat ')) return enabledMove(see, lines?.[0]);
  const operate = OPERATIONS.find(([word]) => sh.startsWith(word))?.[1];
  if (operate === undefined) return undefined;
  return { what: see, commands: [{ operate }], there: status, here: ([seen]) => seen?.result };
}

export const MODULE = 'victim';

/** F17 and P36: a module whose init and exit functions call another one of it. */
export function withModule(rig: Rig): Rig {
  const calls = { body: ['call victim_fn'], module: MODULE };
  const victims = {
    victim_fn: { body: [], module: MODULE },
    victim_init: calls,
    victim_exit: calls,
  };
  return {
    ...rig,
    modules: { [MODULE]: { init: 'victim_init', exit: 'victim_exit' } },
    bodies: { ...rig.bodies, ...victims },
  };
}

const OPERATIONS: readonly (readonly [string, Operation])[] = [
  ['insmod', { init_module: MODULE }],
  ['rmmod', { delete_module: MODULE }],
];

/** ftrace_enabled is what it says while a hook fires, or does not. */
function enabledMove(what: string, there: unknown): Move {
  const ops = { at: 'C' };
  const name = 'vfs_read';
  const commands: readonly Command[] = [
    { call: 'ftrace_set_filter', args: [ops, { text: name }, name.length, 1] },
    { call: 'register_ftrace_function', args: [ops] },
    { run: [name] },
    { call: 'unregister_ftrace_function', args: [ops] },
  ];
  return { what, commands, there, here: isFired };
}

function isFired(seen: readonly Seen[]): string {
  return seen.some(({ hits }) => hits.some((hit) => hit.ops === 'C')) ? '1' : '0';
}

/** The callbacks of a command, as the truth names those of its only ops. */
export function calledOps(seen: Seen | undefined): readonly string[] | undefined {
  return seen?.hits.map(() => 'ops');
}
