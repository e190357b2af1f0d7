// KP-44, CC-G19, JP-6: probing does not change what the program computes.
//
// Whatever functions do, in every era: with a kprobe of each instruction in turn, a kretprobe (and a jprobe, where there are
// any) of each function, and with all of them at once, whose handlers spoil every register that a call may change, and with
// interrupts at any boundary, the functions leave the same memory and the same registers as without. What cannot be probed
// is the call site of a function in the era in which it was ftrace's alone, and what LR to SC enclose (KP-100).
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { known } from '../src/assert.ts';
import type { Address } from '../src/emu/address.ts';
import type { Context } from '../src/emu/context.ts';
import { act } from '../src/emu/path.ts';
import { REG } from '../src/emu/regs.ts';
import { FTRACE_REGS, PT_REGS_IP } from '../src/trace/ftrace-regs.ts';
import type { Kernel } from '../src/trace/kernel.ts';
import { setCurrentKprobe } from '../src/trace/kprobe-busy.ts';
import { kprobePostHandler, kprobePreHandler } from '../src/trace/kprobe-handlers.ts';
import { kprobeInsnAt } from '../src/trace/kprobe-insn.ts';
import { prepareSlot } from '../src/trace/kprobe-prepare.ts';
import { kprobePostProcess } from '../src/trace/kprobe-step.ts';
import type { KprobeNode } from '../src/trace/kprobe.ts';
import { kretprobeRethookHandler } from '../src/trace/kretprobe-hit.ts';
import type { LinkTable } from '../src/trace/link.ts';
import { TEST_MS } from './check-guarantee.ts';
import { PROBED_FORMS, programs } from './transparency-programs.ts';
import { type Drawn, transparency } from './transparency.ts';

/** Each costs as much as a whole recording: a run for each instruction. */
const RUNS = 60;
/** So many more, at most, until all that is wanted has been met: seldom an instruction is not drawn. */
const RUNS_MORE = 180;
/** So many look for a planted fault. */
const RUNS_FAULT = 12;
const SEED = 1;

const WANTED = [
  ...PROBED_FORMS.map((form) => `probed ${form}`),
  'slot',
  'boost',
  'simulate',
  'kprobe_pre',
  'kprobe_post',
  'kretprobe',
  'jprobe',
];

const cases: fc.Arbitrary<Drawn> = fc.record({
  programs,
  seed: fc.nat(0xffff),
  era: fc.constantFrom('today', 'v6.12', 'v2.6.31'),
  preempt: fc.boolean(),
  post: fc.boolean(),
});

test(
  'probes of each instruction, and of all at once, change nothing',
  { timeout: TEST_MS * 2 },
  () => {
    const seen = new Set<string>();
    const check = (drawn: Drawn): void => {
      const outcome = transparency(drawn);
      for (const what of outcome.seen) seen.add(what);
      expect(outcome.differences).toEqual([]);
    };
    fc.assert(fc.property(cases, check), { numRuns: RUNS, endOnFailure: true });
    for (const drawn of fc.sample(cases, { numRuns: RUNS_MORE, seed: SEED })) {
      if (WANTED.every((what) => seen.has(what))) break;
      check(drawn);
    }
    expect(WANTED.filter((what) => !seen.has(what))).toEqual([]);
  },
);

/** What a probe has saved, at `offset`. */
function spoil(cx: Context, k: Kernel, at: Address, lo: number): void {
  cx.make(() => {
    k.machine.memory.store64(at, lo, -1);
  });
}

function isSimulated({ insn }: KprobeNode): boolean {
  return insn?.kind === 'simulate';
}

interface Fault {
  readonly what: string;
  readonly links: Partial<LinkTable>;
}

const FAULTS: readonly Fault[] = [
  {
    what: 'what is simulated goes on behind itself',
    links: {
      *kprobePostProcess(cx, k, current, to) {
        const { addr, insn } = known(current.node, 'a probe was stepped');
        const next = insn?.kind === 'simulate' ? addr + insn.bytes : to;
        return yield* kprobePostProcess(cx, k, current, next);
      },
    },
  },
  {
    what: 'a slot is executed twice',
    links: {
      *kprobePostProcess(cx, k, current, to) {
        const slot = cx.make(() => current.node?.slot.value);
        if (slot === undefined || current.previous !== undefined)
          return yield* kprobePostProcess(cx, k, { ...current, previous: undefined }, to);
        yield* setCurrentKprobe(cx, k, { ...current, previous: current });
        return slot.address;
      },
    },
  },
  {
    what: 't0 is lost where a pre_handler runs',
    links: {
      *kprobePreHandler(cx, k, node, regs) {
        const refused = yield* kprobePreHandler(cx, k, node, regs);
        spoil(cx, k, regs + FTRACE_REGS.t0, 0x5a5a);
        return refused;
      },
    },
  },
  {
    what: 'where a post_handler goes on does not count',
    links: {
      *kprobePostHandler(cx, k, node, regs) {
        yield* kprobePostHandler(cx, k, node, regs);
        const bytes = node.insn?.bytes ?? 0;
        if (isSimulated(node)) spoil(cx, k, regs + PT_REGS_IP, (node.addr + bytes) ^ -0x80000000);
      },
    },
  },
  {
    what: 'a compressed call returns behind four bytes',
    links: {
      *kprobePostProcess(cx, k, current, to) {
        const { insn } = known(current.node, 'a probe was stepped');
        const isCall =
          insn?.kind === 'simulate' && insn.bytes === 2 && (insn.low & 0xf07f) === 0x9002;
        if (isCall) cx.frame[REG.ra] = (cx.frame[REG.ra] ?? 0) + 2;
        return yield* kprobePostProcess(cx, k, current, to);
      },
    },
  },
  {
    what: 'a boosted copy jumps back over four bytes',
    links: {
      *prepareSlot(cx, k, request) {
        const wrong = { ...request, addr: request.addr + 4 - request.insn.bytes };
        return yield* prepareSlot(cx, k, request.wantsBoost ? wrong : request);
      },
    },
  },
  {
    what: 'what LR and SC enclose is probed',
    links: {
      kprobeInsnAt(text, address, check) {
        const found = kprobeInsnAt(text, address, check);
        if (found.kind !== 'rejected' || (text.read(address) & 0x7f) !== 0x33) return found;
        return { kind: 'step', bytes: 4 };
      },
    },
  },
  {
    what: 'a kretprobe loses the return value',
    links: {
      *kretprobeRethookHandler(cx, k, node, taken) {
        yield* kretprobeRethookHandler(cx, k, node, taken);
        spoil(cx, k, taken.regs + FTRACE_REGS.a0, 0x5a5a);
      },
    },
  },
  {
    what: 'what a jprobe does to the stack stays',
    links: {
      restoreStack() {
        // Nothing.
      },
    },
  },
  {
    what: 'of what a breakpoint overwrites the second half does not come back',
    links: {
      *archArmKprobe(cx, k, node) {
        const { machine } = k;
        yield* act(machine.textCell, () => {
          machine.text.store(cx.cpu, node.addr, 0, 0x9002);
        });
        const { insn } = node;
        if (insn?.bytes !== 4) return;
        yield* act(machine.textCell, () => {
          machine.text.store(cx.cpu, node.addr, 1, 0x0001);
        });
      },
    },
  },
];

test.each(FAULTS)('found: $what', { timeout: TEST_MS }, ({ what, links }) => {
  const variant = { id: 'planted', about: what, links };
  const drawn = fc.sample(cases, { numRuns: RUNS_FAULT, seed: SEED });
  expect(drawn.some((one) => transparency(one, [variant]).differences.length > 0)).toBe(true);
});
