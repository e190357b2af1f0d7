// Layer trace. `text_poke_bp_batch` and its breakpoint handler (CC-S1, CC-H2, FT-6..FT-10), as
// arch/x86/kernel/alternative.c has them: breakpoints first, then the tails, then the new first halves,
// every CPU synchronised after each phase.
import { assert } from '../assert.ts';
import { type Address, addressHi, addressLo, NO_ADDRESS } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { Context } from '../emu/context.ts';
import { writePair } from '../emu/pair.ts';
import { enter, fetchAdd, type Path, readOnce, update, waitUntil, writeOnce } from '../emu/path.ts';
import { FRAME_HI, REG } from '../emu/regs.ts';
import { C_EBREAK, sync, writeHalf } from '../emu/text.ts';
import { callPair, callWord, MCOUNT_INSN_SIZE } from './ftrace-insn.ts';
import type { Kernel } from './kernel.ts';

/** One instruction to replace: by a call of `target` with its return address in `link`, or by a nop. */
export interface TextPokeLoc {
  readonly ip: Address;
  /** NO_ADDRESS: a nop. */
  readonly target: Address;
  /** Register that the call leaves the address behind the site in; x0: it is a jump. */
  readonly link: number;
}

/** `struct bp_patching_desc`: what breakpoints of a batch stand for. */
export interface PokeDescriptor {
  readonly vec: Cell<readonly TextPokeLoc[]>;
  /** 0: there is no batch, and `vec` must not be looked at (FT-10). */
  readonly refs: Cell<number>;
}

/** `TP_VEC_MAX`. */
const TP_VEC_MAX = 256;
const LOW_HALF = 0xffff;

export function newPokeDescriptor(k: Pick<Kernel, 'machine'>): PokeDescriptor {
  const { cells } = k.machine;
  return {
    vec: cells.cell<readonly TextPokeLoc[]>('poke/vec', []),
    refs: cells.cell('poke/refs', 0),
  };
}

/**
 * PATCH: replaces all of `locs`, in address order; batch by batch, or one by one while the machine is stopped.
 * Caller holds `text_mutex`.
 */
export function* textPoke(cx: Context, k: Kernel, locs: readonly TextPokeLoc[]): Path<void> {
  const sorted = locs.toSorted((a, b) => a.ip - b.ip);
  if (k.patching === 'stopMachine') {
    for (const { ip, target, link } of sorted) {
      yield* writePair(cx, ip, callPair(ip, target, link)); // CC-S2.2
    }
    return;
  }
  for (let first = 0; first < sorted.length; first += TP_VEC_MAX) {
    yield* enter(k.fn.textPokeBpBatch(cx, k, sorted.slice(first, first + TP_VEC_MAX)));
  }
}

/** `text_poke_bp_batch` (CC-S1). Caller holds `text_mutex`. */
export function* textPokeBpBatch(cx: Context, k: Kernel, vec: readonly TextPokeLoc[]): Path<void> {
  assert(vec.length > 0 && vec.length <= TP_VEC_MAX, 'a batch has 1 to 256 sites');
  yield* k.fn.textPokePublish(cx, k, vec);
  cx.make(() => {
    for (const loc of vec) k.machine.text.beginPatch(loc.ip, locWord(loc));
  });
  for (const { ip } of vec) yield* writeHalf(cx, ip, 0, C_EBREAK); // CC-S1.3
  yield* k.fn.textPokeSyncBreakpoint(cx);
  for (const loc of vec) yield* writeHalf(cx, loc.ip, 1, locWord(loc) >>> 16); // CC-S1.5
  yield* k.fn.textPokeSyncTail(cx);
  for (const loc of vec) yield* writeHalf(cx, loc.ip, 0, locWord(loc) & LOW_HALF); // CC-S1.7
  yield* k.fn.textPokeSyncDone(cx);
  yield* k.fn.textPokeRetire(cx, k);
}

/** CC-S1.1-2: what a breakpoint will find, then that there is something to find (FT-10). */
export function* textPokePublish(_cx: Context, k: Kernel, vec: readonly TextPokeLoc[]): Path<void> {
  yield* writeOnce(k.poke.vec, vec); // CC-S1.1
  yield* writeOnce(k.poke.refs, 1); // CC-S1.2
}

/** CC-S1.9: no trap looks at the descriptor any more. */
export function* textPokeRetire(_cx: Context, k: Kernel): Path<void> {
  yield* fetchAdd(k.poke.refs, -1);
  yield* waitUntil(k.poke.refs, (refs) => refs === 0);
}

/** CC-S1.4: from here on no CPU executes an old first half. */
export function* textPokeSyncBreakpoint(cx: Context): Path<void> {
  yield* sync(cx);
}

/** CC-S1.6: from here on no CPU holds an old tail. */
export function* textPokeSyncTail(cx: Context): Path<void> {
  yield* sync(cx);
}

/** CC-S1.8: from here on no CPU sees the breakpoint. */
export function* textPokeSyncDone(cx: Context): Path<void> {
  yield* sync(cx);
}

/** `poke_int3_handler` (CC-H2): emulates the new instruction (FT-7). Undefined: not one of ours. */
export function* pokeInt3Handler(cx: Context, k: Kernel, pc: Address): Path<Address | undefined> {
  const { refs, vec } = k.poke;
  const before = yield* update(refs, (count) => (count === 0 ? 0 : count + 1)); // CC-H2.1
  if (before === 0) return undefined;
  const sites = yield* readOnce(vec); // CC-H2.2
  const next = emulateAt(cx, sites, pc);
  yield* fetchAdd(refs, -1); // CC-H2.4
  return next;
}

/** CC-H2.3: where the instruction that one of `sites` will have at `pc` leads, once it is done; undefined: none has. */
export function emulateAt(
  cx: Context,
  sites: readonly TextPokeLoc[],
  pc: Address,
): Address | undefined {
  const loc = sites.find(({ ip }) => ip === pc);
  return loc === undefined ? undefined : emulate(cx, loc);
}

/** Does to the interrupted registers what the new instruction does; where it leads. */
function emulate(cx: Context, { ip, target, link }: TextPokeLoc): Address {
  const after = ip + MCOUNT_INSN_SIZE.breakpoint;
  if (target === NO_ADDRESS) return after;
  cx.make(() => {
    if (link === REG.zero) return;
    cx.frame[link] = addressLo(after);
    cx.frame[FRAME_HI + link] = addressHi(after);
  });
  return target;
}

function locWord({ ip, target, link }: TextPokeLoc): number {
  return callWord(ip, target, link);
}
