// What the stories of goldens claim about what callbacks get, where they run, and what they leave behind; the
// others are in stories.ts.
import type { EventOf } from '../src/replay/schema.ts';
import type { Claim } from './moments.ts';
import { isIn, isWithin, isWithinOne, like, ofKind, type Span, type Told } from './told.ts';

const HARDIRQ = 2;
const NMI = 3;
const NOP_LOW = 0x13;

/** By the golden's name. */
export const CALL_STORIES: Readonly<Record<string, readonly Claim[]>> = {
  'arguments-nested': [
    {
      says: 'the reader’s callbacks for vfs_read show the round and the pid, the NMI’s show nothing',
      holds: (told) => {
        const pid = told.pid('reader');
        const rounds = shownBy(told, { level: 0, pid, func: 'vfs_read' }, 'a0');
        const pids = shownBy(told, { level: 0, pid, func: 'vfs_read' }, 'a1');
        const nmi = shownBy(told, { level: NMI, func: 'vfs_read' }, 'a0');
        return (
          rounds.length >= 5 &&
          rounds.every((round, i) => i === 0 || round > (rounds[i - 1] ?? -1n)) &&
          pids.every((one) => one === BigInt(pid)) &&
          nmi.length === 1 &&
          nmi.every((one) => one === 0n)
        );
      },
    },
    {
      says: 'ops0 runs inside itself, for kmalloc, and then the walk goes on with ops1 for vfs_read',
      holds: (told) =>
        like(told.callbacks, { probe: 'ops0', func: 'kmalloc', depth: 1, level: 0 }).some((inner) =>
          like(told.callbacks, { probe: 'ops0', func: 'vfs_read', pid: inner.pid }).some(
            (outer) =>
              isWithin(inner, outer) &&
              like(told.callbacks, { probe: 'ops1', func: 'vfs_read', pid: inner.pid }).some(
                ({ begin }) => begin > outer.end && begin < outer.end + 8,
              ),
          ),
        ),
    },
    {
      says: 'the parent of vfs_read is ksys_read, that of kmalloc in a callback is note',
      holds: (told) =>
        parents(told, { func: 'vfs_read', level: 0 }).join() === 'ksys_read' &&
        parents(told, { func: 'kmalloc', depth: 1 }).join() === 'note',
    },
    {
      says: 'the NMI arrives inside a callback of ops0 on CPU 1',
      holds: (told) =>
        like(told.interrupts, { level: NMI, cpu: 1 }).some((nmi) =>
          isWithinOne(nmi, like(told.callbacks, { probe: 'ops0', cpu: 1, level: 0 })),
        ),
    },
  ],
  'context-lock-held': [
    {
      says: 'the reader loses the CPU in its callback, before or after it holds the lock',
      holds: (told) => {
        const [mine, held] = [readers(told), locks(told, told.pid('reader'), 0)];
        return preemptions(told).some((at) => mine.some((hit) => isIn(at, hit))) && held.length > 5;
      },
    },
    {
      says: 'it never does while it holds the lock',
      holds: (told) => {
        const held = locks(told, told.pid('reader'), 0);
        return (
          held.length > 0 && preemptions(told).every((at) => !held.some((lock) => isIn(at, lock)))
        );
      },
    },
    {
      says: 'each lock of the reader opens a region, which closes behind the unlock',
      holds: (told) => {
        const held = locks(told, told.pid('reader'), 0);
        return (
          held.length > 0 &&
          held.every(
            ({ begin, end }) =>
              told.events[begin - 1]?.event === 'region_open' &&
              ofKind(told.events, 'region_close').some(({ index }) => index > end) &&
              !ofKind(told.events, 'region_close').some(
                ({ index, cpu }) => cpu === 1 && isIn(index, { begin, end }),
              ),
          )
        );
      },
    },
    {
      says: 'an interrupt comes while the lock is held, takes the bit of its level, and is over',
      holds: (told) => {
        const reader = told.pid('reader');
        return like(told.interrupts, { level: HARDIRQ, cpu: 1, handler: 'timer_tick' }).some(
          (tick) =>
            isWithinOne(tick, locks(told, reader, 0)) &&
            like(told.callbacks, { level: HARDIRQ }).some((hit) => isWithin(hit, tick)) &&
            locks(told, reader, HARDIRQ).some((lock) => isWithin(lock, tick)),
        );
      },
    },
  ],
  'quiescence-busy-life': [
    {
      says: 'vfs_read, vfs_open and kmalloc were patched, and were written last with a nop',
      holds: (told) =>
        ['vfs_read', 'vfs_open', 'kmalloc'].every((func) => {
          const writes = ofKind(told.events, 'text_write').filter(
            ({ ip }) => told.func(ip) === func,
          );
          const [low, high] = [0, 1].map((half) => writes.findLast(({ part }) => part === half));
          return writes.length >= 6 && low?.value === NOP_LOW && high?.value === 0;
        }),
    },
    {
      says: 'four trampolines were made and freed; of the hashes two are left',
      holds: (told) => {
        const left = (kind: string): [number, number] => {
          const made = ofKind(told.events, 'alloc').filter((one) => one.kind === kind);
          const alive = made.filter(
            ({ object, generation }) =>
              !ofKind(told.events, 'free').some(
                (one) => one.object === object && one.generation === generation,
              ),
          );
          return [made.length, alive.length];
        };
        return left('trampoline').join() === '4,0' && left('ftrace_hash')[1] === 2;
      },
    },
    {
      says: 'hits came in tasks, inside callbacks, in an interrupt and in the idle task',
      holds: (told) =>
        [{ level: 0, depth: 0 }, { depth: 1 }, { level: HARDIRQ }, { pid: 0, level: 0 }].every(
          (pattern) => like(told.callbacks, pattern).length > 0,
        ),
    },
    {
      says: 'at the end nobody is counted, no bit is set, and every CPU is free',
      holds: (told) => {
        const words = ofKind(told.events, 'trace_recursion');
        const cpus = ofKind(told.events, 'cpu_state');
        return (
          words.length >= 3 &&
          words.every(({ word }) => word === 0) &&
          cpus.length === 2 &&
          cpus.every(({ preempt_count: count, irqs }) => count === 0 && irqs) &&
          ofKind(told.events, 'ftrace_state').every(isEmpty)
        );
      },
    },
    {
      says: 'the second unregister of ops2 is refused',
      holds: (told) =>
        like(told.operations, { op: 'unregister_ftrace_function', probe: 'ops2' })
          .map(({ result }) => result)
          .join() === '0,-16',
    },
  ],
};

