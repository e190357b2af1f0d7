// The scenarios of golden/truth/api*.json in which a handler is interrupted (C), and the interrupting code calls functions that
// are probed: with an interrupt and with an NMI.
import { contextRig, INTERRUPTED } from './context-rig.ts';
import { fill as fillFprobe, nmissed, register as registerFprobe } from './fprobe-rig.ts';
import { compareMoves, type Move, type Shown } from './kprobe-move.ts';
import { call, fill, high, readActive, readNmissed, tell } from './kprobe-rig.ts';
import type { Outcome } from './outcome.ts';
import type { Command, KernelModel } from './rig.ts';
import type { Scenario, TruthStep } from './truth.ts';

/** `fprobe.flags`, and its handlers. */
const FLAGS = 72;
const ENTRY = 'FA+104';
const EXIT = 'FA+112';
const FPROBE_FL_KPROBE_SHARED = 2;

/** Compares every scenario in which a handler is interrupted. */
export function compareContexts(
  scenarios: readonly Scenario[],
  model: KernelModel,
): readonly Outcome[] {
  return scenarios.map((one) => {
    const moves = (one.steps ?? []).map((step) => moveOf(one.name, step));
    return { id: one.name, differences: compareMoves(contextRig(model), moves), missing: [] };
  });
}

function moveOf(id: string, { do: what, ret, see = '', is, events }: TruthStep): Move {
  if (what !== undefined) return registerMove(what, ret);
  if (events !== undefined) {
    const commands = [...readied(id, see), { run: ['tgt_a1'] }];
    return { what: see, commands, there: events, here: order };
  }
  const here = see === 'nmissed of the kretprobe on help' ? highResult : result;
  return { what: see, commands: [counterOf(see)], there: is, here };
}

function result({ own: [seen] }: Shown): number | undefined {
  return seen?.result;
}

function highResult({ own: [seen] }: Shown): number | undefined {
  return seen === undefined ? undefined : high(seen.result);
}

/** C02: the three probes. */
function registerMove(what: string, there: unknown): Move {
  const isReturn = what.includes('kretprobe');
  const name = isReturn ? 'RA' : what.endsWith('a1') ? 'KA' : 'KB';
  const symbol = what.endsWith('a1') ? 'tgt_a1' : 'tgt_help';
  const handlers = isReturn ? (['entry', 'return'] as const) : (['pre'] as const);
  const commands = [...fill(name, { symbol, handlers }), call('register', name)];
  return { what, commands, there, here: ({ own }) => own[commands.length - 1]?.result };
}

function counterOf(see: string): Command {
  if (see.endsWith("kretprobe's kprobe")) return readNmissed('RA');
  if (see.includes('kretprobe')) return readActive('RA');
  if (see.includes('kprobe')) return readNmissed(see.endsWith('a1') ? 'KA' : 'KB');
  return nmissed(see.endsWith('a1') ? 'FA' : 'FB');
}

/** What is registered and told before a1 is called. */
function readied(id: string, see: string): readonly Command[] {
  const raised = see.startsWith('NMI') ? 'an NMI' : 'an interrupt';
  const told: readonly Command[] = [
    { set: 'raises', to: see.startsWith('NMI') ? 2 : 1 },
    { set: 'intrudes_a1', to: id === 'C05' ? 0 : 1 },
  ];
  if (id === 'C01') return [...told, ...opsOf(see.includes('lock taken'))];
  if (id === 'C02') return [...told, tell('KA', 'pre', raised)];
  const isEntry = id === 'C05' || see.includes('the entry handler');
  const isShared = see.includes('SHARED');
  return [
    ...told,
    ...fprobeOf(isEntry, isShared),
    ...(id === 'C05' ? kprobe : otherFprobe(isShared)),
  ];
}

function opsOf(locks: boolean): readonly Command[] {
  const args = [{ at: 'A' }];
  return [
    { call: 'unregister_ftrace_function', args },
    { set: 'A', to: { at: INTERRUPTED.ops } },
    { set: 'locks', to: locks ? 1 : 0 },
    { call: 'ftrace_set_filter', args: [...args, { text: 'tgt_a1' }, 6, 1] },
    { call: 'ftrace_set_filter', args: [...args, { text: 'tgt_help' }, 8, 0] },
    { call: 'register_ftrace_function', args },
  ];
}

/** The one on a1 has only the exit handler if that is the one that is interrupted. */
function fprobeOf(isEntry: boolean, isShared: boolean): readonly Command[] {
  return [
    { release: 'FA' },
    ...fillFprobe('FA', { entry: isEntry }),
    sharing('FA', isShared),
    isEntry
      ? { set: ENTRY, to: { at: INTERRUPTED.entry } }
      : { set: EXIT, to: { at: INTERRUPTED.exit } },
    registerFprobe('FA', 'tgt_a1'),
  ];
}

function sharing(name: string, isShared: boolean): Command {
  return { set: `${name}+${FLAGS}`, to: isShared ? FPROBE_FL_KPROBE_SHARED : 0 };
}

function otherFprobe(isShared: boolean): readonly Command[] {
  return [
    { release: 'FB' },
    ...fillFprobe('FB', {}),
    sharing('FB', isShared),
    registerFprobe('FB', 'tgt_help'),
  ];
}

const kprobe: readonly Command[] = [
  ...fill('KB', { symbol: 'tgt_help', handlers: ['pre'] }),
  call('register', 'KB'),
];

/** What ran; a handler that says when it begins and ends is not named beside. */
function order({ own }: Shown): readonly string[] {
  const names = own.flatMap((one) => one.order);
  const saysSo = (name: string, mark: string): boolean =>
    names.includes(mark) && SAYS.get(mark) === name;
  return names
    .filter((name) => ![...SAYS.keys()].some((mark) => saysSo(name, mark)))
    .map((name) => SHOWN.get(name) ?? name.replace(/^tgt_/u, ''));
}

const SAYS: ReadonlyMap<string, string> = new Map([
  ['ops_begin', 'A'],
  ['kprobe_begin', 'KA.pre'],
  ['entry_begin', 'FA.entry'],
  ['exit_begin', 'FA.exit'],
]);

/** The names of the truth. */
const SHOWN: ReadonlyMap<string, string> = new Map([
  ['ops_begin', 'ops:begin'],
  ['ops_end', 'ops:end'],
  ['kprobe_begin', 'kprobe:begin'],
  ['kprobe_end', 'kprobe:end'],
  ['intruder_begin', 'intruder:begin'],
  ['intruder_end', 'intruder:end'],
  ['entry_begin', 'fprobe:entry begin'],
  ['entry_end', 'fprobe:entry end'],
  ['exit_begin', 'fprobe:exit begin'],
  ['exit_end', 'fprobe:exit end'],
  ['FA.exit', 'fprobe:exit'],
  ['FB.entry', 'fprobe on help: entry'],
  ['FB.exit', 'fprobe on help: exit'],
  ['KB.pre', 'kprobe on help'],
]);
