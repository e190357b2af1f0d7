// One recording in a process or worker thread of its own, for determinism.test.ts. It runs from built code,
// is started with a task as JSON, and writes the recording's bytes into a file.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { recordGolden } from '../golden/golden.ts';
import type { Chooser } from '../src/emu/choose.ts';
import { RecordingChooser } from '../src/replay/choices.ts';
import { Random } from '../src/replay/explore/random.ts';
import { driveFrames } from '../src/replay/frames.ts';
import { openSession, prepareModel } from '../src/replay/prepare.ts';
import { joinBytes, readRecording, RecordingWriter } from '../src/replay/recording.ts';
import { filesOf } from '../src/replay/replay.ts';

export interface ChildTask {
  /** The folder of the goldens, and the one to record. */
  readonly folder: string;
  readonly golden: string;
  /** One file: recorded by this thread. Several: by as many worker threads at once. */
  readonly files: readonly string[];
  /** `clock` records with a chooser that depends on when it runs. */
  readonly plant?: 'clock';
}

/** Questions that the planted chooser answers calmly before the clock decides. */
const CALM_FIRST = 400;

function recordInto(task: ChildTask, file: string): void {
  const { folder, golden, plant } = task;
  const bytes = plant === undefined ? recordGolden(folder, golden).trace : recordPlanted(task);
  writeFileSync(file, bytes);
}

/** The golden's workload under a chooser that looks at the clock. */
function recordPlanted({ folder, golden }: ChildTask): Uint8Array {
  const { header } = readRecording(readFileSync(join(folder, `${golden}.trace`)));
  const { model, file } = header.workload;
  const { plan } = prepareModel(model, filesOf(header), file);
  const chooser = new RecordingChooser(clockChooser());
  const session = openSession(plan, header, chooser);
  const writer = new RecordingWriter(session.log);
  const parts = [writer.begin(header)];
  driveFrames(session, {
    frame: (_end, state) => {
      parts.push(writer.frame(chooser.choices.take(), state));
    },
  });
  return joinBytes([...parts, writer.end(session.machine.step)]);
}

function clockChooser(): Chooser {
  const random = new Random(Number(process.hrtime.bigint() % 0x100000000n));
  let asked = 0;
  return {
    choose: (_point, count) => (asked++ < CALM_FIRST || random.below(4) > 0 ? 0 : count - 1),
  };
}

function start(task: ChildTask): void {
  const [file, ...others] = task.files;
  if (file !== undefined && others.length === 0) return recordInto(task, file);
  for (const [index, one] of task.files.entries()) startWorker({ ...task, files: [one] }, index);
}

/** Workers of one process share its environment, but neither heap nor stack. */
function startWorker(task: ChildTask, index: number): Worker {
  const resourceLimits = { maxYoungGenerationSizeMb: 1 + index * 3, stackSizeMb: 4 + index };
  return new Worker(new URL(import.meta.url), { workerData: task, resourceLimits });
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- determinism-many.ts made it
start((isMainThread ? JSON.parse(process.argv[2] ?? '') : workerData) as ChildTask);
