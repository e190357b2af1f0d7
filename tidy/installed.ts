// The package as a user has it: packed, and installed by npm into an empty folder. No network: a registry of our own on
// this machine has the packages that ours depends on, as they lie in `node_modules`, and no others, so a dependency
// that `package.json` forgot is missing here too.
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ROOT } from './source.ts';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly files?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export interface Installed {
  /** An empty folder but for what npm put there. */
  readonly app: string;
  /** All that was made, to be removed. */
  readonly folder: string;
}

export interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a program in `cwd` with an environment of its own. */
export function run(program: string, words: readonly string[], cwd: string): Promise<Ran> {
  const { PATH = '' } = process.env;
  const child = spawn(program, words, { cwd, env: { PATH, HOME: cwd, CI: '1' } });
  const ran = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (ran.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (ran.err += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, ...ran }));
  });
}

async function must(program: string, words: readonly string[], cwd: string): Promise<string> {
  const { status, out, err } = await run(program, words, cwd);
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${status}\n${out}\n${err}`);
  return out;
}

/** Builds, packs and installs. */
export async function install(): Promise<Installed> {
  const folder = mkdtempSync(join(tmpdir(), 'reprobe-package-'));
  const [staged, app] = [join(folder, 'staged'), join(folder, 'app')];
  for (const made of [staged, app]) mkdirSync(made);
  const tarball = join(folder, await pack(staged, folder));
  writeFileSync(join(app, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  const server = await serve(folder);
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const registry = [
    '--registry',
    `http://127.0.0.1:${port ?? 0}`,
    '--cache',
    join(folder, 'cache'),
  ];
  const quiet = ['--no-audit', '--no-fund', '--ignore-scripts', '--no-update-notifier'];
  await must('npm', ['install', ...registry, ...quiet, tarball], app);
  server.close();
  return { app, folder };
}

/** The name of the tarball, in `folder`. */
async function pack(staged: string, folder: string): Promise<string> {
  // All that the package names but what is built; what it leaves out is left out by npm.
  const { files = [] } = copyIn(ROOT)?.manifest ?? {};
  const named = files.filter((file) => file !== 'dist' && !file.startsWith('!'));
  for (const file of ['package.json', 'README.md', 'LICENSE', ...named])
    cpSync(join(ROOT, file), join(staged, file), { recursive: true });
  const tsc = join(ROOT, 'node_modules/.bin/tsc');
  await must(tsc, ['-p', 'tsconfig.build.json', '--outDir', join(staged, 'dist')], ROOT);
  const words = ['pack', '--offline', '--ignore-scripts', '--pack-destination', folder];
  const out = await must('npm', words, staged);
  return out.trim().split('\n').at(-1) ?? '';
}

/** A package as it lies in `node_modules`. */
interface Copy {
  readonly folder: string;
  readonly manifest: Manifest;
}

/** All that `package.json` needs, however indirectly. */
function copies(): readonly Copy[] {
  const found = new Map<string, Copy>();
  const open: Copy[] = [copyIn(ROOT)].flatMap((one) => one ?? []);
  for (let copy = open.pop(); copy !== undefined; copy = open.pop()) {
    const { dependencies = {}, optionalDependencies = {} } = copy.manifest;
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const needed = nearest(copy.folder, name);
      if (needed === undefined || found.has(needed.folder)) continue; // Or of another platform.
      found.set(needed.folder, needed);
      open.push(needed);
    }
  }
  return [...found.values()];
}

/** What code in `folder` gets when it imports `name`. */
function nearest(folder: string, name: string): Copy | undefined {
  const found = copyIn(join(folder, 'node_modules', name));
  const parent = dirname(folder);
  return found ?? (parent === folder ? undefined : nearest(parent, name));
}

function copyIn(folder: string): Copy | undefined {
  const file = join(folder, 'package.json');
  if (!existsSync(file)) return undefined;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- npm checked it when it installed the package
  return { folder, manifest: JSON.parse(readFileSync(file, 'utf8')) as Manifest };
}

/** A registry has one document for each name, and a tarball for each of its versions. */
async function serve(folder: string): Promise<Server> {
  const known = copies();
  // Once each: npm may ask again while the first answer is on its way.
  const tarballs = new Map(known.map((copy) => [copy, tarballOf(copy, folder)]));
  const server = createServer((request, response) => {
    const [name = '', version] = decodeURIComponent(request.url ?? '')
      .slice(1)
      .split('?');
    const named = known.filter(({ manifest }) => manifest.name === name);
    const wanted = named.find(({ manifest }) => manifest.version === version);
    if (wanted !== undefined) {
      void tarballs.get(wanted)?.then((bytes) => response.end(bytes));
      return;
    }
    const versions = named.map(({ manifest }) => {
      const tarball = `http://${request.headers.host}/${name}?${manifest.version}`;
      return [manifest.version, { ...manifest, dist: { tarball } }] as const;
    });
    const latest = versions[0]?.[0];
    if (latest === undefined) response.statusCode = 404;
    const document = { name, 'dist-tags': { latest }, versions: Object.fromEntries(versions) };
    response.end(JSON.stringify(document));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

async function tarballOf({ folder, manifest }: Copy, into: string): Promise<Uint8Array> {
  const { name, version } = manifest;
  const file = join(into, `${name.replaceAll('/', '-')}-${version}.dependency.tgz`);
  const words = ['--use-compress-program=gzip -1', '--transform=s,^[.],package,'];
  await must('tar', [...words, '--exclude=./node_modules', '-cf', file, '.'], folder);
  return readFileSync(file);
}
