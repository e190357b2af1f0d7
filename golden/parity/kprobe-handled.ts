// Handlers of kprobes and kretprobes as they begin, read from the machine before their first instruction, and what they do to
// registers and data, which a handler in TypeScript cannot: done in its place.
import { known } from '../../src/assert.ts';
import {
  type Address,
  addressHi,
  addressLo,
  NO_ADDRESS,
  toAddress,
} from '../../src/emu/address.ts';
import { LEVEL } from '../../src/emu/context.ts';
import { REG } from '../../src/emu/regs.ts';
import type { EventOf } from '../../src/replay/schema.ts';
import type { Session } from '../../src/replay/session.ts';
import { FTRACE_REGS, PT_REGS_IP } from '../../src/trace/ftrace-regs.ts';
import type { Handled } from './seen.ts';

/** What handlers of a scenario do. */
export interface Doing {
  /** The function returns 42 at once: the pre_handler of the probe of that name sets a0 and ip. */
  readonly skips?: string;
  /** Entry handlers store in their data: this number first, then the next ones. */
  readonly stores?: number;
  /** Entry handlers set a0 so. */
  readonly argument?: number;
  /** Return handlers add it to a0. */
  readonly adds?: number;
}

const SKIPPED = 42;
const INSTANCE_RET_ADDR = 8;
/** What `preempt_count()` says beside the levels of preemption in a trap, which is like an NMI (KP-47). */
const TRAP_PREEMPT_COUNT = 0x11_0000;

/** Looks at each handler when called between two steps; all that was seen, by number of its event. */
export function watchKprobes(
  session: Session,
  doing: Doing = {},
): () => ReadonlyMap<number, Handled> {
  const { log } = session;
  const seen = new Map<number, Handled>();
  let from = 0;
  let stored = 0;
  return () => {
    for (const e of log.events(from, log.count)) {
      if (e.event !== 'cb_begin' || !/^kprobe_|^kretprobe/u.test(e.kind)) continue;
      const handled = lookAt(session, e);
      seen.set(e.index, handled);
      act(session, e, doing, stored);
      if (e.kind === 'kretprobe_entry') stored++;
    }
    from = log.count;
    return seen;
  };
}

function lookAt({ machine }: Session, { cpu, kind, ip }: EventOf<'cb_begin'>): Handled {
  const { hart, preemptCount, top } = known(machine.cpus[cpu], 'the CPU exists');
  const at = (register: number): Address =>
    toAddress(hart.lo[register] ?? 0, hart.hi[register] ?? 0);
  const { memory } = machine;
  const regs = at(REG.a1);
  const pointer = (place: Address): Address =>
    toAddress(memory.loadLo(place), memory.loadHi(place));
  const isReturn = kind.startsWith('kretprobe');
  const data = at(REG.a3);
  return {
    who: kind,
    ip,
    retIp: isReturn ? pointer(at(REG.a0) + INSTANCE_RET_ADDR) : 0,
    regsIp: pointer(regs + PT_REGS_IP),
    regsA0: memory.loadLo(regs),
    regsRa: pointer(regs + FTRACE_REGS.ra),
    entryData: isReturn ? data : NO_ADDRESS,
    data: isReturn ? memory.loadLo(data) : 0,
    preemptCount: preemptCount.value + (top.level === LEVEL.trap ? TRAP_PREEMPT_COUNT : 0),
    irqsOff: !hart.irqsOn,
  };
}

function act(
  { image, machine: { cpus, memory } }: Session,
  { cpu, kind }: EventOf<'cb_begin'>,
  { skips, stores, argument, adds }: Doing,
  stored: number,
): void {
  const { hart } = known(cpus[cpu], 'the CPU exists');
  const at = (register: number): Address =>
    toAddress(hart.lo[register] ?? 0, hart.hi[register] ?? 0);
  const regs = at(REG.a1);
  const own = skips === undefined ? undefined : image.dataSymbols.get(skips)?.address;
  if (kind === 'kprobe_pre' && own === at(REG.a0)) {
    const ra = toAddress(
      memory.loadLo(regs + FTRACE_REGS.ra),
      memory.loadHi(regs + FTRACE_REGS.ra),
    );
    memory.store64(regs, SKIPPED, 0);
    memory.store64(regs + PT_REGS_IP, addressLo(ra), addressHi(ra));
  }
  if (kind === 'kretprobe_entry' && stores !== undefined)
    memory.store64(at(REG.a3), stores + stored, 0);
  if (kind === 'kretprobe_entry' && argument !== undefined) memory.store64(regs, argument, 0);
  if (kind === 'kretprobe' && adds !== undefined)
    memory.store64(regs, memory.loadLo(regs) + adds, 0);
}
