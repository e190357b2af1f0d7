// Layer trace. Machine options of fprobe: where the documents, or older kernels, say something else than the kernel that
// is emulated (fprobe.md 8 and 9).

export interface FprobeOptions {
  /** What a shortage of nodes or of room skips: both handlers, or the exit handler alone. */
  readonly missPolicy: 'both' | 'exitOnly';
  /** fgraph: a hit that is refused for recursion counts in `nmissed` (seed002; the kernel does not). */
  readonly countRecursion: boolean;
  /** `nmissed` is incremented by a load and a store, as the kernel does: two CPUs may lose a count. */
  readonly racyCounters: boolean;
  /** fgraph: an entry skipped because a kprobe is running has no exit either (FP-76). */
  readonly sharedStrict: boolean;
  /** Functions that run where RCU does not watch can be hooked (CC-G8). */
  readonly fprobeNonWatching: boolean;
}

export const FPROBE_OPTIONS_DEFAULT: FprobeOptions = {
  missPolicy: 'both',
  countRecursion: false,
  racyCounters: false,
  sharedStrict: false,
  fprobeNonWatching: false,
};
