// Runs workloads with compiled code on the whole machine, for the tests of this folder.
import { readFileSync } from 'node:fs';
import { calmChooser } from '../../src/emu/choose.ts';
import { openSession, prepareModel } from '../../src/replay/prepare.ts';
import type { Event, EventName } from '../../src/replay/schema.ts';
import type { Session } from '../../src/replay/session.ts';

/** What these workloads leave to defaults. */
export interface CModel {
  /** `today` by default. */
  readonly profile?: string;
  readonly machine?: object;
  /** Files of this folder. */
  readonly image?: string;
  readonly modules?: Readonly<Record<string, { readonly image: string; readonly params?: object }>>;
  readonly [section: string]: unknown;
}

export interface CRun {
  readonly session: Session;
  readonly events: readonly Event[];
  of<N extends EventName>(name: N): Extract<Event, { readonly event: N }>[];
  /** The kernel log. */
  readonly log: readonly string[];
}

/** Runs `model` to its end, calmly; `each` sees the machine before every step. */
export function runC(model: CModel, each?: (session: Session) => void): CRun {
  const { profile = 'today', ...rest } = model;
  const whole = { name: 'c', machine: { cpus: 2 }, ...rest };
  const image = model.image === undefined ? undefined : readC(model.image);
  const modules = Object.entries(model.modules ?? {}).map(([name, { image: file }]) => ({
    name,
    bytes: readC(file),
  }));
  const { plan } = prepareModel(whole, { image, modules }, 'c');
  const session = openSession(plan, { profile, variants: [] }, calmChooser);
  // Whoever looks sees every step, and no burst of them.
  if (each !== undefined) session.machine.eventsPause = 0;
  do each?.(session);
  while (session.tick());
  const events = [...session.log.events(0, session.log.count)];
  const of: CRun['of'] = (name) =>
    events.filter((event): event is Extract<Event, { readonly event: typeof name }> => {
      return event.event === name;
    });
  return { session, events, of, log: of('printk').map(({ text }) => text) };
}

export function readC(file: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(file, import.meta.url)));
}
