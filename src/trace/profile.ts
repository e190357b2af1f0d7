// Layer trace. Eras: whose rules hold (ARCHITECTURE.md). A profile replaces links as a variant does.
import { V6_14_LINKS, V6_18_LINKS } from './fgraph-eras.ts';
import type { FprobeOptions } from './fprobe-options.ts';
import { FPROBE_V5_18, FPROBE_V6_1 } from './fprobe-rethook-eras.ts';
import { KPROBE_V2_6_31 } from './kprobe-eras.ts';
import type { LinkTable } from './link.ts';
import { FPROBE_RETHOOK } from './rethook-link.ts';

/** Which `struct fprobe` there is, and with it what takes returns; `none`: there is no fprobe. */
export type FprobeEra = 'fgraph' | 'rethook' | 'none';

export interface Profile {
  readonly id: string;
  /** One sentence. */
  readonly about: string;
  readonly fprobe: FprobeEra;
  /** What the era answers where a workload says nothing else. */
  readonly fprobeOptions?: Partial<FprobeOptions>;
  readonly links: Partial<LinkTable>;
}

export const PROFILE_TODAY: Profile = {
  id: 'today',
  about: 'The rules of Linux v6.12, and fprobe on fgraph with an unregister that waits.',
  fprobe: 'fgraph',
  links: {},
};

/** Later eras first, as they are listed to users. */
const ALL: readonly Profile[] = [
  PROFILE_TODAY,
  {
    id: 'v6.18',
    about: 'As today, but unregister_fprobe does not wait.',
    fprobe: 'fgraph',
    links: V6_18_LINKS,
  },
  {
    id: 'v6.14',
    about: 'As v6.18, with one graph hook for all fprobes, also for those without exit handler.',
    fprobe: 'fgraph',
    links: V6_14_LINKS,
  },
  {
    id: 'v6.12',
    about: 'The rules of Linux v6.12, and fprobe on rethook.',
    fprobe: 'rethook',
    links: FPROBE_RETHOOK,
  },
  {
    id: 'v6.1',
    about: 'As v6.12, but entry handlers return nothing and exit handlers take no recursion bit.',
    fprobe: 'rethook',
    links: FPROBE_V6_1,
  },
  {
    id: 'v5.18',
    about:
      'As v6.1, but the entry handler runs before a node is taken: a miss skips the exit only.',
    fprobe: 'rethook',
    fprobeOptions: { missPolicy: 'exitOnly' },
    links: FPROBE_V5_18,
  },
  {
    id: 'v2.6.31',
    about: 'The ftrace rules of Linux v6.12; kprobes, jprobes and kretprobes of 2.6.31; no fprobe.',
    fprobe: 'none',
    links: KPROBE_V2_6_31,
  },
];

export const PROFILES: ReadonlyMap<string, Profile> = new Map(ALL.map((one) => [one.id, one]));
