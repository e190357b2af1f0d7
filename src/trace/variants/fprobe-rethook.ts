// Layer trace. Variants of fprobe on rethook (docs/spec/mutants.md, "fprobe", and historical bugs of the same code). Each
// is the smallest replacement that makes the change; all of it is for the profiles v6.12, v6.1 and v5.18. Left out: H-46,
// which needs helpers of the return machine that can be hooked, and this one has none.
import { NO_ADDRESS } from '../../emu/address.ts';
import { enter, type Path } from '../../emu/path.ts';
import { preemptDisable, preemptEnable } from '../../emu/preempt.ts';
import { missFprobe, skipFprobe } from '../fprobe-miss.ts';
import { fprobeExitUnlocked, isAlwaysWatching, unhookFreedFirst } from '../fprobe-rethook-eras.ts';
import { ownRethook } from '../fprobe-rethook.ts';
import { kprobeBusyBegin, kprobeBusyEnd, kprobeRunning } from '../kprobe-busy.ts';
import {
  rethookGetHandler,
  rethookGiveBack,
  rethookRunHandler,
  rethookUnlink,
  showReturn,
} from '../rethook-return.ts';
import { fprobeOf, type RethookHandler } from '../rethook.ts';
import type { Variant } from './variant.ts';

/** Breaks CC-G7: a call that slept meanwhile finds its handler after the waits. Needs a probed function that sleeps. */
const M_35: Variant = {
  id: 'M-35',
  about: 'unregister_fprobe stops returns only after the hook is gone',
  links: {
    *fprobeUnhook(cx, k, own) {
      const result = yield* enter(k.fn.unregisterFtraceFunction(cx, k, own.ops));
      if (result < 0) return result;
      const rethook = cx.make(() => ownRethook(own));
      if (rethook !== undefined) yield* k.fn.rethookFree(cx, k, rethook);
      yield* k.fn.ftraceFreeFilter(cx, k, own.ops);
      return 0;
    },
  },
};

/** Breaks CC-G7: a hit takes a node of a pool that is gone. Needs a second CPU. */
const M_36: Variant = {
  id: 'M-36',
  about: 'unregister_fprobe frees the rethook before the hook is gone',
  links: { fprobeUnhook: unhookFreedFirst },
};

/** Breaks CC-G10. Needs a pool that is smaller than the calls. */
const M_38: Variant = {
  id: 'M-38',
  about: 'an empty pool is not counted in nmissed',
  links: {
    *fprobeNoNode(cx, _k, fp, { reason, ip }) {
      skipFprobe(cx, fp, reason, ip);
      yield* nothing();
    },
  },
};

function* nothing(): Path<void> {
  // No step.
}

/** Breaks CC-G9. */
const M_39: Variant = {
  id: 'M-39',
  about: 'the return is taken although the entry handler refused',
  links: {
    fprobeSettle: (cx, k, node, { hit }) => k.fn.rethookHook(cx, k, node, hit),
  },
};

/** Breaks CC-O11: each refusal costs a node. */
const M_40: Variant = {
  id: 'M-40',
  about: 'a call that the entry handler refuses keeps its node',
  links: {
    *fprobeSettle(cx, k, node, { hit, result }) {
      if (result === 0) yield* k.fn.rethookHook(cx, k, node, hit);
      else skipFprobe(cx, fprobeOf(node), 'rejected', hit.ip);
    },
  },
};

/** Breaks CC-G9: an interrupt takes the node, and the handler is given its call. Needs that interrupt. */
const M_41: Variant = {
  id: 'M-41',
  about: 'nodes go back to the pool before the exit handlers run',
  links: {
    *rethookReturn(cx, k, nodes, taken) {
      yield* preemptDisable(cx);
      showReturn(cx, k, taken);
      yield* rethookGiveBack(cx, k, nodes, 'return');
      yield* k.fn.rethookRunHandlers(cx, k, nodes, taken);
      yield* rethookUnlink(cx, k, nodes, taken);
      yield* preemptEnable(cx);
    },
  },
};

/** Breaks CC-G7: the pool waits for a node that comes no more. Needs a call that outlives its fprobe. */
const M_42: Variant = {
  id: 'M-42',
  about: 'a node of a stopped rethook goes back to the pool',
  links: { rethookRecycle: (cx, k, node) => k.fn.rethookPush(cx, node) },
};

