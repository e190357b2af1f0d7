// Layer replay. Compiled files that were built for another era than the run's: include/linux/fprobe.h says in them which of
// its two structs they use, and include/linux/kprobes.h that they want jprobes and fault handlers (`elf-marks.ts`). Files that
// include neither say nothing, and fit every era.
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

/** The word of include/linux/kprobes.h in files that were compiled with -DREPROBE_V2_6_31. */
const KPROBES_OF_OLD = 'kprobes=v2.6.31';
const ERA_OF_OLD = 'v2.6.31';

/** The first file of the plan that was compiled for another era than this one, in words. Where there is none, nothing fits. */
export function builtForAnother(
  plan: Plan,
  profile: Pick<Profile, 'id' | 'fprobe'>,
): string | undefined {
  const files = filesOf(plan);
  return otherKprobes(files, profile) ?? otherFprobe(files, profile);
}

/** Nobody but v2.6.31 calls fault handlers, or has jprobes. */
function otherKprobes(
  files: readonly MarkedFile[],
  { id }: Pick<Profile, 'id'>,
): string | undefined {
  if (id === ERA_OF_OLD) return undefined;
  const path = files.find(({ marks }) => marks.includes(KPROBES_OF_OLD))?.path;
  if (path === undefined) return undefined;
  return (
    `${path}: expected the kprobes of profile ${id}, found those of ${ERA_OF_OLD}: ` +
    `compile it without -DREPROBE_V2_6_31, or choose profile ${ERA_OF_OLD}`
  );
}

function otherFprobe(
  files: readonly MarkedFile[],
  { fprobe: era, id }: Pick<Profile, 'id' | 'fprobe'>,
): string | undefined {
  if (era === 'none') return undefined;
  const other: Built = era === 'fgraph' ? 'rethook' : 'fgraph';
  const path = files.find(({ marks }) => marks.includes(`fprobe=${other}`))?.path;
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
