// Layer emu. Changes of preemption and IRQ state by kernel paths; one step each.
import { assert } from '../assert.ts';
import type { Context } from './context.ts';
import { EMU_EVENTS } from './event.ts';
import { act, type Path } from './path.ts';

/** `preempt_disable`. */
export function preemptDisable(cx: Context): Path<void> {
  return act(cx.cpu.preemptCount, () => {
    changePreemptCount(cx, 1);
  });
}

/** `preempt_enable`. */
export function preemptEnable(cx: Context): Path<void> {
  return act(cx.cpu.preemptCount, () => {
    changePreemptCount(cx, -1);
  });
}

/** `local_irq_save`: whether interrupts were on. `asked`: for a call by guest code. */
export function localIrqSave(cx: Context, asked = false): Path<boolean> {
  return act(cx.cpu.state, () => {
    const were = cx.cpu.hart.irqsOn;
    setIrqs(cx, false, asked);
    return were;
  });
}

/** `local_irq_restore`. */
export function localIrqRestore(cx: Context, on: boolean, asked = false): Path<void> {
  return act(cx.cpu.state, () => {
    setIrqs(cx, on, asked);
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
export function setIrqs(cx: Context, on: boolean, asked: boolean): void {
  const { cpu } = cx;
  cpu.hart.irqsOn = on;
  cpu.machine.emitFrom(cx, EMU_EVENTS.irqs.id, on ? 1 : 0, asked ? 1 : 0);
  cpu.settle();
}
