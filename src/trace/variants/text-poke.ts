// Layer trace. Variants of text patching (docs/spec/mutants.md, M-06..M-11). All break CC-G24 and need a
// second CPU; M-06, M-07 and M-11 an unrelated breakpoint as well.
import { fetchAdd, type Path, readOnce, writeOnce } from '../../emu/path.ts';
import { allocate, type KObject, release, touch } from '../../emu/slab.ts';
import { emulateAt, type TextPokeLoc, textPokePublish, textPokeRetire } from '../text-poke.ts';
import type { Variant } from './variant.ts';

/** A SYNC that nobody sends. */
function* noSync(): Path<void> {
  // Nothing.
}

/** A trap that comes in between looks at the sites of the batch before. */
const M_06: Variant = {
  id: 'M-06',
  about: 'the patch descriptor is published before it says what it describes',
  links: {
    *textPokePublish(_cx, k, vec) {
      yield* writeOnce(k.poke.refs, 1);
      yield* writeOnce(k.poke.vec, vec);
    },
  },
};

/** A trap may still look at the descriptor when the next batch rewrites it. */
const M_07: Variant = {
  id: 'M-07',
  about: 'a patch batch ends while traps still look at its descriptor',
  links: {
    *textPokeRetire(_cx, k) {
      yield* fetchAdd(k.poke.refs, -1);
    },
  },
};

/** A CPU that still fetches the old first half finds the new tail behind it: a torn instruction. */
const M_08: Variant = {
  id: 'M-08',
  about: 'no SYNC after the breakpoints are written',
  links: { textPokeSyncBreakpoint: noSync },
};

/** A CPU that holds the old tail finds the new first half: a torn instruction. */
const M_09: Variant = {
  id: 'M-09',
  about: 'no SYNC after the tails are written',
  links: { textPokeSyncTail: noSync },
};

/** A CPU may still take the breakpoint when the descriptor is gone: nobody's breakpoint. */
const M_10: Variant = {
  id: 'M-10',
  about: 'no SYNC after the first halves are written',
  links: { textPokeSyncDone: noSync },
};

/** Each batch has a descriptor of its own, by its sites. */
const DESCRIPTORS = new WeakMap<readonly TextPokeLoc[], KObject>();

/** A trap that has found the descriptor looks at it when it is gone. Needs an unrelated breakpoint. */
const M_11: Variant = {
  id: 'M-11',
  about: 'a trap finds the descriptor of a batch and takes its reference in two steps',
  links: {
    *textPokePublish(cx, k, vec) {
      const memory = yield* allocate(cx, { kind: 'bp_patching_desc', bytes: 16 });
      if (memory !== undefined) DESCRIPTORS.set(vec, memory);
      yield* textPokePublish(cx, k, vec);
    },
    *textPokeRetire(cx, k) {
      yield* textPokeRetire(cx, k);
      const memory = DESCRIPTORS.get(cx.make(() => k.poke.vec.value));
      if (memory !== undefined) yield* release(cx, memory);
    },
    *pokeInt3Handler(cx, k, pc) {
      const { refs, vec } = k.poke;
      if ((yield* readOnce(refs)) === 0) return undefined;
      const sites = yield* readOnce(vec);
      yield* fetchAdd(refs, 1);
      const memory = DESCRIPTORS.get(sites);
      if (memory !== undefined) touch(cx, memory);
      const next = emulateAt(cx, sites, pc);
      yield* fetchAdd(refs, -1);
      return next;
    },
  },
};

export const TEXT_POKE_VARIANTS: readonly Variant[] = [M_06, M_07, M_08, M_09, M_10, M_11];
