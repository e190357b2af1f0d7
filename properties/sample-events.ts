// Made-up events for tests of the recording: random rows that obey the event table, and a long run that
// looks like a real one (four CPUs, nested calls, interrupts, callbacks).
import fc from 'fast-check';
import { known } from '../src/assert.ts';
import { EventLog } from '../src/replay/event-log.ts';
import {
  EVENT_KINDS,
  type EventField,
  type EventKind,
  type EventName,
  kindByName,
} from '../src/replay/schema.ts';

/** A row as `emit` takes it; texts are still texts. */
export interface SampleEvent {
  readonly kind: EventKind;
  readonly head: readonly [step: number, cpu: number, level: number, pid: number];
  readonly payload: readonly (number | string)[];
}

const int32 = fc.oneof(
  fc.integer({ min: -3, max: 300 }),
  fc.integer({ min: -0x80000000, max: 0x7fffffff }),
);

const text = fc.oneof(
  fc.constantFrom(
    'vfs_open',
    'ftrace',
    'recursion',
    '',
    ' ',
    'a b',
    '<x>',
    '"',
    '\\',
    '-1',
    'ä€😀',
  ),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 12 }),
);

function word(field: EventField): fc.Arbitrary<number | string> {
  switch (field.type) {
    case 'string':
      return text;
    case 'bool':
      return fc.integer({ min: 0, max: 1 });
    case 'int':
    case 'hex':
    case 'address':
    case 'errno':
    case 'u64':
      return int32;
  }
}

/** Any event that the table allows. */
export const anyEvent: fc.Arbitrary<SampleEvent> = fc.constantFrom(...EVENT_KINDS).chain((kind) =>
  fc.record({
    kind: fc.constant(kind),
    head: fc.tuple(
      int32,
      fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 255 })),
      fc.integer({ min: 0, max: 4 }),
      int32,
    ),
    payload: fc.tuple(
      ...kind.fields.flatMap((field) =>
        field.type === 'u64' ? [word(field), word(field)] : [word(field)],
      ),
    ),
  }),
);

/** Emits `sample` into `log`. */
export function emitSample(log: EventLog, sample: SampleEvent): void {
  const at = (place: number): number => {
    const value = sample.payload[place] ?? 0;
    return typeof value === 'string' ? log.strings.id(value) : value;
  };
  const [step, cpu, level, pid] = sample.head;
  // prettier-ignore
  log.emit(
    sample.kind.id, step, cpu, level, pid,
    at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7),
  );
}

/** A log of any events. */
export function anyLog(maxLength: number): fc.Arbitrary<EventLog> {
  return fc.array(anyEvent, { maxLength }).map((samples) => {
    const log = new EventLog();
    for (const sample of samples) emitSample(log, sample);
    return log;
  });
}

interface SampleCpu {
  pid: number;
  level: number;
  readonly calls: { readonly func: number; readonly sp: number }[];
}

const FUNCTION_COUNT = 40;
const CPU_COUNT = 4;

/** A machine of which only the events exist. */
class SampleMachine {
  readonly log = new EventLog();
  readonly #cpus: SampleCpu[] = Array.from({ length: CPU_COUNT }, (_, cpu) => ({
    pid: cpu + 1,
    level: 0,
    calls: [],
  }));
  #seed: number;
  #step = 0;
  #regions = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  boot(): void {
    for (let f = 0; f < FUNCTION_COUNT; f++)
      this.#emit('symbol', 0, [`sample_function_${f}`, f * 52, 48, f * 52 + 4, 0]);
    for (let cpu = 0; cpu < CPU_COUNT; cpu++)
      this.#emit('task_new', cpu, [cpu + 1, `task${cpu}`, cpu, 'normal']);
    this.#emit('object', 0, ['ftrace', 1, 'ops0', 0x80000]);
  }

  /** One step of some CPU. */
  go(): void {
    const cpu = this.#draw(CPU_COUNT);
    const who = known(this.#cpus[cpu], 'a CPU');
    this.#step += 1 + this.#draw(4);
    const dice = this.#draw(100);
    if (dice < 3 && who.level === 0) this.#switch(cpu, who);
    else if (dice < 6 && who.level === 0) {
      who.level = 2;
      this.#emit('irq_enter', cpu, [39 * 52, this.#draw(FUNCTION_COUNT) * 52 + 8]);
    } else if (dice < 12 && who.level === 2) {
      this.#emit('irq_exit', cpu, [39 * 52]);
      who.level = 0;
    } else if (dice < 55 && who.calls.length < 8) this.#call(cpu, who);
    else {
      const call = who.calls.pop();
      if (call !== undefined) this.#emit('func_return', cpu, [call.func, this.#draw(3), 0]);
    }
  }

  end(): EventLog {
    this.#step++;
    this.#emit('run_end', 0, []);
    return this.log;
  }

  #switch(cpu: number, who: SampleCpu): void {
    const next = cpu + 1 + CPU_COUNT * this.#draw(2);
    this.#emit('sched_switch', cpu, [who.pid, next, 'preempted']);
    who.pid = next;
  }

  #call(cpu: number, who: SampleCpu): void {
    const func = this.#draw(FUNCTION_COUNT) * 52;
    const ip = func + 4;
    const parent = (who.calls.at(-1)?.func ?? 0) + 20;
    const sp = 0x10000000 + who.pid * 0x5000 + 0x4000 - who.calls.length * 32;
    who.calls.push({ func, sp });
    this.#emit('func_enter', cpu, [func, parent, sp]);
    this.#emit('site_fetch', cpu, [ip, 2, 2, 'call', 0x80000]);
    if (this.#draw(2) === 0) return;
    const region = ++this.#regions;
    this.#emit('region_open', cpu, [region, 1]);
    this.#step += 3;
    this.#emit('touch', cpu, [3, 1]);
    this.#emit('cb_begin', cpu, ['ftrace', 1, 1, ip, parent, 0]);
    this.#emit('count', cpu, [1, 'hits', region - 1, region]);
    this.#step += 2;
    this.#emit('cb_end', cpu, ['ftrace', 1, 1, ip]);
    this.#emit('region_close', cpu, [region]);
  }

  #emit(name: EventName, cpu: number, payload: readonly (number | string)[]): void {
    const { level, pid } = known(this.#cpus[cpu], 'a CPU');
    const kind = known(kindByName(name), 'a kind of event');
    emitSample(this.log, { kind, head: [this.#step, cpu, level, pid], payload });
  }

  #draw(below: number): number {
    this.#seed = (Math.imul(this.#seed, 1103515245) + 12345) >>> 0;
    return (this.#seed >>> 8) % below;
  }
}

/** A run of about `count` events as a machine emits them; the same for the same numbers. */
export function sampleRun(count: number, seed = 1): EventLog {
  const machine = new SampleMachine(seed);
  machine.boot();
  while (machine.log.count < count) machine.go();
  return machine.end();
}
