// Modules: what the loader makes of an object file, and what init_module and delete_module do with it.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { InputError } from '../../src/assert.ts';
import { MODULE_BASE, NO_ADDRESS } from '../../src/emu/address.ts';
import { NOP } from '../../src/emu/elf-functions.ts';
import { type LoadedObject, placeObject, readObject } from '../../src/emu/elf-object.ts';
import { buildImage } from '../../src/emu/image.ts';
import { record } from '../../src/replay/api/record.ts';
import { prepareModel } from '../../src/replay/prepare.ts';
import { replayRecording } from '../../src/replay/replay.ts';
import { recordRun } from '../../src/replay/run.ts';
import { workload } from '../../src/replay/workload/build.ts';
import { type CModel, type CRun, readC, runC } from './run-c.ts';
import { stubAddresses } from './stubs.ts';

const sample = readC('ftrace_sample.ko');

function place(bytes: Uint8Array, base = MODULE_BASE): LoadedObject {
  const stubs = stubAddresses();
  return placeObject(readObject(bytes, 'm.ko'), { base, resolve: (name) => stubs.get(name) ?? -1 });
}

test('a module is relocated to wherever it lies', () => {
  const [here, there] = [place(sample), place(sample, MODULE_BASE + 0x1000)];
  expect(here.text.base).toBe(MODULE_BASE);
  expect(here.data.base).toBe(MODULE_BASE + here.text.bytes.length);
  expect(there.functions.map(({ address }) => address - 0x1000)).toEqual(
    here.functions.map(({ address }) => address),
  );
  expect(here.functions.map(({ name }) => name)).toEqual([
    'sample_note',
    'sample_callback',
    'sample_init',
    'sample_exit',
  ]);
  // The callback is notrace; module_init and module_exit are other names of two of these.
  expect(here.functions.map(({ site }) => site !== NO_ADDRESS)).toEqual([true, false, true, true]);
  expect([here.init, here.exit]).toEqual(here.functions.slice(2).map(({ address }) => address));
  expect(here.params.map(({ name, type }) => [name, type])).toEqual([
    ['nest', 'bool'],
    ['func', 'charp'],
  ]);
  const words = new DataView(here.text.bytes.buffer);
  for (const { site } of here.functions)
    if (site !== NO_ADDRESS) expect(words.getInt32(site - here.text.base, true)).toBe(NOP);
  // Calls are relative, so code that leaves the module changes when it is moved.
  expect(here.text.bytes).not.toEqual(there.text.bytes);
});

test('modules lie one behind the other, and see the workload, not each other', () => {
  const image = buildImage({
    functions: [{ name: 'vfs_open', body: [], notrace: false, callback: false }],
    data: [],
    modules: ['one', 'two'].map((name) => ({ name, object: readObject(sample, name) })),
    stubs: stubAddresses(),
    landingPad: true,
  });
  const [one, two] = image.modules;
  expect(two?.object.text.base).toBe(
    (one?.object.data.base ?? 0) + (one?.object.data.bytes.length ?? 0),
  );
  expect(
    image.functions.filter(({ name }) => name === 'sample_note').map((fn) => fn.module),
  ).toEqual(['one', 'two']);
  const addresses = image.functions.map(({ address }) => address);
  expect(addresses).toEqual(addresses.toSorted((a, b) => a - b));
});

test('a damaged module loads or is an input error', () => {
  const patch = fc.tuple(fc.nat(sample.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(patch, { maxLength: 6 }), fc.boolean(), (patches, cut) => {
      const copy = new Uint8Array(sample.subarray(0, cut ? patches[0]?.[0] : sample.length));
      for (const [at, value] of patches) if (at < copy.length) copy[at] = value;
      try {
        const { functions, text } = place(copy);
        for (const { address } of functions)
          expect(address - text.base).toBeLessThan(text.bytes.length);
      } catch (error) {
        expect(error).toBeInstanceOf(InputError);
      }
    }),
    { numRuns: 500 },
  );
});

test('a program is no module', () => {
  expect(() => readObject(readC('store.elf'), 'store.elf')).toThrow(
    'expected an object file (ET_REL), found a linked program (ET_EXEC); compile with -c',
  );
});

