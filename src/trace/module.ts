// Layer trace. `init_module` and `delete_module`, after kernel/module/main.c: text and call sites that come and go
// (CC-S20), parameters, the module's own init and exit functions, and which of its states allow what. Left out: references
// of other modules.
import { assert } from '../assert.ts';
import { type Address, addressHi, addressLo, NO_ADDRESS } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { Context } from '../emu/context.ts';
import { type ModuleParam, PARAM_TYPES } from '../emu/module-param.ts';
import { type ImageModule, poisonModule, writeModule } from '../emu/module.ts';
import { act, callGuest, fetchAdd, type Path, sleepUntil, update, writeOnce } from '../emu/path.ts';
import { synchronize } from '../emu/rcu.ts';
import { allocate, type KObject, release } from '../emu/slab.ts';
import { EAGAIN, EBUSY, EEXIST, ENOENT, ENOMEM, type Errno } from './errno.ts';
import { TRACE_EVENTS } from './event.ts';
import type { Kernel } from './kernel.ts';

/** `MODULE_STATE_*`, and what it is before and after all of them. */
type ModuleState = 'unloaded' | 'coming' | 'live' | 'going';

/** `struct module`. */
export interface Module {
  /** Its number in events. */
  readonly object: number;
  readonly name: string;
  readonly image: ImageModule;
  /** Its text, while it is there. */
  readonly memory: Cell<KObject | undefined>;
  readonly state: Cell<ModuleState>;
  /** Who keeps it from going (`try_module_get`). */
  readonly refs: Cell<number>;
  /** Counts `init_module` that began, from 1. */
  readonly generation: Cell<number>;
  /** Memory that holds its parameters: whoever brought it to coming or going owns it. */
  readonly strings: Cell<readonly KObject[]>;
}

/** A parameter and what it is to be. */
export interface ParamValue {
  readonly param: ModuleParam;
  readonly value: string | number | boolean;
}

/** A module of the image, not yet initialised. For boot, before the first step. */
export function newModule(k: Kernel, image: ImageModule): Module {
  const { name, object } = image;
  const { cells, strings } = k.machine;
  const number = ++k.ops.numbered;
  const [cpu] = k.machine.cpus;
  assert(cpu !== undefined, 'there is a first CPU');
  const words = [strings.id('module'), number, strings.id(name), object.init] as const;
  k.machine.report(cpu, TRACE_EVENTS.object.id, ...words);
  const module: Module = {
    object: number,
    name,
    image,
    memory: cells.cell<KObject | undefined>(`module_text/${name}`, undefined),
    state: cells.cell<ModuleState>(`module_state/${name}`, 'unloaded'),
    refs: cells.cell(`module_refs/${name}`, 0),
    generation: cells.cell(`module_generation/${name}`, 0),
    strings: cells.cell<readonly KObject[]>(`module_params/${name}`, []),
  };
  k.modules.push(module);
  return module;
}

/** `init_module(2)`: 0, or what went wrong. Task context; sleeps. */
export function* initModule(
  cx: Context,
  k: Kernel,
  module: Module,
  params: readonly ParamValue[],
): Path<Errno> {
  const text = params.map(({ param, value }) => `${param.name}=${String(value)}`).join(' ');
  begins(cx, k, module, { op: 'init_module', text, ip: module.image.object.init });
  const claimed = yield* claim(module);
  const result = claimed < 0 ? claimed : yield* loadModule(cx, k, module, params);
  ends(cx, k, module, { op: 'init_module', result });
  return result;
}

/** Waits for another that brings it up; then it is ours to bring up, or there already. */
function* claim(module: Module): Path<Errno> {
  for (;;) {
    const found = yield* update(module.state, (state) => (state === 'unloaded' ? 'coming' : state));
    if (found === 'unloaded') return 0;
    if (found !== 'coming') return -EEXIST;
    yield* sleepUntil(module.state, (state) => state !== 'coming');
  }
}

