// Layer replay. A digest of the machine's whole state at a frame's end: registers of every CPU and task,
// pages that were written since boot, what is pending. Two runs with equal digests stand at the same place.
import type { Cpu } from '../emu/cpu.ts';
import type { Machine } from '../emu/machine.ts';
import { PAGE_BYTES } from '../emu/memory.ts';
import type { Task } from '../emu/task.ts';
import { Digest, type DigestHex } from './digest.ts';

const STATES = ['new', 'ready', 'running', 'sleeping', 'dead'] as const;

export function stateDigest(machine: Machine): DigestHex {
  const digest = new Digest();
  digest.word(machine.step);
  digest.word(machine.cells.count);
  for (const cpu of machine.cpus) takeCpu(digest, cpu);
  for (const task of machine.tasks) takeTask(digest, task);
  machine.memory.dirtyPages((segment, offset) => {
    digest.word(segment.base + offset);
    digest.bytes(segment.bytes, offset, Math.min(offset + PAGE_BYTES, segment.bytes.length));
  });
  return digest.hex();
}

function takeCpu(digest: Digest, cpu: Cpu): void {
  const { hart } = cpu;
  digest.words(hart.lo, 0, 32);
  digest.words(hart.hi, 0, 32);
  digest.word(hart.pc);
  digest.word(hart.irqsOn ? 1 : 0);
  digest.word(cpu.preemptCount.value);
  digest.word(cpu.region);
  digest.word(cpu.ipis.length);
  digest.word(cpu.pending.length);
  digest.word(cpu.current.pid);
  for (const cx of cpu.contexts) {
    // More than the level alone only where it does not show.
    digest.word(cx.level + 8 * (cx.level - cx.shown));
    digest.word(cx.activities.length);
    digest.word(cx.calls.length);
  }
}

function takeTask(digest: Digest, task: Task): void {
  digest.word(task.pid);
  digest.word(STATES.indexOf(task.state));
  digest.word(task.sleeps);
  digest.word(task.rcuDepth);
  if (task.state !== 'running') digest.words(task.context.frame);
}
