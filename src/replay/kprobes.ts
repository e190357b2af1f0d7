// Layer replay. The plan's kprobes and kretprobes as objects of the tracing subsystem, and operations on them as calls: on
// one, or on several at once. A workload says nothing of structs: it means that its probes can be registered again, so
// their structs are filled in anew, unless it asks for what the kernel has left there (`reuse`).
import { assert } from '../assert.ts';
import type { Address } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import type { Path } from '../emu/path.ts';
import type { Kernel } from '../trace/kernel.ts';
import { type KprobeFields, newKprobe, refillKprobe } from '../trace/kprobe-object.ts';
import { type KprobeCall, kprobeOperation } from '../trace/kprobe-operation.ts';
import { KPROBE_FLAG_DISABLED } from '../trace/kprobe-struct.ts';
import type { Kprobe } from '../trace/kprobe.ts';
import type { KprobeFlag } from './workload/model-kprobe.ts';
import type { OperationName } from './workload/model.ts';
import type { PlanKprobe, PlanKprobePlace, PlanKretprobe } from './workload/plan.ts';

export interface KprobeProbe {
  readonly kind: 'kprobe' | 'kretprobe';
  readonly object: number;
  readonly p: Kprobe;
  readonly fields: KprobeFields;
  readonly reuse: boolean;
  /** Calls that have begun and not returned: their struct is in use. */
  underWay: number;
}

/** Names of the workload to addresses. */
export interface KprobeNames {
  func(name: string): Address;
  /** Of a function, or of data. */
  symbol(name: string): Address;
}

const FLAG_BITS: Readonly<Record<KprobeFlag, number>> = { DISABLED: KPROBE_FLAG_DISABLED };

/** Makes one, unregistered. */
export function makeKprobe(
  k: Kernel,
  planned: PlanKprobe | PlanKretprobe,
  names: KprobeNames,
): KprobeProbe {
  const { kind, name, reuse } = planned;
  const handler = (callback: string | null): Address | undefined =>
    callback === null ? undefined : names.func(callback);
  const handlers =
    planned.kind === 'kprobe'
      ? { preHandler: handler(planned.pre), postHandler: handler(planned.post) }
      : {
          handler: handler(planned.handler),
          entryHandler: handler(planned.entry),
          maxactive: planned.maxactive,
          dataSize: planned.dataSize,
        };
  const fields = { kind, name, ...placeOf(planned, names), ...handlers };
  const p = newKprobe(k, fields);
  return { kind, object: p.object, p, fields, reuse, underWay: 0 };
}

function placeOf(
  { symbol, addr, offset, flags }: PlanKprobePlace,
  names: KprobeNames,
): Pick<KprobeFields, 'symbol' | 'addr' | 'offset' | 'flags'> {
  return {
    symbol: symbol ?? undefined,
    addr: addr === null ? undefined : names.symbol(addr.symbol) + addr.offset,
    offset,
    flags: flags.reduce((bits, flag) => bits | FLAG_BITS[flag], 0),
  };
}

/** The call that performs an operation on one probe, or on several. */
export function kprobeCall(
  { kind }: Pick<KprobeProbe, 'kind'>,
  op: OperationName,
  isBatch: boolean,
): KprobeCall {
  if (op === 'disable' || op === 'enable') return `${op}_${kind}`;
  assert(op === 'register' || op === 'unregister', 'other operations were refused by check');
  return isBatch ? `${op}_${kind}s` : `${op}_${kind}`;
}

/** Performs it; 0 or a negative errno. Task context; sleeps. */
export function* performOnKprobes(
  cx: Context,
  k: Kernel,
  op: KprobeCall,
  probes: readonly KprobeProbe[],
): Path<number> {
  cx.make(() => {
    for (const probe of probes) {
      if (op.startsWith('register') && isIdle(probe)) refillKprobe(k, probe.p, probe.fields);
    }
    for (const probe of probes) probe.underWay++;
  });
  const result = yield* kprobeOperation(cx, k, { op, probes: probes.map(({ p }) => p) });
  cx.make(() => {
    for (const probe of probes) probe.underWay--;
  });
  return result;
}

/** May its struct be filled in anew? */
function isIdle({ p, reuse, underWay }: KprobeProbe): boolean {
  return !reuse && underWay === 0 && p.node.value === undefined;
}