/** `load_module`, of a module that is ours to bring up. */
function* loadModule(
  cx: Context,
  k: Kernel,
  module: Module,
  params: readonly ParamValue[],
): Path<Errno> {
  yield* update(module.generation, (count) => count + 1);
  const isThere = yield* layoutAndAllocate(cx, k, module);
  const result = isThere ? yield* startModule(cx, k, module, params) : -ENOMEM;
  yield* writeOnce<ModuleState>(module.state, result < 0 ? 'unloaded' : 'live');
  return result;
}

/**
 * Its functions can be hooked, and are by whoever selects them, before the first of them runs: the init function is
 * hooked like all others (F17 of FT-49).
 */
function* startModule(
  cx: Context,
  k: Kernel,
  module: Module,
  params: readonly ParamValue[],
): Path<Errno> {
  yield* k.fn.ftraceModuleInit(cx, k, module);
  yield* k.fn.ftraceModuleEnable(cx, k, module);
  const parsed = yield* parseArgs(cx, k, module, params);
  const result = parsed < 0 ? parsed : yield* doInitModule(cx, module.image.object.init);
  if (result < 0) yield* freeModule(cx, k, module);
  return result;
}

/** `layout_and_allocate`: a module that is loaded again starts as it did the first time. False without memory. */
function* layoutAndAllocate(cx: Context, k: Kernel, { image, memory }: Module): Path<boolean> {
  const { base, bytes } = image.object.text;
  const made = yield* allocate(cx, { kind: 'module', address: base, bytes: bytes.length });
  if (made === undefined) return false;
  yield* act(memory, () => {
    writeModule(k.machine, image);
    memory.set(made);
  });
  return true;
}

/**
 * What is left of `delete_module` when the exit function is done, and of `init_module` when it failed (CC-S20.4-6).
 * Guarantee `memory`: nothing finds the module any more when the wait begins, and the wait outlasts whoever found it
 * before, in a region or in a read section (CC-M10). Who is in its functions without either crashes, as in a kernel.
 */
function* freeModule(cx: Context, k: Kernel, module: Module): Path<void> {
  yield* k.fn.kprobesModuleCallback(cx, k, module);
  yield* k.fn.fprobeModuleCallback(cx, k, module);
  yield* k.fn.ftraceReleaseMod(cx, k, module);
  yield* k.fn.moduleSynchronizeRcu(cx);
  yield* k.fn.moduleMemfree(cx, k, module);
  yield* destroyParams(cx, module);
}

/** `synchronize_rcu` of `free_module` (CC-S20.5). */
export function* moduleSynchronizeRcu(cx: Context): Path<void> {
  yield* synchronize(cx, 'synchronize_rcu');
}

/** `module_memfree` (CC-S20.6): the text is poisoned, and its place is free for the next one. */
export function* moduleMemfree(cx: Context, k: Kernel, { image, memory }: Module): Path<void> {
  const made = yield* update(memory, () => undefined);
  assert(made !== undefined, 'a module that goes has its text');
  const { slab, slabCell } = k.machine;
  yield* act(slabCell, () => {
    poisonModule(k.machine, image);
    slab.destroy(cx, made);
  });
}

/** `do_init_module`: runs the init function. A module need not have one. */
function* doInitModule(cx: Context, init: Address): Path<Errno> {
  return init === NO_ADDRESS ? 0 : yield* callGuest(cx.cpu.state, init, []);
}

/** `parse_args`: sets the variables, in order; strings get memory of their own. */
function* parseArgs(
  cx: Context,
  k: Kernel,
  module: Module,
  params: readonly ParamValue[],
): Path<Errno> {
  for (const { param, value } of params) {
    if (typeof value !== 'string') {
      yield* act(module.state, () => {
        storeNumber(k, param, Number(value));
      });
      continue;
    }
    const made = yield* allocate(cx, { kind: 'heap', bytes: value.length + 1 });
    if (made === undefined) return -ENOMEM;
    yield* update(module.strings, (strings) => [...strings, made]);
    yield* act(module.state, () => {
      storeText(k, param.address, made.address, value);
    });
  }
  return 0;
}

