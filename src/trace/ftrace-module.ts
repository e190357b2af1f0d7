// Layer trace. Call sites of modules: `ftrace_module_init`, `ftrace_module_enable` and `ftrace_release_mod` of
// kernel/trace/ftrace.c (CC-S20.4, F17 of FT-49). A hash that holds addresses of a module keeps them when the module
// goes; what is loaded there later is hooked from its init function on. Left out: `:mod:` filters that wait for a module.
import { assert } from '../assert.ts';
import type { Context } from '../emu/context.ts';
import { EMU_EVENTS } from '../emu/event.ts';
import { symbolWords } from '../emu/load.ts';
import { mutexLock, mutexUnlock } from '../emu/lock.ts';
import { act, type Path } from '../emu/path.ts';
import { ftraceSelection } from './ftrace-hash.ts';
import { ipmodifyAllows } from './ftrace-ipmodify.ts';
import { FTRACE_OPS_FL_ENABLED, opsHas } from './ftrace-ops-flags.ts';
import type { FtraceOps } from './ftrace-ops.ts';
import { type DynFtrace, newRecords } from './ftrace-record.ts';
import type { Kernel } from './kernel.ts';
import type { Module } from './module.ts';

/** `ftrace_module_init`: the module's functions can be found from here on. Its text is there and nobody runs it yet. */
export function* ftraceModuleInit(cx: Context, k: Kernel, module: Module): Path<void> {
  const { functions } = module.image;
  yield* mutexLock(cx, k.ftrace.ftraceLock);
  yield* act(module.state, () => {
    const added = newRecords(k, functions, module.memory.value);
    setRecords(cx, k, [...k.records, ...added]);
    for (const fn of functions) cx.emit(EMU_EVENTS.symbol.id, ...symbolWords(k.machine, fn));
  });
  yield* mutexUnlock(cx, k.ftrace.ftraceLock);
}

/**
 * `ftrace_module_enable`: every started ops whose hashes select a function of the module hooks it, before anything of
 * the module runs (FT-2, FT-49). The text is patched as any other is. A dead ftrace hooks nothing (FT-11).
 */
export function* ftraceModuleEnable(cx: Context, k: Kernel, module: Module): Path<void> {
  yield* mutexLock(cx, k.ftrace.ftraceLock);
  if (!cx.read(k.ftrace.disabled)) {
    let stale = false;
    for (const record of recordsOf(k, module)) {
      cx.write(record.users, startedOps(cx, k, record));
      if (k.fn.ftraceGetAddrNew(cx, k, record) !== cx.read(record.calls)) stale = true;
    }
    if (stale) yield* k.fn.ftraceRunUpdateCode(cx, k);
  }
  yield* mutexUnlock(cx, k.ftrace.ftraceLock);
}

/** Those that select the site, the oldest first; nobody has claimed it yet, whatever his filter says (FT-45). */
function startedOps(cx: Context, k: Kernel, record: DynFtrace): readonly FtraceOps[] {
  const found: FtraceOps[] = [];
  for (let ops = cx.read(k.ftrace.opsList); ops !== undefined; ops = cx.read(ops.next)) {
    const mayHook = opsHas(cx, ops, FTRACE_OPS_FL_ENABLED) && ipmodifyAllows(cx, record, ops);
    if (mayHook && k.fn.ftraceSelects(ftraceSelection(cx, ops), record.ip)) found.unshift(ops);
  }
  return found;
}

/**
 * `ftrace_release_mod` (CC-S20.4): the module's functions are found no more, in a dead ftrace too (H-35). Their text
 * stays as it is, hooked or not: it goes as a whole.
 */
export function* ftraceReleaseMod(cx: Context, k: Kernel, module: Module): Path<void> {
  const { functions } = module.image;
  yield* mutexLock(cx, k.ftrace.ftraceLock);
  yield* act(module.state, () => {
    const gone = new Set(recordsOf(k, module));
    setRecords(
      cx,
      k,
      k.records.filter((record) => !gone.has(record)),
    );
    const { strings } = k.machine;
    for (const { name, address, site } of functions) {
      cx.emit(EMU_EVENTS.symbol_gone.id, strings.id(name), address, site);
    }
  });
  yield* mutexUnlock(cx, k.ftrace.ftraceLock);
}

function recordsOf(k: Kernel, module: Module): readonly DynFtrace[] {
  return k.records.filter(({ func }) => func.module === module.name);
}

/** By address (FT-37: numbers in filters count in this order). Belongs to a step under `ftrace_lock`. */
function setRecords(cx: Context, k: Kernel, records: readonly DynFtrace[]): void {
  assert(k.ftrace.ftraceLock.holder === cx, 'records change under ftrace_lock');
  k.records = records.toSorted((a, b) => a.ip - b.ip);
}
