// Layer trace. What the eras of rethook boot with: the text that returns are taken to, and its two hypercalls.
import type { Address } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { FprobeRethook } from './fprobe-rethook.ts';
import type { Fprobe } from './fprobe.ts';
import type { Kernel } from './kernel.ts';
import { rethookTaskGone } from './rethook-return.ts';
import { writeRethookTrampoline } from './rethook-trampoline.ts';
import type { RethookNode } from './rethook.ts';

export interface RethookState {
  /** `fprobe_handler`: the callback of the ops of each fprobe. */
  readonly func: Address;
  /** What is kept about each fprobe that was registered. */
  readonly fprobes: Map<Fprobe, FprobeRethook>;
  /** By index of the task: see `rethook-return.ts`. */
  /** Is the text there that returns are taken to? */
  booted: boolean;
  readonly lists: (Cell<RethookNode | undefined> | undefined)[];
}

/** `handler`: the symbol that the text calls. */
export function bootRethook(k: Kernel, handler: Address): void {
  const { machine } = k;
  const { stubs } = machine;
  k.rethook.booted = true;
  writeRethookTrampoline(machine, handler);
  stubs.define('rethook_trampoline_handler', {
    path: (cx, args) => k.fn.rethookTrampolineHandler(cx, k, args.address(0)),
  });
  const { taskGone } = machine;
  machine.taskGone = (cpu, task) => {
    taskGone?.(cpu, task);
    rethookTaskGone(k, cpu, task);
  };
}
