// Layer replay. An ftrace_ops as its control calls describe it: what it was told to select, and for
// which registrations it was told that it is in force. Nothing here is taken from the code under
// test but the arguments and the result of each call.
import type { EventOf } from '../schema.ts';
import { type FunctionTable, siteNamedBy, type TracedFunction } from './functions.ts';
import { matchPattern } from './pattern.ts';
import {
  beginChange,
  type Change,
  endChange,
  type Hash,
  type HashHistory,
  newHashHistory,
  selects,
  spares,
} from './selection.ts';

export interface Ops {
  readonly object: number;
  name: string;
  /** Address of its callback function; -1 when the run does not say. */
  callback: number;
  /** In core kernel data: unregister waits for nobody (FT-31). */
  isStatic: boolean;
  /** What it asked for when it was registered last: FTRACE_OPS_FL_*, and whether all registers were promised. */
  flags: number;
  promisedRegs: boolean;
  /** The registration that is in force for certain asked for the flag PID (FT-18). */
  obeysPids: boolean;
  /** Some registration of it did. */
  mayBeChecked: boolean;
  /** It asked for the flag PERMANENT (FT-48). */
  isPermanent: boolean;
  /** Index of the event that told that it is registered. */
  registeredAt: number;
  /** Where the last call began and ended that made it claim what its filter selects, if it may redirect (FT-45). */
  claimed: { readonly from: number; readonly to: number };
  readonly filter: HashHistory;
  readonly notrace: HashHistory;
  /** The registration that is in force for certain; 0: none. */
  generation: number;
  registering: number;
  unregistering: number;
  /** The call that ended a registration, by generation. */
  readonly ended: Map<number, Control>;
  /** The last call that unregistered it, while nobody has begun to register it again. */
  quiet: Control | undefined;
  /** Generations that ran a callback. */
  readonly ran: Set<number>;
  /** Every filter and notrace call, in order of their ctl_begin. */
  readonly changes: Control[];
}

/** One control call. */
export interface Control {
  readonly op: string;
  readonly ops: Ops;
  readonly begin: EventOf<'ctl_begin'>;
  end: EventOf<'ctl_end'> | undefined;
  /** The set that it changes, and how; undefined for register and unregister. */
  readonly history: HashHistory | undefined;
  readonly change: Change | undefined;
  /** Functions came or went while it was under way: what it finds is not known. */
  overtaken: boolean;
  /** What that set may have been before the call. */
  readonly before: readonly Hash[];
  /** Was the ops registered for certain when it began? */
  readonly registered: boolean;
}

/** As include/linux/ftrace.h publishes them. */
export const FLAG_IPMODIFY: number = 1 << 12;
export const FLAG_RECURSION: number = 1 << 4;
export const FLAG_RCU: number = 1 << 14;

const RESET = 1;
const PATTERN_IS_NULL = 2;
const REMOVE = 4;

const CONTROL_OPS: ReadonlySet<string> = new Set([
  'register_ftrace_function',
  'unregister_ftrace_function',
  'ftrace_set_filter',
  'ftrace_set_notrace',
  'ftrace_set_filter_ip',
  'ftrace_set_filter_ips',
]);

export function newOps(object: number): Ops {
  return {
    object,
    name: `ops ${object}`,
    callback: -1,
    isStatic: false,
    flags: 0,
    promisedRegs: false,
    obeysPids: false,
    mayBeChecked: false,
    isPermanent: false,
    registeredAt: -1,
    claimed: { from: -1, to: -1 },
    filter: newHashHistory(),
    notrace: newHashHistory(),
    generation: 0,
    registering: 0,
    unregistering: 0,
    ended: new Map(),
    quiet: undefined,
    ran: new Set(),
    changes: [],
  };
}

/** Is it one of the calls that these judges know? */
export function isFtraceControl(op: string): boolean {
  return CONTROL_OPS.has(op);
}

/** Registered for certain: no call that ends it has begun. */
export function isRegistered(ops: Ops): boolean {
  return ops.generation !== 0 && ops.unregistering === 0;
}

/** Do its filter and its notrace set select `site` for certain? */
export function isSelected({ filter, notrace }: Ops, site: number): boolean {
  if (filter.lost || notrace.lost) return false;
  return (
    filter.now.every((hash) => selects(hash, site)) &&
    notrace.now.every((hash) => spares(hash, site))
  );
}

/**
 * Does `ops` hook a function that it selects? One that may redirect hooks what it has claimed; a function that came with
 * its module after that is not claimed by anybody yet (FT-45). Undefined: it came meanwhile, so it is not known.
 */
export function hooks({ claimed, flags }: Ops, { since }: TracedFunction): boolean | undefined {
  if ((flags & FLAG_IPMODIFY) === 0 || since < claimed.from) return true;
  return since > claimed.to ? false : undefined;
}

