// Layer emu. Changes of preemption and IRQ state by kernel paths; one step each.
import { assert } from '../assert.ts';
import type { Context } from './context.ts';
import { act, type Path } from './path.ts';

/** `preempt_disable`. */
export function* preemptDisable(cx: Context): Path<void> {
  yield* act(cx.cpu.preemptCount, () => {
    changePreemptCount(cx, 1);
  });
}

/** `preempt_enable`. */
export function* preemptEnable(cx: Context): Path<void> {
  yield* act(cx.cpu.preemptCount, () => {
    changePreemptCount(cx, -1);
  });
}

/** `local_irq_save`: whether interrupts were on. */
export function* localIrqSave(cx: Context): Path<boolean> {
  return yield* act(cx.cpu.state, () => {
    const were = cx.cpu.hart.irqsOn;
    setIrqs(cx, false);
    return were;
  });
}

/** `local_irq_restore`. */
export function* localIrqRestore(cx: Context, on: boolean): Path<void> {
  yield* act(cx.cpu.state, () => {
    setIrqs(cx, on);
  });
}

/** The effect of preempt_disable and preempt_enable, for a step of somebody else. */
export function changePreemptCount(cx: Context, delta: 1 | -1): void {
  const cpu = cx.cpu;
  assert(delta > 0 || cpu.preemptCount.value > 0, 'preempt_enable has its preempt_disable');
  cpu.preemptCount.set(cpu.preemptCount.value + delta);
  cpu.settle();
}

/** The effect of local_irq_disable and local_irq_enable. */
export function setIrqs(cx: Context, on: boolean): void {
  cx.cpu.hart.irqsOn = on;
  cx.cpu.settle();
}
