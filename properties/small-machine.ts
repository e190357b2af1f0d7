// A machine with scripted functions and tasks, for tests of the machine itself.
import { known } from '../src/assert.ts';
import { type Chooser, calmChooser } from '../src/emu/choose.ts';
import type { Context } from '../src/emu/context.ts';
import { buildImage, functionsNamed, type Image } from '../src/emu/image.ts';
import { loadImage } from '../src/emu/load.ts';
import { Machine, type MachineOptions } from '../src/emu/machine.ts';
import { callGuest, type Path } from '../src/emu/path.ts';
import { start } from '../src/emu/schedule.ts';
import type { ScriptData, ScriptFunction, ScriptOp } from '../src/emu/script.ts';
import { defineServices } from '../src/emu/services.ts';
import type { Task } from '../src/emu/task.ts';
import { EventLog } from '../src/replay/event-log.ts';

export interface SmallMachine {
  readonly machine: Machine;
  readonly image: Image;
  readonly log: EventLog;
  /** Address of a function. */
  at(name: string): number;
  /** Starts a task that runs guest function `run` `times` times. */
  task(name: string, cpu: number, run: string, times?: number): Task;
  /** Starts a task that runs a kernel path. */
  thread(name: string, cpu: number, path: (cx: Context) => Path<unknown>): Task;
  /** Reads 8 bytes of shared data as a number. */
  data(name: string): number;
}

export interface SmallMachineOptions {
  readonly functions: Readonly<Record<string, readonly ScriptOp[]>>;
  readonly data?: readonly string[];
  readonly chooser?: Chooser;
  readonly machine?: Partial<MachineOptions>;
}

export function smallMachine(options: SmallMachineOptions): SmallMachine {
  const log = new EventLog();
  const machine = new Machine(
    {
      cpus: 2,
      preempt: true,
      grain: 'visible',
      stepsMax: 100_000,
      stubCount: 256,
      tasksMax: 16,
      ...options.machine,
    },
    { chooser: options.chooser ?? calmChooser, sink: log, strings: log.strings },
  );
  defineServices(machine);
  const functions: ScriptFunction[] = Object.entries(options.functions).map(([name, body]) => ({
    name,
    body,
    notrace: false,
    callback: false,
  }));
  const data: ScriptData[] = (options.data ?? []).map((name) => ({ name, bytes: 8 }));
  const stubs = machine.stubs.addresses();
  const image = buildImage({ functions, data, stubs, landingPad: true });
  loadImage(machine, image);
  const at = (name: string): number =>
    known(functionsNamed(image, name)[0], `${name} is a function`).address;
  const thread: SmallMachine['thread'] = (name, cpu, path) => {
    const task = machine.newTask(name, 'task', known(machine.cpus[cpu], 'the CPU exists'));
    start(task, () => path(task.context));
    return task;
  };
  return {
    machine,
    image,
    log,
    at,
    thread,
    task: (name, cpu, run, times = 1) => thread(name, cpu, (cx) => runTimes(cx, at(run), times)),
    data: (name) =>
      machine.memory.loadLo(known(image.dataSymbols.get(name), `${name} is data`).address),
  };
}

function* runTimes(cx: Context, func: number, times: number): Path<void> {
  for (let i = 0; i < times; i++) yield* callGuest(cx.cpu.state, func, []);
}
