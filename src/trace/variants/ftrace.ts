// Layer trace. Variants of the hook lifecycle and of filters (docs/spec/mutants.md, "ftrace core and text"). Each is the
// smallest replacement that makes the change; what it breaks and what it takes to see it is said above it.
import type { Address } from '../../emu/address.ts';
import { type Path, readOnce, writeOnce } from '../../emu/path.ts';
import { ftraceSetHash, ftraceHashMove, ftraceHashMoveAndUpdateOps } from '../ftrace-filter.ts';
import { freeFtraceHash, ftraceSelection, type Selection } from '../ftrace-hash.ts';
import { FTRACE_OPS_FL_ENABLED, opsHas } from '../ftrace-ops-flags.ts';
import type { Variant } from './variant.ts';

/** A wait that does not wait. */
function* noWait(): Path<void> {
  // Nothing.
}

/** Breaks CC-G1: an idle CPU may still be in the callback. Needs hooked code in the idle task. */
const M_01: Variant = {
  id: 'M-01',
  about: 'unregister does not wait for RCU tasks rude',
  links: { synchronizeRcuTasksRude: noWait },
};

/** Breaks CC-G1: a task preempted in the trampoline wakes up in freed text. Needs that preemption. */
const M_02: Variant = {
  id: 'M-02',
  about: 'unregister does not wait for RCU tasks',
  links: { synchronizeRcuTasks: noWait },
};

/**
 * Breaks CC-G1: a list walker may still stand on the ops. Needs a site whose text does not change because
 * it serves two more ops, or one without a trampoline.
 */
const M_03: Variant = {
  id: 'M-03',
  about: 'unregister waits only when it has patched something (H-02)',
  links: {
    *ftraceShutdown(cx, k, ops) {
      const refused = k.fn.ftraceShutdownCheck(cx, k, ops);
      if (refused < 0) return refused;
      const removed = yield* k.fn.removeFtraceOps(cx, k, ops);
      if (removed < 0) return removed;
      const stale = k.fn.ftraceShutdownRecords(cx, k, ops);
      if (k.fn.ftraceMustUpdate(cx, k, stale)) {
        yield* k.fn.ftraceShutdownUpdate(cx, k, ops);
        yield* k.fn.ftraceShutdownWait(cx, k);
      }
      yield* k.fn.ftraceTrampolineFree(cx, k, ops);
      return 0;
    },
  },
};

/**
 * Breaks CC-G1: after the waits a CPU can still enter through a site that is not patched yet. Needs a second
 * CPU (or a preempted task, or a softirq) on the trampoline path.
 */
const M_04: Variant = {
  id: 'M-04',
  about: 'unregister waits before it patches the sites (H-15)',
  links: {
    *ftraceShutdown(cx, k, ops) {
      const refused = k.fn.ftraceShutdownCheck(cx, k, ops);
      if (refused < 0) return refused;
      const removed = yield* k.fn.removeFtraceOps(cx, k, ops);
      if (removed < 0) return removed;
      const stale = k.fn.ftraceShutdownRecords(cx, k, ops);
      yield* k.fn.ftraceShutdownWait(cx, k);
      if (k.fn.ftraceMustUpdate(cx, k, stale)) yield* k.fn.ftraceShutdownUpdate(cx, k, ops);
      yield* k.fn.ftraceTrampolineFree(cx, k, ops);
      return 0;
    },
  },
};

/** Breaks CC-G1: walkers that start after the waits still find the ops. Needs a second CPU, list path. */
const M_05: Variant = {
  id: 'M-05',
  about: 'unregister takes the ops off the list after the waits',
  links: {
    *ftraceShutdown(cx, k, ops) {
      const refused = k.fn.ftraceShutdownCheck(cx, k, ops);
      if (refused < 0) return refused;
      const stale = k.fn.ftraceShutdownRecords(cx, k, ops);
      if (k.fn.ftraceMustUpdate(cx, k, stale)) yield* k.fn.ftraceShutdownUpdate(cx, k, ops);
      yield* k.fn.ftraceShutdownWait(cx, k);
      const removed = yield* k.fn.removeFtraceOps(cx, k, ops);
      yield* k.fn.ftraceTrampolineFree(cx, k, ops);
      return removed;
    },
  },
};

/**
 * Breaks CC-G2 of the other ops: between the two stores a walker reaches whatever the new ops pointed to
 * before, so the rest of the list is skipped. Needs a second CPU, list path.
 */
const M_12: Variant = {
  id: 'M-12',
  about: 'register links the ops before it has set its next pointer',
  links: {
    *addFtraceOps(cx, k, ops) {
      const head = cx.read(k.ftrace.opsList);
      yield* writeOnce(k.ftrace.opsList, ops);
      yield* writeOnce(ops.next, head);
    },
  },
};

/** Breaks CC-G3: for a while the filter is empty, which means all functions. Needs any hit meanwhile. */
const M_13: Variant = {
  id: 'M-13',
  about: 'a filter with reset first installs the empty hash, then the new one',
  links: {
    *ftraceSetHash(cx, k, ops, change) {
      if (change.reset && change.text !== undefined) {
        yield* ftraceSetHash(cx, k, ops, { which: change.which, reset: true });
      }
      return yield* ftraceSetHash(cx, k, ops, change);
    },
  },
};

/**
 * Breaks CC-G3: a walker sees the live hash while it is empty or half full. Needs a second CPU on the list
 * path. `EMPTY_HASH` is shared, so a first filter is published as always.
 */
