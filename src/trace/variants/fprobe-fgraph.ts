// Layer trace. Variants of fprobe on the function-graph machine (docs/spec/mutants.md, "fprobe"). Each is the smallest
// replacement that makes the change; what it breaks and what it takes to see it is said above it. Left out: H-46, which
// needs helpers of the return machine that can be hooked, and this one has none.
import type { Path } from '../../emu/path.ts';
import { wordAt } from '../fgraph-stack.ts';
import { fgraphOf, wordsOf } from '../fgraph-state.ts';
import { ftraceStartupSubops } from '../fgraph-subops.ts';
import { fgraphWriteFrame } from '../fgraph.ts';
import { freeHlist } from '../fprobe-fgraph.ts';
import { missFprobe } from '../fprobe-miss.ts';
import { nodeFprobe, nodesOf } from '../fprobe-table.ts';
import type { Variant } from './variant.ts';

/** A step that is not made. */
function* nothing(): Path<void> {
  // Nothing.
}

/** Breaks CC-G8: a handler may be running. Needs a second CPU. */
const M_46: Variant = {
  id: 'M-46',
  about: 'unregister_fprobe does not wait (H-01)',
  links: { fprobeUnregisterWait: nothing },
};

/** Breaks CC-G8: a hit that comes after the wait still finds the fprobe. Needs a second CPU. */
const M_47: Variant = {
  id: 'M-47',
  about: 'unregister_fprobe waits before it unlinks the fprobe',
  links: {
    *unregisterFprobe(cx, k, fp) {
      yield* k.fn.fprobeUnregisterWait(cx, k);
      return yield* k.fn.unregisterFprobeAsync(cx, k, fp);
    },
  },
};

/** Breaks memory safety: a walker may stand on a node. Needs a second CPU. */
const M_48: Variant = {
  id: 'M-48',
  about: 'unregister_fprobe frees its nodes at once',
  links: {
    fprobeFreeHlist: freeHlist,
  },
};

/** Breaks CC-G3: an empty filter is all functions. */
const M_49: Variant = {
  id: 'M-49',
  about: 'the last site leaves the filter of a hook that stays registered',
  links: { fprobeHookIsOver: () => false },
};

/** Breaks CC-G16: the next hit walks freed nodes. Needs a failure behind the first node. */
const M_50: Variant = {
  id: 'M-50',
  about: 'register_fprobe, when it fails, frees its nodes without unlinking them (H-05)',
  links: {
    fprobeUndoRegister: (cx, _k, hlist) => freeHlist(cx, hlist),
  },
};

/** Breaks CC-G8: a call in flight gets its exit after unregister. Needs a second CPU. */
const M_51: Variant = {
  id: 'M-51',
  about: 'a return does not look whether the fprobe still exists',
  links: {
    *fprobeStillExists(cx, k, address) {
      yield* nothing();
      return cx.make(() => {
        const fp = k.fprobes.byAddress.get(address);
        return fp === undefined ? undefined : { fp, generation: fp.generation.value };
      });
    },
  },
};

/** Breaks CC-G22: an interrupt uses the words that exit handlers still read. Needs one that is hooked, too. */
const M_52: Variant = {
  id: 'M-52',
  about: 'a frame is given back before the exit handlers run',
  links: {
    *ftraceReturnToHandler(cx, k, regs) {
      const call = yield* k.fn.ftracePopReturnTrace(cx, k, regs);
      yield* k.fn.fgraphDropFrame(call);
      yield* k.fn.fgraphCallReturn(cx, k, call);
      return call.next;
    },
  },
};

/** Breaks CC-G22: the frame is that of an interrupt which came before the advance. Needs one that is hooked, too. */
const M_53: Variant = {
  id: 'M-53',
  about: 'a frame is written before the advance only',
  links: { fgraphReserveFrame: fgraphWriteFrame, fgraphWriteFrame: nothing },
};

/** Breaks CC-G22: behind the advance there is no descriptor yet. Needs an interrupt that unwinds. */
const M_54: Variant = {
  id: 'M-54',
  about: 'a frame is written behind the advance only',
  links: { fgraphReserveFrame: nothing },
};

