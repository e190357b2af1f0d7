// Layer emu: imports nothing above it, no package and no node: module.
// The stack frame of a scripted function (`assemble.ts`): which things it keeps there, and where.
import { InputError } from '../assert.ts';
import type { ScriptFunction, ScriptOp } from './script.ts';

/** Blocks within blocks; each level takes a slot of the frame. */
const NESTING_MAX = 32;
const SLOT_BYTES = 8;
const STACK_ALIGNMENT = 16;
/** a0..a3 of a callback: ip, parent_ip, ops, regs. */
export const CALLBACK_ARGUMENTS = 4;
/**
 * The stack frame, from sp up: a slot for each level of nesting (a loop's count, the bit of a
 * trylock), a callback's arguments, ra. A loop's count lives here because calls may clobber every
 * register.
 */
export interface Frame {
  readonly slots: number;
  readonly keepsArguments: boolean;
  readonly keepsRa: boolean;
  readonly bytes: number;
}

export function frameOf(fn: ScriptFunction): Frame {
  const slots = nesting(fn, fn.body, 0);
  const keepsRa = makesCalls(fn.body);
  const keepsArguments = fn.callback;
  const words = slots + (keepsArguments ? CALLBACK_ARGUMENTS : 0) + (keepsRa ? 1 : 0);
  const bytes = Math.ceil((words * SLOT_BYTES) / STACK_ALIGNMENT) * STACK_ALIGNMENT;
  return { slots, keepsArguments, keepsRa, bytes };
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
