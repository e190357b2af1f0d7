// A recording run again with frames of few events: quick to replay, and with much between its frames to damage. The
// choices of each frame are those that were made up to its last event, as in a file of long frames.
import { RecordedChooser, RecordingChooser } from '../src/replay/choices.ts';
import { openSession, prepareModel } from '../src/replay/prepare.ts';
import { joinBytes, readRecording, RecordingWriter } from '../src/replay/recording.ts';
import { filesOf } from '../src/replay/replay.ts';

/** The same run as `bytes`, in frames of `frameEvents` events and a few more. */
export function reframed(bytes: Uint8Array, frameEvents: number): Uint8Array {
  const { header, frames } = readRecording(bytes);
  const { model, file } = header.workload;
  const { plan, handlers } = prepareModel(model, filesOf(header), file, []);
  const recorded = new RecordedChooser(frames.map(({ choices }) => choices));
  const chooser = new RecordingChooser(recorded);
  const session = openSession(plan, header, chooser, handlers);
  const { log, machine } = session;
  const writer = new RecordingWriter(log);
  const parts = [writer.begin(header)];
  for (let isRunning = true; isRunning;) {
    machine.eventsPause = writer.events + frameEvents;
    isRunning = session.tick();
    if (log.count - writer.events >= frameEvents || !isRunning)
      parts.push(writer.frame(chooser.choices.take(), null));
  }
  parts.push(writer.end(machine.step));
  return joinBytes(parts);
}
