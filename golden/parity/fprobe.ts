// The scenarios of golden/truth/api*.json that are about fprobe: the same calls on the same functions, and what they returned,
// who ran in which order, and how often.
import {
  fill,
  type Fill,
  fprobeRig,
  FTRACE_OPS_FL_RECURSION,
  hook,
  nmissed,
  register,
  unregister,
} from './fprobe-rig.ts';
import { kprobeRig } from './kprobe-rig.ts';
import { compare, type Difference, type Outcome } from './outcome.ts';
import { type Argument, type Command, type KernelModel, play } from './rig.ts';
import type { Handled, Seen } from './seen.ts';
import { compareShared, isBesideKprobe } from './shared.ts';
import { MODULE, withModule } from './surroundings.ts';
import type { Scenario, TruthStep } from './truth.ts';

const FUNCTIONS = [
  'a1',
  'a2',
  'a3',
  'b1',
  'b2',
  'help',
  'help2',
  'outer',
  'block',
  'mid',
  'rec',
].map((name) => `tgt_${name}`);
const FIVE = ['a1', 'a2', 'a3', 'b1', 'b2'].map((name) => `tgt_${name}`);
/** Steps that have a module come or go. */
const MODULES = /^(?:insmod|rmmod) /u;
/** Where the first data of entry handlers begins (P05). */
const STORES = 91;

/** Compares every scenario of fprobe. */
export function compareFprobes(
  scenarios: readonly Scenario[],
  model: KernelModel,
): readonly Outcome[] {
  return scenarios.map((one) => {
    if (isBesideKprobe(one.name)) return compareShared(one, kprobeRig(model, FUNCTIONS));
    return one.crashed === undefined ? compareOne(one, model) : compareCrash(one, model);
  });
}

/** What the events of all commands so far show; the last ones are the step's own. */
interface Shown {
  readonly own: readonly Seen[];
  readonly all: readonly Seen[];
}

interface Move {
  readonly what: string;
  readonly commands: readonly Command[];
  readonly there: unknown;
  readonly here: (shown: Shown) => unknown;
  /** What it is here for that, by the RV64 mapping. */
  readonly mapped?: (there: unknown) => unknown;
}

function compareOne(one: Scenario, model: KernelModel): Outcome {
  const steps = one.steps ?? [];
  const looks = steps.filter(({ sh }) => sh === undefined || MODULES.test(sh));
  const teller = new Teller(one.name);
  const moves = looks.map((step) => teller.move(step));
  const stores = one.name === 'P05' ? STORES : undefined;
  const { seen, ending } = play(
    one.name === 'P36'
      ? withModule(fprobeRig(model, FUNCTIONS))
      : fprobeRig(model, FUNCTIONS, stores),
    moves.flatMap(({ commands }) => commands),
  );
  let at = 0;
  const differences: Difference[] = [];
  for (const { what, commands, there, here, mapped } of moves) {
    const own = seen.slice(at, at + commands.length);
    at += commands.length;
    const found = here({ own, all: seen.slice(0, at) });
    if (mapped === undefined) differences.push(...compare(what, there, found));
    else {
      differences.push(
        ...compare(what, there, found, 'RV64 mapping'),
        ...compare(`${what}, mapped`, mapped(there), found),
      );
    }
  }
  differences.push(...compare('it ends', 'run_end', ending));
  const missing = looks.length < steps.length ? ['tracefs: enabled_functions'] : [];
  return { id: one.name, differences, missing };
}

/** What each misuse ends in here. */
const OOPSES: Readonly<Record<string, string>> = {
  X02: 'freed in register_fprobe, called by driver of driver',
  X04: 'freed in unregister_fprobe, called by driver of driver',
};

