// Guarantee `unregister` of fprobes on rethook (FP-6, CC-G7), searched at random: no schedule has a handler run, or begin,
// once unregister_fprobe has returned, and none has the kernel use what is gone.
import { expect, test } from 'vitest';
import { smallFprobes, type SmallFprobes } from '../../properties/small-fprobe.ts';
import type { ScriptOp } from '../emu/script.ts';
import { sleepFor } from '../emu/timer.ts';
import { randomChooser } from '../replay/explore/random.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];

/** f sleeps in its body; exit handlers take longer than what unregister does behind its waits. */
const FUNCTIONS: Readonly<Record<string, readonly ScriptOp[]>> = {
  f: [
    { op: 'call', target: 'g' },
    { op: 'sleep', us: 40 },
  ],
  g: WORK,
  '-help': WORK,
};
const HANDLERS: Readonly<Record<string, readonly ScriptOp[]>> = {
  entry: [
    { op: 'call', target: 'help' },
    { op: 'return', value: 0 },
  ],
  exit: [{ op: 'loop', times: 12, body: [{ op: 'call', target: 'help' }] }],
};

/** Calls on both CPUs; the fprobe comes and goes twice among them. */
function lifeOf(seed: number, variants: readonly string[]): SmallFprobes {
  const m = smallFprobes({
    variants,
    functions: FUNCTIONS,
    callbacks: HANDLERS,
    chooser: randomChooser({ seed, schedule: [1, 3], inject: [0, 1] }),
  });
  const all = ['A', 'B'].map((name) => m.fprobe(name));
  for (const cpu of [0, 1]) {
    m.thread(`caller${cpu}`, cpu, function* (cx) {
      for (let i = 0; i < 12; i++) {
        yield* m.call(cx, 'f');
        yield* m.call(cx, 'g');
      }
    });
  }
  m.thread('control', 0, function* (cx) {
    for (const fp of all) {
      yield* m.register(cx, fp, '*');
      yield* sleepFor(cx, 300);
      yield* m.unregister(cx, fp);
      yield* sleepFor(cx, 100);
    }
  });
  m.machine.run();
  return m;
}

/** What is wrong with a run: a handler of who is gone, or how it ended. */
function wrongIn(m: SmallFprobes): string {
  const gone = new Set<number>();
  const open = new Map<number, number>();
  for (const e of m.log.events()) {
    if (e.event === 'oops') return `oops: ${e.reason}`;
    if (e.event === 'ctl_end' && e.op === 'unregister_fprobe' && e.result === 0) {
      if ((open.get(e.object) ?? 0) > 0) return 'a handler runs';
      gone.add(e.object);
    }
    if (e.event === 'cb_begin') {
      if (gone.has(e.object)) return 'a handler begins';
      open.set(e.object, (open.get(e.object) ?? 0) + 1);
    }
    if (e.event === 'cb_end') open.set(e.object, (open.get(e.object) ?? 0) - 1);
  }
  return '';
}

const SEEDS = Array.from({ length: 20 }, (_, i) => i + 1);

test('CC-G7, FP-5, FP-6, FP-41: handlers run before register returns, and none once unregister has', () => {
  let early = 0;
  let late = 0;
  for (const seed of SEEDS) {
    const m = lifeOf(seed, []);
    expect([seed, wrongIn(m)]).toEqual([seed, '']);
    const [registered] = m.events('ctl_end');
    if (m.events('cb_begin').some(({ index }) => index < (registered?.index ?? 0))) early++;
    if (m.events('skip').some(({ reason }) => reason === 'removed')) late++;
    const states = m.events('fprobe_state').map(({ free, nodes }) => free + nodes);
    expect(states).toEqual([0, 0]);
  }
  expect([early > 0, late > SEEDS.length / 5]).toEqual([true, true]);
});

test.each(['M-35', 'M-36'])('CC-G7: %s is found', (variant) => {
  const found = SEEDS.map((seed) => wrongIn(lifeOf(seed, [variant]))).filter(
    (wrong) => wrong !== '',
  );
  expect(found.length).toBeGreaterThan(0);
});

test('E-7 is not found (CC-G7)', () => {
  expect(SEEDS.filter((seed) => wrongIn(lifeOf(seed, ['E-7'])) !== '')).toEqual([]);
});
