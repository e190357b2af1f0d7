// Layer replay. A digest of the machine's whole state at a frame's end: registers of every CPU and task,
// pages that were written since boot, what is pending. Two runs with equal digests stand at the same place.
// The state is taken in parts, and a digest of each goes with that of the whole: where two runs differ they say in
// what. Left out: cells that have no guest memory; what they hold shows in the events.
import { HEAP_BASE, STACK_BASE, STACK_STRIDE } from '../emu/address.ts';
import type { Cpu } from '../emu/cpu.ts';
import type { Machine } from '../emu/machine.ts';
import { PAGE_BYTES, type Segment } from '../emu/memory.ts';
import type { Task } from '../emu/task.ts';
import { Digest, type DigestHex } from './digest.ts';

/** The digest of the whole state, then the first 8 hex digits of that of each part. */
export type StateDigest = string;

export const STATE_DIGEST = /^[0-9a-f]{16}(?:[0-9a-f]{8})*$/;
/** Digits of the digest of the whole, and of one of a part. */
export const WHOLE_DIGITS = 16;
const PART_DIGITS = 8;

const STATES = ['new', 'ready', 'running', 'sleeping', 'dead'] as const;

/** What the parts of a state are about, in their order. */
export type StateOwner =
  | { readonly kind: 'machine' }
  /** With the stack of its idle task. */
  | { readonly kind: 'cpu'; readonly cpu: Cpu }
  /** With its stack. */
  | { readonly kind: 'task'; readonly task: Task }
  /** All memory but stacks, segment by segment. */
  | { readonly kind: 'segment'; readonly segment: Segment };

export function stateOwners({ cpus, tasks, memory }: Machine): readonly StateOwner[] {
  const segments = memory.segments.filter((segment) => stackIndex(segment) < 0);
  return [
    { kind: 'machine' },
    ...cpus.map((cpu) => ({ kind: 'cpu', cpu }) as const),
    ...tasks.map((task) => ({ kind: 'task', task }) as const),
    ...segments.map((segment) => ({ kind: 'segment', segment }) as const),
  ];
}

export function stateDigest(machine: Machine): StateDigest {
  const parts = stateParts(machine);
  const whole = new Digest();
  for (const part of parts) whole.text(part);
  return whole.hex() + parts.map((part) => part.slice(0, PART_DIGITS)).join('');
}

function stateParts(machine: Machine): readonly DigestHex[] {
  const owners = stateOwners(machine);
  const digests = owners.map(() => new Digest());
  const bySegment = new Map<Segment, number>();
  for (const [number, owner] of owners.entries()) {
    const digest = digests[number] as Digest;
    if (owner.kind === 'machine') digest.word(machine.step);
    if (owner.kind === 'machine') digest.word(machine.cells.count);
    if (owner.kind === 'cpu') takeCpu(digest, owner.cpu);
    if (owner.kind === 'task') takeTask(digest, owner.task);
    if (owner.kind === 'segment') bySegment.set(owner.segment, number);
  }
  machine.memory.dirtyPages((segment, offset) => {
    // Stacks lie in the order of CPUs and tasks, behind the part of the machine.
    const digest = digests[bySegment.get(segment) ?? 1 + stackIndex(segment)] as Digest;
    digest.word(segment.base + offset);
    digest.bytes(segment.bytes, offset, Math.min(offset + PAGE_BYTES, segment.bytes.length));
  });
  return digests.map((digest) => digest.hex());
}

/** Number of the stack that `segment` is, from 0; -1 for any other. */
export function stackIndex({ base }: Segment): number {
  return base < STACK_BASE || base >= HEAP_BASE
    ? -1
    : Math.floor((base - STACK_BASE) / STACK_STRIDE);
}

/** Numbers of the parts that differ; undefined where the two do not say the same parts. */
export function differingParts(a: StateDigest, b: StateDigest): readonly number[] | undefined {
  const [left, right] = [partsIn(a), partsIn(b)];
  if (left.length !== right.length || left.length === 0) return undefined;
  return left.flatMap((part, number) => (part === right[number] ? [] : [number]));
}

/** The digests of the parts. */
export function partsIn(state: StateDigest): readonly string[] {
  return state.slice(WHOLE_DIGITS).match(/.{8}/gu) ?? [];
}

function takeCpu(digest: Digest, cpu: Cpu): void {
  const { hart } = cpu;
  digest.words(hart.lo, 0, 32);
  digest.words(hart.hi, 0, 32);
  digest.word(hart.pc);
  digest.word(hart.irqsOn ? 1 : 0);
  digest.word(cpu.preemptCount.value);
  digest.word(cpu.region);
  digest.word(cpu.ipis.length);
  digest.word(cpu.pending.length);
  digest.word(cpu.current.pid);
  for (const cx of cpu.contexts) {
    // More than the level alone only where it does not show.
    digest.word(cx.level + 8 * (cx.level - cx.shown));
    digest.word(cx.activities.length);
    digest.word(cx.calls.length);
  }
}

function takeTask(digest: Digest, task: Task): void {
  digest.word(task.pid);
  digest.word(STATES.indexOf(task.state));
  digest.word(task.sleeps);
  digest.word(task.rcuDepth);
  if (task.state !== 'running') digest.words(task.context.frame);
}
