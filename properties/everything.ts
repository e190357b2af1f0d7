// A workload in which everything stands that a workload can say, and which keys there are for that: the schema is asked,
// so that a key that comes later is missed here.
import { workloadJsonSchema } from '../src/replay/workload/json-schema.ts';

/** Every section and every key of each, every word of a body, every kind of trigger and operation. */
export const EVERYTHING = `name: everything
story: All at once.
machine: { cpus: 2, seed: 42, preempt: true, landingPad: false, grain: instruction, steps_max: 5000, patching: breakpoint, trampolines: false, regs: true, ifSupportedGivesRegs: true, recordRecursion: true, strict: true, fail_alloc: [heap, ftrace_hash], random: { schedule: [1, 4], inject: [0, 1], alloc: [1, 9] }, missPolicy: exitOnly, countRecursion: true, racyCounters: true, sharedStrict: true, fprobeNonWatching: true, optprobes: true, detourTasksWait: true }
image: c/store.elf
modules:
  compiled: { image: c/ftrace_sample.ko, params: { func: 'l*', depth: 3, loud: false } }
  written: { init: m_init, exit: m_exit }
data: { counter: 16, lock: 8 }
functions:
  early: { body: [call late, call rcu_is_watching, call audit, tail late] }
  late:
    body: [work 4, load counter, store counter 1, add counter+8 2, amoadd counter 3, irq_off, irq_on,
      preempt_off, preempt_on, rcu_read_lock, rcu_read_unlock, sleep 5, return 7]
    notrace: false
  again: { body: [work 1], symbol: late, nokprobe: true }
  looping: { body: [{ loop: 2, body: [work 1, { loop: 3, body: [call late] }] }], notrace: true }
  gated: { body: [{ if: counter+8, body: [call late] }] }
  m_init: { body: [store lock 1], module: written }
  m_exit: { body: [store lock 0, call m_init], module: written }
tasks:
  control-1: { cpu: 1 }
  opener: { cpu: 0, run: early, times: 3 }
  program: { cpu: 1, run: early, times: 2, user: { work: 3, entry: late, exit: early } }
  typed: { cpu: 1, run: audit }
idle: [{ cpu: 1, run: late, times: 2 }]
handlers:
  tick: { irq: early, cpu: 1, inject: 2, entry: late }
  bottom: { softirq: late }
  dog: { nmi: audit, inject: 1 }
  clock: { timer: late, cpu: 0, first: 10, every: 20, times: 3 }
callbacks:
  note: { body: [regs, set_reg s1 5, redirect late, { trylock: [work 1, call late] }], notrace: false }
  carry: { body: [store_data a1, show_data, regs, return 1] }
  shows: { body: [regs, set_reg s1 5, redirect late, return 1] }
  keeps: { body: [store_data a1, show_data] }
  loops: { body: [{ loop: 2, body: [work 1] }, { if: lock, body: [regs] }] }
typescript: { audit: 3 }
probes:
  ops0: { kind: ftrace, filter: 'l*', notrace: [early, late], callback: note }
  ops1: { kind: ftrace, callback: count, flags: [SAVE_REGS, IPMODIFY, RCU] }
  ops2: { kind: ftrace, filter: [early], callback: nothing, flags: [PID, PERMANENT] }
  ops3: { kind: ftrace, callback: audit, static: true }
  fp0: { kind: fprobe, filter: 'l*', notfilter: early, entry: carry, exit: carry, entry_data_size: 16, nr_maxactive: 3, flags: [DISABLED, KPROBE_SHARED], ops_flags: [RECURSION] }
  fp1: { kind: fprobe, ips: [late, again], entry: count, exit: nothing, entry_returns: -1 }
  fp2: { kind: fprobe, syms: [late], exit: audit }
  fp3: { kind: fprobe, filter: null, entry: nothing }
  kp0: { kind: kprobe, symbol: early, offset: 8, pre: shows, post: count, flags: [DISABLED], reuse: true }
  kp1: { kind: kprobe, addr: late+4, pre: count, pre_returns: 0, post: nothing }
  kr0: { kind: kretprobe, symbol: early, offset: 0, entry: count, entry_returns: 1, handler: keeps, maxactive: 2, data_size: 8 }
  kr1: { kind: kretprobe, addr: early, handler: count, flags: [DISABLED], reuse: false }
timeline:
  - { at: start, register: ops0, expect: 0 }
  - { at: { step: 4, cpu: 1 }, set_filter: { probe: ops0, pattern: null, reset: true } }
  - { on: { enter: late, cpu: 1, nth: 2 }, set_notrace: { probe: ops0, pattern: early, reset: false } }
  - { on: { return: ops0.callback }, set_filter_ip: { probe: ops1, function: late, remove: true, reset: false }, by: control-1 }
  - { on: { begin: register, probe: ops0 }, irq: tick, cpu: 1 }
  - { on: { end: set_filter }, softirq: { run: late } }
  - { on: { event: text_write }, nmi: dog }
  - { on: { enter: audit }, irq: { run: early } }
  - { on: { enter: late }, nmi: { run: late } }
  - { at: { step: 9 }, set_filter_ips: { probe: ops1, functions: [late, again], remove: true, reset: true }, expect: ENOENT }
  - { at: { step: 9 }, ftrace_enabled: 0, expect: -EBUSY }
  - { on: { end: ftrace_enabled }, set_ftrace_pid: { tasks: [opener, control-1], append: true } }
  - { at: { step: 9 }, init_module: written }
  - { at: { step: 9 }, init_module: { module: compiled, params: { func: late, depth: 4, loud: true } } }
  - { on: { end: init_module, module: written }, delete_module: compiled }
  - { at: { step: 9 }, cpu_down: { which: 1, run: late } }
  - { on: { end: cpu_down }, cpu_up: { which: 1, run: late } }
  - { at: end, unregister: ops0, expect: -EBUSY }
  - { at: end, free_filter: ops0 }
  - { at: start, register: fp0, expect: -E2BIG }
  - { at: start, register: fp1, expect: -ENOSPC }
  - { at: start, register: { probe: fp0, filter: 'l*', notfilter: early }, expect: 0 }
  - { at: start, register: { probe: fp1, ips: [again] }, expect: 0 }
  - { at: start, register: { probe: fp2, syms: [late, again] } }
  - { on: { enter: fp0.entry, cpu: 1 }, disable: fp0 }
  - { on: { return: fp2.exit }, enable: fp0, by: control-1 }
  - { on: { begin: disable, probe: fp0 }, unregister_async: fp1 }
  - { at: start, register: [kp0, kp1] }
  - { on: { enter: kp0.pre }, unregister: [kp1] }
  - { on: { return: kr0.handler }, kprobes_enabled: 'off' }
  - { on: { end: kprobes_enabled }, kprobes_enabled: 1 }
expect: [unregister, { counter: kp0.post, is: 1 }, { counter: kr0.nmissed, is: 1 }, { counter: kr0.kp.nmissed, is: 1 }, { counter: counter+8, is: 3 }, { counter: ops1.count, at_least: 1 }, { counter: counter, at_most: 9 }, { counter: fp1.entry, is: 1 }, { counter: fp0.nmissed, is: 0 }]
`;

