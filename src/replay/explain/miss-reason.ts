// Layer replay. What each reason of a `skip` means, in our words, and the rules of docs/spec that say so. Which rule it is
// may depend on what the probe hooks with: `rethook`, `fgraph`, a plain `ftrace_ops`, or nobody who is known yet.

/** What the hit came through. */
export type HookKind = 'rethook' | 'fgraph' | 'ops';

export interface Reason {
  /** Why, in a few words. */
  readonly words: string;
  readonly rules: readonly string[];
  /** What the rules say of it, in one sentence. */
  readonly statement: string;
}

type ByHook = Readonly<Record<HookKind, Reason>>;

const NO_COUNT = 'nothing is counted';

function same(words: string, rules: readonly string[], statement: string): ByHook {
  const reason = { words, rules, statement };
  return { rethook: reason, fgraph: reason, ops: reason };
}

const RECURSION_WORDS = 'the recursion lock was refused';
const LOCK =
  'A trylock takes the bit of its context, or TRANSITION when that is set; with both set it is refused';

const REASONS: Readonly<Record<string, ByHook>> = {
  recursion: {
    rethook: {
      words: RECURSION_WORDS,
      rules: ['FP-30.2', 'FT-51'],
      statement: `${LOCK}: neither handler runs, and nmissed counts one.`,
    },
    fgraph: {
      words: RECURSION_WORDS,
      rules: ['FP-70.1', 'FP-72', 'FT-51'],
      statement: `${LOCK}, before any fprobe is looked up: nmissed counts it with countRecursion only.`,
    },
    ops: {
      words: RECURSION_WORDS,
      rules: ['FT-51', 'FT-57'],
      statement: `${LOCK}: the callback does not run, and ${NO_COUNT}.`,
    },
  },
  exit_recursion: {
    ...same(
      'the recursion lock was refused at the return',
      ['FP-31.3', 'FT-51'],
      `${LOCK}: the exit handler of this probe does not run, and nmissed counts one.`,
    ),
    fgraph: {
      words: 'the recursion lock was refused at the return',
      rules: ['FP-71.2', 'FT-51'],
      statement: `${LOCK}: no exit handler of the call runs, and ${NO_COUNT}.`,
    },
  },
  no_node: same(
    'there was no node for its return',
    ['FP-30.4', 'FP-22'],
    'A call takes a node of the pool for its return and gives it back when it has returned; without one it is missed and counted.',
  ),
  no_frame: same(
    'its task had no room for a frame on the shadow stack',
    ['FP-70.2', 'FP-72'],
    `A call whose return is to be taken needs a frame on its task's shadow stack; without room no fprobe is asked, and ${NO_COUNT}.`,
  ),
  no_data: same(
    'its task had no room for the data words of the call',
    ['FP-70.4', 'FP-74'],
    'All fprobes of a function share one reservation of at most 32 words; without room for it each enabled one misses and counts.',
  ),
  grew: same(
    'a probe came between the two walks over the probes of the function',
    ['FP-70.7'],
    'What a call reserves is summed up before the handlers run; a probe that comes in between has no room there, misses and counts.',
  ),
  kprobe_running: same(
    'a kprobe was running on the CPU',
    ['FP-30.3', 'FP-70.5'],
    'With KPROBE_SHARED an entry handler is not called while a kprobe runs on its CPU, and nmissed counts one.',
  ),
  disabled: same(
    'the probe was disabled',
    ['FP-9'],
    `A disabled probe stays hooked: its hits run neither handler, and ${NO_COUNT}.`,
  ),
  exit_disabled: same(
    'the probe was disabled when the call returned',
    ['FP-9'],
    `DISABLED is looked at again at the return: the exit handler does not run, and ${NO_COUNT}.`,
  ),
  rejected: same(
    'its entry handler returned something else than 0',
    ['FP-7'],
    'An entry handler that does not return 0 takes the exit handler from this one call; nmissed stays as it is.',
  ),
  removed: {
    ...same(
      'the probe was unregistered while the call was under way',
      ['FP-40.2', 'FP-42'],
      `Unregister stops the returns that are taken: the call goes back to its caller without the exit handler, and ${NO_COUNT}.`,
    ),
    fgraph: {
      words: 'the probe was unregistered while the call was under way',
      rules: ['FP-55.3', 'FP-71.4'],
      statement: `At the return only probes that still exist are called: there is no exit handler, and ${NO_COUNT}.`,
    },
  },
  not_watching: {
    ...same(
      'RCU did not watch the CPU',
      ['FP-30.4', 'CC-G8'],
      'Where RCU does not watch no grace period protects a node, so there is none; that is missed and counted.',
    ),
    fgraph: {
      words: 'RCU did not watch the CPU',
      rules: ['CC-G8'],
      statement: `No wait of unregister covers what runs where RCU does not watch: it has no fprobes, and ${NO_COUNT}.`,
    },
  },
  rcu: same(
    'RCU did not watch the CPU',
    ['FT-55'],
    `An ops with the flag RCU is not called where RCU does not watch; ${NO_COUNT}.`,
  ),
  filter: same(
    'the function is not in the filter',
    ['FT-36'],
    `The list function goes over every ops of the site and calls those whose filter is empty or holds it; ${NO_COUNT}.`,
  ),
  notrace: same(
    'the function is in the notrace list',
    ['FT-36'],
    `What the notrace list holds is not traced, whatever the filter says; ${NO_COUNT}.`,
  ),
  regs: same(
    'the site did not save all registers yet',
    ['FT-16'],
    `An ops with SAVE_REGS is not called from a site that is still being upgraded to save them; ${NO_COUNT}.`,
  ),
  pid: same(
    'the task is not one of set_ftrace_pid',
    ['FT-18'],
    `While set_ftrace_pid names tasks, ops with the flag PID are called for those only; ${NO_COUNT}.`,
  ),
};

/** A newer recording may know reasons that this does not. */
export function reasonOf(reason: string, hook: HookKind): Reason {
  return (
    REASONS[reason]?.[hook] ?? {
      words: reason,
      rules: [],
      statement: 'This reason is not known here.',
    }
  );
}
