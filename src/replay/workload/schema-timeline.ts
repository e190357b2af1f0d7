// Layer replay. The timeline of the workload schema: triggers, and what they cause.
import * as z from 'zod';
import { ERRNO } from './errno-names.ts';
import {
  EVENT_EDGES,
  INTERRUPTS,
  LIMIT,
  type OnEvent,
  OPERATIONS,
  type Raised,
  type SetPid,
  type TimelineItem,
} from './model.ts';
import { callable, probe, setIp, setIps, setPattern } from './schema-filter.ts';
import { initModule, moduleName } from './schema-module.ts';
import { cpu, taskName } from './schema-names.ts';
import * as part from './schema-parts.ts';
import { register, unregister } from './schema-probe.ts';
import { hotplugModel } from './schema-user.ts';

const nth = part.whole(1, LIMIT.times, 'Which occurrence; default the first.').exactOptional();

const onEvent: z.ZodType<OnEvent> = part
  .map({
    enter: part
      .reference(
        'A function, or a handler such as PROBE.callback, .entry, .exit or .pre, is entered.',
        'ops0.callback',
      )
      .exactOptional(),
    return: part.reference('It returns.', 'vfs_open').exactOptional(),
    begin: part.word(OPERATIONS, 'An operation of the timeline begins.').exactOptional(),
    end: part.word(OPERATIONS, 'An operation of the timeline ends.').exactOptional(),
    event: part.reference('Any event of the event table.', 'text_write').exactOptional(),
    probe: probe.meta({ description: 'Only operations on this probe.' }).exactOptional(),
    module: moduleName.meta({ description: 'Only operations on this module.' }).exactOptional(),
    cpu: cpu.meta({ description: 'Only on this CPU.' }).exactOptional(),
    nth,
  })
  .check(part.exactlyOne(EVENT_EDGES), part.belongsTo(['probe', 'module'], ['begin', 'end']))
  .meta({
    description: 'When an event occurs for the nth time.',
    oneOf: part.requiredOne(EVENT_EDGES),
    examples: [{ enter: 'ops0.callback', cpu: 1, nth: 1 }],
  });

const at = z
  .union(
    [
      part.word(['start', 'end'], 'When the run begins; when all else is over.'),
      part.map({
        step: part.whole(0, LIMIT.steps, 'At the first boundary at or after this step.'),
        cpu: cpu.meta({ description: 'The first boundary of this CPU.' }).exactOptional(),
      }),
    ],
    { error: 'expected start, end, or { step: NUMBER }' },
  )
  .meta({ description: 'When: at a point of the run.', examples: ['start', { step: 40, cpu: 1 }] });

const setPid: z.ZodType<SetPid> = part
  .map({
    tasks: part.list(taskName, 'Who is traced; none: everybody.').meta({ examples: [['reader']] }),
    append: part.flag('Beside those who are traced already.', false).exactOptional(),
  })
  .meta({ examples: [{ tasks: ['reader'] }] });

const enabled = z.union([z.literal(0), z.literal(1), part.text('What is written.', ['off'])], {
  error: 'expected 0, 1 or a text',
});

const raised: z.ZodType<Raised> = z
  .union(
    [part.reference('A handler of this kind, or a function.', 'tick'), part.map({ run: callable })],
    { error: 'expected the name of a handler or function, or { run: FUNCTION }' },
  )
  .meta({ examples: ['tick', { run: 'kmalloc' }] });

const errnoError = 'expected 0 or the name of an error such as -EINVAL';
const errno = z
  .union(
    [
      z.literal(0, { error: errnoError }),
      z.enum(
        Object.keys(ERRNO).flatMap((name) => [`-${name}`, name]),
        { error: errnoError },
      ),
    ],
    { error: errnoError },
  )
  .meta({
    description: 'What the operation must return; default: anything.',
    examples: ['-EINVAL'],
  });

export const timelineItem: z.ZodType<TimelineItem> = part
  .map({
    at: at.exactOptional(),
    on: onEvent.exactOptional(),
    register: register
      .meta({
        description:
          'register_ftrace_function; of an fprobe, register_fprobe, _ips, _syms; register_kprobe, register_kretprobe, ' +
          'and of a list of either register_kprobes, register_kretprobes.',
      })
      .exactOptional(),
    unregister: unregister
      .meta({
        description: 'unregister_ftrace_function, unregister_fprobe, unregister_kprobe and so on.',
      })
      .exactOptional(),
    set_filter: setPattern.meta({ description: 'ftrace_set_filter.' }).exactOptional(),
    set_notrace: setPattern.meta({ description: 'ftrace_set_notrace.' }).exactOptional(),
    set_filter_ip: setIp.meta({ description: 'ftrace_set_filter_ip.' }).exactOptional(),
    set_filter_ips: setIps.meta({ description: 'ftrace_set_filter_ips.' }).exactOptional(),
    free_filter: probe
      .meta({
        description: 'ftrace_free_filter, when it is registered no more; its last operation.',
      })
      .exactOptional(),
    unregister_async: probe
      .meta({ description: 'unregister_fprobe_async: does not wait.', examples: ['fp0'] })
      .exactOptional(),
    disable: probe
      .meta({ description: 'disable_fprobe, disable_kprobe or so.', examples: ['fp0'] })
      .exactOptional(),
    enable: probe
      .meta({ description: 'enable_fprobe, enable_kprobe or so.', examples: ['fp0'] })
      .exactOptional(),
    init_module: initModule
      .meta({ description: 'init_module: runs the init function of a module.' })
      .exactOptional(),
    delete_module: moduleName
      .meta({ description: 'delete_module: runs its exit function.' })
      .exactOptional(),
    ftrace_enabled: enabled
      .meta({
        description:
          'Writes the sysctl: 0 takes every hook out, 1 puts it back; a text that is no number is refused.',
        examples: [0],
      })
      .exactOptional(),
    kprobes_enabled: enabled
      .meta({
        description:
          'Writes debugfs kprobes/enabled: 0 disarms every kprobe, 1 arms those that are enabled.',
        examples: [0],
      })
      .exactOptional(),
    set_ftrace_pid: setPid
      .meta({ description: 'Writes set_ftrace_pid: which tasks probes with the flag PID trace.' })
      .exactOptional(),
    cpu_down: hotplugModel(cpu, callable).exactOptional(),
    cpu_up: hotplugModel(cpu, callable).exactOptional(),
    irq: raised.meta({ description: 'Raises a hardware interrupt.' }).exactOptional(),
    softirq: raised.meta({ description: 'Raises a softirq.' }).exactOptional(),
    nmi: raised.meta({ description: 'Raises an NMI.' }).exactOptional(),
    cpu: cpu.meta({ description: 'Where; default where the trigger fired.' }).exactOptional(),
    by: part
      .text('The task without `run` that performs the operation; default control.', ['control1'])
      .exactOptional(),
    expect: errno.exactOptional(),
  })
  .check(
    part.exactlyOne(['at', 'on']),
    part.exactlyOne(part.ACTIONS),
    part.belongsTo(['cpu'], INTERRUPTS),
    part.belongsTo(['by', 'expect'], OPERATIONS),
  )
  .meta({
    description: 'One trigger and one operation.',
    allOf: [{ oneOf: part.requiredOne(['at', 'on']) }, { oneOf: part.requiredOne(part.ACTIONS) }],
    examples: [
      { at: 'start', register: 'ops0' },
      { on: { enter: 'ops0.callback', nth: 1 }, nmi: { run: 'kmalloc' } },
    ],
  });
