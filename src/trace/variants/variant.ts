// Layer trace. What a variant is: a seeded fault (`M-`), a harmless change (`E-`) or a historical bug (`H-`) of
// docs/spec/mutants.md, as replacements for entries of the link table.
import type { LinkTable } from '../link.ts';

export interface Variant {
  /** As docs/spec/mutants.md names it. */
  readonly id: string;
  /** What it changes; one sentence. */
  readonly about: string;
  readonly links: Partial<LinkTable>;
}
