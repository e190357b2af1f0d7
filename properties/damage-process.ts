// Starts `damage-child.ts` and waits for what it says. Its old space is bounded, so that a reader that makes too
// much dies in it; what the process held altogether is measured.
import { spawn } from 'node:child_process';
import type { DamageAnswer } from './damage-child.ts';
import type { DamageOptions } from './damage.ts';

/** MiB of V8's old space: what is left of 256 is for the program, young space and buffers. */
const OLD_SPACE = 128;

/** Runs the built program `child`. A process that dies is an error. */
export function damageInProcess(child: string, options: DamageOptions): Promise<DamageAnswer> {
  const words = [`--max-old-space-size=${OLD_SPACE}`, child, JSON.stringify(options)];
  const running = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  running.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  return new Promise((resolve, reject) => {
    running.on('error', reject);
    running.on('close', (code, signal) => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the child wrote it
      if (code === 0) resolve(JSON.parse(said) as DamageAnswer);
      else reject(new Error(`${options.kind}: the process ended with ${code ?? signal}`));
    });
  });
}

/** How to see a failure again. */
export function repeatDamage({ kind, seed }: DamageOptions): string {
  const task = `{"kind":"${kind}","seed":${seed},"count":0,"folder":"golden","only":NUMBER}`;
  return `npm run -s tools && node dist-bench/properties/damage-child.js '${task}'`;
}
