// Layer replay. What events show of why a hit was missed, reason by reason: who held what, and since which event; which call
// had changed the setting. Told from the events before the miss alone.
import type { EventOf } from '../schema.ts';
import { answerKey, callsOnStack, type MissState, wordsOf } from './miss-state.ts';
import { nameOfBit, nameOfLevel } from './recursion-bits.ts';

/**
 * One thing that a recording shows.
 *
 * @example
 * import type { Evidence } from 'reprobe';
 * const line = ({ event, text }: Evidence): string => `#${event ?? '-'} ${text}`;
 * console.log(line({ text: 'disable_fprobe(fp)', event: 12 })); // → #12 disable_fprobe(fp)
 */
export interface Evidence {
  readonly text: string;
  /** The event that shows it. */
  readonly event?: number;
}

type Skip = EventOf<'skip'>;

const FPROBE_FL_DISABLED = 1;
const FPROBE_FL_KPROBE_SHARED = 2;
/** A frame on a shadow stack and its descriptor (FP-70); on riscv64 frames have four words. */
const FRAME_WORDS = 4;
const DESCRIPTOR_WORDS = 1;
/** The word that nothing may reach: behind it is room for one more frame and for 16 per-task words. */
const STACK_LIMIT = 512 - (FRAME_WORDS + DESCRIPTOR_WORDS + 16);
const DATA_WORDS_MAX = 32;
/** The era in which the entry handler runs before the node is taken (fprobe.md 8). */
const NODE_AFTER_ENTRY = 'v5.18';
/** `struct rethook_node`; in eras without data none lie behind it. */
const NODE_BYTES = 64;
const WITHOUT_DATA: ReadonlySet<string> = new Set(['v6.1', 'v5.18']);

/** `siblings` are the probes that missed the same hit for the same reason, the one of `e` included. */
export function evidenceOf(
  state: MissState,
  e: Skip,
  siblings: readonly Skip[],
): readonly Evidence[] {
  switch (e.reason) {
    case 'recursion':
    case 'exit_recursion':
      return [...contexts(state, e), ...heldBits(state, e)];
    case 'no_node':
      return nodesHeld(state, e);
    case 'no_frame':
      return [...stack(state, e), ...noMemory(state)];
    case 'no_data':
      return [...stack(state, e), ...askedFor(state, siblings)];
    case 'grew':
      return lastCall(state, /^register_fprobe/u);
    case 'disabled':
    case 'exit_disabled':
      return disabledBy(state, e);
    case 'rejected':
      return answer(state, e);
    case 'removed':
      return removedBy(state, e);
    case 'kprobe_running':
      return [...contexts(state, e), ...busyKprobe(state, e)];
    case 'not_watching':
    case 'rcu':
      return [...flagsOf(state, e), ...notWatching(state, e)];
    case 'filter':
      return setting(state, e, /filter/u, 'its filter was never set');
    case 'notrace':
      return setting(state, e, /notrace/u, 'its notrace list was never set');
    case 'pid':
      return [taskOf(state, e), ...lastCall(state, /^set_ftrace_pid$/u)];
    case 'regs':
      return flagsOf(state, e);
    default:
      return [];
  }
}

export function nameOfTask({ tasks }: MissState, pid: number): string {
  return tasks.get(pid) ?? (pid === 0 ? 'idle' : `pid ${pid}`);
}

export function nameOfSite({ sites, symbols }: MissState, site: number): string {
  return sites.get(site)?.name ?? symbols.text(site) ?? `0x${site.toString(16)}`;
}

function nameOfObject({ names }: MissState, object: number): string {
  return names.get(object) ?? `object ${object}`;
}

/** `unregister_fprobe(fp0)`, with its text if it has one. */
function callText(state: MissState, { flags, object, op, text }: EventOf<'ctl_begin'>): string {
  const name = object === 0 ? [] : [nameOfObject(state, object)];
  const argument = text === '' ? [] : [JSON.stringify(text)];
  const reset = (flags & 1) === 0 ? [] : ['reset'];
  return `${op}(${[...name, ...argument, ...reset].join(', ')})`;
}

function contexts(state: MissState, e: Skip): readonly Evidence[] {
  return state.bits.interrupts(e.cpu).map(({ entered }) => {
    const level = nameOfLevel(entered.level);
    const what =
      entered.event === 'irq_enter'
        ? (state.symbols.text(entered.handler) ?? 'a handler')
        : 'breakpoint';
    return { text: `CPU ${e.cpu} is in ${level} ${what}`, event: entered.index };
  });
}

