import { expect, test } from 'vitest';
import { type SmallMachine, smallMachine } from '../../properties/small-machine.ts';
import { CHOICE, type Chooser } from './choose.ts';
import type { Context } from './context.ts';
import { callGuest, fetchAdd, type Path, waitUntil } from './path.ts';
import { C_EBREAK, sync, writeHalf } from './text.ts';

const NOP = 0x00000013;
/** `jal t0, .+0x10`: its halfwords differ from the nop in both places. */
const CALL = 0x010002ef;

/** Calm, but a fetch looks back as far as it may. */
const stale: Chooser = {
  choose: (point, count) => (point.kind === CHOICE.fetch ? count - 1 : 0),
};

/** CPU 0 patches the site of `f` by `patch`, then CPU 1 calls `f` once. */
function patched(
  chooser: Chooser,
  patch: (cx: Context, ip: number, m: SmallMachine) => Path<void>,
): { m: SmallMachine; fetches: string[]; ending: string } {
  const m = smallMachine({ functions: { f: [{ op: 'work', count: 2 }] }, chooser });
  const ip = m.at('f') + 4;
  const done = m.machine.cells.cell('done', 0);
  m.thread('patcher', 0, function* (cx) {
    m.machine.text.beginPatch(ip, CALL);
    yield* patch(cx, ip, m);
    yield* fetchAdd(done, 1);
  });
  m.thread('caller', 1, function* (cx) {
    yield* waitUntil(done, (value) => value === 1);
    yield* callF(cx, m);
  });
  const ending = m.machine.run();
  const fetches = [...m.log.events()].flatMap((event) =>
    event.event === 'site_fetch' ? [`${event.does} ${event.seen}/${event.newest}`] : [],
  );
  return { m, fetches, ending };
}

function breakpoint(cx: Context, ip: number): Path<void> {
  return writeHalf(cx, ip, 0, C_EBREAK);
}

function* callF(cx: Context, m: SmallMachine): Path<void> {
  yield* callGuest(cx.cpu.state, m.at('f'), []);
}

test('without a sync a CPU may fetch the old version, and calm fetches the newest (FT-9, CC-M5)', () => {
  expect(patched(stale, breakpoint).fetches).toEqual(['nop 0/1']);
  const calm = patched({ choose: () => 0 }, breakpoint);
  expect(calm.fetches).toEqual(['break 1/1']);
  expect(calm.ending).toBe('oops'); // Nobody claims the breakpoint.
});

test('after a sync every CPU sees the newest version (CC-M7)', () => {
  const { fetches } = patched(stale, function* (cx, ip) {
    yield* writeHalf(cx, ip, 0, C_EBREAK);
    yield* sync(cx);
  });
  expect(fetches).toEqual(['break 1/1']);
});

test('a sync waits for CPUs with interrupts off', () => {
  const m = smallMachine({
    functions: { f: [{ op: 'irq_off' }, { op: 'work', count: 9 }, { op: 'irq_on' }] },
  });
  m.task('closed', 1, 'f');
  m.thread('sender', 0, (cx) => sync(cx));
  m.machine.running = m.machine.cpus[1] ?? m.machine.running;
  expect(m.machine.run()).toBe('run_end');
  const names = [...m.log.events()].map((event) => `${event.event}/${event.cpu}`);
  const order = ['sync_send/0', 'sync_ack/1', 'sync_done/0'].map((name) => names.indexOf(name));
  expect(order.every((at, i) => at > (order[i - 1] ?? -1))).toBe(true);
});

test('halves of two instructions are a torn instruction (CC-M5)', () => {
  const { fetches, ending, m } = patched(stale, function* (cx, ip) {
    yield* writeHalf(cx, ip, 1, CALL >>> 16);
    yield* sync(cx);
    yield* writeHalf(cx, ip, 0, CALL & 0xffff);
  });
  expect(fetches).toEqual(['torn 0/1']);
  expect(ending).toBe('oops');
  expect([...m.log.events()].flatMap((e) => (e.event === 'oops' ? [e.reason] : []))).toEqual([
    'torn instruction',
  ]);
});

test('the writing CPU sees its own write at once (CC-M5)', () => {
  const m = smallMachine({ functions: { f: [{ op: 'work', count: 2 }] }, chooser: stale });
  const ip = m.at('f') + 4;
  m.thread('patcher', 0, function* (cx) {
    m.machine.text.beginPatch(ip, CALL);
    yield* writeHalf(cx, ip, 0, C_EBREAK);
    yield* callF(cx, m);
  });
  m.machine.run();
  expect([...m.log.events()].flatMap((e) => (e.event === 'site_fetch' ? [e.does] : []))).toEqual([
    'break',
  ]);
  expect(m.machine.text.word(ip) >>> 16).toBe(NOP >>> 16);
});
