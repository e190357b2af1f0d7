// Layer replay. Programs in user mode and CPU hotplug in the workload's schema.
import type * as z from 'zod';
import { type HotplugModel, LIMIT, type UserModel } from './model.ts';
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

/** A CPU that goes or comes. */
export function hotplugModel(cpu: z.ZodNumber, callable: z.ZodString): z.ZodType<HotplugModel> {
  return part
    .map({
      which: cpu.meta({ description: 'The CPU.' }),
      run: callable
        .meta({ description: 'The last or first that it runs, where RCU does not watch.' })
        .exactOptional(),
    })
    .meta({ description: 'A CPU.', examples: [{ which: 1, run: 'teardown' }] });
}
