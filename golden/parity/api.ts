// The scenarios of golden/truth/api*.json that are about ftrace: each step is a call of the kernel's symbols, and what it
// returned and who ran is compared. Some steps stand for a group of calls, or for other CPUs that are busy meanwhile.
import { adaptationsOf } from './adaptations.ts';
import { compare, type Difference, type Outcome } from './outcome.ts';
import { type Command, type KernelModel, play, type Rig } from './rig.ts';
import { type Move, Moves, reached } from './steps.ts';
import { withModule } from './surroundings.ts';
import type { Scenario, TruthStep } from './truth.ts';

const FUNCTIONS = ['a1', 'a2', 'a3', 'b1', 'b2', 'help', 'outer'].map((name) => `tgt_${name}`);

/** Whose filter each filter call sets, where it is not always that of A. */
const WHOSE: Readonly<Record<string, string>> = {
  F08b: 'B',
  F13: 'AB',
  F21: 'ABC',
  F22: 'ABC',
  F24: 'AB',
  F41: 'AB',
};

/** Compares every scenario of ftrace. */
export function compareScenarios(
  scenarios: readonly Scenario[],
  model: KernelModel,
): readonly Outcome[] {
  const rig: Rig = { ...model, functions: ['vfs_read', 'ksys_sync', ...FUNCTIONS] };
  return scenarios.map((one) => {
    if (one.crashed !== undefined) return compareCrash(one, rig);
    if (one.name === 'F13' || one.name === 'F15') return compareBusy(one, rig);
    return compareSteps(one, one.name === 'F17' ? withModule(rig) : rig);
  });
}

function compareSteps(one: Scenario, rig: Rig): Outcome {
  const moves = new Moves(one, WHOSE[one.name] ?? 'A');
  const played: Move[] = [];
  const missing = new Set<string>();
  for (const step of grouped(one)) {
    const move = moves.of(step);
    if (move === undefined) missing.add('tracefs: enabled_functions');
    else played.push(one.name === 'F09' ? registered(move) : move);
  }
  const offsets = one.name === 'F12' ? offsetsOf(one, rig) : [];
  const { seen } = play(
    rig,
    played.flatMap(({ commands }) => commands),
  );
  let at = 0;
  const differences = played.flatMap(({ what, commands, there, here }) => {
    const [before, own] = [seen.slice(0, at), seen.slice(at, at + commands.length)];
    at += commands.length;
    return compare(what, there, here(own, before));
  });
  const warned = seen.flatMap((step) => step.warned.map((text) => text.replace('WARNING: ', '')));
  const warnings = (one.kernel_warned ?? []).map((line) => line.replace(/.*:\d+ (\w+).*/u, '$1'));
  return {
    id: one.name,
    differences: [
      ...adaptationsOf(one.name),
      ...offsets,
      ...differences,
      ...compare('warnings', warnings, warned),
    ],
    missing: [...missing],
  };
}

/** The steps of a scenario, without those that belong to a group of their own. */
function grouped({ steps = [] }: Scenario): readonly TruthStep[] {
  return steps.filter(({ see }) => see !== OFFSET);
}

const OFFSET = 'accepted offset from the symbol address';
const OFFSETS = 16;

/** F12: which bytes of a function stand for it. The site of 5 bytes there has 4 here. */
function offsetsOf({ steps = [] }: Scenario, rig: Rig): readonly Difference[] {
  const there = steps.filter(({ see }) => see === OFFSET).map(({ is }) => Number(is));
  const tries: Command[] = Array.from({ length: OFFSETS }, (_, plus) => ({
    call: 'ftrace_set_filter_ip',
    args: [{ at: 'C' }, { at: 'tgt_a1', plus }, 0, 0],
  }));
  const { seen } = play(rig, tries);
  const here = seen.flatMap(({ result }, offset) => (result === 0 ? [offset] : []));
  const site = rig.landingPad ? 4 : 0;
  const mapped = there.filter((offset) => offset !== site + 4);
  return [
    ...compare(OFFSET, there, here, 'RV64 mapping'),
    ...compare(`${OFFSET}, mapped`, mapped, here),
  ];
}

/** F09 looks at an ops that it registers for that. */
function registered(move: Move): Move {
  if (!move.what.includes('reached')) return move;
  const args = [{ at: 'A' }];
  const commands: readonly Command[] = [
    { call: 'register_ftrace_function', args },
    ...move.commands,
    { call: 'unregister_ftrace_function', args },
  ];
  return { ...move, commands, here: ([, seen]) => reached(seen) };
}

/** SAVE_REGS and IPMODIFY. */
const REDIRECTS = (1 << 2) | (1 << 12);

/** What each misuse ends in here. */
const OOPSES: Readonly<Record<string, string>> = {
  X01: 'freed in ftrace_set_filter, called by driver of driver',
  X03: 'NULL filter hash in register_ftrace_function, called by driver of driver',
};

