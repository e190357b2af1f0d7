// Built code for tests that start processes: Node 20 does not run the sources. It lies inside the project, so
// that it finds its packages, in a folder of its own, so that nothing else reads or writes it.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

export interface Programs {
  /** The path of a built file, such as `src/cli/main`. */
  path(source: string): string;
  remove(): void;
}

/** Builds everything, without checking types: `npm run typecheck` does that. */
export function buildPrograms(root: string): Programs {
  const built = join(root, 'dist-bench');
  mkdirSync(built, { recursive: true });
  const folder = mkdtempSync(join(built, 'programs-'));
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const words = [tsc, '-p', join(root, 'bench'), '--noCheck', '--outDir', folder];
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  if (status !== 0)
    throw new Error(`the programs of the tests cannot be built: ${stdout}${stderr}`);
  return {
    path: (source) => join(folder, `${source}.js`),
    remove: () => {
      rmSync(folder, { recursive: true });
    },
  };
}
