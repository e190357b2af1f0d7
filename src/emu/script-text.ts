// Layer emu: imports nothing above it, no package and no node: module.
// Where scripted functions lie: one behind the other. Sizes do not depend on addresses, so one unlinked assembly
// places everything, and a second one, when all names have their addresses, writes it.
import { type Address, IMAGE_BASE, NO_ADDRESS } from './address.ts';
import { assembleFunction, type Linker, siteOffset, type SiteShape } from './assemble.ts';
import type { FunctionSymbol } from './image.ts';
import type { ScriptFunction } from './script.ts';

const nowhere = (): Address => IMAGE_BASE;
const UNLINKED: Linker = {
  callTarget: nowhere,
  kernelSymbol: nowhere,
  dataAddress: nowhere,
};

/** Places `functions` from `base` on. */
export function placeScripts(
  functions: readonly ScriptFunction[],
  base: Address,
  { landingPad, siteBytes }: SiteShape,
): FunctionSymbol[] {
  let at = base;
  return functions.map((fn) => {
    const address = at;
    const size = assembleFunction(fn, { at, landingPad, siteBytes, linker: UNLINKED }).byteLength;
    at += size;
    const offset = siteOffset(fn, landingPad);
    return {
      name: fn.symbol ?? fn.name,
      ...(fn.symbol === undefined ? {} : { key: fn.name }),
      address,
      size,
      site: offset === undefined ? NO_ADDRESS : address + offset,
      notrace: offset === undefined,
      ...(fn.nokprobe === true ? { nokprobe: true } : {}),
      callback: fn.callback,
    };
  });
}
