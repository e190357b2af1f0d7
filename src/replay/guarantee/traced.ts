// Layer replay. What lets no callback run although filter and notrace set select the function: `ftrace_enabled` at 0, and
// the pid filter (FT-18, FT-48).
import { isRegistered, type Ops } from './ops.ts';
import type { Callback, Story } from './story.ts';

/** Would a hit in task `pid` call back for `ops` for certain, as far as its filters let it (FT-18, FT-48)? */
export function isTraced({ settings }: Story, ops: Ops, pid: number): boolean {
  const { enabled, pids } = settings;
  if (enabled.value !== true) return false;
  return !ops.obeysPids || pids.value === 'all' || pids.value?.has(pid) === true;
}

/** Where and when something began to happen. */
interface Begin {
  readonly cpu: number;
  readonly pid: number;
  /** Index of the event that told it. */
  readonly began: number;
}

/** What leaves a hit out for certain, and the event that told it. */
interface LeftOut {
  readonly by: 'ftrace_enabled' | 'set_ftrace_pid';
  readonly told: number;
}

/** What lets no callback of `ops` run for a hit that begins so; undefined: nothing that is sure. */
export function leftOut(
  { settings }: Story,
  ops: Ops,
  { cpu, pid, began }: Begin,
): LeftOut | undefined {
  const { enabled, outdated, pids } = settings;
  if (enabled.value === false && enabled.since < began) {
    return { by: 'ftrace_enabled', told: enabled.since };
  }
  const { value: list, since } = pids;
  // unregister takes the check off before it waits for the hits that are late (CC-S5.3).
  if (!ops.obeysPids || !isRegistered(ops) || outdated.has(cpu)) return undefined;
  if (ops.registeredAt > began || since > began) return undefined;
  if (list === undefined || list === 'all' || list.has(pid)) return undefined;
  return { by: 'set_ftrace_pid', told: since };
}

/** Why no callback may run for the hit of this one, in words. */
export function whyUntraced(
  story: Story,
  { ops, hitBegan, begin: { cpu, pid } }: Callback,
): { readonly why: string; readonly told: number } | undefined {
  const left = leftOut(story, ops, { cpu, pid, began: hitBegan });
  if (left === undefined) return undefined;
  const { by, told } = left;
  return {
    why: by === 'ftrace_enabled' ? 'ftrace_enabled was 0' : `set_ftrace_pid left task ${pid} out`,
    told,
  };
}
