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
  'event unwind': FPROBE,
  'step ftrace-modify: ftraceBug': KILL,
  'step CC-H11.3 kprobe-busy: kprobeBusyBegin writeOnce(running, KPROBE_BUSY)': FPROBE,
  'step CC-H11.3 kprobe-busy: kprobeRunning readOnce(running)': FPROBE,
  'step CC-S8 CC-S9 fprobe-struct: readFprobeFlags readOnce(fp.flags)': FPROBE,
  'step fprobe-callback: callFprobeEntry callGuest(cx.cpu.state, call.handler, words(fp, call, CA ...':
    FPROBE,
  'step fprobe-callback: callFprobeExit callGuest(cx.cpu.state, call.handler, words(fp, call, CA ...':
    FPROBE,
  'step fprobe-callback: callFprobeVoidEntry callGuest(cx.cpu.state, call.handler, words(fp, call, CA ...':
    FPROBE,
  'step fprobe-miss: fprobeIncNmissed': FPROBE,
  'step fprobe-miss: incInOneStep act(fp.nmissed, () => { if (fp.memory?.live !== false) s ...':
    FPROBE,
  'step fprobe-miss: incInTwoSteps readOnce(fp.nmissed)': FPROBE,
  'step fprobe-miss: setNmissed act(fp.nmissed, () => { if (fp.memory?.live !== false) s ...':
    FPROBE,
  'step fprobe-operation: disableFprobe': FPROBE,
  'step fprobe-operation: enableFprobe': FPROBE,
  'step fprobe-struct: changeFprobeFlags act(fp.flags, () => { if (fp.memory?.live === false) ret ...':
    FPROBE,
  'step fprobe-unsupported: fprobeIsRegistered': FPROBE,
  'step fprobe-unsupported: fprobeState': FPROBE,
  'step fprobe-unsupported: registerFprobe': FPROBE,
  'step fprobe-unsupported: unregisterFprobe': FPROBE,
  'step fprobe-unsupported: unregisterFprobeAsync': FPROBE,
  'step kprobe-busy: kprobeBusyBegin preemptDisable(cx)': FPROBE,
  'step kprobe-busy: kprobeBusyEnd preemptEnable(cx)': FPROBE,
  'step kprobe-busy: kprobeBusyEnd writeOnce(running, NO_ADDRESS)': FPROBE,
};
