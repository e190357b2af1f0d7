// Layer trace. Calling a handler of a kprobe. As for fprobes the machine watches the function, and whether a call of it is
// a probe's is read off the registers: behind the documented arguments, out of sight of a C prototype, are the probe,
// its registration, which handler it is, and the probed address; of a kretprobe also its data.
import { type Address, addressHi, addressLo, toAddress } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { callGuest, type Path } from '../emu/path.ts';
import { REG } from '../emu/regs.ts';
import { RETURN_STUB } from '../emu/stub-table.ts';
import type { Kernel } from './kernel.ts';
import type { Kprobe } from './kprobe.ts';

export interface KprobeHandlerCall {
  readonly handler: Address;
  /** The probed address. */
  readonly ip: Address;
  /** `struct pt_regs`. */
  readonly regs: Address;
}

/** In a6; apart from those of fprobes. */
const KPROBE_CALLS = { pre: 16, post: 17, fault: 18, entry: 19, ret: 20 } as const;
type Which = keyof typeof KPROBE_CALLS;

/** `kind` of events. */
const KPROBE_CALL_KINDS: Readonly<Record<Which, string>> = {
  pre: 'kprobe_pre',
  post: 'kprobe_post',
  fault: 'kprobe_fault',
  entry: 'kretprobe_entry',
  ret: 'kretprobe',
};

/** `pre_handler(p, regs)`; what it returned, as an int. */
export function callKprobePre(cx: Context, p: Kprobe, call: KprobeHandlerCall): Path<number> {
  return callKprobe(cx, p, call, { which: 'pre', first: p.address, third: 0 });
}

/** `post_handler(p, regs, 0)`. */
export function* callKprobePost(cx: Context, p: Kprobe, call: KprobeHandlerCall): Path<void> {
  yield* callKprobe(cx, p, call, { which: 'post', first: p.address, third: 0 });
}

interface Documented {
  readonly which: Which;
  /** a0: the probe, or an instance. */
  readonly first: Address;
  /** a2. */
  readonly third: number;
  /** Of a kretprobe, out of sight in a3: the data of its instance. */
  readonly data?: Address;
}

/** Calls a handler with its documented arguments in a0..a2. */
export function* callKprobe(
  cx: Context,
  p: Kprobe,
  { handler, ip, regs }: KprobeHandlerCall,
  { which, first, third, data }: Documented,
): Path<number> {
  const generation = cx.make(() => p.generation.value);
  const documented = [
    addressLo(first),
    addressHi(first),
    addressLo(regs),
    addressHi(regs),
    third,
    0,
  ];
  const hidden = [
    addressLo(p.address),
    addressHi(p.address),
    generation,
    0,
    KPROBE_CALLS[which],
    0,
  ];
  const shared = data === undefined ? [0, 0] : [addressLo(data), addressHi(data)];
  const args = [...documented, ...shared, ...hidden, addressLo(ip), addressHi(ip)];
  return yield* callGuest(cx.cpu.state, handler, args);
}

/** What the registers say about a handler that is being entered. */
export interface CalledKprobe {
  readonly p: Kprobe;
  readonly kind: string;
  readonly generation: number;
  readonly ip: Address;
}

/** The hart stands at the first instruction of a watched function: for which probe, if for any. */
export function calledKprobe({ cpu }: Context, k: Kernel): CalledKprobe | undefined {
  const { lo, hi } = cpu.hart;
  const register = (number: number): Address =>
    toAddress(lo[number] as number, hi[number] as number);
  if (k.kprobes === undefined || register(REG.ra) !== RETURN_STUB) return undefined;
  const p = k.kprobes.byAddress.get(register(REG.a4));
  const which = Object.entries(KPROBE_CALLS).find(([, number]) => number === lo[REG.a6]);
  const generation = lo[REG.a5] as number;
  if (p === undefined || which === undefined || generation === 0) return undefined;
  const kind = KPROBE_CALL_KINDS[which[0] as Which];
  return { p, kind, generation, ip: register(REG.a7) };
}
