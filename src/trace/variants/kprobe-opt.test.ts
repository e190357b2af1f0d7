// What each variant of jump-optimised kprobes breaks in a small kernel under searched schedules, in which the unchanged
// code breaks nothing. Every search takes 500 seeds.
import { expect, test } from 'vitest';
import { REGION, smallOptprobes, type SmallOptprobes } from '../../../properties/small-optprobe.ts';
import { CHOICE, type ChoiceKind, type ChoicePoint, type Chooser } from '../../emu/choose.ts';
import { sleepUntil, writeOnce } from '../../emu/path.ts';
import type { ScriptOp } from '../../emu/script.ts';
import { sleepFor } from '../../emu/timer.ts';
import { Random } from '../../replay/explore/random.ts';
import { OPTIMIZE_DELAY_US } from '../kprobe-optimizer.ts';

const SEEDS = Array.from({ length: 500 }, (_, i) => i + 1);

/** Runs a schedule; what is wrong with the run, nothing when it is sound. */
type Search = (variants: readonly string[], seed: number) => readonly string[];

/** Others come in between wherever it looks at shared data. */
const long = (times: number): readonly ScriptOp[] => [
  { op: 'loop', times, body: [{ op: 'load', symbol: 'sum', offset: 0 }] },
];

const ANY: ReadonlySet<ChoiceKind> = new Set([CHOICE.schedule, CHOICE.fetch, CHOICE.wait]);

/** CPUs, fetches and ends of waits at random; `preempts` says when a task gives way on CPU 1. */
function searching(
  seed: number,
  preempts: (random: Random, point: ChoicePoint) => boolean,
): Chooser {
  const random = new Random(seed);
  return {
    choose: (point, count) => {
      if (ANY.has(point.kind)) return random.below(count);
      if (point.kind !== CHOICE.preempt || point.cpu !== 1) return 0;
      return preempts(random, point) ? count - 1 : 0;
    },
  };
}

/** What is wrong at the end, when `calls` calls of `a1` were made. */
function wrongs(m: SmallOptprobes, calls: number): readonly string[] {
  const ending = m.machine.run();
  const oopses = m.events('oops').map(({ reason }) => reason);
  const freed = m
    .events('alloc')
    .flatMap(({ object, generation, index }) =>
      m
        .events('free')
        .filter((e) => e.object === object && e.generation === generation && e.index > index),
    );
  const touched = freed.filter((free) =>
    m
      .events('touch')
      .some(
        (e) => e.object === free.object && e.generation === free.generation && e.index > free.index,
      ),
  );
  return [
    ...oopses,
    ...(touched.length > 0 ? ['use after free'] : []),
    ...(oopses.length === 0 && ending !== 'run_end' ? [ending] : []),
    ...(oopses.length === 0 && ending === 'run_end' && m.sum() !== 2 * calls ? ['sum'] : []),
  ];
}

/** A task on CPU 1 gives way once, somewhere in a call, to one that keeps the CPU until the optimiser is done. */
const parkedBefore: Search = (variants, seed) => {
  let asked = 0;
  const at = seed % 25;
  const m = smallOptprobes({
    variants,
    functions: { busy: long(150) },
    chooser: searching(seed, () => asked++ === at),
  });
  m.task('caller', 1, 'a1', 6);
  m.task('busy', 1, 'busy');
  m.thread('control', 0, function* (cx) {
    yield* m.do(cx, 'register_kprobe', m.probe());
    yield* m.k.fn.waitForKprobeOptimizer(cx, m.k);
  });
  return wrongs(m, 6);
};

/** Tasks that sleep between calls hit the probe while the optimiser works, and give way to each other. */
const parkedBehind: Search = (variants, seed) => {
  const m: SmallOptprobes = smallOptprobes({
    variants,
    functions: { busy: long(30) },
    chooser: searching(seed, (random) => isHitting(m) && random.below(6) === 0),
  });
  for (const func of ['a1', 'busy']) {
    m.thread(func, 1, function* (cx) {
      for (let i = 0; i < 12; i++) {
        yield* m.call(cx, func);
        yield* sleepFor(cx, 15);
      }
    });
  }
  m.thread('control', 0, function* (cx) {
    yield* m.do(cx, 'register_kprobe', m.probe());
    yield* m.k.fn.waitForKprobeOptimizer(cx, m.k);
  });
  return wrongs(m, 12);
};

/** The optimiser is at work, and CPU 1 runs the task that hits the probe. */
function isHitting({ machine, k: { kprobes } }: SmallOptprobes): boolean {
  const optimizer = kprobes?.optimizer;
  const isAtWork =
    optimizer !== undefined && optimizer.kicks > 0 && optimizer.work.value === 'none';
  return isAtWork && machine.cpus[1]?.current.name === 'a1';
}

