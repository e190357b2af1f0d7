// Each fault of fprobe on the function-graph machine changes what it says. That judges find them is for properties/ to
// show.
import { expect, test } from 'vitest';
import {
  call,
  DISABLE,
  fprobeKernel,
  type FprobeKernel,
  WORK,
} from '../../../properties/fgraph-kernel.ts';
import { known } from '../../assert.ts';
import { CHOICE, type Chooser } from '../../emu/choose.ts';
import { type Context, LEVEL } from '../../emu/context.ts';
import { guestHandler } from '../../emu/interrupt.ts';
import type { Path } from '../../emu/path.ts';
import type { ScriptOp } from '../../emu/script.ts';
import { sleepFor } from '../../emu/timer.ts';
import { VARIANTS } from './variants.ts';

const RECURSIVE: readonly ScriptOp[] = [
  {
    op: 'if',
    symbol: 'depth',
    offset: 0,
    body: [{ op: 'add', symbol: 'depth', offset: 0, value: -1 }, call('a1')],
  },
];
const FUNCTIONS = {
  a1: WORK,
  a2: WORK,
  b1: WORK,
  sleeper: [{ op: 'sleep', us: 3000 }],
  unwinds: [call('reprobe_unwind')],
  outer: [call('a1'), call('a1')],
} as const;
const CALLBACKS = {
  fp0In: WORK,
  fp0Out: WORK,
  fp1In: WORK,
  fp1Out: WORK,
  in0In: WORK,
  rejIn: [{ op: 'return', value: 1 }],
  rejOut: WORK,
  recOut: RECURSIVE,
} as const;

type Options = Partial<Parameters<typeof fprobeKernel>[0]>;

/** What `path` makes of a kernel, with and without the fault. */
function both<T>(
  variant: string,
  look: (m: FprobeKernel) => T,
  path: (cx: Context, m: FprobeKernel) => Path<unknown>,
  options: (m: () => FprobeKernel) => Options = () => ({}),
): readonly [sound: T, faulty: T] {
  const results = [{}, { variants: [variant] }].map((faulty) => {
    const common = { functions: FUNCTIONS, callbacks: CALLBACKS, data: ['depth'] };
    const m: FprobeKernel = fprobeKernel({ ...common, ...faulty, ...options(() => m) });
    m.thread('control', 0, (cx) => path(cx, m));
    m.machine.run();
    return look(m);
  });
  const [sound, faulty] = results as [T, T];
  return [sound, faulty];
}

/** Waits, ends of grace periods and frees behind the call of unregister, in order. */
function unregisterOrder(m: FprobeKernel): string {
  const begun = m.events('ctl_begin').find(({ op }) => op === 'unregister_fprobe');
  const lines = [...m.log.events()].flatMap((e) => {
    if (begun === undefined || e.index < begun.index) return [];
    if (e.event === 'wait_begin' || e.event === 'rcu_callback' || e.event === 'ctl_end')
      return [e.event];
    return e.event === 'unlock' && e.name === 'fprobe_mutex' ? ['unlinked'] : [];
  });
  return lines.filter((line, i) => line !== lines[i - 1]).join(' ');
}

function* onAndOff(cx: Context, m: FprobeKernel): Path<void> {
  const fp = m.fprobe('fp0');
  yield* m.register(cx, fp, ['a1']);
  yield* m.unregister(cx, fp);
}

test('M-46, M-47, M-48: when unregister_fprobe waits, and when it frees its nodes', () => {
  const order = (id: string): readonly string[] => both(id, unregisterOrder, onAndOff);
  const sound = 'rcu_callback unlinked wait_begin ctl_end';
  expect(order('M-46')).toEqual([sound, 'rcu_callback unlinked ctl_end']);
  expect(order('M-47')).toEqual([sound, 'wait_begin rcu_callback unlinked ctl_end']);
  const frees = both('M-48', (m) => m.events('call_rcu').length, onAndOff);
  expect(frees[0] - frees[1]).toBe(1);
});

/** What is hooked when one of two fprobes is gone; of M-49, both. */
function hookedAfter(id: string): readonly (readonly string[])[] {
  return both(
    id,
    (m) => m.hooked(),
    function* (cx, m) {
      const [fp, other] = [m.fprobe('fp0'), m.fprobe('fp1')];
      yield* m.register(cx, fp, ['a1']);
      yield* m.register(cx, other, ['a2']);
      yield* m.unregister(cx, fp);
      if (id === 'M-49') yield* m.unregister(cx, other);
    },
  );
}

test('M-49, H-24: what is hooked when the last fprobe is gone', () => {
  const [sound, faulty] = hookedAfter('M-49');
  expect([sound, faulty?.length]).toEqual([[], 6]);
  expect(hookedAfter('H-24')).toEqual([
    ['a2 -> graph_ops'],
    ['a1 -> graph_ops', 'a2 -> graph_ops'],
  ]);
});

