// Layer replay. Recording: a workload and settings in, the bytes of a `.trace` and a verdict out.
import { known } from '../assert.ts';
import { type Chooser, calmChooser } from '../emu/choose.ts';
import type { Ending } from '../emu/machine.ts';
import { RecordingChooser } from './choices.ts';
import { digestOfBytes, type DigestHex } from './digest.ts';
import type { EventLog } from './event-log.ts';
import { randomChooser } from './explore/random.ts';
import { driveFrames } from './frames.ts';
import type { Guarantee, Verdict } from './guarantee/judge.ts';
import { judgeLog } from './judge-recording.ts';
import { openSession, prepare, type Prepared, type WorkloadSource } from './prepare.ts';
import type { Json, RecordingHeader } from './recording-header.ts';
import { RecordingWriter } from './recording.ts';
import type { OperationResult, Session, Thrown } from './session.ts';
import { VERSION } from './version.ts';
import { ERRNO } from './workload/errno-names.ts';
import type { Plan, PlanCounter, PlanEntry, PlanMachine, PlanOperation } from './workload/plan.ts';

export type { WorkloadSource } from './prepare.ts';

/** For a workload that names no seed. */
export const SEED_DEFAULT = 1;

export interface RunSettings {
  /** For the random chooser; a whole number from 0. */
  readonly seed: number;
  readonly chooser: 'random' | 'calm';
  readonly profile: string;
  readonly variants: readonly string[];
}

export interface RunResult {
  readonly events: number;
  readonly steps: number;
  /** Of all events and texts. */
  readonly digest: DigestHex;
  readonly ending: Ending;
  readonly verdicts: readonly { readonly guarantee: Guarantee; readonly verdict: Verdict }[];
  /** What the workload expected (`expect`), and what it found. */
  readonly expectations: readonly ExpectationResult[];
  /** Triggers that never fired, one message each with its place; empty unless the run ended regularly. */
  readonly unfired: readonly string[];
  /** A path in TypeScript threw, and the run ended with that. */
  readonly thrown: Thrown | undefined;
  /** Operations that failed although nobody expected anything of them, one message each with its place. */
  readonly failed: readonly string[];
  readonly log: EventLog;
}

/**
 * What a workload expected, and what came of it.
 *
 * @example
 * import { type ExpectationResult, record, workload } from 'reprobe';
 * const w = workload('counting', { cpus: 1 });
 * const hits = w.data('hits', 8);
 * w.task('t', { cpu: 0, run: w.function('f', (f) => [f.add(hits, 2)]) });
 * w.expect({ counter: hits, is: 3 });
 * const [result]: readonly ExpectationResult[] = record(w).expectations;
 * console.log(result?.text, result?.met, result?.found); // → hits is 3 false 2
 */
export interface ExpectationResult {
  readonly text: string;
  readonly met: boolean;
  readonly found: string;
}

/**
 * Records one run. `sink` gets the file's bytes, in order, as frames are complete. Throws InputError for a
 * workload or settings that are wrong.
 */
export function recordRun(
  source: WorkloadSource,
  settings: RunSettings,
  sink: (bytes: Uint8Array) => void,
  progress?: (steps: number) => void,
): RunResult {
  return recordPrepared(prepare(source), { source, settings, sink, progress });
}

export interface RecordOptions {
  readonly source: WorkloadSource;
  readonly settings: RunSettings;
  readonly sink: (bytes: Uint8Array) => void;
  readonly progress?: ((steps: number) => void) | undefined;
}

/** As `recordRun`, for a workload that was prepared before. */
export function recordPrepared(prepared: Prepared, options: RecordOptions): RunResult {
  const { settings, sink, progress } = options;
  const chooser = new RecordingChooser(chooserOf(prepared, settings));
  const session = openSession(prepared.plan, settings, chooser, prepared.handlers);
  const writer = new RecordingWriter(session.log);
  sink(writer.begin(headerOf(prepared, options)));
  driveFrames(session, {
    frame: (_end, state) => {
      sink(writer.frame(chooser.choices.take(), state));
    },
    ...(progress === undefined ? {} : { progress }),
  });
  const { step } = session.machine;
  const { digest } = writer.totals(step);
  sink(writer.end(step));
  return {
    events: session.log.count,
    steps: step,
    digest,
    unfired: unfiredIn(session, prepared),
    failed: failedIn(session, prepared),
    ending: session.ending,
    ...judged(session, prepared),
    thrown: session.thrown,
    log: session.log,
  };
}

function chooserOf({ plan }: Prepared, settings: RunSettings): Chooser {
  if (settings.chooser === 'calm') return calmChooser;
  const { schedule, inject, alloc } = plan.machine;
  return randomChooser({ seed: settings.seed, schedule, inject, alloc });
}

