// Layer emu. One step of guest code: what the machine looks at before an instruction that carries a flag
// (true calls and returns, patched sites, watched functions), then the core, then how it stopped.
import { known } from '../assert.ts';
import { type Address, NO_ADDRESS } from './address.ts';
import { comeBack } from './call.ts';
import type { ChoiceKind } from './choose.ts';
import type { Cpu } from './cpu.ts';
import { EMU_EVENTS } from './event.ts';
import { FLAG } from './flags.ts';
import { enterTrap } from './interrupt.ts';
import type { Machine } from './machine.ts';
import { NO_HALF, type Pair, type PairSite } from './pair.ts';
import { runFetched } from './riscv/run-fetched.ts';
import { run } from './riscv/run.ts';
import {
  STOP_ATTENTION,
  STOP_BREAK,
  STOP_ECALL,
  STOP_FAULT,
  STOP_IRQ,
  STOP_STEPS,
  STOP_WFI,
  type Stop,
} from './riscv/stop.ts';
import { resumePath } from './step-path.ts';
import { C_EBREAK, callTarget, isCompressed } from './text.ts';
import { enterFunction, leaveFunctions, noteArguments } from './true-call.ts';
import { userEcall } from './user.ts';

const SITE_FETCH = EMU_EVENTS.site_fetch.id; // Of this module: V8 loads what is imported each time.
const HALF_MASK = 0xffff;
const OPCODE_MASK = 0x7f;
const OPCODE_AUIPC = 0x17;
/** What AUIPC adds, and where JALR has its 12 bits. */
const PAGE_MASK = 0xfffff000;
const IMM_SHIFT = 20;

/**
 * What an instruction with ATTENTION asks for before it executes: true calls and returns, a patched site; true
 * when that was the step. Whoever hears of it may change what can happen next, so this comes before any look
 * ahead.
 */
export function attendGuest(cpu: Cpu): boolean {
  const flags = cpu.machine.core.flagsAt(cpu.hart.pc);
  return (flags & FLAG.attention) !== 0 && attend(cpu, flags);
}

/**
 * Runs guest code on `cpu` for one step, and on over at most `ahead` boundaries at which the questions
 * `asked` are answered calmly; why it stopped. After `attendGuest`.
 */
export function stepGuest(cpu: Cpu, ahead: number, asked: readonly ChoiceKind[]): Stop {
  const { machine, hart } = cpu;
  machine.core.time = machine.step;
  const stop = run(machine.core, hart, 1 + ahead, machine.everyInstruction);
  const passed = hart.steps - 1;
  if (passed > 0) {
    // The last of the steps is counted by the machine's own loop.
    machine.step += passed;
    if (asked.length > 0) machine.passCalm(asked, passed);
  }
  stopped(cpu, stop);
  return stop;
}

function stopped(cpu: Cpu, stop: Stop): void {
  const { machine, hart } = cpu;
  switch (stop) {
    case STOP_ECALL:
      if (!userEcall(cpu) && !machine.stubs.call(cpu)) machine.oops(cpu, 'ecall', hart.pc);
      return;
    case STOP_BREAK:
      enterTrap(cpu, hart.pc);
      return;
    case STOP_IRQ:
      machine.report(cpu, EMU_EVENTS.irqs.id, hart.irqsOn ? 1 : 0, 1);
      cpu.settle();
      return;
    case STOP_FAULT:
      machine.fault(cpu, hart.faultReason ?? 'illegal', hart.faultAddress);
      return;
    case STOP_STEPS:
    case STOP_ATTENTION:
    case STOP_WFI: // A hint.
  }
}

/** Looks at a flagged instruction; true when that was the step. */
function attend(cpu: Cpu, flags: number): boolean {
  const cx = cpu.top;
  if ((flags & FLAG.after) !== 0) leaveFunctions(cpu, cx);
  if ((flags & FLAG.back) !== 0) {
    const result = comeBack(cpu, cx);
    if (result !== undefined) resumePath(cpu, cx, result);
    return true;
  }
  if ((flags & FLAG.entry) !== 0) enterFunction(cpu, cx, flags);
  return (flags & FLAG.site) !== 0 && fetchSite(cpu);
}

