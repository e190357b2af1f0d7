// What is seen in a scenario of kprobes or kretprobes: who ran in which order, counters, and what handlers were given.
import { firstBoundary, placeOf, type Telling } from './kprobe-fill.ts';
import type { Mapping, Move, Shown } from './kprobe-move.ts';
import {
  fill,
  high,
  hook,
  low,
  readActive,
  readAddr,
  readFlags,
  readNmissed,
  tell,
} from './kprobe-rig.ts';
import type { Command } from './rig.ts';
import type { Handled, Seen } from './seen.ts';

/** The names of the truth for what ran. */
function shown(name: string): string {
  return name
    .replace(/^[KR](?=[A-Z]\.)/u, '')
    .replace(/^A$/u, 'ipmodify')
    .replace(/^tgt_/u, '')
    .replace(/_(?=begin$|end$)/u, ':');
}

/** Who ran, in order. */
export function orderOf(teller: Telling, see: string, there: readonly string[]): Move {
  const isDuring = see.startsWith('during');
  const commands = isDuring ? [] : doing(teller, see);
  const ofAll = isDuring || ['R06', 'R13'].includes(teller.id);
  const here = ({ own, all }: Shown): readonly string[] => {
    const looked =
      see === 'the whole of it'
        ? all
        : isDuring
          ? all.slice(-1)
          : see.startsWith('after nine')
            ? own.slice(-1)
            : own;
    return looked.flatMap((one) => (ofAll ? one.all : one.order)).map(shown);
  };
  return { what: see, commands, there, here };
}

/** A call of a1 is given 1 unless the text says otherwise. */
function calls(func: string, argument = 1): Command {
  return { call: func, args: [argument] };
}

function doing({ id, name }: Telling, see: string): readonly Command[] {
  const [, depth] = /^rec\((\d+)\)/u.exec(see) ?? [];
  if (depth !== undefined) return recursion(Number(depth));
  if (see.startsWith('three threads'))
    return [1, 2, 3].flatMap((to): Command[] => [{ set: 'go', to }, { nap: 1000 }]);
  if (see === 'the whole of it') return [{ run: ['ran_unregistered'] }, { nap: 30_000 }];
  const [, argument = 1] = /a1\((\d+)\)/u.exec(see) ?? [];
  if (see.startsWith('after nine')) {
    const nine = Array.from({ length: 9 }, () => calls('tgt_a1'));
    return [...nine, { set: `${name}_returns`, to: 0 }, calls('tgt_a1')];
  }
  const func =
    id === 'K04' ? 'tgt_notrace' : placeOf(id, see.startsWith('one call') ? see : `of ${see}`);
  return [...handlersTold(see), ...hooked(see), calls(func, Number(argument))];
}

/** What mid does in its middle. */
function hooked(see: string): readonly Command[] {
  const [, verb] = /which (disables|unregisters|registers) A/u.exec(see) ?? [];
  const filling =
    verb === 'registers' ? fill('RA', { symbol: 'tgt_mid', handlers: ['entry', 'return'] }) : [];
  return verb === undefined ? [] : [...filling, hook(verb)];
}

function recursion(depth: number): readonly Command[] {
  return [{ set: 'rec_left', to: depth }, { run: ['tgt_rec'] }];
}

/** R11: `A's entry handler calls help`. */
function handlersTold(see: string): readonly Command[] {
  const [, which, called] = /^A's (entry|return) handler calls (help|a1)$/u.exec(see) ?? [];
  if (which === undefined) return [];
  const other = which === 'entry' ? 'return' : 'entry';
  return [tell('RA', which, called), tell('RA', other)];
}

type Look = Pick<Move, 'here'> & Partial<Move>;

/** A number. */
export function lookOf(teller: Telling, see: string, there: unknown): Move {
  const name = teller.named(see);
  const look = counted(teller, see, name) ?? placed(teller, see, name) ?? given(teller, see, name);
  return { what: see, commands: [], there, ...look };
}

function read(command: Command, of: (result: number) => number): Look {
  const here: Move['here'] = ({ own: [seen] }) =>
    seen === undefined ? undefined : of(seen.result);
  return { commands: [command], here };
}

/** How often handlers ran, and what was missed. */
function counted(teller: Telling, see: string, name: string): Look | undefined {
  const [, which, ofRec] =
    /(pre|post|entry|return)[- ]handler calls( of rec\(200\))?$/u.exec(see) ?? [];
  const since = teller.since(name);
  if (which !== undefined) {
    const commands = ofRec === undefined ? waiting(teller, see) : recursion(200);
    const here = ({ all }: Shown): number => handledIn(all.slice(since), `${name}.${which}`).length;
    return { commands, here };
  }
  if (see.endsWith('nmissed of its kprobe')) return read(readNmissed(name), Number);
  if (see === 'maxactive afterwards') return read(readActive(name), low);
  if (see.includes('nmissed'))
    return name.startsWith('R') ? read(readActive(name), high) : read(readNmissed(name), Number);
  if (see.endsWith(': flags')) return read(readFlags(name), high);
  if (see.startsWith('handlers inside at one time')) {
    const commands: Command[] = [
      { set: 'meets', to: 1 },
      { set: 'go', to: 1 },
      { nap: 20_000 },
      { read: 'met_most' },
    ];
    return { commands, here: ({ own }) => own.at(-1)?.result };
  }
  if (see.startsWith('num_')) return { here: () => teller.known.cpus };
  return undefined;
}

