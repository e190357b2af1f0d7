// Layer trace. `arch_ftrace_update_code`: where the whole of CC-S3 runs. With sites of one instruction that is
// here and now; with sites of two it is `stop_machine`, as arch/riscv/kernel/ftrace.c has it up to v6.12 (FT-12,
// CC-S2): the last CPU to arrive patches, the others spin and then see the new text.
import type { Cell } from '../emu/cell.ts';
import type { Context } from '../emu/context.ts';
import { act, enter, fetchAdd, type Path, waitUntil } from '../emu/path.ts';
import { stopMachine } from '../emu/stop-machine.ts';
import type { Patching } from './ftrace-insn.ts';
import type { Kernel } from './kernel.ts';

/** `arch_ftrace_update_code`. Caller holds `ftrace_lock` and `text_mutex`. */
export function* archFtraceUpdateCode(cx: Context, k: Kernel): Path<void> {
  yield* whileTextRests(cx, k, (own) => k.fn.ftraceModifyAllCode(own, k));
}

/** Does `modify` where text may be written. Caller holds `text_mutex`. */
export function* whileTextRests(
  cx: Context,
  k: Kernel,
  modify: (cx: Context) => Path<void>,
): Path<void> {
  const { cells } = k.machine;
  if (k.patching === 'breakpoint') {
    yield* modify(cx);
    return;
  }
  const arrived = cx.make(() => cells.cell('ftrace_modify_param/cpu_count', 0));
  yield* stopMachine(cx, (own) => ftraceModifyCode(own, k, { arrived, modify }));
}

/** `struct ftrace_modify_param`. */
interface ModifyParam {
  readonly arrived: Cell<number>;
  readonly modify: (cx: Context) => Path<void>;
}

/** `__ftrace_modify_code`: what every CPU runs, interrupts off. */
function* ftraceModifyCode(cx: Context, k: Kernel, { arrived, modify }: ModifyParam): Path<void> {
  const cpus = cx.make(() => k.machine.cpus.filter(({ online }) => online).length);
  const before = yield* fetchAdd(arrived, 1); // CC-S2.1
  if (before === cpus - 1) {
    yield* enter(modify(cx));
    yield* fetchAdd(arrived, 1);
    return;
  }
  yield* waitUntil(arrived, (count) => count > cpus);
  yield* k.fn.localFlushIcacheAll(cx);
}

/** `local_flush_icache_all`: what this CPU fetches from here on is the newest text. */
export function* localFlushIcacheAll(cx: Context): Path<void> {
  const { cpu } = cx;
  yield* act(cpu.machine.textCell, () => {
    cpu.machine.text.see(cpu); // CC-S2.3
  });
}

/**
 * May this kernel preempt tasks? A task that is preempted between the instructions of a site would come back to the
 * second half of another call, so dynamic ftrace with such sites forbids it (8547649981e6, FT-12).
 */
export function ftraceAllowsPreemption(patching: Patching): boolean {
  return patching === 'breakpoint';
}
