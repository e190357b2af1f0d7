// Layer emu. Functions that a workload describes: plain data, assembled to RV64 text by `image.ts`.

/** One line of a scripted function. Repetition counts and microseconds are integers from 0. */
export type ScriptOp =
  | { readonly op: 'work'; readonly count: number } // `count` private instructions
  | { readonly op: 'call'; readonly target: string } // a function of the image or a kernel symbol
  /** Ends the function with a jump to another one, which returns to its caller. */
  | { readonly op: 'tail'; readonly target: string }
  | { readonly op: 'loop'; readonly times: number; readonly body: readonly ScriptOp[] }
  /** Runs `body` if the eight bytes are not 0. */
  | {
      readonly op: 'if';
      readonly symbol: string;
      readonly offset: number;
      readonly body: readonly ScriptOp[];
    }
  | { readonly op: 'load'; readonly symbol: string; readonly offset: number } // shared data, 8 bytes
  | {
      readonly op: 'store';
      readonly symbol: string;
      readonly offset: number;
      readonly value: number;
    }
  | { readonly op: 'add'; readonly symbol: string; readonly offset: number; readonly value: number } // ld, add, sd: not atomic
  | {
      readonly op: 'amoadd';
      readonly symbol: string;
      readonly offset: number;
      readonly value: number;
    }
  | { readonly op: 'irq_off' }
  | { readonly op: 'irq_on' }
  | { readonly op: 'preempt_off' }
  | { readonly op: 'preempt_on' }
  | { readonly op: 'rcu_read_lock' }
  | { readonly op: 'rcu_read_unlock' }
  | { readonly op: 'sleep'; readonly us: number }
  | { readonly op: 'return'; readonly value: number } // ends the function with a0 = value
  /** The whole body: calls a kernel symbol with the arguments as they came; its result is the function's. */
  | { readonly op: 'delegate'; readonly target: string }
  /** Callbacks only: `ftrace_test_recursion_trylock(ip, parent_ip)`; on success `body`, then unlock. */
  | { readonly op: 'trylock'; readonly body: readonly ScriptOp[] }
  /** Callbacks only: records the traced function's registers, as many as were saved (`regs` events). */
  | { readonly op: 'regs' }
  /** Callbacks only: changes a register of the traced function, by number. */
  | { readonly op: 'set_reg'; readonly register: number; readonly value: number }
  /** Callbacks only: the traced function goes on in another one. */
  | { readonly op: 'redirect'; readonly target: string }
  /** Handlers with data (of an fprobe, of a kretprobe) only: keeps a register of the traced function in its first word. */
  | { readonly op: 'store_data'; readonly register: number }
  /** Likewise: records that word (a `regs` event). */
  | { readonly op: 'show_data' };

/** Who calls a callback, and so what a0, a1, ... are. */
export type Convention = 'ftrace' | 'fprobe' | 'kprobe';

export interface ScriptFunction {
  readonly name: string;
  /** The name that it bears in the symbol table, if not its own: one that others bear too (FT-49). */
  readonly symbol?: string | undefined;
  readonly body: readonly ScriptOp[];
  /** No pad, no call site: can never be hooked (FT-4). */
  readonly notrace: boolean;
  /** `NOKPROBE_SYMBOL` (KP-14). */
  readonly nokprobe?: boolean | undefined;
  /** A probe callback: its prologue keeps its arguments for `trylock`, `regs` and so on. */
  readonly callback: boolean;
  /** Of callbacks; `ftrace` by default. */
  readonly convention?: Convention | undefined;
}

/** Shared data that scripted code loads and stores. */
export interface ScriptData {
  readonly name: string;
  readonly bytes: number;
}
