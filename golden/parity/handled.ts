// Handlers of fprobes as they begin: what events do not say of what they are given, read from the machine before their
// first instruction.
import { known } from '../../src/assert.ts';
import { NO_ADDRESS, toAddress } from '../../src/emu/address.ts';
import { REG } from '../../src/emu/regs.ts';
import type { EventOf } from '../../src/replay/schema.ts';
import type { Session } from '../../src/replay/session.ts';
import { FTRACE_REGS } from '../../src/trace/ftrace-regs.ts';
import type { Handled } from './seen.ts';

/**
 * Looks at each handler when called between two steps; all that was seen, by number of its event. `stores`: what entry
 * handlers store in their data, this number first, then the next ones.
 */
export function watchHandlers(
  session: Session,
  stores?: number,
): () => ReadonlyMap<number, Handled> {
  const { log } = session;
  const seen = new Map<number, Handled>();
  let from = 0;
  let next = stores;
  let begun: EventOf<'cb_begin'> | undefined;
  return () => {
    for (const e of log.events(from, log.count)) {
      if (e.event === 'cb_begin') begun = e;
      if (e.event !== 'fprobe_data' || begun === undefined) continue;
      seen.set(begun.index, lookAt(session, begun, e));
      if (next === undefined || begun.kind !== 'fprobe_entry' || e.entry_data === NO_ADDRESS)
        continue;
      session.machine.memory.store64(e.entry_data, next++, 0); // In place of the handler.
    }
    from = log.count;
    return seen;
  };
}

function lookAt(
  { machine }: Session,
  begun: EventOf<'cb_begin'>,
  { cpu, entry_data: entryData, regs_ip: regsIp }: EventOf<'fprobe_data'>,
): Handled {
  const { hart, preemptCount } = known(machine.cpus[cpu], 'the CPU exists');
  const regs = toAddress(hart.lo[REG.a3] ?? 0, hart.hi[REG.a3] ?? 0);
  return {
    who: begun.kind,
    ip: begun.ip,
    retIp: begun.parent_ip,
    regsIp,
    regsA0: machine.memory.loadLo(regs),
    regsRa: machine.memory.loadLo(regs + FTRACE_REGS.ra),
    entryData,
    data: entryData === NO_ADDRESS ? 0 : machine.memory.loadLo(entryData),
    preemptCount: preemptCount.value,
    irqsOff: !hart.irqsOn,
  };
}
