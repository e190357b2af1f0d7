// Random workloads with kprobes and kretprobes: a workload of `workloads.ts` to which they are added, and the era in which
// it runs. Probes at instructions of any function, callbacks included, alone, several at one address, or on call sites
// beside an ftrace_ops that comes and goes; hit by tasks on every CPU, by idle tasks, interrupts and NMIs, also within
// handlers; they are registered one by one or in batches, by one or two threads, switched off and on, alone and all
// together, and come back. Which instruction is meant is drawn as a number and found in the assembled text.
import fc from 'fast-check';
import { known } from '../src/assert.ts';
import { IMAGE_BASE } from '../src/emu/address.ts';
import { placeScripts } from '../src/emu/script-text.ts';
import type { ScriptFunction } from '../src/emu/script.ts';
import { makePlan } from '../src/replay/workload/make-plan.ts';
import type { KprobeModel, KretprobeModel } from '../src/replay/workload/model-kprobe.ts';
import type { CallbackModel, TimelineItem, Workload } from '../src/replay/workload/model.ts';
import { MCOUNT_INSN_SIZE } from '../src/trace/ftrace-insn.ts';
import type { Features } from './workload-features.ts';
import { NAMES, STEP_MAX } from './workload-names.ts';
import { fprobeCases } from './workloads-fprobe.ts';
import { workloadsWith } from './workloads.ts';

/** Eras in which unregister waits and nothing else is known to be broken. */
const KPROBE_ERAS = ['today', 'v6.12', 'v6.1'] as const;
type KprobeEra = (typeof KPROBE_ERAS)[number] | 'v2.6.31';

export interface KprobeFeatures extends Features {
  readonly eras?: readonly KprobeEra[];
  /** Every probe is at the address of the first one. */
  readonly siblings?: boolean;
  /** Every kprobe is on a call site. */
  readonly sites?: boolean;
  /** No kprobe is. */
  readonly breakpoints?: boolean;
  /** There are no kretprobes. */
  readonly plain?: boolean;
  /** At least one probe is a kretprobe, with one instance. */
  readonly short?: boolean;
  /** Handlers lead back to what is probed. */
  readonly recurses?: boolean;
  /** Each one is switched off and on, and so are all of them. */
  readonly pauses?: boolean;
  /** Each one goes while what it probes goes on, and comes back. */
  readonly leaves?: boolean;
  /** Fprobes are beside them. */
  readonly fprobes?: boolean;
}

export interface KprobeCase {
  readonly workload: Workload;
  readonly profile: KprobeEra;
}

type Handler = 'count' | 'linger' | 'recurse' | 'show' | 'nothing';

interface RawPlace {
  readonly func: number;
  /** Counts its instructions from the first one on, or its entry. */
  readonly insn: number;
  readonly isEntry: boolean;
  /** By symbol, where that is no other function's. */
  readonly bySymbol: boolean;
}

interface RawKprobe extends RawPlace {
  readonly kind: 'kprobe' | 'kretprobe';
  /** At the address of the probe before it. */
  readonly isSibling: boolean;
  /** pre_handler, or entry_handler. `away`: the function is left (KP-45); `refuse`: no handler at the return. */
  readonly first: Handler | 'away' | 'refuse' | null;
  readonly second: Handler | null;
  readonly maxactive: number;
  readonly data: number;
  readonly isDisabled: boolean;
  /** When it comes and goes, in turn. */
  readonly triggers: readonly number[];
  readonly pause: number | null;
}

interface RawSwitch {
  readonly off: number;
  readonly steps: number;
}

interface Raw {
  readonly kprobes: readonly RawKprobe[];
  /** The first two of one kind come and go together. */
  readonly isBatch: boolean;
  readonly switches: readonly RawSwitch[];
  /** A function in which no probe can be; beyond the functions: none. */
  readonly nokprobe: number;
}

/** Cases with these features. */
export function kprobeCases(features: KprobeFeatures = {}): fc.Arbitrary<KprobeCase> {
  const { eras = KPROBE_ERAS, fprobes = false } = features;
  const raw = rawCase(features);
  if (fprobes) {
    const { eras: _eras, ...rest } = features;
    return fc
      .record({ base: fprobeCases({ ...rest, eras: ['today', 'v6.12'] }), raw })
      .map(({ base: { workload, profile }, raw: drawn }) => ({
        workload: addKprobes(workload, drawn),
        profile: profile === 'v6.12' ? profile : 'today',
      }));
  }
  const base = workloadsWith({ probes: 1, ...features });
  return fc
    .record({ workload: base, raw, profile: fc.constantFrom(...eras) })
    .map(({ workload, raw: drawn, profile }) => ({
      workload: addKprobes(workload, drawn),
      profile,
    }));
}

