// Jump-optimised probes: when a breakpoint becomes a jump, what a hit runs, and how it ends. Who is eligible is in
// `kprobe-region.test.ts`.
import { expect, test } from 'vitest';
import { REGION, type SmallOptprobes, smallOptprobes } from '../../properties/small-optprobe.ts';
import type { Context } from '../emu/context.ts';
import type { Path } from '../emu/path.ts';
import { REG } from '../emu/regs.ts';
import { Assembler } from '../emu/riscv/assembler.ts';
import { sleepFor } from '../emu/timer.ts';
import { PT_REGS_IP } from './ftrace-regs.ts';
import { kprobesOptimization } from './kprobe-operation.ts';
import { KPROBE_FLAG_OPTIMIZED } from './kprobe-struct.ts';

/** Runs `path`, and says what hits did and what is left of the text. */
function ran(m: SmallOptprobes, path: (cx: Context) => Path<unknown>): readonly string[] {
  m.control(path);
  return [...m.told(), m.holds(), `sum ${m.sum()}`];
}

/** Probes of which memory is not given back. */
function live(m: SmallOptprobes): number {
  const of = (kind: string): number => m.events('alloc').filter((e) => e.kind === kind).length;
  return of('kprobe_aggr') - m.events('free').length + of('kprobe_insn_slot');
}

test('KP-61, KP-41.1, CC-S10.5, CC-S13.0, CC-S13.3, CC-H9.1-7: a breakpoint first, 5 jiffies later a jump, whose hits need no trap', () => {
  const m = smallOptprobes();
  const p = m.probe();
  const seen: string[] = [];
  const story = ran(m, function* (cx) {
    yield* m.do(cx, 'register_kprobe', p);
    seen.push(m.holds());
    yield* m.call(cx, 'a1');
    yield* m.delay(cx);
    seen.push(m.holds());
    yield* m.call(cx, 'a1');
  });
  expect(seen).toEqual(['break', 'jump']);
  expect(story).toEqual(['kprobe_pre 1', 'step detour', 'kprobe_pre 1', 'jump', 'sum 4']);
  expect(m.events('trap_enter').length).toBe(1);
});

test('CC-S13.2: the optimiser holds both mutexes over its wait', () => {
  const m = smallOptprobes();
  m.control(function* (cx) {
    yield* m.do(cx, 'register_kprobe', m.probe());
  });
  const begun = m.events('wait_begin').find(({ kind }) => kind === 'synchronize_rcu_tasks');
  const held = (name: string): boolean => {
    const before = (e: { readonly name: string; readonly index: number }): boolean =>
      e.name === name && e.index < (begun?.index ?? 0);
    return m.events('lock').filter(before).length > m.events('unlock').filter(before).length;
  };
  expect(begun).toBeDefined();
  expect([held('kprobe_mutex'), held('text_mutex')]).toEqual([true, true]);
});

test('KP-63: nothing becomes a jump unless it is asked for', () => {
  const m = smallOptprobes({ kprobe: { optprobes: false } });
  const story = ran(m, function* (cx) {
    yield* m.do(cx, 'register_kprobe', m.probe());
    yield* m.delay(cx);
    yield* m.call(cx, 'a1');
  });
  expect(story).toEqual(['kprobe_pre 1', 'step slot', 'break', 'sum 2']);
});

test('KP-63: the sysctl puts every jump back, and lets them come again', () => {
  const m = smallOptprobes();
  const seen: (string | number)[] = [];
  m.control(function* (cx) {
    yield* m.do(cx, 'register_kprobe', m.probe());
    yield* m.delay(cx);
    for (const text of ['0', '0', '1', '2']) {
      seen.push(yield* kprobesOptimization(cx, m.k, text), m.holds());
    }
    yield* m.delay(cx);
    seen.push(m.holds());
  });
  expect(seen).toEqual([0, 'break', 0, 'break', 0, 'break', -22, 'break', 'jump']);
});

test('KP-62: every sibling that is enabled runs, whatever the others return or make of ip', () => {
  const m = smallOptprobes({ callbacks: { pre: [], one: [{ op: 'work', count: 4 }] } });
  const text = new Assembler(m.fn('one').address);
  text.emit('sd', { rs1: REG.a1, rs2: REG.zero, imm: PT_REGS_IP });
  text.emit('addi', { rd: REG.a0, rs1: REG.zero, imm: 1 });
  text.plain('ret');
  m.machine.text.writeCode(text.base, text.halves());
  const [p, q, r] = [m.probe(), m.probe(), m.probe({ preHandler: m.fn('one').address })];
  const story = ran(m, function* (cx) {
    for (const one of [p, q, r]) yield* m.do(cx, 'register_kprobe', one);
    yield* m.do(cx, 'disable_kprobe', q);
    yield* m.delay(cx);
    yield* m.call(cx, 'a1');
  });
  expect(story).toEqual(['kprobe_pre 3', 'skip 2 disabled', 'kprobe_pre 1', 'jump', 'sum 2']);
});

