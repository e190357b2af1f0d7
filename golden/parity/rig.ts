// A machine on which the calls of a truth file are made again, as its module made them: a task in TypeScript calls the
// kernel's symbols with structs and strings in guest memory, and what happened is read from the recorded events.
import { calmChooser, type Chooser } from '../../src/emu/choose.ts';
import { EventLog } from '../../src/replay/event-log.ts';
import { Random } from '../../src/replay/explore/random.ts';
import {
  type DefinedPath,
  defineHandler,
  defineTask,
  type HandlerContext,
  type Step,
} from '../../src/replay/handler.ts';
import { prepareModel, profileOf } from '../../src/replay/prepare.ts';
import { Session } from '../../src/replay/session.ts';
import type {
  FunctionModel,
  ModuleModel,
  TaskModel,
  TimelineItem,
  Workload,
} from '../../src/replay/workload/model.ts';
import { kprobeFiles } from '../../src/trace/kprobe-files.ts';
import type { Variant } from '../../src/trace/variants/variant.ts';
import { type Handled, type Played, RAN, readRun } from './seen.ts';

/** An argument of a call: a number, the address of something, or a string. */
export type Argument =
  | number
  | { readonly at: string; readonly plus?: number }
  | { readonly text: string };

/** All but a string. */
type Word = Exclude<Argument, { readonly text: string }>;

/** What the task does next. */
export type Command =
  | { readonly call: string; readonly args: readonly Argument[] }
  /** Unregisters a probe, if the last call here that was to register it did. */
  | { readonly release: string }
  /** Calls functions, one after another. */
  | { readonly run: readonly string[] }
  | { readonly set: string; readonly to: Word }
  /** A string that is there until another is written. */
  | { readonly write: string; readonly text: string }
  /** Reads a file of debugfs, of kprobes. */
  | { readonly cat: string }
  /** Reads 8 bytes; less the address of `minus`, if it is given. */
  | { readonly read: string; readonly minus?: string }
  | { readonly nap: number }
  /** What somebody else does meanwhile: a module, or the sysctl. */
  | { readonly operate: Operation };

export type Operation = Pick<TimelineItem, 'init_module' | 'delete_module' | 'ftrace_enabled'>;

/** The kernel that is compared with the real one. */
export interface KernelModel {
  /** The era. */
  readonly profile: string;
  /** As the real one was built. */
  readonly landingPad: boolean;
  /** Faults that were planted, to show that they would be seen. */
  readonly variants?: readonly Variant[];
}

export interface Rig extends KernelModel {
  /** Traceable functions, in the order of their addresses. */
  readonly functions: readonly string[];
  /** Bodies that do more than run; they come after the functions. */
  readonly bodies?: Readonly<Record<string, FunctionModel>>;
  readonly modules?: Readonly<Record<string, ModuleModel>>;
  /** How many; 4 unless it says otherwise. */
  readonly cpus?: number;
  /** What happens besides, when it happens. */
  readonly timeline?: readonly TimelineItem[];
  /** Other tasks. */
  readonly tasks?: Readonly<Record<string, TaskModel>>;
  /** More data, by name: how many bytes. */
  readonly data?: Readonly<Record<string, number>>;
  /** More paths in TypeScript. */
  readonly handlers?: readonly DefinedPath[];
  /** Looks on, step by step; what was seen of handlers at last. */
  readonly watch?: (session: Session) => () => ReadonlyMap<number, Handled>;
  /** Who goes on is up to chance, by this seed; else whoever runs goes on. */
  readonly seed?: number;
}

/** The ops that commands can name. */
export const OPS = ['A', 'B', 'C'] as const;
const OPS_BYTES = 64;
/** Buffers of the strings of a call. */
const TEXTS = ['text', 'text_2'] as const;
const TEXT_BYTES = 512;

/** ops->private, and where callbacks that look leave what they found there: `private_A`. */
export const PRIVATE = 16;