/** Breaks memory: a header lies behind what was reserved. Needs a registration between the two walks. */
const M_55: Variant = {
  id: 'M-55',
  about: 'the entry does not see that fprobes have come between its two walks (H-45)',
  links: { fprobeHasGrown: () => false },
};

/** Breaks FP-50: four bits say that there are no data, so the exit finds headers in them. Needs 121 to 128 bytes. */
const M_56: Variant = {
  id: 'M-56',
  about: 'register_fprobe accepts 16 words of data',
  links: { fprobeDataFits: (bytes) => bytes <= 16 * 8 },
};

/** Breaks CC-G10. Needs two fprobes and no room. */
const M_57: Variant = {
  id: 'M-57',
  about: 'without room only the first fprobe of the site counts the miss',
  links: {
    *fprobeShortage(cx, k, first) {
      const fp = yield* nodeFprobe(cx, first);
      if (fp !== undefined) yield* k.fn.fprobeShortageOf(cx, k, fp, first);
    },
  },
};

/** Breaks CC-G10. Needs an fprobe that is disabled, another that is not, and no room. */
const M_58: Variant = {
  id: 'M-58',
  about: 'without room disabled fprobes count the miss, too',
  links: {
    *fprobeShortageOf(cx, k, fp, { addr: ip }) {
      yield* missFprobe(cx, k, fp, { reason: 'no_data', ip });
    },
  },
};

/** Breaks CC-S9.4. Needs an fprobe with and one without exit handler on a site. */
const M_59: Variant = {
  id: 'M-59',
  about: 'a site stays hooked while an fprobe of the other hook wants it (H-06)',
  links: { fprobeIpIsUsed: (k, ip) => nodesOf(k, ip).some(({ fp }) => fp.value !== undefined) },
};

/** Breaks FP-58. Needs a module whose functions are all that fprobes want, and that goes. */
const H_23: Variant = {
  id: 'H-23',
  about: 'a module that goes takes the last site out of a hook that stays registered',
  links: { fprobeHookIsOver: ({ users }) => users === 0 },
};

/** Breaks CC-S9.4: sites stay hooked for nobody. */
const H_24: Variant = {
  id: 'H-24',
  about: 'sites that no fprobe wants any more stay in the filter of the hook',
  links: { fprobeFilterOut: nothing },
};

/** Breaks CC-G11. Needs an exit handler that calls a probed function. */
const H_25: Variant = {
  id: 'H-25',
  about: 'exit handlers run without the recursion lock',
  links: { fgraphCallReturn: (cx, k, call) => k.fn.fgraphCallRetFuncs(cx, k, call) },
};

/** Breaks FT-58. Needs the last hook to go and another to come. */
const H_28: Variant = {
  id: 'H-28',
  about: 'a manager whose hash was emptied is taken for one that selects all functions',
  links: {
    *ftraceStartupSubops(cx, k, gops) {
      const { manager, subops } = cx.make(() => fgraphOf(k));
      const isEmptied = cx.read(manager.generation) > 0 && cx.read(subops).length === 0;
      if (!isEmptied) return yield* ftraceStartupSubops(cx, k, gops);
      cx.write(subops, [gops]);
      return yield* k.fn.ftraceStartup(cx, k, manager);
    },
  },
};

/** Breaks FP-79: the return parses what an earlier call has left. Needs an entry handler that rejects. */
const H_44: Variant = {
  id: 'H-44',
  about: 'of the unused tail of a reservation as many bytes are cleared as it has words',
  links: {
    *fprobeClearTail(cx, k, { call, data, used, reserved }) {
      yield* nothing();
      cx.make(() => {
        const stack = wordsOf(cx, k, call.task);
        const at = wordAt(stack, data + used);
        for (let i = 0; i < reserved - used; i++) stack.memory.store8(at + i, 0);
      });
    },
  },
};

export const FPROBE_FGRAPH_VARIANTS: readonly Variant[] = [
  M_46,
  M_47,
  M_48,
  M_49,
  M_50,
  M_51,
  M_52,
  M_53,
  M_54,
  M_55,
  M_56,
  M_57,
  M_58,
  M_59,
  H_23,
  H_24,
  H_25,
  H_28,
  H_44,
];