test('KP-62: registers are as handlers leave them, and those that they clobber are restored', () => {
  const m = smallOptprobes({ callbacks: { pre: [], one: [{ op: 'work', count: 8 }] } });
  const text = new Assembler(m.fn('one').address);
  const a5 = 15;
  text.emit('ld', { rd: REG.t0, rs1: REG.a1, imm: 8 * 5 });
  text.emit('addi', { rd: REG.t0, rs1: REG.t0, imm: 10 });
  text.emit('sd', { rs1: REG.a1, rs2: REG.t0, imm: 8 * 5 });
  text.emit('addi', { rd: a5, rs1: REG.zero, imm: 99 });
  text.plain('ret');
  m.machine.text.writeCode(text.base, text.halves());
  const story = ran(m, function* (cx) {
    yield* m.do(cx, 'register_kprobe', m.probe({ preHandler: m.fn('one').address }));
    yield* m.delay(cx);
    yield* m.call(cx, 'a1');
  });
  expect(story.at(-1)).toBe('sum 12');
});

test('KP-62, CC-H9.4: a hit while a kprobe runs counts for every sibling, and runs none', () => {
  const m = smallOptprobes({
    functions: { b1: [{ op: 'work', count: 4 }] },
    callbacks: { pre: [], calls: [{ op: 'call', target: 'a1' }] },
  });
  const outer = m.probe({ symbol: 'b1', offset: 8, preHandler: m.fn('calls').address });
  const [p, q] = [m.probe(), m.probe()];
  const story = ran(m, function* (cx) {
    for (const one of [outer, p, q]) yield* m.do(cx, 'register_kprobe', one);
    yield* m.delay(cx);
    yield* m.call(cx, 'b1');
  });
  const missed = ['skip 3 kprobe_running', 'count 3 1', 'skip 2 kprobe_running', 'count 2 1'];
  expect(story).toEqual(['kprobe_pre 1', ...missed, 'jump', 'sum 2']);
  expect(m.events('trap_enter').length).toBe(0);
});

test('KP-61: a post_handler ends it at once, and for as long as it is there', () => {
  const m = smallOptprobes();
  const [p, q] = [m.probe(), m.probe({ postHandler: m.fn('post').address })];
  const seen: string[] = [];
  const story = ran(m, function* (cx) {
    yield* m.do(cx, 'register_kprobe', p);
    yield* m.delay(cx);
    yield* m.do(cx, 'register_kprobe', q);
    seen.push(m.holds());
    yield* m.call(cx, 'a1');
    yield* m.delay(cx);
    seen.push(m.holds());
    yield* m.do(cx, 'unregister_kprobe', q);
    yield* m.delay(cx);
    yield* m.call(cx, 'a1');
  });
  expect(seen).toEqual(['break', 'break']);
  const stepped = ['kprobe_pre 2', 'kprobe_pre 1', 'step slot', 'kprobe_post 2'];
  expect(story).toEqual([...stepped, 'kprobe_pre 1', 'jump', 'sum 4']);
});

test.each([0, 6000])('KP-60, KP-61, H-18: a probe that comes into the region %i us later', (us) => {
  const m = smallOptprobes();
  const [p, q] = [m.probe(), m.probe({ offset: REGION + 2 })];
  const seen: string[] = [];
  const story = ran(m, function* (cx) {
    yield* m.do(cx, 'register_kprobe', p);
    yield* sleepFor(cx, us);
    yield* m.do(cx, 'register_kprobe', q);
    yield* m.delay(cx);
    seen.push(m.holds(), m.holds(REGION + 2));
    yield* m.call(cx, 'a1');
    yield* m.do(cx, 'unregister_kprobe', q);
    yield* m.delay(cx);
    yield* m.call(cx, 'a1');
  });
  expect(seen).toEqual(['break', 'break']);
  const stepped = ['kprobe_pre 1', 'step slot', 'kprobe_pre 2', 'step slot'];
  // As in the kernel, q is not disabled yet when p is asked whether it may be a jump again.
  expect(story).toEqual([...stepped, 'kprobe_pre 1', 'step slot', 'break', 'sum 4']);
});

test('CC-S11.3, CC-S13.1, CC-S13.4, KP-36: an unregistered one stays a jump without probes until the optimiser has put it back', () => {
  const m = smallOptprobes();
  const p = m.probe();
  const seen: (string | boolean)[] = [];
  const story = ran(m, function* (cx) {
    yield* m.do(cx, 'register_kprobe', p);
    yield* m.delay(cx);
    yield* m.do(cx, 'unregister_kprobe', p);
    seen.push(m.holds(), m.node() === undefined);
    yield* m.call(cx, 'a1');
    yield* m.delay(cx);
    seen.push(m.holds(), m.node() === undefined);
    yield* m.call(cx, 'a1');
  });
  expect(seen).toEqual(['jump', false, 'insn', true]);
  expect(story).toEqual(['insn', 'sum 4']);
  expect(live(m)).toBe(0);
});

