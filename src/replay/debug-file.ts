// Layer replay. Files of debugfs as they were at an event of a recording: the run is made again up to the end of the step
// in which that event happened, and the file is read from the machine as it stands there.
import { InputError } from '../assert.ts';
import { kprobeFiles } from '../trace/kprobe-files.ts';
import { Divergence, RecordedChooser } from './choices.ts';
import type { DefinedPath } from './handler.ts';
import { openSession, prepareModel } from './prepare.ts';
import type { Recording } from './recording.ts';
import { filesOf } from './replay.ts';
import type { Session } from './session.ts';
import { didYouMean } from './workload/nearest.ts';

export interface DebugFileRequest {
  /** Below debugfs: `kprobes/list`. */
  readonly file: string;
  /** The index of an event; undefined: the last one. */
  readonly at?: number | undefined;
  /** Paths in TypeScript that are at hand. */
  readonly handlers?: readonly DefinedPath[] | undefined;
}

/** The text of the file; InputError where there is no such file, event or run. */
export function readDebugFile(
  recording: Recording,
  { file, at: asked, handlers }: DebugFileRequest,
): string {
  const { frames, header, log } = recording;
  const last = log.count - 1;
  const at = asked ?? last;
  if (log.count === 0) throw new InputError('the recording has no event');
  if (!Number.isInteger(at) || at < 0 || at > last) {
    throw new InputError(`expected an event from 0 to ${last}, found ${at}`, 'at');
  }
  const { model, file: workload } = header.workload;
  const { plan, handlers: chosen } = prepareModel(model, filesOf(header), workload, handlers);
  const chooser = new RecordedChooser(frames.map(({ choices }) => choices));
  const session = openSession(plan, header, chooser, chosen);
  const files = kprobeFiles(session.kernel);
  const read = files.get(file);
  if (read === undefined) {
    const names = [...files.keys()];
    const hint = didYouMean(file, names) || ',';
    throw new InputError(`no file '${file}'${hint} expected one of ${names.join(', ')}`);
  }
  runUpTo(session, recording, at);
  return read(session.kernel);
}

/** Runs until the step of event `at` is over, and sees that all is as recorded so far. */
function runUpTo(session: Session, { log }: Recording, at: number): void {
  session.machine.eventsPause = at + 1;
  try {
    while (session.log.count <= at && session.tick());
  } catch (error) {
    if (!(error instanceof Divergence)) throw error;
    throw otherRun(at);
  }
  if (session.log.count <= at) throw otherRun(at);
  const [recorded, again] = [log.rows(0, at + 1), session.log.rows(0, at + 1)];
  if (recorded.length !== again.length || recorded.some((word, i) => word !== again[i])) {
    throw otherRun(at);
  }
}

function otherRun(at: number): InputError {
  return new InputError(
    `the run is not the recorded one up to event ${at}: replay says where it differs`,
  );
}