/** A task calls the function while its probe goes. */
const leaving: Search = (variants, seed) => {
  const m = smallOptprobes({
    variants,
    functions: { busy: long(3) },
    chooser: searching(seed, (random) => random.below(8) === 0),
  });
  m.thread('caller', 1, function* (cx) {
    yield* sleepFor(cx, OPTIMIZE_DELAY_US + 500);
    for (let i = 0; i < 10; i++) yield* m.call(cx, 'a1');
  });
  m.thread('busy', 1, function* (cx) {
    yield* sleepFor(cx, OPTIMIZE_DELAY_US + 500);
    yield* m.call(cx, 'busy');
  });
  m.thread('control', 0, function* (cx) {
    const p = m.probe();
    yield* m.do(cx, 'register_kprobe', p);
    yield* m.delay(cx);
    yield* m.do(cx, 'unregister_kprobe', p);
  });
  return wrongs(m, 10);
};

/** Probes come and go at one address and in its region, each before the optimiser is done with the last. */
const crowded: Search = (variants, seed) => {
  const m = smallOptprobes({ variants, chooser: searching(seed, () => false) });
  const [p, q, r, s, t] = [
    m.probe(),
    m.probe({ offset: REGION + 2 }),
    m.probe({ postHandler: m.fn('post').address }),
    m.probe(),
    m.probe(),
  ];
  const found: string[] = [];
  m.task('caller', 1, 'a1', 4);
  m.thread('control', 0, function* (cx) {
    for (const one of [p, q]) yield* m.do(cx, 'register_kprobe', one);
    yield* m.k.fn.waitForKprobeOptimizer(cx, m.k);
    yield* m.call(cx, 'a1');
    if (!m.told().includes(`kprobe_pre ${q.object}`)) found.push('no hit');
    yield* m.do(cx, 'unregister_kprobe', q);
    for (const op of ['disable_kprobe', 'enable_kprobe'] as const) yield* m.do(cx, op, p);
    yield* m.k.fn.waitForKprobeOptimizer(cx, m.k);
    yield* m.do(cx, 'disable_kprobe', p);
    yield* m.do(cx, 'register_kprobe', r);
    yield* m.call(cx, 'a1');
    if (!m.told().includes(`kprobe_post ${r.object}`)) found.push('no post_handler');
    for (const one of [r, p]) yield* m.do(cx, 'unregister_kprobe', one);
    const first = yield* m.do(cx, 'register_kprobe', s);
    yield* m.k.fn.waitForKprobeOptimizer(cx, m.k);
    yield* m.do(cx, 'unregister_kprobe', s);
    if (first + (yield* m.do(cx, 'register_kprobe', t)) !== 0) found.push('refused');
  });
  return [...wrongs(m, 6), ...found];
};

/** A task gives way in the detour, whose probe is put back by force and goes. */
function forced(detourTasksWait: boolean, seed: number): readonly string[] {
  const m: SmallOptprobes = smallOptprobes({
    kprobe: { detourTasksWait },
    functions: { busy: long(80) },
    chooser: searching(
      seed,
      (random) => m.machine.cpus[1]?.current.name === 'caller' && random.below(12) === 0,
    ),
  });
  const isJump = m.machine.cells.cell('jump', 0);
  for (const [name, func] of [
    ['caller', 'a1'],
    ['busy', 'busy'],
  ] as const) {
    m.thread(name, 1, function* (cx) {
      yield* sleepUntil(isJump, (is) => is === 1);
      yield* m.call(cx, func);
    });
  }
  m.thread('control', 0, function* (cx) {
    const [p, q] = [m.probe(), m.probe({ postHandler: m.fn('post').address })];
    yield* m.do(cx, 'register_kprobe', p);
    yield* m.k.fn.waitForKprobeOptimizer(cx, m.k);
    yield* writeOnce(isJump, 1);
    yield* m.do(cx, 'register_kprobe', q);
    yield* m.do(cx, 'unregister_kprobes', q, p);
  });
  return wrongs(m, 1);
}

test.each([
  ['M-77, H-32, CC-G19', ['M-77', 'H-32'], 'torn instruction', parkedBefore],
  ['M-78, CC-G19', ['M-78'], 'torn instruction', parkedBehind],
  ['M-79, CC-G5', ['M-79'], 'poison', leaving],
  ['H-17', ['H-17'], 'deadlock', parkedBefore],
  ['H-16, KP-61', ['H-16'], 'no post_handler', crowded],
  ['H-18, KP-60', ['H-18'], 'no hit', crowded],
  ['H-49, KP-36', ['H-49'], 'refused', crowded],
] as const)('%s: found by search', (_name, ids, wrong, search) => {
  for (const id of ids) {
    expect(SEEDS.some((seed) => search([id], seed).includes(wrong))).toBe(true);
  }
});

test.each([
  ['parked before', parkedBefore],
  ['parked behind', parkedBehind],
  ['leaving', leaving],
  ['crowded', crowded],
] as const)(
  'E-9, CC-G19: nothing is wrong without a variant, nor with E-9 (%s)',
  (_name, search) => {
    for (const variants of [[], ['E-9']]) {
      expect(SEEDS.filter((seed) => search(variants, seed).length > 0)).toEqual([]);
    }
  },
);

test('CC-N2: who is parked in a detour is not waited for when it is freed, unless detourTasksWait asks for it', () => {
  expect(SEEDS.some((seed) => forced(false, seed).includes('use after free'))).toBe(true);
  expect(SEEDS.filter((seed) => forced(true, seed).length > 0)).toEqual([]);
});
