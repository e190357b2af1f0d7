// Layer emu. User mode: programs in the user segment that enter the kernel by `ecall` and come back. On the way in and
// out there is kernel code that RCU does not watch, with interrupts off; whatever function runs there can be hooked
// like any other (CC-M3, FT-55). In user mode a task gives way anywhere, and is quiescent for the tasks wait
// (CC-M12). Left out: an address space and a stack of the program's own, signals, faults that a program survives.
import { known } from '../assert.ts';
import { type Address, NO_ADDRESS, USER_BASE } from './address.ts';
import type { Context } from './context.ts';
import type { Cpu } from './cpu.ts';
import { EMU_EVENTS } from './event.ts';
import type { Machine } from './machine.ts';
import { act, callGuest, type Path } from './path.ts';
import { setIrqs } from './preempt.ts';
import { REG } from './regs.ts';
import { Assembler } from './riscv/assembler.ts';
import type { TaskMode } from './task.ts';

/** What a program does and what the kernel does for it. Addresses may be NO_ADDRESS: nothing runs there. */
export interface UserProgram {
  /** Instructions between two system calls. */
  readonly work: number;
  /** The function that its system call runs. */
  readonly syscall: Address;
  /** Runs on the way into the kernel, before RCU watches. */
  readonly entry: Address;
  /** Runs on the way out, when RCU does not watch any more. */
  readonly exit: Address;
}

/** A system call that ends the program. */
const EXIT = -1;
/** Each program has a place of this size. */
const PROGRAM_BYTES = 0x400;

/** Maps the user segment and writes the programs; program `n` is system call number `n`. */
export function loadPrograms(machine: Machine, programs: readonly UserProgram[]): void {
  if (programs.length === 0) return;
  machine.core.addText(USER_BASE, programs.length * PROGRAM_BYTES);
  programs.forEach(({ work }, number) => {
    machine.text.writeCode(addressOf(number), programText(number, work));
  });
  machine.programs = programs;
}

function addressOf(number: number): Address {
  return USER_BASE + number * PROGRAM_BYTES;
}

/** a0 system calls with `work` instructions before each, then the end. */
function programText(number: number, work: number): Uint16Array {
  const text = new Assembler(addressOf(number));
  const again = text.label('again');
  text.emit('addi', { rd: REG.s0, rs1: REG.a0, imm: 0 });
  text.bind(again);
  for (let i = 0; i < work; i++) text.emit('addi', { rd: REG.t1, rs1: REG.t1, imm: 1 });
  text.emit('addi', { rd: REG.a7, rs1: REG.zero, imm: number });
  text.plain('ecall');
  text.emit('addi', { rd: REG.s0, rs1: REG.s0, imm: -1 });
  text.branch('bne', { rs1: REG.s0, rs2: REG.zero, to: again });
  text.emit('addi', { rd: REG.a7, rs1: REG.zero, imm: EXIT });
  text.plain('ecall');
  // Not in user mode any more: the way back to the path that started the program.
  text.plain('ret');
  return text.halves();
}

/** What a task does that runs program `number`, which makes its system call `times` times. */
export function* runProgram(cx: Context, number: number, times: number): Path<void> {
  yield* exitToUserMode(cx, programOf(cx, number));
  yield* callGuest(cx.cpu.state, addressOf(number), [times, 0, number, 0]);
}

/** The hart stands at an ecall of a program: interrupts are off in the same step. False: it is none. */
export function userEcall(cpu: Cpu): boolean {
  const { hart, top: cx } = cpu;
  if (cx.task.mode !== 'user' || cpu.contexts.length > 1) return false;
  const number = hart.lo[REG.a7] as number;
  // The programs come one after the other: whose this is can be told from where it is.
  const own = Math.trunc((hart.pc - USER_BASE) / PROGRAM_BYTES);
  changeMode(cx, 'border');
  setIrqs(cx, false, false);
  cx.begin(() => systemCall(cx, own, number));
  return true;
}

function* systemCall(cx: Context, own: number, number: number): Path<number> {
  const program = programOf(cx, own);
  yield* enterFromUserMode(cx, program);
  if (number === EXIT) return 0;
  const { pid } = cx.task;
  const calls = cx.make(() => cx.task.syscalls++);
  const result = yield* callGuest(cx.cpu.state, program.syscall, [calls, 0, pid, 0]);
  yield* exitToUserMode(cx, program);
  return result;
}

function programOf(cx: Context, number: number): UserProgram {
  return known(cx.cpu.machine.programs[number], 'a program was loaded');
}

/** `enter_from_user_mode`: what runs before RCU watches, then it does. */
function* enterFromUserMode(cx: Context, { entry }: UserProgram): Path<void> {
  const { state } = cx.cpu;
  if (entry !== NO_ADDRESS) yield* callGuest(state, entry, []);
  yield* act(state, () => {
    changeMode(cx, 'kernel');
  });
  yield* act(state, () => {
    setIrqs(cx, true, false);
  });
}

/** `exit_to_user_mode`: RCU stops watching, then what runs after that, then user mode. */
function* exitToUserMode(cx: Context, { exit }: UserProgram): Path<void> {
  const { state } = cx.cpu;
  yield* act(state, () => {
    setIrqs(cx, false, false);
  });
  yield* act(state, () => {
    changeMode(cx, 'border');
  });
  if (exit !== NO_ADDRESS) yield* callGuest(state, exit, []);
  yield* act(state, () => {
    changeMode(cx, 'user');
    setIrqs(cx, true, false);
    cx.cpu.machine.rcu.quiescent(cx.task);
  });
}

function changeMode(cx: Context, mode: TaskMode): void {
  const { cpu, task } = cx;
  const [was, is] = [task.mode === 'user', mode === 'user'];
  task.mode = mode;
  if (was !== is) cx.emit(EMU_EVENTS.user_mode.id, is ? 1 : 0);
  cpu.settle();
}