/**
 * The callback of an ops: while `locks` is set it takes the recursion lock; with `helps` that of A calls tgt_help; with
 * `looks` it shows what it is given.
 */
function hookOf(name: string): ReturnType<typeof defineHandler> {
  return defineHandler(`hook_${name}`, 1, function* (cx) {
    const [ip = 0, parent = 0, ops = 0, fregs = 0] = cx.args;
    const locks = yield* cx.read('locks');
    const bit = locks === 0 ? 0 : yield* cx.call('ftrace_test_recursion_trylock', ip, parent);
    if (bit < 0) {
      yield* cx.add('refused', 1);
      return;
    }
    if ((yield* cx.read('looks')) !== 0) {
      const isOwn = ops === cx.addressOf(name);
      yield* cx.write(`private_${name}`, isOwn ? yield* cx.read(`${name}+${PRIVATE}`) : -1);
      yield* cx.call('shows', ip, parent, ops, fregs);
    }
    if (name === 'A' && (yield* cx.read('helps')) !== 0) yield* cx.call('tgt_help');
    if (locks !== 0) yield* cx.call('ftrace_test_recursion_unlock', bit);
  });
}

/** A call of one of these has `control` do what its command says: `operate_3`. */
const OPERATE = 'operate_';
/** Longer than it takes. */
const OPERATE_US = 5000;

/** Does what `commands` say, and says when each began and ended. */
function driverOf(commands: readonly Command[]): ReturnType<typeof defineTask> {
  return defineTask('driver', 1, function* (cx) {
    for (const name of OPS) yield* cx.write(name, cx.addressOf(`hook_${name}`));
    const registered = new Map<string, string>();
    for (const [index, command] of commands.entries()) {
      yield* cx.printk('begin');
      let result = 0;
      if ('nap' in command) yield* cx.sleep(command.nap);
      else if ('set' in command) yield* cx.write(command.set, wordOf(cx, command.to));
      else if ('cat' in command) result = 0;
      else if ('write' in command) yield* cx.writeText(command.write, command.text);
      else if ('read' in command) result = (yield* cx.read(command.read)) - originOf(cx, command);
      else if ('run' in command) for (const func of command.run) yield* cx.call(func);
      else if ('operate' in command) {
        yield* cx.call(`${OPERATE}${index}`);
        yield* cx.sleep(OPERATE_US);
      } else if ('release' in command) {
        const unregister = registered.get(command.release);
        registered.delete(command.release);
        if (unregister !== undefined) yield* cx.call(unregister, cx.addressOf(command.release));
      } else {
        for (const [i, text] of textsOf(command.args).entries())
          yield* cx.writeText(TEXTS[i] ?? '', text);
        result = yield* makeCall(cx, command.call, command.args);
        noteProbe(registered, command, result);
      }
      yield* cx.printk(`end ${result}`);
    }
    yield* cx.write('over', 1);
  });
}

function originOf(cx: HandlerContext, { minus }: { readonly minus?: string }): number {
  return minus === undefined ? 0 : cx.addressOf(minus);
}

/** A call that registers a probe, and on what. */
const REGISTERS = /^register_(?<kind>fprobe|kprobe|kretprobe)(?:_|$)/u;

/** Keeps `registered` up to date: the probes that a call here has registered, and what undoes it. */
function noteProbe(
  registered: Map<string, string>,
  { call, args: [probe] }: Extract<Command, { readonly call: string }>,
  result: number,
): void {
  if (typeof probe !== 'object' || !('at' in probe) || result !== 0) return;
  const kind = REGISTERS.exec(call)?.groups?.['kind'];
  if (kind !== undefined) registered.set(probe.at, `unregister_${kind}`);
  else if (call.startsWith('unregister_')) registered.delete(probe.at);
}

function makeCall(cx: HandlerContext, name: string, args: readonly Argument[]): Step<number> {
  const buffers = [...TEXTS];
  const words = args.map((arg) => {
    if (typeof arg === 'object' && 'text' in arg) return cx.addressOf(buffers.shift() ?? '');
    return wordOf(cx, arg);
  });
  return cx.call(name, ...words);
}

