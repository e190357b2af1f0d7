// Faults of docs/spec/mutants.md in kprobes and kretprobes that random runs seldom meet: for each one a scene in which
// it is found by the guarantee that it breaks, and in which nothing is wrong without it.
import { expect, test } from 'vitest';
import { CHOICE, type Chooser } from '../src/emu/choose.ts';
import type { Context } from '../src/emu/context.ts';
import type { Path } from '../src/emu/path.ts';
import type { ScriptOp } from '../src/emu/script.ts';
import { randomChooser } from '../src/replay/explore/random.ts';
import { judgeEvents } from '../src/replay/guarantee/index.ts';
import { type KprobeFields, newKprobe } from '../src/trace/kprobe-object.ts';
import { type KprobeCall, kprobeOperation, kprobesEnabled } from '../src/trace/kprobe-operation.ts';
import type { Kprobe } from '../src/trace/kprobe.ts';
import { smallKernel, type SmallKernel } from './small-kernel.ts';

/** What a scene may do. */
interface Stage {
  readonly m: SmallKernel;
  readonly cx: Context;
  readonly probes: readonly Kprobe[];
  /** A call on probes, by their numbers. */
  readonly call: (op: KprobeCall, ...probes: readonly number[]) => Path<number>;
  readonly switch: (text: string) => Path<number>;
  /** From here on no memory is left. */
  readonly starve: () => void;
}

interface Scene {
  readonly probes: readonly (Partial<KprobeFields> & {
    readonly pre?: string;
    readonly post?: string;
  })[];
  readonly control: (stage: Stage) => Path<unknown>;
  readonly preempt?: boolean;
  /** A task that calls a1 all the while, on the other CPU. */
  readonly times?: number;
}

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 3 }];
const BOTH = [{ pre: 'works' }, { pre: 'works' }] as const;

function play(scene: Scene, variants: readonly string[], seed: number): Map<string, string> {
  const inner = randomChooser({ seed, schedule: [1, 2], inject: [0, 1] });
  const chooser: Chooser = {
    choose: (point, count) => (point.kind === CHOICE.alloc ? 1 : inner.choose(point, count)),
  };
  const m = smallKernel({
    functions: {
      a1: WORK,
      b1: [{ op: 'call', target: 'a1' }],
      dies: [...WORK, { op: 'call', target: 'do_exit' }],
    },
    callbacks: {
      pre: [],
      works: [{ op: 'work', count: 20 }],
      refuses: [{ op: 'return', value: 1 }],
    },
    variants,
    chooser,
    machine: { preempt: scene.preempt ?? true, stepsMax: 20_000 },
  });
  const probes = scene.probes.map(({ pre = 'pre', post, ...fields }, i) =>
    newKprobe(m.k, {
      name: `p${i}`,
      kind: 'kprobe',
      symbol: 'a1',
      offset: fields.kind === 'kretprobe' ? 0 : 8,
      preHandler: fields.kind === 'kretprobe' ? undefined : m.fn(pre).address,
      handler: m.fn('works').address,
      postHandler: post === undefined ? undefined : m.fn(post).address,
      ...fields,
    }),
  );
  m.task('other', 1, 'b1', scene.times ?? 12);
  m.thread('control', 0, (cx) =>
    scene.control({
      m,
      cx,
      probes,
      call: (op, ...numbers) =>
        kprobeOperation(cx, m.k, { op, probes: numbers.flatMap((one) => probes[one] ?? []) }),
      switch: (text) => kprobesEnabled(cx, m.k, text),
      starve: () => {
        m.machine.slab.failing = new Set(['ftrace_hash']);
      },
    }),
  );
  m.machine.run();
  const judged = judgeEvents(m.log.events());
  return new Map(
    judged.flatMap(({ guarantee, verdict }) =>
      verdict.status === 'broken' ? [[guarantee.name, verdict.why] as const] : [],
    ),
  );
}

function* alone({ call, m, probes }: Stage): Path<void> {
  for (let i = 0; i < 4; i++) {
    yield* call('register_kprobe', 0);
    yield* call('unregister_kprobe', 0);
    clear(m, probes);
  }
}

