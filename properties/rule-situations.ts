// When a run puts a rule to the test, for each rule that a judge covers: a rule is seldom all of a judge's sentence, and
// the judge's own count would say of the rarest that it is met as often as the rest. Some rules are parts that the judge
// counts by itself; for the others the situation is found in the events here, by nothing but their story. A situation
// counts in runs in which the judge says that its guarantee held.
import type { GuaranteeName } from '../src/replay/workload/model.ts';
import {
  calls,
  callShared,
  controlEnds,
  counted,
  counterStartsAgain,
  entered,
  exitGetsData,
  fprobeEnds,
  fprobeRefused,
  hasSelected,
  isSet,
  permanentRefused,
  REGISTER,
  shadowStackShared,
  shows,
  type Situation,
  some,
  trampolineFreed,
  UNREGISTER,
  wantsRedirects,
  whenever,
} from './rule-events.ts';

/**
 * `whole`: the rule is the judge's sentence, or says no less. Names: parts of the verdict that are this rule. Or where
 * the events show it.
 */
export type Met = 'whole' | readonly string[] | Situation;

const SETS: ReadonlySet<string> = new Set([
  'ftrace_set_filter',
  'ftrace_set_notrace',
  'ftrace_set_filter_ip',
  'ftrace_set_filter_ips',
]);
/** Bits of the recursion word from here on are the list function's. */
const LIST_BITS = 5;

/** A dynamic ops that called back is gone. */
const dynamicEnds = controlEnds(
  ({ op, ops }, e) =>
    op === UNREGISTER && e.result === 0 && !ops.isStatic && ops.ran.has(e.generation),
);
const comes = controlEnds(({ op }, e) => op === REGISTER && e.result === 0);
const goes = controlEnds(({ op }, e) => op === UNREGISTER && e.result === 0);
const claimed = whenever('ipmodify', (_, e) => e.claimed);

/** A call on kprobes or their switch ends like this. */
function kprobeCall(name: RegExp, ends: (result: number) => boolean): Situation {
  return whenever('ctl_end', (_, { op, result }) => name.test(op) && ends(result));
}
const EINVAL = 22;
const kretprobeEnds = kprobeCall(/^unregister_kretprobe/u, (result) => result === 0);

