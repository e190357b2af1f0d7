// Layer cli. `--handlers MODULE`: paths in TypeScript that a workload or a recording names, from the user's own
// modules. A module exports them; what else it exports is its own business.
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { InputError } from '../assert.ts';
import { type DefinedPath, isDefined } from '../replay/handler.ts';
import { readInput } from './files.ts';

export const handlersOption = {
  type: 'string',
  array: true,
  requiresArg: true,
  nargs: 1,
  default: [] as string[],
  describe: 'Module that defines its TypeScript handlers',
} as const;

/** A module as the user gave it, and where it is: another thread may load it. */
export interface HandlerModule {
  readonly file: string;
  readonly path: string;
}

/** Says no to files that cannot be read, before anything runs. */
export function findModules(cwd: string, files: readonly string[]): readonly HandlerModule[] {
  return files.map((file) => {
    readInput(cwd, file, 'the handlers');
    return { file, path: resolve(cwd, file) };
  });
}

/** All that the modules define, in order. */
export async function loadHandlers(
  modules: readonly HandlerModule[],
): Promise<readonly DefinedPath[]> {
  const loaded = await Promise.all(modules.map(load));
  return loaded.flat();
}

async function load({ file, path }: HandlerModule): Promise<readonly DefinedPath[]> {
  const defined = (await exportsOf(file, path)).filter(isDefined);
  if (defined.length > 0) return defined;
  const expected = 'expected a module that exports what defineHandler or defineTask made';
  throw new InputError(`${expected}, found none`, file);
}

async function exportsOf(file: string, path: string): Promise<readonly unknown[]> {
  try {
    const module: unknown = await import(pathToFileURL(path).href);
    return typeof module === 'object' && module !== null
      ? Object.values<unknown>({ ...module })
      : [];
  } catch (error) {
    throw new InputError(`cannot load the handlers: ${reasonOf(error)}`, file);
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'ERR_UNKNOWN_FILE_EXTENSION')
    return 'this Node runs JavaScript only; compile it, and give the .js file';
  return `${error.name}: ${error.message}`;
}
