// How fast guest code runs: the bare core, one CPU of a machine, four CPUs that take turns at every instruction.
import { assert, known } from '../src/assert.ts';
import {
  addressHi,
  addressLo,
  guestValue,
  IMAGE_BASE,
  NO_ADDRESS,
  STACK_BYTES,
} from '../src/emu/address.ts';
import { type Chooser, calmChooser } from '../src/emu/choose.ts';
import type { Image } from '../src/emu/image.ts';
import { loadImage } from '../src/emu/load.ts';
import { Machine } from '../src/emu/machine.ts';
import { callGuest, type Path } from '../src/emu/path.ts';
import { REG, setReg } from '../src/emu/regs.ts';
import { PLAIN } from '../src/emu/riscv/encode.ts';
import { ReferenceCore, ReferenceHart, runReference } from '../src/emu/riscv/reference.ts';
import { makeRig, putWords, STACK, TEXT } from '../src/emu/riscv/rig.ts';
import { run } from '../src/emu/riscv/run.ts';
import { STOP_ECALL } from '../src/emu/riscv/stop.ts';
import { start } from '../src/emu/schedule.ts';
import { defineServices } from '../src/emu/services.ts';
import { EMU_STUBS } from '../src/emu/stub-table.ts';
import { Digest } from '../src/replay/digest.ts';
import { EventLog } from '../src/replay/event-log.ts';
import { INJECT_RATIO, randomChooser, SCHEDULE_RATIO } from '../src/replay/explore/random.ts';
import { digestOfLog } from '../src/replay/recording.ts';
import { type Clock, inTurn, type Timed } from './clock.ts';
import { mixedProgram } from './mixed-program.ts';
import type { Figure, Suite } from './suite.ts';

const MILLION = 1e6;
const STEPS_MAX = 0x7fffffff;
const PASSES = 5;

const ONE = 'one CPU';
const FOUR = 'four CPUs, every instruction';
const RATIO = 'fast core over reference core';
const NAMES = ['bare core', ONE, 'one CPU, every call reported', FOUR, 'reference core'];

export const processor: Suite = {
  budgets: {
    [ONE]: { bound: 'least', limit: 0.4, unit: 'MIPS/Y' },
    [FOUR]: { bound: 'least', limit: 0.15, unit: 'of one CPU' },
    [RATIO]: { bound: 'least', limit: 2, unit: 'x' },
  },
  measure(effort) {
    const { clock, toy } = effort;
    const rounds = toy ? 200 : 100_000;
    const few = Math.ceil(rounds / 10);
    const plain = { cpus: 1, everyInstruction: false, calls: false };
    const before = effort.y();
    const all = inTurn(toy ? 1 : PASSES, [
      () => measureCore(clock, rounds),
      () => measureMachine(clock, { ...plain, rounds }),
      () => measureMachine(clock, { ...plain, rounds: few, calls: true }),
      () => measureMachine(clock, { ...plain, rounds: few, cpus: 4, everyInstruction: true }),
      () => measureReference(clock, few),
    ]);
    const y = (before + effort.y()) / 2;
    const [bare = 0, one = 0, , four = 0, reference = 0] = all.map(mips);
    const compared = [undefined, one / y, undefined, four / one];
    const figures = all.map((measured, i) =>
      figure(known(NAMES[i], 'it has a name'), measured, compared[i]),
    );
    return [...figures, ratioFigure(bare / reference, all)];
  },
};

/** Two cores, one program: how much the fast one gains. */
function ratioFigure(ratio: number, all: readonly Measured[]): Figure {
  const digest = known(all.at(-1), 'the reference core was measured').digest;
  return { name: RATIO, value: ratio, unit: 'x', compared: ratio, digest };
}

interface Measured extends Timed {
  readonly instructions: number;
}

function mips({ instructions, seconds }: Measured): number {
  return instructions / seconds / MILLION;
}

function figure(name: string, measured: Measured, compared: number | undefined): Figure {
  const plain = { name, value: mips(measured), unit: 'MIPS', digest: measured.digest };
  return compared === undefined ? plain : { ...plain, compared };
}

