// Layer replay. Guarantee `failed-call`: a call that fails changes nothing, and says why (CC-O13, CC-G16, FT-43).
//
// Broken by a call that returned an error and left another filter or notrace set than some order of the calls that
// succeeded makes, an ops on the list or enabled that was not registered, or one off it that was, or records
// that serve it at other sites than those which are selected (`ops_state`), or another ops as the one that may redirect
// a function than before the call (`ipmodify`). By any call that takes such a claim from another ops. And by a result
// that the documents do not allow: 0 where the call had to be refused, another error than the one that is due, -ENOMEM
// although no allocation failed; of writes to `ftrace_enabled`, too, which a PERMANENT ops forbids, and which forbid it
// (FT-48). What the call did before it failed, callbacks that ran meanwhile included, is not undone.
//
// Exercised, for each time: a call fails, of registration (part `registration`) or of a filter (`filters`), and the run
// tells what it left; or a call on an fprobe fails (`fprobes`, failed-call-fprobe.ts).
import type { EventOf } from '../schema.ts';
import { type Claims, claimChanges, claimGoes, newClaims, wrongClaim } from './claims.ts';
import {
  callBesideWrites,
  ENABLED,
  type EnabledWrites,
  enabledWriteBegins,
  enabledWriteEnds,
} from './enabled-writes.ts';
import { allowedResults, ENODEV, isForbidden, nameOfErrno } from './errno-rules.ts';
import { type FprobeCalls, fprobeCallListeners, newFprobeCalls } from './failed-call-fprobe.ts';
import {
  broken,
  type Broken,
  earlier,
  type Guarantee,
  heldInParts,
  type Verdict,
} from './judge.ts';
import { type Listeners, together } from './listen.ts';
import { type Control, hooks, type Ops } from './ops.ts';
import { type Hash, type HashHistory, selects, spares } from './selection.ts';
import type { Story } from './story.ts';
import { functionsOf, theCall, where } from './wording.ts';

/** A call that is under way. */
interface Open {
  /** Nobody else had a call on the ops under way when it began. */
  readonly alone: boolean;
  /** Calls on the ops that had begun or ended, itself included. */
  readonly turns: number;
  readonly dead: boolean;
  /** What `ftrace_enabled` was when it began; undefined: that is not known. */
  readonly enabled: boolean | undefined;
  /** Its ops has attributes, and they were accepted. */
  accepted: boolean;
}

interface Findings {
  readonly story: Story;
  readonly open: Map<Control, Open>;
  readonly turns: Map<Ops, number>;
  readonly claims: Claims;
  readonly writes: EnabledWrites;
  /** By task: the last allocation that failed. */
  readonly starved: Map<number, number>;
  /** What the call that is about to return leaves. */
  state: EventOf<'ops_state'> | undefined;
  first: Broken | undefined;
  calls: number;
  registration: number;
  filters: number;
  /** ftrace is dead. */
  dead: boolean;
  /** Modules that are being loaded: their functions may be there and not hooked yet. */
  loading: number;
}

const INIT_MODULE = 'init_module';

export const failedCall: Guarantee = {
  name: 'failed-call',
  sentence:
    'A call that fails returns the error that is documented for it and leaves everything as it was: ' +
    'filters, registration, the sites that serve the probe, and who may redirect a function.',
  document: 'Using ftrace to hook to functions',
  section: 'Filtering which functions to trace',
  rules: ['FT-43', 'FT-48', 'FP-50', 'CC-G15', 'CC-G16', 'CC-G17', 'CC-O13'],
  start(story) {
    const found: Findings = {
      story,
      open: new Map(),
      turns: new Map(),
      claims: newClaims(),
      writes: new Map(),
      starved: new Map(),
      state: undefined,
      first: undefined,
      calls: 0,
      registration: 0,
      filters: 0,
      dead: false,
      loading: 0,
    };
    const ofFprobes = newFprobeCalls(story);
    const on: Listeners = {
      ...claimListeners(found),
      ctl_begin: (e) => {
        if (e.op === INIT_MODULE) found.loading++;
        if (e.op === ENABLED) enabledWriteBegins(found.writes, story, e, found.dead);
        if (story.control !== undefined) callBegan(found, story.control);
      },
      ctl_end: (e) => {
        if (e.op === INIT_MODULE) found.loading--;
        if (e.op === ENABLED) writeEnded(found, e);
        if (story.control !== undefined) callEnded(found, story.control, e);
        found.state = undefined;
      },
      ops_state: (e) => {
        found.state = e;
      },
      alloc_failed: (e) => {
        found.starved.set(e.pid, e.index);
      },
      kill: () => {
        found.dead = true;
      },
    };
    return {
      on: together([fprobeCallListeners(ofFprobes), on]),
      end: () => verdict(found, ofFprobes),
    };
  },
};