function rawCase(features: KprobeFeatures): fc.Arbitrary<Raw> {
  const off = fc.record({ off: fc.nat(2 * STEP_MAX), steps: fc.nat(STEP_MAX) });
  return fc.record({
    kprobes: fc
      .array(rawKprobe(features), { minLength: features.siblings === true ? 2 : 1, maxLength: 4 })
      .map((raws) => raws.map((raw, index) => shaped(raw, index, features))),
    isBatch: fc.nat(3).map((draw) => draw === 3),
    switches:
      features.pauses === true
        ? fc.array(off, { minLength: 1, maxLength: 2 })
        : fc.oneof(fc.constant([]), fc.constant([]), fc.array(off, { maxLength: 1 })),
    nokprobe: fc.nat(3 * NAMES.length).map((draw) => 3 * NAMES.length - draw),
  });
}

/** What features insist on. */
function shaped(raw: RawKprobe, index: number, features: KprobeFeatures): RawKprobe {
  const { recurses, short, siblings, sites, breakpoints, plain } = features;
  const base: RawKprobe = {
    ...raw,
    kind: plain === true ? 'kprobe' : raw.kind,
    isSibling: index > 0 && (siblings ?? raw.isSibling),
    isEntry: sites ?? (breakpoints === true ? false : raw.isEntry),
    first: recurses === true && index === 0 ? 'recurse' : raw.first,
  };
  return short === true && index === 0 ? { ...base, kind: 'kretprobe', maxactive: 1 } : base;
}

function rawKprobe({ leaves, pauses }: KprobeFeatures): fc.Arbitrary<RawKprobe> {
  const handlers = ['count', 'count', 'linger', 'recurse', 'show', 'nothing'] as const;
  return fc.record({
    kind: fc.constantFrom<RawKprobe['kind'][]>('kprobe', 'kprobe', 'kretprobe'),
    func: fc.nat(11),
    insn: fc.nat(30),
    isEntry: fc.nat(2).map((draw) => draw === 2),
    bySymbol: fc.boolean(),
    isSibling: fc.nat(2).map((draw) => draw === 2),
    first: fc.constantFrom<RawKprobe['first'][]>(...handlers, 'away', 'away', 'refuse', null),
    second: fc.constantFrom<RawKprobe['second'][]>(...handlers, null, null, null),
    maxactive: fc.constantFrom(0, 0, 1, 2),
    data: fc.constantFrom(8, 0, 24),
    isDisabled: fc.nat(9).map((draw) => draw === 9),
    triggers: fc.array(fc.nat(STEP_MAX), { minLength: leaves === true ? 3 : 1, maxLength: 4 }),
    pause: pauses === true ? fc.nat(STEP_MAX) : fc.option(fc.nat(STEP_MAX), { freq: 2 }),
  });
}

/** Where handlers lead a function that they leave. */
const ELSEWHERE = 'kp_elsewhere';

/** What handlers call may be probed, too: then it is missed (KP-43). */
function callbacksOf({ functions = {} }: Workload): Readonly<Record<string, CallbackModel>> {
  const leaf = NAMES.findLast((name) => functions[name] !== undefined) ?? NAMES[0];
  return {
    kp_linger: { body: [{ loop: 3, body: ['add hits 1'] }] },
    kp_recurse: { body: ['amoadd hits 1', `call ${leaf}`] },
    kp_show: { body: ['regs', 'set_reg a7 9'] },
    kp_away: { body: [`redirect ${ELSEWHERE}`, 'return 1'] },
  };
}

/** `workload`, with kprobes. */
function addKprobes(base: Workload, raw: Raw): Workload {
  const goes = raw.kprobes.some(
    ({ kind, triggers }) => kind === 'kretprobe' && triggers.length > 1,
  );
  const workload = goes ? withoutFailures(base) : base;
  const callbacks = { ...workload.callbacks, ...callbacksOf(workload) };
  const functions = {
    ...withoutKprobes(workload, raw.nokprobe),
    [ELSEWHERE]: { body: ['work 1'], notrace: true },
  };
  const plain: Workload = { ...workload, callbacks, functions };
  const texts = textsOf(plain);
  const models = modelsOf(raw.kprobes, texts);
  const probes = Object.fromEntries(models.map((model, index) => [nameOf(model, index), model]));
  const lives = livesOf(raw, models, plain);
  return {
    ...plain,
    machine: { ...workload.machine, steps_max: 1_000_000 },
    probes: { ...workload.probes, ...probes },
    timeline: [...(workload.timeline ?? []), ...lives, ...raw.switches.flatMap(switchOf)],
  };
}