const BASE: CModel = {
  modules: { sample: { image: 'ftrace_sample.ko' } },
  functions: { vfs_open: { body: ['work 2'] }, caller: { body: ['sleep 1500', 'call vfs_open'] } },
  tasks: { caller: { cpu: 1, run: 'caller', times: 4 } },
};

function results(timeline: readonly object[], more: object = {}): [number[], CRun] {
  const run = runC({ ...BASE, ...more, timeline });
  return [run.session.results.map(({ found }) => found), run];
}

test('init_module and delete_module return what they should in every state', () => {
  const [found, run] = results([
    { at: 'start', delete_module: 'sample', expect: '-ENOENT' },
    { at: 'start', init_module: 'sample', expect: 0 },
    { at: 'start', init_module: 'sample', expect: '-EEXIST' },
    { at: { step: 3000 }, delete_module: 'sample', expect: 0 },
    { at: { step: 3000 }, delete_module: 'sample', expect: '-ENOENT' },
    { at: { step: 4000 }, init_module: 'sample', expect: 0 },
    { at: 'end', delete_module: 'sample', expect: 0 },
  ]);
  expect(found).toEqual([-2, 0, -17, 0, -2, 0, 0]);
  expect(run.session.ending).toBe('run_end');
  expect(run.of('ctl_begin').filter(({ op }) => op.endsWith('_module'))).toHaveLength(7);
});

test('a module that is loaded again starts afresh', () => {
  const [, run] = results([
    { at: 'start', init_module: 'sample' },
    { at: { step: 2500 }, delete_module: 'sample' },
    { on: { end: 'delete_module' }, init_module: { module: 'sample', params: { nest: false } } },
    { at: 'end', delete_module: 'sample' },
  ]);
  const counts = run.log.filter((line) => line.includes('CPU 1')).map((line) => line.slice(-6));
  const calls = run.of('func_enter').filter(({ func }) => func === run.session.address('vfs_open'));
  expect(calls).toHaveLength(4);
  // Twice two lines, and no count of the first life is in the second.
  const hits = counts.map((text) => Number.parseInt(text, 10));
  expect(hits).toHaveLength(2);
  expect(hits.every((one) => one > 0)).toBe(true);
  expect(run.of('cb_begin').filter(({ depth }) => depth === 0)).toHaveLength(
    // In the first life each hit that got the lock was two.
    (hits[0] ?? 0) / 2 + (hits[1] ?? 0),
  );
});

test('strings of parameters are heap memory, and freed with the module', () => {
  const [, run] = results([
    { at: 'start', init_module: { module: 'sample', params: { func: 'vfs_open' } } },
    { at: 'end', delete_module: 'sample' },
  ]);
  const made = run.of('alloc').filter(({ kind, bytes }) => kind === 'heap' && bytes === 9);
  expect(made).toHaveLength(1);
  const freed = run.of('free').filter(({ object }) => object === made[0]?.object);
  expect(freed).toHaveLength(1);
});

test('operations on modules can be done by a task, and two who load one wait for each other', () => {
  const [found, run] = results(
    [
      { at: 'start', init_module: 'stress', by: 'loader', expect: 0 },
      { on: { begin: 'init_module', module: 'stress' }, init_module: 'stress', expect: '-EEXIST' },
      { at: { step: 2000 }, delete_module: 'stress', by: 'loader', expect: 0 },
    ],
    {
      modules: { stress: { image: 'kthread_stress.ko', params: { second: 'caller' } } },
      tasks: { caller: { cpu: 1, run: 'caller', times: 4 }, loader: { cpu: 1 } },
    },
  );
  expect([...found].toSorted((a, b) => a - b)).toEqual([-17, 0, 0]);
  expect(run.session.ending).toBe('run_end');
  expect(run.log.at(-1)).toContain(' 0 errors');
});

/** What is wrong with a workload, in lines. */
function errors(model: CModel): string[] {
  try {
    runC(model);
  } catch (error) {
    if (error instanceof InputError)
      return error.message.split('\n').map((line) => line.replace(/^c: [^ ]*: /u, ''));
    throw error;
  }
  return [];
}

