// Layer emu. Executes an instruction that is not the one in memory: a CPU may fetch stale text (CC-M5).
import type { Hart } from '../regs.ts';
import type { Core } from './core.ts';
import { ATTENTION } from './region.ts';
import { run } from './run.ts';
import { STOP_ATTENTION, STOP_STEPS, type Stop } from './stop.ts';

/**
 * Executes at `hart.pc` the one instruction that these halfwords make. `high` is unused after a 16-bit
 * `low`. Always one step, and otherwise as `run`.
 */
export function runFetched(core: Core, hart: Hart, low: number, high: number): Stop {
  hart.text = core.fetched(hart.pc, low, high);
  const stop = run(core, hart, 1, true);
  hart.text = undefined;
  // A jump to its own address looked for flags at the stale copy.
  const attention = stop === STOP_STEPS && (core.flagsAt(hart.pc) & ATTENTION) !== 0;
  return attention ? STOP_ATTENTION : stop;
}
