// The marked accesses that a machine's paths perform, one by one, for tests that compare them with the steps of
// docs/spec.
import type { PathActivity } from '../src/emu/context.ts';
import type { Cpu } from '../src/emu/cpu.ts';
import { tick } from '../src/emu/loop.ts';
import type { Machine } from '../src/emu/machine.ts';
import { ACCESS, type Access } from '../src/emu/path.ts';

/**
 * Runs `machine` to its end; what each step accessed, in order: `write next/A`. When `facts` changes with a step,
 * it follows: that is the private and the guarded work which belongs to the step.
 */
export function watchAccesses(machine: Machine, facts: () => string = () => ''): readonly string[] {
  const seen: string[] = [];
  let known = facts();
  while (machine.ending === undefined) {
    const before = machine.cpus.map(waiting);
    tick(machine);
    machine.cpus.forEach((cpu, i) => {
      const { path, access } = before[i] ?? {};
      if (path === undefined || access === undefined) return;
      const called = access.kind === ACCESS.call && cpu.top.top !== path;
      if (called || path.pending !== access) seen.push(described(access));
    });
    if (facts() !== known) seen.push(`-> ${facts()}`);
    known = facts();
  }
  return seen;
}

/** The path on top of a CPU, and what it is about to do. */
function waiting(cpu: Cpu): { readonly path?: PathActivity; readonly access?: Access } {
  const { top } = cpu.top;
  if (top?.kind !== 'path' || top.pending === undefined) return {};
  return { path: top, access: top.pending };
}

function described({ kind, cell }: Access): string {
  const [name = ''] = Object.entries(ACCESS).find(([, number]) => number === kind) ?? [];
  return `${name} ${cell.name.replace(/\/\d+$/u, '')}`;
}

const SYNC_STEPS = 'act preempt_count\nspin sync\nact preempt_count';
const PATCH_STEPS =
  /write poke\/vec\nwrite poke\/refs\n(?:(?:act text|SYNC)\n)+add poke\/refs\nspin poke\/refs/gu;

/** The same with each SYNC (CC-M7), and each PATCH of a set of sites (CC-S1), as one line. */
export function folded(seen: readonly string[]): readonly string[] {
  const synced = seen.join('\n').replaceAll(SYNC_STEPS, 'SYNC');
  return synced.replaceAll(PATCH_STEPS, 'PATCH').split('\n');
}
