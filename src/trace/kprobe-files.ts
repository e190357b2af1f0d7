// Layer trace. The debug files of kprobes as texts (KP-70..KP-73), after `show_kprobe_addr` and its neighbours in
// kernel/kprobes.c of Linux v6.12: what stands in them at the moment, for whoever looks from outside; no step of a path. Addresses are
// those that root is shown. Left out: opening a file, offsets, and readers that are not root.
import { type Address, guestValue } from '../emu/address.ts';
import type { Kernel } from './kernel.ts';
import { functionCovering, presentFunctions } from './kprobe-address.ts';
import {
  KPROBE,
  KPROBE_FLAG_DISABLED,
  KPROBE_FLAG_FTRACE,
  KPROBE_FLAG_GONE,
  KPROBE_FLAG_OPTIMIZED,
} from './kprobe-struct.ts';
import { probesOf } from './kprobe-table.ts';
import type { Kprobe, KprobeKind, KprobeNode } from './kprobe.ts';

const ADDRESS_DIGITS = 16;
const TYPES: Readonly<Record<KprobeKind, string>> = { kprobe: 'k', kretprobe: 'r', jprobe: 'j' };

/** By the name below debugfs. */
type KprobeFiles = ReadonlyMap<string, (k: Kernel) => string>;

/** The files that there are in the era. */
export function kprobeFiles(k: Kernel): KprobeFiles {
  const both: KprobeFiles = new Map([
    ['kprobes/list', kprobesList],
    ['kprobes/enabled', kprobesEnabledText],
  ]);
  return k.fn.hasKprobeBlacklist()
    ? new Map([...both, ['kprobes/blacklist', kprobesBlacklist]])
    : both;
}

/** Link: is there a `kprobes/blacklist` (KP-73)? */
export function hasKprobeBlacklist(): boolean {
  return true;
}

/** `kprobes/list` (KP-70): a line for each probe, bucket by bucket; of an aggregate its probes, the newest first. */
function kprobesList(k: Kernel): string {
  const nodes = (k.kprobes?.table ?? []).flatMap(({ value }) => value);
  return nodes.flatMap((node) => probesOf(node).map((p) => probeLine(k, node, p))).join('');
}

/** `report_probe`: OPTIMIZED and FTRACE are those of the aggregate, where there is one. */
function probeLine(k: Kernel, node: KprobeNode, p: Kprobe): string {
  const own = k.machine.memory.load32(p.address + KPROBE.flags);
  const isGone = (own & KPROBE_FLAG_GONE) !== 0;
  const status = [
    isGone ? '[GONE]' : '',
    (own & KPROBE_FLAG_DISABLED) !== 0 && !isGone ? '[DISABLED]' : '',
    (node.flags.value & KPROBE_FLAG_OPTIMIZED) === 0 ? '' : '[OPTIMIZED]',
    (node.flags.value & KPROBE_FLAG_FTRACE) === 0 ? '' : '[FTRACE]',
  ];
  return `${hex(node.addr)}  ${TYPES[p.kind]}  ${placeText(k, node.addr)} ${status.join('')}\n`;
}

/** Symbol, offset and module; of an address that is no symbol's any more the address (KP-71). */
function placeText(k: Kernel, addr: Address): string {
  const func = functionCovering(k, addr);
  if (func === undefined) return `0x${hex(addr)}`;
  return `${func.name}+0x${(addr - func.address).toString(16)}  ${func.module ?? ' '}`;
}

/** `kprobes/enabled` (KP-72). */
function kprobesEnabledText(k: Kernel): string {
  return k.kprobes?.allDisarmed.value === true ? '0\n' : '1\n';
}

/** `kprobes/blacklist` (KP-73): where no probe may be, by address. */
function kprobesBlacklist(k: Kernel): string {
  return presentFunctions(k)
    .filter(({ nokprobe }) => nokprobe === true)
    .map(({ address, name, size }) => `0x${hex(address)}-0x${hex(address + size)}\t${name}\n`)
    .join('');
}

/** The guest's 64-bit value. */
function hex(address: Address): string {
  return guestValue(address).toString(16).padStart(ADDRESS_DIGITS, '0');
}
