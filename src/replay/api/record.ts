// Layer replay, public face. `record` and what it takes and gives: plain data and our own names only.
import { InputError } from '../../assert.ts';
import type { Ending } from '../../emu/machine.ts';
import type { DefinedPath } from '../handler.ts';
import { prepare, prepareModel, type Prepared, type WorkloadSource } from '../prepare.ts';
import { joinBytes } from '../recording.ts';
import { type ExpectationResult, recordPrepared, type RunSettings, SEED_DEFAULT } from '../run.ts';
import { WorkloadBuilder } from '../workload/build.ts';
import { LIMIT, type Workload } from '../workload/model.ts';
import { didYouMean } from '../workload/nearest.ts';
import { readWorkload } from '../workload/parse.ts';
import { toYaml } from '../workload/to-yaml.ts';
import { type Judgement, judgementOf } from './judge.ts';

/**
 * A workload, in one of its three forms: a builder, plain data, or YAML.
 *
 * @example
 * import { record, type WorkloadInput } from 'reprobe';
 * const inputs: WorkloadInput[] = [
 *   { name: 'data', machine: { cpus: 1 } },
 *   { yaml: 'name: text\nmachine: { cpus: 1 }\n', file: 'text.yaml' },
 * ];
 * console.log(inputs.map((input) => record(input).ending).join()); // → run_end,run_end
 */
export type WorkloadInput =
  | WorkloadBuilder
  | Workload
  | { readonly yaml: string; /** Its name in messages. */ readonly file?: string };

/**
 * How a run is recorded. Two runs of an equal workload with equal options are equal bytes.
 *
 * @example
 * import { record, type RecordOptions, workload } from 'reprobe';
 * const options: RecordOptions = { seed: 7, chooser: 'random', variants: ['M-13'] };
 * const w = workload('small', { cpus: 2 });
 * console.log(record(w, options).digest === record(w, options).digest); // → true
 */
export interface RecordOptions {
  /** For the random chooser; default: the workload's, or 1. */
  readonly seed?: number | undefined;
  /** Default `random`. `calm` injects nothing and preempts nobody. */
  readonly chooser?: 'random' | 'calm' | undefined;
  /** One of `profiles()`; default `today`. */
  readonly profile?: string | undefined;
  /** Of `variants()`. */
  readonly variants?: readonly string[] | undefined;
  /** Paths in TypeScript that the workload names; a builder brings its own. */
  readonly handlers?: readonly DefinedPath[] | undefined;
  /** The content of the ELF file that the workload names. */
  readonly image?: Uint8Array | undefined;
  /** The contents of the object files of its modules, by the name of the module. */
  readonly modules?: Readonly<Record<string, Uint8Array>> | undefined;
  /** Gets the bytes of the file while it grows, frame by frame. */
  readonly sink?: ((bytes: Uint8Array) => void) | undefined;
  readonly progress?: ((steps: number) => void) | undefined;
}

/**
 * A run that is over.
 *
 * @example
 * import { type RecordedRun, record, workload } from 'reprobe';
 * const run: RecordedRun = record(workload('empty', { cpus: 1 }));
 * console.log(run.ending, run.unfired.length, run.bytes.length > 100); // → run_end 0 true
 */
export interface RecordedRun {
  /** The recording: the content of a `.trace`. */
  readonly bytes: Uint8Array;
  readonly events: number;
  readonly steps: number;
  /** Of all events and texts. */
  readonly digest: string;
  /** `run_end`, or what came before it. */
  readonly ending: Ending;
  readonly guarantees: readonly Judgement[];
  readonly expectations: readonly ExpectationResult[];
  /** Triggers that never fired, one message each; empty unless the run ended regularly. */
  readonly unfired: readonly string[];
  /** Operations that failed although the workload does not say what they return, one message each. */
  readonly failed: readonly string[];
  /** A path in TypeScript threw this, and the run ended with an oops. */
  readonly thrown: { readonly who: string; readonly error: unknown } | undefined;
}

