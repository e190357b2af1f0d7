// Returns that are taken: who is called back, in which order, and what becomes of nodes whose call does not return, or
// returns when nobody wants to know any more.
import { expect, test } from 'vitest';
import { smallFprobes, type SmallFprobes } from '../../properties/small-fprobe.ts';
import { known } from '../assert.ts';
import { type Context, LEVEL } from '../emu/context.ts';
import type { Path } from '../emu/path.ts';
import { encode } from '../emu/riscv/encode.ts';
import type { ScriptOp } from '../emu/script.ts';
import { sleepFor } from '../emu/timer.ts';
import { randomChooser } from '../replay/explore/random.ts';
import type { Fprobe } from './fprobe.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];
const NAP: readonly ScriptOp[] = [{ op: 'sleep', us: 2000 }];

/** Free nodes of the pool, and all. */
function poolOf(m: SmallFprobes, fp: Fprobe): string {
  const { free, nodes } = m.k.fn.fprobeState(m.k, fp);
  return `${free} of ${nodes}`;
}

/** Puts a jump to `target` in place of the return of function `name`. */
function tailCall(m: SmallFprobes, name: string, target: string): void {
  const { address, size } = m.fn(name);
  const at = address + size - 4;
  expect(m.machine.text.word(at)).toBe(0x8067);
  const word = encode('jal', { rd: 0, imm: m.fn(target).address - at });
  m.machine.text.writeCode(at, [word & 0xffff, word >>> 16]);
}

test('FP-8, FP-35: several fprobes on one function: the last one registered is first in, and last out', () => {
  const m = smallFprobes({ functions: { f: WORK } });
  const all = ['A', 'B', 'C'].map((name) => m.fprobe(name));
  m.control(function* (cx) {
    for (const fp of all) yield* m.register(cx, fp, 'f');
    yield* m.call(cx, 'f');
  });
  const entries = ['C.entry f', 'B.entry f', 'A.entry f'];
  expect(m.story()).toEqual([...entries, 'A.exit f', 'B.exit f', 'C.exit f', 'f returns']);
});

test('FP-1, FP-35: where sites are two instructions all is the same, and regs->ip is behind both', () => {
  const m = smallFprobes({ functions: { f: WORK }, patching: 'stopMachine' });
  const all = ['A', 'B'].map((name) => m.fprobe(name));
  m.control(function* (cx) {
    for (const fp of all) yield* m.register(cx, fp, 'f');
    yield* m.call(cx, 'f');
    for (const fp of all) yield* m.unregister(cx, fp);
  });
  const handlers = ['B.entry f', 'A.entry f', 'A.exit f', 'B.exit f'];
  expect(m.story()).toEqual([...handlers, 'f returns']);
  const { site } = m.fn('f');
  const [entry, , exit] = m.events('fprobe_data').map(({ regs_ip: ip }) => ip);
  expect(entry).toBe(site + 8);
  expect(exit).toBe(m.events('func_enter').find(({ func }) => func === m.fn('f').address)?.ra);
});

test('FP-7, FP-35: one that refuses drops out of the exits only', () => {
  const refuse: readonly ScriptOp[] = [{ op: 'return', value: -1 }];
  const m = smallFprobes({ functions: { f: WORK }, callbacks: { refuse } });
  const [a, b, c] = [m.fprobe('A'), m.fprobe('B', { entry: 'refuse' }), m.fprobe('C')];
  m.control(function* (cx) {
    for (const fp of [a, b, c]) yield* m.register(cx, fp, 'f');
    yield* m.call(cx, 'f');
  });
  expect(m.story()).toEqual([
    'C.entry f',
    'B.entry f',
    'B skips f: rejected',
    'A.entry f',
    'A.exit f',
    'C.exit f',
    'f returns',
  ]);
  expect([a, b, c].map((fp) => poolOf(m, fp))).toEqual(['4 of 4', '4 of 4', '4 of 4']);
  expect(m.events('count')).toEqual([]);
});

