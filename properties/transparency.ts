// A run of random functions without probes, then with a probe of each instruction in turn, of each function, and of all that
// can be probed at once, while interrupts come in between: what is in the data then, registers included, is compared with
// what the functions computed unprobed.
import { assert, known } from '../src/assert.ts';
import type { Address } from '../src/emu/address.ts';
import type { Context } from '../src/emu/context.ts';
import type { FunctionSymbol } from '../src/emu/image.ts';
import type { Path } from '../src/emu/path.ts';
import { identify, isWide } from '../src/emu/riscv/instruction.ts';
import type { ScriptOp } from '../src/emu/script.ts';
import { Random, randomChooser } from '../src/replay/explore/random.ts';
import { EINVAL } from '../src/trace/errno.ts';
import { type KprobeFields, newKprobe, refillKprobe } from '../src/trace/kprobe-object.ts';
import { type KprobeCall, kprobeOperation } from '../src/trace/kprobe-operation.ts';
import type { Kprobe, KprobeKind } from '../src/trace/kprobe.ts';
import { PROFILES } from '../src/trace/profile.ts';
import type { Variant } from '../src/trace/variants/variant.ts';
import { smallKernel, type SmallKernel } from './small-kernel.ts';
import {
  clobberText,
  DATA_BYTES,
  functionText,
  mainText,
  type Programs,
} from './transparency-programs.ts';

export interface Drawn {
  readonly programs: Programs;
  readonly seed: number;
  readonly era: 'today' | 'v6.12' | 'v2.6.31';
  readonly preempt: boolean;
  /** With a post_handler nothing is boosted. */
  readonly post: boolean;
}

export interface Outcome {
  /** What differs, and with which probe: `f1+24: area`. */
  readonly differences: readonly string[];
  /** What was probed and hit: forms, and ways to pass them. */
  readonly seen: ReadonlySet<string>;
}

/** The last one has no call site. */
const FUNCTIONS = ['f0', 'f1', 'f2'] as const;
const CODE: readonly ScriptOp[] = Array.from({ length: 60 }, () => ({ op: 'work', count: 8 }));
const HANDLERS = ['pre', 'post', 'entry', 'ret', 'tick'] as const;
const STEPS_MAX = 400_000;
const INJECTED = 200;

/** Where the code of a function begins, behind its landing pad and call site. */
function codeOf({ address, site }: FunctionSymbol): Address {
  return site >= 0 ? site + 4 : address;
}

function kernelOf({ era, preempt, seed }: Drawn, variants: readonly Variant[]): SmallKernel {
  return smallKernel({
    functions: { f0: CODE, f1: CODE, '-f2': CODE, '-main': CODE },
    callbacks: Object.fromEntries([...HANDLERS, 'jump'].map((name) => [name, CODE])),
    data: ['area', 'regs', 'init'],
    profile: known(PROFILES.get(era), era),
    variants,
    chooser: randomChooser({ seed, schedule: [1, 8], inject: [1, 24], alloc: [0, 1] }),
    machine: { stepsMax: STEPS_MAX, preempt, cpus: 1 },
  });
}

/** Puts the functions where scripted ones were. */
function writePrograms(m: SmallKernel, programs: Programs): void {
  const { core, stubs } = m.machine;
  FUNCTIONS.forEach((name, index) => {
    const fn = m.fn(name);
    const next = FUNCTIONS[index + 1];
    const at = codeOf(fn);
    const callee = next === undefined ? undefined : m.fn(next).address;
    const body = known(programs[index], 'there are three');
    const halves = functionText(body, { at, callee });
    assert(2 * halves.length < fn.address + fn.size - at, 'the function has room');
    core.writeText(at, halves);
  });
  const [area, regs, init] = [m.data('area'), m.data('regs'), m.data('init')];
  const main = m.fn('main').address;
  core.writeText(main, mainText({ at: main, callee: m.fn('f0').address, area, regs, init }));
  for (const name of HANDLERS) core.writeText(m.fn(name).address, clobberText(m.fn(name).address));
  const last = stubs.addresses().get('jprobe_return');
  if (last === undefined) return;
  const jump = m.fn('jump').address;
  core.writeText(jump, clobberText(jump, { call: last }));
}

