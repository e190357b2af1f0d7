// Layer trace. Calls on kprobes, kretprobes and jprobes, as a guest or a workload makes them, between the events that
// say so. A batch is one call on several probes (KP-13, KP-20): its `ctl_begin` names the first, and its text all of
// them by their numbers, a blank between.
import { NO_ADDRESS } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import type { Path } from '../emu/path.ts';
import { EINVAL, type Errno } from './errno.ts';
import { TRACE_EVENTS } from './event.ts';
import { NOBODY } from './ftrace-caller.ts';
import type { Kernel } from './kernel.ts';
import { writeEnabledFile, writeOptimization } from './kprobe-switch.ts';
import type { Kprobe } from './kprobe.ts';

/** By the kernel's name. */
const KPROBE_CALLS = [
  'register_kprobe',
  'register_kprobes',
  'unregister_kprobe',
  'unregister_kprobes',
  'disable_kprobe',
  'enable_kprobe',
  'register_kretprobe',
  'register_kretprobes',
  'unregister_kretprobe',
  'unregister_kretprobes',
  'disable_kretprobe',
  'enable_kretprobe',
  'register_jprobe',
  'register_jprobes',
  'unregister_jprobe',
  'unregister_jprobes',
  'disable_jprobe',
  'enable_jprobe',
] as const;
export type KprobeCall = (typeof KPROBE_CALLS)[number];

/** In the caller's order; a call that takes one probe has one. Empty: num <= 0, or NULL. */
export interface KprobeRequest {
  readonly op: KprobeCall;
  readonly probes: readonly Kprobe[];
}

/** Performs `request`; what the call returns, 0 where it returns nothing. Task context; sleeps. */
export function* kprobeOperation(
  cx: Context,
  k: Kernel,
  { op: name, probes }: KprobeRequest,
): Path<Errno> {
  const { strings } = k.machine;
  const op = strings.id(name);
  const [first] = probes;
  const object = first?.object ?? NOBODY;
  const text = strings.id(probes.map((p) => p.object).join(' '));
  cx.emit(TRACE_EVENTS.ctl_begin.id, op, object, text, NO_ADDRESS, 0);
  const result = yield* perform(cx, k, { op: name, probes });
  const generation = cx.make(() => first?.generation.value ?? 0);
  cx.emit(TRACE_EVENTS.ctl_end.id, op, object, generation, result);
  return result;
}

function* perform(cx: Context, k: Kernel, { op, probes }: KprobeRequest): Path<Errno> {
  const [first] = probes;
  switch (op) {
    case 'register_kprobe':
      return first === undefined ? -EINVAL : yield* k.fn.registerKprobe(cx, k, first);
    case 'register_kprobes':
      return yield* k.fn.registerKprobes(cx, k, probes);
    case 'register_jprobe':
    case 'register_jprobes':
      return yield* k.fn.registerJprobes(cx, k, probes);
    case 'unregister_jprobe':
    case 'unregister_jprobes':
    case 'unregister_kprobe':
    case 'unregister_kprobes':
      yield* k.fn.unregisterKprobes(cx, k, probes);
      return 0;
    case 'register_kretprobe':
      return first === undefined ? -EINVAL : yield* k.fn.registerKretprobe(cx, k, first);
    case 'register_kretprobes':
      return yield* k.fn.registerKretprobes(cx, k, probes);
    case 'unregister_kretprobe':
    case 'unregister_kretprobes':
      yield* k.fn.unregisterKretprobes(cx, k, probes);
      return 0;
    case 'disable_kprobe':
    case 'disable_kretprobe':
    case 'disable_jprobe':
      return first === undefined ? -EINVAL : yield* k.fn.disableKprobe(cx, k, first);
    case 'enable_kprobe':
    case 'enable_kretprobe':
    case 'enable_jprobe':
      return first === undefined ? -EINVAL : yield* k.fn.enableKprobe(cx, k, first);
  }
}

/** Writes to debugfs `kprobes/enabled` (KP-26, KP-27); 0 where the kernel gives the number of bytes. Task context; sleeps. */
export function kprobesEnabled(cx: Context, k: Kernel, text: string): Path<Errno> {
  return fileWrite(cx, k, { name: 'kprobes_enabled', text }, writeEnabledFile(cx, k, text));
}

/** Writes to sysctl `debug/kprobes-optimization` (KP-63). Task context; sleeps. */
export function kprobesOptimization(cx: Context, k: Kernel, text: string): Path<Errno> {
  return fileWrite(cx, k, { name: 'kprobes_optimization', text }, writeOptimization(cx, k, text));
}

function* fileWrite(
  cx: Context,
  k: Kernel,
  { name, text }: { readonly name: string; readonly text: string },
  write: Path<Errno>,
): Path<Errno> {
  const { strings } = k.machine;
  const op = strings.id(name);
  cx.emit(TRACE_EVENTS.ctl_begin.id, op, NOBODY, strings.id(text), NO_ADDRESS, 0);
  const result = yield* write;
  cx.emit(TRACE_EVENTS.ctl_end.id, op, NOBODY, 0, result);
  return result;
}
