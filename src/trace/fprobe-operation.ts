// Layer trace. Calls on an `struct fprobe`, as a guest or a workload makes them, and the events that say so. How one is
// hooked is the era's business (links of the return machines); arguments and soft disabling are the same in all.
import { type Address, hexAddress, NO_ADDRESS } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import type { Path } from '../emu/path.ts';
import { EINVAL, type Errno } from './errno.ts';
import { TRACE_EVENTS } from './event.ts';
import { changeFprobeFlags, FPROBE_FL_DISABLED } from './fprobe-struct.ts';
import type { Fprobe } from './fprobe.ts';
import { NOBODY } from './ftrace-caller.ts';
import type { Kernel } from './kernel.ts';
import { CTL_NULL } from './operation.ts';
import { strictUnregister } from './strict.ts';

/** A call on an fprobe, by the kernel's name and with the kernel's arguments; undefined is NULL. */
export type FprobeRequest =
  | {
      readonly op: 'register_fprobe';
      readonly filter: string | undefined;
      readonly notfilter: string | undefined;
    }
  | { readonly op: 'register_fprobe_ips'; readonly ips: readonly Address[] | undefined }
  /** In the caller's order. */
  | { readonly op: 'register_fprobe_syms'; readonly syms: readonly string[] | undefined }
  | {
      readonly op:
        | 'unregister_fprobe'
        | 'unregister_fprobe_async'
        | 'disable_fprobe'
        | 'enable_fprobe';
    };

/** What is to be hooked: checked arguments of register_fprobe, _ips (not empty), _syms (not empty, sorted). */
export type FprobeTarget =
  | { readonly filter: string; readonly notfilter: string | undefined }
  | { readonly ips: readonly Address[] }
  | { readonly syms: readonly string[] };

/** What the era keeps about an fprobe when a run ends (`fprobe_state`). */
export interface FprobeState {
  readonly registered: boolean;
  /** Nodes of its pool: free, all. */
  readonly free: number;
  readonly nodes: number;
  /** What is left of it in the tables. */
  readonly entries: number;
}

/** Links of a return machine. Task context; they sleep. */
export type RegisterFprobe = (
  cx: Context,
  k: Kernel,
  fp: Fprobe,
  target: FprobeTarget,
) => Path<Errno>;
export type UnregisterFprobe = (cx: Context, k: Kernel, fp: Fprobe) => Path<Errno>;

/** Performs `request` on `fp`, undefined for NULL; what the call returns. */
export function* fprobeOperation(
  cx: Context,
  k: Kernel,
  fp: Fprobe | undefined,
  request: FprobeRequest,
): Path<Errno> {
  const { strings } = k.machine;
  const op = strings.id(request.op);
  const object = fp?.object ?? NOBODY;
  const flags = isNull(request) ? CTL_NULL : 0;
  cx.emit(TRACE_EVENTS.ctl_begin.id, op, object, strings.id(textOf(request)), NO_ADDRESS, flags);
  const result = fp === undefined ? nullFprobe(request) : yield* perform(cx, k, fp, request);
  const generation = cx.make(() => fp?.generation.value ?? 0);
  cx.emit(TRACE_EVENTS.ctl_end.id, op, object, generation, result);
  return result;
}

/** `disable_fprobe` (FP-9): one write, no lock and no wait, so a handler may still be running. */
export function disableFprobe(cx: Context, k: Kernel, fp: Fprobe): Path<void> {
  return changeFprobeFlags(cx, k, fp, (flags) => flags | FPROBE_FL_DISABLED);
}

/** `enable_fprobe`: once, however often it was disabled. */
export function enableFprobe(cx: Context, k: Kernel, fp: Fprobe): Path<void> {
  return changeFprobeFlags(cx, k, fp, (flags) => flags & ~FPROBE_FL_DISABLED);
}

/** disable and enable take no notice of NULL (FP-9). */
function nullFprobe({ op }: FprobeRequest): Errno {
  return op === 'disable_fprobe' || op === 'enable_fprobe' ? 0 : -EINVAL;
}

function* perform(cx: Context, k: Kernel, fp: Fprobe, request: FprobeRequest): Path<Errno> {
  switch (request.op) {
    case 'register_fprobe':
    case 'register_fprobe_ips':
    case 'register_fprobe_syms': {
      const target = targetOf(request);
      return target === undefined ? -EINVAL : yield* k.fn.registerFprobe(cx, k, fp, target);
    }
    case 'unregister_fprobe':
      strictUnregister(cx, k, fp);
      return yield* k.fn.unregisterFprobe(cx, k, fp);
    case 'unregister_fprobe_async':
      return yield* k.fn.unregisterFprobeAsync(cx, k, fp);
    case 'disable_fprobe':
      yield* k.fn.disableFprobe(cx, k, fp);
      return 0;
    case 'enable_fprobe':
      yield* k.fn.enableFprobe(cx, k, fp);
      return 0;
  }
}

type RegisterRequest = Extract<
  FprobeRequest,
  { op: 'register_fprobe' | 'register_fprobe_ips' | 'register_fprobe_syms' }
>;

/** Undefined: NULL, or an array of nothing. */
function targetOf(request: RegisterRequest): FprobeTarget | undefined {
  switch (request.op) {
    case 'register_fprobe': {
      const { filter, notfilter } = request;
      return filter === undefined ? undefined : { filter, notfilter };
    }
    case 'register_fprobe_ips': {
      const { ips } = request;
      return ips === undefined || ips.length === 0 ? undefined : { ips };
    }
    case 'register_fprobe_syms': {
      const { syms } = request;
      return syms === undefined || syms.length === 0
        ? undefined
        : { syms: syms.toSorted(symbolsCmp) };
    }
  }
}

/** `symbols_cmp`: the order in which register_fprobe_syms leaves the caller's array. */
export function symbolsCmp(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function textOf(request: FprobeRequest): string {
  switch (request.op) {
    case 'register_fprobe': {
      const { filter = '', notfilter } = request;
      return notfilter === undefined ? filter : `${filter}\n${notfilter}`;
    }
    case 'register_fprobe_ips':
      return (request.ips ?? []).map(hexAddress).join(' ');
    case 'register_fprobe_syms':
      return (request.syms ?? []).join(' ');
    case 'unregister_fprobe':
    case 'unregister_fprobe_async':
    case 'disable_fprobe':
    case 'enable_fprobe':
      return '';
  }
}

/** Is the filter, or the array, NULL? */
function isNull(request: FprobeRequest): boolean {
  switch (request.op) {
    case 'register_fprobe':
      return request.filter === undefined;
    case 'register_fprobe_ips':
      return request.ips === undefined;
    case 'register_fprobe_syms':
      return request.syms === undefined;
    case 'unregister_fprobe':
    case 'unregister_fprobe_async':
    case 'disable_fprobe':
    case 'enable_fprobe':
      return false;
  }
}