interface Place {
  readonly addr: Address;
  readonly name: string;
  readonly form: string;
  /** Not to be probed (KP-100). */
  readonly isReserved: boolean;
}

/** The instructions of the functions; the call site is one, the landing pad another. */
function placesOf(m: SmallKernel): readonly Place[] {
  const { memory } = m.machine;
  return FUNCTIONS.flatMap((name) => {
    const fn = m.fn(name);
    const places: Place[] = [];
    let isReserved = false;
    for (let addr = fn.address; ;) {
      const low = memory.load16(addr);
      const high = memory.load16(addr + 2);
      const form = known(identify(low, high), 'there are only instructions').form.name;
      if (form.startsWith('lr.')) isReserved = true;
      places.push({ addr, name: `${name}+${addr - fn.address}`, form, isReserved });
      if (form.startsWith('sc.')) isReserved = false;
      if (form === 'c.jr' && low === 0x8082) return places;
      addr += isWide(low) ? 4 : 2;
    }
  });
}

interface Bench {
  readonly m: SmallKernel;
  readonly random: Random;
  readonly initial: Uint8Array;
  readonly differences: string[];
  expected: readonly Uint8Array[];
}

const SYMBOLS = ['area', 'regs'] as const;

/** Runs the functions on the same data as before; what is in it then. */
function* computed(cx: Context, { m, initial }: Bench): Path<readonly Uint8Array[]> {
  const { memory } = m.machine;
  const bytes = (symbol: string): Uint8Array => {
    const segment = known(memory.segmentAt(m.data(symbol)), 'the data has a segment');
    const offset = m.data(symbol) - segment.base;
    return segment.bytes.subarray(offset, offset + DATA_BYTES);
  };
  cx.make(() => {
    bytes('area').set(initial.subarray(0, DATA_BYTES));
    bytes('regs').fill(0);
    bytes('init').set(initial.subarray(DATA_BYTES));
  });
  yield* m.call(cx, 'main');
  return cx.make(() => SYMBOLS.map((symbol) => bytes(symbol).slice()));
}

/** As before, with these probes. */
function* compare(cx: Context, bench: Bench, name: string, probes: readonly Kprobe[]): Path<void> {
  const { m, differences } = bench;
  const kinds: readonly KprobeKind[] = ['kprobe', 'kretprobe', 'jprobe'];
  for (const kind of kinds) {
    const some = probes.filter((p) => p.kind === kind);
    if (some.length > 0) {
      const result = yield* operate(cx, m, `register_${kind}s` as KprobeCall, some);
      if (result < 0) differences.push(`${name}: ${kind} ${result}`);
    }
  }
  const found = yield* computed(cx, bench);
  SYMBOLS.forEach((symbol, index) => {
    const expected = bench.expected[index];
    const at = found[index]?.findIndex((byte, offset) => byte !== expected?.[offset]) ?? -1;
    if (at >= 0) differences.push(`${name}: ${symbol}+${at}`);
  });
  for (const kind of kinds) {
    const some = probes.filter((p) => p.kind === kind);
    if (some.length > 0) yield* operate(cx, m, `unregister_${kind}s` as KprobeCall, some);
  }
}

function operate(cx: Context, m: SmallKernel, op: KprobeCall, ps: readonly Kprobe[]): Path<number> {
  return kprobeOperation(cx, m.k, { op, probes: ps });
}

interface Probe {
  readonly name: string;
  readonly fields: KprobeFields;
  readonly p: Kprobe;
  readonly place: Place | undefined;
}

