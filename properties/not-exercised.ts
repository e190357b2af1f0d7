// What exists and is never exercised, each with its reason; whatever else is not, fails the test. A line whose
// thing is exercised by now has to go.
import { KPROBES_NOT_EXERCISED } from './not-exercised-kprobe.ts';

const ENDING = 'runs of the kernel as it is do not end so, or the properties fail';
const FPROBE =
  'what is drawn at random and recorded with fprobes is younger; unit tests in src/trace do it';
const KILL = 'nobody but ftrace writes its sites; src/trace/ftrace.test.ts does';
const SLOT = 'no kprobe takes a slot yet; src/trace/kprobe-slot.test.ts does';

/** By section and name, as in the table of `npm run -s exercised`. */
export const NOT_EXERCISED: Readonly<Record<string, string>> = {
  ...KPROBES_NOT_EXERCISED,
  'event oops': ENDING,
  'event deadlock': ENDING,
  'event no_progress': ENDING,
  'event fprobe_strict': FPROBE,
  'step ftrace-modify: ftraceBug': KILL,
  'step CC-H14.2 fgraph: ftracePushReturnTrace fetchAdd(overrun, 1)': FPROBE,
  'step CC-S18.2 fgraph-register: startGraphTracing release(cx, unused)': FPROBE,
  'step fgraph-register: startGraph writeOnce(direct, undefined)': FPROBE,
  'step fgraph-register: stopGraph writeOnce(direct, only)': FPROBE,
  'step fprobe-shortage: fprobeShortage': FPROBE,
  'step fprobe-shortage: fprobeShortageOf': FPROBE,
  'step fprobe-fgraph: fprobeIsRegistered readOnce(existence)': FPROBE,
  'step fprobe-rethook: fprobeIsRegistered readOnce(own.ops.savedFunc)': FPROBE,
  'step CC-S11.6 kprobe-slot: collectGarbageSlots mutexLock(cx, cache.mutex)': SLOT,
  'step CC-S11.6 kprobe-slot: collectGarbageSlots mutexUnlock(cx, cache.mutex)': SLOT,
  'step CC-S11.6 kprobe-slot: cleanUp release(cx, page.memory)': SLOT,
};
