// Layer trace. Variants of jump-optimised kprobes (docs/spec/mutants.md): M-77..M-79, the historical ones about the
// optimiser's lists, flag and wait, and E-9 of text patching.
import type { Context } from '../../emu/context.ts';
import { type Path, sleepUntil, update } from '../../emu/path.ts';
import { synchronize } from '../../emu/rcu.ts';
import { callTarget, C_EBREAK } from '../../emu/text.ts';
import { EINVAL } from '../errno.ts';
import type { Kernel } from '../kernel.ts';
import { getOptimizedKprobe, reuseUnusedKprobe, unoptimizeKprobe } from '../kprobe-opt.ts';
import type { KprobeOptimizer } from '../kprobe-optimizer-state.ts';
import { doOptimizeKprobes, isUnused, kickKprobeOptimizer } from '../kprobe-optimizer.ts';
import { freeInsnSlot } from '../kprobe-slot.ts';
import { KPROBE_FLAG_DISABLED, KPROBE_FLAG_OPTIMIZED } from '../kprobe-struct.ts';
import type { KprobeNode } from '../kprobe.ts';
import { textPokePublish } from '../text-poke.ts';
import type { Variant } from './variant.ts';

const LOW_HALF = 0xffff;

function isIn(
  cx: Context,
  k: Kernel,
  list: 'optimizing' | 'unoptimizing',
  node: KprobeNode,
): KprobeOptimizer | undefined {
  const optimizer = cx.make(() => k.kprobes?.optimizer);
  return optimizer !== undefined && cx.read(optimizer[list]).includes(node) ? optimizer : undefined;
}

/** A task that was parked between two instructions goes on inside the jump that replaced them. */
const M_77: Variant = {
  id: 'M-77',
  about: 'a kprobe becomes a jump without a wait for tasks that are parked in its instructions',
  links: {
    *optimizerSynchronize() {
      // Nothing.
    },
  },
};

function* optimizeLate(cx: Context, k: Kernel, optimizer: KprobeOptimizer): Path<void> {
  for (const node of cx.read(optimizer.optimizing)) {
    yield* update(node.flags, (flags) => flags | KPROBE_FLAG_OPTIMIZED);
  }
  yield* doOptimizeKprobes(cx, k, optimizer);
}

/** A task that comes behind the wait is stepped, and may be parked between the instructions again. */
const M_78: Variant = {
  id: 'M-78',
  about: 'OPTIMIZED is set behind the wait, so that hits before are stepped one by one',
  links: {
    *queueToOptimize(cx, k, optimizer, node) {
      cx.write(optimizer.optimizing, [node, ...cx.read(optimizer.optimizing)]);
      yield* kickKprobeOptimizer(cx, k, optimizer);
    },
    doOptimizeKprobes: optimizeLate,
    *unoptimizeKprobe(cx, k, node, force) {
      const optimizer = isIn(cx, k, 'optimizing', node);
      if (optimizer === undefined) yield* unoptimizeKprobe(cx, k, node, force);
      else yield* k.fn.cancelOptimize(cx, optimizer, node);
    },
  },
};

/** The jump leads into text that is gone. */
const M_79: Variant = {
  id: 'M-79',
  about: 'unregister frees the detour of a kprobe that is still a jump',
  links: {
    mustLinger: () => false,
    *archRemoveOptimizedKprobe(cx, _k, { optinsns }, { memory }) {
      yield* freeInsnSlot(cx, optinsns, memory, false);
    },
  },
};

/** e4add247789e: the probe that waits to be put back is only dequeued, and stays a jump. */
const H_16: Variant = {
  id: 'H-16',
  about: 'forcing a kprobe that waits to be unoptimised only dequeues it',
  links: {
    *unoptimizeKprobe(cx, k, node, force) {
      const optimizer = force ? isIn(cx, k, 'unoptimizing', node) : undefined;
      if (optimizer === undefined) yield* unoptimizeKprobe(cx, k, node, force);
      else k.fn.cancelUnoptimize(cx, optimizer, node);
    },
  },
};

/** c85c9a2c6e36: early at boot nobody ends grace periods for tasks yet, and the optimiser waits under two mutexes. */
const H_17: Variant = {
  id: 'H-17',
  about: 'the optimiser waits for a grace period before there is a thread that ends it',
  links: {
    *optimizerSynchronize(cx, k) {
      const thread = cx.make(() => k.machine.cells.cell('rcu_tasks_kthread', 0));
      yield* sleepUntil(thread, (started) => started === 1);
    },
  },
};

/** 868a6fc0ca24, f1c97a1b4ef7: the jump that comes later replaces the neighbour's breakpoint. */
const H_18: Variant = {
  id: 'H-18',
  about: 'a probe in the region of one that is only queued to become a jump does not stop that',
  links: {
    getOptimizedKprobe(cx, k, addr) {
      const node = getOptimizedKprobe(cx, k, addr);
      return node === undefined || isIn(cx, k, 'optimizing', node) ? undefined : node;
    },
  },
};

/** a30b85df7d59: preempted tasks are in no region of RCU. */
const H_32: Variant = {
  id: 'H-32',
  about: 'a kprobe becomes a jump behind a grace period that does not wait for preempted tasks',
  links: {
    *optimizerSynchronize(cx) {
      yield* synchronize(cx, 'synchronize_rcu');
    },
  },
};

/** 5f843ed41558: the test of what can be reused is the wrong way round. */
const H_49: Variant = {
  id: 'H-49',
  about: 'an unused kprobe that could be revived is refused instead',
  links: {
    *reuseUnusedKprobe(cx, k, node) {
      if (!isUnused(cx, node)) return yield* reuseUnusedKprobe(cx, k, node);
      yield* update(node.flags, (flags) => flags & ~KPROBE_FLAG_DISABLED);
      return -EINVAL;
    },
  },
};

/** The new instruction begins with the last phase instead of the first. A kprobe's breakpoint is the kprobe's own. */
const E_9: Variant = {
  id: 'E-9',
  about: 'a trap during a patch does what the old instruction did',
  links: {
    *textPokePublish(cx, k, vec) {
      const old = cx.make(() =>
        vec.flatMap(({ ip, link }) => {
          const word = k.machine.text.word(ip);
          const isBreakpoint = (word & LOW_HALF) === C_EBREAK;
          return isBreakpoint ? [] : [{ ip, link, target: callTarget(ip, word) }];
        }),
      );
      yield* textPokePublish(cx, k, old);
    },
  },
};

export const KPROBE_OPT_VARIANTS: readonly Variant[] = [
  M_77,
  M_78,
  M_79,
  E_9,
  H_16,
  H_17,
  H_18,
  H_32,
  H_49,
];
