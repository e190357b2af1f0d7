// Faults that docs/spec/mutants.md does not number, planted for judges whose mutants are few: each breaks one
// thing that the judge claims to see. They are found, or not, as mutants are (`mutants.ts`).
import { known } from '../src/assert.ts';
import { NO_ADDRESS, addressHi, addressLo } from '../src/emu/address.ts';
import type { Context } from '../src/emu/context.ts';
import { mutexLock } from '../src/emu/lock.ts';
import { callGuest, type Path, readOnce } from '../src/emu/path.ts';
import { localIrqSave, preemptDisable, preemptEnable } from '../src/emu/preempt.ts';
import { REG } from '../src/emu/regs.ts';
import { encode } from '../src/emu/riscv/encode.ts';
import { EBUSY, EINVAL } from '../src/trace/errno.ts';
import { TRACE_EVENTS } from '../src/trace/event.ts';
import { innermostCallback } from '../src/trace/ftrace-callback.ts';
import { type FtraceHit, ftraceOpsListFunc } from '../src/trace/ftrace-caller.ts';
import { ftraceSetHash } from '../src/trace/ftrace-filter.ts';
import { ftraceSelection } from '../src/trace/ftrace-hash.ts';
import { FTRACE_OPS_FL_IPMODIFY, opsHas } from '../src/trace/ftrace-ops-flags.ts';
import { type FtraceOps, readOpsFunc, writeOpsFunc } from '../src/trace/ftrace-ops.ts';
import { PT_REGS } from '../src/trace/ftrace-regs.ts';
import { ftraceTrampolineFree, ftraceUpdateTrampoline } from '../src/trace/ftrace-trampoline.ts';
import {
  ftraceShutdown,
  ftraceShutdownCheck,
  ftraceStartup,
  ftraceStartupUndo,
} from '../src/trace/ftrace.ts';
import type { Kernel } from '../src/trace/kernel.ts';
import { TRACE_CTX, TRACE_LIST_START, traceRecursionBit } from '../src/trace/recursion.ts';
import { textPoke } from '../src/trace/text-poke.ts';
import type { Variant } from '../src/trace/variants/variant.ts';
import type { Mutant } from './mutants.ts';

function* nothing(): Path<void> {
  // Nothing.
}

/** Every trampoline is built with one instruction in place of another. */
function trampolineWith(wrong: number, right: number): Variant['links'] {
  return {
    *ftraceUpdateTrampoline(cx, k, ops) {
      yield* ftraceUpdateTrampoline(cx, k, ops);
      const memory = cx.read(ops.trampoline);
      if (memory === undefined) return;
      const { machine } = k;
      cx.make(() => {
        const end = memory.address + memory.bytes;
        for (let at = memory.address; at < end; at += 4) {
          if (machine.text.word(at) !== (right | 0)) continue;
          machine.text.writeCode(at, [wrong & 0xffff, wrong >>> 16]);
        }
      });
    },
  };
}

const saved = (rs2: number): number => {
  const { offset } = known(
    PT_REGS.find(({ number }) => number === REG.s3),
    's3 is shown',
  );
  return encode('sd', { rs1: REG.sp, rs2, imm: offset });
};

const moved = (rd: number, rs1: number, imm = 0): number => encode('addi', { rd, rs1, imm });

/** How a list function calls the callback of `ops`. */
type Call = (cx: Context, k: Kernel, ops: FtraceOps, hit: FtraceHit) => Path<void>;

/** The list function, with another way to call. */
function listFuncWith(call: Call): Variant['links'] {
  return {
    *ftraceOpsListFunc(cx, k, hit) {
      const bit = yield* k.fn.traceTestAndSetRecursion(cx, k, TRACE_LIST_START);
      if (bit < 0) return;
      let ops = yield* readOnce(k.ftrace.opsList);
      while (ops !== undefined) {
        const reason = yield* k.fn.ftraceOpsTest(cx, ops, hit.ip);
        if (reason === undefined) yield* call(cx, k, ops, hit);
        ops = yield* readOnce(ops.next);
      }
      yield* k.fn.traceClearRecursion(cx, k, bit);
    },
  };
}

/** Calls the callback of `ops` with the struct of `given`. */
function* callWith(cx: Context, ops: FtraceOps, given: FtraceOps, hit: FtraceHit): Path<void> {
  const { ip, parentIp, regs } = hit;
  const [func, generation] = cx.make(() => [ops.func.value, given.generation.value] as const);
  const words = [ip, parentIp, given.address, regs].flatMap((at) => [addressLo(at), addressHi(at)]);
  yield* callGuest(cx.cpu.state, func, [...words, generation, 0]);
}

const lastRegs = new WeakMap<Kernel, number>();

