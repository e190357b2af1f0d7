// A small kernel with fprobes on the function-graph machine, for tests of src/trace/fprobe-*.ts.
import { known } from '../src/assert.ts';
import type { Context } from '../src/emu/context.ts';
import type { Path } from '../src/emu/path.ts';
import type { ScriptOp } from '../src/emu/script.ts';
import { fprobeOperation, type FprobeRequest } from '../src/trace/fprobe-operation.ts';
import { type Fprobe, newFprobe } from '../src/trace/fprobe.ts';
import { PROFILES } from '../src/trace/profile.ts';
import { smallKernel, type SmallKernel, type SmallKernelOptions } from './small-kernel.ts';

export interface FprobeKernel extends SmallKernel {
  /** An fprobe whose handlers are `${name}In` and `${name}Out`, as far as there are such. */
  fprobe(name: string, more?: Partial<Parameters<typeof newFprobe>[1]>): Fprobe;
  perform(cx: Context, fp: Fprobe, request: FprobeRequest): Path<number>;
  /** As `perform`, for functions by name. */
  register(cx: Context, fp: Fprobe, syms: readonly string[]): Path<number>;
  unregister(cx: Context, fp: Fprobe): Path<number>;
  /** Handlers that ran, and skips: `fp0 > a1`, `fp0 < a1`, `fp0 disabled a1`. */
  story(): string[];
  nmissed(fp: Fprobe): number;
  /** How many sites serve somebody. */
  served(): number;
}

export interface FprobeKernelOptions extends SmallKernelOptions {
  readonly era?: string;
}

export const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];

export function call(target: string): ScriptOp {
  return { op: 'call', target };
}

export const UNREGISTER = { op: 'unregister_fprobe' } as const;
export const DISABLE = { op: 'disable_fprobe' } as const;
export const ENABLE = { op: 'enable_fprobe' } as const;

export function fprobeKernel({ era = 'today', ...options }: FprobeKernelOptions): FprobeKernel {
  const profile = known(PROFILES.get(era), `${era} is an era`);
  const m = smallKernel({ profile, ...options });
  const perform: FprobeKernel['perform'] = (cx, fp, request) =>
    fprobeOperation(cx, m.k, fp, request);
  const has = new Set(Object.keys(options.callbacks ?? {}));
  const handler = (name: string): number | undefined =>
    has.has(name) ? m.fn(name).address : undefined;
  return {
    ...m,
    perform,
    fprobe: (name, more = {}) =>
      newFprobe(m.k, {
        name,
        entryHandler: handler(`${name}In`),
        exitHandler: handler(`${name}Out`),
        ...more,
      }),
    register: (cx, fp, syms) => perform(cx, fp, { op: 'register_fprobe_syms', syms }),
    unregister: (cx, fp) => perform(cx, fp, UNREGISTER),
    story: () => storyOf(m),
    nmissed: ({ nmissed }) => nmissed.value,
    served: () => m.k.records.filter(({ users }) => users.value.length > 0).length,
  };
}

function storyOf(m: SmallKernel): string[] {
  const probes = new Map([...m.k.fprobes.byAddress.values()].map((fp) => [fp.object, fp.name]));
  const place = (address: number): string =>
    m.k.records.find(({ ip }) => ip === address)?.func.name ?? '?';
  return [...m.log.events()].flatMap((e) => {
    if (e.event === 'cb_begin' && e.kind === 'fprobe_entry')
      return [`${probes.get(e.object) ?? '?'} > ${place(e.ip)}`];
    if (e.event === 'cb_begin' && e.kind === 'fprobe_exit')
      return [`${probes.get(e.object) ?? '?'} < ${place(e.ip)}`];
    if (e.event !== 'skip' || e.reason === 'filter') return [];
    return [`${probes.get(e.object) ?? 'nobody'} ${e.reason} ${place(e.ip)}`];
  });
}
