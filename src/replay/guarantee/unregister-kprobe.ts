// Layer replay. Guarantee `unregister` for kprobes: nothing of a registration runs once unregister_kprobe(s) or
// unregister_kretprobe(s) has returned (KP-21, KR-8, CC-G5, CC-G14), nor once a register call has failed (KP-13, CC-G16).
//
// Broken by the cb_begin of a handler of (object, generation), or one of them still open, after the ctl_end: entry
// handlers, and return handlers of calls that are still under way. A handler in which its task slept is left alone, and
// so is one where RCU does not watch, which the wait does not cover (CC-M10): on the ftrace site of a function in the idle task.
//
// Exercised: a registration with a handler that ran was unregistered, and one of its handlers was open during the call, a
// call whose return it had taken was under way, or its instruction was executed during the call or after it.
import { broken, type Broken } from './judge.ts';
import type { KprobeJudge, KprobePart } from './kprobe-part.ts';
import {
  isUnregister,
  type Kprobe,
  type KprobeCall,
  type KprobeHandler,
  NULL_ADDRESS,
} from './kprobes.ts';
import type { Story } from './story.ts';
import { theKprobeHandler, where } from './wording.ts';

/** A registration that somebody wants to end. */
interface Ending {
  readonly probe: Kprobe;
  readonly generation: number;
  readonly ip: number;
  reached: boolean;
  over: boolean;
}

interface Findings {
  readonly story: Story;
  endings: Ending[];
  /** Handlers that began where RCU does not watch. */
  readonly unwatched: WeakSet<KprobeHandler>;
  /** Returns that are taken, by probe. */
  readonly taken: Map<number, number>;
  first: Broken | undefined;
  exercised: number;
}

export const kprobesUnregister: KprobePart = {
  sentence:
    'Once unregister_kprobe or unregister_kretprobe has returned, no handler of the probe runs or will run, ' +
    'not even for calls whose return it had taken.',
  rules: ['KP-21', 'KR-8', 'CC-G5', 'CC-G14'],
  start(story): KprobeJudge {
    const found: Findings = {
      story,
      endings: [],
      unwatched: new WeakSet(),
      taken: new Map(),
      first: undefined,
      exercised: 0,
    };
    const { kprobes } = story;
    const reached = ({ ip }: { readonly ip: number }): void => {
      if (found.endings.length > 0) executed(found, ip);
    };
    return {
      on: {
        ctl_begin: () => {
          const call = kprobes.calls.at(-1);
          if (call !== undefined) begin(found, call);
        },
        ctl_end: () => {
          if (kprobes.ending !== undefined) end(found, kprobes.ending);
        },
        cb_begin: () => {
          if (kprobes.handler !== undefined) handlerBegan(found, kprobes.handler);
        },
        hook: ({ object }) => {
          if (kprobes.all.has(object)) turn(found, object, 1);
        },
        unhook: ({ object }) => {
          if (kprobes.all.has(object)) turn(found, object, -1);
        },
        site_fetch: reached,
        trap_enter: ({ pc }) => {
          reached({ ip: pc });
        },
      },
      end: () => ({ first: found.first, parts: partsOf(found) }),
    };
  },
};

function partsOf({ exercised, story }: Findings): Readonly<Record<string, number>> {
  return story.kprobes.all.size === 0 ? {} : { kprobes: exercised };
}

function turn({ taken }: Findings, object: number, by: number): void {
  taken.set(object, (taken.get(object) ?? 0) + by);
}

function begin(found: Findings, call: KprobeCall): void {
  if (!isUnregister(call)) return;
  for (const probe of call.inForce) {
    const isNew = !found.endings.some(
      (ending) => ending.probe === probe && ending.generation === probe.generation,
    );
    if (!isNew || probe.generation === 0) continue;
    const isOpen = found.story.kprobes.open.some((handler) => handler.probe === probe);
    const reached = isOpen || (found.taken.get(probe.object) ?? 0) > 0;
    const ip = probe.told?.ip ?? NULL_ADDRESS;
    const { generation } = probe;
    found.endings.push({ probe, generation, ip, reached, over: false });
  }
}

function end(found: Findings, call: KprobeCall): void {
  const { endings, story } = found;
  const late = story.kprobes.open.find(
    (handler) =>
      !handler.slept &&
      !found.unwatched.has(handler) &&
      handler.probe.ended.get(handler.begin.generation) === call,
  );
  if (late !== undefined && call.end !== undefined) {
    const why =
      `${theKprobeHandler(story, late)} (begun at ${where(story, late.begin)}) was still running when ` +
      theEnd(story, call);
    found.first ??= broken(call.end.index, why, [late.begin.index, call.begin.index]);
  }
  for (const ending of endings) {
    if (ending.probe.ended.get(ending.generation) === call) ending.over = true;
  }
  count(found);
}

function theEnd(story: Story, { end: ended, op, probes }: KprobeCall): string {
  const names = probes.map(({ name }) => name).join(', ');
  const how = ended === undefined || ended.result === 0 ? 'returned' : 'failed';
  return `${op}(${names}) had ${how} (${ended === undefined ? '' : where(story, ended)})`;
}

function executed(found: Findings, ip: number): void {
  let news = false;
  for (const ending of found.endings) {
    if (ending.reached || ending.ip !== ip) continue;
    ending.reached = true;
    news = true;
  }
  if (news) count(found);
}

/** Counts the endings whose situation is complete, and forgets them. */
function count(found: Findings): void {
  found.endings = found.endings.filter(({ generation, over, probe, reached }) => {
    const complete = over && reached && probe.ran.has(generation);
    if (complete) found.exercised++;
    return !complete;
  });
}

function handlerBegan(found: Findings, handler: KprobeHandler): void {
  const { story } = found;
  const { begin: e, probe } = handler;
  if (story.unwatched.has(e.cpu)) found.unwatched.add(handler);
  for (const ending of found.endings) if (ending.probe === probe) ending.reached = true;
  const call: KprobeCall | undefined = probe.ended.get(e.generation);
  if (call?.end === undefined || probe.lost || found.unwatched.has(handler)) return;
  const why = `${theKprobeHandler(story, handler)} began (${where(story, e)}) after ${theEnd(story, call)}`;
  found.first ??= broken(e.index, why, [call.begin.index, call.end.index]);
}
