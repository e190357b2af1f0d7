// Layer replay. kprobes and kretprobes as their control calls describe them: which registrations are in force for certain,
// which are disabled, where the global switch stands, and the handlers that are open. Nothing here is taken from the code
// under test but the arguments and results of calls, and what the struct held when it was registered (`kprobe`).
//
// Left alone: a probe on which a registration and another call overlap, or whose end failed for want of memory (`lost`).
import type { EventOf } from '../schema.ts';
import { contextKey } from './hit.ts';
import type { Listeners } from './listen.ts';

/** KPROBE_FLAG_DISABLED, as include/linux/kprobes.h publishes it. */
export const FLAG_DISABLED = 2;
/** An address that is NULL. */
export const NULL_ADDRESS = -1;
export const FTRACE = 'ftrace';
export const PRE = 'kprobe_pre';
export const POST = 'kprobe_post';
const ENTRY = 'kretprobe_entry';
export const RETURN = 'kretprobe';
const KINDS: ReadonlySet<string> = new Set(['kprobe', 'kretprobe', 'jprobe']);
const HANDLERS: ReadonlySet<string> = new Set([PRE, POST, ENTRY, RETURN, 'kprobe_fault']);
const CALL = /^(?:un)?register_(?:k|kret|j)probes?$|^(?:dis|en)able_(?:k|kret|j)probe$/u;
const SWITCH = 'kprobes_enabled';

export interface Kprobe {
  readonly object: number;
  name: string;
  kind: string;
  /** What the struct held when a call last began to plant it; undefined before the first time. */
  told: EventOf<'kprobe'> | undefined;
  /** Registrations that have begun, which is the number of the last one. */
  begun: number;
  /** The registration that is in force for certain; 0: none. */
  generation: number;
  /** Calls on it that are under way, and those that have begun or ended. */
  busy: number;
  turns: number;
  /** Undefined: not known for certain. */
  disabled: boolean | undefined;
  /** Index of the event from which on it is known. */
  disabledSince: number;
  /** Its text went with a module (KP-28). */
  gone: boolean;
  /** Nothing is known about it any more. */
  lost: boolean;
  /** The call that ended a registration, or that failed to make it, by generation. */
  readonly ended: Map<number, KprobeCall>;
  /** Generations that ran a handler. */
  readonly ran: Set<number>;
}

/** A call under way; at its `ctl_end` with that. */
export interface KprobeCall {
  readonly op: string;
  readonly probes: readonly Kprobe[];
  readonly begin: EventOf<'ctl_begin'>;
  readonly end: EventOf<'ctl_end'> | undefined;
  /** Those of them that it began to plant. */
  readonly planted: Set<Kprobe>;
  /** What was known before of `disabled`. */
  readonly before: ReadonlyMap<Kprobe, boolean | undefined>;
  /** Those that were in force when it began. */
  readonly inForce: ReadonlySet<Kprobe>;
  /** Where the switch stood. */
  readonly wasOn: boolean | undefined;
  /** Another call was under way on one of them, or on the switch. */
  overlapped: boolean;
  /** Memory was short. */
  short: boolean;
}

/** A handler that began. */
export interface KprobeHandler {
  readonly probe: Kprobe;
  readonly begin: EventOf<'cb_begin'>;
  /** Its task slept voluntarily inside it, which is a user error. */
  slept: boolean;
}

export interface Kprobes {
  readonly all: Map<number, Kprobe>;
  /** The ftrace_ops of those on ftrace sites (KP-50). */
  readonly ops: Set<number>;
  /** Handlers that have begun and not ended, oldest first. */
  readonly open: KprobeHandler[];
  readonly calls: KprobeCall[];
  /** The global switch (KP-26); undefined: not known. */
  on: boolean | undefined;
  switched: number;
  /** Bytes of functions, by address. */
  readonly sizes: Map<number, number>;
  /** Of the `cb_begin` or `cb_end` at hand, if it is a handler's. */
  handler: KprobeHandler | undefined;
  /** Of the `ctl_end` at hand, if it is of a call on kprobes. */
  ending: KprobeCall | undefined;
}

export function newKprobes(): Kprobes {
  return {
    all: new Map(),
    ops: new Set(),
    open: [],
    calls: [],
    on: true,
    switched: -1,
    sizes: new Map(),
    handler: undefined,
    ending: undefined,
  };
}

