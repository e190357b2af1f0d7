// Layer trace. Variants of the sysctl and of the pid filter (docs/spec/mutants.md, M-29, M-30, M-34).
import type { Path } from '../../emu/path.ts';
import { ftraceShutdown } from '../ftrace.ts';
import type { Variant } from './variant.ts';

/** Breaks CC-G17: what asked never to be switched off comes up switched off. Sequential. */
const M_29: Variant = {
  id: 'M-29',
  about: 'PERMANENT is checked by the sysctl only, not by register',
  links: { isPermanentRefused: () => false },
};

/** Breaks CC-G1: at 1 the ops fires again. Needs 0 around unregister, and a hit afterwards. */
const M_30: Variant = {
  id: 'M-30',
  about: 'unregister with ftrace_enabled=0 returns before it takes the ops off the list',
  links: {
    *ftraceShutdown(cx, k, ops) {
      const refused = k.fn.ftraceShutdownCheck(cx, k, ops);
      if (refused < 0) return refused;
      return cx.read(k.ftrace.enabled) ? yield* ftraceShutdown(cx, k, ops) : 0;
    },
  },
};

/** Left out. */
function* keepFunc(): Path<void> {
  // Nothing.
}

/** Breaks FT-18: the next registration takes the pid check for the callback. Needs a PID ops that comes back. */
const M_34: Variant = {
  id: 'M-34',
  about: 'unregister does not restore saved_func, so the next register wraps the pid check',
  links: { ftraceRestoreFunc: keepFunc },
};

export const FILE_VARIANTS: readonly Variant[] = [M_29, M_30, M_34];