test('mistakes about modules are refused with the nearest word', () => {
  const module = (params: object): CModel => ({
    ...BASE,
    modules: { sample: { image: 'ftrace_sample.ko', params } },
  });
  const item = (action: object): CModel => ({ ...BASE, timeline: [{ at: 'start', ...action }] });
  expect(errors(module({ fun: 'x' }))).toEqual([
    "unknown parameter 'fun', did you mean 'func'? expected one of nest, func",
  ]);
  expect(errors(module({ func: 3 }))).toEqual(['expected a text (charp), found 3']);
  expect(errors(module({ nest: 'yes' }))).toEqual(['expected true or false (bool), found "yes"']);
  expect(errors(item({ init_module: 'smaple' }))).toEqual([
    "unknown module 'smaple', did you mean 'sample'? expected one of sample",
  ]);
  expect(errors(item({ init_module: { module: 'sample', params: { nset: true } } }))).toEqual([
    "unknown parameter 'nset', did you mean 'nest'? expected one of nest, func",
  ]);
  expect(errors(item({ delete_module: 'x' }))).toEqual([
    "unknown module 'x', expected one of sample",
  ]);
  expect(
    errors({
      ...BASE,
      modules: { stress: { image: 'kthread_stress.ko', params: { pause_us: -1 } } },
    }),
  ).toEqual(['expected a whole number from 0 to 4294967295 (uint), found -1']);
  expect(
    errors({
      ...BASE,
      timeline: [{ on: { end: 'init_module', module: 'sample' }, nmi: { run: 'caller' } }],
    }),
  ).toEqual(["never fires: no other item of the timeline does init_module on 'sample'"]);
});

test('a module that needs what nobody has is refused', () => {
  const bytes = new Uint8Array(
    Buffer.from(
      Buffer.from(sample).toString('latin1').replace('rcu_is_watching', 'rcu_is_wathcing'),
      'latin1',
    ),
  );
  const model = { name: 'c', machine: { cpus: 1 }, modules: { sample: { image: 'x.ko' } } };
  expect(() => prepareModel(model, { modules: [{ name: 'sample', bytes }] }, 'c')).toThrow(
    "unknown symbol 'rcu_is_wathcing', did you mean 'rcu_is_watching'?",
  );
  expect(() => prepareModel(model, {}, 'c')).toThrow('x.ko was not given');
});

test('a builder names modules as things', () => {
  const w = workload('built', { cpus: 1 });
  const open = w.function('vfs_open', (f) => [f.work(3)]);
  w.task('opener', { cpu: 0, run: open, times: 30 });
  const mine = w.module('mine', { image: 'mine.ko', params: { func: 'vfs_open' } });
  w.at('start', { init_module: { module: mine, params: { func: 'vfs_*' } }, expect: 0 });
  w.on({ end: 'init_module', module: mine }, { init_module: mine, expect: '-EEXIST' });
  w.at('end', { delete_module: mine, expect: 0 });
  const run = record(w, { modules: { mine: readC('mine.ko') } });
  expect(run.expectations.map(({ met }) => met)).toEqual([true, true, true]);
  expect(replayRecording(run.bytes).status).toBe('identical');
});

test('the example of docs/c.md is what it says, and runs', () => {
  const document = Buffer.from(readC('../../docs/c.md')).toString();
  const source = Buffer.from(readC('mine.c')).toString().split('\n').slice(1).join('\n');
  expect(document).toContain(`\`\`\`c\n${source}\`\`\``);
  const text = /```yaml\n(.*?)```/su.exec(document)?.[1] ?? '';
  const parts: Uint8Array[] = [];
  const result = recordRun(
    {
      file: 'mine.yaml',
      text,
      image: undefined,
      modules: [{ name: 'mine', bytes: readC('mine.ko') }],
    },
    { seed: 1, chooser: 'random', profile: 'today', variants: [] },
    (bytes) => {
      parts.push(bytes.slice());
    },
  );
  expect(result.expectations.filter(({ met }) => !met)).toEqual([]);
  expect(result.unfired).toEqual([]);
  const log = [...result.log.events()].flatMap((e) => (e.event === 'printk' ? [e.text] : []));
  expect(log).toEqual([expect.stringMatching(/^[1-9]\d* hits on CPU 0$/u)]);
});
