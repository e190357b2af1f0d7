// Layer replay. Who may redirect which function, and what each call under way has made of that (FT-45, CC-G15): told by
// `ipmodify` events alone. Calls of several tasks change claims one after the other, under ftrace_lock, so what a call
// found and what it left of a function are the first and the last thing that its own task told of it.
import type { EventOf } from '../schema.ts';
import { nameOfSite } from './functions.ts';
import type { Control } from './ops.ts';
import type { Story } from './story.ts';

/** Of one function: the object that had the claim before a call touched it, and the one that has it after. */
interface Touch {
  readonly before: number;
  readonly after: number;
  /** The event that told it last. */
  readonly index: number;
}

export interface Claims {
  /** By site. */
  readonly owners: Map<number, number>;
  readonly touched: Map<Control, Map<number, Touch>>;
}

/** A claim that is not whose it ought to be. */
interface WrongClaim {
  readonly what: string;
  readonly index: number;
}

const NOBODY = 0;

export function newClaims(): Claims {
  return { owners: new Map(), touched: new Map() };
}

/** An ops has claimed a function, or nobody has it any more. */
export function claimChanges(
  { owners, touched }: Claims,
  story: Story,
  e: EventOf<'ipmodify'>,
): void {
  const before = owners.get(e.ip) ?? NOBODY;
  const after = e.claimed ? e.object : NOBODY;
  if (e.claimed) owners.set(e.ip, e.object);
  else owners.delete(e.ip);
  const call = story.calls.findLast(({ begin }) => begin.pid === e.pid && begin.level === e.level);
  if (call === undefined) return;
  const sites = touched.get(call) ?? new Map<number, Touch>();
  touched.set(
    call,
    sites.set(e.ip, { before: sites.get(e.ip)?.before ?? before, after, index: e.index }),
  );
}

/** A function goes with its module, and the claim on it. */
export function claimGoes({ owners, touched }: Claims, site: number): void {
  owners.delete(site);
  for (const sites of touched.values()) sites.delete(site);
}

/** What `call`, which returns now, has made of claims and must not have: of all when it failed, of others' at any time. */
export function wrongClaim(
  { touched }: Claims,
  story: Story,
  call: Control,
  failed: boolean,
): WrongClaim | undefined {
  const sites = touched.get(call);
  touched.delete(call);
  for (const [site, { before, after, index }] of sites ?? []) {
    const isOthers = before !== NOBODY && before !== call.ops.object;
    if (before === after || !(failed || isOthers)) continue;
    const now = `${nameOfSite(story.functions, site)} claimed by ${nameOf(story, after)}`;
    return { what: `${now} instead of ${nameOf(story, before)}`, index };
  }
  return undefined;
}

function nameOf({ ops }: Story, object: number): string {
  return ops.find((one) => one.object === object)?.name ?? 'nobody';
}