/** A probe of each instruction, one of each function's return, and where there are jprobes one of each entry. */
function probesOf(m: SmallKernel, { era, post }: Drawn): readonly Probe[] {
  const handler = (name: string): Address => m.fn(name).address;
  const all: Omit<Probe, 'p'>[] = placesOf(m).map((place) => ({
    name: place.name,
    place,
    fields: {
      name: place.name,
      kind: 'kprobe',
      addr: place.addr,
      preHandler: handler('pre'),
      postHandler: post ? handler('post') : undefined,
    },
  }));
  for (const name of FUNCTIONS) {
    const addr = handler(name);
    const both = { handler: handler('ret'), entryHandler: handler('entry'), maxactive: 4 };
    const ret = { name: `${name} return`, kind: 'kretprobe', addr, ...both } as const;
    all.push({ name: ret.name, fields: ret, place: undefined });
    if (era !== 'v2.6.31') continue;
    const entry = { name: `${name} entry`, kind: 'jprobe', addr, entry: handler('jump') } as const;
    all.push({ name: entry.name, fields: entry, place: undefined });
  }
  return all.map((one) => Object.assign({}, one, { p: newKprobe(m.k, one.fields) }));
}

/** Which can be registered; the others say why. */
function* possible(cx: Context, bench: Bench, probes: readonly Probe[]): Path<readonly Probe[]> {
  const { m, differences } = bench;
  const found: Probe[] = [];
  for (const one of probes) {
    const { fields, name, p, place } = one;
    const result = yield* operate(cx, m, `register_${p.kind}` as KprobeCall, [p]);
    if (result === 0) found.push(one);
    else if (place?.isReserved !== true || result !== -EINVAL)
      differences.push(`${name}: ${place?.form ?? p.kind} ${result}`);
    if (result !== 0) continue;
    yield* operate(cx, m, `unregister_${p.kind}` as KprobeCall, [p]);
    cx.make(() => {
      refillKprobe(m.k, p, fields);
    });
  }
  return found;
}

/** What differs, and what was seen. */
export function transparency(drawn: Drawn, variants: readonly Variant[] = []): Outcome {
  const m = kernelOf(drawn, variants);
  writePrograms(m, drawn.programs);
  const random = new Random(drawn.seed);
  const initial = Uint8Array.from({ length: 2 * DATA_BYTES }, () => initialByte(random));
  const bench: Bench = { m, random, initial, differences: [], expected: [] };
  const mayProbe = ({ place }: Probe): boolean =>
    drawn.era !== 'v2.6.31' || (place?.isReserved !== true && !isSite(m, place));
  const probes = probesOf(m, drawn).filter(mayProbe);
  const places = new Map(probes.map(({ place }) => [place?.addr ?? -1, place?.form ?? '']));
  for (const [name, level] of [
    ['irq', 2],
    ['nmi', 3],
  ] as const)
    m.machine.injector.add({ name, level, handler: m.fn('tick').address, cpu: -1, left: INJECTED });
  m.thread('control', 0, function* (cx) {
    bench.expected = yield* computed(cx, bench);
    const usable = yield* possible(cx, bench, probes);
    for (const { name, fields, p } of usable) {
      yield* compare(cx, bench, name, [p]);
      cx.make(() => {
        refillKprobe(m.k, p, fields);
      });
    }
    yield* compare(
      cx,
      bench,
      'all',
      usable.map(({ p }) => p),
    );
  });
  const ending = m.machine.run();
  if (ending !== 'run_end') bench.differences.push(`the run ends with ${ending}`);
  return { differences: bench.differences, seen: seenIn(m, places) };
}

/** In that era call sites belong to ftrace alone (KP-10.6). */
function isSite(m: SmallKernel, place: Place | undefined): boolean {
  return FUNCTIONS.some((name) => m.fn(name).site === place?.addr);
}

/** Small numbers and large ones: branches go both ways. */
function initialByte(random: Random): number {
  return random.below(3) === 0 ? random.below(256) : random.below(2) * 255;
}

function seenIn(m: SmallKernel, forms: ReadonlyMap<Address, string>): ReadonlySet<string> {
  const seen = new Set<string>();
  for (const e of m.log.events()) {
    if (e.event === 'kprobe_step') {
      seen.add(e.how);
      seen.add(`probed ${forms.get(e.ip) ?? ''}`);
    }
    if (e.event === 'cb_begin') seen.add(e.kind);
    if (e.event === 'skip') seen.add(e.reason);
  }
  return seen;
}