function heldBits(state: MissState, e: Skip): readonly Evidence[] {
  const task = nameOfTask(state, e.pid);
  const refusing = new Set(state.bits.refusing(e).flatMap(({ bits }) => bits));
  return state.bits.held(e).map((held) => {
    const { by, set } = held;
    const where = by === undefined ? '' : ` by ${state.symbols.text(by) ?? 'a function'}`;
    const wanted = refusing.has(held) ? ', which this hit needed' : '';
    const text = `${task} has ${nameOfBit(set.bit)}, taken${where} in ${nameOfLevel(set.level)}${wanted}`;
    return { text, event: set.index };
  });
}

/** Calls whose return is taken for the probe hold its nodes; so do calls whose entry handler runs. */
function nodesHeld(state: MissState, e: Skip): readonly Evidence[] {
  const { handlers, hooks, rules, told, without } = state;
  const comesFirst = rules?.era !== NODE_AFTER_ENTRY || rules.miss_policy === 'both';
  const isIts = ({ generation, object }: Pick<Skip, 'generation' | 'object'>): boolean =>
    object === e.object && generation === e.generation;
  const held = (who: EventOf<'hook' | 'cb_begin'>, what: string): Evidence => {
    const where = `${nameOfSite(state, who.ip)} in ${nameOfTask(state, who.pid)}`;
    return {
      text: `${what} ${where} (${nameOfLevel(who.level)}, CPU ${who.cpu})`,
      event: who.index,
    };
  };
  return [
    evidence(`nodes of the pool: ${poolSize(state, e)}`, told.get(e.object)),
    ...hooks.filter(isIts).map((hook) => held(hook, 'a node is held by the call of')),
    ...handlers
      .filter((begin) => isIts(begin) && begin.kind === 'fprobe_entry')
      .filter(({ index }) => comesFirst && !without.has(index))
      .map((begin) => held(begin, 'an entry handler runs, and has a node, for')),
    ...stoppedBy(state, e),
  ];
}

/** How many nodes there are, and how that came about (FP-22): of two patterns the first one alone counts. */
function poolSize({ calls, cpus, pools, rules, told }: MissState, { object }: Skip): string {
  const struct = told.get(object);
  const asked = struct?.maxactive ?? 0;
  if (asked > 0) return `nr_maxactive ${asked}`;
  const bytes = pools.get(object);
  if (bytes === undefined || struct === undefined) return 'two for each function and CPU';
  const data = WITHOUT_DATA.has(rules?.era ?? '') ? 0 : struct.data_size;
  const nodes = bytes / (NODE_BYTES + 16 * Math.ceil(data / 16));
  const call = calls.findLast((one) => one.object === object && one.op.startsWith('register'));
  const ignored = call?.text.includes('\n') === true ? '; notfilter does not count' : '';
  const parts = `2 for each CPU (${cpus}) and function of the filter (${nodes / (2 * cpus)})`;
  return `${nodes}, ${parts}${ignored} (nr_maxactive 0)`;
}

function evidence(text: string, e: { readonly index: number } | undefined): Evidence {
  return e === undefined ? { text } : { text, event: e.index };
}

/** An unregister that is under way, or over, has stopped the pool (FP-40.2). */
function stoppedBy(state: MissState, e: Skip): readonly Evidence[] {
  const last = state.calls.findLast(
    ({ object, op }) => object === e.object && /register_fprobe/u.test(op),
  );
  if (last === undefined || !last.op.startsWith('unregister')) return [];
  const text = `${callText(state, last)} had begun: a stopped pool gives no nodes (FP-40.2)`;
  return [{ text, event: last.index }];
}

function stack(state: MissState, e: Skip): readonly Evidence[] {
  let sum = 0;
  const calls = callsOnStack(state, e).map(({ call, func }) => {
    let data = 0;
    for (const words of call.words.values()) data += words;
    const all = FRAME_WORDS + DESCRIPTOR_WORDS + (data > 0 ? data + 1 : 0);
    sum += all;
    const parts = data > 0 ? `frame 4 + 1, data ${data} + 1` : 'frame 4 + 1';
    const text = `${all} words are held by the call of ${state.symbols.text(func) ?? 'a function'} (${parts})`;
    return evidence(text, call.hook);
  });
  const text = `shadow stack of ${nameOfTask(state, e.pid)}: ${sum} words held; word ${STACK_LIMIT} is not to be reached`;
  return [{ text }, ...calls];
}

