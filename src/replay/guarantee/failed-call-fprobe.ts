// Layer replay. Guarantee `failed-call` for fprobes: a call that fails returns the error that is documented for it
// (fprobe-errno.ts), and no handler runs for what it did not register (CC-G16). What it allocated is for `quiescence` to
// see.
//
// Left alone: calls that overlap others on the same fprobe, or the coming and going of functions; fprobes that had
// calls overlap before.
import type { EventOf } from '../schema.ts';
import { nameOfErrno } from './errno-rules.ts';
import { fprobeResults, wasRegistered } from './fprobe-errno.ts';
import { type Fprobe, fprobeOf, type Handler } from './fprobes.ts';
import { innermost } from './hit.ts';
import { broken, type Broken } from './judge.ts';
import type { Listeners } from './listen.ts';
import { contextOf, type Story } from './story.ts';
import { theHandler, where } from './wording.ts';

interface Open {
  readonly begin: EventOf<'ctl_begin'>;
  readonly fprobe: Fprobe;
  readonly turns: number;
  readonly registered: boolean;
  readonly known: boolean;
  /** Functions came or went meanwhile. */
  isOvertaken: boolean;
}

export interface FprobeCalls {
  readonly story: Story;
  open: Open[];
  /** Fprobes whose state nobody knows. */
  readonly murky: Set<Fprobe>;
  /** What was not registered, by object and generation: the call that failed. */
  readonly failed: Map<string, EventOf<'ctl_end'>>;
  readonly starved: Map<number, number>;
  accepted: boolean;
  dead: boolean;
  loading: number;
  calls: number;
  /** Calls that failed. */
  refused: number;
  first: Broken | undefined;
}

const RETHOOK_ERAS: ReadonlySet<string> = new Set(['v6.12', 'v6.1', 'v5.18']);
const INIT_MODULE = 'init_module';

export function newFprobeCalls(story: Story): FprobeCalls {
  return {
    story,
    open: [],
    murky: new Set(),
    failed: new Map(),
    starved: new Map(),
    accepted: false,
    dead: false,
    loading: 0,
    calls: 0,
    refused: 0,
    first: undefined,
  };
}

export function fprobeCallListeners(found: FprobeCalls): Listeners {
  const { story } = found;
  const overtake = (): void => {
    for (const call of found.open) call.isOvertaken = true;
  };
  return {
    ctl_begin: (e) => {
      if (e.op === INIT_MODULE) found.loading++;
      if (e.op.includes('_fprobe')) begin(found, e);
    },
    ctl_end: (e) => {
      if (e.op === INIT_MODULE) found.loading--;
      if (e.op.includes('_fprobe')) end(found, e);
    },
    symbol: overtake,
    symbol_gone: overtake,
    alloc_failed: (e) => {
      found.starved.set(e.pid, e.index);
    },
    ops_flags: (e) => {
      found.accepted ||= e.regs;
    },
    kill: () => {
      found.dead = true;
    },
    cb_begin: () => {
      if (story.fprobes.handler !== undefined) handlerBegan(found, story.fprobes.handler);
    },
  };
}

function begin(found: FprobeCalls, e: EventOf<'ctl_begin'>): void {
  const { fprobes } = found.story;
  const fprobe = fprobeOf(fprobes, e.object);
  if (fprobes.calls.some(({ begin: other, fprobe: its }) => its === fprobe && other !== e))
    found.murky.add(fprobe);
  const { generation, turns } = fprobe;
  const known = wasRegistered(fprobe);
  const registered = generation !== 0;
  found.open.push({ begin: e, fprobe, turns, registered, known, isOvertaken: found.loading > 0 });
}

function end(found: FprobeCalls, e: EventOf<'ctl_end'>): void {
  const { accepted, dead, murky, open, starved, story } = found;
  const call = open.findLast(
    ({ begin: { level, object, op, pid } }) =>
      op === e.op && object === e.object && pid === e.pid && level === e.level,
  );
  if (call === undefined) return;
  found.open = open.filter((one) => one !== call);
  found.calls++;
  if (e.result < 0) found.refused++;
  const { begin: began, fprobe, isOvertaken, known } = call;
  if (fprobe.turns !== call.turns + 1) murky.add(fprobe);
  // What comes of two registrations of one struct is no rule (FP-21, FP-53).
  const isTwice = call.registered && e.op.startsWith('register') && e.result === 0;
  const { rules } = story.fprobes;
  if (rules === undefined || dead || isOvertaken) return;
  const told = (fprobe.told?.index ?? -1) > began.index ? fprobe.told : undefined;
  const isNew = told !== undefined && fprobe.generation !== e.generation;
  if (e.result < 0 && isNew && !murky.has(fprobe)) found.failed.set(lifeOf(e), e);
  const isRethook = RETHOOK_ERAS.has(rules.era);
  // v5.18 does not know a struct that is shared with kprobes.
  if (rules.era === 'v5.18' && e.op.startsWith('unregister')) return;
  const allowed = fprobeResults(began, {
    functions: story.functions,
    isRethook,
    isBlind: rules.era === 'v6.14',
    registered: murky.has(fprobe) ? undefined : call.registered,
    known,
    told,
    starved: (starved.get(e.pid) ?? -1) > began.index,
    accepted,
  });
  if (isTwice) murky.add(fprobe);
  if (allowed === undefined || allowed.includes(e.result)) return;
  const right = allowed.map(nameOfErrno).join(' or ');
  const why = `${e.op}(${nameOf(fprobe)}) returned ${nameOfErrno(e.result)} (${where(story, e)}), but ${right} is right`;
  found.first ??= broken(e.index, why, [began.index]);
}

function nameOf({ name, object }: Fprobe): string {
  return object === 0 ? 'NULL' : name;
}

function lifeOf(e: { readonly object: number; readonly generation: number }): string {
  return `${e.object}.${e.generation}`;
}

/** Of what a call that failed was about to register, for a function that was entered after it had returned. */
function handlerBegan(found: FprobeCalls, handler: Handler): void {
  const { begin: e } = handler;
  const { story } = found;
  const call = found.failed.get(lifeOf(e));
  const frame = innermost(contextOf(story, e), e.ip);
  if (call === undefined || frame === undefined || frame.entered < call.index) return;
  const why =
    `${theHandler(story, handler)} began (${where(story, e)}), ` +
    `although ${call.op} had returned ${nameOfErrno(call.result)}`;
  found.first ??= broken(e.index, why, [call.index, frame.entered]);
}