export function kprobeListeners(kprobes: Kprobes): Listeners {
  return {
    ...handlerListeners(kprobes),
    object: (e) => {
      if (e.kind === 'kprobe_ops') kprobes.ops.add(e.object);
      if (!KINDS.has(e.kind)) return;
      const probe = kprobeOf(kprobes, e.object);
      [probe.name, probe.kind] = [e.name, e.kind];
    },
    kprobe: (e) => {
      planting(kprobes, e);
    },
    symbol: ({ address, size }) => {
      kprobes.sizes.set(address, size);
    },
    symbol_gone: ({ address }) => {
      textGoes(kprobes, address);
    },
    alloc_failed: ({ pid }) => {
      for (const call of kprobes.calls) if (call.begin.pid === pid) call.short = true;
    },
    ctl_begin: (e) => {
      if (CALL.test(e.op) || e.op === SWITCH) callBegins(kprobes, e);
    },
    ctl_end: (e) => {
      kprobes.ending = callEnds(kprobes, e);
    },
  };
}

function handlerListeners(kprobes: Kprobes): Listeners {
  const slept = (pid: number): void => {
    for (const handler of kprobes.open) if (handler.begin.pid === pid) handler.slept = true;
  };
  return {
    cb_begin: (e) => {
      kprobes.handler = HANDLERS.has(e.kind) ? handlerBegan(kprobes, e) : undefined;
    },
    cb_end: (e) => {
      kprobes.handler = HANDLERS.has(e.kind) ? handlerEnded(kprobes, e) : undefined;
    },
    sched_switch: (e) => {
      if (kprobes.open.length > 0 && e.state === 'sleeping') slept(e.prev);
    },
    task_wake: (e) => {
      if (kprobes.open.length > 0) slept(e.woken);
    },
  };
}

/** The probe with this number in events. */
export function kprobeOf({ all }: Kprobes, object: number): Kprobe {
  const present = all.get(object);
  if (present !== undefined) return present;
  const made: Kprobe = {
    object,
    name: `kprobe ${object}`,
    kind: 'kprobe',
    told: undefined,
    begun: 0,
    generation: 0,
    busy: 0,
    turns: 0,
    disabled: undefined,
    disabledSince: -1,
    gone: false,
    lost: false,
    ended: new Map(),
    ran: new Set(),
  };
  all.set(object, made);
  return made;
}

/** Registered for certain, and nobody is calling anything on it. */
export function isSettled({ busy, generation, gone, lost }: Kprobe): boolean {
  return generation !== 0 && busy === 0 && !gone && !lost;
}

/** Settled, enabled, and no switch keeps it off: whoever comes to its address hits it. */
export function isArmed({ on }: Kprobes, probe: Kprobe): boolean {
  return on === true && isSettled(probe) && probe.disabled === false;
}

/** The probes that were last planted at `ip`. */
export function probesAt({ all }: Kprobes, ip: number): readonly Kprobe[] {
  return [...all.values()].filter(({ told }) => told?.ip === ip);
}

/** Is it a call that registers, and of how it ends? */
export function isRegister({ op }: Pick<KprobeCall, 'op'>): boolean {
  return op.startsWith('register');
}

export function isUnregister({ op }: Pick<KprobeCall, 'op'>): boolean {
  return op.startsWith('unregister');
}

function handlerBegan(kprobes: Kprobes, begin: EventOf<'cb_begin'>): KprobeHandler {
  const handler: KprobeHandler = {
    probe: kprobeOf(kprobes, begin.object),
    begin,
    slept: false,
  };
  handler.probe.ran.add(begin.generation);
  kprobes.open.push(handler);
  return handler;
}

function handlerEnded({ open }: Kprobes, e: EventOf<'cb_end'>): KprobeHandler | undefined {
  // Of an idle task the CPU is a part of the name.
  const key = contextKey(e.pid, e.cpu, e.level);
  const place = open.findLastIndex(
    ({ begin }) =>
      begin.kind === e.kind &&
      begin.object === e.object &&
      contextKey(begin.pid, begin.cpu, begin.level) === key,
  );
  return place === -1 ? undefined : open.splice(place, 1)[0];
}

function planting(kprobes: Kprobes, e: EventOf<'kprobe'>): void {
  const probe = kprobeOf(kprobes, e.object);
  probe.told = e;
  probe.begun++;
  probe.gone = false;
  probe.disabled = (e.flags & FLAG_DISABLED) !== 0;
  probe.disabledSince = e.index;
  const call = kprobes.calls.findLast(
    ({ begin, probes }) => begin.pid === e.pid && probes.includes(probe),
  );
  call?.planted.add(probe);
}

/** What is planted there goes with the text (KP-28). */
function textGoes({ all, sizes }: Kprobes, address: number): void {
  const behind = address + (sizes.get(address) ?? 0);
  for (const probe of all.values()) {
    const ip = probe.told?.ip ?? NULL_ADDRESS;
    if (ip >= address && ip < behind) probe.gone = true;
  }
}

