// Layer emu. Why `run` returned.

/** The budget of steps is used up; pc is at the next instruction. */
export const STOP_STEPS = 1;
/** The next instruction has ATTENTION. */
export const STOP_ATTENTION = 2;
/** pc is at an `ecall`. */
export const STOP_ECALL = 3;
/** pc is at an `ebreak` or `c.ebreak`. */
export const STOP_BREAK = 4;
/** After a `wfi`. */
export const STOP_WFI = 5;
/** After a write to sstatus; `hart.irqsOn` tells. */
export const STOP_IRQ = 6;
/** Nothing happened: `hart.faultReason` and `hart.faultAddress` say why. */
export const STOP_FAULT = 7;

export type Stop =
  | typeof STOP_STEPS
  | typeof STOP_ATTENTION
  | typeof STOP_ECALL
  | typeof STOP_BREAK
  | typeof STOP_WFI
  | typeof STOP_IRQ
  | typeof STOP_FAULT;

/** The instruction is done and the run goes on. */
export const RUNS_ON = 0;

/** What one instruction came to. */
export type Outcome = Stop | typeof RUNS_ON;
