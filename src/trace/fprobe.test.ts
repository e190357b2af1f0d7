// What all eras of fprobe have in common, above a stand-in for the return machine.
import { expect, test } from 'vitest';
import { call, kmalloc, pointer } from '../../properties/guest-call.ts';
import { smallKernel, type SmallKernel } from '../../properties/small-kernel.ts';
import { known } from '../assert.ts';
import { type Address, addressHi, addressLo, hexAddress, NO_ADDRESS } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { act, type Path } from '../emu/path.ts';
import { preemptDisable, preemptEnable } from '../emu/preempt.ts';
import { EBUSY, EINVAL } from './errno.ts';
import { fprobeOperation, type FprobeRequest, type FprobeTarget } from './fprobe-operation.ts';
import {
  FPROBE_FL_DISABLED,
  FPROBE_FL_KPROBE_SHARED,
  FPROBE_LAYOUTS,
  type FprobeLayout,
  readFprobeFlags,
} from './fprobe-struct.ts';
import { beginRegistration, type Fprobe, newFprobe } from './fprobe.ts';
import { ftraceLookupSymbols } from './ftrace-record.ts';
import type { LinkTable } from './link.ts';
import { type Profile, PROFILES } from './profile.ts';

const FUNCTIONS = { a1: [], a2: [], b1: [] } as const;

/** A return machine that keeps a list and hooks nothing. */
interface StandIn {
  readonly m: SmallKernel;
  readonly targets: FprobeTarget[];
  readonly registered: Set<Fprobe>;
}

function standIn(profile = 'today', strict = false): StandIn {
  const targets: FprobeTarget[] = [];
  const registered = new Set<Fprobe>();
  const removal = (cx: Context, fp: Fprobe): Path<number> =>
    act(cx.cpu.state, () => (registered.delete(fp) ? 0 : -EINVAL));
  const links: Partial<LinkTable> = {
    registerFprobe: (cx, k, fp, target) =>
      act(cx.cpu.state, () => {
        if (registered.has(fp)) return -EBUSY;
        targets.push(target);
        registered.add(fp);
        beginRegistration(cx, k, fp, { hook: 'fgraph', ops: 0 });
        return 0;
      }),
    unregisterFprobe: (cx, _k, fp) => removal(cx, fp),
    unregisterFprobeAsync: (cx, _k, fp) => removal(cx, fp),
    fprobeIsRegistered: (cx, _k, fp) => act(cx.cpu.state, () => registered.has(fp)),
    fprobeState: (_k, fp) => ({ registered: registered.has(fp), free: 1, nodes: 2, entries: 3 }),
  };
  const era: Profile = { ...known(PROFILES.get(profile), 'the era exists'), links };
  const data = ['fp', 'buffer', 'names'];
  const m = smallKernel({ functions: FUNCTIONS, data, profile: era, strict });
  return { m, targets, registered };
}

function scripted({ m }: StandIn, more: Partial<Parameters<typeof newFprobe>[1]> = {}): Fprobe {
  return newFprobe(m.k, { name: 'fp0', entryHandler: m.fn('cb').address, ...more });
}

function perform(
  { m }: StandIn,
  cx: Context,
  fp: Fprobe | undefined,
  request: FprobeRequest,
): Path<number> {
  return fprobeOperation(cx, m.k, fp, request);
}

const REGISTER = { op: 'register_fprobe', filter: 'a*', notfilter: undefined } as const;
const UNREGISTER = { op: 'unregister_fprobe' } as const;

/** Puts `text` into the guest's buffer at `offset`. */
function write(m: SmallKernel, text: string, offset = 0): Address {
  const at = m.data('buffer') + offset;
  for (let i = 0; i < text.length; i++) m.machine.memory.store8(at + i, text.charCodeAt(i));
  m.machine.memory.store8(at + text.length, 0);
  return at;
}

function storePointers(m: SmallKernel, pointers: readonly Address[]): void {
  pointers.forEach((at, i) => {
    m.machine.memory.store64(m.data('names') + 8 * i, addressLo(at), addressHi(at));
  });
}