/** What is told while a call goes on. */
function claimListeners(found: Findings): ReturnType<Guarantee['start']>['on'] {
  const { claims, open, story } = found;
  return {
    ipmodify: (e) => {
      claimChanges(claims, story, e);
    },
    symbol_gone: ({ site }) => {
      claimGoes(claims, site);
    },
    ops_flags: (e) => {
      for (const [{ begin, ops }, call] of open) {
        if (begin.pid === e.pid && ops.object === e.object) call.accepted = true;
      }
    },
  };
}

function turn({ turns }: Findings, ops: Ops): number {
  const next = (turns.get(ops) ?? 0) + 1;
  turns.set(ops, next);
  return next;
}

function callBegan(found: Findings, control: Control): void {
  const { ops } = control;
  const alone = found.story.calls.every((other) => other === control || other.ops !== ops);
  const enabled = found.story.settings.enabled.value;
  const { dead } = found;
  found.open.set(control, { alone, turns: turn(found, ops), dead, enabled, accepted: false });
  callBesideWrites(found.writes, control);
}

/** What it was all the time. */
function enabledThroughout(
  { story }: Findings,
  { enabled }: Open,
  { begin }: Control,
): boolean | undefined {
  const { since, value } = story.settings.enabled;
  return value === enabled && since < begin.index ? value : undefined;
}

function callEnded(found: Findings, control: Control, e: EventOf<'ctl_end'>): void {
  const began = found.open.get(control);
  if (began === undefined) return;
  found.open.delete(control);
  found.calls++;
  const alone = began.alone && turn(found, control.ops) === began.turns + 1;
  // It died of this call, or beside it.
  if (found.dead !== began.dead) return;
  const starved = (found.starved.get(e.pid) ?? -1) > control.begin.index;
  const { accepted, dead } = began;
  const enabled = enabledThroughout(found, began, control);
  const circumstances = { dead, starved, alone, enabled, accepted };
  const allowed = allowedResults(control, circumstances);
  if (!allowed.includes(e.result)) {
    const right = allowed.map(nameOfErrno).join(' or ');
    const because = isForbidden(control, circumstances) ? `: ${ENABLED} was 0` : '';
    report(found, control, e, { what: `but ${right} is right${because}` });
  }
  const claim = wrongClaim(found.claims, found.story, control, e.result < 0);
  if (claim !== undefined) {
    report(found, control, e, { what: `and left ${claim.what}`, shows: claim.index });
  }
  if (e.result >= 0 || found.state?.object !== e.object || began.dead) return;
  if (control.change === undefined) found.registration++;
  else found.filters++;
  const left = whatChanged(found, control, found.state, alone);
  if (left !== undefined) report(found, control, e, { what: `and left ${left}` });
}

function writeEnded(found: Findings, e: EventOf<'ctl_end'>): void {
  const write = enabledWriteEnds(found.writes, e);
  if (write === undefined || write.allowed.includes(e.result)) return;
  const { allowed, because, begin } = write;
  // It died of this write, or beside it.
  if (found.dead && !allowed.includes(ENODEV)) return;
  const right = allowed.map(nameOfErrno).join(' or ');
  const returned = `${ENABLED} = ${begin.text} returned ${nameOfErrno(e.result)}`;
  const why = `${returned} (${where(found.story, e)}), but ${right} is right${because}`;
  found.first ??= broken(e.index, why, [begin.index]);
}

