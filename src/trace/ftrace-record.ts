// Layer trace. `struct dyn_ftrace`: one record for each traceable function (FT-1, FT-2, FT-5). Where the
// kernel keeps a count and state bits and finds the rest by searching, a record here keeps whom it serves
// and what its text calls: the same facts, so no old hashes need to be exposed to find a trampoline.
// Left out: DIRECT and CALL_OPS states.
import type { Address } from '../emu/address.ts';
import { NO_ADDRESS } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { Context } from '../emu/context.ts';
import type { FunctionSymbol } from '../emu/image.ts';
import { useObject } from '../emu/kernel-access.ts';
import { act, type Path } from '../emu/path.ts';
import type { KObject } from '../emu/slab.ts';
import type { Selection } from './ftrace-hash.ts';
import { MCOUNT_INSN_SIZE } from './ftrace-insn.ts';
import { ipmodifyAllows } from './ftrace-ipmodify.ts';
import { wantsRegs } from './ftrace-ops-flags.ts';
import { useOps } from './ftrace-ops-memory.ts';
import type { FtraceOps } from './ftrace-ops.ts';
import type { Kernel } from './kernel.ts';

export interface DynFtrace {
  /** The call site: what callbacks get as `ip`. */
  readonly ip: Address;
  readonly func: FunctionSymbol;
  /** The text of the module that the function is part of. */
  readonly text: KObject | undefined;
  /** FTRACE_FL_DISABLED: no name selects it, and whoever selects it otherwise never hooks it (FT-61). */
  readonly disabled: boolean;
  /** Enabled ops whose hashes select this site; their number is the record's count. */
  readonly users: Cell<readonly FtraceOps[]>;
  /** What the text calls now; NO_ADDRESS while it is a nop. */
  readonly calls: Cell<Address>;
  /** The only ops that may redirect this function (FT-45). */
  readonly ipmodify: Cell<FtraceOps | undefined>;
}

/** Records of `functions`, by address: the order of available_filter_functions. `text`: of the module that they are in. */
export function newRecords(
  k: Pick<Kernel, 'machine' | 'ftrace'>,
  functions: readonly FunctionSymbol[],
  text?: KObject,
): DynFtrace[] {
  const { cells } = k.machine;
  const { ftraceLock } = k.ftrace;
  const bySite = new Map<Address, DynFtrace>();
  for (const func of functions) {
    if (func.site === NO_ADDRESS || bySite.has(func.site)) continue;
    bySite.set(func.site, {
      ip: func.site,
      func,
      text,
      disabled: func.orphan === true,
      users: cells.cell<readonly FtraceOps[]>(`${func.name}/users`, [], ftraceLock),
      calls: cells.cell(`${func.name}/calls`, NO_ADDRESS, ftraceLock),
      ipmodify: cells.cell<FtraceOps | undefined>(`${func.name}/ipmodify`, undefined, ftraceLock),
    });
  }
  return [...bySite.values()].toSorted((a, b) => a.ip - b.ip);
}

/** `ftrace_location`: the record whose function starts, or whose site has a byte, at `address` (FT-49). */
export function ftraceLocation(k: Kernel, address: Address): DynFtrace | undefined {
  return k.records.find(
    ({ ip, func }) =>
      address === func.address || (address >= ip && address < ip + MCOUNT_INSN_SIZE[k.patching]),
  );
}

/**
 * `ftrace_lookup_symbols`: the functions that bear these names, in the order of the names; undefined when a name is
 * missing, stands there twice or has no site (fprobe.md 1). Core functions come before those of modules.
 */
export function ftraceLookupSymbols(
  k: Kernel,
  syms: readonly string[],
): readonly DynFtrace[] | undefined {
  if (new Set(syms).size < syms.length) return undefined;
  const found = syms.flatMap((sym): readonly DynFtrace[] => {
    const record = k.records.find(({ func, disabled }) => !disabled && func.name === sym);
    return record === undefined ? [] : [record];
  });
  return found.length === syms.length ? found : undefined;
}

/**
 * `ftrace_location` as whoever holds no lock calls it: the site, or NO_ADDRESS. What is found is looked at in another
 * step; the read section between the two keeps a module that goes (CC-S20.5).
 */
export function* ftraceLocationRcu(cx: Context, k: Kernel, address: Address): Path<Address> {
  const { rcu, slabCell } = k.machine;
  const { task } = cx;
  const found = yield* act(slabCell, () => {
    rcu.readLock(task);
    return ftraceLocation(k, address);
  }); // CC-S20.5
  return yield* act(slabCell, () => {
    if (found?.text !== undefined) useObject(cx, found.text, address);
    rcu.readUnlock(task);
    return found?.ip ?? NO_ADDRESS;
  }); // CC-S20.5
}

/** `ftrace_get_addr_new`: what the site ought to call (FT-5, FT-20). Caller holds `ftrace_lock`. */
export function ftraceGetAddrNew(cx: Context, k: Kernel, record: DynFtrace): Address {
  if (!cx.read(k.ftrace.enabled)) return NO_ADDRESS;
  const users = cx.read(record.users);
  const [only] = users;
  if (only === undefined) return NO_ADDRESS;
  useOps(cx, only);
  const trampoline = users.length === 1 ? cx.read(only.trampoline) : undefined;
  if (trampoline !== undefined) return trampoline.address;
  return k.fn.ftraceUsersWantRegs(cx, k, users) ? k.caller.regsEntry : k.caller.entry;
}

/** One ops that wants all registers has the others entered with them, too (FT-23). */
export function ftraceUsersWantRegs(cx: Context, k: Kernel, users: readonly FtraceOps[]): boolean {
  return users.some((ops) => wantsRegs(cx, k, ops));
}

/**
 * `ftrace_hash_rec_enable` (CC-S4.7, CC-S6.5): every record that `selection` selects serves `ops` too, unless `ops` would
 * have to claim it and has not (FT-45). Bookkeeping only; true when some text is no longer what it ought to be. Caller holds `ftrace_lock`.
 */
export function ftraceHashRecEnable(
  cx: Context,
  k: Kernel,
  ops: FtraceOps,
  selection: Selection,
): boolean {
  return changeRecords(cx, k, selection, (users, record) =>
    ipmodifyAllows(cx, record, ops) ? [...users, ops] : users,
  );
}

/** `ftrace_hash_rec_disable` (CC-S5.4, CC-S6.3): the reverse. */
export function ftraceHashRecDisable(
  cx: Context,
  k: Kernel,
  ops: FtraceOps,
  selection: Selection,
): boolean {
  return changeRecords(cx, k, selection, (users) => users.filter((user) => user !== ops));
}

function changeRecords(
  cx: Context,
  k: Kernel,
  selection: Selection,
  change: (users: readonly FtraceOps[], record: DynFtrace) => readonly FtraceOps[],
): boolean {
  let stale = false;
  for (const record of k.records) {
    if (record.disabled || !k.fn.ftraceSelects(selection, record.ip)) continue;
    cx.write(record.users, change(cx.read(record.users), record));
    if (k.fn.ftraceGetAddrNew(cx, k, record) !== cx.read(record.calls)) stale = true;
  }
  return stale;
}