const M_14: Variant = {
  id: 'M-14',
  about: 'the live hash is cleared and refilled in place',
  links: {
    *ftraceHashMove(cx, k, ops, move) {
      const live = cx.read(ops[move.which]);
      if (live.memory === undefined) return yield* ftraceHashMove(cx, k, ops, move);
      const enabled = opsHas(cx, ops, FTRACE_OPS_FL_ENABLED);
      if (enabled) k.fn.ftraceHashRecDisable(cx, k, ops, ftraceSelection(cx, ops));
      let ips: ReadonlySet<Address> = new Set();
      yield* writeOnce(live.ips, ips);
      for (const ip of cx.make(() => move.next.ips.value)) {
        ips = new Set([...ips, ip]);
        yield* writeOnce(live.ips, ips);
      }
      if (enabled) k.fn.ftraceHashRecEnable(cx, k, ops, ftraceSelection(cx, ops));
      return move.next;
    },
  },
};

/** Breaks memory safety: a walker between its two pointer loads looks into freed memory. List path. */
const M_15: Variant = {
  id: 'M-15',
  about: 'the old hash is freed without a grace period',
  links: { freeFtraceHashRcu: freeFtraceHash },
};

/** Breaks CC-G4 where the list function decides. Needs a second ops on the site. */
const M_16: Variant = {
  id: 'M-16',
  about: 'the list function ignores the notrace hash',
  links: {
    *ftraceOpsTest(cx, ops, ip) {
      const filter = (yield* readOnce(ops.filterHash)).ips;
      const ips = cx.make(() => filter.value);
      return ips.size === 0 || ips.has(ip) ? undefined : 'filter';
    },
  },
};

/** Breaks CC-G4 where the records decide. Needs a site of this ops alone. */
const M_17: Variant = {
  id: 'M-17',
  about: 'the records ignore the notrace hash',
  links: { ftraceSelects: ({ filter }, ip) => filter.size === 0 || filter.has(ip) },
};

/** Breaks FT-43 and CC-G16: a call that fails must change nothing. */
const M_18: Variant = {
  id: 'M-18',
  about: 'a pattern without a match, with reset, clears the filter before -EINVAL',
  links: {
    *ftraceSetHash(cx, k, ops, change) {
      const fails = k.fn.ftraceMatchRecords(k, new Set(), change) < 0;
      if (fails && change.reset) {
        yield* ftraceSetHash(cx, k, ops, { which: change.which, reset: true });
      }
      return yield* ftraceSetHash(cx, k, ops, change);
    },
  },
};

/** Harmless: each wait flushes old executions only, and none can start in between. */
const E_1: Variant = {
  id: 'E-1',
  about: 'unregister waits in the other order',
  links: {
    *ftraceShutdownWait(cx, k) {
      yield* k.fn.synchronizeRcuTasks(cx);
      yield* k.fn.synchronizeRcuTasksRude(cx);
    },
  },
};

/** Harmless: what fires meanwhile is within old and new together. */
const E_2: Variant = {
  id: 'E-2',
  about: 'the sites are patched before the new hash is stored',
  links: {
    *ftraceHashMoveAndUpdateOps(cx, k, ops, { which, next }) {
      const previous = cx.read(ops[which]);
      if (opsHas(cx, ops, FTRACE_OPS_FL_ENABLED)) {
        const before = ftraceSelection(cx, ops);
        const ips = cx.make(() => next.ips.value);
        const after: Selection =
          which === 'filterHash' ? { ...before, filter: ips } : { ...before, notrace: ips };
        k.fn.ftraceHashRecDisable(cx, k, ops, before);
        k.fn.ftraceHashRecEnable(cx, k, ops, after);
      }
      yield* k.fn.ftraceOpsUpdateCode(cx, k, ops);
      yield* writeOnce(ops[which], next);
      yield* k.fn.freeFtraceHashRcu(cx, k, previous);
      return 0;
    },
  },
};

/** Harmless: both steps stay within old and new together. An empty set has no union to be made. */
const E_3: Variant = {
  id: 'E-3',
  about: 'the filter becomes old and new together first, then new',
  links: {
    *ftraceHashMoveAndUpdateOps(cx, k, ops, move) {
      const live = cx.read(ops[move.which]);
      const [before, after] = cx.make(() => [live.ips.value, move.next.ips.value] as const);
      if (before.size > 0 && after.size > 0) {
        // Without memory for the union there is the usual switch: the call is past its own failures.
        const both = yield* k.fn.allocFtraceHash(cx, k);
        if (both !== undefined) {
          cx.make(() => {
            both.ips.set(new Set([...before, ...after]));
          });
          yield* ftraceHashMoveAndUpdateOps(cx, k, ops, { which: move.which, next: both });
        }
      }
      return yield* ftraceHashMoveAndUpdateOps(cx, k, ops, move);
    },
  },
};

/**
 * Harmless where no hooked code runs in the idle task, nor elsewhere while RCU does not watch: the tasks wait contains
 * a plain one (CC-M12, CC-M10). Elsewhere it is M-01.
 */
const E_6: Variant = {
  id: 'E-6',
  about: 'unregister does not wait for RCU tasks rude, and no idle task runs hooked code',
  links: { synchronizeRcuTasksRude: noWait },
};

export const FTRACE_VARIANTS: readonly Variant[] = [
  M_01,
  M_02,
  M_03,
  M_04,
  M_05,
  M_12,
  M_13,
  M_14,
  M_15,
  M_16,
  M_17,
  M_18,
  E_1,
  E_2,
  E_3,
  E_6,
];
