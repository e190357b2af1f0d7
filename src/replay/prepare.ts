// Layer replay. From what a user gives (a workload, settings) to a session that can run.
import { InputError } from '../assert.ts';
import type { Chooser } from '../emu/choose.ts';
import type { ObjectSummary } from '../emu/elf-object.ts';
import { loadElf, type LoadedElf } from '../emu/elf.ts';
import { PROFILES, type Profile } from '../trace/profile.ts';
import type { Variant } from '../trace/variants/variant.ts';
import { VARIANTS } from '../trace/variants/variants.ts';
import { chooseHandlers } from './choose-handlers.ts';
import { EventLog } from './event-log.ts';
import type { DefinedPath } from './handler.ts';
import { Session } from './session.ts';
import { check } from './workload/check.ts';
import type { Positions } from './workload/finding.ts';
import { makePlan, type ModuleFiles } from './workload/make-plan.ts';
import type { Workload } from './workload/model.ts';
import { didYouMean } from './workload/nearest.ts';
import { type ParsedWorkload, parseWorkload, readWorkload } from './workload/parse.ts';
import type { Plan } from './workload/plan.ts';
import { entries, readModule } from './workload/scope.ts';

/** A workload as it lies on disk. */
export interface WorkloadSource extends WorkloadFiles {
  readonly file: string;
  readonly text: string;
  /** The content of the ELF file that the workload names; undefined when it names none. */
  readonly image: Uint8Array | undefined;
  /** Where that was read from, if it was a file. */
  readonly imageFile?: string | undefined;
  /** Paths in TypeScript that are at hand; those that the workload does not name are left alone. */
  readonly handlers?: readonly DefinedPath[] | undefined;
}

/** The ELF files that a workload names. */
export interface WorkloadFiles {
  readonly image?: Uint8Array | undefined;
  /** In any order. */
  readonly modules?: readonly ModuleFile[] | undefined;
}

interface ModuleFile {
  /** The module's name in the workload. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Where that was read from, if it was a file. */
  readonly file?: string;
}

/** A checked workload, ready to be run any number of times. */
export interface Prepared {
  readonly workload: Workload;
  readonly positions: Positions;
  readonly plan: Plan;
  /** Those of `Plan.paths`, in that order. */
  readonly handlers: readonly DefinedPath[];
}

/** Parses and checks a workload file. InputError: everything that is wrong with it. */
export function prepare(source: WorkloadSource): Prepared {
  return finish(parseWorkload(source.text, source.file), source, source.handlers);
}

/** As `prepare`, for a workload that is data already; its places are named in messages. */
export function prepareModel(
  model: unknown,
  files: WorkloadFiles,
  places: string | Positions,
  handlers?: readonly DefinedPath[],
): Prepared {
  return finish(readWorkload(model, places), files, handlers);
}

function finish(
  { workload, positions }: ParsedWorkload,
  files: WorkloadFiles,
  atHand: readonly DefinedPath[] = [],
): Prepared {
  const modules = new Map((files.modules ?? []).map(({ name, bytes }) => [name, bytes]));
  check(workload, positions, {
    image: imageOf(workload, files.image, positions),
    modules: modulesOf(workload, modules, positions),
  });
  const plan = makePlan(workload, files.image, modules);
  return { workload, positions, plan, handlers: chooseHandlers(plan.paths, atHand, positions) };
}

function modulesOf(
  workload: Workload,
  files: ModuleFiles,
  positions: Positions,
): ReadonlyMap<string, ObjectSummary> {
  return new Map(
    entries(workload.modules).flatMap(([name, { image }]): [string, ObjectSummary][] => {
      if (image === undefined) return [];
      const bytes = files.get(name);
      if (bytes === undefined) {
        throw new InputError(`${image} was not given`, positions.where(['modules', name, 'image']));
      }
      return [[name, readModule(bytes, image)]];
    }),
  );
}

function imageOf(
  workload: Workload,
  image: Uint8Array | undefined,
  positions: Positions,
): LoadedElf | undefined {
  if (workload.image === undefined) return undefined;
  if (image === undefined) {
    throw new InputError(`${workload.image} was not given`, positions.where(['image']));
  }
  return loadElf(image, workload.image);
}

/** Names of a profile and of variants, as a user gives them. */
export interface Linkage {
  readonly profile: string;
  readonly variants: readonly string[];
}

/** A session over `plan`; its events go to a new log. */
export function openSession(
  plan: Plan,
  linkage: Linkage,
  chooser: Chooser,
  handlers: readonly DefinedPath[] = [],
): Session {
  return new Session(plan, {
    handlers,
    chooser,
    profile: profileOf(linkage.profile),
    variants: linkage.variants.map(variantOf),
    log: new EventLog(),
  });
}

/** The profile of that name; InputError with the nearest one. */
export function profileOf(name: string): Profile {
  return lookUp(PROFILES, name, 'profile');
}

/** The variant of that id; InputError with the nearest one. */
export function variantOf(id: string): Variant {
  return lookUp(VARIANTS, id, 'variant');
}

function lookUp<T>(table: ReadonlyMap<string, T>, name: string, what: string): T {
  const found = table.get(name);
  if (found !== undefined) return found;
  const names = [...table.keys()];
  const hint = didYouMean(name, names) || `; there are ${names.join(', ')}`;
  throw new InputError(`unknown ${what} '${name}'${hint}`);
}
