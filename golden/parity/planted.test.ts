// The comparisons of this folder would see what they are for: every answer of the truth that is changed is a difference,
// so none of them decides what is done here, and so is every answer of a kernel that is wrong.
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Context } from '../../src/emu/context.ts';
import { act, type Path } from '../../src/emu/path.ts';
import { EBUSY, type Errno } from '../../src/trace/errno.ts';
import type { LinkTable } from '../../src/trace/link.ts';
import { compareScenarios } from './api.ts';
import { compareContexts } from './context.ts';
import { compareFilters } from './filters.ts';
import { compareFprobes } from './fprobe.ts';
import { BUILD, compareKprobes, isUnbuilt } from './kprobe.ts';
import { defects, type Outcome } from './outcome.ts';
import { BUILDS } from './page.ts';
import type { KernelModel } from './rig.ts';
import { readFilterFacts, readScenarios, type Scenario, type TruthStep } from './truth.ts';

const FOLDER = join(import.meta.dirname, '..');
const TIMEOUT_MS = 60_000;
const COMPARED = {
  ftrace: compareScenarios,
  fprobe: compareFprobes,
  kprobe: compareKprobes,
  kretprobe: compareKprobes,
  context: compareContexts,
} as const;
const AREAS = ['ftrace', 'fprobe', 'kprobe', 'kretprobe', 'context'] as const;
type Area = keyof typeof COMPARED;

/** Steps of files that are not there yet; they are named in PARITY.md. */
const UNBUILT = /enabled_functions/u;
/** Many steps that are one observation (F12). */
const OFFSET = 'accepted offset from the symbol address';

/** The step with another answer. */
function changed(step: TruthStep): TruthStep {
  const { events, is, lines, ret, status } = step;
  return {
    ...step,
    ...(ret === undefined ? {} : { ret: ret === 0 ? -22 : 0 }),
    ...(is === undefined ? {} : { is: typeof is === 'number' ? is + 1000 : `${is} more` }),
    ...(events === undefined ? {} : { events: [...events, 'more'] }),
    ...(status === undefined ? {} : { status: status + 1 }),
    ...(lines === undefined ? {} : { lines: [...lines, 'more'].toReversed() }),
  };
}

function isLeftOut(id: string, step: TruthStep): boolean {
  return UNBUILT.test(step.sh ?? '') || BUILD.test(step.see ?? '') || isUnbuilt(id, step);
}

function nameOf({ do: call, see, sh = '' }: TruthStep): string {
  return call ?? see ?? sh;
}

const cases = BUILDS.flatMap(({ build, model }) =>
  AREAS.flatMap((area) => {
    const file = `api${build}.json`;
    const scenarios = readScenarios(FOLDER, file, area);
    return scenarios.length === 0 ? [] : [{ title: `${file} (${area})`, model, area, scenarios }];
  }),
);

test.each(cases)(
  '$title: each answer that is changed is a difference',
  ({ model, area, scenarios }) => {
    const steps = scenarios.map((one) => (one.steps ?? []).map(changed));
    const wrong = scenarios.map((one, i): Scenario => ({ ...one, steps: steps[i] ?? [] }));
    let answers = 0;
    for (const [i, { id, differences }] of COMPARED[area](wrong, model).entries()) {
      const all = (steps[i] ?? []).filter((step) => !isLeftOut(id, step)).map(nameOf);
      const there = all.filter((name) => name !== OFFSET);
      const seen = differences.filter(({ reason }) => reason === undefined);
      const names = seen.map(({ what }) => what.replace(/, mapped$/u, ''));
      expect([id, names.filter((name) => name !== OFFSET && name !== 'warnings')]).toEqual([
        id,
        there,
      ]);
      answers += there.length;
    }
    expect(answers).toBeGreaterThan(10);
  },
  TIMEOUT_MS,
);

/** Wrong kernels: what each does instead of working. */
const REFUSES: Partial<LinkTable> = {
  registerFtraceFunction: refuse,
  registerFprobe: refuse,
  registerKprobe: refuse,
};
const TAKES: Partial<LinkTable> = {
  ftraceSetHash: take,
  registerFtraceFunction: take,
  registerFprobe: take,
  registerKprobe: take,
  registerKretprobe: take,
};

function refuse(cx: Context): Path<Errno> {
  return act(cx.cpu.state, () => -EBUSY);
}

function take(cx: Context): Path<Errno> {
  return act(cx.cpu.state, () => 0);
}

function planted(model: KernelModel, links: Partial<LinkTable>): KernelModel {
  return { ...model, variants: [{ id: 'planted', about: 'A kernel that is wrong.', links }] };
}

/** What is wrong of each case, without its id. */
function wrongOf(outcomes: readonly Outcome[], id: string): readonly string[] {
  return defects(outcomes.filter((one) => one.id === id)).map((text) => text.slice(id.length + 2));
}