/** In words: what is not as it was before. */
function whatChanged(
  found: Findings,
  control: Control,
  state: EventOf<'ops_state'>,
  alone: boolean,
): string | undefined {
  const { filter, notrace } = control.ops;
  const { story } = found;
  if (!isOneOf(filter, state.filter, state.filter_sum)) {
    const sets = setsOf(story, filter, 'all functions');
    return `a filter of ${state.filter} functions instead of ${sets}`;
  }
  if (!isOneOf(notrace, state.notrace, state.notrace_sum)) {
    const sets = setsOf(story, notrace, 'nothing');
    return `a notrace set of ${state.notrace} functions instead of ${sets}`;
  }
  if (!alone) return undefined;
  const wanted = control.registered;
  if (state.enabled !== wanted) return `it ${state.enabled ? 'enabled' : 'disabled'}`;
  if (state.listed !== wanted) return `it ${state.listed ? 'on the list' : 'off the list'}`;
  const served = wanted ? selectedCount(story, control.ops) : 0;
  if (served === undefined || served === state.served) return undefined;
  if (wanted && (found.loading > 0 || control.overtaken)) return undefined;
  return `${state.served} sites that serve it instead of ${served}`;
}

function isOneOf({ lost, now }: HashHistory, count: number, sum: number): boolean {
  return lost || now.some((hash) => hash.size === count && sumOf(hash) === sum >>> 0);
}

/** As the kernel adds them up: 32 bits. */
function sumOf(hash: Hash): number {
  let sum = 0;
  for (const site of hash) sum = (sum + site) | 0;
  return sum >>> 0;
}

function setsOf(story: Story, { now }: HashHistory, whenEmpty: string): string {
  return now.map((hash) => `{${functionsOf(story, hash, whenEmpty)}}`).join(' or ');
}

/** How many functions `ops` selects and hooks; undefined while that is not known for certain. */
function selectedCount(story: Story, ops: Ops): number | undefined {
  const { filter, notrace } = ops;
  const [within, without] = [filter.now[0], notrace.now[0]];
  if (filter.now.length !== 1 || notrace.now.length !== 1) return undefined;
  if (within === undefined || without === undefined || filter.lost || notrace.lost)
    return undefined;
  const { traceable } = story.functions;
  const selected = traceable.filter(({ site }) => selects(within, site) && spares(without, site));
  const hooked = selected.map((fn) => hooks(ops, fn));
  return hooked.includes(undefined) ? undefined : hooked.filter((one) => one === true).length;
}

interface Finding {
  readonly what: string;
  /** Another event that shows it. */
  readonly shows?: number;
}

function report(
  found: Findings,
  control: Control,
  e: EventOf<'ctl_end'>,
  { what, shows: other = -1 }: Finding,
): void {
  const { first, starved, state, story } = found;
  const call = `${theCall(control)} returned ${nameOfErrno(e.result)} (${where(story, e)})`;
  const shows = [control.begin.index, state?.index ?? -1, starved.get(e.pid) ?? -1, other];
  found.first = first ?? broken(e.index, `${call}, ${what}`, shows);
}

function verdict(found: Findings, ofFprobes: FprobeCalls): Verdict {
  const { filters, registration } = found;
  const first = earlier(found.first, ofFprobes.first);
  if (first !== undefined) return first;
  const hasFprobes = found.story.fprobes.all.length > 0;
  const parts = hasFprobes ? { fprobes: ofFprobes.refused } : {};
  const calls = found.calls + ofFprobes.calls;
  const why = calls === 0 ? 'No call was made on a probe.' : 'No call on a probe failed.';
  return heldInParts({ registration, filters, ...parts }, why);
}
