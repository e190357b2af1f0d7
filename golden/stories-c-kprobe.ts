// What the stories of the goldens with kprobes, jprobes and kretprobes in compiled code claim; see `stories.ts`.
import { type Claim, ends, isQuietAfter } from './moments.ts';
import { calls, isIn, isWithin, isWithinOne, like, ofKind, type Span, type Told } from './told.ts';

const ENOENT = 2;
const EINVAL = 22;
const NMI = 3;

type Spans = readonly Span[];

/** Handlers of one kind. */
function handlers(told: Told, kind: string): Told['callbacks'] {
  const begun = new Set(like(ofKind(told.events, 'cb_begin'), { kind }).map(({ index }) => index));
  return told.callbacks.filter(({ begin }) => begun.has(begin));
}

/** From each true call of `func` to its return, in tasks. */
function visits(told: Told, func: string): readonly (Span & { readonly pid: number })[] {
  return ofKind(told.events, 'func_enter').flatMap(({ func: address, index, level, pid }) => {
    if (told.func(address) !== func || level !== 0) return [];
    const end = ofKind(told.events, 'func_return').find(
      (one) => one.index > index && one.func === address && one.pid === pid && one.level === 0,
    );
    return [{ begin: index, end: end?.index ?? Infinity, pid }];
  });
}

/** How many of `inner` lie within `outer`. */
function inside(inner: Spans, outer: Span): number {
  return inner.filter((one) => isWithin(one, outer)).length;
}

/** Lines of the log that begin so, behind the name of the module. */
function logged(told: Told, text: string): readonly string[] {
  return told.log.filter((line) => line.replace(/^\w+: /u, '').startsWith(text));
}

function skips(
  told: Told,
  reason: string,
): readonly { readonly index: number; readonly pid: number }[] {
  return like(ofKind(told.events, 'skip'), { reason });
}