/** X02 and X04: what is misused ends in an oops, in the call that crashed. */
function compareCrash({ name, crashed }: Scenario, model: KernelModel): Outcome {
  const again = name === 'X04' ? register('FA', 'tgt_a1') : unregister('FA');
  const last = name === 'X04' ? unregister('FA') : register('FA', 'tgt_a1');
  const commands = [...fill('FA', {}), register('FA', 'tgt_a1'), again, last];
  const { ending, oops } = play(fprobeRig(model, FUNCTIONS), commands);
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

/** Names of fprobes in the truth are A, B and C; here an ftrace_ops may be called so. */
function shown(name: string): string {
  return name
    .replace(/^F(?=[ABCP]\.)/u, '')
    .replace(/^A$/u, 'ops')
    .replace(/^tgt_/u, '')
    .replace(/_(?=begin$|end$)/u, ':');
}

/** Goes through the steps of a scenario and knows what came before. */
class Teller {
  readonly #id: string;
  /** The fprobe that the last register named. */
  #name = 'A';
  /** How many commands there were when each was registered last. */
  readonly #since = new Map<string, number>();
  #commands = 0;
  #waits = 0;

  constructor(id: string) {
    this.#id = id;
  }

  move(step: TruthStep): Move {
    const { do: call, ret, sh } = step;
    const does = call === undefined ? this.#look(step) : this.#call(call, ret);
    const move = sh === undefined ? does : moduleMove(sh, step);
    this.#commands += move.commands.length;
    return move;
  }

  #call(what: string, there: unknown): Move {
    const commands = this.#commandsOf(what);
    return { what, commands, there, here: ({ own }) => own.at(-1)?.result };
  }

  #commandsOf(what: string): readonly Command[] {
    const [, name = this.#name] = /^(?:un)?register_fprobe\((\w)/u.exec(what) ?? [];
    if (what.startsWith('unregister_fprobe')) return this.#unregister(name);
    if (what.startsWith('register the ops')) return this.#registerOps(what);
    if (what.startsWith('register_fprobe_ips')) return this.#registerIps(what);
    this.#name = name;
    // What the scenario does between two steps is not said: of P01, each pair of patterns at a time.
    const filling: readonly Command[] = [
      { release: `F${name}` },
      ...fill(`F${name}`, fillOf(what)),
    ];
    this.#since.set(name, this.#commands + filling.length);
    const [, filter, notfilter] = /, (NULL|'[^']*'), (NULL|'[^']*')\)$/u.exec(what) ?? [];
    return [...filling, register(`F${name}`, quoted(filter), quoted(notfilter))];
  }

  #unregister(name: string): readonly Command[] {
    if (this.#id !== 'P26') return [unregister(`F${name}`)];
    // Its thread sleeps in block.
    return [{ set: 'go', to: 1 }, { nap: 1000 }, unregister(`F${name}`)];
  }

  #registerOps(what: string): readonly Command[] {
    const flags = what.includes('RECURSION') ? FTRACE_OPS_FL_RECURSION : 0;
    const clear: readonly Command[] =
      flags === 0 ? [] : [{ call: 'unregister_ftrace_function', args: [{ at: 'A' }] }];
    return [
      ...clear,
      { set: 'helps', to: 1 },
      { set: 'A+8', to: flags },
      { call: 'ftrace_set_filter', args: [{ at: 'A' }, { text: 'tgt_a1' }, 6, 1] },
      { call: 'register_ftrace_function', args: [{ at: 'A' }] },
    ];
  }

  #registerIps(what: string): readonly Command[] {
    this.#name = 'A';
    const filling = fill('FA', {});
    this.#since.set('A', this.#commands + filling.length);
    const words = /\{(?<words>.*)\}/u.exec(what)?.groups?.['words'] ?? '';
    const ips = addressesOf(words, what.includes('symbol address'));
    const sets = ips.map((to, i): Command => ({ set: `addresses+${8 * i}`, to }));
    const [, count = String(ips.length)] = /num (-?\d+)/u.exec(what) ?? [];
    const fprobe: Argument = what.includes('NULL fprobe') ? 0 : { at: 'FA' };
    const array: Argument = what.includes('ips NULL') ? 0 : { at: 'addresses' };
    const call: Command = { call: 'register_fprobe_ips', args: [fprobe, array, Number(count)] };
    return [...filling, ...sets, call];
  }

  #look({ see = '', is, events }: TruthStep): Move {
    if (events !== undefined) return this.#order(see, events);
    const told = this.#told(see);
    return { what: see, commands: [], there: is, ...told };
  }

  #told(see: string): Pick<Move, 'here'> & Partial<Move> {
    const [, name = this.#name, what = see] = /^(?:([ABC]): )?(.*)$/u.exec(see) ?? [];
    const since = this.#since.get(name) ?? 0;
    if (what.endsWith('handler calls')) {
      const who = `${name}.${what.startsWith('entry') ? 'entry' : 'exit'}`;
      // A later look at the same numbers waits for who sleeps (P18).
      const commands = this.#id === 'P18' && ++this.#waits === 3 ? [{ nap: 60_000 }] : [];
      return { commands, here: ({ all }) => handledIn(all.slice(since), who).length };
    }
    if (what === 'nmissed') {
      return { commands: [nmissed(`F${name}`)], here: ({ own }) => own[0]?.result };
    }
    if (what.startsWith('unregister returned while')) {
      return { here: ({ all }) => (all.some((one) => one.all.includes('block_end')) ? 0 : 1) };
    }
    return this.#given(what, name);
  }

  /** What handlers were given. */
  #given(what: string, name: string): Pick<Move, 'here'> & Partial<Move> {
    const since = this.#since.get(name) ?? 0;
    const ofCall = (all: readonly Seen[], which: string): Handled | undefined =>
      handledIn(all.slice(since), `${name}.${which}`)[what.startsWith('second') ? 1 : 0];
    const both = (see: (entry: Handled, exit: Handled) => unknown): Pick<Move, 'here'> => ({
      here: ({ all }) => {
        const [entry, exit] = [ofCall(all, 'entry'), ofCall(all, 'exit')];
        return entry === undefined || exit === undefined ? undefined : Number(see(entry, exit));
      },
    });
    const entryOnly = (see: (entry: Handled) => unknown): Pick<Move, 'here'> => ({
      here: ({ all }) => {
        const entry = ofCall(all, 'entry');
        return entry === undefined ? undefined : Number(see(entry));
      },
    });
    const runs = /^(?:first|second) call/u.test(what) || /^[BC]?.*entry_data/u.test(what);
    const commands = runs ? this.#runOnce(`${name} ${/^\w+ call/u.exec(what)?.[0] ?? ''}`) : [];
    return { commands, ...givenOf(what, { both, entryOnly }) };
  }

  readonly #ran = new Set<string>();

  /** Calls a1 for the first of several looks at one call; P02 has done so. */
  #runOnce(key: string): readonly Command[] {
    if (this.#id === 'P02' || this.#ran.has(key)) return [];
    this.#ran.add(key);
    return [{ run: ['tgt_a1'] }];
  }

  #order(see: string, there: readonly string[]): Move {
    const commands = this.#doing(see);
    const ofAll = ['P18', 'P26', 'P36'].includes(this.#id);
    return {
      what: see,
      commands,
      there,
      here: ({ own, all }) => {
        const looked =
          see === 'the whole of it' ? all : see.startsWith('during') ? all.slice(-1) : own;
        const order = looked.flatMap((one) => (ofAll ? one.all : one.order)).map(shown);
        // Only counted there.
        return this.#id === 'P01' ? order.filter((name) => !name.endsWith('.exit')) : order;
      },
    };
  }

  #doing(see: string): readonly Command[] {
    if (see.startsWith('calls of')) return [{ run: FIVE }];
    const [, depth] = /^rec\((\d)\)/u.exec(see) ?? [];
    if (depth !== undefined) return [{ set: 'rec_left', to: Number(depth) }, { run: ['tgt_rec'] }];
    if (see.startsWith('three threads')) {
      return [1, 2, 3].flatMap((to): Command[] => [{ set: 'go', to }, { nap: 1000 }]);
    }
    if (see.startsWith('during')) return [];
    if (see === 'the whole of it') return [{ run: ['ran_unregistered'] }, { nap: 30_000 }];
    if (see.includes('outer')) return [{ run: ['tgt_outer'] }];
    if (this.#id === 'P25' || this.#id === 'P34') return this.#mid(see);
    return [...this.#telling(see), { run: ['tgt_a1'] }];
  }

  #mid(see: string): readonly Command[] {
    const call: Command = { run: ['tgt_mid'] };
    if (see.includes('is unregistered')) return [hook('unregisters'), call];
    if (!see.includes('registers A')) return [call];
    const filling = fill('FA', {});
    this.#since.set('A', this.#commands + filling.length);
    return [...filling, hook('registers'), call];
  }

  /** What handlers do in the call that follows. */
  #telling(see: string): readonly Command[] {
    const name = `F${this.#name}`;
    const [, calls = '', times] = /handler calls (\w+)(?: (once|twice))?/u.exec(see) ?? [];
    const told = calls === 'a1' ? 3 : calls === '' ? 0 : times === 'twice' ? 2 : 1;
    const isExit = see.includes('exit handler');
    const [, returns] = /entry returns (-?\d+)/u.exec(see) ?? [];
    const [, first] =
      /entry returns (-?\d+)/u.exec(this.#id === 'P04' ? 'entry returns 1' : '') ?? [];
    return [
      { set: `${name}_entry_calls`, to: isExit ? 0 : told },
      { set: `${name}_exit_calls`, to: isExit ? told : 0 },
      { set: `${name}_returns`, to: Number(returns ?? first ?? 0) },
    ];
  }
}

