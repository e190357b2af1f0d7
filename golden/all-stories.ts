// The claims of every golden, wherever they are written down.
import { MACHINE_STORIES } from './machine-stories.ts';
import type { Claim } from './moments.ts';
import { BUG_STORIES } from './stories-bugs.ts';
import { C_FPROBE_STORIES } from './stories-c-fprobe.ts';
import { C_KPROBE_STORIES } from './stories-c-kprobe.ts';
import { C_STORIES } from './stories-c.ts';
import { ERA_STORIES } from './stories-eras.ts';
import { FILE_STORIES } from './stories-files.ts';
import { FLAG_STORIES } from './stories-flags.ts';
import { FPROBE_BUG_STORIES } from './stories-fprobe-bugs.ts';
import { FPROBE_STORIES } from './stories-fprobe.ts';
import { KPROBE_STORIES } from './stories-kprobe.ts';
import { PAIRING_STORIES } from './stories-pairing.ts';
import { RETHOOK_STORIES } from './stories-rethook.ts';
import { START_STORIES } from './stories-start.ts';
import { STOP_STORIES } from './stories-stop.ts';
import { USER_STORIES } from './stories-user.ts';
import { STORIES } from './stories.ts';
import { MODULE_RELOAD } from './story-module.ts';

/** By the golden's name. */
export const ALL_STORIES: Readonly<Record<string, readonly Claim[]>> = {
  ...STORIES,
  ...START_STORIES,
  ...C_STORIES,
  ...C_FPROBE_STORIES,
  ...C_KPROBE_STORIES,
  ...FLAG_STORIES,
  ...FILE_STORIES,
  ...MACHINE_STORIES,
  ...BUG_STORIES,
  'memory-module-reload': MODULE_RELOAD,
  ...PAIRING_STORIES,
  ...RETHOOK_STORIES,
  ...STOP_STORIES,
  ...USER_STORIES,
  ...FPROBE_STORIES,
  ...FPROBE_BUG_STORIES,
  ...KPROBE_STORIES,
  ...ERA_STORIES,
};