function headerOf(
  { workload, plan }: Prepared,
  { source, settings }: RecordOptions,
): RecordingHeader {
  const { image } = source;
  const modules = plan.modules.flatMap(({ name, code }) => {
    if (!('bytes' in code)) return [];
    const { path: file, bytes } = code;
    return [{ name, file, digest: digestOfBytes(bytes, 0, bytes.length), bytes }];
  });
  return {
    version: VERSION,
    workload: {
      name: workload.name,
      file: source.file,
      source: source.text,
      model: modelOf(workload),
    },
    profile: settings.profile,
    variants: settings.variants,
    chooser: { name: settings.chooser, seed: settings.seed },
    options: {
      cpus: plan.machine.cpus,
      preempt: plan.machine.preempt,
      landingPad: plan.machine.landingPad,
      grain: plan.machine.grain,
      patching: plan.machine.patching,
      trampolines: plan.machine.trampolines,
      stepsMax: plan.machine.stepsMax,
      ...regsOf(plan),
      ...unusualOptions(plan),
    },
    image:
      image === undefined || plan.image === null
        ? null
        : { file: plan.image.path, digest: digestOfBytes(image, 0, image.length), bytes: image },
    ...(modules.length === 0 ? {} : { modules }),
  };
}

/** Named where they are not the default. */
function regsOf({ machine }: Plan): Partial<Pick<PlanMachine, 'regs' | 'ifSupportedGivesRegs'>> {
  const { regs, ifSupportedGivesRegs } = machine;
  return {
    ...(regs ? {} : { regs }),
    ...(ifSupportedGivesRegs ? { ifSupportedGivesRegs } : {}),
  };
}

/** Named where there is something to name. */
function unusualOptions({
  machine: { failAlloc, recordRecursion, strict },
}: Plan): Pick<Partial<PlanMachine>, 'failAlloc' | 'recordRecursion' | 'strict'> {
  return {
    ...(failAlloc.length === 0 ? {} : { failAlloc }),
    ...(recordRecursion ? { recordRecursion } : {}),
    ...(strict ? { strict } : {}),
  };
}

/** A checked workload is plain data by its schema. */
function modelOf(workload: Prepared['workload']): Json {
  return workload as unknown as Json;
}

/** A trigger that never fires is a mistake, unless the run ended before its time. */
function unfiredIn(session: Session, { positions }: Prepared): readonly string[] {
  if (session.ending !== 'run_end') return [];
  return session.unfired().map(({ item }) => {
    const where = positions.where(['timeline', item]);
    return `${where}: this trigger never fired: what it waits for did not happen in this run`;
  });
}

function judged(
  session: Session,
  { plan }: Prepared,
): Pick<RunResult, 'verdicts' | 'expectations'> {
  const verdicts = judgeLog(session.log);
  const guarantees = plan.guarantees.map((name): ExpectationResult => {
    const verdict = verdicts.find(({ guarantee }) => guarantee.name === name)?.verdict;
    const found = verdict?.status ?? 'unknown';
    return { text: `${name} holds`, met: found === 'held', found };
  });
  const counters = plan.counters.map((counter) => counterResult(session, counter));
  const results = session.results.flatMap(({ of, found }): ExpectationResult[] => {
    const expected = expectedOf(of);
    if (expected === null || !('item' in of)) return [];
    const text = `timeline[${of.item}] returns ${errnoName(expected)}`;
    return [{ text, met: expected === found, found: errnoName(found) }];
  });
  return { verdicts, expectations: [...guarantees, ...counters, ...results] };
}

/** What the workload says that an operation must return; null when it does not say. */
function expectedOf(of: OperationResult['of']): number | null {
  return 'action' in of && of.action.kind === 'operation' ? of.action.expect : null;
}

/** A failure that the workload does not speak of is no broken expectation, but nothing to pass over. */
function failedIn(session: Session, { plan, positions }: Prepared): readonly string[] {
  return session.results.flatMap(({ of, found }) => {
    if (found >= 0 || expectedOf(of) !== null) return [];
    const operation = 'item' in of ? operationOf(of) : of;
    if (operation === undefined) return [];
    const name = aboutWhat(plan, operation);
    const where = 'item' in of ? ['timeline', of.item] : ['probes', name];
    const call = `${session.operations.callOf(operation)}(${name})`;
    return [`${positions.where(where)}: ${call} returned ${errnoName(found)}`];
  });
}

/** The probe or the module, or what is written to a file. */
function aboutWhat({ modules, probes }: Plan, operation: PlanOperation): string {
  if ('which' in operation) return `CPU ${operation.which}`;
  if (operation.op === 'ftrace_enabled' || operation.op === 'kprobes_enabled')
    return operation.text;
  if (operation.op === 'set_ftrace_pid') return operation.pids.join(' ');
  if ('probes' in operation) {
    return operation.probes.map((index) => known(probes[index], 'it is planned').name).join(', ');
  }
  const object = 'module' in operation ? modules[operation.module] : probes[operation.probe];
  return known(object, 'an operation has its object').name;
}

function operationOf({ action }: PlanEntry): PlanOperation | undefined {
  return action.kind === 'operation' ? action.operation : undefined;
}

function counterResult(session: Session, counter: PlanCounter): ExpectationResult {
  const found = session.readCounter(counter.place);
  const { relation, value } = counter;
  const met =
    relation === 'is' ? found === value : relation === 'at_least' ? found >= value : found <= value;
  const text = `${counter.counter} ${relation.replace('_', ' ')} ${value}`;
  return { text, met, found: String(found) };
}

/** `-EINVAL`, or the number. */
export function errnoName(result: number): string {
  const name = Object.entries(ERRNO).find(([, value]) => value === -result)?.[0];
  return result < 0 && name !== undefined ? `-${name}` : String(result);
}
