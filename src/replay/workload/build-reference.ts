// Layer replay. What the builder has where a YAML file has a name: the thing itself. A name that is mistyped is then
// an error of the compiler, and an editor knows where it is used.
import type { EmuStub } from '../../emu/stub-table.ts';
import type { TraceStub } from '../../trace/stub-table.ts';
import type { DefinedPath, Handler } from '../handler.ts';
import type { EventName } from '../schema.ts';
import type { FprobeModel, RegisterModel } from './model-fprobe.ts';
import type { FtraceProbeModel } from './model-ftrace.ts';
import type { KprobeModel, KretprobeModel } from './model-kprobe.ts';
import type { IdleModel, OnEvent, TaskModel, TimelineItem } from './model.ts';
import type {
  CounterExpectation,
  HandlerModel,
  GuaranteeName,
  ParamsModel,
  UserModel,
} from './model.ts';

export type ReferenceKind =
  | 'module'
  | 'function'
  | 'external'
  | 'callback'
  | 'data'
  | 'task'
  | 'control'
  | 'irq'
  | 'softirq'
  | 'nmi'
  | 'timer'
  | 'probe'
  | 'point'
  | 'handler'
  | 'counter';

/**
 * A thing of a workload that other parts of it can name; the builder's methods make them.
 *
 * @example
 * import { type Reference, workload } from 'reprobe';
 * const w = workload('small', { cpus: 1 });
 * const open: Reference<'function'> = w.function('vfs_open', (f) => [f.work(4)]);
 * console.log(open.kind, open.name); // → function vfs_open
 */
export class Reference<K extends ReferenceKind> {
  readonly kind: K;
  readonly name: string;

  constructor(kind: K, name: string) {
    this.kind = kind;
    this.name = name;
  }
}

/**
 * A shared variable, or 8 bytes of one.
 *
 * @example
 * import { type DataReference, workload } from 'reprobe';
 * const table: DataReference = workload('small', { cpus: 1 }).data('table', 16);
 * console.log(table.name, table.at(8).name); // → table table+8
 */
export class DataReference extends Reference<'data'> {
  constructor(name: string) {
    super('data', name);
  }

  /** The 8 bytes at `offset`. */
  at(offset: number): Reference<'data'> {
    return new Reference('data', `${this.name}+${offset}`);
  }
}

/**
 * A probe, with the places and the counter that belong to it.
 *
 * @example
 * import { type ProbeReference, workload } from 'reprobe';
 * const w = workload('small', { cpus: 1 });
 * const ops: ProbeReference = w.probe('ops', { kind: 'ftrace', callback: 'count' });
 * console.log(ops.callback.name, ops.count.name); // → ops.callback ops.count
 */
export class ProbeReference extends Reference<'probe'> {
  /** For triggers: its callback is entered, or returns. */
  readonly callback: Reference<'point'>;
  /** How often it was hit, if its callback is `count`. */
  readonly count: Reference<'counter'>;

  constructor(name: string) {
    super('probe', name);
    this.callback = new Reference('point', `${name}.callback`);
    this.count = new Reference('counter', `${name}.count`);
  }
}

/**
 * An fprobe, with the places and counters that belong to it.
 *
 * @example
 * import { type FprobeReference, workload } from 'reprobe';
 * const w = workload('small', { cpus: 1 });
 * const fp: FprobeReference = w.probe('fp', { kind: 'fprobe', filter: 'vfs_*', exit: 'count' });
 * console.log(fp.exit.name, fp.nmissed.name); // → fp.exit fp.nmissed
 */
export class FprobeReference extends Reference<'probe'> {
  /** For triggers: its entry handler is entered, or returns. As a counter: how often, if it is `count`. */
  readonly entry: Reference<'handler'>;
  /** As `entry`, for its exit handler. */
  readonly exit: Reference<'handler'>;
  /** Its `nmissed`. */
  readonly nmissed: Reference<'counter'>;

  constructor(name: string) {
    super('probe', name);
    this.entry = new Reference('handler', `${name}.entry`);
    this.exit = new Reference('handler', `${name}.exit`);
    this.nmissed = new Reference('counter', `${name}.nmissed`);
  }
}

/**
 * A kprobe, with the places and counters that belong to it.
 *
 * @example
 * import { type KprobeReference, workload } from 'reprobe';
 * const w = workload('small', { cpus: 1 });
 * const open = w.function('vfs_open', (f) => [f.work(4)]);
 * const p: KprobeReference = w.probe('p', { kind: 'kprobe', addr: open, offset: 8, pre: 'count' });
 * console.log(p.pre.name, p.nmissed.name); // → p.pre p.nmissed
 */
export class KprobeReference extends Reference<'probe'> {
  /** For triggers: its pre_handler is entered, or returns. As a counter: how often, if it is `count`. */
  readonly pre: Reference<'handler'>;
  /** As `pre`, for its post_handler. */
  readonly post: Reference<'handler'>;
  /** Its `nmissed`. */
  readonly nmissed: Reference<'counter'>;

  constructor(name: string) {
    super('probe', name);
    this.pre = new Reference('handler', `${name}.pre`);
    this.post = new Reference('handler', `${name}.post`);
    this.nmissed = new Reference('counter', `${name}.nmissed`);
  }
}

/**
 * A kretprobe, with the places and counters that belong to it.
 *
 * @example
 * import { type KretprobeReference, workload } from 'reprobe';
 * const w = workload('small', { cpus: 1 });
 * const r: KretprobeReference = w.probe('r', { kind: 'kretprobe', symbol: 'f', handler: 'count' });
 * console.log(r.handler.name, r.nmissed.name, r.kp.name); // → r.handler r.nmissed r.kp.nmissed
 */
