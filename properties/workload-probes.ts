// The probes of a random workload as plain numbers: what they select, how often they come and go, what changes meanwhile,
// and the flags that they ask for.
import fc from 'fast-check';
import { OPS_FLAGS, type OpsFlag } from '../src/replay/workload/model-ftrace.ts';
import type { RawChange, RawProbe } from './workload-build.ts';
import type { Features } from './workload-features.ts';
import { NAMES, PATTERNS, STEP_MAX } from './workload-names.ts';

/** Three times in four, or so. */
export function oftenTrue(): fc.Arbitrary<boolean> {
  return fc.nat(4).map((draw) => draw !== 4);
}

function sometimes(): fc.Arbitrary<boolean> {
  return fc.nat(7).map((draw) => draw >= 6);
}

/** PERMANENT is rare: it makes writes of 0 fail. */
const rawFlags: fc.Arbitrary<RawProbe['flags']> = fc.constantFrom<RawProbe['flags'][]>(
  [],
  [],
  [],
  ['PID'],
  ['PID'],
  [],
  ['PERMANENT'],
);

const rawChange: fc.Arbitrary<RawChange> = fc.record({
  op: fc.constantFrom<RawChange['op'][]>(
    'set_filter',
    'set_filter',
    'set_notrace',
    'set_filter_ip',
  ),
  pattern: fc.nat(NAMES.length + PATTERNS.length - 1),
  reset: oftenTrue(),
});

const patternList = fc.array(fc.nat(NAMES.length + PATTERNS.length - 1), { maxLength: 2 });

const rawProbe: fc.Arbitrary<RawProbe> = fc.record({
  filter: patternList,
  notrace: fc.oneof(fc.constant([]), patternList, patternList),
  callback: fc.constantFrom<RawProbe['callback'][]>(
    'count',
    'count',
    'lingering',
    'guarded',
    'nothing',
  ),
  lives: fc.array(fc.array(rawChange, { maxLength: 3 }), { minLength: 1, maxLength: 2 }),
  triggers: fc.array(fc.nat(STEP_MAX), { minLength: 10, maxLength: 10 }),
  pace: fc.constantFrom<RawProbe['pace'][]>('rounds', 'rounds', 'steps'),
  leaves: oftenTrue(),
  disables: sometimes(),
  flags: rawFlags,
});

/** How many probes there are where some come later. */
export const JOINS = 6;
/** Draws that stand for the name of one function. */
const oneFunction = fc.nat(NAMES.length - 1);

const swap: fc.Arbitrary<RawChange> = fc.record({
  op: fc.constant('set_filter'),
  pattern: oneFunction,
  reset: fc.constant(true),
});

const swappedProbe: fc.Arbitrary<RawProbe> = fc.record({
  filter: fc.array(oneFunction, { minLength: 1, maxLength: 2 }),
  notrace: fc.constant([]),
  callback: fc.constantFrom<RawProbe['callback'][]>('count', 'lingering', 'nothing'),
  lives: fc.array(swap, { minLength: 3, maxLength: 8 }).map((changes) => [changes]),
  triggers: fc.array(fc.nat(STEP_MAX), { minLength: 10, maxLength: 10 }),
  pace: fc.constant('rounds'),
  leaves: oftenTrue(),
  disables: sometimes(),
  flags: rawFlags,
});

/** How often two probes that take turns go. */
export const LIVES_MAX = 7;

/** One of two that take turns. */
const comingProbe: fc.Arbitrary<RawProbe> = fc.record({
  filter: fc.array(oneFunction, { maxLength: 2 }),
  notrace: fc.constant([]),
  callback: fc.constantFrom<RawProbe['callback'][]>('count', 'nothing'),
  lives: fc.array(fc.constant([]), { minLength: 2, maxLength: 5 }),
  triggers: fc.array(fc.nat(STEP_MAX), { minLength: 10, maxLength: 10 }),
  pace: fc.constantFrom<RawProbe['pace'][]>('rounds', 'steps'),
  leaves: oftenTrue(),
  disables: sometimes(),
  flags: rawFlags,
});

const REDIRECTS: OpsFlag[] = ['SAVE_REGS', 'IPMODIFY'];
const FLAGS: Record<NonNullable<Features['flags']>, fc.Arbitrary<OpsFlag[]>> = {
  drawn: fc.subarray([...OPS_FLAGS]),
  redirects: fc.constant(REDIRECTS),
  rcu: fc.constantFrom(['RCU'], ['RCU', 'RECURSION'], ['RCU', 'SAVE_REGS']),
};

/** One whose callback takes its time, and that comes and goes. */
const lingeringProbe: fc.Arbitrary<RawProbe> = comingProbe.map((probe) => ({
  ...probe,
  filter: [],
  callback: 'lingering',
}));

function plainProbe({ swaps, direct, joins, lone }: Features): fc.Arbitrary<RawProbe> {
  if (direct === true || joins === true) return comingProbe;
  if (lone === true) return lingeringProbe;
  return swaps === true ? swappedProbe : rawProbe;
}

/** Any probe that has these features. */
export function probeWith(features: Features): fc.Arbitrary<RawProbe> {
  const probe = plainProbe(features);
  const { flags, disables, pids } = features;
  if (disables === true || pids === true) {
    return probe.map((one) => {
      const comesBack = pids === true && one.lives.length === 1;
      const lives = comesBack ? [...one.lives, []] : one.lives;
      const rest: RawProbe['flags'] = flags === 'redirects' ? REDIRECTS : [];
      const asked: RawProbe['flags'] = pids === true ? ['PID', ...rest] : [];
      return Object.assign({}, one, { lives, flags: asked, disables: disables ?? one.disables });
    });
  }
  if (flags === undefined) return probe;
  const drawn = FLAGS[flags];
  // What the idle task runs is to be among what they select.
  const all = flags === 'rcu' ? { filter: [], notrace: [], lives: [[]], leaves: false } : {};
  return fc
    .tuple(probe, drawn)
    .map(([raw, asked]) => Object.assign({}, raw, { ...all, flags: asked }));
}
