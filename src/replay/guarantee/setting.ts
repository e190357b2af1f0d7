// Layer replay. What `ftrace_enabled` and `set_ftrace_pid` are for certain, told from the arguments and results of the
// writes alone (FT-18, FT-48). While a write is under way, and after writes that overlapped, nothing is known: nobody
// is blamed then, and nothing counts as exercised.
import type { EventOf } from '../schema.ts';
import { contextKey } from './hit.ts';

/** A value that writes replace. */
interface Setting<T> {
  /** Undefined: it is not known. */
  value: T | undefined;
  /** Index of the event from which on it is known. */
  since: number;
  /** What it was when nothing was under way. */
  before: T | undefined;
  pending: number;
  overlapped: boolean;
}

/** The tasks that are traced; `all` when there is no list. */
type Pids = ReadonlySet<number> | 'all';

export interface Settings {
  readonly enabled: Setting<boolean>;
  readonly pids: Setting<Pids>;
  /** CPUs that came up and have not changed tasks since: they go by the pids that they knew (CC-N4). */
  readonly outdated: Set<number>;
}

const RESET = 1;

export function newSettings(): Settings {
  return { enabled: newSetting(true), pids: newSetting<Pids>('all'), outdated: new Set() };
}

function newSetting<T>(value: T): Setting<T> {
  return { value, since: -1, before: value, pending: 0, overlapped: false };
}

/** Writes that are under way, by task and level. */
export type Writes = Map<number, EventOf<'ctl_begin'>>;

export function writeBegins(
  { enabled, pids }: Settings,
  writes: Writes,
  e: EventOf<'ctl_begin'>,
): void {
  if (e.op === 'ftrace_enabled') begin(enabled);
  else if (e.op === 'set_ftrace_pid') begin(pids);
  else return;
  writes.set(writerOf(e), e);
}

export function writeEnds(
  { enabled, pids }: Settings,
  writes: Writes,
  e: EventOf<'ctl_end'>,
): void {
  const began = writes.get(writerOf(e));
  if (began === undefined || began.op !== e.op) return;
  writes.delete(writerOf(e));
  const ok = e.result === 0;
  if (e.op === 'ftrace_enabled') {
    const written = writtenNumber(began.text) ?? 0;
    end(enabled, ok ? written !== 0 : enabled.before, e.index);
  } else end(pids, pidsAfter(pids.before, began, ok), e.index);
}

/** What a text says to the sysctl, as C reads a number; undefined: nothing, and the write is refused (FT-48). */
export function writtenNumber(text: string): number | undefined {
  const [sign, digits] = [text.trim().startsWith('-') ? -1 : 1, text.trim().replace(/^-/u, '')];
  const isNumber = /^(?:0[0-7]*|[1-9][0-9]*|0x[0-9a-f]+)$/iu.test(digits);
  const base = /^0x/iu.test(digits) ? 16 : digits.startsWith('0') ? 8 : 10;
  const value = Number.parseInt(digits, base);
  return isNumber && value < 2 ** 31 ? sign * value : undefined;
}

function writerOf({ pid, cpu, level }: EventOf<'ctl_begin'> | EventOf<'ctl_end'>): number {
  return contextKey(pid, cpu, level);
}

/** A write that failed may have emptied the list before (O_TRUNC). */
function pidsAfter(
  before: Pids | undefined,
  { text, flags }: EventOf<'ctl_begin'>,
  ok: boolean,
): Pids | undefined {
  const reset = (flags & RESET) !== 0;
  if (!ok) return reset ? undefined : before;
  const written = text === '' ? [] : text.split(' ').map(Number);
  if (reset) return written.length === 0 ? 'all' : new Set(written);
  if (before === undefined || written.length === 0) return before;
  return new Set([...(before === 'all' ? [] : before), ...written]);
}

function begin<T>(setting: Setting<T>): void {
  if (setting.pending++ > 0) setting.overlapped = true;
  setting.value = undefined;
}

function end<T>(setting: Setting<T>, value: T | undefined, index: number): void {
  if (--setting.pending > 0) return;
  setting.value = setting.overlapped ? undefined : value;
  setting.before = setting.value;
  setting.since = index;
  setting.overlapped = false;
}
