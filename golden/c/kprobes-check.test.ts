// What linux/kprobes.h promises, from the side of compiled code, in both eras: kprobes_check.c does the checking.
import { expect, test } from 'vitest';
import { runC } from './run-c.ts';

function load(image: string, profile: string): ReturnType<typeof runC> {
  const timeline = [{ at: 'start', init_module: 'check', expect: 0 }];
  return runC({ profile, modules: { check: { image } }, timeline });
}

test.each([
  ['kprobes_check.ko', 'today'],
  ['kprobes_check.ko', 'v6.1'],
  ['kprobes_check_2_6_31.ko', 'v2.6.31'],
])('every check in %s holds on %s', (image, profile) => {
  const run = load(image, profile);
  expect(run.log.filter((line) => line.startsWith('check: '))).toEqual(['check: 0 failures']);
  expect(run.session.ending).toBe('run_end');
  expect(run.session.results.map(({ found }) => found)).toEqual([0]);
});

/** What dump_stack says in the handlers, without the tasks and the distances. */
function traces(image: string, profile: string): string[] {
  return load(image, profile)
    .log.filter((line) => line.startsWith(' '))
    .map((line) => line.replace(/\+0x[0-9a-f/x]+/u, '').trim());
}

test('KR-11: dump_stack in a handler shows who called, and today where a return that is taken really goes', () => {
  const pre = ['pre [check]', 'check_twice [check]', 'check_outer [check]', 'check_init [check]'];
  const today = ['returned [check]', 'check_outer [check]', 'check_init [check]'];
  const old = ['returned [check]', 'kretprobe_trampoline', 'check_init [check]'];
  expect(traces('kprobes_check.ko', 'today')).toEqual([...pre, ...today]);
  expect(traces('kprobes_check_2_6_31.ko', 'v2.6.31')).toEqual([...pre, ...old]);
});

test('KP-14: NOKPROBE_SYMBOL is known to who loads the file', () => {
  const { image } = load('kprobes_check.ko', 'today').session;
  const hidden = image.functions.filter(({ nokprobe }) => nokprobe === true);
  expect(hidden.map(({ name }) => name)).toEqual(['check_hidden']);
});

test('a module for v2.6.31 is refused by the others', () => {
  expect(() => load('kprobes_check_2_6_31.ko', 'today')).toThrow(
    'kprobes_check_2_6_31.ko: expected the kprobes of profile today, found those of v2.6.31: ' +
      'compile it without -DREPROBE_V2_6_31, or choose profile v2.6.31',
  );
});

test('the example with a fault handler is refused by other profiles, and runs in its own (KP-48)', () => {
  const model = {
    image: 'fork.elf',
    modules: { example: { image: 'kprobe_example_2_6_31.ko' } },
    tasks: { shell: { cpu: 1, run: 'sys_fork' } },
    timeline: [{ at: 'start', init_module: 'example', expect: 0 }],
  };
  expect(() => runC({ profile: 'v6.12', ...model })).toThrow('expected the kprobes of profile');
  const { log, session } = runC({ profile: 'v2.6.31', ...model });
  expect(session.ending).toBe('run_end');
  expect(log.filter((line) => line.includes('before do_fork+0x0/'))).toHaveLength(1);
});

/** Tasks that make the system call `run`, and a return probe of `func`. */
function returnsOf(func: string, run: string): Parameters<typeof runC>[0] {
  return {
    image: 'fork.elf',
    modules: { example: { image: 'kretprobe_example.ko', params: { func } } },
    functions: { later: { body: ['sleep 200', `call ${run}`] } },
    tasks: { shell: { cpu: 1, run: 'later', times: 2 } },
    timeline: [
      { at: 'start', init_module: 'example', expect: 0 },
      { at: 'end', delete_module: 'example', expect: 0 },
    ],
  };
}

test('KR-12: a return probe of what replaces the program of its task is no issue, nor is one of what ends it', () => {
  for (const profile of ['today', 'v2.6.31']) {
    // In v2.6.31 a call site is not for kprobes (KP-10.6), so that only do_fork can be probed there.
    const func = profile === 'today' ? 'do_execve' : 'do_fork';
    const replaces = runC({ profile, ...returnsOf(func, 'sys_execve') });
    expect(replaces.session.ending).toBe('run_end');
    expect(replaces.log.filter((line) => line.includes(`${func} returned`))).toHaveLength(2);
    expect(replaces.log.at(-1)).toContain(`Missed probing 0 instances of ${func}`);
  }
  const ends = runC(returnsOf('do_group_exit', 'sys_exit_group'));
  expect(ends.session.ending).toBe('run_end');
  expect(ends.of('hook').map(({ object }) => object)).toHaveLength(1);
  expect(ends.of('unhook').map(({ why }) => why)).toEqual(['flush']);
  expect(ends.log.filter((line) => line.includes('returned'))).toEqual([]);
});