/**
 * Runs a workload and records the run. InputError: what is wrong with the workload or the options.
 *
 * @example
 * import { record, workload } from 'reprobe';
 * const w = workload('hooked', { cpus: 2 });
 * const open = w.function('vfs_open', (f) => [f.work(4)]);
 * const round = w.function('round', (f) => [f.call(open), f.sleep(20)]);
 * w.task('opener', { cpu: 0, run: round, times: 9 });
 * const ops = w.probe('ops', { kind: 'ftrace', filter: 'vfs_open', callback: 'count' });
 * w.at('start', { register: ops }).at({ step: 150 }, { unregister: ops });
 * const { ending, guarantees } = record(w, { seed: 3 });
 * const unregister = guarantees.find(({ guarantee }) => guarantee === 'unregister');
 * console.log(ending, unregister?.verdict.status); // → run_end held
 */
export function record(workload: WorkloadInput, options: RecordOptions = {}): RecordedRun {
  const source = sourceOf(workload, options);
  const prepared = prepareInput(workload, source);
  const parts: Uint8Array[] = [];
  const sink = (bytes: Uint8Array): void => {
    parts.push(bytes.slice());
    options.sink?.(bytes);
  };
  const settings = settingsOf(prepared, options);
  const run = recordPrepared(prepared, { source, settings, sink, progress: options.progress });
  const { events, steps, digest, ending, expectations, unfired, failed, thrown } = run;
  const guarantees = run.verdicts.map(judgementOf);
  const bytes = joinBytes(parts);
  return {
    bytes,
    events,
    steps,
    digest,
    ending,
    guarantees,
    expectations,
    unfired,
    failed,
    thrown,
  };
}

/** As it would lie on disk: the recording quotes it. */
export function sourceOf(input: WorkloadInput, options: RecordOptions): WorkloadSource {
  const { image, handlers = [] } = options;
  const modules = Object.entries(options.modules ?? {}).map(([name, bytes]) => ({ name, bytes }));
  checkInput(input);
  if ('yaml' in input) {
    return { file: input.file ?? 'workload', text: input.yaml, image, modules, handlers };
  }
  const model = input instanceof WorkloadBuilder ? input.build() : input;
  const own = input instanceof WorkloadBuilder ? input.handlers : [];
  return { file: model.name, text: toYaml(model), image, modules, handlers: [...own, ...handlers] };
}

/** Those who write JavaScript may give anything. */
function checkInput(input: unknown): void {
  if (input instanceof WorkloadBuilder) return;
  if (typeof input !== 'object' || input === null)
    throw new InputError(`expected a workload or { yaml: TEXT }, found ${typeof input}`);
  if (!('yaml' in input)) readWorkload(input, 'workload');
}

export function prepareInput(input: WorkloadInput, source: WorkloadSource): Prepared {
  if ('yaml' in input) return prepare(source);
  const { handlers } = source;
  return input instanceof WorkloadBuilder
    ? prepareModel(input.build(), source, input.positions, handlers)
    : prepareModel(input, source, input.name, handlers);
}

export function settingsOf({ plan }: Prepared, options: RecordOptions): RunSettings {
  const { chooser = 'random', profile = 'today', variants = [] } = options;
  const seed = options.seed ?? plan.machine.seed ?? SEED_DEFAULT;
  if (!Number.isInteger(seed) || seed < 0 || seed > LIMIT.seed)
    throw new InputError(`expected a whole number from 0 to ${LIMIT.seed}, found ${seed}`, 'seed');
  const choosers: readonly string[] = ['random', 'calm'];
  if (!choosers.includes(chooser)) {
    const hint = didYouMean(chooser, choosers);
    throw new InputError(`expected random or calm, found '${chooser}'${hint}`, 'chooser');
  }
  return { seed, chooser, profile, variants };
}
