// The recorded facts of golden/truth that are about ftrace, as far as the comparisons of this folder read them.
import { readFileSync } from 'node:fs';
import * as z from 'zod';

/** What one step of a scenario did, or saw. */
const truthStep = z.object({
  do: z.string().exactOptional(),
  ret: z.number().exactOptional(),
  see: z.string().exactOptional(),
  is: z.union([z.string(), z.number()]).exactOptional(),
  events: z.array(z.string()).exactOptional(),
  sh: z.string().exactOptional(),
  status: z.number().exactOptional(),
  lines: z.array(z.string()).exactOptional(),
});
export type TruthStep = z.infer<typeof truthStep>;

const scenario = z.object({
  name: z.string(),
  area: z.string(),
  cpus: z.number().exactOptional(),
  steps: z.array(truthStep).exactOptional(),
  crashed: z.object({ what: z.string(), in: z.string() }).exactOptional(),
  kernel_warned: z.array(z.string()).exactOptional(),
});
export type Scenario = z.infer<typeof scenario>;

/** What a file of tracefs read as: function by function, and how many beyond those that the file lists. */
const listing = z.object({ lines: z.array(z.string()), others: z.number().exactOptional() });
export type Listing = z.infer<typeof listing>;

const filterCase = z.object({
  id: z.string(),
  group: z.string(),
  steps: z.array(
    z.object({
      file: z.string().exactOptional(),
      mode: z.string().exactOptional(),
      text: z.string().exactOptional(),
      errno: z.string().nullable().exactOptional(),
    }),
  ),
  filter: listing,
  notrace: listing,
});
export type FilterCase = z.infer<typeof filterCase>;

const filterFacts = z.object({
  functions: z.array(z.object({ name: z.string(), line: z.number() })),
  cases: z.array(filterCase),
});
export type FilterFacts = z.infer<typeof filterFacts>;

/** A file of golden/truth. */
function read(folder: string, file: string): unknown {
  return JSON.parse(readFileSync(`${folder}/truth/${file}`, 'utf8'));
}

/** What scenarios are about: named F, P, K, R and C, and the misuses (X) of their calls. */
export type Area = 'ftrace' | 'fprobe' | 'kprobe' | 'kretprobe' | 'context';

/** The scenarios about `about`. */
export function readScenarios(folder: string, file: string, about: Area): readonly Scenario[] {
  const { scenarios } = z.object({ scenarios: z.array(scenario) }).parse(read(folder, file));
  return scenarios.filter(({ area }) => area === about);
}

export function readFilterFacts(folder: string, file: string): FilterFacts {
  return filterFacts.parse(read(folder, file));
}
