// What the struct of a probe has when it is registered: as far as the text of the step says it, and otherwise as the module of
// the scenario had it, which is seen of who runs in all of it.
import { type Fill, KPROBE_FLAG_DISABLED } from './kprobe-rig.ts';

/** What is known of the machine before a scenario is played. */
export interface Known {
  /** What `register_kprobe` says of each byte of a function. */
  readonly offsets: readonly number[];
  readonly cpus: number;
}

/** What is known where a step is told. */
export interface Telling {
  /** The scenario. */
  readonly id: string;
  readonly known: Known;
  /** The probe that the last register named. */
  readonly name: string;
  /** Looks at the same numbers, and things that are done once for several looks. */
  readonly done: Set<string>;
  /** How many commands came before the last register of a probe. */
  since: (name: string) => number;
  /** `A` in a text is `KA` or `RA`. */
  named: (text: string) => string;
}

/** The function on which the probes of a scenario are, where a step does not say it. */
const PLACES: Readonly<Record<string, string>> = {
  K19: 'victim_fn',
  K20: 'tgt_mid',
  R02: 'tgt_rec',
  R05: 'tgt_rec',
  R06: 'tgt_block',
  R13: 'tgt_block',
  R16: 'tgt_mid',
};
/** Probes that have a post_handler though no text says so. */
const POSTS: Readonly<Record<string, string>> = { K06: 'AB', K09: 'BC', K13: 'GH', K20: 'A' };

/** The function of which a text speaks; else that of the scenario. */
export function placeOf(id: string, what: string): string {
  const [, name] =
    /\b(?:on|inside|of) (?:tgt_)?(a1|a2|help|notrace|mid|outer|victim_fn)\b/u.exec(what) ?? [];
  if (name === undefined) return PLACES[id] ?? 'tgt_a1';
  return name === 'victim_fn' ? name : `tgt_${name}`;
}

/** The struct for a step that registers. */
export function fillOf({ id, name, known }: Telling, what: string): Fill {
  if (id === 'R07') return targetOf(what);
  const number = (pattern: RegExp): number => Number(pattern.exec(what)?.[1] ?? 0);
  const inside = what.includes('inside') || what.includes('plus that offset');
  const [, blocked] = /^register_kprobe on (\w+)/u.exec(what) ?? [];
  return {
    symbol: blocked ?? placeOf(id, what),
    offset: inside ? firstBoundary(known.offsets) : 0,
    flags: /flags DISABLED/u.test(what) ? KPROBE_FLAG_DISABLED : 0,
    handlers: blocked === undefined ? handlersOf(id, name, what) : [],
    maxactive: number(/maxactive (-?\d+)/u) || (id === 'R05' && what.includes('again') ? 2 : 0),
    nmissed: number(/nmissed was set to (\d+)/u),
    dataSize: number(/data_size (\d+)/u),
  };
}

/** The first instruction boundary at or after this offset. */
const FROM = 10;

export function firstBoundary(offsets: readonly number[]): number {
  return offsets.findIndex((result, offset) => offset >= FROM && result === 0);
}

function handlersOf(id: string, name: string, what: string): NonNullable<Fill['handlers']> {
  if (name.startsWith('R')) {
    const both = ['entry', 'return'] as const;
    return both.filter((which) => !what.includes(`no ${which} handler`));
  }
  if (what.includes('no handlers')) return [];
  if (what.includes('post only')) return ['post'];
  const isPost =
    /pre and post|its post-handler/u.test(what) || POSTS[id]?.includes(name.slice(1)) === true;
  return isPost ? ['pre', 'post'] : ['pre'];
}

/** R07: where a kretprobe is to be. */
function targetOf(what: string): Fill {
  const [, target = ''] = /^register_kretprobe\((.*)\)$/u.exec(what) ?? [];
  const handlers = ['entry', 'return'] as const;
  const [, plus = 0] = /^addr of tgt_a1(?: \+ (\d+))?/u.exec(target) ?? [];
  const addr = { at: 'tgt_a1', plus: Number(plus) };
  const [, offset = 0] = /offset (\d+)/u.exec(target) ?? [];
  if (target === 'neither') return { handlers };
  if (target === 'symbol_name and addr') return { symbol: 'tgt_a1', addr, handlers };
  if (target.startsWith('addr of')) return { addr, handlers };
  if (target.includes('no function')) return { symbol: 'tgt_none', handlers };
  const isNamed = target.startsWith('symbol_name');
  const [symbol = ''] = isNamed ? ['tgt_a1'] : target.split(' ');
  return { symbol, offset: Number(offset), handlers };
}
