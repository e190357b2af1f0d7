// Layer replay. What a write to the sysctl `ftrace_enabled` has to return (FT-48, CC-G17, section 9 of
// docs/spec/ftrace.md), told from the calls and their flags alone: while a PERMANENT ops is registered for certain 0 is
// refused; while none can be, it is not.
import type { EventOf } from '../schema.ts';
import { EBUSY, EINVAL, ENODEV } from './errno-rules.ts';
import { asksFor, type Control, isRegistered, type Ops } from './ops.ts';
import { writtenNumber } from './setting.ts';
import type { Story } from './story.ts';

export const ENABLED = 'ftrace_enabled';
const REGISTER = 'register_ftrace_function';

interface OpenWrite {
  readonly begin: EventOf<'ctl_begin'>;
  readonly dead: boolean;
  /** PERMANENT ops that were registered for certain when it began, and for which time. */
  readonly blockers: readonly { readonly ops: Ops; readonly generation: number }[];
  /** Some PERMANENT ops may have been registered at some moment of it. */
  mayBeBlocked: boolean;
}

/** Writes that are under way, by task and level. */
export type EnabledWrites = Map<string, OpenWrite>;

/** A write that returned, and the results that are right, in the order in which they are named. */
interface EndedWrite {
  readonly begin: EventOf<'ctl_begin'>;
  readonly allowed: readonly number[];
  /** What refuses 0; empty: nothing. */
  readonly because: string;
}

export function enabledWriteBegins(
  writes: EnabledWrites,
  story: Story,
  begin: EventOf<'ctl_begin'>,
  dead: boolean,
): void {
  const permanent = story.ops.filter(
    ({ generation, isPermanent }) => generation !== 0 && isPermanent,
  );
  writes.set(writerOf(begin), {
    begin,
    dead,
    blockers: permanent.filter(isRegistered).map((ops) => ({ ops, generation: ops.generation })),
    mayBeBlocked: permanent.length > 0 || story.calls.some(registersPermanent),
  });
}

/** A call begins while writes are under way. */
export function callBesideWrites(writes: EnabledWrites, call: Control): void {
  if (!registersPermanent(call)) return;
  for (const write of writes.values()) write.mayBeBlocked = true;
}

function registersPermanent({ begin, op }: Control): boolean {
  return op === REGISTER && asksFor('PERMANENT', begin);
}

export function enabledWriteEnds(
  writes: EnabledWrites,
  e: EventOf<'ctl_end'>,
): EndedWrite | undefined {
  const write = writes.get(writerOf(e));
  if (write === undefined) return undefined;
  writes.delete(writerOf(e));
  const { begin, blockers, dead, mayBeBlocked } = write;
  if (dead) return { begin, allowed: [ENODEV], because: '' };
  const value = writtenNumber(begin.text);
  if (value !== 0) {
    return { begin, allowed: [value === undefined ? EINVAL : 0], because: '' };
  }
  const still = blockers.find(
    ({ generation, ops }) => isRegistered(ops) && ops.generation === generation,
  );
  if (still === undefined) return { begin, allowed: mayBeBlocked ? [0, EBUSY] : [0], because: '' };
  return { begin, allowed: [EBUSY], because: `: ${still.ops.name} is PERMANENT` };
}

function writerOf(e: {
  readonly pid: number;
  readonly level: number;
  readonly cpu: number;
}): string {
  return `${e.pid} ${e.level} ${e.cpu}`;
}
