// Layer replay, tests only. Runs told by hand: a few calls that read like the story which a test
// tells.
import { assert } from '../../assert.ts';
import { type Event, type EventName, type EventOf, EVENTS } from '../schema.ts';
import { judgeEvents } from './index.ts';
import type { Guarantee, Verdict } from './judge.ts';

/** One event, with the fields that matter; the others are 0, empty or false. */
export type Told = { [N in EventName]: readonly [N, Partial<EventOf<N>>] }[EventName];

/** Where something happens; task 1 on CPU 0 when not said. */
export interface Where {
  readonly pid?: number;
  readonly cpu?: number;
  readonly level?: number;
}

export const RESET = 1;
export const NULL_PATTERN = 2;
export const REMOVE = 4;

/** The image of all examples, in the order of their addresses. */
const NAMES = ['vfs_open', 'vfs_read', 'kmalloc', 'schedule'];
const FUNCTION_BYTES = 0x40;
const PAD_BYTES = 4;
/** Where callback functions lie. */
const CALLBACKS = 0x4000;

function address(name: string): number {
  assert(NAMES.includes(name), `${name} is in the example image`);
  return NAMES.indexOf(name) * FUNCTION_BYTES;
}

export function site(name: string): number {
  return address(name) + PAD_BYTES;
}

/** Address of the callback function of ops `object`. */
export function callbackAt(object: number): number {
  return CALLBACKS + object * FUNCTION_BYTES;
}

/**
 * The symbols, a notrace function, three tasks, and the ops with these object numbers (`ops1`,
 * ...).
 */
export function image(...objects: readonly number[]): Told[] {
  return [
    ...NAMES.map((name): Told => ['symbol', { name, address: address(name), site: site(name) }]),
    ['symbol', { name: 'noinstr', address: 0x1000, site: -1, notrace: true }],
    ...['opener', 'reader', 'control'].map((name, index): Told => [
      'task_new',
      { child: index + 1, name },
    ]),
    ...objects.map((object): Told => {
      const callback = callbackAt(object);
      return ['object', { kind: 'ftrace', object, name: `ops${object}`, callback }];
    }),
  ];
}

/** The call inside the generic caller. */
const INNER_CALL = 0x9000;
const CALL_BYTES = 4;

/** The generic caller is patched: from here on the run tells who is called without the list function. */
export const PATCHED_CALLER: Told = ['text_write', { ip: INNER_CALL, value: 0x9002 }];

/** The callback function of `runs` is called without the list function, with the ops `given`. */
export function callsDirectly(
  given: number,
  runs: number,
  name: string,
  where: Where = {},
): Told[] {
  const step = 7777;
  const ra = INNER_CALL + CALL_BYTES;
  const begin = { kind: 'ftrace', object: given, generation: given === 0 ? 0 : 1, ip: site(name) };
  return [
    ['func_enter', { func: callbackAt(runs), ra, sp: 0x800, step, ...where }],
    ['cb_begin', { ...begin, step, ...where }],
    ['cb_end', { ...begin, ...where }],
  ];
}

type Call = Partial<EventOf<'ctl_begin'>>;
type Return = Partial<EventOf<'ctl_end'>>;

/** `control` (task 3) calls `op` on `object`. */
export function calls(op: string, object: number, call: Call = {}): Told {
  return ['ctl_begin', { pid: 3, op, object, ...call }];
}

export function returns(op: string, object: number, end: Return = {}): Told {
  return ['ctl_end', { pid: 3, op, object, ...end }];
}

export function register(object: number, generation: number): Told[] {
  const op = 'register_ftrace_function';
  return [calls(op, object), returns(op, object, { generation })];
}

export function unregister(object: number, generation: number): Told[] {
  const op = 'unregister_ftrace_function';
  return [calls(op, object), returns(op, object, { generation })];
}

export function setFilter(object: number, text: string, flags = RESET): Told[] {
  const op = 'ftrace_set_filter';
  return [calls(op, object, { text, flags }), returns(op, object)];
}

export function setNotrace(object: number, text: string, flags = RESET): Told[] {
  const op = 'ftrace_set_notrace';
  return [calls(op, object, { text, flags }), returns(op, object)];
}

/** A function is entered and its site fetched: a hit begins. */
export function enters(name: string, where: Where = {}, sp = 0x1000): Told[] {
  return [
    ['func_enter', { func: address(name), sp, ...where }],
    ['site_fetch', { ip: site(name), ...where }],
  ];
}

export function leaves(name: string, where: Where = {}): Told {
  return ['func_return', { func: address(name), ...where }];
}

/** The callback of registration `generation` of `object` begins for a function. */
export function begins(object: number, generation: number, name: string, where: Where = {}): Told {
  return ['cb_begin', { kind: 'ftrace', object, generation, ip: site(name), ...where }];
}

export function ends(object: number, generation: number, name: string, where: Where = {}): Told {
  return ['cb_end', { kind: 'ftrace', object, generation, ip: site(name), ...where }];
}

/** A whole call of a traced function: entry, callback, return. */
export function hit(object: number, generation: number, name: string, where: Where = {}): Told[] {
  return [
    ...enters(name, where),
    begins(object, generation, name, where),
    ends(object, generation, name, where),
    leaves(name, where),
  ];
}

/** Fills in what was left out. Steps count as events do, in tens. */
export function tell(told: readonly Told[]): Event[] {
  return told.map(([event, fields], index) => {
    const shape = Object.entries(EVENTS[event].fields);
    const zeros = Object.fromEntries(shape.map(([field, type]) => [field, zeroOf(type)]));
    const head = { event, index, step: index * 10, cpu: 0, level: 0, pid: 1 };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- built from the event's row
    return { ...head, ...zeros, ...fields } as unknown as Event;
  });
}

function zeroOf(type: string): number | string | boolean | bigint {
  switch (type) {
    case 'string':
      return '';
    case 'bool':
      return false;
    case 'u64':
      return 0n;
    default:
      return 0;
  }
}

/** The verdict of one guarantee over a run told by hand. */
export function judge(guarantee: Guarantee, told: readonly Told[]): Verdict {
  const [judged] = judgeEvents(tell(told), [guarantee]);
  assert(judged !== undefined, 'one guarantee has one verdict');
  return judged.verdict;
}

/** A verdict that has a reason, as `status: why`; else its status. */
export function reasonOf(verdict: Verdict): string {
  return 'why' in verdict ? `${verdict.status}: ${verdict.why}` : verdict.status;
}

/** What a broken verdict shows, event by event, as `name` or `name op`. */
export function shown(verdict: Verdict, told: readonly Told[]): readonly string[] {
  assert(verdict.status === 'broken', `expected broken, found ${verdict.status}`);
  return verdict.shows.map((index) => {
    const event = tell(told)[index];
    assert(event !== undefined, 'an event that is shown exists');
    return 'op' in event ? `${event.event} ${event.op}` : event.event;
  });
}
