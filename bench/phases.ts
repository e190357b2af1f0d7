// Where the time of a whole run goes, phase by phase, and what its machinery alone would take: as many turns of the
// step loop in which a path does nothing but go on, as many events that nobody looks at. Phases are differences:
// runs that stop after each of them are measured in turn.
import { smallMachine } from '../properties/small-machine.ts';
import { known } from '../src/assert.ts';
import { tick } from '../src/emu/loop.ts';
import { readOnce } from '../src/emu/path.ts';
import { Digest } from '../src/replay/digest.ts';
import { EventLog } from '../src/replay/event-log.ts';
import { EVENT_ID_COUNT, EVENTS } from '../src/replay/schema.ts';
import { type Clock, inTurn, type Timed } from './clock.ts';
import type { Figure, Suite } from './suite.ts';
import { judgedRun, openedRun, plannedRun, recordedRun, type Run, stepped } from './whole-runs.ts';

const PASSES = 5;
const US = 1e6;

/** In the order in which a run passes them; each does what those before it do, too. */
const PHASES: readonly (readonly [name: string, run: Run])[] = [
  ['plan', plannedRun],
  ['image, machine, boot', openedRun],
  ['steps', (seed) => stepped(seed).machine.step],
  ['judging', judgedRun],
  ['recording', recordedRun],
];

export const phases: Suite = {
  budgets: {},
  measure({ clock, toy }) {
    const runs = toy ? 2 : 40;
    const { turns, events } = sizeOf(runs);
    const emptyTurns = turnsOf(turns);
    const found = inTurn(toy ? 1 : PASSES, [
      ...PHASES.map(
        ([, run]) =>
          (): Timed =>
            timed(clock, runs, run),
      ),
      () => timed(clock, runs, emptyTurns),
      () => timed(clock, runs, () => emptyEvents(events)),
    ]);
    const us = found.map(({ seconds }) => (seconds / runs) * US);
    const digest = found.map((one) => one.digest).join('');
    const row = (name: string, value: number): Figure => ({ name, value, unit: 'us', digest });
    return [
      ...PHASES.map(([name], i) => row(`a run: ${name}`, at(us, i) - (us[i - 1] ?? 0))),
      row(`floor: ${turns} turns of the loop`, at(us, PHASES.length)),
      row(`floor: ${events} events`, at(us, PHASES.length + 1)),
    ];
  },
};

/** Of an average run. */
function sizeOf(runs: number): { readonly turns: number; readonly events: number } {
  let [turns, events] = [0, 0];
  for (let seed = 0; seed < runs; seed++) {
    const { log } = stepped(seed, () => turns++);
    events += log.count;
  }
  return { turns: Math.round(turns / runs), events: Math.round(events / runs) };
}

function timed(clock: Clock, runs: number, run: Run): Timed {
  const digest = new Digest();
  const seconds = clock(() => {
    for (let seed = 0; seed < runs; seed++) digest.word(run(seed, digest));
  });
  return { seconds, digest: digest.hex() };
}

/** One path that goes on: nobody to choose between, nothing to tell. Booting is no part of it. */
function turnsOf(turns: number): () => number {
  const small = smallMachine({
    functions: {},
    machine: { cpus: 1, stepsMax: Number.MAX_SAFE_INTEGER },
  });
  const { machine } = small;
  const cell = machine.cells.cell('floor', 0);
  small.thread('floor', 0, function* () {
    for (;;) yield* readOnce(cell);
  });
  return () => {
    for (let turn = 0; turn < turns; turn++) tick(machine);
    return turns;
  };
}

/** Emitted, and heard by one who does nothing. */
function emptyEvents(events: number): number {
  const log = new EventLog();
  const { id } = EVENTS.func_enter;
  for (let i = 0; i < events; i++) log.emit(id, i, 0, 0, 1, 0x40, 0x80, 0x1000, 0, 0, 0, 0, 0);
  let heard = 0;
  const listeners = Array.from({ length: EVENT_ID_COUNT }, (_, other) =>
    other === id ? [(): void => void heard++] : undefined,
  );
  log.hear(listeners);
  return heard;
}

function at(values: readonly number[], index: number): number {
  return known(values[index], 'it was measured');
}
