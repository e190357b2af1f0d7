// Layer trace. Variants of what ops->flags ask for (docs/spec/mutants.md, M-26..M-28, M-31..M-33).
import { ftraceOpsUpdateCode } from '../ftrace-filter.ts';
import { ftraceRollBackIpmodify } from '../ftrace-ipmodify.ts';
import { FTRACE_OPS_FL_RECURSION, opsHas, wantsRegs } from '../ftrace-ops-flags.ts';
import type { Variant } from './variant.ts';

/** A piece of bookkeeping that is left out. */
function leftOut(): void {
  // Nothing.
}

/** Breaks CC-G15 and CC-G16: nobody can ever claim those functions again. */
const M_26: Variant = {
  id: 'M-26',
  about: 'an IPMODIFY conflict leaves the claims that the failing call has made',
  links: { ftraceRollBackIpmodify: leftOut },
};

/** Breaks CC-G15: as M-26. */
const M_27: Variant = {
  id: 'M-27',
  about: 'unregister does not release IPMODIFY claims',
  links: { ftraceHashIpmodifyDisable: leftOut },
};

/** Breaks CC-G15: a third ops can claim what is still the first one's. */
const M_28: Variant = {
  id: 'M-28',
  about: 'the roll-back of IPMODIFY claims goes one record too far: to the one that is another ops',
  links: {
    ftraceRollBackIpmodify(cx, k, ops, { move, conflict }) {
      ftraceRollBackIpmodify(cx, k, ops, { move, conflict: conflict + 1 });
    },
  },
};

/** Breaks FT-14: its hits find no registers, and are passed over (FT-16). Needs two ops on a site, the newer with SAVE_REGS. */
const M_31: Variant = {
  id: 'M-31',
  about: 'an ops that wants registers does not force the rewrite of a site that serves another',
  links: {
    ftraceUsersWantRegs: (cx, k, users) => users.slice(0, 1).some((ops) => wantsRegs(cx, k, ops)),
  },
};

/** Breaks CC-G23 on the direct path. Needs hooked code in the idle task, and an ops that is alone there. */
const M_32: Variant = {
  id: 'M-32',
  about:
    'the RCU flag is honoured only in the list function: a trampoline calls the callback itself',
  links: {
    ftraceOpsGetFunc: (cx, k, ops) =>
      opsHas(cx, ops, FTRACE_OPS_FL_RECURSION) ? k.assistFunc : cx.read(ops.func),
  },
};

/** Breaks memory safety as CC-G1 has it: a task may be in the trampoline. Needs a second CPU, or preemption there. */
const M_33: Variant = {
  id: 'M-33',
  about: 'a trampoline is freed by the filter change after which no site calls it',
  links: {
    *ftraceOpsUpdateCode(cx, k, ops) {
      yield* ftraceOpsUpdateCode(cx, k, ops);
      const trampoline = cx.read(ops.trampoline)?.address;
      const isUsed = k.records.some((record) => cx.read(record.calls) === trampoline);
      if (!isUsed) yield* k.fn.ftraceTrampolineFree(cx, k, ops);
    },
  },
};

export const FLAGS_VARIANTS: readonly Variant[] = [M_26, M_27, M_28, M_31, M_32, M_33];
