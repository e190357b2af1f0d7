// Layer replay. Programs in user mode in the workload's schema.
import type * as z from 'zod';
import { LIMIT, type UserModel } from './model.ts';
import * as part from './schema-parts.ts';

/** What makes a task a program in user mode. `callable`: a function of the workload or of the image. */
export function userModel(callable: z.ZodString): z.ZodType<UserModel> {
  return part
    .map({
      work: part
        .whole(0, LIMIT.userWork, 'Instructions in user mode before each system call; default 1.')
        .exactOptional(),
      entry: callable
        .meta({ description: 'Runs on the way into the kernel, before RCU watches.' })
        .exactOptional(),
      exit: callable
        .meta({ description: 'Runs on the way out, when RCU does not watch any more.' })
        .exactOptional(),
    })
    .meta({
      description: 'The task is a program in user mode; `run` is its system call.',
      examples: [{ work: 4, entry: 'enter_from_user' }],
    });
}
