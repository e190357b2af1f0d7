// Layer replay. The handlers that each kind of probe has: what they are called in a workload, in triggers (`fp0.entry`)
// and, of `count`, as counters; how events name them; and who passes them which arguments.
import type { Convention } from '../../emu/script.ts';
import type { ProbeModel } from './model.ts';
import { entries } from './scope.ts';

type ProbeKind = ProbeModel['kind'];

/** By kind: each handler, and the `kind` of its `cb_begin`. */
const HANDLERS = {
  ftrace: { callback: 'ftrace_ops' },
  fprobe: { entry: 'fprobe_entry', exit: 'fprobe_exit' },
  kprobe: { pre: 'kprobe_pre', post: 'kprobe_post' },
  kretprobe: { entry: 'kretprobe_entry', handler: 'kretprobe' },
} as const satisfies Record<ProbeKind, Readonly<Record<string, string>>>;

type HandlerName = { [K in ProbeKind]: keyof (typeof HANDLERS)[K] }[ProbeKind];

/** What handlers of these are given in a0, a1, ... */
export const CONVENTIONS: Readonly<Record<ProbeKind, Convention>> = {
  ftrace: 'ftrace',
  fprobe: 'fprobe',
  kprobe: 'kprobe',
  kretprobe: 'kprobe',
};

/** A handler that a probe has. */
export interface ProbeHandler {
  readonly probe: string;
  readonly kind: ProbeKind;
  readonly handler: HandlerName;
  /** The `kind` of events. */
  readonly call: string;
  /** As written: a callback of the workload, a function of the image, or one that is built in. */
  readonly callback: string;
  /** What it returns where it is built in. */
  readonly returns: number;
}

/** The handlers of one probe, in the order of their table. */
export function handlersOf(probe: string, model: ProbeModel): readonly ProbeHandler[] {
  const { kind } = model;
  const callbacks: Readonly<Record<string, unknown>> = { ...model };
  return entries<string>(HANDLERS[kind]).flatMap(([handler, call]) => {
    const callback = callbacks[handler];
    if (typeof callback !== 'string' || !isHandler(handler)) return [];
    return [{ probe, kind, handler, call, callback, returns: returnsOf(model, handler) }];
  });
}

/** Of all probes. */
export function allHandlers(
  probes: Readonly<Record<string, ProbeModel>> | undefined,
): readonly ProbeHandler[] {
  return entries(probes).flatMap(([name, model]) => handlersOf(name, model));
}

function isHandler(name: string): name is HandlerName {
  return Object.values(HANDLERS).some((handlers) => Object.hasOwn(handlers, name));
}

function returnsOf(model: ProbeModel, handler: HandlerName): number {
  if (model.kind === 'kprobe') return handler === 'pre' ? (model.pre_returns ?? 0) : 0;
  return model.kind !== 'ftrace' && handler === 'entry' ? (model.entry_returns ?? 0) : 0;
}