function textsOf(args: readonly Argument[]): readonly string[] {
  return args.flatMap((arg) => (typeof arg === 'object' && 'text' in arg ? [arg.text] : []));
}

function wordOf(cx: HandlerContext, arg: Word): number {
  return typeof arg === 'number' ? arg : cx.addressOf(arg.at) + (arg.plus ?? 0);
}

/** Plays `commands` on a new machine. */
export function play(rig: Rig, commands: readonly Command[]): Played {
  const handlers = [driverOf(commands), ...OPS.map(hookOf), ...(rig.handlers ?? [])];
  const { plan } = prepareModel(modelOf(rig, commands, handlers), {}, 'parity', handlers);
  const session = new Session(plan, {
    handlers,
    chooser: chooserOf(rig.seed),
    profile: profileOf(rig.profile),
    variants: rig.variants ?? [],
    log: new EventLog(),
  });
  const look = rig.watch?.(session) ?? nobody;
  const read = reader(session, commands);
  while (session.tick()) {
    look();
    read();
  }
  return readRun(session.log.events(0, session.log.count), session.ending, {
    handled: look(),
    files: read(),
  });
}

/** Reads a file when its command begins; all that was read, by number of the command. */
function reader(
  { kernel, log }: Session,
  commands: readonly Command[],
): () => ReadonlyMap<number, string> {
  const files = new Map<number, string>();
  let from = 0;
  let begun = 0;
  return () => {
    for (const e of log.events(from, log.count)) {
      if (e.event !== 'printk' || e.text !== 'begin') continue;
      const command = commands[begun];
      if (command !== undefined && 'cat' in command)
        files.set(begun, kprobeFiles(kernel).get(command.cat)?.(kernel) ?? '');
      begun++;
    }
    from = log.count;
    return files;
  };
}

function nobody(): ReadonlyMap<number, Handled> {
  return new Map();
}

function modelOf(
  rig: Rig,
  commands: readonly Command[],
  handlers: readonly { readonly name: string; readonly version: number }[],
): Workload {
  const names = rig.functions;
  const functions: Record<string, FunctionModel> = {};
  for (const name of names) functions[name] = { body: [`call ${RAN}${name}`] };
  for (const name of names) functions[`${RAN}${name}`] = { body: [], notrace: true };
  Object.assign(functions, { tgt_notrace: { body: [], notrace: true } }, rig.bodies);
  const timeline: TimelineItem[] = [...(rig.timeline ?? [])];
  for (const [index, command] of commands.entries()) {
    if (!('operate' in command)) continue;
    const enter = `${OPERATE}${index}`;
    functions[enter] = { body: [], notrace: true };
    timeline.push({ on: { enter }, ...command.operate });
  }
  return {
    name: 'parity',
    machine: { cpus: rig.cpus ?? 4, landingPad: rig.landingPad },
    data: { ...dataOf(), ...rig.data },
    callbacks: { shows: { body: ['regs'] } },
    ...(rig.modules === undefined ? {} : { modules: rig.modules }),
    functions,
    timeline,
    tasks: { driver: { cpu: 0, run: 'driver' }, ...rig.tasks },
    typescript: Object.fromEntries(handlers.map(({ name, version }) => [name, version])),
  };
}

function dataOf(): Record<string, number> {
  const words = ['jiffies', 'locks', 'helps', 'refused', 'looks', 'over'];
  return {
    ...Object.fromEntries(OPS.map((name) => [name, OPS_BYTES])),
    ...Object.fromEntries(TEXTS.map((name) => [name, TEXT_BYTES])),
    ...Object.fromEntries(words.map((name) => [name, 8])),
    ...Object.fromEntries(OPS.map((name) => [`private_${name}`, 8])),
  };
}

function chooserOf(seed: number | undefined): Chooser {
  if (seed === undefined) return calmChooser;
  const random = new Random(seed);
  return { choose: (_point, count) => random.below(count) };
}