function askedFor(state: MissState, siblings: readonly Skip[]): readonly Evidence[] {
  const words = siblings.map(({ object }) => ({ object, words: wordsOf(state, object) }));
  const sum = words.reduce((all, one) => all + one.words, 0);
  const parts = words.map((one) => `${nameOfObject(state, one.object)} ${one.words}`).join(', ');
  const tooMany = sum > DATA_WORDS_MAX ? `, and no call may have more than ${DATA_WORDS_MAX}` : '';
  const text = `asked for: a frame of 4 + 1, and ${sum} data words + 1 (${parts})${tooMany}`;
  return [{ text }];
}

function noMemory({ refused }: MissState): readonly Evidence[] {
  if (refused === undefined) return [];
  return [
    { text: 'memory for shadow stacks was refused: tasks may have none', event: refused.index },
  ];
}

function lastCall(state: MissState, op: RegExp): readonly Evidence[] {
  const call = state.calls.findLast((one) => op.test(one.op));
  return call === undefined ? [] : [{ text: callText(state, call), event: call.index }];
}

function disabledBy(state: MissState, e: Skip): readonly Evidence[] {
  const told = state.told.get(e.object);
  const call = state.calls.findLast(
    ({ object, op }) => object === e.object && /^(?:disable|enable)_fprobe$/u.test(op),
  );
  if (call?.op === 'disable_fprobe' && call.index > (told?.index ?? -1)) {
    return [{ text: callText(state, call), event: call.index }];
  }
  if (told !== undefined && (told.flags & FPROBE_FL_DISABLED) !== 0) {
    return [{ text: 'it was registered with FPROBE_FL_DISABLED', event: told.index }];
  }
  return [
    {
      text: 'no call disabled it: its flags were written by other code, or a call on it is under way',
    },
  ];
}

function answer(state: MissState, e: Skip): readonly Evidence[] {
  const result = state.answers.get(answerKey(e));
  if (result === undefined) return [];
  return [{ text: `its entry handler returned ${result.value}`, event: result.index }];
}

function removedBy(state: MissState, e: Skip): readonly Evidence[] {
  const call = state.calls.findLast(
    ({ object, op }) => object === e.object && op.startsWith('unregister'),
  );
  if (call !== undefined) return [{ text: callText(state, call), event: call.index }];
  const gone = state.gone.get(e.ip);
  return gone === undefined
    ? []
    : [{ text: `${gone.name} went with its module`, event: gone.index }];
}

function busyKprobe(state: MissState, e: Skip): readonly Evidence[] {
  const isShared = (object: number): boolean =>
    ((state.told.get(object)?.flags ?? 0) & FPROBE_FL_KPROBE_SHARED) !== 0;
  const handler = state.handlers.findLast(
    ({ cpu, kind, object }) => cpu === e.cpu && kind === 'fprobe_entry' && isShared(object),
  );
  if (handler !== undefined) {
    const text = `CPU ${e.cpu} is busy: the entry handler of ${nameOfObject(state, handler.object)} runs, which is KPROBE_SHARED`;
    return [{ text, event: handler.index }];
  }
  const busy = state.busy.get(e.cpu);
  if (busy === undefined) return [];
  const { by, since } = busy;
  const where = by === undefined ? '' : ` in ${state.symbols.text(by) ?? 'a function'}`;
  const who = `${nameOfTask(state, since.pid)} (${nameOfLevel(since.level)})`;
  const text = `CPU ${e.cpu} is busy by kprobe_busy_begin${where} of ${who}`;
  return [{ text, event: since.index }];
}

function notWatching(state: MissState, e: Skip): readonly Evidence[] {
  const since = state.unwatched.get(e.cpu);
  return [evidence(`RCU does not watch CPU ${e.cpu}`, since)];
}

function flagsOf(state: MissState, e: Skip): readonly Evidence[] {
  const told = state.flags.get(e.object);
  if (told === undefined) return [];
  return [{ text: `flags of the ops: 0x${told.flags.toString(16)}`, event: told.index }];
}

function taskOf(state: MissState, e: Skip): Evidence {
  return { text: `the hit was in ${nameOfTask(state, e.pid)} (pid ${e.pid})` };
}

function isNotrace(name: string): boolean {
  return name.includes('notrace');
}

function setting(state: MissState, e: Skip, op: RegExp, never: string): readonly Evidence[] {
  const wantsNotrace = op.test('notrace');
  const call = state.calls.findLast(
    (one) => one.object === e.object && op.test(one.op) && isNotrace(one.op) === wantsNotrace,
  );
  return [
    call === undefined ? { text: never } : { text: callText(state, call), event: call.index },
  ];
}
