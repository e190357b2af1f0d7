// Layer trace. PLACEHOLDERS until the two return machines are here: every registration is refused. This file goes when
// `fprobe-fgraph.ts` and `fprobe-rethook.ts` define these links.
import type { Context } from '../emu/context.ts';
import { act, type Path } from '../emu/path.ts';
import type { Errno } from './errno.ts';
import type { FprobeState } from './fprobe-operation.ts';

const EOPNOTSUPP = 95;

export function registerFprobe(cx: Context): Path<Errno> {
  return act(cx.cpu.state, () => -EOPNOTSUPP);
}

export function unregisterFprobe(cx: Context): Path<Errno> {
  return act(cx.cpu.state, () => -EOPNOTSUPP);
}

export function unregisterFprobeAsync(cx: Context): Path<Errno> {
  return act(cx.cpu.state, () => -EOPNOTSUPP);
}

export function fprobeIsRegistered(cx: Context): Path<boolean> {
  return act(cx.cpu.state, () => false);
}

export function fprobeState(): FprobeState {
  return { registered: false, free: 0, nodes: 0, entries: 0 };
}