test('FP-1, FP-31.1, FP-35: a tail call: both have their exits at the one return, with the real address', () => {
  const m = smallFprobes({ functions: { main: [{ op: 'call', target: 'f' }], f: WORK, g: WORK } });
  tailCall(m, 'f', 'g');
  const [a, b] = [m.fprobe('A'), m.fprobe('B')];
  m.control(function* (cx) {
    yield* m.register(cx, a, '[fg]');
    yield* m.register(cx, b, 'g');
    yield* m.call(cx, 'main');
  });
  const exits = ['A.exit g', 'B.exit g', 'A.exit f'];
  const entries = ['A.entry f', 'B.entry g', 'A.entry g'];
  expect(m.story()).toEqual([...entries, ...exits, 'g returns', 'f returns', 'main returns']);
  const main = m.fn('main');
  for (const { parent_ip: at } of m.events('cb_begin')) {
    expect(at > main.address && at < main.address + main.size).toBe(true);
  }
});

test('FP-31.4: what a function is called from finds ra, sp and the other registers as without a probe', () => {
  const calls: readonly ScriptOp[] = [
    { op: 'call', target: 'f' },
    { op: 'call', target: 'g' },
  ];
  const registersAtReturns = (probed: boolean): readonly string[] => {
    const m = smallFprobes({
      functions: { main: calls, f: [{ op: 'return', value: 7 }], g: WORK },
    });
    const fp = m.fprobe('A', { entryDataSize: 8 });
    const seen: string[] = [];
    m.machine.watch(m.fn('f').address, {
      enter: () => {
        // Only the return is of interest.
      },
      leave: ({ cpu: { hart } }) => {
        // The site takes t0, and where registers are saved nobody else is at home.
        const kept = [...hart.lo].slice(0, 32).filter((_, number) => number !== 5);
        seen.push(kept.join(' '));
      },
    });
    m.control(function* (cx) {
      if (probed) yield* m.register(cx, fp, '[fg]');
      yield* m.call(cx, 'main');
    });
    expect(seen).toHaveLength(1);
    return seen;
  };
  expect(registersAtReturns(true)).toEqual(registersAtReturns(false));
});

test('FP-36, CC-H18.1-2: a task that ends in a probed function: its nodes go back, and no exit handler runs', () => {
  const dies: readonly ScriptOp[] = [{ op: 'call', target: 'do_exit' }];
  const m = smallFprobes({ functions: { f: [{ op: 'call', target: 'g' }], g: dies } });
  const fp = m.fprobe('A', { nrMaxactive: 2 });
  m.thread('dies', 1, function* (cx) {
    yield* sleepFor(cx, 1000);
    yield* m.call(cx, 'f');
  });
  m.control(function* (cx) {
    yield* m.register(cx, fp, '*');
  });
  expect(m.story('unhook')).toEqual([
    'A.entry f',
    'A.entry g',
    'g abandoned',
    'f abandoned',
    'unhook A g',
    'unhook A f',
  ]);
  expect(m.events('unhook').map(({ why, level }) => [why, level])).toEqual([
    ['flush', LEVEL.softirq],
    ['flush', LEVEL.softirq],
  ]);
  const [queued] = m.events('call_rcu');
  expect(known(queued, 'the flush is behind a grace period').index).toBeLessThan(
    known(m.events('unhook')[0], 'a node was flushed').index,
  );
  expect(poolOf(m, fp)).toBe('2 of 2');
});

/** A task on CPU 1 that calls f so many times; when it is asleep in the first call, `path` goes on with fp registered. */
function whileAsleep(
  { m, fp, calls }: { readonly m: SmallFprobes; readonly fp: Fprobe; readonly calls: number },
  path: (cx: Context) => Path<void>,
): void {
  m.thread('sleeper', 1, function* (cx) {
    yield* sleepFor(cx, 500);
    for (let i = 0; i < calls; i++) yield* m.call(cx, 'f');
  });
  m.control(function* (cx) {
    yield* m.register(cx, fp, 'f');
    yield* sleepFor(cx, 1000);
    yield* path(cx);
  });
}