/** Of the rules of each judge. */
export const RULE_SITUATIONS: Readonly<Record<GuaranteeName, Readonly<Record<string, Met>>>> = {
  unregister: {
    'FT-30': dynamicEnds,
    'CC-G1': dynamicEnds,
    'FP-6': fprobeEnds('rethook', 'fgraph', 'ftrace'),
    'CC-G7': fprobeEnds('rethook'),
    'CC-G8': fprobeEnds('fgraph'),
    'CC-O1': 'whole',
    'KP-21': ['kprobes'],
    'CC-G5': ['kprobes'],
    'KR-8': kretprobeEnds,
    'CC-G14': kretprobeEnds,
  },
  'filter-swap': {
    'FT-18': ['pids'],
    'FT-36': whenever(
      'cb_begin',
      (story) => story.callback !== undefined && isSet(story.callback.ops.filter, 'filled'),
    ),
    'FT-40': controlEnds(
      ({ change, op, registered }, e) =>
        op !== 'ftrace_set_notrace' &&
        registered &&
        change?.reset === true &&
        change.added.length > 0 &&
        e.result === 0,
    ),
    // The two-call form: from here to the second call all functions are selected.
    'FT-41': controlEnds(
      ({ change, op, registered }, e) =>
        op === 'ftrace_set_filter' &&
        registered &&
        change?.reset === true &&
        change.added.length === 0 &&
        e.result === 0,
    ),
    // A hit that began before the change ended runs the callback after it.
    'FT-42': whenever('cb_begin', ({ callback }) => {
      const last = callback?.ops.changes.findLast(({ end }) => end?.result === 0)?.end;
      return last !== undefined && callback !== undefined && callback.hitBegan < last.index;
    }),
    'FT-43': controlEnds(({ op, registered }, e) => SETS.has(op) && registered && e.result < 0),
    'FT-48': ['disabled'],
    'CC-G3': ['swaps'],
    'CC-O3': ['swaps'],
    'KP-50': ['kprobes'],
    'CC-S12': ['kprobes'],
    'FT-44': ['kprobes'],
  },
  notrace: {
    'FT-36': 'whole',
    // All functions are selected, and some of them are excluded.
    'FT-37': entered((story, { site }) =>
      some(
        story,
        ({ filter, notrace }) =>
          isSet(filter, 'empty') && notrace.now.every((hash) => hash.has(site)),
      ),
    ),
    'CC-G4': 'whole',
    'CC-O4': 'whole',
  },
  memory: {
    'FT-30': trampolineFreed,
    'CC-G1': trampolineFreed,
    'CC-M15': 'whole',
    'CC-O7': 'whole',
  },
  text: {
    'FT-7': whenever('trap_exit', (story, { pc }) =>
      story.functions.traceable.some(({ site }) => site === pc),
    ),
    'FT-8': whenever('sync_ack', () => true),
    'FT-9': whenever('site_fetch', (_, { newest, seen }) => seen < newest),
    'FT-12': whenever('text_pair', () => true),
    'CC-M5': whenever('site_fetch', (_, { newest, seen }) => seen < newest),
    'CC-M7': whenever('sync_done', () => true),
    'CC-G24': 'whole',
    'CC-O9': 'whole',
  },
  return: {
    'CC-H3': calls('trampoline'),
    'CC-G22': shadowStackShared,
    'CC-O10': 'whole',
  },
  progress: {
    'CC-M10': whenever('wait_end', (_, { kind }) => kind === 'synchronize_rcu'),
    'CC-M11': whenever('wait_end', (_, { kind }) => kind === 'synchronize_rcu_tasks_rude'),
    'CC-M12': whenever('wait_end', (_, { kind }) => kind === 'synchronize_rcu_tasks'),
    'CC-O12': 'whole',
  },
  arguments: {
    'FT-4': ['caller'],
    'FT-14': shows(true),
    'FT-15': shows(false),
    'FT-16': whenever('skip', (_, { reason }) => reason === 'regs'),
    'FT-18': whenever(
      'cb_begin',
      ({ callback, settings }) =>
        callback?.ops.obeysPids === true && settings.pids.value instanceof Set,
    ),
    'FT-19': calls('trampoline'),
    // It wants no registers, and comes by the caller that saves all.
    'FT-23': whenever('cb_begin', (story, { ip }) => {
      const own = story.callback?.ops;
      return (
        own?.promisedRegs === false &&
        some(story, (ops) => ops.promisedRegs && hasSelected(ops, ip))
      );
    }),
    'FT-27': whenever('function_trace_op', () => true),
    'CC-S3': whenever('cb_begin', ({ callback }) => callback?.isDirect === true),
    'FP-1': ['entry', 'exit'],
    'FP-2': ['data'],
  },
  context: {
    'FT-22': whenever('recursion_lock', (_, { bit }) => bit >= LIST_BITS),
    'FT-53': ['locks'],
    'FT-55': ['unwatched'],
    'FP-11': ['entry', 'exit'],
    'CC-G23': ['unwatched'],
    'KP-47': ['kprobe breakpoint'],
    'KP-52': ['kprobe ftrace'],
  },
  quiescence: {
    'FT-2': comes,
    'FT-4': calls(),
    'FT-29': goes,
    'FT-45': claimed,
    'CC-S5': goes,
    'CC-G15': claimed,
    'CC-G16': whenever('ctl_end', (_, { op, result }) => op.startsWith('register_') && result < 0),
    'CC-O11': 'whole',
    'KP-22': ['kprobes'],
    'KP-36': whenever('alloc', (_, { kind }) => kind === 'kprobe_aggr'),
    'KR-8': kretprobeEnds,
    'KR-12': whenever('unhook', (_, { why }) => why === 'flush'),
  },
  start: {
    'FT-26': ['alone', 'besides'],
    'FP-5': ['fprobes'],
    'CC-G2': ['alone', 'besides'],
    'CC-O2': 'whole',
    'KP-11': ['kprobe alone'],
    'KP-33': whenever('skip', (_, { reason }) => reason === 'disabled'),
    'KP-44': ['kprobe besides'],
    'CC-G13': ['kprobe besides'],
  },
  recursion: {
    'FT-51': 'whole',
    'FT-52': ['refused'],
    'FT-56': whenever('recursion_set', (_, { level }) => level > 0),
    'FP-34': fprobeRefused,
    'CC-H5': 'whole',
    'CC-G11': 'whole',
    'CC-O8': 'whole',
    'KP-42': ['kprobe nested'],
    'KP-43': ['kprobe nested'],
    'CC-G12': ['kprobe nested'],
    'KP-51': ['kprobe locked'],
    'KR-6': whenever('cb_begin', (_, { kind }) => kind === 'kretprobe'),
  },
  'failed-call': {
    'FT-43': ['filters'],
    'FT-48': whenever('ctl_end', (_, { op, result }) => op === 'ftrace_enabled' && result < 0),
    'CC-G15': controlEnds(({ ops }, e) => wantsRedirects(ops) && e.result < 0),
    'CC-G16': ['registration'],
    'CC-G17': permanentRefused,
    'FP-50': whenever(
      'ctl_end',
      (_, { op, result }) => op.startsWith('register_fprobe') && result < 0,
    ),
    'CC-O13': 'whole',
    'KP-10.4': kprobeCall(/^register_kprobes?$/u, (result) => result === -EINVAL),
    'KP-13': kprobeCall(/^register_k(?:ret)?probes$/u, () => true),
    'KP-23': kprobeCall(/^disable_k/u, () => true),
    'KP-25': kprobeCall(/^enable_k/u, () => true),
    'KP-26': kprobeCall(/^kprobes_enabled$/u, (result) => result === 0),
    'KP-27': kprobeCall(/^kprobes_enabled$/u, () => true),
  },
  pairing: {
    'FP-1': ['paired'],
    'FP-2': exitGetsData,
    'FP-7': ['refused'],
    'FP-8': ['nested'],
    'FP-35': callShared('rethook'),
    'FP-75': callShared('fgraph'),
    'CC-G9': 'whole',
    'CC-O5': 'whole',
    'KP-31': ['kprobe order'],
    'KP-32': ['kprobe refused'],
    'KP-41': ['kprobe post'],
    'KP-45': ['kprobe refused'],
    'KR-4': ['kretprobe refused'],
    'KR-5': ['kretprobe paired'],
    'KR-6': ['kretprobe paired'],
  },
  nmissed: {
    'FP-4': counterStartsAgain,
    'FP-9': whenever('skip', (_, { reason }) => reason === 'disabled'),
    'FP-30.3': whenever('skip', (_, { reason }) => reason === 'kprobe_running'),
    'FP-32': counted('rethook'),
    'FP-72': counted('fgraph', 'ftrace'),
    'CC-G10': 'whole',
    'CC-O6': 'whole',
    'KP-32': whenever('skip', (_, { reason }) => reason === 'stopped'),
    'KP-35': ['kprobe missed'],
    'KP-43': ['kprobe missed'],
    'KP-51': ['kprobe handled'],
    'KR-4': whenever('count', (_, { counter }) => counter === 'rp_nmissed'),
    'KR-7': whenever('count', (_, { counter }) => counter === 'rp_nmissed'),
  },
};
