// Layer trace. Variants of the global switch and of kretprobes (docs/spec/mutants.md, "kprobes", M-80 to M-88; M-37 as
// kretprobes have it). Each is the smallest replacement that makes the change.
import { known } from '../../assert.ts';
import type { Context } from '../../emu/context.ts';
import { mutexLock, mutexUnlock } from '../../emu/lock.ts';
import type { Path } from '../../emu/path.ts';
import { skip } from '../ftrace-caller.ts';
import type { Kernel } from '../kernel.ts';
import { KPROBE_FLAG_DISABLED, writeKprobeFlags } from '../kprobe-struct.ts';
import { disarmAllKprobes } from '../kprobe-switch.ts';
import { probesOf } from '../kprobe-table.ts';
import type { Kprobe, KprobeNode } from '../kprobe.ts';
import { initKretprobe, registerKretprobe } from '../kretprobe.ts';
import type { Variant } from './variant.ts';

function* nothing(): Path<void> {
  // No step.
}

/** Breaks KP-26. */
const M_80: Variant = {
  id: 'M-80',
  about: 'the global switch sets DISABLED on the probes that it disarms',
  links: {
    *disarmAllKprobes(cx, k) {
      yield* disarmAllKprobes(cx, k);
      const nodes = cx.make(() => (k.kprobes?.table ?? []).flatMap(({ value }) => value));
      for (const node of nodes) {
        for (const p of cx.make(() => probesOf(node)))
          yield* writeKprobeFlags(cx, k, p, (flags) => flags | KPROBE_FLAG_DISABLED);
      }
    },
  },
};

/** Breaks KR-4 (H-52): each refusal costs an instance. */
const M_81: Variant = {
  id: 'M-81',
  about: 'an instance is not given back when the entry handler refuses',
  links: { kretprobeRejected: nothing },
};

/** Breaks CC-G10. Needs more calls than instances. */
const M_82: Variant = {
  id: 'M-82',
  about: 'a call without an instance is not counted',
  links: {
    *kretprobeNoInstance(cx, _k, p, { reason, ip }) {
      const generation = cx.make(() => p.generation.value);
      skip(cx, { object: p.object, generation, reason, ip });
      yield* nothing();
    },
  },
};

/** Breaks CC-G14. Needs a call under way. */
const M_83: Variant = {
  id: 'M-83',
  about: 'unregister_kretprobe does not stop returns',
  links: { kretprobeFree: nothing },
};

/** Breaks CC-G14. Needs a call under way, and a return that is late. */
const M_84: Variant = {
  id: 'M-84',
  about: 'unregister_kretprobe stops returns behind the wait',
  links: { unregisterKretprobes: stopBehindWait },
};

/** Breaks CC-G14. Needs a second CPU. */
const M_85: Variant = {
  id: 'M-85',
  about: 'unregister_kretprobe does not wait',
  links: { kretprobeSynchronizeRcu: nothing },
};

/** Breaks CC-G12. Needs a return handler that leads to a kprobe. */
const M_86: Variant = {
  id: 'M-86',
  about: 'return handlers run without a current kprobe',
  links: { kretprobeBusy: nothing },
};

/** Breaks KR-12. Needs a task that ends inside a probed call. */
const M_87: Variant = {
  id: 'M-87',
  about: 'instances of a task that died are not given back',
  links: { rethookFlushTask: nothing },
};

/** Breaks KR-2 (H-29): calls under way return to a pool that is forgotten. Needs a second registration meanwhile. */
const M_88: Variant = {
  id: 'M-88',
  about: 'register_kretprobe makes a new pool before it refuses a duplicate',
  links: {
    *registerKretprobe(cx, k, p) {
      yield* initKretprobe(cx, k, p);
      yield* k.fn.kretprobeAlloc(cx, k, p);
      return yield* registerKretprobe(cx, k, p);
    },
  },
};

/** As M-84 says. */
function* stopBehindWait(cx: Context, k: Kernel, ps: readonly Kprobe[]): Path<void> {
  const { mutex } = known(k.kprobes, 'there are kprobes');
  const left: KprobeNode[] = [];
  yield* mutexLock(cx, mutex);
  for (const p of ps) {
    const node = yield* k.fn.unregisterKprobeTop(cx, k, p);
    if (node === undefined) yield* k.fn.clearKprobeAddr(cx, k, p);
    else if (node !== 'shared') left.push(node);
  }
  yield* mutexUnlock(cx, mutex);
  yield* k.fn.kretprobeSynchronizeRcu(cx);
  for (const p of ps) yield* k.fn.kretprobeFree(cx, k, p);
  for (const node of left) yield* k.fn.unregisterKprobeBottom(cx, k, node);
}

export const KRETPROBE_VARIANTS: readonly Variant[] = [
  M_80,
  M_81,
  M_82,
  M_83,
  M_84,
  M_85,
  M_86,
  M_87,
  M_88,
];
