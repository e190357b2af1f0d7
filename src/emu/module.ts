// Layer emu: imports nothing above it, no package and no node: module.
// Modules of an image: where each lies and what its names mean, and its text as it comes and goes. They are placed one
// behind the other in the module area, in the order in which they are given: a module that is loaded again lies where
// it lay before. What `init_module` and `delete_module` do at run time is src/trace/module.ts. Left out: modules that
// use each other's symbols; data that goes with its module (a run's counters are read when it is over).
import { assert, InputError } from '../assert.ts';
import { type Address, hexAddress, MODULE_BASE, MODULE_BYTES_MAX, NO_ADDRESS } from './address.ts';
import type { SiteShape } from './assemble.ts';
import { type LoadedObject, type ObjectFile, placeObject } from './elf-object.ts';
import { FLAG } from './flags.ts';
import type { FunctionSymbol } from './image.ts';
import type { Machine } from './machine.ts';
import { placeScripts } from './script-text.ts';
import type { ScriptFunction } from './script.ts';

/** A module from a file, or one whose functions a workload describes. */
export type ModuleSource = FileModuleSource | ScriptModuleSource;

interface FileModuleSource {
  readonly name: string;
  readonly object: ObjectFile;
}

interface ScriptModuleSource {
  readonly name: string;
  readonly functions: readonly ScriptFunction[];
  /** Which of them run when it comes and goes; null: nothing does. */
  readonly init: string | null;
  readonly exit: string | null;
}

export interface ImageModule {
  readonly name: string;
  readonly object: LoadedObject;
  /** By address, aliases by name. */
  readonly functions: readonly FunctionSymbol[];
}

/** What modules mean by names that are not their own, and how their scripts are assembled. */
export interface ModulePlacing {
  /** Knows the names of the kernel and of the rest of the image. */
  readonly resolve: (name: string) => Address | undefined;
  readonly shape: SiteShape;
}

const MODULE_ALIGNMENT = 16;

/** Places them, and relocates those from files; the text of scripted ones is written later (`image.ts`). */
export function placeModules(
  modules: readonly ModuleSource[],
  placing: ModulePlacing,
): ImageModule[] {
  let base = MODULE_BASE;
  return modules.map((source) => {
    const placed =
      'object' in source ? placeFile(source, base, placing) : placeScript(source, base, placing);
    const { text, data } = placed.object;
    base += roundUp(text.bytes.length + data.bytes.length);
    checkFits(source.name, base);
    return placed;
  });
}

function placeFile(
  { name, object }: FileModuleSource,
  base: Address,
  { resolve }: ModulePlacing,
): ImageModule {
  checkFits(name, base + object.textBytes + object.dataBytes);
  const bound = (wanted: string): Address => {
    const found = resolve(wanted);
    if (found === undefined) throw new InputError(`module ${name} needs an unknown ${wanted}`);
    return found;
  };
  const placed = placeObject(object, { base, resolve: bound });
  const functions = placed.functions.map((fn) => ({
    ...fn,
    notrace: fn.site === NO_ADDRESS,
    callback: false,
    module: name,
  }));
  return { name, object: placed, functions };
}

function placeScript(
  { name, functions: scripts, init, exit }: ScriptModuleSource,
  base: Address,
  { shape }: ModulePlacing,
): ImageModule {
  const placed = placeScripts(scripts, base, shape);
  const functions: FunctionSymbol[] = [];
  for (const fn of placed) functions.push({ ...fn, module: name });
  const addressOf = (wanted: string | null): Address =>
    functions.find((fn) => fn.name === wanted)?.address ?? NO_ADDRESS;
  const bytes = functions.reduce((sum, { size }) => sum + size, 0);
  const object: LoadedObject = {
    text: { base, bytes: new Uint8Array(bytes) },
    data: { base: base + bytes, bytes: new Uint8Array() },
    functions,
    objects: [],
    init: addressOf(init),
    exit: addressOf(exit),
    params: [],
  };
  return { name, object, functions };
}

function checkFits(name: string, end: Address): void {
  if (end <= MODULE_BASE + MODULE_BYTES_MAX) return;
  throw new InputError(
    `module ${name} does not fit: it would end at ${hexAddress(end)}, and ` +
      `there are ${MODULE_BYTES_MAX} bytes for all modules`,
  );
}

/** Reserves the places of a module, before any CPU starts. Nothing can be executed there yet. */
export function reserveModule(machine: Machine, { name, object }: ImageModule): void {
  const { text, data } = object;
  machine.core.addText(text.base, roundUp(text.bytes.length));
  if (data.bytes.length === 0) return;
  const shape = { name: `data of ${name}`, base: data.base, bytes: data.bytes.length };
  machine.memory.addSegment({ ...shape, writable: true }).bytes.set(data.bytes);
}

/** Writes a module's text and data as its file has them (an effect: inside a step). */
export function writeModule(machine: Machine, { object, functions }: ImageModule): void {
  const { core, memory } = machine;
  const { text, data } = object;
  core.writeText(text.base, halvesOf(text.bytes));
  const words = new Int32Array(data.bytes.buffer, data.bytes.byteOffset, data.bytes.length >> 2);
  words.forEach((word, i) => {
    memory.store32(data.base + 4 * i, word);
  });
  for (const { address, site } of functions) {
    machine.markEntry(address);
    if (site !== NO_ADDRESS) core.setFlags(site, core.flagsAt(site) | FLAG.visible);
  }
}

/** Poisons the text: from here on executing it is a fault (an effect: inside a step). */
export function poisonModule(machine: Machine, { object, functions }: ImageModule): void {
  const { base, bytes } = object.text;
  for (const { address } of functions) machine.unmarkEntry(address);
  machine.text.forgetSites(base, roundUp(bytes.length));
  machine.text.poison(base, roundUp(bytes.length));
}

/** Code as the core takes it. */
export function halvesOf(bytes: Uint8Array): Uint16Array {
  const halves = new Uint16Array((bytes.length + 1) >> 1);
  for (let i = 0; i < halves.length; i++) {
    halves[i] = (bytes[2 * i] ?? 0) | ((bytes[2 * i + 1] ?? 0) << 8);
  }
  return halves;
}

function roundUp(bytes: number): number {
  assert(bytes >= 0, 'a size is not negative');
  return Math.ceil(bytes / MODULE_ALIGNMENT) * MODULE_ALIGNMENT;
}
