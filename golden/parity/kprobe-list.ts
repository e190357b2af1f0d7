// `kprobes/list` (KP-70, KP-71), read in the middle of a scenario as its module read it: addresses masked, lines sorted.
import type { Mapping, Move } from './kprobe-move.ts';

/**
 * Offsets into functions are those of other code, functions that are not traced have no landing pad, no breakpoint is optimised
 * into a jump, and the probed functions are the kernel's own, no module's: the rest is the same.
 */
function linesOf(there: readonly string[]): Mapping {
  const isOther = there.some((line) => /OPTIMIZED|\+0x(?![04] )/u.test(line));
  const reason = isOther ? 'RV64 mapping' : 'build-dependent value';
  return { reason, there: mapped, here: mapped };
}

export function listMove(see: string, there: readonly string[]): Move {
  return {
    what: see,
    commands: [{ cat: 'kprobes/list' }],
    there: there.toSorted(),
    here: ({ own: [seen] }) => masked(seen?.file ?? ''),
    mapped: linesOf(there),
  };
}

/** As `sed` and `sort` had it there. */
function masked(text: string): readonly string[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines
    .map((line) => line.replace(/^[0-9a-f]{16}/u, 'ADDR').replace(/0x[0-9a-f]{16}/u, 'ADDR'))
    .toSorted();
}

function mapped(lines: unknown): unknown {
  if (!Array.isArray(lines)) return lines;
  return lines.map((line) =>
    String(line)
      .replace(/ {2}oracle /u, '    ')
      .replace('[OPTIMIZED]', '')
      .replace(/\+0x(?<offset>[0-9a-f]+)/u, (_, offset: string) =>
        Number(`0x${offset}`) > LANDING_PAD_BYTES ? '+inside' : '+entry',
      ),
  );
}

const LANDING_PAD_BYTES = 4;
