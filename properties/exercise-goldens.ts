// Runs goldens again from their recordings, and counts what they do.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { goldenNames } from '../golden/golden.ts';
import { RecordedChooser } from '../src/replay/choices.ts';
import { judgeEvents } from '../src/replay/guarantee/index.ts';
import { openSession, prepareModel } from '../src/replay/prepare.ts';
import { readRecording } from '../src/replay/recording.ts';
import { filesOf } from '../src/replay/replay.ts';
import type { Step } from '../tidy/steps.ts';
import { type Exercise, newExercise, watchRun } from './exercise.ts';

/** What all goldens of `folder` do. */
export function exerciseGoldens(folder: string, steps: readonly Step[]): Exercise {
  const exercise = newExercise(steps);
  for (const name of goldenNames(folder)) exerciseGolden(folder, name, exercise);
  return exercise;
}

function exerciseGolden(folder: string, name: string, exercise: Exercise): void {
  const bytes = new Uint8Array(readFileSync(join(folder, `${name}.trace`)));
  const { header, frames } = readRecording(bytes);
  const { model, file } = header.workload;
  const { plan } = prepareModel(model, filesOf(header), file);
  const choices = new RecordedChooser(frames.map((frame) => frame.choices));
  const watched = watchRun(exercise, choices);
  const session = openSession(plan, header, watched.chooser);
  while (session.tick());
  const judged = judgeEvents(session.log.events());
  watched.end(
    session.log,
    new Map(judged.map(({ guarantee, verdict }) => [guarantee.name, verdict])),
  );
}
