// What linux/fprobe.h and linux/kprobes.h promise, from the side of compiled code, in both eras: fprobe_check.c does
// the checking.
import { expect, test } from 'vitest';
import { runC } from './run-c.ts';

function load(image: string, profile: string): ReturnType<typeof runC> {
  const timeline = [{ at: 'start', init_module: 'check', expect: 0 }];
  return runC({ profile, modules: { check: { image } }, timeline });
}

test.each([
  ['fprobe_check.ko', 'today'],
  ['fprobe_check.ko', 'v6.14'],
  ['fprobe_check_rethook.ko', 'v6.12'],
  ['fprobe_check_rethook.ko', 'v5.18'],
])('every check in %s holds on %s', (image, profile) => {
  const run = load(image, profile);
  expect(run.log).toEqual(['check: 0 failures']);
  expect(run.session.results.map(({ found }) => found)).toEqual([0]);
  // The struct is known from the first call that is given it.
  expect(run.of('object').map(({ kind, name }) => [kind, name])).toEqual([
    ['module', 'check'],
    ['fprobe', 'fp'],
  ]);
});

test('an era without fprobe has none of its symbols', () => {
  expect(() => load('fprobe_check.ko', 'v2.6.31')).toThrow(
    'module check needs an unknown register_fprobe',
  );
});
