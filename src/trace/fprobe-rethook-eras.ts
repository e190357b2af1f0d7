// Layer trace. What fprobe did before Linux v6.6, where it differs from `fprobe-rethook.ts` and `fprobe-rethook-hit.ts`
// (fprobe.md 8): v6.1, and v5.18, which is v6.1 but for what stands under its name. Left out: the shorter lists of
// arguments that handlers had; they get the later ones, with NULL for the data that there was not.
import { NO_ADDRESS } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { enter, type Path } from '../emu/path.ts';
import { EINVAL, type Errno } from './errno.ts';
import { callFprobeVoidEntry } from './fprobe-callback.ts';
import { missFprobe, skipFprobe } from './fprobe-miss.ts';
import { callExit, entryCall, fprobeEnter, type FprobeEntry } from './fprobe-rethook-hit.ts';
import { type FprobeRethook, ownRethook, unregisterFprobe } from './fprobe-rethook.ts';
import { readFprobeStruct } from './fprobe-struct.ts';
import type { Fprobe } from './fprobe.ts';
import type { Kernel } from './kernel.ts';
import { kprobeBusyBegin, kprobeBusyEnd, kprobeRunning } from './kprobe-busy.ts';
import type { LinkTable } from './link.ts';
import { FPROBE_RETHOOK } from './rethook-link.ts';
import type { TakenReturn } from './rethook-return.ts';
import { fprobeOf, hookedCall, type HookRequest, type RethookNode } from './rethook.ts';

/** v6.1: the handler is void, so it refuses nothing. */
function* callVoidEntry(cx: Context, k: Kernel, fp: Fprobe, entry: FprobeEntry): Path<number> {
  const call = entryCall(cx, k, fp, entry);
  if (call.handler !== NO_ADDRESS) yield* callFprobeVoidEntry(cx, fp, call); // CC-H11.6
  return 0;
}

/** v6.1: handlers share no data. */
function noData(): number {
  return 0;
}

/** v6.1: the check comes before the lock, and before the soft disable: who is disabled counts as well. */
function* kprobeHandlerUnlocked(cx: Context, k: Kernel, fp: Fprobe, hit: HookRequest): Path<void> {
  const running = yield* kprobeRunning(cx, k);
  if (running !== NO_ADDRESS) {
    yield* missFprobe(cx, k, fp, { reason: 'kprobe_running', ip: hit.ip });
    return;
  }
  yield* kprobeBusyBegin(cx, k);
  yield* k.fn.fprobeHandler(cx, k, fp, hit);
  yield* kprobeBusyEnd(cx, k);
}

/** v6.1: an exit handler that calls a probed function nests (H-07). */
export function* fprobeExitUnlocked(
  cx: Context,
  k: Kernel,
  node: RethookNode,
  taken: TakenReturn,
): Path<void> {
  const fp = fprobeOf(node);
  if (!(yield* k.fn.fprobeExitDisabled(cx, k, fp))) {
    yield* callExit(cx, k, node, taken); // CC-H12.3
    return;
  }
  const { ip } = cx.make(() => hookedCall(node));
  skipFprobe(cx, fp, 'exit_disabled', ip);
}

/** v5.18: the node comes after the entry handler, so a shortage skips the exit handler only; unless it is to skip both. */
function* enterBeforeNode(cx: Context, k: Kernel, fp: Fprobe, hit: HookRequest): Path<void> {
  if (k.fprobeOptions.missPolicy === 'both') {
    yield* fprobeEnter(cx, k, fp, hit);
    return;
  }
  const result = yield* k.fn.fprobeCallEntry(cx, k, fp, { hit, node: undefined });
  const { exitHandler } = readFprobeStruct(cx, k, fp);
  if (exitHandler === NO_ADDRESS) return;
  const node = yield* k.fn.fprobeTakeNode(cx, k, fp, hit);
  if (node !== 'missed') yield* k.fn.fprobeSettle(cx, k, node, { hit, result });
}

/** v5.18: nodes are taken also where no grace period protects them (H-36). */
export function isAlwaysWatching(): boolean {
  return true;
}

/** v5.18: who is shared with kprobes is not known at all. */
function* unregisterNotShared(cx: Context, k: Kernel, fp: Fprobe): Path<Errno> {
  const isShared = cx.make(() => k.fn.fprobeRegistration(k, fp)?.shared.value === true);
  return isShared ? -EINVAL : yield* unregisterFprobe(cx, k, fp);
}

/** v5.18: the rethook goes before the hook does (H-04): CC-S8.4 before CC-S8.3. A hit may find a pool that is gone. */
export function* unhookFreedFirst(cx: Context, k: Kernel, own: FprobeRethook): Path<Errno> {
  const rethook = cx.make(() => ownRethook(own));
  if (rethook !== undefined) yield* k.fn.rethookFree(cx, k, rethook);
  const result = yield* enter(k.fn.unregisterFtraceFunction(cx, k, own.ops)); // CC-S8.3
  if (result === 0) yield* k.fn.ftraceFreeFilter(cx, k, own.ops); // CC-S8.5
  return result;
}

export const FPROBE_V6_1: Partial<LinkTable> = {
  ...FPROBE_RETHOOK,
  fprobeDataBytes: noData,
  fprobeCallEntry: callVoidEntry,
  fprobeKprobeHandler: kprobeHandlerUnlocked,
  fprobeExitHandler: fprobeExitUnlocked,
};

export const FPROBE_V5_18: Partial<LinkTable> = {
  ...FPROBE_V6_1,
  fprobeEnter: enterBeforeNode,
  rethookIsWatching: isAlwaysWatching,
  unregisterFprobe: unregisterNotShared,
  fprobeUnhook: unhookFreedFirst,
};
