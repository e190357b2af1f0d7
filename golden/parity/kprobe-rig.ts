// What scenarios of kprobes and kretprobes need beside the rig of fprobes: structs, handlers that do as they are told by data,
// and functions that say what they were given.
import {
  type DefinedPath,
  defineHandler,
  defineTask,
  type HandlerContext,
} from '../../src/replay/handler.ts';
import type { FunctionModel } from '../../src/replay/workload/model.ts';
import { fprobeRig } from './fprobe-rig.ts';
import { type Doing, watchKprobes } from './kprobe-handled.ts';
import type { Argument, Command, KernelModel, Rig } from './rig.ts';

/** The probes that commands can name: `KA`, `RA`. */
const KPROBES = ['A', 'B', 'C', 'E', 'F', 'G', 'H', 'K', 'N', 'P'].map((one) => `K${one}`);
const KRETPROBES = ['A', 'B', 'C', 'D'].map((one) => `R${one}`);
const KRETPROBE_BYTES = 152;
/** Offsets in `struct kprobe` and `struct kretprobe`, as include/linux/kprobes.h has them. */
const AT = {
  nmissed: 32,
  addr: 40,
  symbolName: 48,
  offset: 56,
  preHandler: 64,
  postHandler: 72,
  handler: 112,
  entryHandler: 120,
  maxactive: 128,
  dataSize: 136,
} as const;
/** Two numbers of 4 bytes are written as one of 8. */
const HIGH = 2 ** 32;
export const KPROBE_FLAG_DISABLED = 2;

/** What a struct has. Neither `symbol` nor `addr`: both are NULL. */
export interface Fill {
  readonly symbol?: string | undefined;
  readonly addr?: Exclude<Argument, { readonly text: string }> | undefined;
  readonly offset?: number;
  readonly flags?: number;
  /** Which of its handlers are there: `pre`, `post`, `entry`, `return`. */
  readonly handlers?: readonly Which[];
  readonly maxactive?: number;
  readonly nmissed?: number;
  readonly dataSize?: number;
}

type Which = 'pre' | 'post' | 'entry' | 'return';
const PLACES: Readonly<Record<Which, number>> = {
  pre: AT.preHandler,
  post: AT.postHandler,
  entry: AT.entryHandler,
  return: AT.handler,
};

/** Unregisters what is registered yet, zeroes the struct and fills it in. */
export function fill(name: string, given: Fill): readonly Command[] {
  const { symbol, addr = 0, offset = 0, flags = 0, handlers = [] } = given;
  const { maxactive = 0, nmissed = 0, dataSize = 0 } = given;
  const set = (at: number, to: Exclude<Argument, { readonly text: string }>): Command => ({
    set: `${name}+${at}`,
    to,
  });
  const zeros = Array.from({ length: KRETPROBE_BYTES / 8 }, (_, i) => set(8 * i, 0));
  const names: readonly Command[] =
    symbol === undefined
      ? []
      : [{ write: `${name}_symbol`, text: symbol }, set(AT.symbolName, { at: `${name}_symbol` })];
  return [
    { release: name },
    ...zeros,
    ...names,
    set(AT.addr, addr),
    set(AT.offset, offset + flags * HIGH),
    ...handlers.map((which) => set(PLACES[which], { at: `${name}_${which}` })),
    set(AT.maxactive, (maxactive >>> 0) + nmissed * HIGH),
    set(AT.dataSize, dataSize),
  ];
}

/** `register`, `unregister`, `enable` or `disable` of the kprobe or kretprobe of that name. */
export function call(verb: string, name: string): Command {
  const kind = name.startsWith('R') ? 'kretprobe' : 'kprobe';
  return { call: `${verb}_${kind}`, args: [{ at: name }] };
}

export function readNmissed(name: string): Command {
  return { read: `${name}+${AT.nmissed}` };
}

export function readAddr(name: string, minus?: string): Command {
  return { read: `${name}+${AT.addr}`, ...(minus === undefined ? {} : { minus }) };
}

/** To be read with `high`. */
export function readFlags(name: string): Command {
  return { read: `${name}+${AT.offset}` };
}

/** `maxactive`, and with `high` the nmissed of a kretprobe. */
export function readActive(name: string): Command {
  return { read: `${name}+${AT.maxactive}` };
}

export function high(result: number): number {
  return Math.floor(result / HIGH);
}

export function low(result: number): number {
  return result | 0;
}

/** What handlers call, by the number that says so. */
const CALLED = {
  nothing: [],
  help: ['tgt_help'],
  a1: ['tgt_a1'],
  a2: ['tgt_a2'],
  'help, and says so': ['ran_kprobe_begin', 'tgt_help', 'ran_kprobe_end'],
  'an interrupt': ['ran_kprobe_begin', 'raise_irq', 'ran_kprobe_end'],
  'an NMI': ['ran_kprobe_begin', 'raise_nmi', 'ran_kprobe_end'],
} as const;
const LISTS: readonly (readonly string[])[] = Object.values(CALLED);

