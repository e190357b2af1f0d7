// What fprobes have to stand, put into a workload that has fprobes: functions that recurse, that end with a tail call,
// that keep their CPU busy as a kprobe does, that never return as their task ends in them; interrupts of each kind
// that run what is hooked, and an idle task that does. Functions that sleep are there anyway.
import fc from 'fast-check';
import type {
  FunctionModel,
  TaskModel,
  TimelineItem,
  Workload,
} from '../src/replay/workload/model.ts';
import { NAMES, STEP_MAX } from './workload-names.ts';

interface RawInterrupt {
  readonly kind: 'irq' | 'softirq' | 'nmi';
  readonly run: 'plain' | 'tail';
  readonly step: number;
  readonly cpu: number;
}

export interface RawSituations {
  readonly interrupts: readonly RawInterrupt[];
  /** Where the task that recurses and so on runs, how often, and how long it sleeps in between. */
  readonly cpu: number;
  readonly times: number;
  readonly us: number;
  /** How deep it recurses. */
  readonly depth: number;
  /** After so long the task that ends in a function does. */
  readonly endsAfter: number;
  /** Which fprobes are KPROBE_SHARED, a bit for each. */
  readonly shared: number;
}

/** Long enough for what is registered at the start to be there. */
const REGISTERED_US = 300;

const rawInterrupt: fc.Arbitrary<RawInterrupt> = fc.record({
  kind: fc.constantFrom<RawInterrupt['kind'][]>('irq', 'softirq', 'nmi'),
  run: fc.constantFrom<RawInterrupt['run'][]>('plain', 'tail'),
  step: fc.integer({ min: REGISTERED_US, max: 8 * STEP_MAX }),
  cpu: fc.nat(3),
});

export const rawSituations: fc.Arbitrary<RawSituations> = fc.record({
  interrupts: fc.array(rawInterrupt, { minLength: 9, maxLength: 15, size: 'max' }),
  cpu: fc.nat(3),
  times: fc.integer({ min: 4, max: 8 }),
  us: fc.integer({ min: 50, max: 200 }),
  depth: fc.integer({ min: 2, max: 4 }),
  endsAfter: fc.integer({ min: REGISTERED_US, max: 4 * REGISTERED_US }),
  shared: fc.nat(7),
});

/** `workload`, with all of that. */
export function withSituations(workload: Workload, raw: RawSituations): Workload {
  const { data, functions, idle, machine, tasks, timeline = [] } = workload;
  const last = machine.cpus - 1;
  return {
    ...workload,
    data: { ...data, depth: 8 },
    functions: { ...functions, ...situations(raw) },
    tasks: { ...tasks, ...runners(raw, machine.cpus) },
    idle: idle ?? [{ cpu: last, run: 'idle_b', times: 40 }],
    timeline: [...timeline, ...raw.interrupts.map((one) => raised(one, machine.cpus))],
  };
}

/** Who recurses counts down what nobody else writes. */
function situations({ depth, endsAfter, us }: RawSituations): Record<string, FunctionModel> {
  const plain = `call ${NAMES[0]}`;
  return {
    again: { body: ['amoadd depth -1', { if: 'depth', body: ['call again'] }, 'work 1'] },
    tail: { body: ['work 1', `tail ${NAMES[0]}`] },
    busy: { body: ['call kprobe_busy_begin', plain, 'call kprobe_busy_end'] },
    quits: { body: [plain, 'sleep 20', 'call do_exit'] },
    do_all: {
      body: [`store depth ${depth}`, 'call again', 'call tail', 'call busy', `sleep ${us}`],
    },
    do_quit: { body: [`sleep ${endsAfter}`, 'call quits'] },
    idle_b: { body: [plain, 'work 1'] },
  };
}

function runners({ cpu, times }: RawSituations, cpus: number): Record<string, TaskModel> {
  return {
    all: { cpu: cpu % cpus, run: 'do_all', times },
    quitter: { cpu: (cpu + 1) % cpus, run: 'do_quit', times: 1 },
  };
}

function raised({ cpu, kind, run, step }: RawInterrupt, cpus: number): TimelineItem {
  const where = { at: { step }, cpu: cpu % cpus };
  const what = { run: run === 'tail' ? 'tail' : NAMES[0] };
  switch (kind) {
    case 'irq':
      return { ...where, irq: what };
    case 'softirq':
      return { ...where, softirq: what };
    case 'nmi':
      return { ...where, nmi: what };
  }
}