test('a call is told with its target; the era has the target with its arguments checked', () => {
  const era = standIn();
  const fp = scripted(era);
  const a1 = era.m.fn('a1').site;
  const requests: readonly FprobeRequest[] = [
    { op: 'register_fprobe', filter: 'a*', notfilter: 'a2' },
    UNREGISTER,
    { op: 'register_fprobe_ips', ips: [a1] },
    UNREGISTER,
    { op: 'register_fprobe_syms', syms: ['b1', 'a1'] },
    { op: 'unregister_fprobe_async' },
    UNREGISTER,
  ];
  const results: number[] = [];
  era.m.control(function* (cx) {
    for (const request of requests) results.push(yield* perform(era, cx, fp, request));
  });
  expect(results).toEqual([0, 0, 0, 0, 0, 0, -EINVAL]);
  expect(era.targets).toEqual([
    { filter: 'a*', notfilter: 'a2' },
    { ips: [a1] },
    { syms: ['a1', 'b1'] },
  ]);
  expect(era.m.events('ctl_begin').map(({ op, object, text }) => [op, object, text])).toEqual([
    ['register_fprobe', 1, 'a*\na2'],
    ['unregister_fprobe', 1, ''],
    ['register_fprobe_ips', 1, hexAddress(a1)],
    ['unregister_fprobe', 1, ''],
    ['register_fprobe_syms', 1, 'b1 a1'],
    ['unregister_fprobe_async', 1, ''],
    ['unregister_fprobe', 1, ''],
  ]);
  expect(era.m.events('ctl_end').map((e) => e.generation)).toEqual([1, 1, 2, 2, 3, 3, 3]);
  expect(era.m.events('fprobe_state')).toMatchObject([
    { object: 1, registered: false, nmissed: 0, free: 1, nodes: 2, entries: 3 },
  ]);
});

test('NULL and empty arguments are refused before the era hears of them; soft disabling ignores NULL (fprobe.md 1)', () => {
  const era = standIn();
  const fp = scripted(era);
  const refused: readonly FprobeRequest[] = [
    { op: 'register_fprobe', filter: undefined, notfilter: 'a2' },
    { op: 'register_fprobe_ips', ips: undefined },
    { op: 'register_fprobe_ips', ips: [] },
    { op: 'register_fprobe_syms', syms: undefined },
    { op: 'register_fprobe_syms', syms: [] },
  ];
  era.m.control(function* (cx) {
    for (const request of refused) expect(yield* perform(era, cx, fp, request)).toBe(-EINVAL);
    for (const request of [REGISTER, UNREGISTER] as const) {
      expect(yield* perform(era, cx, undefined, request)).toBe(-EINVAL);
    }
    expect(yield* perform(era, cx, undefined, { op: 'disable_fprobe' })).toBe(0);
    expect(yield* perform(era, cx, undefined, { op: 'enable_fprobe' })).toBe(0);
  });
  expect(era.targets).toEqual([]);
  const nulls = era.m.events('ctl_begin').map(({ flags }) => flags & 2);
  expect(nulls).toEqual([2, 2, 0, 2, 0, 0, 0, 0, 0]);
});

test('two disables, one enable: enabled; DISABLED survives registering', () => {
  const era = standIn();
  const fp = scripted(era, { flags: FPROBE_FL_DISABLED | FPROBE_FL_KPROBE_SHARED });
  const seen: number[] = [];
  era.m.control(function* (cx) {
    yield* perform(era, cx, fp, REGISTER);
    seen.push(yield* readFprobeFlags(cx, era.m.k, fp));
    for (const op of [
      'enable_fprobe',
      'disable_fprobe',
      'disable_fprobe',
      'enable_fprobe',
    ] as const) {
      yield* perform(era, cx, fp, { op });
      seen.push(yield* readFprobeFlags(cx, era.m.k, fp));
    }
  });
  expect(seen).toEqual([3, 2, 3, 3, 2]);
  expect(era.m.events('fprobe')).toMatchObject([{ object: 1, hook: 'fgraph', flags: 3 }]);
});

test('an fprobe is announced with the rules that hold for it', () => {
  const era = standIn('v6.14');
  const exit = era.m.fn('cb').address;
  scripted(era, { entryHandler: NO_ADDRESS, exitHandler: exit });
  newFprobe(era.m.k, { name: 'fp1' });
  era.m.control(function* () {
    // Nothing.
  });
  expect(era.m.events('fprobe_rules')).toMatchObject([
    { era: 'v6.14', miss_policy: 'both', count_recursion: false, racy: false },
  ]);
  expect(era.m.events('object')).toMatchObject([
    { kind: 'fprobe', object: 1, name: 'fp0', callback: exit },
    { kind: 'fprobe', object: 2, name: 'fp1', callback: NO_ADDRESS },
  ]);
});