/**
 * `workload`, as it is where kretprobes go: unregistering one that could not be registered is a crash (KR-8), so nothing
 * keeps them from coming: they find memory, and ftrace is on.
 */
function withoutFailures({ machine, timeline = [], ...rest }: Workload): Workload {
  const { fail_alloc: _kinds, ...found } = machine;
  const items = timeline.filter(({ ftrace_enabled: enabled }) => enabled === undefined);
  return { ...rest, machine: found, timeline: items };
}

/** The functions, one of which may be closed to probes. */
function withoutKprobes({ functions = {} }: Workload, index: number): Workload['functions'] {
  const closed = Object.keys(functions)[index];
  if (closed === undefined) return functions;
  return { ...functions, [closed]: { ...known(functions[closed], 'it is there'), nokprobe: true } };
}

interface Text {
  readonly name: string;
  readonly symbol: string;
  /** Offsets at which its instructions begin. */
  readonly begins: readonly number[];
  readonly isCallback: boolean;
  /** No kprobe can be in it. */
  readonly isClosed: boolean;
  /** It comes and goes. */
  readonly isModule: boolean;
  /** It may run where RCU does not watch but in the trap of a breakpoint, whose kretprobe would call call_rcu there. */
  readonly isUnwatched: boolean;
}

/** Functions and callbacks with their instructions, as they will be assembled. */
function textsOf(workload: Workload): readonly Text[] {
  const plan = makePlan(workload);
  const scripted = plan.modules.flatMap(({ code }) => ('functions' in code ? code.functions : []));
  return [
    ...plan.functions.map((fn) => textOf(fn, workload, false)),
    ...scripted.map((fn) => textOf(fn, workload, true)),
  ];
}

function textOf(fn: ScriptFunction, workload: Workload, isModule: boolean): Text {
  const { landingPad = true, patching = 'breakpoint' } = workload.machine;
  const siteBytes = MCOUNT_INSN_SIZE[patching];
  const placed = placeScripts([fn], IMAGE_BASE, { landingPad, siteBytes })[0];
  const { site, size, notrace } = known(placed, 'one function was placed');
  const all = Array.from({ length: size / 4 }, (_, index) => 4 * index);
  const begins = all.filter((at) => notrace || at <= site || at >= site + siteBytes);
  const isUnwatched = notrace && leavesRcu(workload);
  const { name, symbol = name, callback: isCallback, nokprobe: isClosed = false } = fn;
  return { name, symbol, begins, isCallback, isClosed, isModule, isUnwatched };
}

/** Is anything run in idle tasks, on the way to user mode and back, by CPUs that come and go, or early in interrupts? */
function leavesRcu({ handlers = {}, idle = [], tasks = {}, timeline = [] }: Workload): boolean {
  const isEarly = Object.values(handlers).some(({ entry }) => entry !== undefined);
  const isProgram = Object.values(tasks).some(({ user }) => user !== undefined);
  const isHotplug = timeline.some(({ cpu_down: down, cpu_up: up }) => (down ?? up) !== undefined);
  return idle.length > 0 || isEarly || isProgram || isHotplug;
}

/** Callbacks are probed seldom: their hits are missed. */
function pick(texts: readonly Text[], func: number): Text {
  const functions = texts.filter(({ isCallback }) => !isCallback);
  const callbacks = texts.filter(({ isCallback, name }) => isCallback && !name.includes('.'));
  const pool = func === 11 && callbacks.length > 0 ? callbacks : functions;
  return known(pool[func % pool.length], 'there are functions');
}

type Model = KprobeModel | KretprobeModel;
type Place = Pick<KprobeModel, 'symbol' | 'addr' | 'offset'>;

function modelsOf(raws: readonly RawKprobe[], texts: readonly Text[]): Model[] {
  const models: Model[] = [];
  let before: RawPlace | undefined;
  for (const raw of raws) {
    const place: RawPlace = raw.isSibling && before !== undefined ? before : raw;
    before = place;
    models.push(modelOf(raw, placeOf(place, texts, raw.kind)));
  }
  return models;
}

