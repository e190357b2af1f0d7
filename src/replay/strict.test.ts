// Machine option `strict`, for what only a callback itself can do.
import { expect, test } from 'vitest';
import { readEvents } from './api/events.ts';
import { record } from './api/record.ts';
import { defineHandler } from './handler.ts';
import { workload } from './workload/build.ts';

/** Why the run of a callback that unregisters itself ends. */
async function endingOf(strict: boolean): Promise<string> {
  const w = workload('from-the-callback', { cpus: 2, strict, steps_max: 20_000 });
  const open = w.function('vfs_open', (f) => [f.work(2)]);
  let done = false;
  const leave = defineHandler('leave', 1, function* (cx) {
    const [, , own = 0] = cx.args;
    if (done) return;
    done = true;
    yield* cx.call('unregister_ftrace_function', own);
  });
  w.task('opener', {
    cpu: 1,
    run: w.function('round', (f) => [f.call(open), f.sleep(40)]),
    times: 20,
  });
  const ops = w.probe('ops', { kind: 'ftrace', filter: 'vfs_open', callback: leave });
  w.at('start', { register: ops });
  const run = record(w, { chooser: 'calm' });
  for await (const event of readEvents(run.bytes)) if (event.event === 'oops') return event.reason;
  return run.ending;
}

test('FT-35: unregister from its own callback is told; a real kernel returns into what it has freed', async () => {
  expect(await endingOf(true)).toBe('strict: unregister of ops from its own callback');
  expect(await endingOf(false)).toBe('poison');
});
