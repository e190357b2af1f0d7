// A hit that stands between what it has found in the table and the handler that it calls, while the fprobe goes and comes
// again: where unregister does not wait (FP-56) the handler runs late, and runs for the registration that was found.
import { expect, test } from 'vitest';
import { call, fprobeKernel, WORK } from '../../properties/fgraph-kernel.ts';
import { known } from '../assert.ts';
import { LEVEL } from '../emu/context.ts';
import { guestHandler } from '../emu/interrupt.ts';
import { tick } from '../emu/loop.ts';
import type { ScriptOp } from '../emu/script.ts';
import { sleepFor } from '../emu/timer.ts';
import { randomChooser } from '../replay/explore/random.ts';

const LONG: readonly ScriptOp[] = [{ op: 'loop', times: 400, body: [call('help')] }];

/** Handlers of the fprobe, with the registration that they are for; in the end it has its second one. */
function lateHit(name: 'fp0' | 'in0'): readonly string[] {
  const m = fprobeKernel({
    era: 'v6.18',
    functions: { g: WORK, slow: LONG, '-help': WORK },
    callbacks: { fp0In: WORK, fp0Out: WORK, in0In: WORK, in1In: WORK, fp1Out: WORK },
    chooser: randomChooser({ seed: 1, schedule: [1, 2], inject: [0, 1] }),
  });
  // The other one keeps the site hooked.
  const [fp, other] = [m.fprobe(name), m.fprobe(name === 'fp0' ? 'fp1' : 'in1')];
  const cpu = known(m.machine.cpus[1], 'there are two CPUs');
  const slow = m.fn('slow').address;
  let isHeld = false;
  m.thread('control', 0, function* (cx) {
    for (const one of [other, fp]) yield* m.register(cx, one, ['g']);
    m.task('caller', 1, 'g');
    while (!cx.make(() => isHeld)) yield* sleepFor(cx, 10);
    yield* m.unregister(cx, fp);
    yield* m.register(cx, fp, ['g']);
  });
  while (m.machine.ending === undefined) {
    const { top } = cpu.top;
    if (!isHeld && top?.kind === 'path' && top.pending?.cell.name === `flags/${name}`) {
      // The node is found; what comes now takes long.
      const body = guestHandler(slow);
      cpu.pending.push({ level: LEVEL.softirq, handler: slow, body });
      m.machine.touchCpu(cpu);
      isHeld = true;
    }
    tick(m.machine);
  }
  const ended = m.events('ctl_end').at(-1)?.index ?? 0;
  const ours = m.events('cb_begin').filter(({ object }) => object === fp.object);
  return ours.map(({ generation, index, kind }) => {
    return `${kind} ${generation}${index > ended ? ', late' : ''}`;
  });
}

test('FP-56: a handler that comes late runs for the registration that the hit has found', () => {
  expect(lateHit('in0')).toEqual(['fprobe_entry 1, late']);
});

test('FP-77: the exit of that call is for whoever is registered then', () => {
  expect(lateHit('fp0')).toEqual(['fprobe_entry 1, late', 'fprobe_exit 2, late']);
});
