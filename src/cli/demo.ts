// Layer cli. `npm run demo`: one run from a workload on disk to a verdict, by the commands that a user would
// type. Not part of the package.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const PROGRAM = join('dist', 'cli', 'main.js');
const WORKLOAD = join('golden', 'filter-swap-interrupted.yaml');
const RECORDING = 'demo.trace';

const STEPS: readonly (readonly [about: string, words: readonly string[]])[] = [
  [
    'Record: two CPUs run traced code; its filter is swapped while an interrupt and an NMI\narrive inside the callback, then the callback is unregistered.',
    ['record', WORKLOAD, '-o', RECORDING],
  ],
  ['Replay: the same run again, from nothing but the recording.', ['replay', RECORDING]],
  [
    "Report: the run as the kernel's trace file shows it.",
    ['report', RECORDING, '--format', 'ftrace'],
  ],
  ['Judge: what the documents promise, held against every event.', ['judge', RECORDING]],
];

let status = 0;
for (const [about, words] of STEPS) {
  process.stdout.write(
    `\n# ${about.replaceAll('\n', '\n# ')}\n$ node ${PROGRAM} ${words.join(' ')}\n`,
  );
  const step = spawnSync(process.execPath, [PROGRAM, ...words], { stdio: 'inherit' });
  status = Math.max(status, step.status ?? 1);
}
process.exitCode = status;
