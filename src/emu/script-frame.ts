// Layer emu: imports nothing above it, no package and no node: module.
// The stack frame of a scripted function (`assemble.ts`): which things it keeps there, and where.
import { InputError } from '../assert.ts';
import type { Convention, ScriptFunction, ScriptOp } from './script.ts';

/** Blocks within blocks; each level takes a slot of the frame. */
const NESTING_MAX = 32;
const SLOT_BYTES = 8;
const STACK_ALIGNMENT = 16;
/** Which argument is what: of a callback (ip, parent_ip, ops, regs), of a handler of an fprobe, or of one of a kprobe (p, regs,
 * and out of sight of its prototype the data, the probe and the probed address; there is no parent). */
export const ARGUMENTS = {
  ftrace: { ip: 0, parentIp: 1, probe: 2, regs: 3, count: 4 },
  fprobe: { probe: 0, ip: 1, parentIp: 2, regs: 3, data: 4, count: 5 },
  kprobe: { regs: 1, data: 3, probe: 4, ip: 7, parentIp: 7, count: 8 },
} as const satisfies Record<Convention, Readonly<Record<string, number>>>;

/**
 * The stack frame, from sp up: a slot for each level of nesting (a loop's count, the bit of a
 * trylock), a callback's arguments, ra. A loop's count lives here because calls may clobber every
 * register.
 */
export interface Frame {
  readonly slots: number;
  /** How many arguments a callback keeps, from a0 on; 0 of other functions. */
  readonly kept: number;
  readonly keepsRa: boolean;
  readonly bytes: number;
}

export function frameOf(fn: ScriptFunction): Frame {
  const slots = nesting(fn, fn.body, 0);
  const keepsRa = makesCalls(fn.body);
  const kept = fn.callback ? ARGUMENTS[fn.convention ?? 'ftrace'].count : 0;
  const words = slots + kept + (keepsRa ? 1 : 0);
  const bytes = Math.ceil((words * SLOT_BYTES) / STACK_ALIGNMENT) * STACK_ALIGNMENT;
  return { slots, kept, keepsRa, bytes };
}

function nesting(fn: ScriptFunction, ops: readonly ScriptOp[], depth: number): number {
  if (depth > NESTING_MAX) {
    throw new InputError(`function ${fn.name}: blocks are nested deeper than ${NESTING_MAX}`);
  }
  let deepest = depth;
  for (const op of ops) {
    if (op.op === 'if') deepest = Math.max(deepest, nesting(fn, op.body, depth));
    if (op.op !== 'loop' && op.op !== 'trylock') continue;
    deepest = Math.max(deepest, nesting(fn, op.body, depth + 1));
  }
  return deepest;
}

function makesCalls(ops: readonly ScriptOp[]): boolean {
  return ops.some((op) => {
    switch (op.op) {
      case 'loop':
      case 'if':
        return makesCalls(op.body);
      case 'work':
      case 'load':
      case 'store':
      case 'add':
      case 'amoadd':
      case 'irq_off':
      case 'irq_on':
      case 'return':
      case 'tail':
      case 'store_data':
        return false;
      case 'call':
      case 'delegate':
      case 'preempt_off':
      case 'preempt_on':
      case 'rcu_read_lock':
      case 'rcu_read_unlock':
      case 'sleep':
      case 'trylock':
      case 'regs':
      case 'set_reg':
      case 'redirect':
      case 'show_data':
        return true;
    }
  });
}

/** From sp: what nesting level `depth` (from 0) keeps. */
export function slotOffset(depth: number): number {
  return depth * SLOT_BYTES;
}

export function argumentOffset({ slots }: Frame, index: number): number {
  return (slots + index) * SLOT_BYTES;
}

export function raOffset({ bytes }: Frame): number {
  return bytes - SLOT_BYTES;
}
