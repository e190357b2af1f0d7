// Callers of sites of two instructions (FT-12): whatever leads to a callback tells it the site, saves what it has to, and
// is itself patched and verified by pairs.
import { expect, test } from 'vitest';
import {
  perform,
  REGISTER,
  restless,
  setFilter,
  smallKernel,
  type SmallKernel,
  type SmallKernelOptions,
  UNREGISTER,
  writeEnabled,
  writePids,
} from '../../properties/small-kernel.ts';
import type { ScriptOp } from '../emu/script.ts';
import { ENODEV } from './errno.ts';
import {
  FTRACE_OPS_FL_IPMODIFY,
  FTRACE_OPS_FL_PID,
  FTRACE_OPS_FL_SAVE_REGS,
} from './ftrace-ops-flags.ts';
import { isTrampoline } from './ftrace-trampoline.ts';

const RETURNS_1: readonly ScriptOp[] = [{ op: 'return', value: 1 }];
const RETURNS_2: readonly ScriptOp[] = [{ op: 'return', value: 2 }];
const NOTHING = 0;

function stopped(options: Partial<SmallKernelOptions> = {}): SmallKernel {
  return smallKernel({
    functions: { a1: RETURNS_1, '-patched': RETURNS_2 },
    callbacks: { cb: [], patch: [{ op: 'redirect', target: 'patched' }] },
    patching: 'stopMachine',
    ...options,
  });
}

/** Registers an ops of each kind, calls a1, and unregisters them; what a1 returned. */
function called(m: SmallKernel, kinds: readonly (readonly [callback: string, flags: number])[]) {
  const results: number[] = [];
  const all = kinds.map(([callback, flags], i) => m.ops(`A${i}`, callback, false, flags));
  m.control(function* (cx) {
    for (const ops of all) {
      yield* perform(cx, m.k, ops, setFilter('a1'));
      yield* perform(cx, m.k, ops, REGISTER);
    }
    results.push(yield* m.call(cx, 'a1'));
    for (const ops of all) yield* perform(cx, m.k, ops, UNREGISTER);
  });
  return results;
}

const REGS = FTRACE_OPS_FL_SAVE_REGS;
const REDIRECTS = REGS | FTRACE_OPS_FL_IPMODIFY;

test.each([
  ['its trampoline', [['cb', NOTHING]], 1],
  ['a trampoline that saves all registers', [['cb', REGS]], 1],
  ['a trampoline that redirects', [['patch', REDIRECTS]], 2],
  [
    'the generic caller',
    [
      ['cb', NOTHING],
      ['cb', NOTHING],
    ],
    1,
  ],
  [
    'the generic caller that saves all registers',
    [
      ['cb', NOTHING],
      ['patch', REDIRECTS],
    ],
    2,
  ],
] as const)('by %s a callback gets the site as ip (FT-4, FT-12)', (_by, kinds, result) => {
  const m = stopped();
  expect(called(m, kinds)).toEqual([result]);
  const ips = m.events('cb_begin').map(({ ip }) => ip);
  expect(ips).toEqual(kinds.map(() => m.fn('a1').site));
  expect(m.hooked()).toEqual([]);
});

test('the call inside a trampoline is patched as a pair while the machine is stopped (CC-S21.5, FT-12)', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const m = stopped({ chooser: restless(seed) });
    const ops = m.ops('A', 'cb', false, FTRACE_OPS_FL_PID);
    m.task('busy', 1, 'a1', 30);
    m.control(function* (cx) {
      yield* perform(cx, m.k, ops, REGISTER);
      yield* writePids(cx, m.k, [77]);
      yield* writePids(cx, m.k, []);
      yield* perform(cx, m.k, ops, UNREGISTER);
    });
    const pairs = m.events('text_pair').filter(({ ip }) => isTrampoline(ip));
    const stops = m.events('stop_begin').map(({ index }) => index);
    expect(pairs).toHaveLength(2);
    for (const { index } of pairs) expect(stops.some((stop) => stop < index)).toBe(true);
    expect(m.events('site_fetch').filter(({ does }) => does === 'torn')).toEqual([]);
    expect(m.events('oops')).toEqual([]);
    expect(m.events('text_write')).toEqual([]);
  }
});

test.each([
  ['the first of a site', 0, 'site'],
  ['the second of a site', 4, 'site'],
  ['the first of the inner call', 0, 'inner'],
  ['the second of the inner call', 4, 'inner'],
])('a half that is not as it was kills ftrace: %s (FT-11, FT-12)', (_half, offset, what) => {
  const m = stopped();
  const ops = m.ops('A', 'cb');
  const ip = what === 'site' ? m.fn('a1').site : m.k.caller.innerCall;
  const results: number[] = [];
  m.control(function* (cx) {
    m.machine.text.writeCode(ip + offset, [0x0001, 0x0001]);
    results.push(yield* perform(cx, m.k, ops, REGISTER));
    results.push(yield* perform(cx, m.k, ops, setFilter('a1')));
  });
  expect(m.events('kill').map((e) => e.ip)).toEqual([ip]);
  expect(results).toEqual([-ENODEV, -ENODEV]);
  expect(m.events('text_pair').filter((e) => e.ip === ip)).toEqual([]);
});

test('the sysctl stops the machine as well (CC-S7, FT-12)', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const m = stopped({ chooser: restless(seed) });
    const ops = m.ops('A', 'cb');
    m.task('busy', 1, 'a1', 30);
    m.control(function* (cx) {
      yield* perform(cx, m.k, ops, REGISTER);
      expect(yield* writeEnabled(cx, m.k, false)).toBe(0);
      expect(m.hooked()).toEqual([]);
      expect(yield* writeEnabled(cx, m.k, true)).toBe(0);
      expect(m.hooked()).toEqual(['a1 -> A']);
      yield* perform(cx, m.k, ops, UNREGISTER);
    });
    expect(m.events('stop_begin')).toHaveLength(4);
    const sites = m.events('text_pair').filter(({ ip }) => ip === m.fn('a1').site);
    expect(sites).toHaveLength(4);
    expect(m.events('site_fetch').filter(({ does }) => does === 'torn')).toEqual([]);
  }
});