test('there is room for as many as a workload may have', () => {
  const era = standIn('v6.12');
  const all = Array.from({ length: 50 }, (_, i) => newFprobe(era.m.k, { name: `fp${i}` }));
  expect(new Set(all.map(({ address }) => address)).size).toBe(50);
});

/** A guest's zeroed struct with an entry handler, in the layout of the era. */
function guestStruct(m: SmallKernel, layout: FprobeLayout, at = m.data('fp')): Address {
  const { memory } = m.machine;
  const handler = m.fn('cb').address;
  for (let offset = 0; offset < layout.bytes; offset += 8) memory.store64(at + offset, 0, 0);
  memory.store64(at + layout.entryHandler, addressLo(handler), addressHi(handler));
  return at;
}

test.each([
  ['today', FPROBE_LAYOUTS.fgraph],
  ['v6.12', FPROBE_LAYOUTS.rethook],
] as const)('guest code of %s registers a struct of its own', (profile, layout) => {
  const era = standIn(profile);
  const { m } = era;
  const fp = pointer(guestStruct(m, layout));
  const flags = (): number => m.machine.memory.load32(m.data('fp') + layout.flags);
  m.machine.memory.store64(m.data('fp') + layout.entryDataSize, 24, 0);
  m.machine.memory.store32(m.data('fp') + layout.nrMaxactive, -1);
  m.control(function* (cx) {
    expect(yield* call(m, cx, 'fprobe_is_registered', [fp])).toBe(0);
    const filter = pointer(write(m, 'a*'));
    expect(yield* call(m, cx, 'register_fprobe', [fp, filter, pointer(write(m, 'a2', 64))])).toBe(
      0,
    );
    expect(yield* call(m, cx, 'register_fprobe', [fp, filter, 0])).toBe(-EBUSY);
    expect(yield* call(m, cx, 'fprobe_is_registered', [fp])).toBe(1);
    yield* call(m, cx, 'disable_fprobe', [fp]);
    expect(flags()).toBe(1);
    yield* call(m, cx, 'enable_fprobe', [fp]);
    expect(flags()).toBe(0);
    expect(yield* call(m, cx, 'unregister_fprobe', [fp])).toBe(0);
    expect(yield* call(m, cx, 'fprobe_is_registered', [0])).toBe(0);
  });
  expect(era.targets).toEqual([{ filter: 'a*', notfilter: 'a2' }]);
  const cb = m.fn('cb').address;
  expect(m.events('fprobe')).toMatchObject([
    { object: 1, entry: cb, exit: NO_ADDRESS, data_size: 24, maxactive: -1 },
  ]);
});

test('a struct that is zeroed or copied is a new fprobe', () => {
  const era = standIn();
  const { m } = era;
  const at = guestStruct(m, FPROBE_LAYOUTS.fgraph);
  m.control(function* (cx) {
    const a1 = pointer(write(m, 'a1'));
    expect(yield* call(m, cx, 'register_fprobe', [pointer(at), a1, 0])).toBe(0);
    expect(yield* call(m, cx, 'unregister_fprobe', [pointer(at)])).toBe(0);
    guestStruct(m, FPROBE_LAYOUTS.fgraph);
    expect(yield* call(m, cx, 'register_fprobe', [pointer(at), a1, 0])).toBe(0);
  });
  expect(m.events('object').map((e) => e.object)).toEqual([1, 2]);
  expect(m.events('ctl_end').map((e) => e.generation)).toEqual([1, 1, 1]);
});

test('register_fprobe_ips takes an array of addresses, register_fprobe_syms sorts the names where they lie (fprobe.md 1)', () => {
  const era = standIn();
  const { m } = era;
  const fp = pointer(guestStruct(m, FPROBE_LAYOUTS.fgraph));
  const names = pointer(m.data('names'));
  const sites = [m.fn('b1').site, m.fn('a1').address];
  const texts = ['b1', 'a2', 'a1'].map((text, i) => write(m, text, 16 * i));
  const array = (): number[] =>
    [0, 1, 2].map((i) => m.machine.memory.loadLo(m.data('names') + 8 * i));
  m.control(function* (cx) {
    storePointers(m, sites);
    expect(yield* call(m, cx, 'register_fprobe_ips', [fp, names, 2])).toBe(0);
    for (const num of [0, -1]) {
      expect(yield* call(m, cx, 'register_fprobe_ips', [fp, names, num])).toBe(-EINVAL);
    }
    expect(yield* call(m, cx, 'register_fprobe_ips', [fp, 0, 2])).toBe(-EINVAL);
    expect(yield* call(m, cx, 'unregister_fprobe', [fp])).toBe(0);
    storePointers(m, texts);
    expect(yield* call(m, cx, 'register_fprobe_syms', [0, names, 3])).toBe(-EINVAL);
    expect(array()).toEqual(texts.map(addressLo));
    expect(yield* call(m, cx, 'register_fprobe_syms', [fp, names, 3])).toBe(0);
    expect(array()).toEqual(texts.toReversed().map(addressLo));
    expect(yield* call(m, cx, 'register_fprobe_syms', [fp, names, 5000])).toBe(-EINVAL);
  });
  expect(era.targets).toEqual([{ ips: sites }, { syms: ['a1', 'a2', 'b1'] }]);
  expect(m.events('ctl_begin').at(-1)).toMatchObject({ text: 'b1 a2 a1' });
});

