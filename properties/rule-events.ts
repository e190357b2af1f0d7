// Words for situations of rules (rule-situations.ts), as listeners of a run's events.
import { NO_ADDRESS } from '../src/emu/address.ts';
import { EXIT } from '../src/replay/guarantee/fprobes.ts';
import type { TracedFunction } from '../src/replay/guarantee/functions.ts';
import type { Listeners } from '../src/replay/guarantee/listen.ts';
import {
  FLAG_IPMODIFY,
  isRegistered,
  type Control,
  type Ops,
} from '../src/replay/guarantee/ops.ts';
import { type HashHistory, selects, spares } from '../src/replay/guarantee/selection.ts';
import type { Story } from '../src/replay/guarantee/story.ts';
import type { EventName, EventOf } from '../src/replay/schema.ts';

/** Calls `met` each time that a run puts a rule to the test. */
export type Situation = (story: Story, met: () => void) => Listeners;

export const REGISTER = 'register_ftrace_function';
export const UNREGISTER = 'unregister_ftrace_function';
const UNREGISTER_FPROBE = 'unregister_fprobe';
const REGISTER_FPROBE = 'register_fprobe';
const NMISSED = 'nmissed';

/** At each event of this kind of which `is` is true. */
export function whenever<N extends EventName>(
  name: N,
  is: (story: Story, event: EventOf<N>) => boolean,
): Situation {
  return (story, met) => {
    const heard = (event: EventOf<N>): void => {
      if (is(story, event)) met();
    };
    return { [name]: heard };
  };
}

/** A call on an ftrace_ops returns. */
export function controlEnds(is: (control: Control, end: EventOf<'ctl_end'>) => boolean): Situation {
  return whenever('ctl_end', ({ control }, e) => control !== undefined && is(control, e));
}

/** A function that can be hooked is entered. */
export function entered(
  is: (story: Story, what: TracedFunction, event: EventOf<'func_enter'>) => boolean,
): Situation {
  return whenever(
    'func_enter',
    (story, e) => story.entered !== undefined && is(story, story.entered, e),
  );
}

/** A call site is fetched, and calls a trampoline of a kind; '' for what is none. */
export function calls(kind?: 'trampoline'): Situation {
  return (_story, met) => {
    const places = new Map<number, string>();
    return {
      alloc: (e) => {
        if (e.kind === 'trampoline') places.set(e.address, e.kind);
      },
      site_fetch: ({ does, target }) => {
        if (does === 'call' && (kind === undefined || places.get(target) === kind)) met();
      },
    };
  };
}

function lifeOf(e: EventOf<'alloc' | 'free'>): string {
  return `${e.object} ${e.generation}`;
}

/** A trampoline is freed that some site called into. */
export const trampolineFreed: Situation = (_story, met) => {
  const called = new Set<number>();
  const places = new Map<string, number>();
  return {
    alloc: (e) => {
      called.delete(e.address);
      if (e.kind === 'trampoline') places.set(lifeOf(e), e.address);
    },
    site_fetch: ({ does, target }) => {
      if (does === 'call') called.add(target);
    },
    free: (e) => {
      const place = places.get(lifeOf(e));
      if (place !== undefined && called.has(place)) met();
    },
  };
};

/** unregister_fprobe returns 0 to a registration that ran a handler, and was reached through one of `hooks`. */
export function fprobeEnds(...hooks: readonly string[]): Situation {
  return whenever('ctl_end', ({ fprobes }, { generation, object, op, result }) => {
    if (op !== UNREGISTER_FPROBE || result !== 0) return false;
    const fprobe = fprobes.all.find((one) => one.object === object);
    return fprobe?.ran.has(generation) === true && hooks.includes(fprobe.told?.hook ?? '');
  });
}

