// Layer replay. Guarantee `pairing`: an exit handler runs for the call for which its entry handler ran, once, and in
// order (CC-O5, CC-G9).
//
// Broken by an exit handler without a return that was taken for it and is still owed; by one that runs before
// those of calls further in, or that is given other addresses or other data than the entry handler of its call; by data
// that is handed out while another call uses it; by a return that is taken although the entry handler refused, did not
// run, or no exit handler is wanted; and by a function that returns without what was taken being given back, or whose
// exit handler is passed over without a word.
// And by handlers of several fprobes that run for one call in another order than that of the era (handler-order.ts).
//
// Left alone: calls that never return, with all that they owe (FP-36); with the graph hook an exit under the next
// registration of the same struct (FP-77), and the exit handler of an entry handler that was skipped because a kprobe
// ran (FP-76).
//
// Exercised, for each time: an exit handler runs (part `paired`), runs while an outer call is hooked too
// (`nested`), an entry handler refuses and its function returns (`refused`), or a handler runs for a call for which that
// of another fprobe has run (`ordered`).
import type { Event, EventOf } from '../schema.ts';
import {
  ENTRY,
  EXIT,
  type Fprobe,
  FPROBE_FL_KPROBE_SHARED,
  fprobeOf,
  isFprobe,
  NOBODY,
  type Handler,
} from './fprobes.ts';
import { nameOfSite } from './functions.ts';
import {
  type HandlerOrder,
  newHandlerOrder,
  type Order,
  orderListeners,
  orderOfEntry,
  orderOfExit,
} from './handler-order.ts';
import { contextKey } from './hit.ts';
import { broken, type Broken, type Guarantee, heldInParts, type Verdict } from './judge.ts';
import { contextOf, type Story } from './story.ts';
import { where } from './wording.ts';

/** A return that is taken. */
interface Hook {
  readonly fprobe: Fprobe;
  readonly taken: EventOf<'hook'>;
  /** What the entry handler was given, -1: NULL; undefined: there was none. */
  readonly data: number | undefined;
  exit: 'owed' | 'running' | 'over';
}

/** An entry handler that returned, until its call shows what it made of that. */
interface Answer {
  readonly object: number;
  readonly ip: number;
  readonly refused: boolean;
  /** What it was given; undefined: not known. */
  readonly data: number | undefined;
  readonly index: number;
}

/** One level of one task. */
interface Flow {
  /** Innermost last. */
  readonly hooks: Hook[];
  answers: Answer[];
  /** What entry handlers that run were given, innermost last. */
  readonly given: { readonly object: number; readonly data: number }[];
}

interface Findings {
  readonly story: Story;
  readonly flows: Map<number, Flow>;
  first: Broken | undefined;
  paired: number;
  nested: number;
  refused: number;
  ordered: number;
  readonly order: HandlerOrder;
}

const NONE = -1;
/** A reason of `skip`. */
const KPROBE_RUNNING = 'kprobe_running';

export const pairing: Guarantee = {
  name: 'pairing',
  sentence:
    'For each call whose entry handler returned 0 the exit handler runs once, when that call returns, ' +
    'inner calls first, with the same data; for one that it refused, never. Of several fprobes on a call ' +
    'the newest enters first; exits come in the reverse order with rethook, in the same with fgraph.',
  document: 'Fprobe - Function entry/exit probe',
  section: 'The fprobe entry/exit handler',
  rules: ['FP-1', 'FP-2', 'FP-7', 'FP-8', 'FP-35', 'FP-75', 'CC-G9', 'CC-O5'],
  start(story) {
    const { fprobes } = story;
    const found: Findings = {
      story,
      flows: new Map(),
      first: undefined,
      paired: 0,
      nested: 0,
      refused: 0,
      ordered: 0,
      order: newHandlerOrder(story),
    };
    return {
      on: {
        ...orderListeners(found.order),
        cb_begin: (e) => {
          if (fprobes.handler !== undefined && e.kind === EXIT) exitBegins(found, e);
          if (e.kind === ENTRY) judgeOrder(found, e, orderOfEntry(found.order, e));
        },
        cb_end: (e) => {
          if (fprobes.handler !== undefined && e.kind === EXIT) exitEnds(found, e);
        },
        fprobe_data: (e) => {
          dataGiven(found, e);
        },
        entry_result: (e) => {
          answered(found, e);
        },
        hook: (e) => {
          if (isFprobe(story.fprobes, e.object)) taken(found, e);
        },
        skip: (e) => {
          if (e.object === NOBODY || isFprobe(story.fprobes, e.object)) skipped(found, e);
        },
        unhook: (e) => {
          if (isFprobe(story.fprobes, e.object)) givenBack(found, e);
        },
        func_return: (e) => {
          returned(found, e);
        },
        func_abandon: (e) => {
          abandoned(found, e);
        },
        task_exit: (e) => {
          found.flows.delete(keyOf(e));
        },
      },
      end: () => verdict(found),
    };
  },
};

interface Place {
  readonly pid: number;
  readonly cpu: number;
  readonly level: number;
}