function isEmpty({ listed, started, served }: EventOf<'ftrace_state'>): boolean {
  return listed + started + served === 0;
}

type Hit = Told['callbacks'][number];

/** What callbacks of ops0 that are as `pattern` says showed of one register, in order. */
function shownBy(told: Told, pattern: Partial<Hit>, register: string): readonly bigint[] {
  return like(told.callbacks, { ...pattern, probe: 'ops0' }).flatMap((hit) => {
    const first = ofKind(told.events, 'regs').find(
      (one) => one.register === register && one.level === hit.level && isIn(one.index, hit),
    );
    return first === undefined ? [] : [first.value];
  });
}

/** Functions to which the functions hit return, without repetition. */
function parents(told: Told, pattern: Partial<Hit>): readonly string[] {
  const begins = ofKind(told.events, 'cb_begin');
  const found = like(told.callbacks, pattern).map(({ begin }) => {
    return told.func(begins.find(({ index }) => index === begin)?.parent_ip ?? -1);
  });
  return [...new Set(found)];
}

/** Callbacks of the reader itself. */
function readers(told: Told): readonly Hit[] {
  return like(told.callbacks, { pid: told.pid('reader'), level: 0 });
}

/** From each recursion lock of a task at a level to its unlock. */
function locks(told: Told, pid: number, level: number): readonly Span[] {
  return ofKind(told.events, 'recursion_lock')
    .filter((lock) => lock.pid === pid && lock.level === level)
    .map(({ bit, index }) => {
      const end = ofKind(told.events, 'recursion_unlock').find(
        (one) => one.pid === pid && one.level === level && one.bit === bit && one.index > index,
      );
      return { begin: index, end: end?.index ?? Infinity };
    });
}

/** Where the reader is preempted. */
function preemptions(told: Told): readonly number[] {
  const reader = told.pid('reader');
  return ofKind(told.events, 'sched_switch')
    .filter(({ prev, state }) => prev === reader && state !== 'sleeping')
    .map(({ index }) => index);
}
