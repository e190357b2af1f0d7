// What scenarios of fprobe need beside the rig: structs, handlers that do as they are told by data, and the functions of the
// module that sleep, call themselves, or call a hook in their middle.
import {
  type DefinedPath,
  defineHandler,
  defineTask,
  type HandlerContext,
} from '../../src/replay/handler.ts';
import type { FunctionModel } from '../../src/replay/workload/model.ts';
import { watchHandlers } from './handled.ts';
import type { Argument, Command, KernelModel, Rig } from './rig.ts';

/** The fprobes that commands can name; an ftrace_ops is called something else. */
const FPROBES = ['FA', 'FB', 'FC', 'FP'] as const;
const FPROBE_BYTES = 128;
/** Offsets in `struct fprobe`, as include/linux/fprobe.h has them. */
const AT = {
  opsFlags: 8,
  nmissed: 64,
  flags: 72,
  entryDataSize: 88,
  nrMaxactive: 96,
  entryHandler: 104,
  exitHandler: 112,
} as const;
export const FTRACE_OPS_FL_RECURSION = 1 << 4;

export interface Fill {
  readonly entry?: boolean;
  readonly exit?: boolean;
  readonly entryDataSize?: number;
  readonly nrMaxactive?: number;
  readonly opsFlags?: number;
}

/** Zeroes the struct and fills it in; both handlers unless it says otherwise. */
export function fill(
  name: string,
  { entry = true, exit = true, ...rest }: Fill,
): readonly Command[] {
  const zeros = Array.from({ length: FPROBE_BYTES / 8 }, (_, i): Command => ({
    set: `${name}+${8 * i}`,
    to: 0,
  }));
  const numbers = (['opsFlags', 'entryDataSize', 'nrMaxactive'] as const).map((field): Command => ({
    set: `${name}+${AT[field]}`,
    to: rest[field] ?? 0,
  }));
  const handlers: Command[] = [];
  if (entry) handlers.push({ set: `${name}+${AT.entryHandler}`, to: { at: `${name}_entry` } });
  if (exit) handlers.push({ set: `${name}+${AT.exitHandler}`, to: { at: `${name}_exit` } });
  return [...zeros, ...numbers, ...handlers];
}

/** `register_fprobe`; undefined is NULL. */
export function register(name: string | undefined, filter?: string, notfilter?: string): Command {
  const fprobe: Argument = name === undefined ? 0 : { at: name };
  return { call: 'register_fprobe', args: [fprobe, textOrNull(filter), textOrNull(notfilter)] };
}

function textOrNull(text: string | undefined): Argument {
  return text === undefined ? 0 : { text };
}

export function unregister(name: string): Command {
  return { call: 'unregister_fprobe', args: [{ at: name }] };
}

export function nmissed(name: string): Command {
  return { read: `${name}+${AT.nmissed}` };
}

/** What a handler calls when it is called for a1, by the number that says so. */
const CALLED: readonly (readonly string[])[] = [
  [],
  ['tgt_help'],
  ['tgt_help', 'tgt_help'],
  ['tgt_a1'],
];

function* callAsTold(
  cx: HandlerContext,
  name: string,
  which: string,
): ReturnType<DefinedPath['path']> {
  const told = yield* cx.read(`${name}_${which}_calls`);
  if (told === 0 || cx.functionAt(cx.args[1] ?? 0) !== 'tgt_a1') return;
  if ((yield* cx.add('inside', 1)) === 0)
    for (const func of CALLED[told] ?? []) yield* cx.call(func);
  yield* cx.add('inside', -1);
}

function handlersOf(name: string): readonly DefinedPath[] {
  return [
    defineHandler(`${name}_entry`, 1, function* (cx) {
      yield* callAsTold(cx, name, 'entry');
      return yield* cx.read(`${name}_returns`);
    }),
    defineHandler(`${name}_exit`, 1, (cx) => callAsTold(cx, name, 'exit')),
  ];
}

/** In the middle of mid: what `hook` says. */
const HOOKS = { nothing: 0, unregisters: 1, registers: 2 } as const;

export function hook(does: keyof typeof HOOKS): Command {
  return { set: 'hook', to: HOOKS[does] };
}

const midHook = defineHandler('mid_hook', 1, function* (cx) {
  const does = yield* cx.read('hook');
  yield* cx.write('hook', 0);
  if (does === HOOKS.unregisters) {
    yield* cx.call('unregister_fprobe', cx.addressOf('FA'));
    yield* cx.call('ran_unregister');
  }
  if (does === HOOKS.registers) {
    yield* cx.writeText('text', 'tgt_mid');
    yield* cx.call('register_fprobe', cx.addressOf('FA'), cx.addressOf('text'), 0);
    yield* cx.call('ran_register');
  }
});

/** Threads that go into block one after the other, once they are let go. */
const THREADS = 3;

function threadOf(number: number): DefinedPath {
  return defineTask(`thread_${number}`, 1, function* (cx) {
    while ((yield* cx.read('go')) < number && (yield* cx.read('over')) === 0) yield* cx.sleep(50);
    if ((yield* cx.read('over')) === 0) yield* cx.call('tgt_block');
  });
}

const MARKS = [
  'block_begin',
  'block_end',
  'rec_begin',
  'rec_end',
  'mid_begin',
  'mid_end',
  'outer_begin',
  'outer_end',
  'unregister',
  'unregistered',
  'register',
].map((name) => `ran_${name}`);

/** How long block sleeps. */
const BLOCK_US = 20_000;

const BODIES: Readonly<Record<string, FunctionModel>> = {
  tgt_a1: { body: ['call ran_tgt_a1', 'return 42'] },
  tgt_block: { body: ['call ran_block_begin', `sleep ${BLOCK_US}`, 'call ran_block_end'] },
  tgt_mid: { body: ['call ran_mid_begin', 'call mid_hook', 'call ran_mid_end'] },
  tgt_outer: { body: ['call ran_outer_begin', 'call tgt_a1', 'call ran_outer_end'] },
  tgt_rec: {
    body: [
      'call ran_rec_begin',
      'add rec_left -1',
      { if: 'rec_left', body: ['call tgt_rec'] },
      'call ran_rec_end',
    ],
  },
};

export function fprobeRig(model: KernelModel, functions: readonly string[], stores?: number): Rig {
  const numbers = Array.from({ length: THREADS }, (_, i) => i + 1);
  const told = FPROBES.flatMap((name) => [
    `${name}_entry_calls`,
    `${name}_exit_calls`,
    `${name}_returns`,
  ]);
  const words = ['inside', 'hook', 'go', 'rec_left', ...told].map((name) => [name, 8] as const);
  const structs = FPROBES.map((name) => [name, FPROBE_BYTES] as const);
  return {
    ...model,
    functions,
    bodies: {
      ...BODIES,
      ...Object.fromEntries(MARKS.map((name) => [name, { body: [], notrace: true }])),
    },
    tasks: Object.fromEntries(
      numbers.map((number) => [`thread_${number}`, { cpu: number, run: `thread_${number}` }]),
    ),
    data: { ...Object.fromEntries([...words, ...structs]), addresses: 64 },
    handlers: [...FPROBES.flatMap(handlersOf), midHook, ...numbers.map(threadOf)],
    watch: (session) => watchHandlers(session, stores),
  };
}