/** Starts a call on `ops`. */
export function beginControl(table: FunctionTable, ops: Ops, begin: EventOf<'ctl_begin'>): Control {
  const history = changedHistory(ops, begin.op);
  const change = history === undefined ? undefined : changeOf(table, begin);
  const control: Control = {
    op: begin.op,
    ops,
    begin,
    end: undefined,
    history,
    change,
    overtaken: false,
    before: history?.now ?? [],
    registered: isRegistered(ops),
  };
  if (history !== undefined && change !== undefined) {
    beginChange(history, change, begin.index);
    ops.changes.push(control);
  } else if (begin.op === 'register_ftrace_function') {
    // An ops without attributes is registered without a word about them.
    // One that is registered stays what it is: another call is refused.
    if (ops.generation === 0) [ops.flags, ops.promisedRegs, ops.obeysPids] = [0, false, false];
    ops.registering++;
    ops.quiet = undefined;
    ops.mayBeChecked ||= asksFor('PID', begin);
  } else {
    ops.unregistering++;
  }
  return control;
}

/** The call returned. */
export function endControl(control: Control, end: EventOf<'ctl_end'>): void {
  const { ops, history, change } = control;
  const succeeded = end.result === 0;
  control.end = end;
  if (succeeded) ops.claimed = { from: control.begin.index, to: end.index };
  if (history !== undefined && change !== undefined) {
    endChange(history, change, { succeeded, index: end.index });
  } else if (control.op === 'register_ftrace_function') {
    ops.registering--;
    // Its ctl_end can come after that of the call that ended the same registration.
    if (succeeded && !ops.ended.has(end.generation)) {
      ops.generation = end.generation;
      ops.registeredAt = end.index;
      ops.obeysPids = asksFor('PID', control.begin);
      ops.isPermanent = asksFor('PERMANENT', control.begin);
    }
  } else {
    ops.unregistering--;
    if (succeeded) endRegistration(control, end.generation);
  }
}

/** Of a call of register: does the ops ask for this flag? */
export function asksFor(flag: 'PID' | 'PERMANENT', { text }: EventOf<'ctl_begin'>): boolean {
  return text.split(' ').includes(flag);
}

function endRegistration(control: Control, generation: number): void {
  const { ops } = control;
  ops.ended.set(generation, control);
  if (ops.generation === generation) ops.generation = 0;
  if (ops.registering === 0 && ops.generation === 0) ops.quiet = control;
}

function changedHistory(ops: Ops, op: string): HashHistory | undefined {
  switch (op) {
    case 'ftrace_set_filter':
    case 'ftrace_set_filter_ip':
    case 'ftrace_set_filter_ips':
      return ops.filter;
    case 'ftrace_set_notrace':
      return ops.notrace;
    default:
      return undefined;
  }
}

/** What the call asks for, by the documents (FT-38, FT-43, FT-44, FT-49). */
function changeOf(table: FunctionTable, begin: EventOf<'ctl_begin'>): Change {
  const reset = (begin.flags & RESET) !== 0;
  const nothing: Change = { reset, added: [], removed: [], possible: true, strict: false };
  if (begin.op === 'ftrace_set_filter_ip' || begin.op === 'ftrace_set_filter_ips') {
    const named = addressesOf(begin).map((ip) => siteNamedBy(table, ip));
    const sites = named.filter((site) => site !== undefined);
    // One bad entry of an array refuses it all.
    if (sites.length < named.length) return { ...nothing, possible: false };
    if ((begin.flags & REMOVE) !== 0) return { ...nothing, removed: sites, strict: true };
    return { ...nothing, added: sites };
  }
  if ((begin.flags & PATTERN_IS_NULL) !== 0) return nothing;
  const { negated, positions } = matchPattern(
    begin.text,
    table.traceable.map((f) => f.name),
  );
  const sites = positions.flatMap((position) => table.traceable[position]?.site ?? []);
  if (sites.length === 0) return { ...nothing, possible: false };
  return negated ? { ...nothing, removed: sites } : { ...nothing, added: sites };
}

/** What a call by address was given: an array is in the text, as hexadecimal numbers. */
function addressesOf({ op, ip, text }: EventOf<'ctl_begin'>): readonly number[] {
  if (op === 'ftrace_set_filter_ip') return [ip];
  return text === '' ? [] : text.split(' ').map(readAddress);
}

/** As an event's address field holds it, which counts from 0xffffffff80000000; -1: no address. */
export function readAddress(text: string): number {
  if (!/^0x[0-9a-f]{1,16}$/u.test(text)) return -1;
  return Number(BigInt.asIntN(32, BigInt(text))) ^ -0x80000000;
}
