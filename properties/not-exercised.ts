// What exists and is never exercised, each with its reason; whatever else is not, fails the test. A line whose
// thing is exercised by now has to go.

const ENDING = 'runs of the kernel as it is do not end so, or the properties fail';
const FPROBE = 'fprobe is being built';
const KILL = 'nobody but ftrace writes its sites; src/trace/ftrace.test.ts does';

/** By section and name, as in the table of `npm run -s exercised`. */
export const NOT_EXERCISED: Readonly<Record<string, string>> = {
  'event oops': ENDING,
  'event deadlock': ENDING,
  'event no_progress': ENDING,
  'event kill': KILL,
  'event func_abandon':
    'functions of these runs return; those of src/trace/abandoned.test.ts do not',
  'event count': 'counters come with fprobe',
  'event fprobe': FPROBE,
  'event fprobe_data': FPROBE,
  'event entry_result': FPROBE,
  'event hook': FPROBE,
  'event unhook': FPROBE,
  'event fprobe_rules': FPROBE,
  'event fprobe_state': FPROBE,
  'step ftrace-modify: ftraceBug': KILL,
};
