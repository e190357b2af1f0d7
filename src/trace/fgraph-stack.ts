// Layer trace. The shadow stack of a task: one page of guest memory that holds, of every function whose return was
// taken, a frame, a descriptor word and the data words of hooks (FP-70), after kernel/trace/fgraph.c. What is here is
// the layout: arithmetic, and accesses that are part of a caller's step. Left out: the per-task variables of hooks at
// the top of the page, whose room is kept.
import { type Address, addressHi, addressLo, NO_ADDRESS, toAddress } from '../emu/address.ts';
import type { Memory } from '../emu/memory.ts';

/** One page of words of 8 bytes. */
export const RET_STACK_WORDS = 512;
const WORD_BYTES = 8;
export const RET_STACK_BYTES: number = RET_STACK_WORDS * WORD_BYTES;
/** Hooks at once; each has a word of its own for every task at the top of the page. */
export const FGRAPH_ARRAY_SIZE = 16;
/** Data words of one hook for one call, at most (`FGRAPH_MAX_DATA_SIZE`). */
export const FGRAPH_DATA_WORDS_MAX = 32;

/** Words of a frame: `ret, func, fp, retp`, or without `fp` (x86-64). */
export type FrameWords = 3 | 4;

/** Bits of a descriptor word. */
const TYPE_SHIFT = 10;
const OFFSET_MASK = (1 << TYPE_SHIFT) - 1;
const TYPE_MASK = 3;
const VALUE_SHIFT = 12;
const BITMAP_MASK = (1 << FGRAPH_ARRAY_SIZE) - 1;
const DATA_SIZE_MASK = 0x1f;
const DATA_OWNER_SHIFT = VALUE_SHIFT + 5;
const DATA_OWNER_MASK = 0xf;
const TYPE = { reserved: 0, bitmap: 1, data: 2 } as const;

/** What a descriptor word says; the frame that it belongs to begins `offset` words before it. */
export type Descriptor =
  | { readonly type: 'reserved'; readonly offset: number }
  /** One bit for each hook that wants the return. */
  | { readonly type: 'bitmap'; readonly offset: number; readonly bitmap: number }
  /** `words` data words of hook number `owner` lie right before it. */
  | {
      readonly type: 'data';
      readonly offset: number;
      readonly words: number;
      readonly owner: number;
    };

/** Nothing may reach this word (`SHADOW_STACK_MAX_OFFSET`): the per-task variables and one more frame lie behind. */
export function stackLimit(frameWords: FrameWords): number {
  return RET_STACK_WORDS - (frameWords + 1 + FGRAPH_ARRAY_SIZE);
}

/** FP-70.2: may a frame and its descriptor be put at word `curr`? */
export function hasRoomForFrame(frameWords: FrameWords, curr: number): boolean {
  return curr + frameWords + 1 < stackLimit(frameWords);
}

/** FP-70.4: may `words` data words and their trailer be put at word `curr`? */
export function hasRoomForData(frameWords: FrameWords, curr: number, words: number): boolean {
  return words <= FGRAPH_DATA_WORDS_MAX && curr + words + 1 < stackLimit(frameWords);
}

export function encodeDescriptor(descriptor: Descriptor): number {
  const word = descriptor.offset | (TYPE[descriptor.type] << TYPE_SHIFT);
  switch (descriptor.type) {
    case 'reserved':
      return word;
    case 'bitmap':
      return word | (descriptor.bitmap << VALUE_SHIFT);
    case 'data':
      return (
        word | ((descriptor.words - 1) << VALUE_SHIFT) | (descriptor.owner << DATA_OWNER_SHIFT)
      );
  }
}

/** Any word can be read as a descriptor, also one that is none. */
export function decodeDescriptor(word: number): Descriptor {
  const offset = word & OFFSET_MASK;
  switch ((word >>> TYPE_SHIFT) & TYPE_MASK) {
    case TYPE.bitmap:
      return { type: 'bitmap', offset, bitmap: (word >>> VALUE_SHIFT) & BITMAP_MASK };
    case TYPE.data: {
      const words = ((word >>> VALUE_SHIFT) & DATA_SIZE_MASK) + 1;
      return { type: 'data', offset, words, owner: (word >>> DATA_OWNER_SHIFT) & DATA_OWNER_MASK };
    }
    default:
      return { type: 'reserved', offset };
  }
}

/** `struct ftrace_ret_stack`. */
export interface RetFrame {
  /** Where the call goes on: the caller, or the trampoline once more when the caller's return is taken too. */
  readonly ret: Address;
  /** The call site. */
  readonly func: Address;
  /** The stack pointer of the call; NO_ADDRESS where frames do not keep it. */
  readonly fp: Address;
  /** Where the return address was found. */
  readonly retp: Address;
}

/** The page of one task, word by word. */
export interface RetStack {
  readonly memory: Memory;
  readonly base: Address;
  readonly frameWords: FrameWords;
}

export function wordAt({ base }: RetStack, index: number): Address {
  return base + WORD_BYTES * index;
}

export function loadDescriptor(stack: RetStack, index: number): Descriptor {
  return decodeDescriptor(stack.memory.loadLo(wordAt(stack, index)));
}

export function storeDescriptor(stack: RetStack, index: number, descriptor: Descriptor): void {
  stack.memory.store64(wordAt(stack, index), encodeDescriptor(descriptor), 0);
}

export function storeRet(stack: RetStack, start: number, ret: Address): void {
  storeAddress(stack, start, ret);
}

export function storeFrame(stack: RetStack, start: number, frame: RetFrame): void {
  const hasFp = stack.frameWords === 4;
  storeAddress(stack, start, frame.ret);
  storeAddress(stack, start + 1, frame.func);
  if (hasFp) storeAddress(stack, start + 2, frame.fp);
  storeAddress(stack, start + (hasFp ? 3 : 2), frame.retp);
}

export function loadFrame(stack: RetStack, start: number): RetFrame {
  const hasFp = stack.frameWords === 4;
  return {
    ret: loadAddress(stack, start),
    func: loadAddress(stack, start + 1),
    fp: hasFp ? loadAddress(stack, start + 2) : NO_ADDRESS,
    retp: loadAddress(stack, start + (hasFp ? 3 : 2)),
  };
}

function loadAddress(stack: RetStack, index: number): Address {
  const at = wordAt(stack, index);
  return toAddress(stack.memory.loadLo(at), stack.memory.loadHi(at));
}

function storeAddress(stack: RetStack, index: number, address: Address): void {
  stack.memory.store64(wordAt(stack, index), addressLo(address), addressHi(address));
}

/**
 * `get_ret_stack`: the first word of the frame whose last word is the one before `end`; undefined when what stands
 * there is no descriptor of a frame.
 */
export function frameBelow(stack: RetStack, end: number): number | undefined {
  if (end <= 0 || end > RET_STACK_WORDS) return undefined;
  const { offset } = loadDescriptor(stack, end - 1);
  const start = end - 1 - offset;
  return offset >= stack.frameWords && start >= 0 ? start : undefined;
}

/** The data words of hook number `owner` in the frame that reaches up to `end`; undefined: none. */
export function findData(
  stack: RetStack,
  end: number,
  owner: number,
): { readonly first: number; readonly words: number } | undefined {
  for (let at = end - 1; at >= 0;) {
    const found = loadDescriptor(stack, at);
    if (found.type !== 'data') return undefined;
    if (found.owner === owner) return { first: at - found.words, words: found.words };
    at -= found.words + 1;
  }
  return undefined;
}
