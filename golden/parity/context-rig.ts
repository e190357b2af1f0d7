// What scenarios with interrupted handlers need beside the rig of kprobes: handlers that raise an interrupt or an NMI on their
// own CPU, once, and the code that comes then.
import { defineHandler } from '../../src/replay/handler.ts';
import type { FunctionModel, TimelineItem } from '../../src/replay/workload/model.ts';
import { kprobeRig } from './kprobe-rig.ts';
import type { KernelModel, Rig } from './rig.ts';

/** Handlers that are interrupted: the callback of an ops, and both of an fprobe. */
export const INTERRUPTED = {
  ops: 'interrupted_ops',
  entry: 'interrupted_entry',
  exit: 'interrupted_exit',
} as const;

const RAISES = ['nothing', 'raise_irq', 'raise_nmi'] as const;

function interrupted(which: keyof typeof INTERRUPTED): ReturnType<typeof defineHandler> {
  return defineHandler(INTERRUPTED[which], 1, function* (cx) {
    const [ip = 0, parent = 0] = cx.args;
    const locks = which === 'ops' && (yield* cx.read('locks')) !== 0;
    const bit = locks ? yield* cx.call('ftrace_test_recursion_trylock', ip, parent) : 0;
    if (bit < 0) return;
    yield* cx.call(`ran_${which}_begin`);
    const raises = RAISES[yield* cx.read('raises')] ?? 'nothing';
    yield* cx.write('raises', 0); // The code that comes reaches this handler, too.
    if (raises !== 'nothing') yield* cx.call(raises);
    yield* cx.call(`ran_${which}_end`);
    if (locks) yield* cx.call('ftrace_test_recursion_unlock', bit);
  });
}

/** How often a scenario raises each. */
const RAISED_MAX = 8;

const WHICH = ['ops', 'entry', 'exit'] as const;
const MARKS = [...WHICH, 'intruder'].flatMap((name) => [`ran_${name}_begin`, `ran_${name}_end`]);
const SILENT: FunctionModel = { body: [], notrace: true };
const INTRUDER: FunctionModel = {
  body: [
    'call ran_intruder_begin',
    'call tgt_help',
    { if: 'intrudes_a1', body: ['call tgt_a1'] },
    'call ran_intruder_end',
  ],
  notrace: true,
};

export function contextRig(model: KernelModel): Rig {
  const base = kprobeRig(model, [
    'tgt_a1',
    'tgt_help',
    'tgt_rec',
    'tgt_outer',
    'tgt_block',
    'tgt_mid',
  ]);
  return {
    ...base,
    bodies: {
      ...base.bodies,
      ...Object.fromEntries(MARKS.map((name) => [name, SILENT])),
      intruder: INTRUDER,
    },
    data: { ...base.data, raises: 8, intrudes_a1: 8 },
    handlers: [...(base.handlers ?? []), ...WHICH.map(interrupted)],
    timeline: Array.from({ length: RAISED_MAX }, (_, i): readonly TimelineItem[] => [
      { on: { enter: 'raise_irq', nth: i + 1 }, irq: { run: 'intruder' } },
      { on: { enter: 'raise_nmi', nth: i + 1 }, nmi: { run: 'intruder' } },
    ]).flat(),
  };
}
