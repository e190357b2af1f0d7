// Layer replay. Hits of kprobes, from ground truth: a trap at a place where a probe is planted, and what follows until the
// instruction is passed, on the CPU where it happens; a function that is entered where a probe is on its ftrace site. Which
// handlers ran in it, what they returned (`func_return`), who was passed over and why.
import type { EventOf } from '../schema.ts';
import {
  type Kprobe,
  type KprobeHandler,
  type Kprobes,
  FTRACE,
  PRE,
  isSettled,
  newKprobes,
  probesAt,
} from './kprobes.ts';
import type { Listeners } from './listen.ts';

/** A probe that was registered for certain when it was hit. */
export interface Candidate {
  readonly probe: Kprobe;
  /** Calls on it that had begun or ended when it was hit. */
  readonly turns: number;
  readonly disabled: boolean | undefined;
  /** Something was told of it: it ran, or why not. */
  settled: boolean;
}

/** A pre_handler that ran, and what it returned, if the run tells. */
interface Ran {
  readonly handler: KprobeHandler;
  refused: boolean | undefined;
}

export interface KprobeHit {
  readonly ip: number;
  readonly begin: EventOf<'trap_enter'>;
  /** `trap`: up to where the trap returns; `step`: out of line; `end`: the second trap. */
  phase: 'trap' | 'step' | 'end' | 'over';
  readonly candidates: readonly Candidate[];
  readonly ran: Ran[];
  readonly posts: KprobeHandler[];
  readonly skips: EventOf<'skip'>[];
  step: EventOf<'kprobe_step'> | undefined;
}

/** A trap of a CPU, innermost last; without a hit it is another's. */
interface Trap {
  readonly hit: KprobeHit | undefined;
}

interface CpuHits {
  readonly traps: Trap[];
  /** Not over, innermost last. */
  hits: KprobeHit[];
}

export interface KprobeHits {
  readonly kprobes: Kprobes;
  readonly cpus: Map<number, CpuHits>;
  /** Of the `trap_enter` at hand: the hit that begins. */
  begun: KprobeHit | undefined;
  /** Of the `trap_exit` at hand: the hit whose trap is over; with phase `over` all of it is. */
  left: KprobeHit | undefined;
}

/** Longest instruction. */
const INSN_BYTES_MAX = 4;

/** What a story knows about kprobes. */
export interface KprobeStory {
  readonly kprobes: Kprobes;
  readonly kprobeHits: KprobeHits;
}

export function newKprobeStory(): KprobeStory {
  const kprobes = newKprobes();
  return { kprobes, kprobeHits: { kprobes, cpus: new Map(), begun: undefined, left: undefined } };
}

/** What `hits` hears, when its kprobes have heard it. */
export function hitListeners(hits: KprobeHits): Listeners {
  const { kprobes } = hits;
  return {
    trap_enter: (e) => {
      hits.begun = kprobes.all.size === 0 ? undefined : trapBegins(hits, e);
    },
    trap_exit: (e) => {
      hits.left = kprobes.all.size === 0 ? undefined : trapEnds(hits, e);
    },
    region_close: ({ cpu }) => {
      const own = hits.cpus.get(cpu);
      if (own !== undefined) own.hits = [];
    },
    kprobe_step: (e) => {
      const hit = hitAt(hits, e);
      if (hit !== undefined) hit.step = e;
    },
    skip: (e) => {
      const hit = hitAt(hits, e);
      if (hit === undefined || !kprobes.all.has(e.object)) return;
      hit.skips.push(e);
      settle(hit, e.object);
    },
    hook: (e) => {
      const hit = hitAt(hits, e);
      if (hit !== undefined) settle(hit, e.object);
    },
    cb_begin: () => {
      if (kprobes.handler !== undefined) handlerBegan(hits, kprobes.handler);
    },
    func_return: (e) => {
      if (hits.cpus.size > 0) functionReturned(hits, e);
    },
  };
}

/** The innermost hit on the CPU of `e` that is at the same place. */
export function hitAt(
  hits: KprobeHits,
  { cpu, ip }: { readonly cpu: number; readonly ip: number },
): KprobeHit | undefined {
  const own = hits.cpus.get(cpu)?.hits ?? [];
  return own.findLast((hit) => hit.ip === ip);
}

/** Hits on `cpu` that are not over, outermost first. */
export function hitsOn({ cpus }: KprobeHits, cpu: number): readonly KprobeHit[] {
  return cpus.get(cpu)?.hits ?? [];
}

function cpuOf({ cpus }: KprobeHits, cpu: number): CpuHits {
  let own = cpus.get(cpu);
  if (own === undefined) {
    own = { traps: [], hits: [] };
    cpus.set(cpu, own);
  }
  return own;
}

/** A trap at the end of a step belongs to its hit. */
function trapBegins(hits: KprobeHits, e: EventOf<'trap_enter'>): KprobeHit | undefined {
  const own = cpuOf(hits, e.cpu);
  const last = own.hits.at(-1);
  if (last?.phase === 'step' && isBehind(last, e.pc)) {
    last.phase = 'end';
    own.traps.push({ hit: last });
    return undefined;
  }
  const probes = probesAt(hits.kprobes, e.pc).filter(({ told }) => told?.how !== FTRACE);
  if (probes.length === 0) {
    own.traps.push({ hit: undefined });
    return undefined;
  }
  const candidates = probes.filter(isSettled).map(candidateOf);
  const hit: KprobeHit = {
    ip: e.pc,
    begin: e,
    phase: 'trap',
    candidates,
    ran: [],
    posts: [],
    skips: [],
    step: undefined,
  };
  own.hits.push(hit);
  own.traps.push({ hit });
  return hit;
}

export function candidateOf(probe: Kprobe): Candidate {
  const { disabled, turns } = probe;
  return { probe, turns, disabled, settled: false };
}

/** Behind the copy of its instruction. */
function isBehind({ step }: KprobeHit, pc: number): boolean {
  return step !== undefined && pc > step.to && pc <= step.to + INSN_BYTES_MAX;
}

function trapEnds(hits: KprobeHits, e: EventOf<'trap_exit'>): KprobeHit | undefined {
  const own = cpuOf(hits, e.cpu);
  const hit = own.traps.pop()?.hit;
  if (hit === undefined) return undefined;
  if (hit.phase === 'trap' && hit.step?.how === 'slot') {
    hit.phase = 'step';
    return hit;
  }
  hit.phase = 'over';
  own.hits = own.hits.filter((one) => one !== hit);
  return hit;
}

function settle({ candidates }: KprobeHit, object: number): void {
  for (const candidate of candidates) {
    if (candidate.probe.object === object) candidate.settled = true;
  }
}

function handlerBegan(hits: KprobeHits, handler: KprobeHandler): void {
  const { begin } = handler;
  const hit = hitAt(hits, begin);
  if (hit === undefined) return;
  settle(hit, begin.object);
  if (begin.kind === 'kprobe_post') hit.posts.push(handler);
  if (begin.kind === PRE) hit.ran.push({ handler, refused: undefined });
}

/** Ground truth: what the handler returned that began last on this CPU and level. */
function functionReturned(hits: KprobeHits, e: EventOf<'func_return'>): void {
  for (const hit of hitsOn(hits, e.cpu)) {
    const last = hit.ran.at(-1);
    if (last?.refused !== undefined || last?.handler.begin.level !== e.level) continue;
    if (last.handler.probe.told?.pre === e.func) last.refused = BigInt.asIntN(32, e.value) !== 0n;
  }
}
