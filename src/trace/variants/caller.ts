// Layer trace. Variants of the pair {function_trace_op, inner call} (docs/spec/mutants.md, M-19..M-21): a caller must
// not pass one ops to the function of another (FT-27, CC-S3). All need the machine option `trampolines: false`
// and static ops, and a second CPU.
import { type Path } from '../../emu/path.ts';
import { setFunctionTraceOp } from '../ftrace-modify.ts';
import type { Variant } from './variant.ts';

/** A step of CC-S3 that is left out. */
function* leftOut(): Path<void> {
  // Nothing.
}

/**
 * Sites reach the old function before the inner call is another: one that its ops did not select (FT-27), and, when
 * the last ops goes, a caller that is late passes what is not its ops any more.
 */
const M_19: Variant = {
  id: 'M-19',
  about: 'the inner call does not go to the list function while sites are patched',
  links: { ftraceInnerToListFunc: leftOut },
};

/** The new function is called, and the old ops passed. */
const M_20: Variant = {
  id: 'M-20',
  about: 'function_trace_op is stored after the inner call has changed (H-14)',
  links: {
    *ftraceModifyAllCode(cx, k) {
      const { ftrace, caller } = k;
      const final = cx.read(ftrace.traceFunction);
      const innerChanges = final !== cx.read(ftrace.innerCalls);
      if (innerChanges) yield* k.fn.ftraceInnerToListFunc(cx, k);
      yield* k.fn.ftraceReplaceCode(cx, k);
      if (!innerChanges || final === caller.listFunc) return;
      yield* k.fn.syncFunctionTraceOp(cx);
      yield* k.fn.ftraceUpdateFtraceFunc(cx, k, final);
      yield* setFunctionTraceOp(cx, k);
    },
  },
};

/** A caller that has loaded the old ops and was not interrupted since meets the new inner call. */
const M_21: Variant = {
  id: 'M-21',
  about: 'no SYNC between the store of function_trace_op and the new inner call',
  links: { syncFunctionTraceOp: leftOut },
};

export const CALLER_VARIANTS: readonly Variant[] = [M_19, M_20, M_21];
