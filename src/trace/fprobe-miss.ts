// Layer trace. `nmissed` (CC-G10): each hit that runs no handler says why, and counts where the era counts it. Which
// misses do is for the return machines to know (ARCHITECTURE.md).
import type { Address } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { act, type Path, readOnce } from '../emu/path.ts';
import { TRACE_EVENTS } from './event.ts';
import { layoutOf } from './fprobe-struct.ts';
import type { Fprobe } from './fprobe.ts';
import { type SkipReason, skip } from './ftrace-caller.ts';
import { touchOps, useOps } from './ftrace-ops-memory.ts';
import type { Kernel } from './kernel.ts';

/** A hit at `ip` does not run a handler of `fp`; nothing is counted. */
export function skipFprobe(cx: Context, fp: Fprobe, reason: SkipReason, ip: Address): void {
  skipHit(cx, fp, { reason, ip });
}

/** As `skipFprobe`, of the registration that was hit. */
export function skipHit(cx: Context, fp: Fprobe, { reason, ip, generation }: FprobeMiss): void {
  const whose = generation ?? cx.make(() => fp.generation.value);
  skip(cx, { object: fp.object, generation: whose, reason, ip });
}

/** A hit that runs no handler. */
export interface FprobeMiss {
  readonly reason: SkipReason;
  readonly ip: Address;
  /** Of the registration that was hit, where that may not be the present one. */
  readonly generation?: number;
}

/** As `skipHit`, and counts in `nmissed`. Any context. */
export function* missFprobe(cx: Context, k: Kernel, fp: Fprobe, miss: FprobeMiss): Path<void> {
  skipHit(cx, fp, miss);
  yield* k.fn.fprobeIncNmissed(cx, k, fp);
}

/**
 * `fp->nmissed++`. Atomic, so that no miss gets lost; with the option `racyCounters` as the kernel does it, in two
 * steps (fprobe.md 9).
 */
export function fprobeIncNmissed(cx: Context, k: Kernel, fp: Fprobe): Path<void> {
  return k.fprobeOptions.racyCounters ? incInTwoSteps(cx, k, fp) : incInOneStep(cx, k, fp);
}

function* incInOneStep(cx: Context, k: Kernel, fp: Fprobe): Path<void> {
  yield* act(fp.nmissed, () => {
    if (fp.memory?.live !== false) store(cx, k, fp, loadNmissed(k, fp) + 1);
  });
  touchOps(cx, fp);
}

/** As the kernel does it: another CPU may count between the two. */
export function* incInTwoSteps(cx: Context, k: Kernel, fp: Fprobe): Path<void> {
  yield* readOnce(fp.nmissed);
  touchOps(cx, fp);
  const before = cx.make(() => loadNmissed(k, fp));
  yield* setNmissed(cx, k, fp, before + 1);
}

/** Stores fp->nmissed in one step: registration sets it to 0 (FP-4). */
export function* setNmissed(cx: Context, k: Kernel, fp: Fprobe, value: number): Path<void> {
  yield* act(fp.nmissed, () => {
    if (fp.memory?.live !== false) store(cx, k, fp, value);
  });
  useOps(cx, fp);
}

/** Where fp->nmissed lies. */
export function nmissedAddress(k: Kernel, fp: Fprobe): Address {
  return fp.address + layoutOf(k).nmissed;
}

/** The counter, as far as anybody counts. */
export function loadNmissed(k: Kernel, fp: Fprobe): number {
  return k.machine.memory.loadLo(nmissedAddress(k, fp));
}

/** Part of a step. A value that the counter has already is no event. */
function store(cx: Context, k: Kernel, fp: Fprobe, value: number): void {
  const { machine } = k;
  const before = loadNmissed(k, fp);
  machine.memory.store64(nmissedAddress(k, fp), value, 0);
  fp.nmissed.set(value);
  if (before === value) return;
  cx.emit(TRACE_EVENTS.count.id, fp.object, machine.strings.id('nmissed'), before, value);
}