/** R06: a later look at the same numbers waits for who sleeps. */
function waiting({ id, done }: Telling, see: string): readonly Command[] {
  if (id !== 'R06' || !see.includes('entry')) return [];
  if (done.has(see)) return [{ nap: 60_000 }];
  done.add(see);
  return [];
}

/** Where a probe is. */
function placed({ known }: Telling, see: string, name: string): Look | undefined {
  if (/addr (?:still )?set\b/u.test(see)) return read(readAddr(name), (at) => Number(at !== 0));
  if (/addr.* minus (?:tgt_a1|the symbol's address)$/u.test(see))
    return read(readAddr(name, 'tgt_a1'), (plus) => plus);
  if (see.startsWith('first instruction boundary'))
    return { here: () => firstBoundary(known.offsets), mapped: BOUNDARY };
  if (see.startsWith('return values for offsets'))
    return { here: () => known.offsets.join(' '), mapped: OFFSETS };
  if (see === 'what the caller got') return { here: ({ all }) => all.at(-1)?.result };
  if (/^value a1\(1\) returned|^what the caller of a1\(1\) got/u.test(see))
    return { commands: [calls('tgt_a1')], here: ({ own }) => own[0]?.result };
  return undefined;
}

/** Offsets of instructions differ, but the next one is not further than the longest instruction. */
const BOUNDARY: Mapping = {
  reason: 'RV64 mapping',
  there: (offset) => Number(offset) >= 10 && Number(offset) < 10 + 15,
  here: (offset) => Number(offset) >= 10 && Number(offset) < 10 + 4,
};

/**
 * Which offsets are boundaries differs: what the answers are does not. Behind the function is padding there, which is refused, and
 * the next function here.
 */
const OFFSETS: Mapping = { reason: 'RV64 mapping', there: answers, here: answers };

const PADDING = '-22';

function answers(all: unknown): readonly string[] {
  return [...new Set(String(all).split(' '))].filter((one) => one !== PADDING).toSorted();
}

/** What a breakpoint of 1 byte has 2 for here. */
const BREAKPOINT: Mapping = {
  reason: 'RV64 mapping',
  there: (plus) => (plus === 1 ? 2 : plus),
  here: (plus) => plus,
};

/** What handlers were given in the last call. */
function given(teller: Telling, see: string, name: string): Look {
  const since = teller.since(name);
  const isReturn = /at return|return value/u.test(see);
  const isK = name.startsWith('K');
  const which = isK ? 'pre' : isReturn ? 'return' : 'entry';
  const of = (see2: (handled: Handled, entry: Handled) => unknown): Look => ({
    commands: runOnce(teller, see),
    here: ({ all }) => {
      const own = all.slice(since);
      const handled = handledIn(own, `${name}.${which}`).at(-1);
      const entry = handledIn(own, `${name}.${isK ? 'pre' : 'entry'}`).at(-1);
      return handled === undefined || entry === undefined
        ? undefined
        : Number(see2(handled, entry));
    },
  });
  if (see.includes('regs->ip minus addr'))
    return { ...of(({ regsIp, ip }) => regsIp - ip), mapped: BREAKPOINT };
  if (see.startsWith('preempt_count')) return of(({ preemptCount }) => preemptCount);
  if (see.startsWith('interrupts off')) return of(({ irqsOff }) => irqsOff);
  if (see.startsWith('regs_return_value')) return of(({ regsA0 }) => regsA0);
  if (see.includes("instance's return address")) return of(({ retIp, regsRa }) => retIp === regsRa);
  if (see.startsWith('same pointer')) return of((a, b) => a.entryData === b.entryData);
  if (see.includes('not NULL')) return of(({ entryData }) => entryData !== -1);
  return of(({ data }) => data);
}

/** Calls a1 for the first of several looks at one call; K01 and R01 have done so. */
function runOnce({ id, done, name }: Telling, see: string): readonly Command[] {
  if (id !== 'R04') return [];
  const key = `${name} ${see.startsWith('second') ? 'second' : 'first'}`;
  if (done.has(key)) return [];
  done.add(key);
  return [calls('tgt_a1')];
}

function handledIn(seen: readonly Seen[], who: string): readonly Handled[] {
  return seen.flatMap(({ handled }) => handled).filter((one) => one.who === who);
}
