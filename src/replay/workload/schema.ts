// Layer replay. The workload model as a zod schema: the one place that decides which data is a workload. The
// published JSON schema is generated from it. Names are compared with each other later (`check.ts`).
import * as z from 'zod';
import {
  ALLOC_KINDS,
  type Expectation,
  type HandlerModel,
  type IdleModel,
  type MachineModel,
  GUARANTEE_NAMES,
  INTERRUPTS,
  LIMIT,
  PATCHINGS,
  type TaskModel,
  type Workload,
} from './model.ts';
import { callable } from './schema-filter.ts';
import { moduleModel, moduleName } from './schema-module.ts';
import { cpu, taskName } from './schema-names.ts';
import * as part from './schema-parts.ts';
import { OPS0, probeModel } from './schema-probe.ts';
import { timelineItem } from './schema-timeline.ts';
import { userModel } from './schema-user.ts';

const times = part.whole(1, LIMIT.times, 'How many times; default 1.');
const microseconds = part.whole(1, LIMIT.microseconds, 'Microseconds; one step takes one.');

const ratio = z
  .tuple([part.whole(0, LIMIT.ratio, 'How often.'), part.whole(1, LIMIT.ratio, 'Out of.')], {
    error: 'expected two whole numbers such as [1, 8], which is one time in eight',
  })
  .check(({ value, issues }) => {
    if (value[0] <= value[1]) return;
    const message = `expected at most one time in one, found ${value[0]} in ${value[1]}`;
    issues.push({ code: 'custom', input: value, message });
  })
  .meta({ description: 'A probability as a ratio.', examples: [[1, 8]] });

const machine: z.ZodType<MachineModel> = part
  .map({
    cpus: part.whole(1, LIMIT.cpus, 'How many CPUs the machine has.').meta({ examples: [2] }),
    seed: part
      .whole(0, LIMIT.seed, 'Seed of the random chooser; --seed overrides it.')
      .exactOptional(),
    preempt: part.flag('Tasks can be preempted in kernel code.', true).exactOptional(),
    landingPad: part.flag('Functions begin with a landing pad (lpad).', true).exactOptional(),
    grain: part
      .word(['visible', 'instruction'], 'Where choices are offered; default visible.')
      .exactOptional(),
    steps_max: part
      .whole(1, LIMIT.steps, `A run ends here at the latest; default ${LIMIT.stepsDefault}.`)
      .exactOptional(),
    patching: part
      .word(
        PATCHINGS,
        'How call sites are patched: one instruction, by breakpoints; or two, with all CPUs stopped, and then ' +
          'tasks are not preempted in kernel code. Default breakpoint.',
      )
      .exactOptional(),
    trampolines: part
      .flag('Each probe gets a trampoline of its own; without, all share one caller.', true)
      .exactOptional(),
    regs: part.flag('The architecture can save all registers.', true).exactOptional(),
    ifSupportedGivesRegs: part
      .flag('SAVE_REGS_IF_SUPPORTED alone gives registers, as the document has it.', false)
      .exactOptional(),
    recordRecursion: part
      .flag('Functions at which recursion was refused are recorded.', false)
      .exactOptional(),
    strict: part
      .flag('Misuse that a real kernel does not notice ends the run.', false)
      .exactOptional(),
    missPolicy: part
      .word(['both', 'exitOnly'], 'fprobe: what a shortage skips; exitOnly as in v5.18.')
      .exactOptional(),
    countRecursion: part
      .flag('fprobe: hits refused for recursion count in nmissed, as the document has it.', false)
      .exactOptional(),
    racyCounters: part
      .flag('fprobe: nmissed is counted by a load and a store, as in the kernel.', false)
      .exactOptional(),
    sharedStrict: part
      .flag('fprobe: an entry skipped for a running kprobe has no exit.', false)
      .exactOptional(),
    fprobeNonWatching: part
      .flag('fprobe: functions that run where RCU does not watch can be hooked.', false)
      .exactOptional(),
    optprobes: part
      .flag('kprobe: those whose instructions a jump can stand for become jumps.', false)
      .exactOptional(),
    detourTasksWait: part
      .flag('kprobe: a detour that is freed waits for preempted tasks, too.', false)
      .exactOptional(),
    fail_alloc: part
      .list(part.word(ALLOC_KINDS, 'A kind of object.'), 'Allocations that may fail; default none.')
      .meta({ examples: [['ftrace_hash']] })
      .exactOptional(),
    random: part
      .map({
        schedule: ratio
          .meta({ description: 'Leave the running CPU or task; default [1, 8].' })
          .exactOptional(),
        inject: ratio.meta({ description: 'Raise an interrupt; default [1, 32].' }).exactOptional(),
        alloc: ratio
          .meta({ description: 'Let an allocation of `fail_alloc` fail; default [1, 32].' })
          .exactOptional(),
      })
      .meta({
        description: 'How often the random chooser leaves calm.',
        examples: [{ schedule: [1, 4] }],
      })
      .exactOptional(),
  })
  .meta({ description: 'The machine.', examples: [{ cpus: 2, seed: 42 }] });

