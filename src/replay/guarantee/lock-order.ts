// Layer replay. Which locks are taken while which are held, by class: `regex_lock/ops0` and `regex_lock/ops1` are
// of one class, because no order is declared between them. Locks that are taken in both orders can deadlock,
// whether or not they do so in this run. Read sections count as a lock that is held but never waited for, since
// nobody keeps a reader out: only a wait for readers stands behind those who hold it.
import type { Event } from '../schema.ts';

/** A lock that is held, and the event that took it. */
interface Held {
  readonly name: string;
  readonly taken: Event;
}

/** Once `to` was taken while `from` was held; the events that took the two. */
export interface Edge {
  readonly from: string;
  readonly to: string;
  readonly outer: Event;
  readonly inner: Event;
}

export interface LockOrder {
  /** By flow of control, outermost first. */
  readonly held: Map<number, Held[]>;
  /** By class: what was taken while it was held, by class. */
  readonly after: Map<string, Map<string, Edge>>;
  /** How often a lock was taken while another was held. */
  nested: number;
}

export function newLockOrder(): LockOrder {
  return { held: new Map(), after: new Map(), nested: 0 };
}

/** `flow` takes a lock. When that closes a circle: its edges, the new one first. */
export function takeLock(order: LockOrder, flow: number, lock: Held): readonly Edge[] | undefined {
  const circle = passLock(order, flow, lock);
  holdLock(order, flow, lock);
  return circle;
}

/** As `takeLock`, of what nobody ever has to wait for: a read section. */
export function holdLock({ held }: LockOrder, flow: number, lock: Held): void {
  const own = held.get(flow);
  if (own === undefined) held.set(flow, [lock]);
  else own.push(lock);
}

/** As `takeLock`, of what is not kept: a wait. */
export function passLock(order: LockOrder, flow: number, lock: Held): readonly Edge[] | undefined {
  let circle: readonly Edge[] | undefined;
  for (const outer of order.held.get(flow) ?? []) circle ??= nestLock(order, outer, lock);
  return circle;
}

export function dropLock(order: LockOrder, flow: number, name: string): void {
  const own = order.held.get(flow);
  const at = own?.findLastIndex((one) => one.name === name) ?? -1;
  if (at !== -1) own?.splice(at, 1);
}

/** The event by which whoever holds a lock took it. */
export function holderOf({ held }: LockOrder, name: string): Event | undefined {
  for (const own of held.values()) {
    const lock = own.find((one) => one.name === name);
    if (lock !== undefined) return lock.taken;
  }
  return undefined;
}

function nestLock(order: LockOrder, outer: Held, lock: Held): readonly Edge[] | undefined {
  order.nested++;
  const [from, to] = [classOf(outer.name), classOf(lock.name)];
  const edges = order.after.get(from) ?? new Map<string, Edge>();
  if (edges.has(to)) return undefined;
  const edge = { from, to, outer: outer.taken, inner: lock.taken };
  order.after.set(from, edges.set(to, edge));
  const back = wayBetween(order, to, from);
  return back === undefined ? undefined : [edge, ...back];
}

/** The shortest way along edges; undefined when there is none. Asked once for each pair of classes. */
function wayBetween(order: LockOrder, from: string, to: string): readonly Edge[] | undefined {
  const ways: { readonly end: string; readonly edges: readonly Edge[] }[] = [
    { end: from, edges: [] },
  ];
  const seen = new Set([from]);
  for (const { end, edges } of ways) {
    if (end === to) return edges;
    for (const edge of order.after.get(end)?.values() ?? []) {
      if (seen.has(edge.to)) continue;
      seen.add(edge.to);
      ways.push({ end: edge.to, edges: [...edges, edge] });
    }
  }
  return undefined;
}

function classOf(name: string): string {
  const slash = name.indexOf('/');
  return slash === -1 ? name : name.slice(0, slash);
}