function placeOf(
  { func, insn, isEntry, bySymbol }: RawPlace,
  texts: readonly Text[],
  kind: RawKprobe['kind'],
): Place {
  // See `withoutFailures`.
  const safe = texts.filter(
    ({ isClosed, isModule, isUnwatched }) => !isClosed && !isModule && !isUnwatched,
  );
  const text = pick(kind === 'kretprobe' ? safe : texts, func);
  const { name, symbol, begins } = text;
  const offset = isEntry || kind === 'kretprobe' ? 0 : known(begins[insn % begins.length], 'text');
  const isUnique = texts.filter((one) => one.symbol === symbol).length === 1;
  if (bySymbol && isUnique) return { symbol, ...(offset > 0 ? { offset } : {}) };
  return { addr: offset > 0 ? `${name}+${offset}` : name };
}

function modelOf(raw: RawKprobe, place: Place): Model {
  const { data, first, isDisabled, kind, maxactive, second } = raw;
  const isEntry = place.offset === undefined && place.addr?.includes('+') !== true;
  const flags = isDisabled ? ({ flags: ['DISABLED'] } as const) : {};
  if (kind === 'kprobe') {
    // Elsewhere the function has a frame, which `kp_elsewhere` would leave on the stack; it would lead to itself for ever.
    const isAway = isEntry && place.symbol !== ELSEWHERE && place.addr !== ELSEWHERE;
    const pre = (first === 'away' && !isAway) || first === 'refuse' ? 'count' : first;
    return {
      kind,
      ...place,
      ...flags,
      ...(pre === null ? {} : { pre: handlerOf(pre) }),
      ...(second === null ? {} : { post: handlerOf(second) }),
    };
  }
  const entry = first === 'away' ? 'count' : first;
  return {
    kind,
    ...place,
    ...flags,
    ...(entry === null ? {} : { entry: handlerOf(entry) }),
    ...(entry === 'refuse' ? { entry_returns: 1 } : {}),
    ...(second === null ? {} : { handler: handlerOf(second) }),
    ...(maxactive > 0 ? { maxactive } : {}),
    ...(data > 0 ? { data_size: data } : {}),
  };
}

function handlerOf(handler: NonNullable<RawKprobe['first']>): string {
  if (handler === 'refuse') return 'count';
  return handler === 'count' || handler === 'nothing' ? handler : `kp_${handler}`;
}

function nameOf({ kind }: Model, index: number): string {
  return `${kind === 'kprobe' ? 'p' : 'r'}${index}`;
}

/** Each comes and goes; every second one by the hand of `control1`, where that is there. */
function livesOf(raw: Raw, models: readonly Model[], { tasks = {} }: Workload): TimelineItem[] {
  const names = models.map(nameOf);
  const together = raw.isBatch && models.length > 1 && models[0]?.kind === models[1]?.kind;
  const items: TimelineItem[] = [];
  for (const [index, one] of raw.kprobes.entries()) {
    const name = known(names[index], 'each has a name');
    const by = index % 2 === 1 && tasks['control1'] !== undefined ? { by: 'control1' } : {};
    const what = together && index === 0 ? names.slice(0, 2) : name;
    const life = together && index === 1 ? [] : lifeOf(one, what);
    for (const item of [...life, ...pauseOf(one, name)]) items.push({ ...item, ...by });
  }
  return items;
}

/** Early enough to be hit: most runs are about 2,000 steps. */
function lifeOf({ triggers }: RawKprobe, what: string | readonly string[]): TimelineItem[] {
  return triggers
    .toSorted((a, b) => a - b)
    .map((due, turn): TimelineItem => {
      const at = { step: turn === 0 ? due >> 3 : STEP_MAX / 2 + turn * due };
      return turn % 2 === 0 ? { at, register: what } : { at, unregister: what };
    });
}

const PAUSE_STEPS = 80;

function pauseOf({ pause }: RawKprobe, name: string): TimelineItem[] {
  if (pause === null) return [];
  const from = STEP_MAX / 4 + pause;
  return [
    { at: { step: from }, disable: name },
    { at: { step: from + PAUSE_STEPS }, enable: name },
  ];
}

/** All of them are disarmed for a while. */
function switchOf({ off, steps }: RawSwitch): TimelineItem[] {
  return [
    { at: { step: off }, kprobes_enabled: 0 },
    { at: { step: off + steps }, kprobes_enabled: 1 },
  ];
}
