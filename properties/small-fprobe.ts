// fprobes on a small kernel, and what became of a run as lines: for tests of src/trace.
import { known } from '../src/assert.ts';
import { NO_ADDRESS } from '../src/emu/address.ts';
import type { Context } from '../src/emu/context.ts';
import type { Path } from '../src/emu/path.ts';
import type { ScriptOp } from '../src/emu/script.ts';
import type { Event } from '../src/replay/schema.ts';
import { fprobeOperation, type FprobeRequest } from '../src/trace/fprobe-operation.ts';
import { type Fprobe, type FprobeRequest as Filled, newFprobe } from '../src/trace/fprobe.ts';
import { PROFILES } from '../src/trace/profile.ts';
import { smallKernel, type SmallKernel, type SmallKernelOptions } from './small-kernel.ts';

export interface SmallFprobes extends SmallKernel {
  /** Handlers by name; `entry` and `exit` unless it says otherwise, null for none. */
  fprobe(name: string, filled?: Partial<FprobeFill>): Fprobe;
  /** The result of a call. */
  ask(cx: Context, fp: Fprobe, request: FprobeRequest): Path<number>;
  register(cx: Context, fp: Fprobe, filter: string, notfilter?: string): Path<number>;
  unregister(cx: Context, fp: Fprobe): Path<number>;
  /** Events of the run in words: `A.entry f`, `A.exit f`, `f returns`, `A skips f: no_node`. */
  story(...also: readonly Event['event'][]): string[];
}

interface FprobeFill extends Omit<Filled, 'name' | 'entryHandler' | 'exitHandler'> {
  readonly entry: string | null;
  readonly exit: string | null;
}

const HANDLERS: Readonly<Record<string, readonly ScriptOp[]>> = {
  entry: [{ op: 'return', value: 0 }],
  exit: [{ op: 'work', count: 1 }],
};

/** The profile is v6.12 unless `era` says otherwise. */
export function smallFprobes(
  options: SmallKernelOptions & { readonly era?: string },
): SmallFprobes {
  const profile = known(PROFILES.get(options.era ?? 'v6.12'), 'the profile exists');
  const callbacks = { cb: [], ...HANDLERS, ...options.callbacks };
  const m = smallKernel({ ...options, profile, callbacks });
  const address = (name: string | null): number =>
    name === null ? NO_ADDRESS : m.fn(name).address;
  const ask: SmallFprobes['ask'] = (cx, fp, request) => fprobeOperation(cx, m.k, fp, request);
  return {
    ...m,
    ask,
    fprobe: (name, { entry = 'entry', exit = 'exit', ...filled } = {}) =>
      newFprobe(m.k, {
        name,
        entryHandler: address(entry),
        exitHandler: address(exit),
        ...filled,
      }),
    register: (cx, fp, filter, notfilter) =>
      ask(cx, fp, { op: 'register_fprobe', filter, notfilter }),
    unregister: (cx, fp) => ask(cx, fp, { op: 'unregister_fprobe' }),
    story: (...also) => storyOf(m, new Set(also)),
  };
}

function storyOf({ log }: SmallKernel, also: ReadonlySet<string>): string[] {
  const sites = new Map<number, string>();
  const starts = new Map<number, string>();
  const names = new Map<number, string>();
  const lines: string[] = [];
  for (const e of log.events()) {
    if (e.event === 'symbol') {
      sites.set(e.site, e.name);
      starts.set(e.address, e.name);
    } else if (e.event === 'object') names.set(e.object, e.name);
    const line = lineOf(e, { sites, starts, names });
    const isDefault = e.event !== 'hook' && e.event !== 'unhook' && e.event !== 'func_enter';
    if (line !== undefined && (isDefault || also.has(e.event))) lines.push(line);
  }
  return lines;
}

interface Names {
  readonly sites: ReadonlyMap<number, string>;
  readonly starts: ReadonlyMap<number, string>;
  readonly names: ReadonlyMap<number, string>;
}

function lineOf(e: Event, { sites, starts, names }: Names): string | undefined {
  const who = 'object' in e ? (names.get(e.object) ?? '?') : '';
  const at = 'ip' in e ? (sites.get(e.ip) ?? '?') : '';
  const func = 'func' in e ? (starts.get(e.func) ?? '?') : '';
  if (e.event === 'cb_begin') return `${who}.${e.kind.replace('fprobe_', '')} ${at}`;
  if (e.event === 'skip') return `${who} skips ${at}: ${e.reason}`;
  if (e.event === 'func_enter') return `${func} begins`;
  if (e.event === 'func_return') return isHandler(func) ? undefined : `${func} returns`;
  if (e.event === 'func_abandon') return `${func} abandoned`;
  if (e.event === 'hook' || e.event === 'unhook') return `${e.event} ${who} ${at}`;
  return e.event === 'oops' ? `oops: ${e.reason}` : undefined;
}

function isHandler(name: string): boolean {
  return /^(?:entry|exit|cb|refuse)/u.test(name);
}
