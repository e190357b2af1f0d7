// Layer trace. `init_module` and `delete_module`, after kernel/module/main.c: parameters, the module's own init and
// exit functions, and which of its states allow what. The module's text is part of the initial image and stays
// hookable all the time. Left out, and the place where it belongs: memory and call sites that come and go (CC-S20).
import { assert } from '../assert.ts';
import { type Address, addressHi, addressLo, NO_ADDRESS } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { Context } from '../emu/context.ts';
import type { LoadedObject } from '../emu/elf-object.ts';
import { type ModuleParam, PARAM_TYPES } from '../emu/module-param.ts';
import type { ImageModule } from '../emu/module.ts';
import { act, callGuest, type Path, sleepUntil, update, writeOnce } from '../emu/path.ts';
import { allocate, type KObject, release } from '../emu/slab.ts';
import { EBUSY, EEXIST, ENOENT, ENOMEM, type Errno } from './errno.ts';
import { TRACE_EVENTS } from './event.ts';
import type { Kernel } from './kernel.ts';

/** `MODULE_STATE_*`, and what it is before and after all of them. */
type ModuleState = 'unloaded' | 'coming' | 'live' | 'going';

/** `struct module`. */
export interface Module {
  /** Its number in events. */
  readonly object: number;
  readonly name: string;
  readonly image: LoadedObject;
  readonly state: Cell<ModuleState>;
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
export function newModule(k: Kernel, { name, object }: ImageModule): Module {
  const { cells, strings } = k.machine;
  const number = ++k.ops.numbered;
  const [cpu] = k.machine.cpus;
  assert(cpu !== undefined, 'there is a first CPU');
  const words = [strings.id('module'), number, strings.id(name), object.init] as const;
  k.machine.report(cpu, TRACE_EVENTS.object.id, ...words);
  return {
    object: number,
    name,
    image: object,
    state: cells.cell<ModuleState>(`module_state/${name}`, 'unloaded'),
    generation: cells.cell(`module_generation/${name}`, 0),
    strings: cells.cell<readonly KObject[]>(`module_params/${name}`, []),
  };
}

/** `init_module(2)`: 0, or what went wrong. Task context; sleeps. */
export function* initModule(
  cx: Context,
  k: Kernel,
  module: Module,
  params: readonly ParamValue[],
): Path<Errno> {
  const text = params.map(({ param, value }) => `${param.name}=${String(value)}`).join(' ');
  begins(cx, k, module, { op: 'init_module', text, ip: module.image.init });
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
  yield* act(module.state, () => {
    writeFreshData(k, module.image);
  });
  const parsed = yield* parseArgs(cx, k, module, params);
  const result = parsed < 0 ? parsed : yield* doInitModule(cx, module.image.init);
  if (result < 0) {
    yield* destroyParams(cx, module);
    yield* writeOnce<ModuleState>(module.state, 'unloaded');
    return result;
  }
  yield* writeOnce<ModuleState>(module.state, 'live');
  return 0;
}

/** A module that is loaded again starts as it did the first time. */
function writeFreshData(k: Kernel, { data }: LoadedObject): void {
  const words = new Int32Array(data.bytes.buffer, data.bytes.byteOffset, data.bytes.length >> 2);
  words.forEach((word, i) => {
    k.machine.memory.store32(data.base + 4 * i, word);
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

/** `delete_module(2)`: runs the exit function. Task context; sleeps. */
export function* deleteModule(cx: Context, k: Kernel, module: Module): Path<Errno> {
  const { init, exit } = module.image;
  begins(cx, k, module, { op: 'delete_module', text: '', ip: exit });
  const mayLeave = init === NO_ADDRESS || exit !== NO_ADDRESS;
  const found = yield* update(module.state, (state) =>
    state === 'live' && mayLeave ? 'going' : state,
  );
  const result = found === 'unloaded' ? -ENOENT : found === 'live' && mayLeave ? 0 : -EBUSY;
  if (result === 0) {
    if (exit !== NO_ADDRESS) yield* callGuest(cx.cpu.state, exit, []);
    yield* destroyParams(cx, module);
    yield* writeOnce<ModuleState>(module.state, 'unloaded');
  }
  ends(cx, k, module, { op: 'delete_module', result });
  return result;
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
