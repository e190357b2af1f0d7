// Layer replay. Guarantee `context` for kprobes: handlers of a breakpoint run in its trap with interrupts off, those of an
// ftrace site and return handlers with preemption off (KP-47, KP-52, KR-6, CC-M2).
//
// Broken by a handler of a breakpoint that begins outside of a trap, or with interrupts on; by one of an ftrace site, or a
// return handler, that begins in a task which can be preempted there; and by a handler that ends on another CPU.
//
// Left alone: handlers in which the task slept.
//
// Exercised, for each time: a handler of a breakpoint begins (part `kprobe breakpoint`), one of an ftrace site in a task
// (`kprobe ftrace`), a return handler in a task (`kretprobe`).
import type { EventOf } from '../schema.ts';
import { broken, type Broken } from './judge.ts';
import type { KprobeJudge, KprobePart } from './kprobe-part.ts';
import { FTRACE, type KprobeHandler, RETURN } from './kprobes.ts';
import type { Story } from './story.ts';
import { theKprobeHandler, where } from './wording.ts';

/** What is known about one CPU. */
interface Cpu {
  isPreemptible: boolean;
  irqsOn: boolean;
  /** What they were below each interrupt that is open, outermost first. */
  readonly below: boolean[];
}

interface Findings {
  readonly story: Story;
  readonly cpus: Map<number, Cpu>;
  first: Broken | undefined;
  breakpoint: number;
  ftrace: number;
  returns: number;
}

const TASK = 0;
const SOFTIRQ = 1;
const TRAP = 4;

export const kprobesContext: KprobePart = {
  sentence:
    'Handlers of a kprobe run with interrupts off in the trap of its breakpoint, or with preemption off on an ' +
    'ftrace site and where a call returns.',
  rules: ['KP-47', 'KP-52'],
  start(story): KprobeJudge {
    const found: Findings = {
      story,
      cpus: new Map(),
      first: undefined,
      breakpoint: 0,
      ftrace: 0,
      returns: 0,
    };
    const { kprobes } = story;
    return {
      on: {
        ...cpuListeners(found),
        cb_begin: () => {
          if (kprobes.handler !== undefined) handlerBegan(found, kprobes.handler);
        },
        cb_end: (e) => {
          if (kprobes.handler !== undefined) handlerEnded(found, kprobes.handler, e);
        },
      },
      end: () => ({ first: found.first, parts: partsOf(found) }),
    };
  },
};

function partsOf({ breakpoint, ftrace, returns, story }: Findings): Record<string, number> {
  if (story.kprobes.all.size === 0) return {};
  return { 'kprobe breakpoint': breakpoint, 'kprobe ftrace': ftrace, kretprobe: returns };
}

function cpuListeners(found: Findings): KprobeJudge['on'] {
  const enters = (e: { readonly cpu: number; readonly level: number }): void => {
    const cpu = cpuOf(found, e.cpu);
    cpu.below.push(cpu.irqsOn);
    if (e.level !== SOFTIRQ) cpu.irqsOn = false;
  };
  const exits = (e: { readonly cpu: number }): void => {
    const cpu = cpuOf(found, e.cpu);
    cpu.irqsOn = cpu.below.pop() ?? true;
  };
  return {
    region_open: (e) => {
      cpuOf(found, e.cpu).isPreemptible = false;
    },
    region_close: (e) => {
      cpuOf(found, e.cpu).isPreemptible = true;
    },
    irqs: (e) => {
      cpuOf(found, e.cpu).irqsOn = e.on;
    },
    irq_enter: enters,
    trap_enter: enters,
    irq_exit: exits,
    trap_exit: exits,
  };
}

function cpuOf({ cpus }: Findings, number: number): Cpu {
  let cpu = cpus.get(number);
  if (cpu === undefined) {
    cpu = { isPreemptible: true, irqsOn: true, below: [] };
    cpus.set(number, cpu);
  }
  return cpu;
}

function handlerBegan(found: Findings, handler: KprobeHandler): void {
  const { begin, probe } = handler;
  const { irqsOn, isPreemptible } = cpuOf(found, begin.cpu);
  const report = (how: string): void => {
    const name = theKprobeHandler(found.story, handler);
    const why = `${name} began (${where(found.story, begin)}) ${how}`;
    found.first ??= broken(begin.index, why, []);
  };
  const isReturn = begin.kind === RETURN;
  if (!isReturn && probe.told?.ip !== begin.ip) return; // Of a registration that is over.
  if (!isReturn && probe.told?.how !== FTRACE) {
    found.breakpoint++;
    if (begin.level !== TRAP) report('outside of a trap');
    if (irqsOn) report('with interrupts on');
    return;
  }
  if (begin.level !== TASK) return;
  found[isReturn ? 'returns' : 'ftrace']++;
  if (isPreemptible) report('with preemption on');
}

function handlerEnded(found: Findings, handler: KprobeHandler, e: EventOf<'cb_end'>): void {
  const { begin, slept } = handler;
  if (slept || begin.cpu === e.cpu) return;
  const name = theKprobeHandler(found.story, handler);
  const why = `${name} ended (${where(found.story, e)}) on another CPU than CPU ${begin.cpu}`;
  found.first ??= broken(e.index, why, [begin.index]);
}