/** A module comes or goes. */
function moduleMove(sh: string, { see = sh, status }: TruthStep): Move {
  const operate = sh.startsWith('insmod') ? { init_module: MODULE } : { delete_module: MODULE };
  return { what: see, commands: [{ operate }], there: status, here: ({ own }) => own[0]?.result };
}

interface Looks {
  readonly both: (see: (entry: Handled, exit: Handled) => unknown) => Pick<Move, 'here'>;
  readonly entryOnly: (see: (entry: Handled) => unknown) => Pick<Move, 'here'>;
}

/** P02 and P05. */
function givenOf(what: string, { both, entryOnly }: Looks): Pick<Move, 'here'> & Partial<Move> {
  const is = (text: string): boolean => what.includes(text);
  if (is("minus the symbol's address")) return entryOnly(({ ip }) => ip & 7);
  if (is('entry_ip is the same')) return both((a, b) => a.ip === b.ip);
  if (is('ret_ip is the same')) return both((a, b) => a.retIp === b.retIp);
  if (is('registers given')) return both((a, b) => a.regsIp !== -1 && b.regsIp !== -1);
  if (is('regs->ip minus entry_ip')) {
    return { ...entryOnly(({ ip, regsIp }) => regsIp - ip), mapped: sizeOfSite };
  }
  if (is('regs->ip is ret_ip')) return both((_, exit) => exit.regsIp === exit.retIp);
  if (is('return value')) return both((_, exit) => exit.regsA0);
  if (is('preempt_count at entry')) return entryOnly(({ preemptCount }) => preemptCount);
  if (is('preempt_count at exit')) return both((_, exit) => exit.preemptCount);
  if (is('interrupts off at entry')) return entryOnly(({ irqsOff }) => irqsOff);
  if (is('interrupts off at exit')) return both((_, exit) => exit.irqsOff);
  if (is('the same pointer')) return both((a, b) => a.entryData === b.entryData);
  if (is('content at exit')) return both((_, exit) => exit.data);
  if (is('content')) return entryOnly(({ data }) => data);
  if (is('at exit')) return both((_, exit) => exit.entryData !== -1);
  return entryOnly(({ entryData }) => entryData !== -1);
}