export const C_KPROBE_STORIES: Readonly<Record<string, readonly Claim[]>> = {
  'unregister-c-kprobe': [
    {
      says: 'there is nothing to probe by the name nobody, and a handler marked NOKPROBE_SYMBOL is refused',
      holds: (told) => {
        const [nobody, hidden, good] = like(told.operations, { op: 'init_module' });
        return nobody?.result === -ENOENT && hidden?.result === -EINVAL && good?.result === 0;
      },
    },
    {
      says: 'calls of both tasks have both handlers, the pre_handler first',
      holds: (told) =>
        ['shell', 'cron'].every((task) =>
          like(visits(told, 'do_fork'), { pid: told.pid(task) }).some((visit) => {
            const pre = handlers(told, 'kprobe_pre').find((one) => isWithin(one, visit));
            const post = handlers(told, 'kprobe_post').find((one) => isWithin(one, visit));
            return pre !== undefined && post !== undefined && pre.end < post.begin;
          }),
        ),
    },
    {
      says: 'the instruction is stepped out of line in between',
      holds: (told) =>
        like(ofKind(told.events, 'kprobe_step'), { how: 'slot' }).some(
          ({ index, ip }) =>
            told.func(ip) === 'do_fork' &&
            handlers(told, 'kprobe_pre').some(({ end }) => end < index) &&
            handlers(told, 'kprobe_post').some(({ begin }) => begin > index),
        ),
    },
    {
      says: 'dump_stack shows the call, and who made it',
      holds: (told) => {
        const at = told.log.findIndex((line) => line.startsWith(' show_before+'));
        const [first = '', second = ''] = told.log.slice(at + 1);
        return at > 0 && first.startsWith(' do_fork+0x0/') && /^ sys_v?fork\+/u.test(second);
      },
    },
    {
      says: 'an NMI in the pre_handler forks: no handler runs, and one miss is counted',
      holds: (told) => {
        const [nmi] = like(told.interrupts, { level: NMI, handler: 'fork_now' });
        if (nmi === undefined || !isWithinOne(nmi, handlers(told, 'kprobe_pre'))) return false;
        const missed = skips(told, 'kprobe_running').filter(({ index }) => isIn(index, nmi));
        const forks = calls(told, 'do_fork').filter(({ index }) => isIn(index, nmi));
        return missed.length === 1 && forks.length === 1 && inside(told.callbacks, nmi) === 0;
      },
    },
    {
      says: 'the module prints that one hit was missed',
      holds: (told) =>
        logged(told, 'kprobe at ').some((line) => line.endsWith('is gone, 1 hits were missed')),
    },
    {
      says: 'do_fork is called, and nothing fires, when delete_module has returned',
      holds: (told) => isQuietAfter(told, ends(told, 'delete_module', 'sample')[0], 'do_fork'),
    },
  ],
  'arguments-c-jprobe': [
    {
      says: 'of calls of both tasks the handler comes first, and is left without a return',
      holds: (told) =>
        ['shell', 'cron'].every((task) =>
          like(handlers(told, 'jprobe'), { pid: told.pid(task) }).some((handler) => {
            const left = ofKind(told.events, 'func_abandon').find(
              ({ func, index }) => told.func(func) === 'show_fork' && isIn(index, handler),
            );
            return left !== undefined && isWithinOne(handler, visits(told, 'do_fork'));
          }),
        ),
    },
    {
      says: 'it prints the arguments of either call',
      holds: (told) =>
        logged(told, 'shell forks: clone_flags 11, stack_size 1000').length > 0 &&
        logged(told, 'cron forks: clone_flags 111, stack_size 2000').length > 0,
    },
    {
      says: 'do_fork does as it was told: shell sleeps in it, cron does not, and both get a number',
      holds: (told) => {
        const sleeps = (task: string): readonly boolean[] =>
          like(visits(told, 'do_fork'), { pid: told.pid(task) })
            .filter((visit) => inside(handlers(told, 'jprobe'), visit) === 1)
            .map((visit) =>
              ofKind(told.events, 'sched_switch').some(
                ({ index, prev, state }) =>
                  prev === told.pid(task) && state === 'sleeping' && isIn(index, visit),
              ),
            );
        const numbers = ofKind(told.events, 'func_return').filter(
          ({ func }) => told.func(func) === 'do_fork',
        );
        return (
          sleeps('shell').length > 0 &&
          sleeps('shell').every(Boolean) &&
          sleeps('cron').length > 0 &&
          !sleeps('cron').includes(true) &&
          numbers.every(({ value }) => value > 300n)
        );
      },
    },
    {
      says: 'do_fork is called, and the handler is not, when delete_module has returned',
      holds: (told) => isQuietAfter(told, ends(told, 'delete_module', 'sample')[0], 'do_fork'),
    },
  ],
  'nmissed-c-kretprobe': [
    {
      says: 'calls of two tasks are under way at once, each with both of its handlers',
      holds: (told) => {
        const whole = visits(told, 'do_fork').filter(
          (visit) =>
            handlers(told, 'kretprobe_entry').some(
              (one) => isWithin(one, visit) && handlerOf(told, one.begin) === visit.pid,
            ) &&
            handlers(told, 'kretprobe').some(
              (one) => isWithin(one, visit) && handlerOf(told, one.begin) === visit.pid,
            ),
        );
        return whole.some((one) =>
          whole.some((other) => one.pid !== other.pid && isIn(other.begin, one)),
        );
      },
    },
    {
      says: 'a call that finds no instance has neither handler, and is counted',
      holds: (told) =>
        skips(told, 'no_node').length > 0 &&
        like(ofKind(told.events, 'count'), { counter: 'rp_nmissed' }).length ===
          skips(told, 'no_node').length,
    },
    {
      says: 'the module prints that many',
      holds: (told) => {
        const count = skips(told, 'no_node').length;
        const [line = ''] = logged(told, 'Missed probing ');
        return count > 0 && line.endsWith(`Missed probing ${count} instances of do_fork`);
      },
    },
    {
      says: 'it prints what each call returned that had the handler',
      holds: (told) => {
        const lines = logged(told, 'do_fork returned 3');
        return (
          lines.length > 0 &&
          lines.length + logged(told, 'do_group_exit').length === handlers(told, 'kretprobe').length
        );
      },
    },
    {
      says: 'calls of kthreadd have the entry handler, which refuses',
      holds: (told) => {
        const pid = told.pid('kthreadd');
        return (
          skips(told, 'rejected').length > 0 &&
          like(handlers(told, 'kretprobe_entry'), { pid }).length > 0 &&
          like(handlers(told, 'kretprobe'), { pid }).length === 0
        );
      },
    },
    {
      says: 'quitter ends in do_group_exit: its instance is given back, and the handler is not called',
      holds: (told) => {
        const pid = told.pid('quitter');
        const [entry] = like(handlers(told, 'kretprobe_entry'), { pid, func: 'do_group_exit' });
        const ended = ofKind(told.events, 'task_exit').find((one) => one.pid === pid);
        const flushed = like(ofKind(told.events, 'unhook'), { why: 'flush' });
        return (
          entry !== undefined &&
          ended !== undefined &&
          flushed.some(({ index }) => index > ended.index) &&
          like(handlers(told, 'kretprobe'), { func: 'do_group_exit' }).length === 0
        );
      },
    },
  ],
};

/** In which task the handler that begins at this event runs. */
function handlerOf(told: Told, begin: number): number {
  return told.callbacks.find((one) => one.begin === begin)?.pid ?? -1;
}
