// Layer replay. Guarantee `memory`: nobody uses what was freed (CC-O7, CC-M15).
//
// Broken by a touch, or a second free, of a generation after its free; by an oops whose reason is
// that freed memory was executed or read; and by freeing a trampoline to which an open callback
// will return. (Who is elsewhere inside a trampoline is not told by events: it shows by the oops
// that follows. A callback in which its task slept is left alone, FT-34.) Where RCU does not watch, filter
// hashes are not covered: their free waits for a plain grace period only (CC-M13, CC-N3).
//
// A module's text is an object too: who runs in it when it is freed, and goes on there, oopses.
//
// Exercised, for each object: a hit used it (touched it, or its site called into it as a
// trampoline), it was freed later, and after that the same function was entered again: had the
// object still been reachable from there, it would have been used. For the text of a module: a function of it ran, and
// while its free was waited for somebody else was in one of them: had nobody waited, that would have been used.
import type { EventOf } from '../schema.ts';
import { contextKey, innermostSite, isWithin } from './hit.ts';
import { broken, type Broken, type Guarantee, type Verdict } from './judge.ts';
import { contextOf, type Callback, type Story } from './story.ts';
import { theCallback, where } from './wording.ts';

/** One life of an object: what lies between an alloc and a free. */
interface Life {
  readonly kind: string;
  readonly object: number;
  readonly generation: number;
  readonly address: number;
  readonly bytes: number;
  /** Indexes of its events; -1: not in this run, or not yet. */
  readonly born: number;
  freed: EventOf<'free'> | undefined;
  /** Site of the last hit that used it; -1: none. */
  usedAt: number;
  /** Text of a module: somebody was in it when it began to go. */
  within: boolean;
}

interface Findings {
  readonly story: Story;
  first: Broken | undefined;
  readonly lives: Map<number, Life>;
  /** Live trampolines. */
  trampolines: Life[];
  /** Texts of modules that are there. */
  readonly texts: Set<Life>;
  /** Freed objects by the site that would use them again: how many. */
  readonly waiting: Map<number, number>;
  exercised: number;
  freed: number;
  used: number;
}

const TRAMPOLINE = 'trampoline';
const HASH = 'ftrace_hash';
const MODULE = 'module';
/** Reasons of an oops that say: this was freed. */
const FREED_REASONS: ReadonlySet<string> = new Set(['poison', 'freed']);
const GENERATIONS_MAX = 0x100000;

export const memory: Guarantee = {
  name: 'memory',
  sentence:
    'Nothing is used after it was freed: no trampoline, filter hash or other object, ' +
    'and none is freed while somebody will still return to it.',
  document: 'Using ftrace to hook to functions',
  section: 'The ftrace_ops structure',
  rules: ['FT-30', 'CC-G1', 'CC-M15', 'CC-O7'],
  start(story) {
    const found: Findings = {
      story,
      first: undefined,
      lives: new Map(),
      trampolines: [],
      texts: new Set(),
      waiting: new Map(),
      exercised: 0,
      freed: 0,
      used: 0,
    };
    return {
      on: {
        alloc: (e) => {
          allocated(found, e);
        },
        touch: (e) => {
          touched(found, e);
        },
        free: (e) => {
          released(found, e);
        },
        oops: (e) => {
          if (FREED_REASONS.has(e.reason)) reportOops(found, e);
        },
        site_fetch: (e) => {
          for (const life of found.trampolines) if (covers(life, e.target)) life.usedAt = e.ip;
        },
        symbol_gone: (e) => {
          moduleGoes(found, e);
        },
        func_enter: () => {
          if (found.waiting.size > 0 && story.entered !== undefined) {
            functionEntered(found, story.entered.site);
          }
        },
      },
      end: () => verdict(found),
    };
  },
};

function allocated(found: Findings, e: EventOf<'alloc'>): void {
  const { kind, object, generation, address, bytes } = e;
  const usedAt = -1;
  const freed = undefined;
  const life = {
    kind,
    object,
    generation,
    address,
    bytes,
    born: e.index,
    freed,
    usedAt,
    within: false,
  };
  found.lives.set(keyOf(e), life);
  if (kind === TRAMPOLINE) found.trampolines.push(life);
  if (kind === MODULE) found.texts.add(life);
}

function touched(found: Findings, e: EventOf<'touch'>): void {
  const life = lifeOf(found, e);
  const site = innermostSite(contextOf(found.story, e));
  if (site !== -1) life.usedAt = site;
  if (life.freed === undefined || (life.kind === HASH && found.story.unwatched.has(e.cpu))) return;
  report(found, e.index, `${theLife(life)} was used (${where(found.story, e)})`, life);
}

