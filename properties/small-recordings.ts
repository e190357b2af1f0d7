// Recordings with the events of a golden and frames of a few events each, new texts in most of them: quick to
// read, and damaged in every part.
import { known } from '../src/assert.ts';
import { ChoiceWriter } from '../src/replay/choices.ts';
import { EventLog } from '../src/replay/event-log.ts';
import { joinBytes, readRecording, RecordingWriter } from '../src/replay/recording.ts';
import { kindByName } from '../src/replay/schema.ts';
import { SAMPLE_HEADER, sampleState } from './sample-recording.ts';

/** What of a recording is taken, and how it is cut. */
export interface Cut {
  /** Tells its run from others. */
  readonly seed: number;
  readonly from: number;
  readonly events: number;
  readonly frameEvents: number;
  /** All choices of every frame. */
  readonly choices: readonly number[];
}

/** Some events of `golden` as a recording of their own. */
export function smallRecording(golden: Uint8Array, cut: Cut): Uint8Array {
  const { log: source } = readRecording(golden);
  const log = new EventLog();
  const writer = new RecordingWriter(log);
  const parts = [writer.begin({ ...SAMPLE_HEADER, chooser: { name: 'random', seed: cut.seed } })];
  const rowsEnd = Math.min(source.count, cut.from + cut.events);
  for (let at = cut.from; at < rowsEnd; at += cut.frameEvents) {
    const to = Math.min(rowsEnd, at + cut.frameEvents);
    for (let event = at; event < to; event++) copyEvent(source, event, log);
    const choices = new ChoiceWriter();
    for (const index of cut.choices) choices.append(index);
    const state = at % 3 === 2 ? null : sampleState(at);
    parts.push(writer.piece({ to: log.count, choices: choices.take(), state }));
  }
  parts.push(writer.end(log.count * 2));
  return joinBytes(parts);
}

/** Appends event `index`; its texts get the numbers that come next. */
function copyEvent(source: EventLog, index: number, log: EventLog): void {
  const row = source.rows(index, index + 1).slice();
  const kind = known(kindByName(source.at(index).event), 'an event is of a kind');
  for (const { type, word } of kind.fields) {
    const at = row.length - kind.words + word;
    if (type === 'string') row[at] = log.strings.id(source.strings.text(row[at] ?? 0));
  }
  log.append(row);
}
