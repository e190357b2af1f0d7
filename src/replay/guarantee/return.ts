// Layer replay. Guarantee `return`: a function returns to where it was called (CC-O10).
//
// The machine reports a return when pc and sp are those that the function was entered with. A function that went
// elsewhere (past its call, into another function, with another stack) never does that; it shows when others
// go on as if it had. Broken by: a return of an outer function while an inner one is open; a function that is
// entered on a stack that lies above an open one's, or on the same stack from the text of another one;
// an interrupt or a trap that is over with a function open; and one of two functions that share a return (a tail
// call, or a second call by the kernel after the first one was lost) which does not return together with the other. And
// by what shows that the return machine has lost its frame: an oops that says so, and an unwinder that is told
// of an address to which no open call of its task returns (CC-G22).
//
// Left alone: functions that are open when their task or the run ends, callbacks that jump out of their frame, and handlers of
// jprobes, which end with jprobe_return (JP-5).
// func_abandon is what the machine concludes from the same facts, whatever the reason: it is not looked at. Left
// out: registers that a callee must keep.
//
// Exercised: a function whose site led into a hook (a call, or a breakpoint that stood for one) returned.
import type { Event, EventOf } from '../schema.ts';
import {
  type CallStack,
  type CallStacks,
  closeStack,
  dropCalls,
  newCallStacks,
  openStack,
  pushCall,
  sharesReturn,
  stackAt,
  stacksOf,
} from './call-stack.ts';
import { hexOfAddress } from './functions.ts';
import { broken, type Broken, type Guarantee, type Verdict } from './judge.ts';
import type { Story } from './story.ts';
import { where } from './wording.ts';

/** `kind` of callbacks. */
const JPROBE = 'jprobe';

interface Findings {
  readonly story: Story;
  first: Broken | undefined;
  readonly stacks: CallStacks;
  /** Handlers of jprobes. */
  readonly jprobes: Set<number>;
  /** Bytes of each function, by address. */
  readonly sizes: Map<number, number>;
  exercised: number;
  /** Functions that were entered with a hook. */
  hooked: number;
}

// `return` is a word of the language.
export const returns: Guarantee = {
  name: 'return',
  sentence:
    'Every function returns to the instruction behind its call, on the stack that it was called with, ' +
    'whatever is hooked meanwhile.',
  document: 'Using ftrace to hook to functions',
  section: 'The callback function',
  rules: ['CC-H3', 'CC-G22', 'CC-O10'],
  start(story) {
    const found: Findings = {
      story,
      first: undefined,
      stacks: newCallStacks(),
      jprobes: new Set(),
      sizes: new Map(),
      exercised: 0,
      hooked: 0,
    };
    const opened = (e: { readonly cpu: number }): void => {
      openStack(found.stacks, e.cpu);
    };
    const closed = (e: EventOf<'irq_exit'> | EventOf<'trap_exit'>): void => {
      contextOver(found, e);
    };
    return {
      on: {
        symbol: (e) => {
          found.sizes.set(e.address, e.size);
        },
        irq_enter: opened,
        trap_enter: opened,
        irq_exit: closed,
        trap_exit: closed,
        task_exit: (e) => {
          taskOver(found, e);
        },
        func_enter: (e) => {
          entered(found, e);
        },
        cb_begin: (e) => {
          if (e.kind === JPROBE) jprobeBegan(found, e);
        },
        site_fetch: (e) => {
          if (e.does === 'call' || e.does === 'break') hooked(found, e);
        },
        func_return: (e) => {
          returned(found, e);
        },
        oops: (e) => {
          oopsed(found, e);
        },
        unwind: (e) => {
          unwound(found, e);
        },
      },
      end: () => verdict(found),
    };
  },
};

function entered(found: Findings, e: EventOf<'func_enter'>): void {
  const stack = stackAt(found.stacks, e);
  if (stack.due !== -1) lost(found, stack, stack.depth - 1, e);
  let kept = stack.depth;
  while (kept > 0 && isGone(found, stack, kept - 1, e)) kept--;
  if (kept < stack.depth) lost(found, stack, kept, e);
  pushCall(stack, e);
}

/** Does this entry say that call `at` is not running any more? Stacks grow down: what lies below is gone. */
function isGone(found: Findings, stack: CallStack, at: number, e: EventOf<'func_enter'>): boolean {
  const sp = stack.sps[at] ?? 0;
  if (e.sp !== sp) return e.sp > sp;
  // A tail call, or a call that it made before it had a frame.
  if (e.ra === stack.ras[at] || isBehindCallIn(found, stack.funcs[at] ?? 0, e.ra)) return false;
  // A function that was never entered on this stack calls: else it is a call by a trampoline or the kernel.
  for (const func of found.sizes.keys()) if (isBehindCallIn(found, func, e.ra)) return true;
  return false;
}

/** Can `ra` be the return address of a call that `func` makes? */
function isBehindCallIn({ sizes }: Findings, func: number, ra: number): boolean {
  return ra > func && ra <= func + (sizes.get(func) ?? 0);
}

