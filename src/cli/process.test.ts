// The program as a process: signals, pipes and exit statuses. Builds itself, aside from `dist`.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { endlessWorkload } from '../../properties/endless-workload.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Below the root, so that packages are found. */
const BUILDS = join(ROOT, 'dist-bench');

const LONG = endlessWorkload('long', 1);
const SHORT = LONG.replaceAll('1000000 }', '20 }');
const TIMEOUT_MS = 60_000;

let build = '';
let cwd = '';

beforeAll(() => {
  mkdirSync(BUILDS, { recursive: true });
  build = mkdtempSync(join(BUILDS, 'cli-'));
  cwd = mkdtempSync(join(tmpdir(), 'reprobe-process-'));
  const tsc = join(ROOT, 'node_modules/.bin/tsc');
  const options = ['-p', 'tsconfig.build.json', '--outDir', build, '--declaration', 'false'];
  const { status, stdout } = spawnSync(tsc, options, { cwd: ROOT, encoding: 'utf8' });
  expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  writeFileSync(join(cwd, 'long.yaml'), LONG);
  writeFileSync(join(cwd, 'short.yaml'), SHORT);
}, TIMEOUT_MS);

afterAll(() => {
  rmSync(build, { recursive: true });
  rmSync(cwd, { recursive: true });
});

function program(): string {
  return join(build, 'cli', 'main.js');
}

function reprobe(...argv: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [program(), ...argv], { cwd, encoding: 'utf8' });
}

/** Resolves once the recording has some frames. */
async function grown(file: string, child: ChildProcess): Promise<void> {
  const size = (): number => statSync(join(cwd, file), { throwIfNoEntry: false })?.size ?? 0;
  while (child.exitCode === null && size() < 100_000) {
    // oxlint-disable-next-line no-await-in-loop -- the file grows meanwhile
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
}

interface Ended {
  readonly code: number | null;
  readonly err: string;
}

async function recordUntil(file: string, signal: NodeJS.Signals): Promise<Ended> {
  const argv = [program(), 'record', 'long.yaml', '-o', file];
  const child: ChildProcess = spawn(process.execPath, argv, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let err = '';
  child.stderr?.on('data', (data: Buffer) => {
    err += data.toString();
  });
  const exit = once(child, 'close');
  await Promise.race([grown(file, child), exit]);
  child.kill(signal);
  await exit;
  return { code: child.exitCode, err };
}

test(
  'Ctrl-C leaves a recording that replays as far as it goes, and says so',
  async () => {
    const { code, err } = await recordUntil('stopped.trace', 'SIGINT');
    expect(code).toBe(130);
    const held =
      /^interrupted: stopped\.trace holds the first (\d+) events and can be replayed\n$/u;
    const events = Number(held.exec(err)?.[1]);
    expect(events).toBeGreaterThan(1000);
    const replayed = reprobe('replay', 'stopped.trace');
    expect(replayed.stdout).toMatch(new RegExp(`^identical: ${events} events, `, 'u'));
    expect(replayed.stderr).toMatch(/^reprobe: stopped\.trace: frame \d+ .*\n$/u);
    expect(replayed.status).toBe(2);
  },
  TIMEOUT_MS,
);

test(
  'a killed run leaves a recording that replays as far as it goes',
  async () => {
    const { code } = await recordUntil('killed.trace', 'SIGKILL');
    expect(code).toBeNull();
    expect(reprobe('replay', 'killed.trace').stdout).toMatch(/^identical: \d{4,} events, /u);
  },
  TIMEOUT_MS,
);

test(
  'a thread records what this process would record',
  () => {
    const { status, stdout, stderr } = reprobe('record', 'short.yaml');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).not.toContain('\u001B');
    expect(reprobe('replay', 'short.trace').status).toBe(0);
    const again = /^ {2}node (\S+) (record .*)$/mu.exec(stdout);
    expect(again?.[2]).toBe('record short.yaml -o short.trace --seed 1 --chooser random');
  },
  TIMEOUT_MS,
);

test(
  'wrong input ends a recording with status 2, from the thread, too',
  () => {
    writeFileSync(join(cwd, 'bad.yaml'), `${SHORT}expect: [nothing]\n`);
    const bad = reprobe('record', 'bad.yaml');
    expect(bad.status).toBe(2);
    expect(bad.stderr).toMatch(/^reprobe: bad\.yaml:\d+:\d+: /u);
    const variant = reprobe('record', 'short.yaml', '--variant', 'M-0');
    expect(variant.status).toBe(2);
    const full = reprobe('record', 'short.yaml', '-o', '/dev/full');
    expect({ status: full.status, stderr: full.stderr }).toEqual({
      status: 2,
      stderr: 'reprobe: /dev/full: cannot write the recording: no space is left on the device\n',
    });
  },
  TIMEOUT_MS,
);

/** Wakes a fault of our own: whoever draws one of three CPUs gets one that is not there. */
const BREAKS = (random: string): string => `
import { Random } from ${JSON.stringify(random)};
Random.prototype.below = () => 99;
`;

test(
  'a fault of ours ends a recording with status 70, the seed and the command that shows it',
  () => {
    const three = SHORT.replace('cpus: 2', 'cpus: 3').concat(
      '  v: { cpu: 2, run: f, times: 20 }\n',
    );
    writeFileSync(join(cwd, 'three.yaml'), three);
    expect(reprobe('record', 'three.yaml').status).toBe(0);
    const breaks = join(cwd, 'breaks.mjs');
    const random = pathToFileURL(join(build, 'replay', 'explore', 'random.js')).href;
    writeFileSync(breaks, BREAKS(random));
    const ran = spawnSync(process.execPath, [program(), 'record', 'three.yaml', '--seed', '4'], {
      cwd,
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: `--import ${pathToFileURL(breaks).href}` },
    });
    expect({ status: ran.status, stdout: ran.stdout }).toEqual({ status: 70, stdout: '' });
    const [first, ...rest] = ran.stderr.trimEnd().split('\n');
    expect(first).toBe(
      'reprobe: this is a fault of reprobe, not yours: InvariantError: a choice is one of the options',
    );
    expect(rest.at(-2)).toBe('seed 4');
    expect(rest.at(-1)).toMatch(
      /^reproduce it with: node \S+ record three\.yaml -o three\.trace --seed 4 --chooser random$/u,
    );
  },
  TIMEOUT_MS,
);

test(
  'a reader that goes away ends a report quietly',
  () => {
    const long = SHORT.replaceAll('times: 20', 'times: 2000');
    writeFileSync(join(cwd, 'wide.yaml'), long); // More than a pipe holds.
    expect(reprobe('record', 'wide.yaml').status).toBe(0);
    const line = '{ "$0" "$1" report wide.trace; echo "status $?" >&2; } | head -n 1';
    const piped = spawnSync('sh', ['-c', line, process.execPath, program()], {
      cwd,
      encoding: 'utf8',
    });
    expect(piped.stdout).toBe('-- reprobe recording, format 3\n');
    expect(piped.stderr).toBe('status 141\n');
  },
  TIMEOUT_MS,
);