/** As a user who fills in the structs anew. */
function clear(m: SmallKernel, probes: readonly Kprobe[]): void {
  for (const { address, flags } of probes) {
    m.machine.memory.store64(address + 40, 0, 0);
    m.machine.memory.store32(address + 60, 0);
    flags.set(0);
  }
}

function* siblings({ call, m, probes }: Stage): Path<void> {
  for (let i = 0; i < 3; i++) {
    yield* call('register_kprobe', 0);
    yield* call('register_kprobe', 1);
    yield* call('unregister_kprobe', 1);
    yield* call('unregister_kprobe', 0);
    clear(m, probes);
  }
}

function* returns({ call, m, probes }: Stage): Path<void> {
  for (let i = 0; i < 4; i++) {
    yield* call('register_kretprobe', 0);
    yield* call('unregister_kretprobe', 0);
    clear(m, probes);
  }
}

/** Fault, guarantee, reason, scene, and a seed. */
const SCENES: readonly (readonly [string, string, RegExp, Scene, number])[] = [
  ['M-61', 'text', /nobody claimed/u, { probes: [{}], control: alone }, 7],
  ['M-62', 'text', /nobody claimed/u, { probes: [{}], control: alone }, 1],
  [
    'M-63',
    'unregister',
    /p1 .* (?:was still running|began)/u,
    { probes: BOTH, control: siblings },
    57,
  ],
  [
    'M-64',
    'memory',
    /kprobe_insn_slot .* was used/u,
    { probes: [{}], control: alone, preempt: false },
    19,
  ],
  [
    'M-65',
    'unregister',
    /p1 .* (?:was still running|began)/u,
    {
      probes: [...BOTH, { offset: 12 }],
      *control({ call }) {
        yield* call('register_kprobes', 0, 1, 2);
        yield* call('unregister_kprobes', 2, 1);
        yield* call('unregister_kprobe', 0);
      },
    },
    296,
  ],
  ['M-66', 'text', /nobody claimed/u, { probes: BOTH, control: siblings }, 8],
  [
    'M-71',
    'pairing',
    /was executed although the pre_handler of p0 .* had refused/u,
    {
      probes: [{ pre: 'refuses', post: 'pre' }],
      control: ({ call }) => call('register_kprobe', 0),
    },
    1,
  ],
  [
    'M-73',
    'failed-call',
    /p0 is not DISABLED/u,
    {
      probes: [{ offset: 0 }],
      *control({ call, starve }) {
        yield* call('register_kprobe', 0);
        yield* call('disable_kprobe', 0);
        starve();
        yield* call('enable_kprobe', 0);
      },
    },
    1,
  ],
  [
    'M-80',
    'failed-call',
    /p0 is DISABLED at the end/u,
    {
      probes: [{}],
      *control(stage) {
        yield* stage.call('register_kprobe', 0);
        yield* stage.switch('0');
      },
    },
    1,
  ],
  [
    'M-84',
    'unregister',
    /the return handler of p0/u,
    { probes: [{ kind: 'kretprobe' }], control: returns },
    11,
  ],
  [
    'M-87',
    'quiescence',
    /instances of p0 were not back|return of dies\+0x4 was taken/u,
    {
      probes: [{ kind: 'kretprobe', symbol: 'dies' }],
      times: 1,
      *control({ call, cx, m }) {
        yield* call('register_kretprobe', 0);
        m.task('mortal', 1, 'dies');
        for (let i = 0; i < 8; i++) yield* m.call(cx, 'b1');
        yield* call('unregister_kretprobe', 0);
      },
    },
    1,
  ],
];

test.each(SCENES)('%s is found by %s', (id, guarantee, why, scene, seed) => {
  expect(play(scene, [id], seed).get(guarantee)).toMatch(why);
  expect(play(scene, [], seed)).toEqual(new Map());
});

test('E-5: the sync of a lone breakpoint is wait enough', () => {
  for (let seed = 1; seed <= 60; seed++) {
    expect(play({ probes: [{ pre: 'works' }], control: alone }, ['M-63'], seed)).toEqual(new Map());
  }
});
