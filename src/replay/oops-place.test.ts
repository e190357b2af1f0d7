// Where an oops happened: the kernel's call and who called it, from real runs.
import { expect, test } from 'vitest';
import { NO_ADDRESS } from '../emu/address.ts';
import { readEvents } from './api/events.ts';
import { record } from './api/record.ts';
import { defineHandler, defineTask } from './handler.ts';
import { OopsPlaces } from './oops-place.ts';
import { type WorkloadBuilder, workload } from './workload/build.ts';

/** How a run ends, and where. */
async function endingOf(w: WorkloadBuilder): Promise<readonly string[]> {
  const run = record(w, { chooser: 'calm' });
  const places = new OopsPlaces();
  const told: string[] = [];
  for await (const event of readEvents(run.bytes)) {
    places.see(event);
    if (event.event === 'oops') told.push(event.reason, places.of(event));
  }
  return told;
}

function small(): WorkloadBuilder {
  const w = workload('misuse', { cpus: 1, strict: true });
  w.function('vfs_open', (f) => [f.work(2)]);
  return w;
}

test('a call of the timeline: the kernel thread that performs it', async () => {
  const w = small();
  const ops = w.probe('ops', { kind: 'ftrace', flags: ['IPMODIFY'], callback: 'count' });
  w.at('start', { register: ops });
  const where = 'in register_ftrace_function, called by control';
  expect(await endingOf(w)).toEqual(['NULL filter hash', where]);
});

test('a call of guest code: the function that makes it, and its task', async () => {
  const w = small();
  const misuses = defineHandler('misuses', 1, function* (cx) {
    yield* cx.call('ftrace_set_filter', 0, 0, 0, 1);
  });
  w.task('tool', { cpu: 0, run: w.function('main', (f) => [f.call(misuses)]) });
  const where = 'in ftrace_set_filter, called by misuses of tool';
  expect(await endingOf(w)).toEqual(['unmapped', where]);
});

test('guest code that dies by itself is no call', async () => {
  const w = small();
  const jumps = defineTask('jumps', 1, function* (cx) {
    yield* cx.call('vfs_open');
    throw new Error('over');
  });
  w.task('tool', { cpu: 0, run: jumps });
  expect((await endingOf(w)).at(-1)).toMatch(/^at /u);
});

test('a call that no guest can make has no place: what began last is it', () => {
  const head = { index: 0, step: 1, cpu: 0, level: 0, pid: 0 };
  const begin = { ...head, event: 'ctl_begin', object: 0, text: '', ip: NO_ADDRESS, flags: 0 };
  const oops = { ...head, event: 'oops', reason: 'freed', pc: NO_ADDRESS, address: 0 } as const;
  const places = new OopsPlaces();
  places.see({ ...begin, event: 'ctl_begin', op: 'init_module' });
  places.see({ ...begin, event: 'ctl_begin', op: 'cpu_up' });
  expect(places.of(oops)).toBe('in cpu_up, called by swapper');
  places.see({ ...head, event: 'ctl_end', op: 'cpu_up', object: 0, generation: 0, result: 0 });
  expect(places.of(oops)).toBe('in init_module, called by swapper');
});