test('M-50: a hit after a registration that failed uses what was freed', () => {
  let asked = 0;
  const chooser: Chooser = {
    choose: ({ kind }) => (kind === CHOICE.alloc && ++asked === 2 ? 1 : 0),
  };
  const ends = both(
    'M-50',
    (m) => m.events('oops').map(({ reason }) => reason),
    function* (cx, m) {
      asked = 0;
      m.machine.slab.failing = new Set(['fprobe_ip_table']);
      yield* m.register(cx, m.fprobe('fp0'), ['a1', 'a2']);
      yield* m.call(cx, 'a1');
    },
    () => ({ chooser }),
  );
  expect(ends).toEqual([[], ['freed']]);
});

test('M-51: a call in flight has its exit although the fprobe is gone', () => {
  const stories = both(
    'M-51',
    (m) => m.story(),
    function* (cx, m) {
      const fp = m.fprobe('fp0');
      yield* m.register(cx, fp, ['sleeper']);
      // It keeps the hook.
      yield* m.register(cx, m.fprobe('fp1'), ['a1']);
      m.task('runner', 1, 'sleeper');
      yield* sleepFor(cx, 500);
      yield* m.unregister(cx, fp);
      yield* sleepFor(cx, 5000);
    },
  );
  expect(stories).toEqual([
    ['fp0 > sleeper', 'fp0 removed sleeper'],
    ['fp0 > sleeper', 'fp0 < sleeper'],
  ]);
});

/** Once `isArmed`, takes an interrupt that runs `handler` at the `nth` question about scheduling. */
function interrupting(
  m: () => FprobeKernel,
  isArmed: () => boolean,
  [handler, nth]: readonly [string, number],
): Chooser {
  let asked = 0;
  return {
    choose: ({ kind }) => {
      if (kind !== CHOICE.schedule || !isArmed() || ++asked !== nth) return 0;
      const cpu = known(m().machine.cpus[0], 'there is a first CPU');
      const at = m().fn(handler).address;
      cpu.pending.push({ level: LEVEL.hardirq, handler: at, body: guestHandler(at) });
      m().machine.touchCpu(cpu);
      return 0;
    },
  };
}

/** Is a hooked call wrong after an interrupt anywhere? Sound, and with the fault. */
function interrupted(variant: string, handler: string, first: number): readonly [boolean, boolean] {
  let [sound, faulty, isArmed] = [false, false, false];
  for (let nth = first; nth < first + 25; nth++) {
    const [one, other] = both(
      variant,
      isLost,
      function* (cx, m) {
        isArmed = false;
        yield* m.register(cx, m.fprobe('fp0', { entryDataSize: 8 }), ['a1']);
        yield* m.register(cx, m.fprobe('fp1', { entryDataSize: 8 }), ['b1']);
        // So that there is a question at every boundary.
        m.task('other', 1, 'a2');
        isArmed = true;
        yield* m.call(cx, 'a1');
      },
      (m) => ({ chooser: interrupting(m, () => isArmed, [handler, nth]) }),
    );
    sound ||= one;
    faulty ||= other;
  }
  return [sound, faulty];
}

/** Did a call not return, its handlers not run, or the unwinder find what is no return address? */
function isLost(m: FprobeKernel): boolean {
  const returns = new Set(m.events('func_enter').map(({ ra }) => ra));
  if (m.events('unwind').some(({ ret }) => !returns.has(ret))) return true;
  const handlers = m.story().filter((line) => line.endsWith('a1'));
  return m.machine.ending !== 'run_end' || handlers.join() !== 'fp0 > a1,fp0 < a1';
}

test.each([
  ['M-52', 'b1', 55],
  ['M-53', 'b1', 15],
  ['M-54', 'unwinds', 15],
] as const)(
  '%s: an interrupt that runs %s finds or leaves another frame than there is',
  (id, handler, first) => {
    expect(interrupted(id, handler, first)).toEqual([false, true]);
  },
);

test('M-56: 16 words of data are none for the exit handler', () => {
  const data = both(
    'M-56',
    (m) => m.events('fprobe_data').map(({ entry_data: at }) => at !== -1),
    function* (cx, m) {
      yield* m.register(cx, m.fprobe('fp0', { entryDataSize: 128 }), ['a1']);
      yield* m.call(cx, 'a1');
    },
  );
  expect(data).toEqual([[], [true, false]]);
});

