// Layer replay. Paths in TypeScript that take part in a run: handlers of interrupts, callbacks of probes, tasks.
// A workload and a recording know one by name and version, never by its closure; `handler-path.ts` runs it.
import { InputError } from '../assert.ts';
import { IDENTIFIER_PATTERN } from './workload/line.ts';
import { LIMIT } from './workload/model.ts';

/**
 * One step of a path in TypeScript: nothing comes between what it does, and anything may come before and after
 * it. `yield*` takes the step and gives its result.
 *
 * @example
 * import { defineHandler, type HandlerContext, type Step } from 'reprobe';
 * const bump = (cx: HandlerContext): Step<number> => cx.add('hits', 1);
 * const tick = defineHandler('tick', 1, function* (cx) {
 *   yield* cx.printk(`hits were ${yield* bump(cx)}`);
 * });
 * console.log(tick.name); // → tick
 */
export interface Step<T> {
  [Symbol.iterator](): Iterator<Step<unknown>, T, unknown>;
}

/**
 * What a path in TypeScript can do. Each method that returns a `Step` is one visible step, taken by `yield*`;
 * other CPUs, interrupts and NMIs may come between two of them. Names are those of the workload. Numbers stand for
 * signed 64-bit values (beyond 2^53 they are rounded, as numbers are).
 *
 * @example
 * import { defineHandler, type HandlerContext } from 'reprobe';
 * function* lookAt(cx: HandlerContext) {
 *   const seen = yield* cx.read('hits');
 *   yield* cx.write('hits', seen + 1); // Not atomic: an interrupt between the two loses a count.
 * }
 * console.log(defineHandler('look', 1, lookAt).version); // → 1
 */
export interface HandlerContext {
  /** a0 to a7 of the call: for the callback of a hook `ip`, `parent_ip`, `ops`, `fregs`, ... */
  readonly args: readonly number[];
  /** Number of the CPU. */
  readonly cpu: number;
  /** The task that runs, or that was interrupted; 0 is an idle task. */
  readonly pid: number;
  /** The 8 bytes of a data symbol, such as `hits` or `table+8`. */
  read(symbol: string): Step<number>;
  /** Stores 8 bytes. */
  write(symbol: string, value: number): Step<void>;
  /** Stores a text and a NUL behind it: a C string for kernel symbols. */
  writeText(symbol: string, text: string): Step<void>;
  /** Adds atomically; the value before. */
  add(symbol: string, delta: number): Step<number>;
  /** Adds 1 atomically: `add(symbol, 1)` by the word that a callback would use. */
  count(symbol: string): Step<number>;
  /** Calls a function of the workload or a kernel symbol, as code does; the low word of what it returns. */
  call(name: string, ...args: readonly number[]): Step<number>;
  /** A line of the kernel log. */
  printk(text: string): Step<void>;
  /** Where a function or a data symbol is: for pointers that are handed to a kernel symbol. */
  addressOf(name: string): number;
  /** The function whose code includes an address, such as the `ip` of a callback. */
  functionAt(address: number): string | undefined;
}

/**
 * What a task can do besides: sleep.
 *
 * @example
 * import { defineTask, type TaskContext } from 'reprobe';
 * function* poll(cx: TaskContext) {
 *   while ((yield* cx.read('ready')) === 0) yield* cx.sleep(10);
 * }
 * console.log(defineTask('poll', 1, poll).kind); // → task
 */
export interface TaskContext extends HandlerContext {
  /** Sleeps for so many microseconds at least, as `usleep_range` does. */
  sleep(us: number): Step<void>;
}

/** What a path may return: nothing, which is 0, or an `int`. */
type Running = Generator<Step<unknown>, number | void, unknown>;

/**
 * The code of a handler: a generator function.
 *
 * @example
 * import { defineHandler, type HandlerPath } from 'reprobe';
 * const nothing: HandlerPath = function* () {};
 * console.log(defineHandler('nothing', 1, nothing).kind); // → handler
 */
export type HandlerPath = (cx: HandlerContext) => Running;

/**
 * The code of a task: a generator function whose context can sleep.
 *
 * @example
 * import { defineTask, type TaskPath } from 'reprobe';
 * const nap: TaskPath = function* (cx) {
 *   yield* cx.sleep(20);
 * };
 * console.log(defineTask('nap', 1, nap).name); // → nap
 */
export type TaskPath = (cx: TaskContext) => Running;

/**
 * A path that a workload can name where it names a function: as handler of an interrupt or of a timer, as callback of
 * a probe, or to be called.
 *
 * @example
 * import { defineHandler, type Handler } from 'reprobe';
 * const handlers: readonly Handler[] = [defineHandler('tick', 2, function* () {})];
 * console.log(handlers.map(({ name, version }) => `${name} ${version}`).join()); // → tick 2
 */
