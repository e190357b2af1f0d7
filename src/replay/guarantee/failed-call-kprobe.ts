// Layer replay. Guarantee `failed-call` for kprobes: what calls on them return where that is known beforehand, and what
// they leave of the probe's DISABLED (KP-10.4, KP-13, KP-23..KP-27, KR-8, CC-G16).
//
// Broken by a registration that succeeds although the struct is registered, is named twice, or none is given, or that
// fails otherwise than with -EINVAL then; by one that succeeds without planting each; by enable or disable of what is not
// registered that does not fail with -EINVAL, or one that fails although it is; by a switch that refuses a boolean; and at
// the end by flags that are not what the calls made of them, or by a probe that is planted although no call registered it.
//
// Left alone: calls that overlap with others on the same probe, and those for which memory was short.
//
// Exercised, for each time: a call returns whose result is known beforehand (part `kprobe calls`), and flags are told of a
// probe that is registered (`kprobe flags`).
import type { Event, EventOf } from '../schema.ts';
import { broken, type Broken } from './judge.ts';
import type { KprobeJudge, KprobePart } from './kprobe-part.ts';
import {
  askedOf,
  FLAG_DISABLED,
  FTRACE,
  isRegister,
  isUnregister,
  type KprobeCall,
} from './kprobes.ts';
import type { Story } from './story.ts';
import { where } from './wording.ts';

interface Findings {
  readonly story: Story;
  first: Broken | undefined;
  calls: number;
  flags: number;
}

const EINVAL = -22;
/** What a call has to return; `fails`: any error. */
type Expected = 0 | typeof EINVAL | 'fails' | undefined;

export const kprobesFailedCall: KprobePart = {
  sentence:
    'register_kprobe of a struct that is registered, and enable_kprobe and disable_kprobe of one that is not, ' +
    'fail with -EINVAL; no call that fails, and no switch of all, changes whether a probe is disabled.',
  rules: ['KP-10.4', 'KP-13', 'KP-23', 'KP-25', 'KP-26', 'KP-27'],
  start(story): KprobeJudge {
    const found: Findings = { story, first: undefined, calls: 0, flags: 0 };
    return {
      on: {
        ctl_end: (e) => {
          if (story.kprobes.ending !== undefined) callEnded(found, story.kprobes.ending, e);
        },
        kprobe_state: (e) => {
          stateTold(found, e);
        },
      },
      end: () => ({
        first: found.first,
        parts:
          story.kprobes.all.size === 0
            ? {}
            : { 'kprobe calls': found.calls, 'kprobe flags': found.flags },
      }),
    };
  },
};

function callEnded(found: Findings, call: KprobeCall, e: EventOf<'ctl_end'>): void {
  const { op, probes } = call;
  if (call.overlapped || call.short || probes.some(({ lost }) => lost)) return;
  const what = `${op}(${probes.map(({ name }) => name).join(', ')}) returned ${e.result}`;
  const unplanted = probes.find((probe) => !call.planted.has(probe));
  if (isRegister(call) && e.result === 0 && unplanted !== undefined)
    report(found, e, `${what} without planting ${unplanted.name}`, call.begin.index);
  const expected = expectedOf(call);
  if (expected === undefined) return;
  found.calls++;
  const isRight = expected === 'fails' ? e.result !== 0 : e.result === expected;
  if (isRight) return;
  report(found, e, `${what}, which had to be ${nameOf(expected)}`, call.begin.index);
}

function nameOf(expected: Expected): string {
  if (expected === 'fails') return 'an error';
  return expected === EINVAL ? '-EINVAL' : '0';
}

function expectedOf(call: KprobeCall): Expected {
  const { begin, inForce, op, probes } = call;
  if (op === 'kprobes_enabled') return askedOf(begin.text) === undefined ? undefined : 0;
  const [probe] = probes;
  if (isRegister(call)) {
    if (probe === undefined) return EINVAL;
    const named = begin.text.split(' ').length;
    if (named !== probes.length) return 'fails';
    if (inForce.size === 0) return undefined;
    return probes.length === 1 ? EINVAL : 'fails';
  }
  if (probe === undefined || isUnregister(call)) return undefined;
  if (!inForce.has(probe)) return EINVAL;
  if (probe.gone) return op.startsWith('enable') ? EINVAL : 0;
  return probe.told?.how === FTRACE && op.startsWith('enable') ? undefined : 0;
}

function stateTold(found: Findings, e: EventOf<'kprobe_state'>): void {
  const probe = found.story.kprobes.all.get(e.object);
  if (probe === undefined || probe.lost || probe.busy > 0) return;
  const { disabled, disabledSince, generation, gone, name } = probe;
  if (e.planted !== (generation !== 0)) {
    const call = probe.ended.get(probe.begun);
    const what = e.planted ? 'is planted although no call has registered it' : 'is not planted';
    report(found, e, `${name} ${what} at the end`, call?.end?.index ?? -1);
    return;
  }
  if (generation === 0 || gone || disabled === undefined) return;
  found.flags++;
  if (((e.flags & FLAG_DISABLED) !== 0) === disabled) return;
  const state = disabled ? 'is not DISABLED, although a call had disabled it' : 'is DISABLED';
  report(found, e, `${name} ${state} at the end`, disabledSince);
}

function report(found: Findings, e: Event, why: string, shows: number): void {
  found.first ??= broken(e.index, `${why} (${where(found.story, e)})`, [shows]);
}
