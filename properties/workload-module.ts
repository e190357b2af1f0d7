// A module for a random workload: it comes and goes while tasks and handlers call its functions, as careful callers do.
// They look at a variable that its init function sets and its exit function clears, within a read section or with
// preemption off: who saw it set is waited for (CC-S20.5). Where probes redirect functions, those of the module are
// among them.
import { MODULE_BASE } from '../src/emu/address.ts';
import type { FunctionModel, Line, TimelineItem, Workload } from '../src/replay/workload/model.ts';

export interface RawModule {
  readonly work: number;
  /** What its callers hold, so that the kernel waits for them (CC-M10). */
  readonly guard: 'rcu' | 'preempt_off';
  /** When it comes, goes, comes again, and so on. */
  readonly triggers: readonly number[];
  readonly pace: 'steps' | 'rounds';
  /** Its exit function kills ftrace, and tasks look for the place of its first function (H-35). */
  readonly kills?: boolean;
  /** What is done about who may redirect one of its functions, each time that it has come. */
  readonly claims: readonly RawClaim[];
}

/** `leaver` redirects a function of the module to another one of it; `ops0` to one that is always there. */
interface RawClaim {
  readonly probe: 'leaver' | 'ops0';
  /** `takes`: its filter becomes that function, and it is registered, if it is not. */
  readonly op: 'takes' | 'adds' | 'leaves';
}

/** `workload`, with the module and its callers. The last operation is due at step `stepMax`. */
export function addModule(workload: Workload, raw: RawModule, stepMax: number): Workload {
  const functions = { ...workload.functions };
  for (const { run } of Object.values(workload.tasks ?? {})) {
    const fn = run === undefined ? undefined : functions[run];
    if (run === undefined || fn === undefined) continue;
    const calls = raw.kills === true ? ['call use_a', 'call ask'] : ['call use_a'];
    functions[run] = { ...fn, body: [...fn.body.slice(0, -1), ...calls, ...fn.body.slice(-1)] };
  }
  const built: Workload = {
    ...workload,
    data: { ...workload.data, gate: 8 },
    modules: { mod: { init: 'mod_init', exit: 'mod_exit' } },
    functions: { ...functions, ...moduleFunctions(raw) },
    handlers: { ...workload.handlers, user: { irq: 'use_a', inject: 2 } },
    timeline: [...(workload.timeline ?? []), ...moduleLife(raw, workload, stepMax)],
  };
  return raw.claims.length === 0 ? built : withClaims(built, raw);
}

/**
 * Probes that want the same function of the module. Its callers hold what the exit waits for while they are in whatever
 * the function is redirected to; who redirected `mod_exit` would keep it from telling them.
 */
function withClaims(workload: Workload, { claims, triggers }: RawModule): Workload {
  const comes = Math.ceil(triggers.length / 2);
  const items = claims.flatMap(({ op, probe }, turn): TimelineItem[] => {
    const on = { end: 'init_module', nth: 1 + (turn % comes) } as const;
    if (op === 'leaves') return [{ on, unregister: probe }];
    const set = { probe, pattern: 'mod_a' };
    if (op === 'adds') return [{ on, set_filter: set }];
    return [
      { on, set_filter: { ...set, reset: true } },
      { on, register: probe },
    ];
  });
  const functions: Record<string, FunctionModel> = { ...workload.functions };
  for (const name of ['mod_init', 'mod_exit']) {
    functions[name] = { body: [], ...functions[name], notrace: true };
  }
  return {
    ...workload,
    functions,
    callbacks: { ...workload.callbacks, leaving: { body: ['redirect mod_b'] } },
    probes: {
      ...workload.probes,
      leaver: { kind: 'ftrace', callback: 'leaving', flags: ['SAVE_REGS', 'IPMODIFY'] },
    },
    timeline: [
      ...(workload.timeline ?? []).filter((item) => item.free_filter === undefined),
      // Without a filter call it must not be registered (FT-25.1).
      { at: 'start', set_filter: { probe: 'leaver', pattern: null } },
      ...items,
      { at: 'end', unregister: 'leaver' },
      { at: 'end', unregister: 'ops0' },
    ],
  };
}

/** What `ftrace_location` is asked for: a call leaves in a0 what the next one is given. */
const PLACE = (MODULE_BASE + 0x80000000) | 0;
const ASKERS: Readonly<Record<string, FunctionModel>> = {
  place: { body: [`return ${PLACE}`], notrace: true },
  ask: { body: ['call place', 'call ftrace_location'], notrace: true },
};

function moduleFunctions({ work, guard, kills }: RawModule): Record<string, FunctionModel> {
  const call: Line = { if: 'gate', body: ['call mod_a'] };
  const guarded: Record<RawModule['guard'], Line[]> = {
    rcu: ['rcu_read_lock', call, 'rcu_read_unlock'],
    preempt_off: ['preempt_off', call, 'preempt_on'],
  };
  const module = 'mod';
  const last = kills === true ? ['call ftrace_kill'] : [];
  return {
    ...(kills === true ? ASKERS : {}),
    use_a: { body: guarded[guard] },
    mod_init: { module, body: ['call mod_b', 'store gate 1'] },
    mod_exit: { module, body: ['store gate 0', 'call mod_b', ...last] },
    mod_a: { module, body: [`work ${work}`, 'call mod_b', `work ${work}`] },
    mod_b: { module, body: ['work 1'] },
  };
}

/** In turn it comes and goes. */
function moduleLife(
  { triggers, pace }: RawModule,
  { tasks }: Workload,
  stepMax: number,
): TimelineItem[] {
  const rounds = tasks?.['task0']?.times ?? 1;
  const by = tasks?.['control1'] === undefined ? {} : { by: 'control1' };
  const items: TimelineItem[] = [];
  for (const [turn, due] of triggers.toSorted((a, b) => a - b).entries()) {
    const nth = 1 + Math.floor((due * (rounds - 1)) / stepMax);
    const trigger: Pick<TimelineItem, 'at' | 'on'> =
      pace === 'steps' ? { at: { step: due } } : { on: { enter: 'do_0', nth } };
    const operation = turn % 2 === 0 ? { init_module: 'mod' } : { delete_module: 'mod' };
    items.push({ ...trigger, ...operation, ...by });
  }
  return items;
}
