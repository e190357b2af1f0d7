// Layer replay. What the paths in TypeScript of one run see of it: data, functions, and whom to tell that one threw.
import type { Address } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import { type Image, keyOf } from '../emu/image.ts';
import type { Machine } from '../emu/machine.ts';
import type { DefinedPath } from './handler.ts';
import { KERNEL_SYMBOLS } from './workload/scope.ts';

/** What the paths of one run see of it. */
export interface PathHost {
  readonly machine: Machine;
  readonly image: Image;
  /** Functions of the image, and the kernel's symbols where no function has that name. */
  readonly functions: ReadonlyMap<string, Address>;
  /** Sizes of the data symbols, and what steps on data touch. */
  readonly data: ReadonlyMap<string, number>;
  readonly dataCell: Cell<number>;
  /** Takes the exception of a path that threw. */
  readonly threw: (who: DefinedPath, error: unknown) => void;
}

/** What paths see of `machine`, whose image is loaded. */
export function newPathHost(machine: Machine, image: Image, threw: PathHost['threw']): PathHost {
  return {
    machine,
    image,
    functions: callables(image, machine),
    data: new Map([...image.dataSymbols].map(([name, { bytes }]) => [name, bytes])),
    dataCell: machine.cells.cell('data', 0),
    threw,
  };
}

/** All of the image and of the kernel that a path can call. */
function callables(image: Image, machine: Machine): ReadonlyMap<string, Address> {
  const stubs = machine.stubs.addresses();
  const found = new Map<string, Address>();
  for (const name of KERNEL_SYMBOLS) {
    const at = stubs.get(name);
    if (at !== undefined) found.set(name, at);
  }
  // Of several compiled functions with one name the first is called.
  for (const fn of image.functions.toReversed()) found.set(keyOf(fn), fn.address);
  return found;
}
