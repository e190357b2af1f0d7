// Layer replay. Names instead of numbers, for the sentences of verdicts.
import type { Event } from '../schema.ts';
import type { Handler } from './fprobes.ts';
import { type FunctionTable, hexOfAddress, nameOfSite } from './functions.ts';
import type { KprobeHandler } from './kprobes.ts';
import type { Control } from './ops.ts';
import type { Hash } from './selection.ts';
import type { Callback, Story } from './story.ts';

const NAMES_MAX = 6;

/** `the callback of ops0 for vfs_read`. */
export function theCallback(story: Story, { ops, begin }: Callback): string {
  return `the callback of ${ops.name} for ${nameOfSite(story.functions, begin.ip)}`;
}

/** `the exit handler of fp0 for vfs_open`. */
export function theHandler({ functions }: Story, { begin: { ip, kind }, fprobe }: Handler): string {
  const which = kind.replace('fprobe_', '');
  return `the ${which} handler of ${fprobe.name} for ${nameOfSite(functions, ip)}`;
}

/** `the pre_handler of p0 at vfs_open+0x8`. */
export function theKprobeHandler(
  { functions }: Story,
  { begin: { ip, kind }, probe }: KprobeHandler,
): string {
  const which = WHICH.get(kind) ?? 'fault_handler';
  return `the ${which} of ${probe.name} at ${nameOfPlace(functions, ip)}`;
}

const WHICH: ReadonlyMap<string, string> = new Map([
  ['kprobe_pre', 'pre_handler'],
  ['kprobe_post', 'post_handler'],
  ['kretprobe_entry', 'entry_handler'],
  ['kretprobe', 'return handler'],
]);

/** `vfs_open+0x8`: the function that begins last before it. */
export function nameOfPlace({ byAddress }: FunctionTable, ip: number): string {
  let best: { readonly name: string; readonly address: number } | undefined;
  for (const func of byAddress.values()) {
    if (func.address <= ip && func.address > (best?.address ?? -1)) best = func;
  }
  return best === undefined
    ? hexOfAddress(ip)
    : `${best.name}+0x${(ip - best.address).toString(16)}`;
}

/** `step 130, CPU 1, task reader`. */
export function where(story: Story, event: Event): string {
  return `step ${event.step}, CPU ${event.cpu}, task ${nameOfTask(story, event.pid)}`;
}

/** Of a pid. */
export function nameOfTask(story: Story, pid: number): string {
  return story.tasks.get(pid) ?? (pid === 0 ? 'idle' : `pid ${pid}`);
}

/** `ftrace_set_filter(ops0, "vfs_*", reset)`. */
export function theCall({ op, ops, begin, change }: Control): string {
  if (change === undefined) return `${op}(${ops.name})`;
  const named = change.added.length + change.removed.length > 0 || begin.text !== '';
  const what = named ? JSON.stringify(begin.text) : 'NULL';
  return `${op}(${ops.name}, ${what}${change.reset ? ', reset' : ''})`;
}

/** `vfs_open, vfs_read`, or `whenEmpty`. */
export function functionsOf(story: Story, hash: Hash, whenEmpty: string): string {
  if (hash.size === 0) return whenEmpty;
  const sites = [...hash].toSorted((a, b) => a - b);
  const names = sites.slice(0, NAMES_MAX).map((site) => nameOfSite(story.functions, site));
  const more = sites.length - names.length;
  return names.join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** Behind a sentence of a judge that looks at ftrace_ops alone; empty where there is nothing else. */
export function notSeen({ fprobes }: Story): string {
  if (fprobes.all.length === 0) return '';
  return ' What fprobes hook is not looked at here: that is for start and nmissed to see.';
}
