// Which context may open on top of which (CC-M2), and when a CPU answers a SYNC (CC-M7).
import { expect, test } from 'vitest';
import { smallMachine } from '../../properties/small-machine.ts';
import { randomChooser } from '../replay/explore/random.ts';
import { LEVEL } from './context.ts';
import { readOnce } from './path.ts';
import { localIrqRestore, localIrqSave } from './preempt.ts';
import type { ScriptOp } from './script.ts';
import { sync } from './text.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 3 }];

test('CC-M2: contexts open on top of lower ones only, and IRQs are off in interrupts', () => {
  const seen = new Set<string>();
  for (let seed = 1; seed <= 60; seed++) {
    const m = smallMachine({
      functions: { f: WORK, g: WORK },
      chooser: randomChooser({ seed, schedule: [1, 3], inject: [1, 3] }),
    });
    const handler = m.at('g');
    for (const [name, level] of Object.entries(LEVEL)) {
      if (level === LEVEL.task || level === LEVEL.trap) continue;
      m.machine.injector.add({ name, level, handler, cpu: 0, left: 4 });
    }
    m.task('t', 0, 'f', 20);
    const stack: number[] = [LEVEL.task];
    expect(m.machine.run()).toBe('run_end');
    for (const e of m.log.events()) {
      if (e.event === 'irq_enter') {
        seen.add(`${stack.at(-1)} < ${e.level}`);
        stack.push(e.level);
      }
      if (e.event === 'irq_exit') expect(stack.pop()).toBe(e.level);
    }
  }
  expect([...seen].toSorted()).toEqual(['0 < 1', '0 < 2', '0 < 3', '1 < 2', '1 < 3', '2 < 3']);
});

test('CC-M7, FT-8: a CPU with IRQs off answers when they are on again, and the sender waits for it', () => {
  let late = 0;
  for (let seed = 1; seed <= 30; seed++) {
    const m = smallMachine({
      functions: { f: WORK },
      machine: { cpus: 3 },
      chooser: randomChooser({ seed, schedule: [1, 2], inject: [0, 1] }),
    });
    let isOff = false;
    const order: string[] = [];
    m.thread('closed', 1, function* (cx) {
      const were = yield* localIrqSave(cx);
      isOff = true;
      order.push('off');
      for (let i = 0; i < 20; i++) yield* readOnce(cx.cpu.state);
      order.push('on');
      isOff = false;
      yield* localIrqRestore(cx, were);
    });
    m.thread('sender', 0, function* (cx) {
      order.push('sends');
      if (isOff) late++;
      yield* sync(cx);
      order.push('all answered');
    });
    expect(m.machine.run()).toBe('run_end');
    const sent = order.indexOf('sends');
    const wasOff = order.slice(0, sent).includes('off') && !order.slice(0, sent).includes('on');
    if (wasOff) expect(order.indexOf('all answered')).toBeGreaterThan(order.indexOf('on'));
    const answers = [...m.log.events()].flatMap((e) => (e.event === 'sync_ack' ? [e.cpu] : []));
    expect(answers.toSorted((a, b) => a - b)).toEqual([1, 2]);
  }
  expect(late).toBeGreaterThan(0);
});
