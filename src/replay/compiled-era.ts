// Layer replay. Compiled files that were built for another era of fprobe than the run's: include/linux/fprobe.h says in them
// which of its two structs they use (`elf-marks.ts`). Files that do not include it say nothing, and fit every era.
import { ET_EXEC, ET_REL } from '../emu/elf-file.ts';
import { readMarks } from '../emu/elf-marks.ts';
import type { Profile } from '../trace/profile.ts';
import type { Plan } from './workload/plan.ts';

type Built = Exclude<Profile['fprobe'], 'none'>;

/** How a file becomes one of the era. */
const COMPILE: Readonly<Record<Built, string>> = {
  fgraph: 'without -DREPROBE_FPROBE_RETHOOK',
  rethook: 'with -DREPROBE_FPROBE_RETHOOK',
};

/** The first file of the plan that uses the struct fprobe of another era, in words. Where there is none, nothing fits. */
export function builtForAnother(
  plan: Plan,
  { fprobe: era, id }: Pick<Profile, 'id' | 'fprobe'>,
): string | undefined {
  if (era === 'none') return undefined;
  const other: Built = era === 'fgraph' ? 'rethook' : 'fgraph';
  const path = filesOf(plan).find(({ marks }) => marks.includes(`fprobe=${other}`))?.path;
  if (path === undefined) return undefined;
  return (
    `${path}: expected the struct fprobe of profile ${id} (${era}), found that of ${other}: ` +
    `compile it ${COMPILE[era]}, or choose a profile of ${other}`
  );
}

interface MarkedFile {
  readonly path: string;
  readonly marks: readonly string[];
}

function filesOf({ image, modules }: Plan): readonly MarkedFile[] {
  const objects = modules.flatMap(({ code }) => ('bytes' in code ? [code] : []));
  return [
    ...(image === null ? [] : [marked(image, ET_EXEC)]),
    ...objects.map((object) => marked(object, ET_REL)),
  ];
}

function marked(
  { bytes, path }: { readonly bytes: Uint8Array; readonly path: string },
  type: typeof ET_EXEC | typeof ET_REL,
): MarkedFile {
  return { path, marks: readMarks(bytes, path, type) };
}