/** Fetches a site that has been patched; true when the step is over (a trap, or an old instruction). */
function fetchSite(cpu: Cpu): boolean {
  const { machine, hart } = cpu;
  const { text } = machine;
  const ip = hart.pc;
  const pair = text.pairs.at(ip);
  if (pair !== undefined) return fetchHalf(cpu, pair);
  const tail = text.tails.at(ip);
  if (tail !== undefined) return fetchTail(cpu, tail);
  const settled = text.settled(ip);
  if (settled !== undefined && (settled.word & HALF_MASK) !== C_EBREAK) {
    if (settled.insnBytes !== undefined) reportAs(cpu, 'insn', settled.version, settled.version);
    else reportFetch(cpu, settled.target, settled.version, settled.version);
    return false;
  }
  const insnBytes = text.insnBytes(ip);
  const whole = text.word(ip);
  const newest = insnBytes !== undefined && isCompressed(whole) ? whole & HALF_MASK : whole;
  const fetched = text.fetch(cpu, ip);
  const word = fetched.low | (fetched.high << 16);
  if (fetched.torn) {
    reportAs(cpu, 'torn', fetched.seen, fetched.newest);
    machine.oops(cpu, 'torn instruction', ip);
    return true;
  }
  if (fetched.low === C_EBREAK) {
    reportAs(cpu, 'break', fetched.seen, fetched.newest);
    if (insnBytes === undefined) noteArguments(cpu);
    enterTrap(cpu, ip);
    return true;
  }
  if (insnBytes !== undefined) reportAs(cpu, 'insn', fetched.seen, fetched.newest);
  else reportFetch(cpu, callTarget(ip, word), fetched.seen, fetched.newest);
  if (word === newest) return false;
  stopped(cpu, runFetched(machine.core, hart, fetched.low, fetched.high));
  return true;
}

/** Fetches an instruction that a jump covers; true when the jump is there, and nobody may be here (CC-G19). */
function fetchTail(cpu: Cpu, tail: 'whole' | 'replaced'): boolean {
  if (tail === 'whole') return false;
  reportAs(cpu, 'torn', 0, 0);
  cpu.machine.oops(cpu, 'torn instruction', cpu.hart.pc);
  return true;
}

/**
 * Fetches half of a site of two instructions (FT-12); what the site does is told at the first half. True when the
 * step is over: an old instruction, or the second half of another version than the first was.
 */
function fetchHalf(cpu: Cpu, site: PairSite): boolean {
  const { machine, hart, top: cx } = cpu;
  const isFirst = hart.pc === site.ip;
  const seen = machine.text.pairs.pick(cpu, site);
  const newest = site.versions.length - 1;
  const pair = known(site.versions[seen], 'a version has its instructions');
  const torn = !isFirst && cx.half !== seen;
  cx.half = isFirst ? seen : NO_HALF;
  if (torn) {
    const { id } = machine.fetches.torn;
    machine.report(cpu, EMU_EVENTS.site_fetch.id, site.ip, seen, newest, id, NO_ADDRESS);
    machine.oops(cpu, 'torn instruction', hart.pc);
    return true;
  }
  if (isFirst) reportPair(cpu, pair, seen, newest);
  if (seen === newest) return false;
  const word = pair[isFirst ? 0 : 1];
  stopped(cpu, runFetched(machine.core, hart, word & HALF_MASK, word >>> 16));
  return true;
}

function reportPair(cpu: Cpu, [first, second]: Pair, seen: number, newest: number): void {
  if ((first & OPCODE_MASK) !== OPCODE_AUIPC) {
    reportAs(cpu, 'nop', seen, newest);
    return;
  }
  const target = cpu.hart.pc + (first & PAGE_MASK) + (second >> IMM_SHIFT);
  reportAs(cpu, 'call', seen, newest, target);
  noteArguments(cpu);
}

/** A whole instruction is fetched: a call to `target`, or the nop. */
function reportFetch(cpu: Cpu, target: Address, seen: number, newest: number): void {
  if (target === NO_ADDRESS) {
    reportAs(cpu, 'nop', seen, newest);
    return;
  }
  reportAs(cpu, 'call', seen, newest, target);
  noteArguments(cpu);
}

function reportAs(
  cpu: Cpu,
  does: keyof Machine['fetches'],
  seen: number,
  newest: number,
  target: Address = NO_ADDRESS,
): void {
  const word = cpu.machine.fetches[does].id;
  cpu.machine.report(cpu, SITE_FETCH, cpu.hart.pc, seen, newest, word, target);
}
