// Layer replay, tests only. Runs with fprobes, told by hand.
import { image, leaves, site, type Told, type Where } from './example-run.ts';

/** Where an fprobe was told to be, by its number: far from what the example image holds. */
const OBJECTS = 40;
export const FP = OBJECTS;
export const OTHER: number = OBJECTS + 1;
/** Where calls return to, and the stack pointer that they are made with. */
const RET = 0x70000;
export const SP = 0x9000;

type Hook = 'fgraph' | 'rethook';

interface Registered {
  readonly object?: number;
  readonly generation?: number;
  readonly text?: string;
  readonly hook?: Hook;
  readonly flags?: number;
  readonly entry?: number;
  readonly exit?: number;
  readonly maxactive?: number;
  readonly data?: number;
  /** The ftrace_ops behind it. */
  readonly ops?: number;
}

/** Symbols, tasks, and an fprobe with both handlers that is registered for `vfs_*`. */
export function registered(told: Registered = {}): Told[] {
  const { object = FP, generation = 1, text = 'vfs_*' } = told;
  const op = 'register_fprobe';
  const struct: Registered = {
    hook: 'rethook',
    entry: 0x6000,
    exit: 0x6100,
    maxactive: 8,
    ...told,
  };
  return [
    [
      'object',
      { kind: 'fprobe', object, name: `fp${object - OBJECTS}`, callback: struct.entry ?? -1 },
    ],
    ['ctl_begin', { op, object, text, pid: 3 }],
    ['fprobe', { object, ...fieldsOf(struct), pid: 3 }],
    ['ctl_end', { op, object, generation, pid: 3 }],
  ];
}

function fieldsOf({
  entry: first,
  exit: last,
  flags = 0,
  hook: by,
  data = 0,
  maxactive,
  ops = 0,
}: Registered): object {
  return { entry: first, exit: last, flags, hook: by, maxactive, data_size: data, ops };
}

export function world(told: Registered = {}): Told[] {
  return [...image(), ...registered(told)];
}

export function call(op: string, result: number, object = FP, generation = 1): Told[] {
  return [
    ['ctl_begin', { op, object, pid: 3 }],
    ['ctl_end', { op, object, generation, result, pid: 3 }],
  ];
}

interface Hit extends Where {
  readonly object?: number;
  readonly generation?: number;
  readonly sp?: number;
  readonly ret?: number;
  readonly data?: number;
  readonly result?: number;
}

function whereOf({ pid = 1, cpu = 0, level = 0 }: Hit): Required<Where> {
  return { pid, cpu, level };
}

export function enters(name: string, hit: Hit = {}): Told[] {
  const { ret = RET, sp = SP } = hit;
  const at = whereOf(hit);
  return [
    ['func_enter', { func: site(name) - 4, ra: ret, sp, ...at }],
    ['site_fetch', { ip: site(name), does: 'call', ...at }],
  ];
}

export function entry(name: string, hit: Hit = {}): Told[] {
  const { data = -1, generation = 1, object = FP, result = 0, ret = RET } = hit;
  const at = whereOf(hit);
  const kind = 'fprobe_entry';
  return [
    ['cb_begin', { kind, object, generation, ip: site(name), parent_ip: ret, ...at }],
    ['fprobe_data', { object, entry_data: data, ...at }],
    ['cb_end', { kind, object, generation, ip: site(name), ...at }],
    ['entry_result', { object, generation, value: result, ...at }],
  ];
}

export function hook(name: string, hit: Hit = {}): Told {
  const { generation = 1, object = FP, ret = RET, sp = SP } = hit;
  return ['hook', { object, generation, ip: site(name), frame: sp, ret, ...whereOf(hit) }];
}

export function exitBegins(name: string, hit: Hit = {}): Told[] {
  const { data = -1, generation = 1, object = FP, ret = RET } = hit;
  const at = whereOf(hit);
  return [
    [
      'cb_begin',
      { kind: 'fprobe_exit', object, generation, ip: site(name), parent_ip: ret, ...at },
    ],
    ['fprobe_data', { object, entry_data: data, ...at }],
  ];
}

export function exitEnds(name: string, hit: Hit = {}): Told {
  const { generation = 1, object = FP } = hit;
  return ['cb_end', { kind: 'fprobe_exit', object, generation, ip: site(name), ...whereOf(hit) }];
}

export function exit(name: string, hit: Hit = {}): Told[] {
  return [...exitBegins(name, hit), exitEnds(name, hit)];
}

export function unhook(name: string, hit: Hit = {}): Told {
  const { generation = 1, object = FP, sp = SP } = hit;
  const why = 'return';
  return ['unhook', { object, generation, ip: site(name), frame: sp, why, ...whereOf(hit) }];
}

export function skips(reason: string, name: string, hit: Hit = {}): Told {
  const { generation = 1, object = FP } = hit;
  return ['skip', { object, generation, reason, ip: site(name), ...whereOf(hit) }];
}

export function counts(old: number, next = old + 1, hit: Hit = {}): Told {
  const { object = FP } = hit;
  return ['count', { object, counter: 'nmissed', old, new: next, ...whereOf(hit) }];
}

/** Up to where the function runs, and from where it returns. */
export function begun(name: string, hit: Hit = {}): Told[] {
  return [...enters(name, hit), ...entry(name, hit), hook(name, hit)];
}

export function ended(name: string, hit: Hit = {}): Told[] {
  return [...exit(name, hit), unhook(name, hit), leaves(name, whereOf(hit))];
}