/** What the handler of `name` calls from now on; nothing without. */
export function tell(name: string, which: string, called = 'nothing'): Command {
  return { set: `${name}_${which}_calls`, to: Math.max(0, Object.keys(CALLED).indexOf(called)) };
}

/** How long a handler waits for another CPU to come. */
const ROUNDS = 5000;

/** K24: who is inside at once. */
function* meet(cx: HandlerContext): ReturnType<DefinedPath['path']> {
  const inside = (yield* cx.add('met', 1)) + 1;
  if (inside > (yield* cx.read('met_most'))) yield* cx.write('met_most', inside);
  for (let i = 0; i < ROUNDS && (yield* cx.read('met_most')) < 2; i++);
  yield* cx.add('met', -1);
}

function handlerOf(name: string, which: Which): DefinedPath {
  return defineHandler(`${name}_${which}`, 1, function* (cx) {
    if ((yield* cx.read('meets')) !== 0) yield* meet(cx);
    const told = yield* cx.read(`${name}_${which}_calls`);
    for (const func of LISTS[told] ?? []) yield* cx.call(func);
    return yield* cx.read(`${name}_returns`);
  });
}

/** In the middle of mid: what `does` says, and how it is noted. */
const HOOKS = [
  [],
  ['disable_kprobe', 'KA', 'ran_disable'],
  ['unregister_kprobe', 'KA', 'ran_unregister'],
  ['register_kretprobe', 'RA', 'ran_register'],
] as const;

export function hook(does: string): Command {
  return { set: 'does', to: 1 + ['disables', 'unregisters', 'registers'].indexOf(does) };
}

const midDoes = defineHandler('mid_does', 1, function* (cx) {
  const [name, probe, mark] = HOOKS[yield* cx.read('does')] ?? [];
  yield* cx.write('does', 0);
  if (name === undefined) return;
  yield* cx.call(name, cx.addressOf(probe));
  yield* cx.call(mark);
});

/** a1(n) is n + 1. */
const a1Value = defineHandler('a1_value', 1, function* (cx) {
  yield* cx.call('ran_tgt_a1');
  return (cx.args[0] ?? 0) + 1;
});

const meeter = defineTask('meeter', 1, function* (cx) {
  while ((yield* cx.read('go')) === 0 && (yield* cx.read('over')) === 0) yield* cx.sleep(50);
  if ((yield* cx.read('over')) === 0) yield* cx.call('tgt_a1');
});

const MARKS = ['notrace', 'disable', 'kprobe_begin', 'kprobe_end'].map((name) => `ran_${name}`);
const SILENT: FunctionModel = { body: [], notrace: true };

const BODIES: Readonly<Record<string, FunctionModel>> = {
  tgt_a1: { body: ['work 2', 'tail a1_value'] },
  tgt_mid: { body: ['call ran_mid_begin', 'call mid_does', 'call ran_mid_end'] },
  tgt_notrace: { body: ['call ran_notrace'], notrace: true },
  tgt_nokprobe: { body: [], nokprobe: true },
  raise_irq: SILENT,
  raise_nmi: SILENT,
};

function whichOf(name: string): readonly Which[] {
  return name.startsWith('R') ? ['entry', 'return'] : ['pre', 'post'];
}

/** The rig of fprobes, with kprobes and kretprobes. */
export function kprobeRig(model: KernelModel, functions: readonly string[], doing?: Doing): Rig {
  const base = fprobeRig(model, functions);
  const probes = [...KPROBES, ...KRETPROBES];
  const told = probes.flatMap((name) => [
    ...whichOf(name).map((which) => `${name}_${which}_calls`),
    `${name}_returns`,
  ]);
  const words = ['does', 'met', 'met_most', 'meets', ...told].map((name) => [name, 8] as const);
  const structs = probes.map((name) => [name, KRETPROBE_BYTES] as const);
  const names = probes.map((name) => [`${name}_symbol`, 64] as const);
  return {
    ...base,
    bodies: {
      ...base.bodies,
      ...BODIES,
      ...Object.fromEntries(MARKS.map((name) => [name, SILENT])),
    },
    data: { ...base.data, ...Object.fromEntries([...words, ...structs, ...names]) },
    handlers: [
      ...(base.handlers ?? []),
      ...probes.flatMap((name) => whichOf(name).map((which) => handlerOf(name, which))),
      midDoes,
      a1Value,
      meeter,
    ],
    watch: (session) => watchKprobes(session, doing),
  };
}