/** The site of 5 bytes there has 4 here. */
function sizeOfSite(there: unknown): unknown {
  return there === 5 ? 4 : there;
}

function handledIn(seen: readonly Seen[], who: string): readonly Handled[] {
  return seen.flatMap(({ handled }) => handled).filter((one) => shown(one.who) === who);
}

function quoted(word: string | undefined): string | undefined {
  return word === undefined || word === 'NULL' ? undefined : word.slice(1, -1);
}

function fillOf(what: string): Fill {
  const number = (pattern: RegExp): number => Number(pattern.exec(what)?.[1] ?? 0);
  return {
    exit: !what.includes('no exit handler'),
    entryDataSize: number(/entry_data_size (\d+)/u),
    nrMaxactive: number(/nr_maxactive (-?\d+)/u),
    opsFlags: what.includes('(RECURSION') ? FTRACE_OPS_FL_RECURSION : 0,
  };
}

/** `a1 a2+20`, by site unless `bySymbol`. */
function addressesOf(
  words: string,
  bySymbol: boolean,
): readonly Exclude<Argument, { text: string }>[] {
  const site = bySymbol ? 0 : 4;
  if (words === '0') return [0];
  if (words.startsWith('a stack')) return [{ at: 'addresses' }];
  if (words.startsWith('a notrace')) return [{ at: 'tgt_notrace' }];
  return words
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => {
      const [name = '', plus] = word.split('+');
      return { at: `tgt_${name}`, plus: plus === undefined ? site : Number(plus) };
    });
}
