// Layer replay, tests only. Runs with kprobes, told by hand.
import { image, site, type Told, type Where } from './example-run.ts';

/** Where probes were told to be, by their number: far from what the example image holds. */
const OBJECTS = 60;
export const P0 = OBJECTS;
export const P1: number = OBJECTS + 1;
/** A kretprobe on the site of vfs_open. */
export const R0: number = OBJECTS + 2;
/** An instruction of vfs_read that can be stepped, its slot, and a place on the stack. */
export const IP: number = site('vfs_read') + 8;
export const SLOT = 0xa0000;
export const SP = 0x9000;
const PRE_FUNC = 0x6000;
const CONTROL = 3;
const TRAP = 4;

interface Planted {
  readonly object?: number;
  readonly ip?: number;
  readonly flags?: number;
  readonly post?: boolean;
  readonly kind?: string;
  readonly result?: number;
  readonly op?: string;
}

/** A register call; by default of a breakpoint probe with a pre_handler. */
export function registers(told: Planted = {}): Told[] {
  const { flags = 0, object = P0, result = 0 } = told;
  const kind = told.kind ?? (object === R0 ? 'kretprobe' : 'kprobe');
  const ip = told.ip ?? (object === R0 ? site('vfs_open') : IP);
  const how = ip === site('vfs_open') ? 'ftrace' : 'breakpoint';
  const op = told.op ?? `register_${kind}`;
  const first = kind === 'kretprobe' ? -1 : preOf(object);
  const handlers = { pre: first, post: told.post === true ? PRE_FUNC + 0x800 : -1 };
  return [
    ['object', { kind, object, name: `p${object - OBJECTS}`, callback: first }],
    ['ctl_begin', { op, object, text: `${object}`, pid: CONTROL }],
    ['kprobe', { object, kind, how, ip, flags, ...handlers, pid: CONTROL }],
    ['ctl_end', { op, object, generation: 1, result, pid: CONTROL }],
  ];
}

/** The address of a probe's pre_handler. */
function preOf(object: number): number {
  return PRE_FUNC + 0x10 * (object - OBJECTS);
}

/** Symbols, tasks, and the probes. */
export function world(...told: readonly Planted[]): Told[] {
  const probes = told.length === 0 ? [{}] : told;
  return [...image(), ...probes.flatMap((one) => registers(one))];
}

/** A call on several probes that succeeds. */
export function calls(op: string, ...objects: readonly number[]): Told[] {
  const [object = 0] = objects;
  return [
    ['ctl_begin', { op, object, text: objects.join(' '), pid: CONTROL }],
    ['ctl_end', { op, object, generation: 1, pid: CONTROL }],
  ];
}

/** A write to `kprobes/enabled`. */
export function switches(text: string): Told[] {
  const op = 'kprobes_enabled';
  return [
    ['ctl_begin', { op, text, pid: CONTROL }],
    ['ctl_end', { op, pid: CONTROL }],
  ];
}

function at({ pid = 1, cpu = 0, level = TRAP }: Where): Required<Where> {
  return { pid, cpu, level };
}

/** The breakpoint is fetched and traps. */
export function traps(where: Where = {}): Told[] {
  const { cpu, pid } = at(where);
  return [
    ['site_fetch', { ip: IP, does: 'break', cpu, pid }],
    ['region_open', { region: 1, watching: true, ...at(where) }],
    ['trap_enter', { pc: IP, ...at(where) }],
    ['current_kprobe', { ip: IP, status: 1, ...at(where) }],
  ];
}

export function begins(kind: string, object: number = P0, where: Where = {}): Told {
  return ['cb_begin', { kind, object, generation: 1, ip: ipOf(object), ...at(where) }];
}

export function ends(kind: string, object: number = P0, where: Where = {}): Told {
  return ['cb_end', { kind, object, generation: 1, ip: ipOf(object), ...at(where) }];
}

function ipOf(object: number): number {
  return object === R0 ? site('vfs_open') : IP;
}

/** A pre_handler that returns `value`. */
export function pre(object: number = P0, value = 0n, where: Where = {}): Told[] {
  return [
    begins('kprobe_pre', object, where),
    ['func_return', { func: preOf(object), value, ...at(where) }],
    ends('kprobe_pre', object, where),
  ];
}

export function skips(reason: string, object: number = P0, where: Where = {}): Told {
  return ['skip', { object, generation: 1, reason, ip: ipOf(object), ...at(where) }];
}

export function counts(object: number, old: number, next = old + 1, counter = 'nmissed'): Told {
  return ['count', { object, counter, old, new: next, ...at({}) }];
}

/** The instruction is stepped out of line, up to the second trap. */
export function steps(where: Where = {}): Told[] {
  return [
    ['kprobe_step', { ip: IP, how: 'slot', to: SLOT, ...at(where) }],
    ['trap_exit', { pc: IP, to: SLOT, ...at(where) }],
    ['trap_enter', { pc: SLOT + 4, ...at(where) }],
  ];
}

export function post(object: number = P0, where: Where = {}): Told[] {
  return [begins('kprobe_post', object, where), ends('kprobe_post', object, where)];
}

/** The second trap is over. */
export function over(where: Where = {}): Told[] {
  return [
    ['current_kprobe', { ip: -1, status: 0, ...at(where) }],
    ['trap_exit', { pc: SLOT + 4, to: IP + 4, ...at(where) }],
    ['region_close', { region: 1, ...at(where) }],
  ];
}

/** A whole hit. */
export function hit(...objects: readonly number[]): Told[] {
  const all = objects.length === 0 ? [P0] : objects;
  return [...traps(), ...all.flatMap((object) => pre(object)), ...steps(), ...over()];
}

/** The return of vfs_open is taken for R0. */
export function taken(frame: number = SP, pid = 1): Told {
  return ['hook', { object: R0, generation: 1, ip: site('vfs_open'), frame, ret: 0x7000, pid }];
}

export function givenBack(frame: number = SP, why = 'return', pid = 1): Told {
  return ['unhook', { object: R0, generation: 1, ip: site('vfs_open'), frame, why, pid }];
}

/** Its return handler. */
export function returns(pid = 1): Told[] {
  return [begins('kretprobe', R0, { pid, level: 0 }), ends('kretprobe', R0, { pid, level: 0 })];
}

/** An entry handler that returned `value`. */
export function answers(value: number, pid = 1): Told[] {
  return [
    begins('kretprobe_entry', R0, { pid, level: 0 }),
    ends('kretprobe_entry', R0, { pid, level: 0 }),
    ['entry_result', { object: R0, generation: 1, value, pid }],
  ];
}