/** Of the function that was entered last on its stack. */
function jprobeBegan({ jprobes, stacks }: Findings, e: EventOf<'cb_begin'>): void {
  const { depth, funcs } = stackAt(stacks, e);
  const func = funcs[depth - 1];
  if (func !== undefined) jprobes.add(func);
}

/** The site of the innermost function leads into a hook. */
function hooked(found: Findings, e: EventOf<'site_fetch'>): void {
  const stack = stackAt(found.stacks, e);
  if (stack.depth === 0) return;
  stack.hooked[stack.depth - 1] = true;
  found.hooked++;
}

function returned(found: Findings, e: EventOf<'func_return'>): void {
  const stack = stackAt(found.stacks, e);
  if (stack.due !== -1 && stack.due !== e.step) lost(found, stack, stack.depth - 1, e);
  let at = stack.depth - 1;
  while (at >= 0 && stack.funcs[at] !== e.func) at--;
  // The run does not tell of its entry.
  if (at < 0) return;
  if (stack.depth - 1 > at) lost(found, stack, at + 1, e);
  if (stack.hooked[at] === true) found.exercised++;
  const due = sharesReturn(stack, at);
  dropCalls(stack, at);
  if (due) stack.due = e.step;
}

/** Reasons of an oops that say: where this call returns to is not known any more. */
const FRAME_LOST: ReadonlyMap<string, string> = new Map([
  ['return without its frame', 'did not find its frame when it returned'],
  ['no return address', 'did not find its return address'],
  ['unwind', 'was interrupted, and the unwinder found what is no frame'],
]);

function oopsed(found: Findings, e: EventOf<'oops'>): void {
  const what = FRAME_LOST.get(e.reason);
  if (what === undefined || found.first !== undefined) return;
  const open = stacksOf(found.stacks, e).findLast(({ depth }) => depth > 0);
  const [func, index = -1] = [open?.funcs[open.depth - 1], open?.entered[open.depth - 1]];
  const who = func === undefined ? 'a function' : nameOf(found, func);
  found.first = broken(e.index, `${who} ${what} (${where(found.story, e)})`, [index]);
}

/** A frame says that a call returns to `e.ret`. */
function unwound(found: Findings, e: EventOf<'unwind'>): void {
  if (found.first !== undefined) return;
  const isOpen = stacksOf(found.stacks, e).some(({ depth, ras }) => {
    const at = ras.indexOf(e.ret);
    return at !== -1 && at < depth;
  });
  if (isOpen) return;
  const why = `the unwinder found a call that returns to ${hexOfAddress(e.ret)}, where none does`;
  found.first = broken(e.index, `${why} (${where(found.story, e)})`, []);
}

function contextOver(found: Findings, e: EventOf<'irq_exit'> | EventOf<'trap_exit'>): void {
  const stack = stackAt(found.stacks, e);
  if (stack.depth > 0) lost(found, stack, 0, e);
  closeStack(found.stacks, e.cpu);
}

/** A task may end anywhere. */
function taskOver(found: Findings, e: EventOf<'task_exit'>): void {
  const stack = stackAt(found.stacks, e);
  if (stack.due !== -1) lost(found, stack, stack.depth - 1, e);
  dropCalls(stack, 0);
}

/** At event `e` all calls above the first `kept` turn out to have ended otherwise than by returning. */
function lost(found: Findings, stack: CallStack, kept: number, e: Event): void {
  const at = stack.depth - 1;
  if (found.first === undefined && !jumpedOut(found, stack, kept)) {
    const [func = 0, index = -1] = [stack.funcs[at], stack.entered[at]];
    const why =
      `${nameOf(found, func)} did not return to where it was called: ` +
      `${goesOn(found, e)} (${where(found.story, e)}) and it is still open`;
    found.first = broken(e.index, why, [index]);
  }
  dropCalls(stack, kept);
}

/** Is one of the calls above the first `kept` a callback? What becomes of those above and below is its doing. */
function jumpedOut({ jprobes, story }: Findings, stack: CallStack, kept: number): boolean {
  for (let at = kept; at < stack.depth; at++) {
    const func = stack.funcs[at] ?? 0;
    if (story.callbackFunctions.has(func) || jprobes.has(func)) return true;
  }
  return false;
}

/** What shows it. */
function goesOn(found: Findings, e: Event): string {
  if (e.event === 'func_return') return `${nameOf(found, e.func)} returned`;
  if (e.event === 'func_enter') return `${nameOf(found, e.func)} was entered on its stack`;
  if (e.event === 'task_exit') return 'its task ended';
  return e.event === 'trap_exit' ? 'its trap was over' : 'its interrupt was over';
}

function nameOf({ story }: Findings, address: number): string {
  return story.functions.byAddress.get(address)?.name ?? hexOfAddress(address);
}

function verdict({ first, exercised, hooked: entries }: Findings): Verdict {
  if (first !== undefined) return first;
  if (exercised > 0) return { status: 'held', exercised };
  const why =
    entries === 0
      ? 'No function was entered whose site led into a hook.'
      : 'No function whose site led into a hook returned.';
  return { status: 'never exercised', why };
}