const functionModel = part
  .map({
    body: part.functionBody(),
    notrace: part.flag('No call site: it can never be hooked.', false).exactOptional(),
    nokprobe: part.flag('No kprobe can be in it (NOKPROBE_SYMBOL).', false).exactOptional(),
    symbol: part
      .reference('Its name for patterns, if not its own; others may bear it too.', 'vfs_open')
      .exactOptional(),
    module: moduleName
      .meta({ description: 'The module without an image that it is part of.' })
      .exactOptional(),
  })
  .meta({ description: 'A function, assembled to RV64 code.' });

const callbackModel = part
  .map({
    body: part.callbackBody(),
    notrace: part
      .flag('No call site; false makes the callback itself traceable.', true)
      .exactOptional(),
  })
  .meta({ description: 'What a probe runs when it is hit.' });

const task: z.ZodType<TaskModel> = part
  .map({
    cpu,
    run: callable
      .meta({ description: 'What it calls. Without: a control thread, see `by`.' })
      .exactOptional(),
    times: times.exactOptional(),
    user: userModel(callable).exactOptional(),
  })
  .check(part.belongsTo(['times', 'user'], ['run']))
  .meta({ description: 'A task.', examples: [{ cpu: 0, run: 'vfs_open', times: 20 }] });

const idle: z.ZodType<IdleModel> = part
  .map({ cpu, run: callable, times: times.exactOptional() })
  .meta({ description: 'A function that an idle CPU runs with RCU not watching.' });

const handler: z.ZodType<HandlerModel> = part
  .map({
    irq: callable.meta({ description: 'A hardware interrupt that calls this.' }).exactOptional(),
    softirq: callable.meta({ description: 'A softirq that calls this.' }).exactOptional(),
    nmi: callable.meta({ description: 'An NMI that calls this.' }).exactOptional(),
    timer: callable.meta({ description: 'A timer interrupt that calls this.' }).exactOptional(),
    cpu: cpu.meta({ description: 'The only CPU that takes it; default any.' }).exactOptional(),
    inject: part
      .whole(0, LIMIT.times, 'How often the chooser may raise it anywhere; default 0.')
      .exactOptional(),
    entry: callable
      .meta({
        description:
          'Runs in the interrupt before preempt_count shows its level, and again after it does no more.',
      })
      .exactOptional(),
    first: microseconds.meta({ description: 'When a timer expires first.' }).exactOptional(),
    every: microseconds.meta({ description: 'And then each time after this.' }).exactOptional(),
    times: times.exactOptional(),
  })
  .check(
    part.exactlyOne([...INTERRUPTS, 'timer']),
    part.belongsTo(['first', 'every', 'times'], ['timer']),
    part.belongsTo(['inject', 'entry'], INTERRUPTS),
    timerIsComplete,
  )
  .meta({
    description: 'A handler of an interrupt or of a timer.',
    oneOf: part.requiredOne([...INTERRUPTS, 'timer']),
    examples: [
      { irq: 'timer_tick', inject: 2 },
      { timer: 'timer_tick', cpu: 0, first: 100, every: 50, times: 3 },
    ],
  });

