// One workload with fprobes in each era, from the builder to the replay: what is hooked by pattern, by address and by
// name; handlers that count, return, keep data and change what a function returns; soft disabling.
import { expect, test } from 'vitest';
import { known } from '../assert.ts';
import { readEvents } from './api/events.ts';
import { record, type RecordedRun } from './api/record.ts';
import { replayRecording } from './replay.ts';
import type { Event, EventName } from './schema.ts';
import { workload, type WorkloadBuilder } from './workload/build.ts';

/** They sleep between their calls, so that some come while everything is registered. */
const CALLS = 30;

function build(): WorkloadBuilder {
  const w = workload('eras', { cpus: 2 });
  const read = w.function('vfs_read', (f) => [f.work(6), f.return(5)]);
  const open = w.function('vfs_open', (f) => [f.work(4)]);
  const get = w.function('kget', (f) => [f.work(2)]);
  for (const [cpu, called] of [open, read, get].entries()) {
    const name = `round${cpu}`;
    const run = w.function(name, (f) => [f.call(called), f.sleep(100)], { notrace: true });
    w.task(`task${cpu}`, { cpu: cpu % 2, run, times: CALLS });
  }
  const keep = w.callback('keep', (f) => [f.storeData('a0'), f.regs()]);
  const show = w.callback('show', (f) => [f.showData(), f.setReg('a0', -1)]);
  const data = w.probe('data', {
    kind: 'fprobe',
    filter: 'vfs_*',
    notfilter: 'vfs_open',
    entry: keep,
    exit: show,
    entry_data_size: 8,
  });
  const refused = w.probe('refused', {
    kind: 'fprobe',
    ips: [open],
    entry: 'count',
    exit: 'count',
    entry_returns: 1,
  });
  const off = w.probe('off', {
    kind: 'fprobe',
    syms: ['kget', 'vfs_open'],
    exit: 'count',
    flags: ['DISABLED'],
  });
  const all = [data, refused, off];
  for (const probe of all) w.at('start', { register: probe, expect: 0 });
  w.on({ return: data.exit, nth: 3 }, { disable: data });
  w.on({ end: 'disable', probe: data }, { enable: data });
  for (const probe of all) w.at('end', { unregister: probe, expect: 0 });
  w.expect(
    { counter: off.exit, is: 0 },
    ...all.map(({ nmissed }) => ({ counter: nmissed, is: 0 }) as const),
  );
  return w;
}

interface Run {
  readonly run: RecordedRun;
  readonly of: <N extends EventName>(name: N) => Extract<Event, { readonly event: N }>[];
}

async function runOn(profile: string, seed: number): Promise<Run> {
  const run = record(build(), { profile, seed });
  const events: Event[] = [];
  for await (const event of readEvents(run.bytes)) events.push(event);
  const of: Run['of'] = (name) =>
    events.filter((event): event is Extract<Event, { readonly event: typeof name }> => {
      return event.event === name;
    });
  return { run, of };
}

const ERAS = ['today', 'v6.18', 'v6.14', 'v6.12', 'v6.1', 'v5.18'];
/** With entry handlers that return something, and entry_data. */
const LATER_ERAS = ['today', 'v6.18', 'v6.14', 'v6.12'];

function withSeeds(profiles: readonly string[]): (readonly [profile: string, seed: number])[] {
  return profiles.flatMap((profile) => [1, 2, 3].map((seed) => [profile, seed] as const));
}

test.each(withSeeds(ERAS))(
  '%s, seed %i: fprobes come and go, and no judge objects',
  async (profile, seed) => {
    const { run, of } = await runOn(profile, seed);
    expect(run.ending).toBe('run_end');
    expect(run.unfired).toEqual([]);
    expect(run.expectations.filter(({ met }) => !met)).toEqual([]);
    expect(run.guarantees.filter(({ verdict }) => verdict.status === 'broken')).toEqual([]);
    expect(of('fprobe_state').map(({ registered }) => registered)).toEqual([false, false, false]);
    expect(replayRecording(run.bytes)).toMatchObject({ status: 'identical' });
  },
);

/** The number of an fprobe; what hooks for it may have numbers in between. */
function objectOf({ of }: Run, name: string): number {
  const found = of('object').find((e) => e.kind === 'fprobe' && e.name === name);
  return known(found, 'it was announced').object;
}

test.each(withSeeds(ERAS))(
  '%s, seed %i: who returns 1 has no exit, if its era looks at it',
  async (profile, seed) => {
    const run = await runOn(profile, seed);
    const object = objectOf(run, 'refused');
    const begun = (kind: string): number =>
      run.of('cb_begin').filter((e) => e.kind === kind && e.object === object).length;
    const entries = begun('fprobe_entry');
    expect(entries).toBeGreaterThan(5);
    expect(begun('fprobe_exit')).toBe(LATER_ERAS.includes(profile) ? 0 : entries);
  },
);

/** -1 as an unsigned word. */
const MINUS_ONE = 0xffffffffffffffffn;

test.each(withSeeds(LATER_ERAS))(
  '%s, seed %i: exit sees the data of its entry, and changes what is returned',
  async (profile, seed) => {
    const run = await runOn(profile, seed);
    const data = objectOf(run, 'data');
    const regs = run.of('regs').filter(({ object }) => object === data);
    const valuesOf = (name: string): bigint[] =>
      regs.filter(({ register }) => register === name).map(({ value }) => value);
    const shown = valuesOf('entry_data');
    expect(shown.length).toBeGreaterThan(3);
    // Each call has a number of its own; one that was disabled meanwhile has no exit.
    expect(new Set(shown).size).toBe(shown.length);
    expect(valuesOf('a0')).toEqual(expect.arrayContaining(shown));
    const changed = run.of('func_return').filter(({ value }) => value === MINUS_ONE);
    expect(changed).toHaveLength(shown.length);
  },
);
