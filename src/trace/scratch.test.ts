import { test } from 'vitest';
import {
  perform,
  REGISTER,
  setFilter,
  setNotrace,
  smallKernel,
  UNREGISTER,
} from '../../properties/small-kernel.ts';
import { CHOICE, type Chooser } from '../emu/choose.ts';
import { randomChooser } from '../replay/explore/random.ts';
import { judgeEvents } from '../replay/guarantee/index.ts';
import type { Event } from '../replay/schema.ts';
import { VARIANTS } from './variants/variants.ts';

function noDeliver(c: Chooser): Chooser {
  return {
    choose: (p, n) => {
      const x = c.choose(p, n);
      return p.kind === CHOICE.deliver ? 0 : x;
    },
  };
}
function show(events: readonly Event[]): string {
  return events
    .map((e) => {
      const { event, index, step, cpu, level, pid, ...rest } = e as Event & Record<string, unknown>;
      return `${index} ${step} c${cpu} l${level} p${pid} ${event} ${JSON.stringify(rest, (_k, v) => (typeof v === 'bigint' ? Number(v) : v))}`;
    })
    .join('\n');
}

function run(variants: string[], seed: number, print = false) {
  const r = (n: number) => ((seed * 2654435761) >>> n) & 1;
  const m = smallKernel({
    functions: {
      f: [
        { op: 'work', count: 2 },
        { op: 'call', target: 'g' },
      ],
      g: [{ op: 'work', count: 2 }],
      h: [{ op: 'call', target: 'g' }],
      tick: [
        { op: 'work', count: 1 },
        { op: 'call', target: 'g' },
      ],
      idle: [{ op: 'call', target: 'g' }],
    },
    callbacks: {
      cb: [{ op: 'work', count: 3 }],
      cb2: [{ op: 'trylock', body: [{ op: 'work', count: 2 }] }],
    },
    chooser: noDeliver(randomChooser({ seed, schedule: [1, 6], inject: [1, 32] })),
    variants,
    machine: { cpus: 2, stepsMax: 100000 },
  });
  m.machine.injector.add({
    name: 'tick',
    level: 2,
    handler: m.fn('tick').address,
    cpu: -1,
    left: 2,
  });
  m.machine.injector.add({
    name: 'nmi',
    level: 3,
    handler: m.fn('tick').address,
    cpu: -1,
    left: 2,
  });
  const [a, b, c] = [m.ops('a', 'cb'), m.ops('b', 'cb2'), m.ops('c', 'cb2')];
  m.task('t0', 1, 'f', 12);
  m.task('t1', 1, 'h', 12);
  m.task('t2', 0, 'h', 3);
  m.task('t3', 1, 'h', 20);
  m.task('t4', 1, 'f', 20);
  m.machine.cpus[1]!.idleRuns = { func: m.fn('idle').address, left: 10 };
  const others = r(10) + r(11);
  m.thread('control', 0, function* (cx) {
    yield* perform(cx, m.k, a, setFilter('[fgh]'));
    yield* perform(cx, m.k, a, setNotrace('h'));
    yield* perform(cx, m.k, a, REGISTER);
    if (others > 0) yield* perform(cx, m.k, b, REGISTER);
    if (others > 1) yield* perform(cx, m.k, c, REGISTER);
    for (let i = 0; i < 3; i++) {
      yield* m.call(cx, 'h');
      yield* m.call(cx, 'f');
    }
    if (r(12)) yield* perform(cx, m.k, a, setFilter('f', true));
    yield* m.call(cx, 'h');
    yield* m.call(cx, 'f');
    if (r(14)) yield* perform(cx, m.k, a, setFilter('g', true));
    yield* perform(cx, m.k, a, UNREGISTER);
    if (r(13)) {
      yield* perform(cx, m.k, a, REGISTER);
      yield* perform(cx, m.k, a, UNREGISTER);
    }
    if (others > 0) yield* perform(cx, m.k, b, UNREGISTER);
    if (others > 1) yield* perform(cx, m.k, c, UNREGISTER);
  });
  const ending = m.machine.run();
  const events = [...m.log.events()];
  if (print) console.log(show(events));
  const broken: string[] = [];
  if (ending !== 'run_end') broken.push(ending + ':' + (m.events('oops')[0]?.reason ?? ''));
  for (const j of judgeEvents(events))
    if (j.verdict.status === 'broken') {
      broken.push(j.guarantee.name);
      if (process.env['WHY']) console.log(seed, j.guarantee.name, j.verdict.why);
    }
  return { broken, steps: m.machine.step, events: events.length };
}

test('scratch', { timeout: 600000 }, () => {
  const N = Number(process.env['N'] ?? 100);
  const only = process.env['ONLY'];
  for (const id of ['', ...VARIANTS.keys()]) {
    if (only !== undefined && id !== only) continue;
    const t = performance.now();
    const counts = new Map<string, number>();
    let steps = 0;
    for (let s = 1; s <= N; s++) {
      let r;
      try {
        r = run(id === '' ? [] : [id], s, process.env['PRINT'] === String(s));
      } catch (e) {
        counts.set('THROW ' + String(e).slice(0, 100), s);
        continue;
      }
      steps += r.steps;
      for (const b of r.broken) counts.set(b, (counts.get(b) ?? 0) + 1);
    }
    console.log(
      id || 'none',
      'steps',
      Math.round(steps / N),
      'ms',
      Math.round(performance.now() - t),
      JSON.stringify([...counts]),
    );
  }
});
