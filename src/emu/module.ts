// Layer emu: imports nothing above it, no package and no node: module.
// Modules of an image: where each lies and what its names mean. They are placed one behind the other in the module
// area, in the order in which they are given, and are part of the initial image: what `init_module` and
// `delete_module` do at run time is src/trace/module.ts. Left out: modules that use each other's symbols.
import { InputError } from '../assert.ts';
import { type Address, hexAddress, MODULE_BASE, MODULE_BYTES_MAX } from './address.ts';
import { type LoadedObject, type ObjectFile, placeObject } from './elf-object.ts';

export interface ModuleSource {
  readonly name: string;
  readonly object: ObjectFile;
}

export interface ImageModule {
  readonly name: string;
  readonly object: LoadedObject;
}

/** Places and relocates them; `resolve` knows the names of the kernel and of the rest of the image. */
export function placeModules(
  modules: readonly ModuleSource[],
  resolve: (name: string) => Address | undefined,
): ImageModule[] {
  let base = MODULE_BASE;
  return modules.map(({ name, object }) => {
    const end = base + object.textBytes + object.dataBytes;
    if (end > MODULE_BASE + MODULE_BYTES_MAX) {
      throw new InputError(
        `module ${name} does not fit: it would end at ${hexAddress(end)}, and ` +
          `there are ${MODULE_BYTES_MAX} bytes for all modules`,
      );
    }
    const bound = (wanted: string): Address => {
      const found = resolve(wanted);
      if (found === undefined) throw new InputError(`module ${name} needs an unknown ${wanted}`);
      return found;
    };
    const placed = placeObject(object, { base, resolve: bound });
    base = end;
    return { name, object: placed };
  });
}