test('CC-S13, H-16: a probe that goes before it became a jump is only dequeued', () => {
  const m = smallOptprobes();
  const p = m.probe();
  const story = ran(m, function* (cx) {
    yield* m.do(cx, 'register_kprobe', p);
    yield* m.do(cx, 'unregister_kprobe', p);
    yield* m.delay(cx);
    yield* m.call(cx, 'a1');
  });
  expect(story).toEqual(['insn', 'sum 2']);
  expect(live(m)).toBe(0);
});

test('KP-36, H-49: one that has lost its last probe is revived by the next, before the optimiser comes', () => {
  const m = smallOptprobes();
  const [p, q] = [m.probe(), m.probe()];
  const results: number[] = [];
  const story = ran(m, function* (cx) {
    yield* m.do(cx, 'register_kprobe', p);
    yield* m.delay(cx);
    yield* m.do(cx, 'unregister_kprobe', p);
    results.push(yield* m.do(cx, 'register_kprobe', q));
    yield* m.call(cx, 'a1');
    yield* m.delay(cx);
    yield* m.call(cx, 'a1');
  });
  expect(results).toEqual([0]);
  expect(story).toEqual(['kprobe_pre 2', 'kprobe_pre 2', 'jump', 'sum 4']);
});

test('CC-S13, H-16: one that is disabled and enabled within the delay hits as before', () => {
  const m = smallOptprobes();
  const p = m.probe();
  const story = ran(m, function* (cx) {
    yield* m.do(cx, 'register_kprobe', p);
    yield* m.delay(cx);
    yield* m.do(cx, 'disable_kprobe', p);
    yield* m.call(cx, 'a1');
    yield* m.do(cx, 'enable_kprobe', p);
    yield* m.delay(cx);
    yield* m.call(cx, 'a1');
    yield* m.do(cx, 'unregister_kprobe', p);
    yield* m.delay(cx);
    yield* m.call(cx, 'a1');
  });
  // As in the kernel, arming again puts a breakpoint over the jump, which nobody replaces.
  expect(story).toEqual(['kprobe_pre 1', 'step detour', 'insn', 'sum 6']);
  expect(live(m)).toBe(0);
});

test('H-16: a post_handler that comes while a jump waits to be put back is called', () => {
  const m = smallOptprobes();
  const [p, q] = [m.probe(), m.probe({ postHandler: m.fn('post').address })];
  const story = ran(m, function* (cx) {
    yield* m.do(cx, 'register_kprobe', p);
    yield* m.delay(cx);
    yield* m.do(cx, 'disable_kprobe', p);
    yield* m.do(cx, 'register_kprobe', q);
    yield* m.call(cx, 'a1');
    yield* m.delay(cx);
    yield* m.call(cx, 'a1');
  });
  const hit = ['kprobe_pre 2', 'skip 1 disabled', 'step slot', 'kprobe_post 2'];
  expect(story).toEqual([...hit, ...hit, 'break', 'sum 4']);
});

test('KP-26: the global switch puts jumps back at once, and waits for those that are on their way', () => {
  const m = smallOptprobes();
  const p = m.probe();
  const seen: string[] = [];
  const story = ran(m, function* (cx) {
    yield* m.do(cx, 'register_kprobe', p);
    yield* m.delay(cx);
    yield* m.k.fn.disarmAllKprobes(cx, m.k);
    seen.push(m.holds());
    yield* m.call(cx, 'a1');
    yield* m.k.fn.armAllKprobes(cx, m.k);
    seen.push(m.holds());
    yield* m.delay(cx);
    yield* m.call(cx, 'a1');
    yield* m.do(cx, 'disable_kprobe', p);
    yield* m.k.fn.disarmAllKprobes(cx, m.k);
    seen.push(m.holds());
  });
  expect(seen).toEqual(['insn', 'break', 'insn']);
  expect(story).toEqual(['kprobe_pre 1', 'insn', 'sum 4']);
});

test('KP-24, KP-63: a probe that was registered disabled is a jump once it is enabled', () => {
  const m = smallOptprobes();
  const p = m.probe({ flags: 2 });
  const story = ran(m, function* (cx) {
    yield* m.do(cx, 'register_kprobe', p);
    yield* m.delay(cx);
    yield* m.call(cx, 'a1');
    yield* m.do(cx, 'enable_kprobe', p);
    yield* m.delay(cx);
    yield* m.call(cx, 'a1');
  });
  expect(story).toEqual(['kprobe_pre 1', 'jump', 'sum 4']);
  expect((m.node()?.flags.value ?? 0) & KPROBE_FLAG_OPTIMIZED).toBe(KPROBE_FLAG_OPTIMIZED);
});
