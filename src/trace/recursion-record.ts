// Layer trace. Where recursion happened: CONFIG_FTRACE_RECORD_RECURSION and its file `recursed_functions`, after
// kernel/trace/trace_recursion_record.c. Machine option `recordRecursion`.
import type { Address } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { Context } from '../emu/context.ts';
import type { Machine } from '../emu/machine.ts';
import { type Path, update } from '../emu/path.ts';
import { TRACE_EVENTS } from './event.ts';
import type { Kernel } from './kernel.ts';

interface RecursedFunction {
  readonly ip: Address;
  readonly parentIp: Address;
}

/** `recursed_functions`: each function once, with the caller of its first time. */
export type RecursedFunctions = Cell<readonly RecursedFunction[]>;

/** CONFIG_FTRACE_RECORD_RECURSION_SIZE. */
const RECORDS_MAX = 128;

export function newRecursedFunctions(machine: Machine): RecursedFunctions {
  return machine.cells.cell<readonly RecursedFunction[]>('recursed_functions', []);
}

/** `ftrace_record_recursion`: a trylock was refused at `ip`. Any context. */
export function* ftraceRecordRecursion(
  cx: Context,
  k: Kernel,
  { ip, parentIp }: RecursedFunction,
): Path<void> {
  if (k.recursed === undefined) return;
  const isNew = (records: readonly RecursedFunction[]): boolean =>
    records.length < RECORDS_MAX && records.every((record) => record.ip !== ip);
  const before = yield* update(k.recursed, (records) =>
    isNew(records) ? [...records, { ip, parentIp }] : records,
  );
  if (isNew(before)) cx.emit(TRACE_EVENTS.recursed_function.id, ip, parentIp);
}
