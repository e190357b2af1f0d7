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

test.each([
  ['fprobe_check.ko', 'v6.12', 'fgraph', 'with'],
  ['fprobe_check.ko', 'v5.18', 'fgraph', 'with'],
  ['fprobe_check_rethook.ko', 'today', 'rethook', 'without'],
  ['fprobe_sample_rethook.ko', 'v6.18', 'rethook', 'without'],
])('%s is refused by %s: it fills in another struct', (image, profile, found, compile) => {
  const message = new RegExp(
    `^${image.replace('.', String.raw`\.`)}: expected the struct fprobe of profile ${profile} .*, found that of ${found}: ` +
      `compile it ${compile} -DREPROBE_FPROBE_RETHOOK, or choose a profile of ${found}$`,
    'u',
  );
  expect(() => load(image, profile)).toThrow(message);
});

test('a file that has nothing of fprobe fits every era', () => {
  const timeline = [{ at: 'start', init_module: 'check', expect: 0 }];
  const modules = { check: { image: 'headers_check.ko' } };
  for (const profile of ['today', 'v6.12']) {
    expect(runC({ profile, modules, timeline }).session.ending).toBe('run_end');
  }
});

test('an era without fprobe has none of its symbols', () => {
  expect(() => load('fprobe_check.ko', 'v2.6.31')).toThrow(
    'module check needs an unknown register_fprobe',
  );
});
