// Layer trace. The global variables of kernel/trace/ftrace.c that hit and control paths share.
import type { Address } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import { Mutex } from '../emu/lock.ts';
import type { Machine } from '../emu/machine.ts';
import type { FtraceHash } from './ftrace-hash.ts';
import type { FtraceOps } from './ftrace-ops.ts';
import type { FtraceCaller } from './ftrace-trampoline.ts';

/** Everything but the lock is guarded by `ftraceLock`; hit paths read `opsList` without it. */
export interface FtraceState {
  readonly ftraceLock: Mutex;
  /** `ftrace_ops_list`; undefined is `ftrace_list_end`. */
  readonly opsList: Cell<FtraceOps | undefined>;
  /** `ftrace_enabled`. */
  readonly enabled: Cell<boolean>;
  /** `ftrace_disabled`: dead (FT-11). */
  readonly disabled: Cell<boolean>;
  /** `ftrace_start_up`: how many ops are started. */
  readonly startUp: Cell<number>;
  /** `ftrace_trace_function`: what the generic caller's inner call ought to reach. */
  readonly traceFunction: Cell<Address>;
  /** What it does reach. */
  readonly innerCalls: Cell<Address>;
  /** `function_trace_op`: the ops that is called without the list function. */
  readonly functionTraceOp: Cell<FtraceOps | undefined>;
  /** `EMPTY_HASH`. */
  readonly emptyHash: FtraceHash;
}

export function newFtraceState(machine: Machine, caller: FtraceCaller): FtraceState {
  const { cells } = machine;
  const ftraceLock = new Mutex(cells, 'ftrace_lock');
  const guarded = <T>(name: string, value: T): Cell<T> => cells.cell(name, value, ftraceLock);
  return {
    ftraceLock,
    opsList: guarded<FtraceOps | undefined>('ftrace_ops_list', undefined),
    enabled: guarded('ftrace_enabled', true),
    disabled: guarded('ftrace_disabled', false),
    startUp: guarded('ftrace_start_up', 0),
    traceFunction: guarded('ftrace_trace_function', caller.stub),
    innerCalls: guarded('ftrace_call', caller.stub),
    functionTraceOp: guarded<FtraceOps | undefined>('function_trace_op', undefined),
    emptyHash: { memory: undefined, ips: cells.cell('empty_hash', new Set<Address>()) },
  };
}
