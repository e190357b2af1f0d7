// What a linker leaves of a weak function that is overridden, and two static functions of one name (weak.elf).
import { expect, test } from 'vitest';
import { type CRun, runC } from './run-c.ts';

/** Sites that a probe with these filters was hit at, in the order of the first hits, as their names. */
function hitWith(filter: readonly string[], more: readonly object[] = []): readonly string[] {
  return namesOfHits(run(filter, more));
}

function run(filter: readonly string[], more: readonly object[] = []): CRun {
  return runC({
    image: 'weak.elf',
    functions: { paced: { body: ['sleep 200', 'call weak_round'], notrace: true } },
    tasks: { rounds: { cpu: 1, run: 'paced', times: 9 } },
    probes: {
      ops0: { kind: 'ftrace', ...(filter.length > 0 ? { filter } : {}), callback: 'count' },
    },
    timeline: [...more, { at: 'start', register: 'ops0' }],
  });
}

function namesOfHits(made: CRun): readonly string[] {
  const names = new Map(made.of('symbol').map(({ site, name }) => [site, name]));
  return [...new Set(made.of('cb_begin').map(({ ip }) => ip))].map((ip) => names.get(ip) ?? '');
}

test('the site of the overridden function is listed, between the functions, by no name (FT-61)', () => {
  const listed = run([])
    .of('symbol')
    .filter(({ site, name }) => site !== -1 && name !== 'ops0.callback');
  expect(listed.map(({ name }) => name)).toEqual([
    'show',
    '__ftrace_invalid_address___20',
    'weak_round',
    'show',
    'show_strong',
    'arch_flush',
  ]);
});

test('KP-14: NOKPROBE_SYMBOL is known to who loads a program', () => {
  const hidden = run([]).session.image.functions.filter(({ nokprobe }) => nokprobe === true);
  expect(hidden.map(({ name }) => name)).toEqual(['show_strong']);
});

test('a name that two functions bear selects both of them (FT-49)', () => {
  expect(hitWith(['show'])).toEqual(['show', 'show']);
});

test('an index picks one of two functions with one name, and counts the disabled record (FT-49, FT-61)', () => {
  const [first, second] = ['1', '4'].map((index) => run([index]).of('cb_begin'));
  expect(first?.[0]?.ip).toBe(0);
  expect(second?.[0]?.ip).toBe(0x64);
});

test('a disabled record is in a filter, and is never hooked (FT-61)', () => {
  const chosen = run(['2']);
  expect(chosen.of('ctl_end').map(({ result }) => result)).toEqual([0, 0]);
  expect(chosen.of('cb_begin')).toEqual([]);
  expect(chosen.of('text_write').filter(({ ip }) => ip === 0x14)).toEqual([]);
  const everything = run([]);
  expect(everything.of('text_write').filter(({ ip }) => ip === 0x14)).toEqual([]);
  expect(new Set(namesOfHits(everything)).size).toBe(4);
});

test('no name reaches a disabled record (FT-61)', () => {
  const fails = { at: 'start', expect: '-EINVAL' };
  const set = { probe: 'ops0', pattern: '__ftrace_invalid*', reset: true };
  expect(hitWith(['arch_*'], [{ ...fails, set_filter: set }])).toEqual(['arch_flush']);
});

test('a disabled record stays so when who hooked the others has gone (FT-3, FT-61)', () => {
  const ops = { register: 'ops0' };
  const again = run(
    [],
    [
      { at: 'start', ...ops },
      { at: 'start', unregister: 'ops0' },
      { at: 'start', set_filter: { probe: 'ops0', pattern: '2', reset: true }, expect: 0 },
    ],
  );
  expect(again.of('ctl_end').map(({ result }) => result)).toEqual([0, 0, 0, 0]);
  expect(again.of('text_write').filter(({ ip }) => ip === 0x14)).toEqual([]);
});