/** A node of the JSON schema, as far as it is looked at. */
export interface SchemaNode {
  readonly $ref?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly examples?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
  readonly items?: SchemaNode;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: SchemaNode | boolean;
}

interface SchemaRoot extends SchemaNode {
  readonly $defs: Readonly<Record<string, SchemaNode>>;
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- zod writes it, in the words of JSON schema
export const SCHEMA: SchemaRoot = workloadJsonSchema() as unknown as SchemaRoot;

/** The definition that a node stands for. */
export function resolved(node: SchemaNode): SchemaNode {
  const name = node.$ref?.replace(/^#\/\$defs\//u, '');
  return name === undefined ? node : (SCHEMA.$defs[name] ?? {});
}

/** A key by its place: `probes.*.filter (fprobe)`; `*` stands for a name, `[]` for an element. */
type KeyPlace = string;

/** Every key that the schema has; in blocks of lines that lie in each other, those of the outermost. */
export function schemaKeys(
  node: SchemaNode = SCHEMA,
  place = '',
  within: readonly string[] = [],
): readonly KeyPlace[] {
  const { $ref } = node;
  if ($ref !== undefined && within.includes($ref)) return [];
  const inner = $ref === undefined ? within : [...within, $ref];
  const { anyOf = [], oneOf = [], items, properties = {}, additionalProperties } = resolved(node);
  const kind = kindOf(properties['kind']?.const);
  return [
    ...[...anyOf, ...oneOf].flatMap((one) => schemaKeys(one, place, inner)),
    ...(items === undefined ? [] : schemaKeys(items, `${place}[]`, inner)),
    ...(typeof additionalProperties === 'object'
      ? schemaKeys(additionalProperties, `${place}.*`, inner)
      : []),
    ...Object.entries(properties).flatMap(([key, one]) =>
      [`${place}.${key}${kind}`].concat(schemaKeys(one, `${place}.${key}`, inner)),
    ),
  ];
}

/** Every key that stands in `value`, which is what `node` describes. */
export function keysIn(value: unknown, node: SchemaNode = SCHEMA, place = ''): readonly KeyPlace[] {
  if (typeof value !== 'object' || value === null) return [];
  const schema = describing(node, value);
  const { properties, items, additionalProperties } = schema;
  if (Array.isArray(value))
    return value.flatMap((one) => (items === undefined ? [] : keysIn(one, items, `${place}[]`)));
  return Object.entries(value).flatMap(([key, one]) => {
    const own = properties?.[key];
    if (own !== undefined) {
      const here = `${place}.${key}`;
      return [`${here}${kindOf(properties?.['kind']?.const)}`].concat(keysIn(one, own, here));
    }
    return typeof additionalProperties === 'object'
      ? keysIn(one, additionalProperties, `${place}.*`)
      : [];
  });
}

function kindOf(kind: unknown): string {
  return typeof kind === 'string' ? ` (${kind})` : '';
}

/** Of alternatives the one that has the keys of `value`. */
export function describing(node: SchemaNode, value: object): SchemaNode {
  const whole = resolved(node);
  const alternatives = [...(whole.anyOf ?? []), ...(whole.oneOf ?? [])].map(resolved);
  if (whole.properties !== undefined || alternatives.length === 0) return whole;
  const fits = ({ type, properties }: SchemaNode): boolean => {
    if (type !== (Array.isArray(value) ? 'array' : 'object')) return false;
    const kind = properties?.['kind']?.const;
    if (kind !== undefined) return kind === (value as { readonly kind?: unknown }).kind;
    return properties === undefined || Object.keys(value).every((key) => key in properties);
  };
  return alternatives.find(fits) ?? whole;
}