/** Judged by `arguments`. */
const WRONG_ARGUMENTS: readonly Variant[] = [
  {
    id: 'wrong-ip',
    about: 'trampolines pass the address behind the call site as ip',
    links: trampolineWith(moved(REG.a0, REG.t0), moved(REG.a0, REG.t0, -4)),
  },
  {
    id: 'wrong-parent',
    about: 'trampolines pass their own return address as parent_ip',
    links: trampolineWith(moved(REG.a1, REG.t0), moved(REG.a1, REG.ra)),
  },
  {
    id: 'wrong-ops',
    about: 'the list function passes the first ops of the list to every callback',
    links: listFuncWith(function* (cx, k, ops, hit) {
      yield* callWith(cx, ops, (yield* readOnce(k.ftrace.opsList)) ?? ops, hit);
    }),
  },
  {
    id: 'wrong-regs',
    about: 'the list function passes the registers of the hit before this one',
    links: listFuncWith(function* (cx, k, ops, hit) {
      const regs = cx.make(() => lastRegs.get(k) ?? hit.regs);
      cx.make(() => lastRegs.set(k, hit.regs));
      yield* callWith(cx, ops, ops, { ...hit, regs });
    }),
  },
];

/** Judged by `arguments`, of probes with SAVE_REGS. */
const WRONG_REGISTERS: readonly Variant[] = [
  {
    id: 'wrong-register',
    about: 'trampolines save s4 where s3 is to be shown',
    links: trampolineWith(saved(REG.s4), saved(REG.s3)),
  },
  {
    id: 'short-regs',
    about: 'the trampoline of an ops with SAVE_REGS is made as if it had none',
    links: {
      *ftraceUpdateTrampoline(cx, k, ops) {
        const arch = { ...k.arch, regs: false };
        yield* ftraceUpdateTrampoline(cx, { ...k, arch }, ops);
      },
    },
  },
];

/** Judged by `context`, of probes with RECURSION. */
const UNASSISTED: readonly Variant[] = [
  {
    id: 'unassisted',
    about: 'the trampoline of an ops with RECURSION calls the callback itself',
    links: { ftraceOpsGetFunc: (cx, _k, ops) => cx.read(ops.func) },
  },
];

/** Judged by `context`. */
const WRONG_CONTEXT: readonly Variant[] = [
  {
    id: 'preemption-on',
    about: 'the list function lets preemption on while a callback runs',
    links: listFuncWith(function* (cx, _k, ops, hit) {
      yield* preemptEnable(cx);
      yield* callWith(cx, ops, ops, hit);
      yield* preemptDisable(cx);
    }),
  },
  {
    id: 'irqs-left-off',
    about: 'a hit inside a callback leaves interrupts off',
    links: {
      *ftraceOpsListFunc(cx, k, hit) {
        yield* ftraceOpsListFunc(cx, k, hit);
        if (cx.make(() => innermostCallback(cx, k) !== undefined)) yield* localIrqSave(cx);
      },
    },
  },
];

/** Judged by `quiescence`. */
const LEFT_BEHIND: readonly Variant[] = [
  {
    id: 'leaked-trampoline',
    about: 'unregister does not free the trampoline',
    links: { ftraceTrampolineFree: nothing },
  },
  {
    id: 'leaked-hash',
    about: 'the old hash of a filter change is never freed',
    links: { freeFtraceHashRcu: nothing },
  },
  {
    id: 'site-left',
    about: 'a batch that turns several sites off leaves out the last one',
    links: {
      *textPoke(cx, k, locs) {
        const isLeft = locs.length > 1 && locs.at(-1)?.target === NO_ADDRESS;
        yield* textPoke(cx, k, isLeft ? locs.slice(0, -1) : locs);
      },
    },
  },
  {
    id: 'lock-kept',
    about: 'a filter change that matches nothing returns with regex_lock held',
    links: {
      *ftraceSetHash(cx, k, ops, change) {
        if (k.fn.ftraceMatchRecords(k, new Set(), change) === 0) {
          return yield* ftraceSetHash(cx, k, ops, change);
        }
        yield* mutexLock(cx, ops.regexLock);
        return -EINVAL;
      },
    },
  },
];

/** Judged by `start`. */
const NOT_STARTED: readonly Variant[] = [
  {
    id: 'site-dropped',
    about: 'a batch that turns several sites on leaves out the first one',
    links: {
      *textPoke(cx, k, locs) {
        const isDropped = locs.length > 1 && locs[0]?.target !== NO_ADDRESS;
        yield* textPoke(cx, k, isDropped ? locs.slice(1) : locs);
      },
    },
  },
];

/** Judged by `recursion`. */
const WRONG_BITS: readonly Variant[] = [
  {
    id: 'lock-for-all',
    about: 'a trylock takes TRANSITION again and again',
    links: {
      traceRecursionBit(word, group, contextBit) {
        const bit = traceRecursionBit(word, group, contextBit);
        return bit < 0 && group === TRACE_LIST_START ? group + TRACE_CTX.transition : bit;
      },
    },
  },
  {
    id: 'spare-first',
    about: 'a trylock in an interrupt takes TRANSITION although its own bit is free',
    links: {
      traceRecursionBit(word, group, contextBit) {
        const spare = group + TRACE_CTX.transition;
        const isFree = (word & (1 << spare)) === 0 && contextBit !== TRACE_CTX.normal;
        return isFree ? spare : traceRecursionBit(word, group, contextBit);
      },
    },
  },
];

