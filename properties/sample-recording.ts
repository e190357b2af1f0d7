// Recordings of made-up events, for tests of the format.
import { ChoiceWriter } from '../src/replay/choices.ts';
import { digestOfBytes } from '../src/replay/digest.ts';
import type { EventLog } from '../src/replay/event-log.ts';
import type { RecordingHeader } from '../src/replay/recording-header.ts';
import { joinBytes, RecordingWriter } from '../src/replay/recording.ts';
import type { StateDigest } from '../src/replay/state-digest.ts';

export const SAMPLE_HEADER: RecordingHeader = {
  version: '0.1.0',
  workload: {
    name: 'sample',
    file: 'sample.yaml',
    source: 'name: sample\n\nfunctions: {}  \n',
    model: { name: 'sample', functions: [], cpus: 2, nested: { deep: [null, true, -1, 1.5, ''] } },
  },
  profile: 'today',
  variants: ['M-13'],
  chooser: { name: 'random', seed: 42 },
  options: { cpus: 2, preempt: true },
  image: { file: 'sample.elf', digest: '0123456789abcdef', bytes: Uint8Array.from([127, 69, 76]) },
};

/** Any digest, of more or less parts: the state of a machine that does not exist. */
export function sampleState(number: number): StateDigest {
  const bytes = Uint8Array.of(number & 0xff, number >> 8);
  const whole = digestOfBytes(bytes, 0, bytes.length);
  return whole + whole.slice(8).repeat((5 * number) % 16);
}

/** `log` in a file with at most `frameEvents` events a frame, some choices in each. */
export function recordSample(
  log: EventLog,
  options: { frameEvents: number; choices?: readonly number[]; header?: RecordingHeader },
): Uint8Array {
  const writer = new RecordingWriter(log);
  const choices = new ChoiceWriter();
  const parts = [writer.begin(options.header ?? SAMPLE_HEADER)];
  for (let frame = 0; frame === 0 || writer.events < log.count; frame++) {
    for (const index of options.choices ?? [0, 0, frame, 0]) choices.append(index);
    const to = Math.min(log.count, writer.events + options.frameEvents);
    const state = frame % 3 === 2 ? null : sampleState(frame);
    parts.push(writer.piece({ to, choices: choices.take(), state }));
  }
  parts.push(writer.end(log.count * 2));
  return joinBytes(parts);
}
