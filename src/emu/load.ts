// Layer emu. Puts an image into a machine: text, data, and what the machine marks on its instructions.
import { known } from '../assert.ts';
import { type Address, hexAddress, IMAGE_BASE, NO_ADDRESS } from './address.ts';
import { EMU_EVENTS } from './event.ts';
import { FLAG } from './flags.ts';
import { functionAt, type FunctionSymbol, type Image } from './image.ts';
import type { Machine, SymbolPlace } from './machine.ts';
import { halvesOf, reserveModule } from './module.ts';
import { STUB_STRIDE } from './stub-table.ts';

/**
 * Loads before any CPU starts; reports every function (`symbol` events) for those who judge. Those of modules come with
 * their module.
 */
export function loadImage(machine: Machine, image: Image): void {
  const { core, memory } = machine;
  if (image.text.length > 0) {
    core.addText(IMAGE_BASE, roundUp(image.text.length));
    core.writeText(IMAGE_BASE, halvesOf(image.text));
  }
  if (image.data.length > 0) {
    const base = image.dataBase;
    const data = memory.addSegment({
      name: 'data',
      base,
      bytes: image.data.length,
      writable: true,
    });
    data.bytes.set(image.data);
  }
  for (const module of image.modules) reserveModule(machine, module);
  for (const fn of image.functions) {
    if (fn.module !== undefined) continue;
    machine.markEntry(fn.address);
    if (fn.site !== NO_ADDRESS) core.setFlags(fn.site, core.flagsAt(fn.site) | FLAG.visible);
  }
  machine.nameOf = (address) => nameOf(image, address);
  machine.symbolAt = (address) => symbolAt(machine, image, address);
  reportSymbols(machine, image);
}

function reportSymbols(machine: Machine, image: Image): void {
  const cpu = known(machine.cpus[0], 'there is a first CPU');
  for (const fn of image.functions) {
    if (fn.module === undefined)
      machine.report(cpu, EMU_EVENTS.symbol.id, ...symbolWords(machine, fn));
  }
}

/** The payload of a `symbol` event. */
export function symbolWords(
  machine: Machine,
  { name, address, size, site, notrace }: FunctionSymbol,
): readonly [number, Address, number, Address, number] {
  return [machine.strings.id(name), address, size, site, notrace ? 1 : 0];
}

/** `vfs_open`, `vfs_open+0x8`, `counter`, or the bare address. */
function nameOf(image: Image, address: Address): string {
  const fn = functionAt(image, address);
  if (fn !== undefined) return offsetName(fn.name, address - fn.address);
  for (const [name, symbol] of image.dataSymbols) {
    const offset = address - symbol.address;
    if (offset >= 0 && offset < symbol.bytes) return offsetName(name, offset);
  }
  // Of equal names only one is in the table.
  for (const object of image.modules.flatMap((module) => module.object.objects)) {
    const offset = address - object.address;
    if (offset >= 0 && offset < object.bytes) return offsetName(object.name, offset);
  }
  return hexAddress(address);
}

/** The function, or the kernel symbol. */
function symbolAt(machine: Machine, image: Image, address: Address): SymbolPlace | undefined {
  const fn = functionAt(image, address);
  if (fn !== undefined) {
    const { name, size, module } = fn;
    return { name, offset: address - fn.address, size, module };
  }
  for (const [name, stub] of machine.stubs.addresses()) {
    const offset = address - stub;
    if (offset >= 0 && offset < STUB_STRIDE)
      return { name, offset, size: STUB_STRIDE, module: undefined };
  }
  return undefined;
}

function offsetName(name: string, offset: number): string {
  return offset === 0 ? name : `${name}+0x${offset.toString(16)}`;
}

function roundUp(bytes: number): number {
  return (bytes + 15) & ~15;
}