function keyOf({ pid, cpu, level }: Place): number {
  return contextKey(pid, cpu, level);
}

function flowOf({ flows }: Findings, e: Place): Flow {
  const key = keyOf(e);
  let flow = flows.get(key);
  if (flow === undefined) {
    flow = { hooks: [], answers: [], given: [] };
    flows.set(key, flow);
  }
  return flow;
}

/** Behind the cb_begin of a handler: whether the data is its call's own. */
function dataGiven(found: Findings, e: EventOf<'fprobe_data'>): void {
  const handler = handlerAt(found, e);
  if (handler === undefined) return;
  const flow = flowOf(found, e);
  if (handler.begin.kind === ENTRY) {
    flow.given.push({ object: e.object, data: e.entry_data });
    const other = userOf(found, e.entry_data);
    if (other === undefined) return;
    const why = `data that the call of ${nameOf(found, other.taken.ip)} still uses is given to another entry handler`;
    report(found, e, why, other.taken.index);
    return;
  }
  const hook = flow.hooks.findLast(
    ({ exit, fprobe }) => exit === 'running' && fprobe === handler.fprobe,
  );
  if (hook?.data === undefined || hook.data === e.entry_data) return;
  report(
    found,
    e,
    `${theExit(found, hook)} is given other data than the entry handler was`,
    hook.taken.index,
  );
}

/** The innermost handler that runs in the flow of `e`. */
function handlerAt(
  { story: { fprobes } }: Findings,
  e: Place & { readonly object: number },
): Handler | undefined {
  return fprobes.open.findLast(
    ({ begin }) => keyOf(begin) === keyOf(e) && begin.object === e.object,
  );
}

/** The call that was given `data` and is not over. */
function userOf({ flows }: Findings, data: number): Hook | undefined {
  if (data === NONE) return undefined;
  for (const { hooks } of flows.values()) {
    const user = hooks.find((hook) => hook.data === data && hook.exit !== 'over');
    if (user !== undefined) return user;
  }
  return undefined;
}

function answered(found: Findings, result: EventOf<'entry_result'>): void {
  const ip = contextOf(found.story, result).top?.site ?? NONE;
  const { answers, given } = flowOf(found, result);
  const { index, object, value } = result;
  const place = given.findLastIndex((one) => one.object === object);
  const [own] = place === -1 ? [] : given.splice(place);
  answers.push({ object, ip, refused: value !== 0, data: own?.data, index });
}

function taken(found: Findings, e: EventOf<'hook'>): void {
  const { story } = found;
  const flow = flowOf(found, e);
  const fprobe = fprobeOf(story.fprobes, e.object);
  const place = flow.answers.findLastIndex(({ ip, object }) => ip === e.ip && object === e.object);
  const [answer] = place === -1 ? [] : flow.answers.splice(place, 1);
  const what = `the return of ${nameOf(found, e.ip)} was taken for ${fprobe.name}`;
  const { told } = fprobe;
  if (told !== undefined && told.exit === NONE)
    report(found, e, `${what}, which has no exit handler`);
  else if (answer !== undefined && answer.refused) {
    report(found, e, `${what}, although its entry handler refused`, answer.index);
  } else if (answer === undefined && told !== undefined && told.entry !== NONE) {
    report(found, e, `${what}, although its entry handler did not run`);
  }
  const frame = contextOf(story, e).top;
  if (frame !== undefined && frame.site === e.ip && frame.sp !== e.frame) {
    report(found, e, `${what}, but at another place of the stack`, frame.entered);
  }
  flow.hooks.push({ fprobe, taken: e, data: answer?.data, exit: 'owed' });
}

function exitBegins(found: Findings, e: EventOf<'cb_begin'>): void {
  const { hooks } = flowOf(found, e);
  const isOwed = (hook: Hook): boolean => hook.exit === 'owed' && belongs(hook, e);
  const exact = hooks.findLastIndex((hook) => isOwed(hook) && hook.taken.ip === e.ip);
  const place = exact === -1 ? hooks.findLastIndex(isOwed) : exact;
  const hook = hooks[place];
  if (hook === undefined) {
    const { name } = fprobeOf(found.story.fprobes, e.object);
    report(
      found,
      e,
      `the exit handler of ${name} ran for ${nameOf(found, e.ip)}, which owed it none`,
    );
    return;
  }
  const inner = hooks
    .slice(place + 1)
    .find((other) => other.exit === 'owed' && !sameCall(other, hook));
  if (inner !== undefined) {
    const why = `${theExit(found, hook)} ran before that of ${nameOf(found, inner.taken.ip)}, which is further in`;
    report(found, e, why, inner.taken.index);
  }
  if (e.ip !== hook.taken.ip || e.parent_ip !== hook.taken.ret) {
    report(
      found,
      e,
      `${theExit(found, hook)} was given the addresses of another call`,
      hook.taken.index,
    );
  }
  const ofCall = hooks.filter((other) => sameCall(other, hook));
  judgeOrder(found, e, orderOfExit(found.story, ofCall, hook));
  hook.exit = 'running';
  found.paired++;
  if (hooks.slice(0, place).some((other) => !sameCall(other, hook))) found.nested++;
}