test('a name that is missing, borne twice in the list or without a site finds nothing (fprobe.md 1)', () => {
  const m = smallKernel({ functions: { ...FUNCTIONS, '-quiet': [] } });
  const found = (syms: readonly string[]): readonly Address[] | undefined =>
    ftraceLookupSymbols(m.k, syms)?.map(({ ip }) => ip);
  expect(found(['a1', 'b1'])).toEqual([m.fn('a1').site, m.fn('b1').site]);
  for (const syms of [['a1', 'none'], ['a1', 'a1'], ['quiet'], [''], ['a*']]) {
    expect(found(syms)).toBeUndefined();
  }
});

test.each([
  'register_fprobe',
  'unregister_fprobe',
  'disable_fprobe',
  'fprobe_is_registered',
] as const)('%s of an fprobe that was freed uses freed memory (CC-M15)', (name) => {
  const { m } = standIn();
  m.thread('guest', 0, function* (cx) {
    const at = yield* kmalloc(m, cx, 64);
    guestStruct(m, FPROBE_LAYOUTS.fgraph, at);
    yield* call(m, cx, 'disable_fprobe', [pointer(at)]);
    yield* call(m, cx, 'kfree', [pointer(at)]);
    yield* call(m, cx, name, [pointer(at), pointer(write(m, 'a1')), 0]);
  });
  expect(m.machine.run()).toBe('oops');
  expect(m.events('oops').map((e) => e.reason)).toEqual(['freed']);
  expect(m.events('touch')).toHaveLength(1);
});

test('the kernel itself may come to an fprobe that was freed (CC-M15)', () => {
  const era = standIn();
  const { m } = era;
  m.thread('guest', 0, function* (cx) {
    const at = yield* kmalloc(m, cx, 64);
    guestStruct(m, FPROBE_LAYOUTS.fgraph, at);
    yield* call(m, cx, 'register_fprobe', [pointer(at), pointer(write(m, 'a1')), 0]);
    yield* call(m, cx, 'kfree', [pointer(at)]);
    for (const fp of era.registered) yield* perform(era, cx, fp, { op: 'disable_fprobe' });
  });
  expect(m.machine.run()).toBe('oops');
  expect(m.events('oops').map((e) => e.reason)).toEqual(['freed']);
});

test('registering where nobody may sleep is an oops; soft disabling is not', () => {
  for (const [name, ending] of [
    ['register_fprobe', 'oops'],
    ['unregister_fprobe', 'oops'],
    ['disable_fprobe', 'run_end'],
  ] as const) {
    const { m } = standIn();
    const fp = pointer(guestStruct(m, FPROBE_LAYOUTS.fgraph));
    m.thread('guest', 0, function* (cx) {
      yield* preemptDisable(cx);
      yield* call(m, cx, name, [fp, pointer(write(m, 'a1')), 0]);
      yield* preemptEnable(cx);
    });
    expect(m.machine.run()).toBe(ending);
    expect(m.events('oops').every((e) => e.reason === 'scheduling while atomic')).toBe(true);
  }
});

function symbols(profile: string): ReadonlySet<string> {
  return new Set(standIn(profile).m.machine.stubs.addresses().keys());
}

test('kernel symbols are those of the era', () => {
  expect(symbols('today').has('unregister_fprobe_async')).toBe(true);
  expect(symbols('v6.12').has('unregister_fprobe_async')).toBe(false);
  expect(symbols('v6.12').has('register_fprobe')).toBe(true);
  expect(symbols('v2.6.31').has('register_fprobe')).toBe(false);
  expect(symbols('v2.6.31').has('kprobe_running')).toBe(true);
});