export class KretprobeReference extends Reference<'probe'> {
  /** As of a kprobe: its entry_handler. */
  readonly entry: Reference<'handler'>;
  /** The handler that runs at the return. */
  readonly handler: Reference<'handler'>;
  /** Its own `nmissed`: calls that found no instance. */
  readonly nmissed: Reference<'counter'>;
  /** That of its kprobe: hits while another one ran. */
  readonly kp: Reference<'counter'>;

  constructor(name: string) {
    super('probe', name);
    this.entry = new Reference('handler', `${name}.entry`);
    this.handler = new Reference('handler', `${name}.handler`);
    this.nmissed = new Reference('counter', `${name}.nmissed`);
    this.kp = new Reference('counter', `${name}.kp.nmissed`);
  }
}

/** Any probe. */
type AnyProbe = ProbeReference | FprobeReference | KprobeReference | KretprobeReference;
/** What one call registers or unregisters. */
type Several = AnyProbe | readonly KprobeReference[] | readonly KretprobeReference[];
/** Probes that can be switched off and on. */
type Able = FprobeReference | KprobeReference | KretprobeReference;

/** What an interrupt or an idle CPU can run. */
type Runs = Reference<'function' | 'external'> | Handler;
/** What a line can call. */
export type Callable = Runs | Exclude<EmuStub | TraceStub, Hypercall>;

/** Of trampolines and of callback actions: no function that code could call. */
type Hypercall =
  | '__return_to_path'
  | 'ftrace_ops_list_func'
  | 'ftrace_ops_assist_func'
  | 'ftrace_ops_list_func_regs'
  | 'ftrace_pid_func'
  | 'reprobe_record_regs'
  | 'reprobe_write_reg'
  | 'reprobe_record_data'
  | 'fprobe_handler'
  | 'rethook_trampoline_handler'
  | 'fprobe_ftrace_entry'
  | 'ftrace_graph_func'
  | 'ftrace_return_to_handler';

/** An fprobe, and what it hooks this time. */
interface RegisterSpec extends Omit<RegisterModel, 'probe' | 'ips'> {
  readonly probe: FprobeReference;
  readonly ips?: readonly Reference<'function' | 'external'>[];
}

/** By key of the model: what stands there for the name. */
interface Stands {
  readonly run: Runs;
  readonly callback: Called;
  readonly entry: Called;
  readonly exit: Called;
  readonly pre: Called;
  readonly post: Called;
  readonly handler: Called;
  /** By its symbol in the symbol table; of a function without another one that is its name. */
  readonly symbol: string | Reference<'function' | 'external' | 'callback'>;
  readonly addr: string | Reference<'function' | 'external' | 'callback' | 'data'>;
  readonly register: Several | RegisterSpec;
  readonly unregister: Several;
  readonly probe: AnyProbe;
  readonly function: Reference<'function' | 'external'>;
  readonly functions: readonly Reference<'function' | 'external'>[];
  readonly free_filter: ProbeReference;
  readonly unregister_async: FprobeReference;
  readonly disable: Able;
  readonly enable: Able;
  readonly ips: readonly Reference<'function' | 'external'>[];
  readonly enter: Runs | Reference<'point' | 'handler'>;
  readonly return: Runs | Reference<'point' | 'handler'>;
  readonly event: EventName;
  readonly by: Reference<'control'>;
  readonly module: Reference<'module'>;
  readonly init_module:
    | Reference<'module'>
    | { readonly module: Reference<'module'>; readonly params?: ParamsModel };
  readonly delete_module: Reference<'module'>;
  readonly set_ftrace_pid: {
    readonly tasks: readonly Reference<'task' | 'control'>[];
    readonly append?: boolean;
  };
  readonly cpu_down: HotplugSpec;
  readonly cpu_up: HotplugSpec;
  readonly counter: Reference<'counter' | 'handler' | 'data'>;
  readonly irq: Raises<'irq'>;
  readonly softirq: Raises<'softirq'>;
  readonly nmi: Raises<'nmi'>;
}

/** A callback or a handler of a probe. */
type Called = Reference<'callback' | 'external'> | Handler | 'count' | 'nothing';
type Raises<K extends ReferenceKind> = Reference<K> | Runs | { readonly run: Runs };

/** `T` of the model with things instead of their names; all other words are those of the YAML. */
type With<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [K in keyof T]: K extends keyof Stands ? Stands[K] : With<T[K]> }
    : T;

export interface TaskSpec extends Omit<TaskModel, 'run' | 'user'> {
  readonly run: Runs | DefinedPath;
  readonly user?: UserSpec;
}
interface HotplugSpec {
  readonly which: number;
  readonly run?: Runs;
}
interface UserSpec extends Omit<UserModel, 'entry' | 'exit'> {
  readonly entry?: Runs;
  readonly exit?: Runs;
}
export type IdleSpec = With<IdleModel>;
export type ProbeSpec = With<FtraceProbeModel>;
export type FprobeSpec = With<FprobeModel>;
export type KprobeSpec = With<KprobeModel>;
export type KretprobeSpec = With<KretprobeModel>;
export interface InterruptSpec extends Pick<HandlerModel, 'cpu' | 'inject'> {
  readonly run: Runs;
  /** Runs in the interrupt before its level shows, and again after (CC-H5). */
  readonly entry?: Runs;
}
export interface TimerSpec extends Pick<HandlerModel, 'every' | 'times'> {
  readonly run: Runs;
  readonly cpu: number;
  readonly first: number;
}
export type Trigger = Exclude<TimelineItem['at'], undefined>;
export type EventTrigger = With<OnEvent>;
export type Action = With<Omit<TimelineItem, 'at' | 'on'>>;
export type Expected = GuaranteeName | With<CounterExpectation>;
