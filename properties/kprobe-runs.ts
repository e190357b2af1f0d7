// Random runs with kprobes and kretprobes on small kernels, from a seed: several probes of one instruction, on ftrace
// sites and elsewhere, handlers that lead back to what is probed, interrupts and NMIs at any boundary; control threads that
// register, switch off and on, and unregister them, alone and in batches. For tests of judges and of variants.
import { known } from '../src/assert.ts';
import type { Context } from '../src/emu/context.ts';
import type { Path } from '../src/emu/path.ts';
import type { ScriptOp } from '../src/emu/script.ts';
import { Random, randomChooser } from '../src/replay/explore/random.ts';
import { type Judged, judgeEvents } from '../src/replay/guarantee/index.ts';
import { newKprobe } from '../src/trace/kprobe-object.ts';
import { type KprobeCall, kprobeOperation, kprobesEnabled } from '../src/trace/kprobe-operation.ts';
import { KPROBE } from '../src/trace/kprobe-struct.ts';
import type { Kprobe } from '../src/trace/kprobe.ts';
import { smallKernel, type SmallKernel, type SmallKernelOptions } from './small-kernel.ts';

export interface KprobeRun {
  readonly m: SmallKernel;
  readonly judged: readonly Judged[];
}

const call = (target: string): ScriptOp => ({ op: 'call', target });
const WORK: ScriptOp = { op: 'work', count: 2 };

const FUNCTIONS: Readonly<Record<string, readonly ScriptOp[]>> = {
  a1: [WORK, call('b1'), WORK, call('n1')],
  b1: [WORK, call('c1')],
  c1: [WORK],
  '-n1': [WORK, call('c1')],
  tick: [call('c1'), call('n1')],
};

const CALLBACKS: Readonly<Record<string, readonly ScriptOp[]>> = {
  pre: [],
  'pre calls': [call('b1')],
  'pre refuses': [{ op: 'return', value: 1 }],
  post: [],
  'post calls': [call('c1')],
  entry: [],
  'entry calls': [call('n1')],
  'entry refuses': [{ op: 'return', value: 1 }],
  ret: [],
  'ret calls': [call('b1')],
};

/** Where probes go: whole functions, and instructions of them that can be stepped. */
const PLACES: readonly (readonly [symbol: string, offset: number])[] = [
  ['a1', 8],
  ['a1', 12],
  ['b1', 8],
  ['c1', 8],
  ['c1', 0],
  ['b1', 0],
  ['n1', 0],
  ['n1', 8],
];

const TASK_TIMES = 6;
const CALLS_MAX = 14;
const STEPS_MAX = 60_000;

/** A run of `seed`, judged. */
export function kprobeRun(seed: number, variants: SmallKernelOptions['variants'] = []): KprobeRun {
  const random = new Random(seed);
  const m = smallKernel({
    functions: FUNCTIONS,
    callbacks: CALLBACKS,
    variants,
    chooser: randomChooser({ seed, schedule: [1, 4], inject: [1, 40], alloc: [0, 1] }),
    machine: { stepsMax: STEPS_MAX, preempt: random.below(3) > 0 },
  });
  const probes = Array.from({ length: 2 + random.below(4) }, (_, i) => newProbe(m, random, i));
  for (const [name, level] of [
    ['irq', 2],
    ['nmi', 3],
  ] as const) {
    const handler = m.fn('tick').address;
    m.machine.injector.add({ name, level, handler, cpu: -1, left: random.below(4) });
  }
  m.task('first', 0, 'a1', TASK_TIMES);
  m.task('second', 1, 'a1', TASK_TIMES);
  m.thread('control', 0, (cx) => controls(cx, m, random, probes));
  m.machine.run();
  return { m, judged: judgeEvents(m.log.events()) };
}

function pick<T>(random: Random, all: readonly T[]): T {
  return known(all[random.below(all.length)], 'one of several');
}

/** Half of them are at one of two places, so that they meet. */
function newProbe(m: SmallKernel, random: Random, index: number): Kprobe {
  const [symbol, offset] =
    random.below(2) === 0 ? pick(random, PLACES) : pick(random, PLACES.slice(3, 5));
  const handler = (...names: string[]): number => m.fn(pick(random, names)).address;
  if (random.below(3) === 0) {
    const entries = ['entry', 'entry calls', 'entry refuses'];
    return newKprobe(m.k, {
      name: `r${index}`,
      kind: 'kretprobe',
      symbol,
      offset: 0,
      handler: handler('ret', 'ret calls'),
      entryHandler: random.below(4) === 0 ? undefined : handler(...entries),
      maxactive: random.below(3),
    });
  }
  return newKprobe(m.k, {
    name: `p${index}`,
    kind: 'kprobe',
    symbol,
    offset,
    preHandler: random.below(5) === 0 ? undefined : handler('pre', 'pre', 'pre calls'),
    postHandler: random.below(2) === 0 ? undefined : handler('post', 'post calls'),
    flags: random.below(6) === 0 ? 2 : 0,
  });
}

/** As a user who fills in the struct anew: `addr` and DISABLED are the kernel's leavings. */
function refill(m: SmallKernel, p: Kprobe): void {
  if (p.node.value !== undefined) return;
  m.machine.memory.store64(p.address + KPROBE.addr, 0, 0);
  m.machine.memory.store32(p.address + KPROBE.flags, 0);
  p.flags.set(0);
}

function* controls(
  cx: Context,
  m: SmallKernel,
  random: Random,
  probes: readonly Kprobe[],
): Path<void> {
  const operate = (op: KprobeCall, ...ps: Kprobe[]): Path<number> =>
    kprobeOperation(cx, m.k, { op, probes: op.startsWith('unregister') ? ps.filter(mayEnd) : ps });
  for (const p of probes) {
    if (random.below(4) > 0) yield* operate(`register_${ofKind(p)}`, p);
  }
  const count = 2 + random.below(CALLS_MAX);
  for (let i = 0; i < count; i++) {
    const p = pick(random, probes);
    const same = probes.filter(({ kind }) => kind === p.kind);
    switch (random.below(9)) {
      case 0:
      case 1:
        yield* operate(`unregister_${ofKind(p)}`, p);
        break;
      case 2:
      case 3:
        cx.make(() => {
          refill(m, p);
        });
        yield* operate(`register_${ofKind(p)}`, p);
        break;
      case 4:
        yield* operate(`disable_${ofKind(p)}`, p);
        break;
      case 5:
        yield* operate(`enable_${ofKind(p)}`, p);
        break;
      case 6:
        yield* kprobesEnabled(cx, m.k, pick(random, ['0', '1', '1']));
        break;
      case 7:
        yield* operate(`unregister_${ofKind(p)}s`, ...same);
        break;
      default:
        cx.make(() => {
          for (const one of same) refill(m, one);
        });
        yield* operate(`register_${ofKind(p)}s`, ...same);
        break;
    }
    yield* m.call(cx, 'c1');
  }
  if (random.below(8) > 0) {
    for (const p of probes) yield* operate(`unregister_${ofKind(p)}`, p);
    yield* m.call(cx, 'a1');
  }
}

/** A kretprobe that is unregistered twice frees its pool twice (KR-8). */
function mayEnd({ kind, node }: Kprobe): boolean {
  return kind !== 'kretprobe' || node.value !== undefined;
}

function ofKind({ kind }: Kprobe): 'kprobe' | 'kretprobe' {
  return kind === 'kretprobe' ? kind : 'kprobe';
}