/** X01 and X03: what is misused ends in an oops, in the call that is the misuse. */
function compareCrash({ name, crashed }: Scenario, rig: Rig): Outcome {
  const set: Command = { call: 'ftrace_set_filter', args: [{ at: 'A' }, { text: 'tgt_a1' }, 6, 1] };
  const free: Command = { call: 'ftrace_free_filter', args: [{ at: 'A' }] };
  const flags: Command = { set: 'A+8', to: REDIRECTS };
  const register: Command = { call: 'register_ftrace_function', args: [{ at: 'A' }] };
  const { ending, oops } = play(rig, name === 'X03' ? [flags, register] : [set, free, set]);
  const crash = `${crashed?.what ?? ''} in ${crashed?.in ?? ''}`;
  const reason = 'crash of the real kernel, an event here';
  return {
    id: name,
    differences: [
      ...compare('the misuse', crash, oops ?? ending, reason),
      ...compare('it ends', OOPSES[name], oops ?? ending),
    ],
    missing: [],
  };
}

const SEED = 1;
const SWAPS = 30;
const ROUNDS = 20;

/** Threads on the other CPUs call three functions until the driver is over. */
function busy(rig: Rig): Rig {
  const body = [
    ...['a1', 'a2', 'a3'].map((name) => `call tgt_${name}`),
    'call vfs_read',
    'sleep 5',
  ];
  const task = { run: 'busy', times: 3000 };
  return {
    ...rig,
    seed: SEED,
    bodies: { busy: { body, notrace: true } },
    tasks: { one: { cpu: 1, ...task }, two: { cpu: 2, ...task }, three: { cpu: 3, ...task } },
  };
}

/** F13 and F15: many calls while other CPUs are in the functions. */
function compareBusy(one: Scenario, rig: Rig): Outcome {
  const moves = one.name === 'F13' ? swapMoves(one) : roundMoves(one);
  const { seen } = play(
    busy(rig),
    moves.flatMap(({ commands }) => commands),
  );
  let at = 0;
  const differences = moves.flatMap(({ what, commands, there, here }) => {
    const own = seen.slice(at, at + commands.length);
    at += commands.length;
    return compare(what, there, here(own, []));
  });
  return { id: one.name, differences, missing: [] };
}

/** Long enough for every other CPU to go round. */
const NAP: Command = { nap: 300 };

function filterOf(ops: string, name: string | undefined, reset: number): Command {
  const buffer = name === undefined ? [0, 0] : [{ text: name }, name.length];
  return { call: 'ftrace_set_filter', args: [{ at: ops }, ...buffer, reset] };
}

function swapMoves(one: Scenario): readonly Move[] {
  const { name, steps = [] } = one;
  const moves = new Moves(one, WHOSE[name] ?? 'A');
  const swaps: Command[] = [];
  for (let i = 0; i < SWAPS; i++) {
    const next = i % 2 === 0 ? 'tgt_a2' : 'tgt_a1';
    swaps.push(filterOf('A', next, 1), NAP);
  }
  const twoCalls: Command[] = [];
  for (let i = 0; i < SWAPS; i++) {
    const next = i % 2 === 0 ? 'tgt_a2' : 'tgt_a1';
    twoCalls.push(filterOf('B', undefined, 1), filterOf('B', next, 0), NAP);
  }
  return steps.map((step): Move => {
    const { see, is } = step;
    const direct = see === undefined ? moves.of(step) : undefined;
    if (direct !== undefined) return direct;
    const [how = '', what = ''] = (see ?? '').split(': ');
    return {
      what: see ?? '',
      // Each thing that is seen of the swaps is seen of swaps of its own.
      commands: how.startsWith('swapped with') ? swaps : twoCalls,
      there: is,
      here: (seen) =>
        countOf(
          what,
          seen.flatMap(({ hits }) => hits.map(({ func }) => func)),
        ),
    };
  });
}

/** A count, or 1 for any. */
function countOf(what: string, funcs: readonly string[]): number {
  const [, name] = /\b(a[123])\b/u.exec(what) ?? [];
  const own = funcs.filter((func) =>
    name === undefined ? !/^tgt_a[123]$/u.test(func) : func === `tgt_${name}`,
  );
  return what.includes('(1 = yes)') ? Math.min(own.length, 1) : own.length;
}

function roundMoves(one: Scenario): readonly Move[] {
  const { steps = [] } = one;
  const moves = new Moves(one, 'A');
  const round: readonly Command[] = [
    { call: 'register_ftrace_function', args: [{ at: 'A' }] },
    NAP,
    { call: 'unregister_ftrace_function', args: [{ at: 'A' }] },
    NAP,
  ];
  const rounds = Array.from({ length: ROUNDS }, () => round).flat();
  return steps.map((step): Move => {
    const { see, is } = step;
    const direct = see === undefined ? moves.of(step) : undefined;
    if (direct !== undefined) return direct;
    const isQuiet = (see ?? '').startsWith('callbacks after');
    return {
      what: see ?? '',
      commands: rounds,
      there: is,
      here: (seen) => {
        const [hits, after] = [1, 3].map((place) =>
          seen.filter((_, i) => i % round.length === place).map(({ hits: all }) => all.length),
        );
        return isQuiet
          ? (after ?? []).reduce((sum, count) => sum + count, 0)
          : (hits ?? []).filter((count) => count === 0).length;
      },
    };
  });
}