/** What each of three fprobes counts, of which one is disabled. */
function countsOf(id: string): readonly (readonly number[])[] {
  return both(
    id,
    (m) => [...m.k.fprobes.byAddress.values()].map((fp) => m.nmissed(fp)),
    function* (cx, m) {
      const all = ['fp0', 'fp1', 'rej'].map((name) => m.fprobe(name, { entryDataSize: 120 }));
      for (const fp of all) yield* m.register(cx, fp, ['a1']);
      yield* m.perform(cx, known(all[1], 'there are three'), DISABLE);
      yield* m.call(cx, 'a1');
    },
  );
}

test('M-57, M-58: who counts a hit without room', () => {
  expect(countsOf('M-57')).toEqual([
    [1, 0, 1],
    [0, 0, 1],
  ]);
  expect(countsOf('M-58')).toEqual([
    [1, 0, 1],
    [1, 1, 1],
  ]);
});

test('M-59: a site that only an fprobe of the other hook wants stays hooked', () => {
  const hooked = both(
    'M-59',
    (m) => m.k.fgraph?.manager.filterHash.value.ips.value.size,
    function* (cx, m) {
      const [fp, other, plain] = [m.fprobe('fp0'), m.fprobe('fp1'), m.fprobe('in0')];
      yield* m.register(cx, fp, ['a1']);
      yield* m.register(cx, other, ['a2']);
      yield* m.register(cx, plain, ['a1']);
      yield* m.unregister(cx, fp);
    },
  );
  expect(hooked).toEqual([1, 2]);
});

test('M-55: a header lies behind what was reserved', () => {
  let phase = 'set up';
  const stopping = (m: () => FprobeKernel): Chooser => {
    const seen = new Set<unknown>();
    return {
      choose: ({ kind, options }, count) => {
        if (kind !== CHOICE.schedule) return 0;
        const { top } = known(m().machine.cpus[1], 'there is a second CPU').top;
        const access = top?.kind === 'path' ? top.pending : undefined;
        if (access?.cell.name === 'ret_stack_words/runner') seen.add(access);
        const stops = phase === 'set up' || (phase === 'stop' && seen.size >= 3);
        return Math.max(0, options.subarray(0, count).indexOf(stops ? 0 : 1));
      },
    };
  };
  const ends = both(
    'M-55',
    (m) => [m.machine.ending, m.story().slice(0, 2)],
    function* (cx, m) {
      phase = 'set up';
      yield* m.register(cx, m.fprobe('fp0'), ['a1']);
      m.task('runner', 1, 'a1');
      phase = 'stop';
      yield* sleepFor(cx, 1);
      yield* m.register(cx, m.fprobe('fp1'), ['a1']);
      phase = 'go on';
    },
    (m) => ({ chooser: stopping(m) }),
  );
  expect(ends).toEqual([
    ['run_end', ['fp1 > a1', 'fp0 grew a1']],
    // The trailer of the reservation is lost, and with it the frame.
    ['oops', ['fp1 > a1', 'fp0 > a1']],
  ]);
});

test('H-25: an exit handler that calls the probed function comes back as often as it likes', () => {
  const exits = both(
    'H-25',
    (m) => m.story().filter((line) => line.includes('<')).length,
    function* (cx, m) {
      m.machine.memory.store64(m.data('depth'), 5, 0);
      yield* m.register(cx, m.fprobe('rec'), ['a1']);
      yield* m.call(cx, 'a1');
    },
  );
  expect(exits).toEqual([2, 6]);
});

test('H-28: after the last hook has gone the next one hooks every function', () => {
  const hooked = both(
    'H-28',
    (m) => m.hooked().length,
    function* (cx, m) {
      yield* onAndOff(cx, m);
      yield* m.register(cx, m.fprobe('fp1'), ['a1']);
    },
  );
  expect(hooked).toEqual([1, 6]);
});

test('H-44: after a rejected call the exit parses what an earlier one has left', () => {
  const stories = both(
    'H-44',
    (m) => m.story().slice(4),
    function* (cx, m) {
      const [first, second] = [m.fprobe('fp0'), m.fprobe('fp1')];
      // Both lie in the reservation; then fp1 is second to one that rejects.
      yield* m.register(cx, second, ['a1']);
      yield* m.register(cx, first, ['a1']);
      yield* m.call(cx, 'a1');
      yield* m.unregister(cx, second);
      yield* m.register(cx, m.fprobe('rej'), ['a1']);
      yield* m.call(cx, 'a1');
    },
  );
  expect(stories[0]).toEqual(['rej > a1', 'rej rejected a1', 'fp0 > a1', 'fp0 < a1']);
  expect(stories[1].length).toBeGreaterThan(4);
});

test('every fault can be chosen by its name', () => {
  const ids = Array.from({ length: 14 }, (_, i) => `M-${46 + i}`);
  expect(ids.filter((id) => !VARIANTS.has(id))).toEqual([]);
});