/** In an interrupt the shadow stack gets a frame, or is unwound, while the task that it interrupted has frames there. */
export const shadowStackShared: Situation = ({ fprobes }, met) => {
  const frames = new Map<number, number>();
  const change = (pid: number, by: number): number => {
    const count = (frames.get(pid) ?? 0) + by;
    frames.set(pid, count);
    return count;
  };
  const isShadow = (object: number): boolean =>
    fprobes.all.find((one) => one.object === object)?.told?.hook === 'fgraph';
  return {
    hook: ({ level, object, pid }) => {
      if (isShadow(object) && change(pid, 1) > 1 && level > 0) met();
    },
    unhook: ({ object, pid }) => {
      if (isShadow(object)) change(pid, -1);
    },
    unwind: ({ level, pid }) => {
      if (level > 0 && (frames.get(pid) ?? 0) > 0) met();
    },
  };
};

/** An exit handler gets data. */
export const exitGetsData: Situation = whenever(
  'fprobe_data',
  ({ fprobes }, { entry_data }) =>
    fprobes.handler?.begin.kind === EXIT && entry_data !== NO_ADDRESS,
);

/** A miss is counted on an fprobe of one of these hooks. */
export function counted(...hooks: readonly string[]): Situation {
  return whenever('count', ({ fprobes }, { counter, object }) => {
    const fprobe = fprobes.all.find((one) => one.object === object);
    return counter === NMISSED && hooks.includes(fprobe?.told?.hook ?? '');
  });
}

/** The return of a call is taken for one more fprobe of this hook. */
export function callShared(hook: string): Situation {
  return ({ fprobes }, met) => {
    let last: EventOf<'hook'> | undefined;
    return {
      hook: (e) => {
        const isSame = last?.frame === e.frame && last.ip === e.ip && last.pid === e.pid;
        const { told } = fprobes.all.find(({ object }) => object === e.object) ?? {};
        if (isSame && last?.object !== e.object && told?.hook === hook) met();
        last = e;
      },
    };
  };
}

/** An fprobe that counted misses is registered again. */
export const counterStartsAgain: Situation = (_story, met) => {
  const missed = new Set<number>();
  return {
    count: ({ counter, object }) => {
      if (counter === NMISSED) missed.add(object);
    },
    ctl_end: ({ object, op, result }) => {
      if (op.startsWith(REGISTER_FPROBE) && result === 0 && missed.has(object)) met();
    },
  };
};

/** A hit of an fprobe is refused for recursion: it is the third of its context. */
export const fprobeRefused: Situation = whenever(
  'skip',
  ({ fprobes }, { object, reason }) =>
    reason === 'recursion' && fprobes.all.some((one) => one.object === object),
);

/** A write of 0 is refused for a PERMANENT ops, or such an ops because it is 0. */
export const permanentRefused: Situation = whenever('ctl_end', (story, { op, result }) => {
  if (result >= 0) return false;
  if (op === 'ftrace_enabled') return some(story, ({ isPermanent }) => isPermanent);
  return (
    op === REGISTER &&
    story.control?.ops.isPermanent === true &&
    story.settings.enabled.value === false
  );
});

/** A register is shown by a callback of an ops that was promised all of them, or was not. */
export function shows(promised: boolean): Situation {
  return whenever('regs', ({ ops }, { object }) =>
    ops.some((one) => one.object === object && one.promisedRegs === promised),
  );
}

/** Is some ops that is registered like this? */
export function some({ ops }: Story, is: (ops: Ops) => boolean): boolean {
  return ops.some((one) => isRegistered(one) && is(one));
}

export function wantsRedirects({ flags }: Ops): boolean {
  return (flags & FLAG_IPMODIFY) !== 0;
}

/** Does it select the site for certain? */
export function hasSelected({ filter, notrace }: Ops, site: number): boolean {
  return (
    filter.now.every((hash) => selects(hash, site)) &&
    notrace.now.every((hash) => spares(hash, site))
  );
}

/** Is nothing in the set, for certain; or something? */
export function isSet({ lost, now }: HashHistory, is: 'empty' | 'filled'): boolean {
  return !lost && now.every(({ size }) => (size === 0) === (is === 'empty'));
}