/** Judged by `failed-call`. */
const NOT_UNDONE: readonly Variant[] = [
  {
    id: 'register-twice',
    about: 'registering what is registered already returns 0',
    links: {
      *ftraceStartup(cx, k, ops) {
        const result = yield* ftraceStartup(cx, k, ops);
        return result === -EBUSY ? 0 : result;
      },
    },
  },
  {
    id: 'wrong-errno',
    about: 'unregistering what is not registered returns -EINVAL',
    links: {
      ftraceShutdownCheck: (cx, k, ops) => {
        const result = ftraceShutdownCheck(cx, k, ops);
        return result === -EBUSY ? -EINVAL : result;
      },
    },
  },
  {
    id: 'refused-serves',
    about: 'an unregister that is refused makes the records serve the ops',
    links: {
      *ftraceShutdown(cx, k, ops) {
        const result = yield* ftraceShutdown(cx, k, ops);
        if (result < 0) k.fn.ftraceHashRecEnable(cx, k, ops, ftraceSelection(cx, ops));
        return result;
      },
    },
  },
];

/** Judged by `failed-call`, too. */
const NOT_FORBIDDEN: readonly Variant[] = [
  {
    id: 'permanent-overlooked',
    about: 'ftrace_enabled becomes 0 although a PERMANENT ops is registered',
    links: { isPermanentOpsRegistered: () => false },
  },
];

/** Judged by `failed-call`, too: a module's function came back, and somebody else has claimed it. */
const CLAIM_TAKEN: readonly Variant[] = [
  {
    id: 'claims-by-filter',
    about: 'unregister releases the claims on all functions of the filter, whoever has them',
    links: {
      ftraceHashIpmodifyDisable(cx, k, ops) {
        if (!opsHas(cx, ops, FTRACE_OPS_FL_IPMODIFY)) return;
        const { filter } = ftraceSelection(cx, ops);
        for (const { ip, ipmodify } of k.records) {
          const owner = cx.read(ipmodify);
          if (owner === undefined || !filter.has(ip)) continue;
          cx.write(ipmodify, undefined);
          cx.emit(TRACE_EVENTS.ipmodify.id, owner.object, ip, 0);
        }
      },
    },
  },
];

/** Judged by `arguments`. */
const CHECK_LEFT: readonly Variant[] = [
  {
    id: 'check-left',
    about:
      'a registration that is refused leaves the pid check as func, so the next one wraps that',
    links: {
      *ftraceStartupUndo(cx, k, ops) {
        const left = readOpsFunc(cx, ops);
        yield* ftraceStartupUndo(cx, k, ops);
        yield* writeOpsFunc(cx, k, ops, left);
      },
    },
  },
];

/** Judged by `filter-swap`. */
const NOT_LEFT_OUT: readonly Variant[] = [
  {
    id: 'hooked-at-zero',
    about: 'ftrace_enabled becomes 0, and no site is turned off',
    links: { ftraceShutdownSysctl: nothing },
  },
  {
    id: 'pids-not-looked-up',
    about: 'a list of pids is set, and no ops that is registered gets the check',
    links: { ftraceUpdatePidFunc: nothing },
  },
];

/** As those, among fprobes, whose hooks are the kernel's own. */
const FPROBE_LEFT_BEHIND: readonly Variant[] = [
  {
    id: 'leaked-fprobe-trampoline',
    about: 'the trampoline of an fprobe stays when its hook goes',
    links: {
      ftraceTrampolineFree: (cx, k, ops) =>
        ops.kind === 'fprobe_ops' ? nothing() : ftraceTrampolineFree(cx, k, ops),
    },
  },
];

function planted(
  variants: readonly Variant[],
  judge: Mutant['judge'],
  budgets: readonly number[],
  cases: Mutant['cases'] = judge,
): readonly Mutant[] {
  return variants.map((variant, index) => {
    return { id: variant.id, variant, judge, cases, budget: budgets[index] ?? 0, pinned: [1] };
  });
}

export const PLANTED_FAULTS: readonly Mutant[] = [
  ...planted(WRONG_ARGUMENTS, 'arguments', [300, 300, 300, 300]),
  ...planted(WRONG_REGISTERS, 'arguments', [1000, 500], 'flags'),
  ...planted(UNASSISTED, 'context', [300], 'flags'),
  ...planted(NOT_LEFT_OUT, 'filter-swap', [200, 200], 'untraced'),
  ...planted(WRONG_CONTEXT, 'context', [300, 300]),
  ...planted(LEFT_BEHIND, 'quiescence', [300, 300, 300, 300]),
  ...planted(FPROBE_LEFT_BEHIND, 'quiescence', [100], 'rethook'),
  ...planted(NOT_STARTED, 'start', [300]),
  ...planted(WRONG_BITS, 'recursion', [300, 300]),
  ...planted(NOT_UNDONE, 'failed-call', [300, 300, 300]),
  ...planted(NOT_FORBIDDEN, 'failed-call', [500], 'flags'),
  ...planted(CLAIM_TAKEN, 'failed-call', [1000], 'module-claims'),
  ...planted(CHECK_LEFT, 'arguments', [1000], 'refused-pids'),
];
