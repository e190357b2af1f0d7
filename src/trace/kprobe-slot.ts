// Layer trace. Slots: where copies of probed instructions are stepped out of line (KP-44). `struct kprobe_insn_cache`
// hands them out in pages; a slot that somebody may still be in is garbage first (CC-S11.6). Mirrors the insn_slot part
// of kernel/kprobes.c, and arch_prepare_ss_slot. Left out: the mapping of pages, and their names in kallsyms.
import { assert } from '../assert.ts';
import type { Address } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { Context } from '../emu/context.ts';
import { FLAG } from '../emu/flags.ts';
import { Mutex, mutexLock, mutexUnlock } from '../emu/lock.ts';
import type { Machine } from '../emu/machine.ts';
import type { Path } from '../emu/path.ts';
import { C_EBREAK, encode } from '../emu/riscv/encode.ts';
import { allocate, type KObject, release } from '../emu/slab.ts';

/** Bytes of a slot: a copy of 4 bytes, and the longer of what may follow it. */
export const INSN_SLOT_BYTES = 8;
/** Bytes of a page of slots. */
export const INSN_PAGE_BYTES = 4096;
const HALF_BYTES = 2;

/** `struct kprobe_insn_page`. */
interface InsnPage {
  readonly base: Address;
  readonly memory: KObject;
}

/** One slot in use, or garbage (`SLOT_DIRTY`). */
interface InsnSlot {
  readonly memory: KObject;
  readonly dirty: boolean;
}

/** `struct kprobe_insn_cache`. Both lists are in order of addresses. */
export interface KprobeInsnCache {
  /** `cache->mutex`; taken within, and inside `kprobe_mutex` where that is held. */
  readonly mutex: Mutex;
  readonly base: Address;
  /** What its memory is called, and the bytes of a slot. */
  readonly kind: string;
  readonly slotBytes: number;
  readonly pagesMax: number;
  readonly pages: Cell<readonly InsnPage[]>;
  readonly slots: Cell<readonly InsnSlot[]>;
  /** What outlasts everybody who was in a slot when it became garbage (CC-M10). */
  readonly synchronize: (cx: Context) => Path<void>;
}

export interface KprobeInsnCacheOptions {
  readonly name: string;
  /** `kprobe_insn` and INSN_SLOT_BYTES by default. */
  readonly kind?: string;
  readonly slotBytes?: number;
  /** Where its pages lie: text that is the cache's own. */
  readonly base: Address;
  /** A multiple of INSN_PAGE_BYTES. */
  readonly bytes: number;
  readonly synchronize: KprobeInsnCache['synchronize'];
}

/** An empty cache; reserves its text. */
export function newKprobeInsnCache(
  machine: Machine,
  { name, kind, slotBytes, base, bytes, synchronize }: KprobeInsnCacheOptions,
): KprobeInsnCache {
  assert(bytes % INSN_PAGE_BYTES === 0, 'slots come in pages');
  machine.core.addText(base, bytes);
  const { cells } = machine;
  const mutex = new Mutex(cells, `${name}/mutex`);
  return {
    mutex,
    base,
    kind: kind ?? 'kprobe_insn',
    slotBytes: slotBytes ?? INSN_SLOT_BYTES,
    pagesMax: bytes / INSN_PAGE_BYTES,
    pages: cells.cell<readonly InsnPage[]>(`${name}/pages`, [], mutex),
    slots: cells.cell<readonly InsnSlot[]>(`${name}/slots`, [], mutex),
    synchronize,
  };
}

/**
 * `__get_insn_slot` (CC-S10.2): the lowest clean slot; garbage is collected before a page is added. Undefined when
 * there is no place or no memory, which is -ENOMEM (KP-10.10). May sleep.
 */
export function* getInsnSlot(cx: Context, cache: KprobeInsnCache): Path<KObject | undefined> {
  yield* mutexLock(cx, cache.mutex);
  const memory = yield* takeSlot(cx, cache);
  yield* mutexUnlock(cx, cache.mutex);
  return memory;
}

function* takeSlot(cx: Context, cache: KprobeInsnCache): Path<KObject | undefined> {
  if (cleanSlot(cx, cache) === undefined) {
    if (garbageOf(cx, cache).length > 0) yield* collect(cx, cache);
    else yield* addPage(cx, cache);
  }
  const address = cleanSlot(cx, cache);
  if (address === undefined) return undefined;
  const request = { kind: `${cache.kind}_slot`, bytes: cache.slotBytes, address };
  const memory = yield* allocate(cx, request); // CC-S10.2
  if (memory === undefined) return undefined;
  const slots = [...cx.read(cache.slots), { memory, dirty: false }];
  cx.write(
    cache.slots,
    slots.toSorted((a, b) => a.memory.address - b.memory.address),
  );
  return memory;
}

/** The lowest slot of all pages that is neither in use nor garbage. */
function cleanSlot(cx: Context, cache: KprobeInsnCache): Address | undefined {
  const taken = new Set(cx.read(cache.slots).map(({ memory }) => memory.address));
  for (const { base } of cx.read(cache.pages)) {
    for (let at = base; at < base + INSN_PAGE_BYTES; at += cache.slotBytes) {
      if (!taken.has(at)) return at;
    }
  }
  return undefined;
}

