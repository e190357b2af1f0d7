// Layer emu. What the machine marks on single instructions. The core knows `visible` and `attention` only.
import { ATTENTION, VISIBLE } from './riscv/core.ts';

export const FLAG = {
  visible: VISIBLE,
  attention: ATTENTION,
  /** First instruction of a function: a true call. */
  entry: 4,
  /** A site that has been patched at least once. */
  site: 8,
  /** Some true call returns here. */
  after: 16,
  /** Someone watches calls of this function. */
  watch: 32,
  /** RETURN_STUB: a guest function that a path called is back. */
  back: 64,
} as const;