function timerIsComplete({ value, issues }: z.core.ParsePayload<HandlerModel>): void {
  if (value.timer === undefined) return;
  for (const key of ['cpu', 'first'] as const) {
    if (value[key] !== undefined) continue;
    issues.push({ code: 'custom', input: value, message: `a timer needs '${key}'` });
  }
  if ((value.times ?? 1) > 1 && value.every === undefined) {
    issues.push({ code: 'custom', input: value, message: "a timer with 'times' needs 'every'" });
  }
}

const counted = part.whole(0, Number.MAX_SAFE_INTEGER, 'A count.').exactOptional();
const expectation: z.ZodType<Expectation> = z
  .union(
    [
      part.word(GUARANTEE_NAMES, 'This guarantee must hold, and its situation must arise.'),
      part
        .map({
          counter: part
            .text(
              'PROBE.count; .nmissed and handlers that are count, of other probes; or a data name.',
              ['ops0.count'],
            )
            .min(1),
          is: counted.meta({ description: 'Its final value.' }),
          at_least: counted.meta({ description: 'Its least final value.' }),
          at_most: counted.meta({ description: 'Its greatest final value.' }),
        })
        .check(part.exactlyOne(['is', 'at_least', 'at_most'])),
    ],
    { error: `expected one of ${GUARANTEE_NAMES.join(', ')}, or { counter: NAME, is: NUMBER }` },
  )
  .meta({ examples: ['unregister', { counter: 'ops0.count', at_least: 3 }] });

const dataBytes = part
  .whole(8, LIMIT.dataBytes, 'Bytes, a multiple of 8.')
  .multipleOf(8, { error: 'expected a multiple of 8' })
  .meta({ examples: [8] });

const pathVersion = part.whole(1, LIMIT.pathVersion, 'Version of the path that is meant.');

/** Decides which data is a workload. */
export const workloadSchema: z.ZodType<Workload> = part
  .map({
    name: part
      .text('Name of the workload.', ['vfs-filter-swap'])
      .min(1, { error: 'expected a name' }),
    story: z
      .string({ error: 'expected a text' })
      .max(LIMIT.storyLength, { error: 'expected a shorter text' })
      .meta({ description: 'The situation, and what to look at.', examples: ['Two CPUs ...'] })
      .exactOptional(),
    machine,
    image: part
      .text('An ELF file, relative to this file; its functions take part.', ['c/store.elf'])
      .min(1, { error: 'expected a file name' })
      .exactOptional(),
    modules: part.named(moduleModel, 'Modules by name.', {
      sample: { image: 'c/ftrace_sample.ko', params: { func: 'vfs_*' } },
    }),
    data: part.named(dataBytes, 'Shared variables and their sizes.', { counter: 8 }),
    functions: part.named(functionModel, 'Functions by name.', { vfs_open: { body: ['work 4'] } }),
    tasks: z
      .record(taskName, task, { error: 'expected a map from names to tasks' })
      .meta({
        description: 'Tasks by name; pids are given in this order.',
        examples: [{ opener: { cpu: 0, run: 'vfs_open', times: 20 } }],
      })
      .exactOptional(),
    idle: part
      .list(idle, 'What idle CPUs run, one entry for a CPU.')
      .meta({ examples: [[{ cpu: 1, run: 'idle_poll', times: 100 }]] })
      .exactOptional(),
    handlers: part.named(handler, 'Handlers by name.', { tick: { irq: 'timer_tick', inject: 2 } }),
    callbacks: part.named(callbackModel, 'Callbacks by name.', { note: { body: ['regs'] } }),
    typescript: part.named(pathVersion, 'Paths in TypeScript and their versions.', { audit: 1 }),
    probes: part.named(probeModel, 'Probes by name.', { ops0: OPS0 }),
    timeline: part
      .list(timelineItem, 'What happens when.')
      .meta({ examples: [[{ at: 'start', register: 'ops0' }]] })
      .exactOptional(),
    expect: part
      .list(expectation, 'What must be true of the run.')
      .meta({ examples: [['unregister', { counter: 'ops0.count', at_least: 3 }]] })
      .exactOptional(),
  })
  .meta({ title: 'reprobe workload', description: 'A run of reprobe, described.' });