function callBegins(kprobes: Kprobes, begin: EventOf<'ctl_begin'>): void {
  const { op, text } = begin;
  const objects = op === SWITCH ? [] : text.split(' ').map(Number);
  const numbers = new Set(objects.filter((object) => object > 0));
  const probes = [...numbers].map((object) => kprobeOf(kprobes, object));
  const call: KprobeCall = {
    op,
    probes,
    begin,
    end: undefined,
    planted: new Set(),
    before: new Map(
      probes.map((probe): readonly [Kprobe, boolean | undefined] => [probe, probe.disabled]),
    ),
    inForce: new Set(probes.filter(({ generation }) => generation !== 0)),
    wasOn: kprobes.on,
    overlapped: false,
    short: false,
  };
  for (const other of kprobes.calls) {
    if (!meet(call, other)) continue;
    [call.overlapped, other.overlapped] = [true, true];
    loseContested(call, other);
  }
  kprobes.calls.push(call);
  for (const probe of probes) {
    probe.busy++;
    probe.turns++;
    if (isSwitching(call)) probe.disabled = undefined;
  }
  if (op === SWITCH) kprobes.on = undefined;
}

function isSwitching({ op }: KprobeCall): boolean {
  return op.startsWith('enable') || op.startsWith('disable');
}

/** Do both concern one probe, or the switch of all? */
function meet(a: KprobeCall, b: KprobeCall): boolean {
  if (a.op === SWITCH || b.op === SWITCH) return true;
  return a.probes.some((probe) => b.probes.includes(probe));
}

/** Of a registration and another call at the same time nobody knows which one was first. */
function loseContested(a: KprobeCall, b: KprobeCall): void {
  if (!isRegister(a) && !isRegister(b)) return;
  for (const probe of a.probes) if (b.probes.includes(probe)) probe.lost = true;
}

/** The innermost call of this kind that the task has under way returns. */
function callEnds(kprobes: Kprobes, end: EventOf<'ctl_end'>): KprobeCall | undefined {
  const { calls } = kprobes;
  const place = calls.findLastIndex(({ op, begin }) => op === end.op && begin.pid === end.pid);
  const [call] = place === -1 ? [] : calls.splice(place, 1);
  if (call === undefined) return undefined;
  const ended: KprobeCall = { ...call, end };
  for (const probe of call.probes) {
    probe.busy--;
    probe.turns++;
  }
  if (call.op === SWITCH) switchEnds(kprobes, ended, end);
  else if (isRegister(call)) registerEnds(ended, end);
  else if (isUnregister(call)) unregisterEnds(ended);
  else enableEnds(kprobes, ended, end);
  if (call.short && !call.op.startsWith('enable')) loseSites(kprobes.all.values());
  return ended;
}

/** KP-13: all of them, or none of those that it planted. */
function registerEnds(call: KprobeCall, end: EventOf<'ctl_end'>): void {
  if (end.result !== 0) {
    for (const probe of call.planted) probe.ended.set(probe.begun, call);
    return;
  }
  for (const probe of call.probes) {
    probe.generation = probe.begun;
    probe.disabled = ((probe.told?.flags ?? 0) & FLAG_DISABLED) !== 0;
    probe.disabledSince = probe.told?.index ?? -1;
  }
}

function unregisterEnds(call: KprobeCall): void {
  for (const probe of call.probes) {
    if (probe.generation === 0) continue;
    probe.ended.set(probe.generation, call);
    probe.generation = 0;
  }
}

/** A site that finds no memory for a smaller filter stays hooked, its probe planted, and the ops of all of them miscounted. */
function loseSites(probes: Iterable<Kprobe>): void {
  for (const probe of probes) {
    if (probe.told?.how !== FTRACE) continue;
    probe.lost = true;
    probe.ended.delete(probe.begun);
  }
}

/** KP-24: what is enabled while all are disarmed may keep its DISABLED. */
function enableEnds({ on }: Kprobes, call: KprobeCall, end: EventOf<'ctl_end'>): void {
  for (const probe of call.probes) {
    const before = call.before.get(probe);
    if (call.overlapped) continue;
    if (end.result !== 0) probe.disabled = before;
    else if (call.op.startsWith('disable')) probe.disabled = true;
    else if (on === true || before === false) probe.disabled = false;
    probe.disabledSince = end.index;
  }
}

function switchEnds(kprobes: Kprobes, call: KprobeCall, end: EventOf<'ctl_end'>): void {
  kprobes.switched = end.index;
  if (isSwitched(kprobes) || call.overlapped) return;
  // What says neither is refused, or changes nothing (KP-27).
  kprobes.on = end.result === 0 ? (askedOf(call.begin.text) ?? call.wasOn) : call.wasOn;
}

function isSwitched({ calls }: Kprobes): boolean {
  return calls.some(({ op }) => op === SWITCH);
}

/** `kstrtobool` (KP-27); undefined: no boolean. */
export function askedOf(text: string): boolean | undefined {
  if (/^(?:[1yYtT]|[oO][nN])/u.test(text)) return true;
  return /^(?:[0nNfF]|[oO][fF])/u.test(text) ? false : undefined;
}
