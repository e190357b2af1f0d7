// One step of a scenario of kprobes or kretprobes as commands, and as what is to be seen of them.
import { fillOf, type Known, type Telling } from './kprobe-fill.ts';
import { listMove } from './kprobe-list.ts';
import { lookOf, orderOf } from './kprobe-looks.ts';
import type { Mapping, Move } from './kprobe-move.ts';
import { call, fill, tell } from './kprobe-rig.ts';
import type { Command } from './rig.ts';
import { MODULE } from './surroundings.ts';
import type { Scenario, TruthStep } from './truth.ts';

/** Goes through the steps of a scenario and knows what came before. */
export class KprobeTeller implements Telling {
  readonly id: string;
  readonly known: Known;
  readonly #letter: 'K' | 'R';
  /** The probe that the last register named. */
  name = '';
  /** How many commands there were when each was registered last. */
  readonly #since = new Map<string, number>();
  #commands = 0;
  /** Looks at the same numbers, and things that are done once for several looks. */
  readonly done = new Set<string>();

  constructor({ name, area }: Scenario, known: Known) {
    this.id = name;
    this.known = known;
    this.#letter = area === 'kretprobe' ? 'R' : 'K';
    this.name = `${this.#letter}A`;
  }

  move(step: TruthStep): Move {
    const { do: what, ret, sh, see = '', is, events, status, lines = [] } = step;
    if (sh?.includes('kprobes/list') === true) {
      this.#commands++;
      return listMove(see, lines);
    }
    const move =
      what !== undefined
        ? this.#call(what, ret)
        : sh !== undefined
          ? moduleMove(sh, see, status)
          : events !== undefined
            ? orderOf(this, see, events)
            : lookOf(this, see, is);
    this.#commands += move.commands.length;
    return move;
  }

  /** How many commands came before the last register of a probe. */
  since(name: string): number {
    return this.#since.get(name) ?? 0;
  }

  /** `A` in a text is `KA` or `RA`. */
  named(text: string): string {
    const [, letter] = /(?:^|\()([A-Z])\b/u.exec(text) ?? [];
    return letter === undefined ? this.name : `${this.#letter}${letter}`;
  }

  #call(what: string, there: unknown): Move {
    const mapped = prefixSymbol(what);
    const [verb = ''] = /^(?:un)?register|^enable|^disable|^write/u.exec(what) ?? [];
    if (verb === 'write') return sysctlMove(what, there);
    if (what.includes('IPMODIFY') || what === 'unregister the ops')
      return { what, commands: ipmodify(what), there, here: ({ own }) => own.at(-1)?.result };
    const name = this.named(what);
    if (verb !== 'register') {
      const commands = [...this.#before(verb), call(verb, name)];
      const here: Move['here'] = ({ own }) => own[commands.length - 1]?.result;
      const noted: Move['here'] = (seen) => (here(seen) === undefined ? undefined : 0);
      return { what, commands, there, here: isVoid(verb) ? noted : here };
    }
    this.name = name;
    return { ...this.#register(what, name), there, ...(mapped === undefined ? {} : { mapped }) };
  }

  /** R13: its thread sleeps in block. */
  #before(verb: string): readonly Command[] {
    if (this.id !== 'R13' || verb !== 'unregister') return [];
    return [{ set: 'go', to: 1 }, { nap: 1000 }];
  }

  #register(what: string, name: string): Pick<Move, 'what' | 'commands' | 'here'> {
    const filling = [...fill(name, fillOf(this, what)), ...told(what, name)];
    const other = otherOf(what);
    const isLast = what.includes('after kprobe');
    const commands = [
      ...filling,
      ...(isLast ? [...other, call('register', name)] : [call('register', name), ...other]),
    ];
    const place = isLast ? commands.length - 1 : filling.length;
    this.#since.set(name, this.#commands + filling.length);
    return { what, commands, here: ({ own }) => own[place]?.result };
  }
}

/** Their calls return nothing; the module noted 0. */
function isVoid(verb: string): boolean {
  return verb === 'unregister';
}

/** R09: the kprobe beside the kretprobe. */
function otherOf(what: string): readonly Command[] {
  const [, handlers] = /kprobe K \((.*?)\)/u.exec(what) ?? [];
  if (handlers === undefined) return [];
  const post = handlers.includes('post') ? (['post'] as const) : [];
  const filling = fill('KK', { symbol: 'tgt_a1', handlers: ['pre', ...post] });
  return [...filling, call('register', 'KK')];
}

/** What its handlers call, and return. */
function told(what: string, name: string): readonly Command[] {
  const [, which = '', called] = /its (pre|post)-handler calls (help|a1|a2)/u.exec(what) ?? [];
  // What a handler returns it returns as long as there is the scenario: K14 registers A again.
  const [, returns] = /(?:handler|entry) returns (\d)/u.exec(what) ?? [];
  const whiches = name.startsWith('R') ? ['entry', 'return'] : ['pre', 'post'];
  return [
    ...(returns === undefined ? [] : [{ set: `${name}_returns`, to: Number(returns) }]),
    ...whiches.map((one) => tell(name, one, one === which ? called : undefined)),
  ];
}

function isRefused(answer: unknown): boolean {
  return Number(answer) < 0;
}

/** K04: a symbol that the real kernel has in front of each function, by how it was built. */
function prefixSymbol(what: string): Mapping | undefined {
  if (!what.includes('__pfx_')) return undefined;
  return { reason: 'build-dependent value', there: isRefused, here: isRefused };
}

function sysctlMove(what: string, there: unknown): Move {
  const operate = { ftrace_enabled: what.startsWith('write 0') ? 0 : 1 } as const;
  return { what, commands: [{ operate }], there, here: ({ own }) => own[0]?.result };
}

/** K18: an ops that redirects. */
const REDIRECTS = (1 << 2) | (1 << 12);

function ipmodify(what: string): readonly Command[] {
  const args = [{ at: 'A' }];
  if (what.startsWith('unregister')) return [{ call: 'unregister_ftrace_function', args }];
  return [
    { set: 'A+8', to: REDIRECTS },
    { call: 'ftrace_set_filter', args: [{ at: 'A' }, { text: 'tgt_a1' }, 6, 1] },
    { call: 'register_ftrace_function', args },
  ];
}

/** A module comes or goes. */
function moduleMove(sh: string, what: string, there: unknown): Move {
  const operate = sh.startsWith('insmod') ? { init_module: MODULE } : { delete_module: MODULE };
  return { what, commands: [{ operate }], there, here: ({ own }) => own[0]?.result };
}