function released(found: Findings, e: EventOf<'free'>): void {
  const life = lifeOf(found, e);
  if (life.freed !== undefined) {
    report(found, e.index, `${theLife(life)} was freed again (${where(found.story, e)})`, life);
    return;
  }
  life.freed = e;
  found.freed++;
  if (life.kind === TRAMPOLINE) trampolineReleased(found, life, e);
  if (found.texts.delete(life) && life.within) {
    found.used++;
    found.exercised++;
  }
  if (life.usedAt === -1) return;
  found.used++;
  found.waiting.set(life.usedAt, (found.waiting.get(life.usedAt) ?? 0) + 1);
}

function trampolineReleased(found: Findings, life: Life, e: EventOf<'free'>): void {
  found.trampolines = found.trampolines.filter((other) => other !== life);
  const inside = found.story.open.find((cb) => !cb.slept && covers(life, cb.returnsTo));
  if (inside !== undefined) reportInside(found, life, inside, e);
}

/**
 * Its functions can no longer be hooked, and are about to be freed: is somebody else in this one, who has to be
 * waited for?
 */
function moduleGoes(found: Findings, { address, site, pid }: EventOf<'symbol_gone'>): void {
  for (const life of found.texts) {
    if (!covers(life, address)) continue;
    for (const [key, context] of found.story.contexts) {
      if (key !== contextKey(pid, 0, 0) && isWithin(context, site)) life.within = true;
    }
  }
}

function functionEntered(found: Findings, site: number): void {
  found.exercised += found.waiting.get(site) ?? 0;
  found.waiting.delete(site);
}

function keyOf({
  object,
  generation,
}: {
  readonly object: number;
  readonly generation: number;
}): number {
  return object * GENERATIONS_MAX + generation;
}

/** The life that `e` speaks of; one that began before the run is made up. */
function lifeOf(found: Findings, e: EventOf<'touch'> | EventOf<'free'>): Life {
  const known = found.lives.get(keyOf(e));
  if (known !== undefined) return known;
  const { object, generation } = e;
  const made: Life = {
    kind: 'object',
    object,
    generation,
    address: -1,
    bytes: 0,
    born: -1,
    freed: undefined,
    usedAt: -1,
    within: false,
  };
  found.lives.set(keyOf(e), made);
  return made;
}

function covers({ address, bytes }: Life, at: number): boolean {
  return at >= address && at < address + bytes;
}

/** `trampoline 3 (generation 1)`. */
function theLife({ kind, object, generation }: Life): string {
  return `${kind} ${object} (generation ${generation})`;
}

function report(found: Findings, at: number, what: string, life: Life): void {
  if (found.first !== undefined) return;
  const freed =
    life.freed === undefined ? '' : ` after its free (${where(found.story, life.freed)})`;
  found.first = broken(at, what + freed, [life.born, life.freed?.index ?? -1]);
}

function reportOops(found: Findings, e: EventOf<'oops'>): void {
  if (found.first !== undefined) return;
  const hit = [...found.lives.values()].findLast(
    (life) => life.freed !== undefined && (covers(life, e.pc) || covers(life, e.address)),
  );
  const what = `the kernel ran into freed memory (${where(found.story, e)}, ${e.reason})`;
  if (hit === undefined) found.first = broken(e.index, what, []);
  else report(found, e.index, `${what}: ${theLife(hit)} was used`, hit);
}

function reportInside(found: Findings, life: Life, inside: Callback, e: EventOf<'free'>): void {
  if (found.first !== undefined) return;
  const { story } = found;
  const why =
    `${theLife(life)} was freed (${where(story, e)}) while ${theCallback(story, inside)} ` +
    `(begun at ${where(story, inside.begin)}) will still return to it`;
  found.first = broken(e.index, why, [life.born, inside.begin.index]);
}

function verdict(found: Findings): Verdict {
  if (found.first !== undefined) return found.first;
  if (found.exercised > 0) return { status: 'held', exercised: found.exercised };
  return { status: 'never exercised', why: whatWasMissing(found) };
}

function whatWasMissing({ freed, used }: Findings): string {
  if (freed === 0) return 'Nothing was freed.';
  if (used === 0) return 'Nothing was freed that a hit had used.';
  return 'No function whose hit had used a freed object was entered after the free.';
}
