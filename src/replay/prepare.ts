// Layer replay. From what a user gives (a workload, settings) to a session that can run.
import { InputError } from '../assert.ts';
import type { Chooser } from '../emu/choose.ts';
import { loadElf, type LoadedElf } from '../emu/elf.ts';
import { PROFILES, type Profile } from '../trace/profile.ts';
import type { Variant } from '../trace/variants/variant.ts';
import { VARIANTS } from '../trace/variants/variants.ts';
import { EventLog } from './event-log.ts';
import { Session } from './session.ts';
import { check } from './workload/check.ts';
import type { Positions } from './workload/finding.ts';
import { makePlan } from './workload/make-plan.ts';
import type { Workload } from './workload/model.ts';
import { didYouMean } from './workload/nearest.ts';
import { parseWorkload, readWorkload } from './workload/parse.ts';
import type { Plan } from './workload/plan.ts';

/** A workload as it lies on disk. */
export interface WorkloadSource {
  readonly file: string;
  readonly text: string;
  /** The content of the ELF file that the workload names; undefined when it names none. */
  readonly image: Uint8Array | undefined;
  /** Where that was read from, if it was a file. */
  readonly imageFile?: string | undefined;
}

/** A checked workload, ready to be run any number of times. */
export interface Prepared {
  readonly workload: Workload;
  readonly positions: Positions;
  readonly plan: Plan;
}

/** Parses and checks a workload file. InputError: everything that is wrong with it. */
export function prepare(source: WorkloadSource): Prepared {
  return finish(parseWorkload(source.text, source.file), source.image);
}

/** As `prepare`, for a workload that is data already; `origin` is named in messages. */
export function prepareModel(
  model: unknown,
  image: Uint8Array | undefined,
  origin: string,
): Prepared {
  return finish(readWorkload(model, origin), image);
}

function finish(
  parsed: { readonly workload: Workload; readonly positions: Positions },
  image: Uint8Array | undefined,
): Prepared {
  const { workload, positions } = parsed;
  check(workload, positions, imageOf(workload, image, positions));
  return { workload, positions, plan: makePlan(workload, image) };
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
export function openSession(plan: Plan, linkage: Linkage, chooser: Chooser): Session {
  return new Session(plan, {
    chooser,
    profile: profileOf(linkage.profile),
    variants: linkage.variants.map(variantOf),
    log: new EventLog(),
  });
}

/** The profile of that name; InputError with the nearest one. */
function profileOf(name: string): Profile {
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
