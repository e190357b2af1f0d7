// Which registers survive a call of a hooked function, and what compiled code may rely on.
import { expect, test } from 'vitest';
import { runC } from './run-c.ts';

const ROUNDS = 4;

/** right and wrong of both callers. */
function sums(hooked: boolean): Record<'abided' | 'trusted', readonly [number, number]> {
  const { session } = runC({
    image: 'caller_saved.elf',
    functions: { later: { body: ['sleep 2000', 'call call_both'] } },
    tasks: { caller: { cpu: 1, run: 'later', times: ROUNDS } },
    probes: {
      clobber: { kind: 'ftrace', filter: ['leaf', 'abiding'], callback: 'use_all' },
      other: { kind: 'ftrace', filter: 'abiding', callback: 'count' },
    },
    timeline: hooked
      ? [
          { at: 'start', register: 'clobber' },
          { at: 'start', register: 'other' },
        ]
      : [],
  });
  expect(session.ending).toBe('run_end');
  const of = (name: string): readonly [number, number] => [
    session.readData(name, 0),
    session.readData(name, 8),
  ];
  return { abided: of('abided'), trusted: of('trusted') };
}

test('without hooks both callers are right', () => {
  expect(sums(false)).toEqual({ abided: [ROUNDS, 0], trusted: [ROUNDS, 0] });
});

test('a callback that uses all it may spoils only a caller that trusts its callee', () => {
  const { abided, trusted } = sums(true);
  // Whatever build.sh compiles keeps to the convention (-fno-ipa-ra).
  expect(abided).toEqual([ROUNDS, 0]);
  // The trampoline saves a0..a7, ra and t0, as a kernel's does: t1 is the callback's to use.
  expect(trusted).toEqual([0, ROUNDS]);
});
