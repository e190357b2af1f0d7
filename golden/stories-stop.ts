// What the stories of the goldens about stopped machines claim, as checks of the recorded runs.
import type { EventOf } from '../src/replay/schema.ts';
import { type Claim, REGISTER } from './moments.ts';
import { isIn, like, ofKind, type Told } from './told.ts';

/** By the golden's name. */
export const STOP_STORIES: Readonly<Record<string, readonly Claim[]>> = {
  'text-stop-machine': [
    {
      says: 'register stops the machine: interrupts are off on all CPUs before both halves are written at once',
      holds: (told) => {
        const [pair] = pairs(told);
        const off = turned(told, false).filter(({ index }) => index < (pair?.index ?? 0));
        return pair !== undefined && [0, 1, 2].every((cpu) => off.some((e) => e.cpu === cpu));
      },
    },
    {
      says: 'between the last irqs off and the first irqs on nothing happens but text_pair',
      holds: (told) => {
        const [pair] = pairs(told);
        const last = turned(told, false).findLast(({ index }) => index < (pair?.index ?? 0));
        const first = turned(told, true).find(({ index }) => index > (pair?.index ?? 0));
        if (last === undefined || first === undefined) return false;
        const between = told.events.slice(last.index + 1, first.index);
        return between.length > 0 && between.every(({ event }) => event === 'text_pair');
      },
    },
    {
      says: 'the stop begins while CPU 2 has interrupts off, and waits until it has turned them on',
      holds: (told) => {
        const [stop] = ofKind(told.events, 'stop_begin');
        const [pair] = pairs(told);
        const irqs = ofKind(told.events, 'irqs').filter(({ cpu, asked }) => cpu === 2 && asked);
        const before = irqs.findLast(({ index }) => index < (stop?.index ?? 0));
        const during = irqs.find(({ index }) => index > (stop?.index ?? 0));
        return before?.on === false && during?.on === true && during.index < (pair?.index ?? 0);
      },
    },
    {
      says: 'every fetch of the site is of the newest version, and none is torn',
      holds: (told) => {
        const fetched = ofKind(told.events, 'site_fetch');
        return (
          fetched.length > 0 &&
          fetched.every(({ does, newest, seen }) => does !== 'torn' && seen === newest)
        );
      },
    },
    {
      says: 'reader and cruncher give way between two of their calls only',
      holds: (told) =>
        ['reader', 'cruncher'].every((task) => {
          const pid = told.pid(task);
          const left = ofKind(told.events, 'sched_switch').filter(
            ({ prev, state }) => prev === pid && state === 'preempted',
          );
          return left.length > 0 && left.every(({ index }) => depthAt(told, pid, index) === 0);
        }),
    },
  ],
};

/** Sites written while register ran. */
function pairs(told: Told): readonly EventOf<'text_pair'>[] {
  const [register] = like(told.operations, { op: REGISTER });
  return ofKind(told.events, 'text_pair').filter(
    ({ index }) => register !== undefined && isIn(index, register),
  );
}

/** Where the stop itself, and no guest code, turned interrupts off or on. */
function turned(told: Told, on: boolean): readonly EventOf<'irqs'>[] {
  return ofKind(told.events, 'irqs').filter((e) => e.on === on && !e.asked);
}

/** How many functions task `pid` is in at event `index`. */
function depthAt({ events }: Told, pid: number, index: number): number {
  let depth = 0;
  for (const e of events.slice(0, index)) {
    if (e.pid !== pid || e.level !== 0) continue;
    if (e.event === 'func_enter') depth++;
    else if (e.event === 'func_return') depth--;
  }
  return depth;
}
