// A machine on which the calls of a truth file are made again, as its module made them: a task in TypeScript calls the
// kernel's symbols with structs and strings in guest memory, and what happened is read from the recorded events.
import { calmChooser, type Chooser } from '../../src/emu/choose.ts';
import { Random } from '../../src/replay/explore/random.ts';
import {
  defineHandler,
  defineTask,
  type HandlerContext,
  type Step,
} from '../../src/replay/handler.ts';
import { openSession, prepareModel } from '../../src/replay/prepare.ts';
import type { Event } from '../../src/replay/schema.ts';
import type { FunctionModel, TaskModel } from '../../src/replay/workload/model.ts';

/** An argument of a call: a number, the address of something, or a string. */
export type Argument =
  | number
  | { readonly at: string; readonly plus?: number }
  | { readonly text: string };

/** What the task does next. */
export type Command =
  | { readonly call: string; readonly args: readonly Argument[] }
  /** Calls functions, one after another. */
  | { readonly run: readonly string[] }
  | { readonly set: string; readonly to: number }
  | { readonly read: string }
  | { readonly nap: number };

interface Hit {
  readonly ops: string;
  readonly func: string;
}

/** What became of one command. */
export interface Seen {
  readonly result: number;
  /** Callbacks that ran meanwhile, on any CPU. */
  readonly hits: readonly Hit[];
  /** Callbacks and bodies that ran in the task itself, in order. */
  readonly order: readonly string[];
  /** Warnings of the kernel. */
  readonly warned: readonly string[];
}

export interface Played {
  readonly ending: string;
  /** Of each command that returned. */
  readonly seen: readonly Seen[];
}

export interface Rig {
  /** Traceable functions, in the order of their addresses. */
  readonly functions: readonly string[];
  readonly landingPad: boolean;
  /** Bodies that do more than run; they come after the functions. */
  readonly bodies?: Readonly<Record<string, FunctionModel>>;
  /** Other tasks. */
  readonly tasks?: Readonly<Record<string, TaskModel>>;
  /** Who goes on is up to chance, by this seed; else whoever runs goes on. */
  readonly seed?: number;
}

/** The ops that commands can name. */
export const OPS = ['A', 'B', 'C'] as const;
const OPS_BYTES = 64;
const TEXT_BYTES = 512;
/** Functions whose entry says that a body ran: `ran_tgt_a1`. */
const RAN = 'ran_';

/** The callback of an ops: while `locks` is set it takes the recursion lock; with `helps` that of A calls tgt_help. */
function hookOf(name: string): ReturnType<typeof defineHandler> {
  return defineHandler(`hook_${name}`, 1, function* (cx) {
    const [ip = 0, parent = 0] = cx.args;
    const locks = yield* cx.read('locks');
    const bit = locks === 0 ? 0 : yield* cx.call('ftrace_test_recursion_trylock', ip, parent);
    if (bit < 0) {
      yield* cx.add('refused', 1);
      return;
    }
    if (name === 'A' && (yield* cx.read('helps')) !== 0) yield* cx.call('tgt_help');
    if (locks !== 0) yield* cx.call('ftrace_test_recursion_unlock', bit);
  });
}

/** Does what `commands` say, and says when each began and ended. */
function driverOf(commands: readonly Command[]): ReturnType<typeof defineTask> {
  return defineTask('driver', 1, function* (cx) {
    for (const name of OPS) yield* cx.write(name, cx.addressOf(`hook_${name}`));
    for (const command of commands) {
      yield* cx.printk('begin');
      let result = 0;
      if ('nap' in command) yield* cx.sleep(command.nap);
      else if ('set' in command) yield* cx.write(command.set, command.to);
      else if ('read' in command) result = yield* cx.read(command.read);
      else if ('run' in command) for (const func of command.run) yield* cx.call(func);
      else {
        for (const arg of command.args)
          if (typeof arg === 'object' && 'text' in arg) yield* cx.writeText('text', arg.text);
        result = yield* makeCall(cx, command.call, command.args);
      }
      yield* cx.printk(`end ${result}`);
    }
    yield* cx.write('over', 1);
  });
}

function makeCall(cx: HandlerContext, name: string, args: readonly Argument[]): Step<number> {
  const words = args.map((arg) => {
    if (typeof arg === 'number') return arg;
    return 'text' in arg ? cx.addressOf('text') : cx.addressOf(arg.at) + (arg.plus ?? 0);
  });
  return cx.call(name, ...words);
}

/** Plays `commands` on a new machine. */
export function play(rig: Rig, commands: readonly Command[]): Played {
  const hooks = OPS.map(hookOf);
  const handlers = [driverOf(commands), ...hooks];
  const names = rig.functions;
  const functions: Record<string, FunctionModel> = {};
  for (const name of names) functions[name] = { body: [`call ${RAN}${name}`] };
  for (const name of names) functions[`${RAN}${name}`] = { body: [], notrace: true };
  Object.assign(functions, { tgt_notrace: { body: [], notrace: true } }, rig.bodies);
  const model = {
    name: 'parity',
    machine: { cpus: 4, landingPad: rig.landingPad },
    data: {
      ...Object.fromEntries(OPS.map((name) => [name, OPS_BYTES])),
      text: TEXT_BYTES,
      jiffies: 8,
      locks: 8,
      helps: 8,
      refused: 8,
      over: 8,
    },
    functions,
    tasks: { driver: { cpu: 0, run: 'driver' }, ...rig.tasks },
    typescript: Object.fromEntries(handlers.map(({ name, version }) => [name, version])),
  };
  const { plan } = prepareModel(model, {}, 'parity', handlers);
  const session = openSession(
    plan,
    { profile: 'today', variants: [] },
    chooserOf(rig.seed),
    handlers,
  );
  while (session.tick());
  return readRun(session.log.events(0, session.log.count), session.ending);
}

function chooserOf(seed: number | undefined): Chooser {
  if (seed === undefined) return calmChooser;
  const random = new Random(seed);
  return { choose: (_point, count) => random.below(count) };
}

function readRun(events: Iterable<Event>, ending: string): Played {
  const seen: Seen[] = [];
  const [sites, starts, ops] = [
    new Map<number, string>(),
    new Map<number, string>(),
    new Map<number, string>(),
  ];
  let now: { hits: Hit[]; order: string[]; warned: string[]; pid: number } | undefined;
  for (const event of events) {
    if (event.event === 'symbol') {
      sites.set(event.site, event.name);
      starts.set(event.address, event.name);
    } else if (event.event === 'object') ops.set(event.object, event.name);
    else if (event.event === 'printk' && event.text === 'begin')
      now = { hits: [], order: [], warned: [], pid: event.pid };
    if (now === undefined) continue;
    if (event.event === 'cb_begin') {
      const name = ops.get(event.object) ?? '';
      now.hits.push({ ops: name, func: sites.get(event.ip) ?? '' });
      if (event.pid === now.pid) now.order.push(name);
    } else if (event.event === 'func_enter' && event.pid === now.pid) {
      const name = starts.get(event.func) ?? '';
      if (name.startsWith(RAN)) now.order.push(name.slice(RAN.length));
    } else if (event.event === 'printk') {
      const [, result] = /^end (-?\d+)$/u.exec(event.text) ?? [];
      if (event.text.startsWith('WARNING: ')) now.warned.push(event.text);
      if (result === undefined) continue;
      seen.push({ result: Number(result), ...now });
      now = undefined;
    }
  }
  return { ending, seen };
}