test('FP-6, FP-41, FP-42, FP-78, CC-S16: unregister does not wait for a call that sleeps; its exit never runs, its node goes last', () => {
  const m = smallFprobes({ functions: { f: NAP } });
  const fp = m.fprobe('A', { nrMaxactive: 3 });
  whileAsleep({ m, fp, calls: 1 }, function* (cx) {
    expect(poolOf(m, fp)).toBe('2 of 3');
    expect(yield* m.unregister(cx, fp)).toBe(0);
    expect(poolOf(m, fp)).toBe('0 of 1');
  });
  expect(m.story()).toEqual(['A.entry f', 'A skips f: removed', 'f returns']);
  const [over] = m.events('ctl_end').slice(-1);
  const [gone] = m.events('unhook');
  const nodes = m.events('alloc').filter(({ kind }) => kind.startsWith('rethook'));
  const freed = m.events('free').filter(({ object }) => nodes.some((o) => o.object === object));
  expect(freed).toHaveLength(2);
  expect(known(over, 'unregister returned').index).toBeLessThan(
    known(gone, 'the call returned').index,
  );
  for (const { index } of freed) {
    expect(index).toBeGreaterThan(known(gone, 'the call returned').index);
  }
  expect(m.events('count')).toEqual([]);
});

test('FP-43: a call entered under an earlier registration of the same struct has no exit', () => {
  const m = smallFprobes({ functions: { f: NAP } });
  const fp = m.fprobe('A');
  whileAsleep({ m, fp, calls: 2 }, function* (cx) {
    yield* m.unregister(cx, fp);
    // What a user has to do before he registers it again (FP-21).
    for (let at = fp.address; at < fp.address + 64; at++) m.machine.memory.store8(at, 0);
    expect(yield* m.register(cx, fp, 'f')).toBe(0);
  });
  const first = ['A.entry f', 'A skips f: removed', 'f returns'];
  expect(m.story()).toEqual([...first, 'A.entry f', 'A.exit f', 'f returns']);
  expect(m.events('cb_begin').map(({ generation }) => generation)).toEqual([1, 2, 2]);
});

test('CC-H12, FP-8, CC-G9: interrupts and NMIs take and give back nodes of their own wherever they come', () => {
  let inside = 0;
  for (let seed = 1; seed <= 8; seed++) {
    const m = smallFprobes({
      functions: { f: [{ op: 'call', target: 'g' }], g: WORK, tick: [{ op: 'call', target: 'g' }] },
      chooser: randomChooser({ seed, schedule: [1, 4], inject: [1, 25] }),
    });
    const [a, b] = [m.fprobe('A', { entryDataSize: 8 }), m.fprobe('B')];
    for (const [name, level] of [
      ['irq', LEVEL.hardirq],
      ['nmi', LEVEL.nmi],
    ] as const) {
      m.machine.injector.add({ name, level, handler: m.fn('tick').address, cpu: 0, left: 100 });
    }
    m.task('other', 1, 'f', 5);
    m.control(function* (cx) {
      yield* m.register(cx, a, '*');
      yield* m.register(cx, b, 'g');
      for (let i = 0; i < 3; i++) yield* m.call(cx, 'f');
    });
    // Exits are those of entries, the last one first, in each context of each CPU.
    const open: string[] = [];
    for (const e of m.log.events()) {
      const mine = `${'object' in e ? e.object : 0} ${'ip' in e ? e.ip : 0} cpu ${e.cpu} pid ${e.pid}`;
      if (e.event === 'hook') open.push(mine);
      else if (e.event === 'cb_begin' && e.kind === 'fprobe_exit') {
        const own = open.filter((line) => line.endsWith(`cpu ${e.cpu} pid ${e.pid}`));
        expect(own.includes(mine)).toBe(true);
        if (e.level > LEVEL.task && own.length > 3) inside++;
      } else if (e.event === 'unhook') {
        open.splice(open.lastIndexOf(mine), 1);
      }
    }
    expect(open).toEqual([]);
    expect([poolOf(m, a), poolOf(m, b)]).toEqual(['12 of 12', '4 of 4']);
  }
  expect(inside).toBeGreaterThan(0);
});