export interface Handler {
  readonly kind: 'handler';
  readonly name: string;
  readonly version: number;
  readonly path: HandlerPath;
}

/**
 * A path that a task runs. It may sleep, so it is no handler.
 *
 * @example
 * import { defineTask, type Task, workload } from 'reprobe';
 * const pump: Task = defineTask('pump', 1, function* (cx) {
 *   yield* cx.sleep(5);
 * });
 * const w = workload('pumping', { cpus: 1 });
 * w.task('pump', { cpu: 0, run: pump, times: 3 });
 * console.log(w.build().typescript?.['pump']); // → 1
 */
export interface Task {
  readonly kind: 'task';
  readonly name: string;
  readonly version: number;
  readonly path: TaskPath;
}

/** Either of the two. */
export type DefinedPath = Handler | Task;

/**
 * Names a path in TypeScript. A recording holds `name` and `version`: whoever replays it gives the same path again, so
 * `version` changes with the path's behaviour. The path is a generator function; all that it shares with others it
 * reads and writes through its context, and it asks nothing else that can change (no clock, no chance, no variable
 * outside): then a replay is the same run.
 *
 * @example
 * import { defineHandler, record, workload } from 'reprobe';
 * const audit = defineHandler('audit', 1, function* (cx) {
 *   if ((yield* cx.add('hits', 1)) === 0) {
 *     yield* cx.printk(`first: ${cx.functionAt(cx.args[0] ?? 0)}`);
 *   }
 * });
 * const w = workload('auditing', { cpus: 1 });
 * const hits = w.data('hits', 8);
 * const open = w.function('vfs_open', (f) => [f.work(4)]);
 * w.task('opener', { cpu: 0, run: w.function('round', (f) => [f.call(open), f.sleep(20)]), times: 9 });
 * const ops = w.probe('ops', { kind: 'ftrace', filter: 'vfs_*', callback: audit });
 * w.at('start', { register: ops });
 * w.expect({ counter: hits, at_least: 5 });
 * console.log(record(w).expectations[0]?.met); // → true
 */
export function defineHandler(name: string, version: number, path: HandlerPath): Handler {
  checkNamed('defineHandler', { name, version, path });
  return Object.freeze({ kind: 'handler', name, version, path });
}

/**
 * As `defineHandler`, for what a task runs: its context can sleep.
 *
 * @example
 * import { defineTask, record, workload } from 'reprobe';
 * const pump = defineTask('pump', 1, function* (cx) {
 *   yield* cx.call('vfs_open');
 *   yield* cx.sleep(20);
 * });
 * const w = workload('pumping', { cpus: 1 });
 * w.function('vfs_open', (f) => [f.work(4)]);
 * w.task('pump', { cpu: 0, run: pump, times: 9 });
 * console.log(record(w).ending); // → run_end
 */
export function defineTask(name: string, version: number, path: TaskPath): Task {
  checkNamed('defineTask', { name, version, path });
  return Object.freeze({ kind: 'task', name, version, path });
}

/** `handler 'audit' (version 1)`, for messages. */
export function titleOf({
  kind,
  name,
  version,
}: Pick<DefinedPath, 'kind' | 'name' | 'version'>): string {
  return `${kind} '${name}' (version ${version})`;
}

/** Is it something that `defineHandler` or `defineTask` made, perhaps those of another copy of this package? */
export function isDefined(value: unknown): value is DefinedPath {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, name, version, path } = value as Partial<Record<keyof Handler, unknown>>;
  const isKind = kind === 'handler' || kind === 'task';
  return (
    isKind && typeof name === 'string' && typeof version === 'number' && typeof path === 'function'
  );
}

interface Unchecked {
  readonly name: unknown;
  readonly version: unknown;
  readonly path: unknown;
}

/** Callers in JavaScript may say anything. */
function checkNamed(define: string, { name, version, path }: Unchecked): void {
  if (typeof name !== 'string' || !IDENTIFIER_PATTERN.test(name)) {
    const expected = 'expected a name of letters, digits and _ that does not begin with a digit';
    throw new InputError(`${expected}, found '${String(name)}'`, define);
  }
  if (name.length > LIMIT.nameLength)
    throw new InputError(`expected a name of at most ${LIMIT.nameLength} letters`, define);
  const where = `${define}('${name}')`;
  const isVersion = typeof version === 'number' && Number.isInteger(version);
  if (!isVersion || version < 1 || version > LIMIT.pathVersion) {
    const expected = `expected a version from 1 to ${LIMIT.pathVersion}`;
    throw new InputError(`${expected}, found ${String(version)}`, where);
  }
  if (typeof path !== 'function')
    throw new InputError('expected a generator function (function*)', where);
}