function storeNumber(k: Kernel, { type, address }: ModuleParam, value: number): void {
  const { memory } = k.machine;
  switch (PARAM_TYPES[type].bytes) {
    case 1:
      memory.store8(address, value);
      return;
    case 2:
      memory.store16(address, value);
      return;
    case 4:
      memory.store32(address, value);
      return;
    case 8:
      memory.store64(address, value | 0, Math.floor(value / 0x100000000));
  }
}

/** Puts the text at `at`, and the pointer to it into the variable. */
function storeText(k: Kernel, variable: Address, at: Address, text: string): void {
  const { memory } = k.machine;
  for (let i = 0; i < text.length; i++) memory.store8(at + i, text.charCodeAt(i));
  memory.store8(at + text.length, 0);
  memory.store64(variable, addressLo(at), addressHi(at));
}

/** `destroy_params`. */
function* destroyParams(cx: Context, module: Module): Path<void> {
  const strings = yield* update(module.strings, () => []);
  for (const made of strings) yield* release(cx, made);
}

/** `delete_module(2)`: runs the exit function, whose hooks still work (F17). Task context; sleeps. */
export function* deleteModule(cx: Context, k: Kernel, module: Module): Path<Errno> {
  const { init, exit } = module.image.object;
  begins(cx, k, module, { op: 'delete_module', text: '', ip: exit });
  const mayLeave = init === NO_ADDRESS || exit !== NO_ADDRESS;
  const found = yield* update(module.state, (state) =>
    state === 'live' && mayLeave && module.refs.value === 0 ? 'going' : state,
  ); // CC-S20.1
  const claimed = cx.make(() => module.state.value === 'going' && found === 'live');
  const result = claimed ? 0 : refusal(found, mayLeave);
  if (result === 0) {
    if (exit !== NO_ADDRESS) yield* callGuest(cx.cpu.state, exit, []);
    yield* freeModule(cx, k, module);
    yield* writeOnce<ModuleState>(module.state, 'unloaded');
  }
  ends(cx, k, module, { op: 'delete_module', result });
  return result;
}

/** Why a module that was found in this state does not go. */
function refusal(found: ModuleState, mayLeave: boolean): Errno {
  if (found === 'unloaded') return -ENOENT;
  return found === 'live' && mayLeave ? -EAGAIN : -EBUSY;
}

/** `__module_text_address`: the module whose text, that is there, covers `address`. */
export function moduleAt(k: Kernel, address: Address): Module | undefined {
  return k.modules.find(({ image: { object }, memory }) => {
    const { base, bytes } = object.text;
    return memory.value !== undefined && address >= base && address < base + bytes.length;
  });
}

/** `try_module_get`: false when it goes. Part of the present step. */
export function tryModuleGet(module: Module): boolean {
  if (module.state.value === 'going') return false;
  module.refs.set(module.refs.value + 1);
  return true;
}

/** `module_put`. */
export function modulePut(module: Module): Path<number> {
  return fetchAdd(module.refs, -1);
}

type ModuleOp = 'init_module' | 'delete_module';

function begins(
  cx: Context,
  k: Kernel,
  { object }: Module,
  { op, text, ip }: { readonly op: ModuleOp; readonly text: string; readonly ip: Address },
): void {
  const { strings } = k.machine;
  cx.emit(TRACE_EVENTS.ctl_begin.id, strings.id(op), object, strings.id(text), ip, 0);
}

function ends(
  cx: Context,
  k: Kernel,
  module: Module,
  { op, result }: { readonly op: ModuleOp; readonly result: Errno },
): void {
  const generation = cx.make(() => module.generation.value);
  const { object } = module;
  cx.emit(TRACE_EVENTS.ctl_end.id, k.machine.strings.id(op), object, generation, result);
}