/** What is known about the order of handlers. */
function judgeOrder(found: Findings, e: EventOf<'cb_begin'>, order: Order | undefined): void {
  if (order === undefined) return;
  found.ordered++;
  if (order.why !== undefined) report(found, e, order.why, order.shows);
}

/** FP-77: who looks up nothing but the pointer finds the next registration. */
function belongs({ fprobe, taken: { generation } }: Hook, e: EventOf<'cb_begin'>): boolean {
  if (fprobe.object !== e.object) return false;
  return generation === e.generation || fprobe.told?.hook === 'fgraph';
}

function sameCall({ taken: a }: Hook, { taken: b }: Hook): boolean {
  return a.frame === b.frame && a.ip === b.ip;
}

function exitEnds(found: Findings, e: EventOf<'cb_end'>): void {
  const hook = flowOf(found, e).hooks.findLast(
    ({ exit, fprobe }) => exit === 'running' && fprobe.object === e.object,
  );
  if (hook !== undefined) hook.exit = 'over';
}

/** Whether it may be passed over is for `nmissed` to say. */
function skipped(found: Findings, e: EventOf<'skip'>): void {
  if (e.reason === KPROBE_RUNNING) {
    if (countsAsZero(found, e)) {
      const { ip, index, object } = e;
      flowOf(found, e).answers.push({ object, ip, refused: false, data: undefined, index });
    }
    return;
  }
  if (e.reason !== 'removed' && !e.reason.startsWith('exit_')) return;
  for (const hook of flowOf(found, e).hooks) {
    const isMeant = e.object === 0 || hook.fprobe.object === e.object;
    if (isMeant && hook.taken.ip === e.ip && hook.exit === 'owed') hook.exit = 'over';
  }
}

/**
 * FP-76: the graph hook takes an entry handler that is skipped because a kprobe runs for one that returned 0, unless
 * `sharedStrict` says otherwise.
 */
function countsAsZero({ story }: Findings, { object }: EventOf<'skip'>): boolean {
  const { told } = fprobeOf(story.fprobes, object);
  if (story.fprobes.isStrict) return false;
  return told?.hook === 'fgraph' && (told.flags & FPROBE_FL_KPROBE_SHARED) !== 0;
}

function givenBack(found: Findings, e: EventOf<'unhook'>): void {
  const { hooks } = flowOf(found, e);
  const place = hooks.findLastIndex(
    ({ fprobe, taken: { frame, ip } }) =>
      fprobe.object === e.object && frame === e.frame && ip === e.ip,
  );
  const [hook] = place === -1 ? [] : hooks.splice(place, 1);
  if (hook === undefined || e.why !== 'return') return;
  if (hook.exit === 'owed') {
    report(found, e, `${theExit(found, hook)} was passed over without a word`, hook.taken.index);
  } else if (hook.exit === 'running') {
    report(
      found,
      e,
      `what ${theExit(found, hook)} uses was given back while it ran`,
      hook.taken.index,
    );
  }
}

function returned(found: Findings, e: EventOf<'func_return'>): void {
  const { left } = found.story;
  if (left === undefined) return;
  const flow = flowOf(found, e);
  const kept = flow.hooks.find(({ taken: { frame, ip } }) => frame === left.sp && ip === left.site);
  // A callee of a tail call returns to where its caller's return is taken, and only then to its own exit handlers.
  const isTail = flow.hooks.some(
    ({ taken: { frame, ip } }) => frame === left.sp && ip !== left.site,
  );
  if (kept !== undefined && !isTail) {
    report(
      found,
      e,
      `${nameOf(found, left.site)} returned and what it owed was not given back`,
      kept.taken.index,
    );
  }
  const refusals = flow.answers.filter(({ ip, refused }) => refused && ip === left.site);
  found.refused += refusals.length;
  flow.answers = flow.answers.filter(({ ip }) => ip !== left.site);
}

/** What a call owes that never returns is flushed some time, or never (FP-36). */
function abandoned(found: Findings, e: EventOf<'func_abandon'>): void {
  const site = found.story.left?.site;
  if (site === undefined) return;
  const { hooks } = flowOf(found, e);
  const place = hooks.findLastIndex(({ taken: { ip } }) => ip === site);
  if (place !== -1) hooks.splice(place, 1);
}

function theExit(found: Findings, { fprobe, taken: { ip } }: Hook): string {
  return `the exit handler of ${fprobe.name} for ${nameOf(found, ip)}`;
}

function nameOf({ story }: Findings, site: number): string {
  return nameOfSite(story.functions, site);
}

function report(found: Findings, e: Event, why: string, shows = NONE): void {
  found.first ??= broken(e.index, `${why} (${where(found.story, e)})`, [shows]);
}

function verdict({ first, nested, ordered, paired, refused, story }: Findings): Verdict {
  if (first !== undefined) return first;
  const why =
    story.fprobes.all.length === 0
      ? 'There was no fprobe.'
      : 'No exit handler ran, and no entry handler refused.';
  return heldInParts({ paired, nested, refused, ordered }, why);
}
