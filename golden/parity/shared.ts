// The scenarios of golden/truth/api*.json in which an fprobe and a kprobe meet (P20, P21, P22, P28).
import {
  fill as fillFprobe,
  nmissed,
  register as registerFprobe,
  unregister as unregisterFprobe,
} from './fprobe-rig.ts';
import { compareMoves, type Move, type Shown } from './kprobe-move.ts';
import { call, fill, readNmissed, tell } from './kprobe-rig.ts';
import type { Outcome } from './outcome.ts';
import type { Command, Rig } from './rig.ts';
import type { Scenario, TruthStep } from './truth.ts';

const SCENARIOS: ReadonlySet<string> = new Set(['P20', 'P21', 'P22', 'P28']);
/** `fprobe.flags`. */
const FLAGS = 'FA+72';
const FPROBE_FL_KPROBE_SHARED = 2;

export function isBesideKprobe(name: string): boolean {
  return SCENARIOS.has(name);
}

export function compareShared(one: Scenario, rig: Rig): Outcome {
  const steps = one.steps ?? [];
  const looks = steps.filter(({ sh }) => sh === undefined);
  const teller = new SharedTeller(one.name);
  const moves = looks.map((step) => teller.move(step));
  const missing = looks.length < steps.length ? ['tracefs: enabled_functions'] : [];
  return { id: one.name, differences: compareMoves(rig, moves), missing };
}

/** Goes through the steps and knows what came before. */
class SharedTeller {
  readonly #id: string;
  /** How many commands there were when the fprobe was registered last, and how often it was. */
  #since = 0;
  #rounds = 0;
  #commands = 0;

  constructor(id: string) {
    this.#id = id;
  }

  move(step: TruthStep): Move {
    const { do: what, ret, see = '', is, events } = step;
    const move =
      what === undefined
        ? events === undefined
          ? this.#look(see, is)
          : this.#order(see, events)
        : this.#call(what, ret);
    this.#commands += move.commands.length;
    return move;
  }

  #call(what: string, there: unknown): Move {
    const here = lastResult;
    if (what.startsWith('unregister')) {
      const off = this.#id === 'P28' ? [OPS_OFF] : [];
      return { what, commands: [{ release: 'KP' }, ...off, unregisterFprobe('FA')], there, here };
    }
    if (what.startsWith('register_kprobe')) {
      const symbol = what.includes('on help') ? 'tgt_help' : 'tgt_a1';
      const called = what.includes('calls help') ? 'help, and says so' : undefined;
      return { what, commands: [tell('KP', 'pre', called), ...kprobe(symbol)], there, here };
    }
    const isShared = what.includes('(SHARED');
    const [, filter = ''] = /'(.*?)'/u.exec(what) ?? [];
    const flags = isShared ? FPROBE_FL_KPROBE_SHARED : 0;
    const isFirst = this.#rounds++ === 0;
    const commands: readonly Command[] = [
      ...this.#before(isFirst),
      ...fillFprobe('FA', {}),
      { set: FLAGS, to: flags },
      // P21: its entry handler calls help.
      { set: 'FA_entry_calls', to: this.#id === 'P21' ? 1 : 0 },
      { set: 'FA_exit_calls', to: 0 },
      registerFprobe('FA', filter),
    ];
    this.#since = this.#commands + commands.length - 1;
    return { what, commands, there, here };
  }

  /** P28: what is registered before the fprobe. */
  #before(isFirst: boolean): readonly Command[] {
    if (this.#id !== 'P28') return [];
    return isFirst ? OPS_ON : kprobe('tgt_a1');
  }

  #order(see: string, there: readonly string[]): Move {
    const func = see.includes('call of help') ? 'tgt_help' : 'tgt_a1';
    const others: readonly Command[] = see.includes('the exit handler calls help')
      ? [
          { set: 'FA_entry_calls', to: 0 },
          { set: 'FA_exit_calls', to: 1 },
        ]
      : [];
    const after = see.endsWith('kprobe') ? kprobe('tgt_a1') : see.endsWith('ops') ? OPS_ON : [];
    return { what: see, commands: [...others, ...after, { run: [func] }], there, here: order };
  }

  #look(see: string, there: unknown): Move {
    const [, which] = /(entry|exit) handler calls$/u.exec(see) ?? [];
    const since = this.#since;
    if (which !== undefined) {
      const here = ({ all }: Shown): number =>
        all.slice(since).flatMap(({ hits }) => hits.filter(({ ops }) => ops === `FA.${which}`))
          .length;
      return { what: see, commands: [], there, here };
    }
    const read = see.startsWith('kprobe') ? readNmissed('KP') : nmissed('FA');
    return { what: see, commands: [read], there, here: ({ own }) => own[0]?.result };
  }
}

function lastResult({ own }: Shown): number | undefined {
  return own.at(-1)?.result;
}

/** Who ran; a handler that says when it begins and ends is not named beside. */
function order({ own }: Shown): readonly string[] {
  const names = own.flatMap((one) => one.order);
  const saysSo = names.includes('kprobe_begin');
  return names.filter((name) => !(saysSo && name === 'KP.pre')).map(shown);
}

function kprobe(symbol: string): readonly Command[] {
  return [...fill('KP', { symbol, handlers: ['pre'] }), call('register', 'KP')];
}

const OPS_ON: readonly Command[] = [
  { call: 'ftrace_set_filter', args: [{ at: 'A' }, { text: 'tgt_a1' }, 6, 1] },
  { call: 'register_ftrace_function', args: [{ at: 'A' }] },
];
const OPS_OFF: Command = { call: 'unregister_ftrace_function', args: [{ at: 'A' }] };

/** The names of the truth for what ran. */
function shown(name: string): string {
  return name
    .replace(/^FA(?=\.)/u, 'A')
    .replace(/^KP(?=\.)/u, 'kprobe')
    .replace(/^A$/u, 'ops')
    .replace(/^tgt_/u, '')
    .replace(/^kprobe_(?=begin$|end$)/u, 'kprobe.pre:');
}