/** Adds the lowest page that there is not, if there is room and memory. */
function* addPage(cx: Context, cache: KprobeInsnCache): Path<void> {
  const pages = cx.read(cache.pages);
  if (pages.length === cache.pagesMax) return;
  let base = cache.base;
  for (const page of pages) if (page.base === base) base += INSN_PAGE_BYTES;
  const request = { kind: `${cache.kind}_page`, bytes: INSN_PAGE_BYTES };
  const memory = yield* allocate(cx, request); // CC-S10.2
  if (memory === undefined) return;
  cx.write(
    cache.pages,
    [...pages, { base, memory }].toSorted((a, b) => a.base - b.base),
  );
}

/**
 * `__free_insn_slot` (CC-S11.6): the slot is clean at once or, `dirty`, somebody may still be in it, and it is collected
 * later: when a slot is needed, or when there is more garbage than a page holds. May sleep.
 */
export function* freeInsnSlot(
  cx: Context,
  cache: KprobeInsnCache,
  memory: KObject,
  dirty: boolean,
): Path<void> {
  yield* mutexLock(cx, cache.mutex);
  const slots = cx.read(cache.slots);
  const slot = slots.find((one) => one.memory === memory);
  assert(slot?.dirty === false, 'a slot is freed once');
  if (!dirty) yield* cleanUp(cx, cache, memory);
  else {
    cx.write(
      cache.slots,
      slots.map((one) => (one === slot ? { memory, dirty } : one)),
    );
    if (garbageOf(cx, cache).length > INSN_PAGE_BYTES / cache.slotBytes) yield* collect(cx, cache);
  }
  yield* mutexUnlock(cx, cache.mutex);
}

/** `collect_garbage_slots` (CC-S11.6): what is garbage now is clean afterwards, behind a grace period. */
export function* collectGarbageSlots(cx: Context, cache: KprobeInsnCache): Path<void> {
  yield* mutexLock(cx, cache.mutex);
  if (garbageOf(cx, cache).length > 0) yield* collect(cx, cache);
  yield* mutexUnlock(cx, cache.mutex);
}

/** The mutex is held over the wait: no slot becomes garbage meanwhile that the wait would be too short for. */
function* collect(cx: Context, cache: KprobeInsnCache): Path<void> {
  yield* cache.synchronize(cx);
  for (const { memory } of garbageOf(cx, cache)) yield* cleanUp(cx, cache, memory);
}

function garbageOf(cx: Context, cache: KprobeInsnCache): readonly InsnSlot[] {
  return cx.read(cache.slots).filter(({ dirty }) => dirty);
}

/** `collect_one_slot`: nobody is in it any more. Of the pages that hold no slot one stays. */
function* cleanUp(cx: Context, cache: KprobeInsnCache, memory: KObject): Path<void> {
  yield* release(cx, memory); // CC-S11.6
  cx.make(() => {
    cx.cpu.machine.text.poison(memory.address, memory.bytes);
  });
  const slots = cx.read(cache.slots).filter((slot) => slot.memory !== memory);
  cx.write(cache.slots, slots);
  const pages = cx.read(cache.pages);
  const page = pages.find(({ base }) => isWithin(memory.address, base));
  assert(page !== undefined, 'a slot lies in a page');
  if (pages.length === 1 || slots.some((slot) => isWithin(slot.memory.address, page.base))) return;
  yield* release(cx, page.memory); // CC-S11.6
  cx.write(
    cache.pages,
    pages.filter((one) => one !== page),
  );
}

function isWithin(address: Address, page: Address): boolean {
  return address >= page && address < page + INSN_PAGE_BYTES;
}

/** What is copied: an instruction, and where it goes on behind it if nobody has to know that it is done. */
export interface SlotCopy {
  /** One halfword or two. */
  readonly insn: readonly number[];
  /** Of a boosted probe (KP-41.2): the address of the next instruction. Else a breakpoint ends the step (KP-41.5). */
  readonly boostTo?: Address;
}

/** What a slot at `slot` holds, in halfwords. The breakpoint, or the jump, comes right behind the copy. */
export function slotText(slot: Address, { insn, boostTo }: SlotCopy): readonly number[] {
  assert(insn.length === 1 || insn.length === 2, 'an instruction has one halfword or two');
  if (boostTo === undefined) return [...insn, C_EBREAK];
  const jump = encode('jal', { rd: 0, imm: boostTo - (slot + HALF_BYTES * insn.length) });
  return [...insn, jump & 0xffff, jump >>> 16];
}

/**
 * `arch_prepare_ss_slot`: writes a slot that nobody executes yet; an effect, inside a step. Each of its two instructions
 * is a choice point.
 */
export function archPrepareSsSlot(machine: Machine, memory: KObject, copy: SlotCopy): void {
  const { address } = memory;
  assert(memory.live && memory.kind === 'kprobe_insn_slot', 'a slot is taken before it is written');
  const halves = slotText(address, copy);
  machine.text.writeCode(address, halves);
  const behind = address + HALF_BYTES * copy.insn.length;
  for (let at = address; at < address + INSN_SLOT_BYTES; at += HALF_BYTES) {
    machine.core.setFlags(at, at === address || at === behind ? FLAG.visible : 0);
  }
}
