// Layer trace. Where a probe is to be, and whether it may be there (KP-10.1-.3, .6-.8, KP-14), after `_kprobe_addr` and
// `check_kprobe_address_safe` of kernel/kprobes.c of Linux v6.12. The landing pad of a function is what ENDBR is there.
import { type Address, addressFrom, NO_ADDRESS } from '../emu/address.ts';
import type { FunctionSymbol } from '../emu/image.ts';
import { EINVAL, ENOENT, type Errno } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { KPROBE, loadPointer } from './kprobe-struct.ts';
import type { Kprobe } from './kprobe.ts';
import { type Module, moduleAt, tryModuleGet } from './module.ts';

/** Where a probe is planted. */
export interface KprobeTarget {
  readonly addr: Address;
  /** The function that covers it; undefined: no kernel text. */
  readonly func: FunctionSymbol | undefined;
  /** It is the entry of its function (KP-10.3). */
  readonly isEntry: boolean;
  /** NO_ADDRESS: it is not exactly an ftrace site (KP-10.6). */
  readonly site: Address;
}

const LPAD_BYTES = 4;
/** `lpad 0`. */
const LPAD = 0x17;
const NAME_BYTES_MAX = 512;

/** `kprobe_addr`: where the struct says that it is to be, or why that is nowhere. Part of the present step. */
export function kprobeAddr(k: Kernel, { address }: Kprobe): KprobeTarget | Errno {
  const name = loadPointer(k, address + KPROBE.symbolName);
  const addr = loadPointer(k, address + KPROBE.addr);
  if ((name === NO_ADDRESS) === (addr === NO_ADDRESS)) return -EINVAL; // KP-10.1
  const offset = k.machine.memory.load32(address + KPROBE.offset) >>> 0;
  const base = name === NO_ADDRESS ? addr : lookupName(k, readName(k, name));
  if (base === undefined) return -ENOENT; // KP-10.2
  return k.fn.kprobeTargetAt(k, addressFrom(base, offset));
}

/** KP-10.2-3: the symbol that covers `addr`, and where in it that is. */
export function kprobeTargetAt(k: Kernel, addr: Address): KprobeTarget | Errno {
  if (addr === NO_ADDRESS) return -ENOENT;
  const func = functionCovering(k, addr);
  if (func === undefined)
    return isKnown(k, addr) ? { addr, func, isEntry: false, site: NO_ADDRESS } : -ENOENT;
  const offset = addr - func.address;
  const padded = k.machine.memory.load32(func.address) === LPAD;
  const isEntry = offset === 0 || (padded && offset === LPAD_BYTES);
  const at = isEntry && padded ? func.address + LPAD_BYTES : addr;
  return { addr: at, func, isEntry, site: at === func.site ? at : NO_ADDRESS };
}

function readName(k: Kernel, start: Address): string {
  const { memory } = k.machine;
  let text = '';
  for (let at = start; text.length < NAME_BYTES_MAX && memory.contains(at, 1); at++) {
    const byte = memory.load8(at);
    if (byte === 0) break;
    text += String.fromCharCode(byte);
  }
  return text;
}

/**
 * `kprobe_lookup_name`: `SYM`, or `MOD:SYM`. The kernel's own symbols come before those of modules. Data has symbols, too: what
 * is found there is refused as no text, not as unknown (KP-10.7).
 */
function lookupName(k: Kernel, name: string): Address | undefined {
  const colon = name.indexOf(':');
  const [module, symbol] =
    colon < 0 ? [undefined, name] : [name.slice(0, colon), name.slice(colon + 1)];
  const func = presentFunctions(k).find(
    (one) => one.name === symbol && (module === undefined || one.module === module),
  );
  return func?.address ?? (module === undefined ? k.data?.get(symbol)?.address : undefined);
}

/** `kallsyms`: functions of modules come and go with their text. */
export function presentFunctions(k: Kernel): readonly FunctionSymbol[] {
  return k.functions.filter(
    ({ module, address }) =>
      module === undefined || k.machine.slab.covering(address)?.live === true,
  );
}

/** The function whose text covers `addr`. */
export function functionCovering(k: Kernel, addr: Address): FunctionSymbol | undefined {
  return presentFunctions(k).find(({ address, size }) => addr >= address && addr < address + size);
}

/** Data of the image, and what the machine answers itself: symbols, too, but no text that can be probed. */
function isKnown(k: Kernel, addr: Address): boolean {
  return k.machine.memory.segmentAt(addr) !== undefined;
}

/** The module that is kept while a probe is registered in it. */
export interface ProbedModule {
  readonly module: Module | undefined;
}

/**
 * `check_kprobe_address_safe` (KP-10.7-8, KP-14): the module, which does not go before `module_put`, or why nothing is
 * planted there. One step, so that no module goes between the look and the reference (H-33).
 */
export function checkKprobeAddressSafe(
  k: Kernel,
  { addr, func }: KprobeTarget,
): Errno | ProbedModule {
  if (func === undefined) return -EINVAL; // KP-10.7
  if (k.fn.withinKprobeBlacklist(k, func)) return -EINVAL; // KP-14
  const module = moduleAt(k, addr);
  return module === undefined || tryModuleGet(module) ? { module } : -ENOENT; // KP-10.8
}

/** `within_kprobe_blacklist`: `NOKPROBE_SYMBOL`; of `name.part.N` also the base name. */
export function withinKprobeBlacklist(k: Kernel, func: FunctionSymbol): boolean {
  if (func.nokprobe === true) return true;
  const [base] = func.name.split('.');
  return (
    base !== func.name && k.functions.some((one) => one.name === base && one.nokprobe === true)
  );
}