/** `run` alone: no machine around it. */
function measureCore(clock: Clock, rounds: number): Measured {
  const rig = makeRig();
  const program = mixedProgram(TEXT);
  rig.core.writeText(TEXT, program.halves);
  putWords(rig.core, program.end, [PLAIN.ecall]);
  const { hart } = rig;
  setReg(hart, REG.a0, rounds, 0);
  setReg(hart, REG.ra, addressLo(program.end), addressHi(program.end));
  const seconds = clock(() => {
    const stop = run(rig.core, hart, STEPS_MAX, false);
    assert(stop === STOP_ECALL, 'the program returns');
  });
  const digest = new Digest();
  digest.words(hart.x);
  digest.word(hart.instret);
  return { seconds, instructions: hart.instret, digest: digest.hex() };
}

/** The same program on the reference core. */
function measureReference(clock: Clock, rounds: number): Measured {
  const rig = makeRig();
  const program = mixedProgram(TEXT);
  rig.core.writeText(TEXT, program.halves);
  putWords(rig.core, program.end, [PLAIN.ecall]);
  const hart = new ReferenceHart();
  const core = new ReferenceCore(rig.memory, [hart], (at) => rig.core.flagsAt(at));
  hart.pc = guestValue(TEXT);
  hart.stackBase = guestValue(STACK);
  hart.x[REG.sp] = hart.stackBase + BigInt(STACK_BYTES);
  hart.x[REG.a0] = BigInt(rounds);
  hart.x[REG.ra] = guestValue(program.end);
  const seconds = clock(() => {
    const stop = runReference(core, hart, STEPS_MAX, false);
    assert(stop === STOP_ECALL, 'the program returns');
  });
  const digest = new Digest();
  for (const value of hart.x) digest.text(value.toString(16));
  return { seconds, instructions: hart.instret, digest: digest.hex() };
}

interface Shape {
  readonly cpus: number;
  readonly rounds: number;
  readonly everyInstruction: boolean;
  /** Whether `leaf` is a function of the image: then its calls and returns are events. */
  readonly calls: boolean;
}

/** A machine with a task that runs the program on each CPU. */
function measureMachine(clock: Clock, shape: Shape): Measured {
  const log = new EventLog();
  const machine = newMachine(shape, log);
  const { func, image } = mixedImage(shape.calls);
  loadImage(machine, image);
  const sums: number[] = [];
  for (const cpu of machine.cpus) {
    const task = machine.newTask(`mixed-${cpu.id}`, 'task', cpu);
    start(task, function* (): Path<void> {
      sums.push(yield* callGuest(cpu.state, func, [shape.rounds, 0]));
    });
  }
  const seconds = clock(() => {
    assert(machine.run() === 'run_end', 'every task comes to its end');
  });
  assert(sums.length === shape.cpus, 'every task has its sum');
  const instructions = machine.cpus.reduce((sum, { hart }) => sum + hart.instret, 0);
  const digest = new Digest();
  digest.text(digestOfLog(log));
  digest.word(machine.step);
  digest.word(instructions);
  for (const sum of sums) digest.word(sum);
  return { seconds, instructions, digest: digest.hex() };
}

function newMachine({ cpus, everyInstruction }: Shape, log: EventLog): Machine {
  const random = { seed: 1, schedule: SCHEDULE_RATIO, inject: INJECT_RATIO };
  const chooser: Chooser = cpus === 1 ? calmChooser : randomChooser(random);
  const grain = everyInstruction ? 'instruction' : 'visible';
  const machine = new Machine(
    {
      cpus,
      preempt: true,
      grain,
      stepsMax: STEPS_MAX,
      stubCount: EMU_STUBS.length,
      tasksMax: 2 * cpus,
    },
    { chooser, sink: log, strings: log.strings },
  );
  defineServices(machine);
  return machine;
}

function mixedImage(calls: boolean): { readonly image: Image; readonly func: number } {
  const { halves, mixed, leaf, end } = mixedProgram(IMAGE_BASE);
  const symbol = { site: NO_ADDRESS, notrace: true, callback: false };
  const whole = { ...symbol, name: 'mixed', address: mixed, size: end - mixed };
  const parts = [
    { ...symbol, name: 'mixed', address: mixed, size: leaf - mixed },
    { ...symbol, name: 'leaf', address: leaf, size: end - leaf },
  ];
  const image = {
    text: new Uint8Array(halves.buffer),
    data: new Uint8Array(0),
    dataBase: NO_ADDRESS,
    functions: calls ? parts : [whole],
    dataSymbols: new Map(),
    modules: [],
  };
  return { image, func: mixed };
}