/** Breaks CC-O10. Needs two fprobes on one function. */
const M_43: Variant = {
  id: 'M-43',
  about: 'a return is looked up in the first node, whatever address that holds',
  links: { rethookFindNodes: (newest) => (newest === undefined ? [] : [newest]) },
};

/** Breaks FP-9. Needs a call that is under way when its fprobe is disabled. */
const M_44: Variant = {
  id: 'M-44',
  about: 'an exit handler runs although its fprobe is disabled',
  links: {
    *fprobeExitDisabled() {
      yield* nothing();
      return false;
    },
  },
};

/** The tasks wait of unregister outlasts a stretch that does not sleep. */
const E_7: Variant = {
  id: 'E-7',
  about: 'handlers of a return are loaded before preemption is off',
  links: {
    *rethookReturn(cx, k, nodes, taken) {
      const handlers: (RethookHandler | undefined)[] = [];
      for (const node of nodes) handlers.push(yield* rethookGetHandler(cx, node));
      yield* preemptDisable(cx);
      showReturn(cx, k, taken);
      for (const [i, node] of nodes.entries()) {
        yield* rethookRunHandler(cx, k, node, { ...taken, handler: handlers[i] });
      }
      yield* rethookUnlink(cx, k, nodes, taken);
      yield* rethookGiveBack(cx, k, nodes, 'return');
      yield* preemptEnable(cx);
    },
  },
};

/** Breaks CC-G12: behind the hit no kprobe runs, as far as anybody knows. Needs a hit in a handler of a kprobe. */
const M_45: Variant = {
  id: 'M-45',
  about: 'a shared fprobe does not look whether a kprobe runs',
  links: {
    *fprobeKprobeHandler(cx, k, fp, hit) {
      const bit = yield* k.fn.fprobeLock(cx, k, fp, hit);
      if (bit < 0) return;
      yield* kprobeBusyBegin(cx, k);
      yield* k.fn.fprobeEnter(cx, k, fp, hit);
      yield* kprobeBusyEnd(cx, k);
      yield* k.fn.traceClearRecursion(cx, k, bit);
    },
  },
};

/** Breaks FP-34: only the pool puts an end to it. Needs an exit handler that calls a probed function. */
const H_07: Variant = {
  id: 'H-07',
  about: 'an exit handler takes no recursion lock',
  links: { fprobeExitHandler: fprobeExitUnlocked },
};

/** Breaks CC-G11: bit and preempt_count stay as the hit has set them. Needs a hit while a kprobe runs. */
const H_08: Variant = {
  id: 'H-08',
  about: 'a hit that finds a kprobe running does not unlock',
  links: {
    *fprobeKprobeHandler(cx, k, fp, hit) {
      const bit = yield* k.fn.fprobeLock(cx, k, fp, hit);
      if (bit < 0) return;
      if ((yield* kprobeRunning(cx, k)) !== NO_ADDRESS) {
        yield* missFprobe(cx, k, fp, { reason: 'kprobe_running', ip: hit.ip });
        return;
      }
      yield* kprobeBusyBegin(cx, k);
      yield* k.fn.fprobeEnter(cx, k, fp, hit);
      yield* kprobeBusyEnd(cx, k);
      yield* k.fn.traceClearRecursion(cx, k, bit);
    },
  },
};

/** Breaks CC-G7 on a CPU that RCU does not watch: the pool may go under it. Needs hooked code in the idle task. */
const H_36: Variant = {
  id: 'H-36',
  about: 'nodes are taken also where RCU does not watch',
  links: { rethookIsWatching: isAlwaysWatching },
};

/** Breaks CC-O11. Needs an allocation that fails. */
const H_47: Variant = {
  id: 'H-47',
  about: 'rethook_alloc forgets the rethook when there is no memory for its nodes',
  links: { rethookAllocFailed: nothing },
};

export const FPROBE_RETHOOK_VARIANTS: readonly Variant[] = [
  M_35,
  M_36,
  M_38,
  M_39,
  M_40,
  M_41,
  M_42,
  M_43,
  M_44,
  E_7,
  { ...E_7, id: 'M-37', about: 'handlers of a kretprobe are loaded before preemption is off' },
  M_45,
  { ...M_35, id: 'H-03', about: 'running exit handlers are not stopped before the wait' },
  { ...M_36, id: 'H-04', about: 'an entry can take a node from a rethook that was released' },
  H_07,
  H_08,
  H_36,
  H_47,
];