/** What would be seen, of which scenario, and how it reads. */
const WRONG = [
  ['a call of ftrace', 'F01', /^register_ftrace_function\(A\): 0 there, -16 here/u],
  ['who reached a callback', 'F02', /^filter a1: of a1 a2 a3 b1 b2, reached the callback: "a1"/u],
  ['a filter that is refused', 'F09', /^set_filter 'tgt_a1' reset=1: -22 there, 0 here/u],
  ['which bytes stand for a function', 'F12', /^accepted offset .*, mapped: /u],
  ['busy CPUs, filters swapped', 'F13', /^swapped with reset=1: a1 reached the callback/u],
  ['busy CPUs, rounds', 'F15', /^rounds without a single callback while registered: 0 there/u],
  ['a module', 'F17', /^during the unload: \["ops"\] there, \[\] here/u],
  ['warnings', 'F20', /^warnings: /u],
  ['what a callback is given', 'F22', /^A: ip minus the symbol's address: /u],
  ['in which order', 'F24', /^both take the lock: /u],
  ['the sysctl', 'F41', /^write 0 to ftrace_enabled: /u],
  ['a misuse of ftrace', 'X01', /^it ends: "freed in ftrace_set_filter.*" there, "run_end" here/u],
  ['a misuse of ftrace', 'X03', /^it ends: "NULL filter hash.*" there, "run_end" here/u],
  ['a call of fprobe', 'P01', /^register_fprobe\(A, 'tgt_a\*', NULL\): 0 there, -16 here/u],
  ['which handlers ran', 'P01', /^calls of a1 a2 a3 b1 b2: /u],
  ['how often handlers ran', 'P01', /^entry handler calls: 3 there, 0 here/u],
  ['what handlers are given', 'P02', /^entry: regs->ip minus entry_ip, mapped: 4 there/u],
  ['nmissed', 'P17', /^A: nmissed: /u],
  ['a module with an fprobe', 'P36', /^during the load: /u],
  ['a misuse of fprobe', 'X02', /^it ends: "freed in register_fprobe.*" there, "run_end" here/u],
  ['a misuse of fprobe', 'X04', /^it ends: "freed in unregister_fprobe.*" there, "run_end" here/u],
  ['a call of kprobes', 'K01', /^register_kprobe\(A \(pre and post, on a1\)\): 0 there, -16 here/u],
  ['which handlers of kprobes ran', 'K06', /^one call: \["B.pre","B.post","a1"\] there/u],
  ['what pre_handlers are given', 'K01', /^preempt_count in the pre-handler: 1114112 there/u],
  ['where a kprobe is refused', 'K04', /^register_kprobe on memcpy .*: -22 there, 0 here/u],
  ['which offsets are instructions', 'K21', /^return values for offsets 0 to 63, mapped: /u],
  ['kprobes/list', 'K06', /^kprobes\/list, mapped: /u],
  ['a kprobe beside an fprobe', 'P20', /^one call of a1: \["kprobe.pre:begin"/u],
  ['an interrupted handler', 'C02', /^interrupt: \["kprobe:begin","intruder:begin"/u],
  ['what was missed meanwhile', 'C03', /^nmissed of the fprobe on help: 1 there, 0 here/u],
  ['a call of kretprobes', 'R01', /^register_kretprobe\(A\): 0 there, -16 here/u],
  ['nmissed of kretprobes', 'R05', /^A: nmissed of the kretprobe: 2 there/u],
  ['a misuse of kretprobes', 'X07', /^it ends: "freed in unregister_kretprobe.*"run_end" here/u],
] as const;

describe('a kernel that is wrong is seen in each kind of scenario', () => {
  const [{ model }] = BUILDS as [(typeof BUILDS)[number]];
  const api = (area: Area, links: Partial<LinkTable>): readonly Outcome[] =>
    COMPARED[area](readScenarios(FOLDER, 'api.json', area), planted(model, links));
  const refused = AREAS.flatMap((area) => api(area, REFUSES));
  const took = AREAS.flatMap((area) => api(area, TAKES));

  test.each(WRONG)('%s: %s', (_kind, id, what) => {
    const wrong = [...wrongOf(refused, id), ...wrongOf(took, id)];
    expect(wrong.filter((text) => what.test(text))).not.toEqual([]);
  });

  test('filters: what a write says, and what is set then', () => {
    const outcomes = compareFilters(readFilterFacts(FOLDER, 'filters.json'), planted(model, TAKES));
    const wrong = defects(outcomes);
    expect(wrong.some((text) => text.endsWith(': write 1: -22 there, 0 here'))).toBe(true);
    expect(wrong.some((text) => /: filter: /u.test(text))).toBe(true);
    expect(wrong.some((text) => /: notrace: /u.test(text))).toBe(true);
  });
});
