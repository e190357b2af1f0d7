// Layer trace. Eras: whose rules hold (ARCHITECTURE.md). A profile replaces links as a variant does.
import type { LinkTable } from './link.ts';

export interface Profile {
  readonly id: string;
  /** One sentence. */
  readonly about: string;
  readonly links: Partial<LinkTable>;
}

export const PROFILE_TODAY: Profile = {
  id: 'today',
  about: 'The rules of Linux v6.12.',
  links: {},
};

export const PROFILES: ReadonlyMap<string, Profile> = new Map([[PROFILE_TODAY.id, PROFILE_TODAY]]);
