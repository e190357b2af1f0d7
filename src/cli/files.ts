// Layer cli. Reading the user's files, and writing recordings. Every way in which a file system says no
// becomes one sentence.
import { closeSync, openSync, readFileSync, readdirSync, statSync, writeSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { InputError } from '../assert.ts';
import { damageText, type Salvage } from '../replay/recording.ts';
import { didYouMean } from '../replay/workload/nearest.ts';

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space is left on the device',
  ENOTDIR: 'a part of its path is not a directory',
  EROFS: 'the file system is read-only',
  EMFILE: 'too many files are open',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'the name is too long',
  ERR_FS_FILE_TOO_LARGE: 'it is larger than 2 GiB',
};

/** The whole file. `what` names its part in the command, such as `workload`. */
export function readInput(cwd: string, file: string, what: string): Uint8Array {
  // yargs hands a lone `-` on as no name at all.
  if (file === '' || file === '-')
    throw new InputError(`cannot read ${what}: expected the name of a file`);
  try {
    return readFileSync(resolve(cwd, file));
  } catch (error) {
    throw refusal(error, `cannot read ${what}`, file, nearestFile(cwd, file));
  }
}

/** A file of the same folder whose name is near. */
function nearestFile(cwd: string, file: string): string {
  try {
    return didYouMean(
      basename(file),
      readdirSync(resolve(cwd, dirname(file))).toSorted((a, b) => (a < b ? -1 : 1)),
    );
  } catch {
    return '';
  }
}

/** A sentence for what the file system refused; anything else as it is. */
export function refusal(
  error: unknown,
  doing: string,
  file: string | undefined,
  hint = '',
): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  const code = String(error.code);
  const missing = code === 'ENOENT' ? hint : '';
  return new InputError(`${doing}: ${REASONS[code] ?? code}${missing}`, file);
}

/** Are these two names of one file that exists? */
export function isSameFile(cwd: string, a: string, b: string): boolean {
  const left = statSync(resolve(cwd, a), { throwIfNoEntry: false });
  const right = statSync(resolve(cwd, b), { throwIfNoEntry: false });
  if (left === undefined || right === undefined) return false;
  return left.dev === right.dev && left.ino === right.ino;
}

/**
 * A recording while it grows: frames are appended as they come, so that a killed run leaves a readable file.
 * An older file of that name stays whole until the first bytes are there.
 */
export class OutputFile {
  readonly name: string;
  readonly #path: string;
  #descriptor: number | undefined;
  #bytes = 0;

  constructor(cwd: string, name: string) {
    this.name = name;
    this.#path = resolve(cwd, name);
    const folder = statSync(dirname(this.#path), { throwIfNoEntry: false });
    if (folder?.isDirectory() !== true)
      throw new InputError(`cannot write the recording: no such folder`, name);
    if (statSync(this.#path, { throwIfNoEntry: false })?.isDirectory() === true)
      throw new InputError('cannot write the recording: it is a directory', name);
  }

  get bytes(): number {
    return this.#bytes;
  }

  append(chunk: Uint8Array): void {
    try {
      this.#descriptor ??= openSync(this.#path, 'w');
      for (let at = 0; at < chunk.length;) at += writeSync(this.#descriptor, chunk, at);
      this.#bytes += chunk.length;
    } catch (error) {
      throw refusal(error, 'cannot write the recording', this.name);
    }
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}

/** A file that another one names: relative to that one's folder. */
export function beside(file: string, name: string): string {
  return join(dirname(file), name);
}

/** What was readable is shown by now; the rest of the file is wrong input. */
export function refuseDamage(recording: Salvage, file: string): void {
  if (recording.damage !== undefined) throw new InputError(damageText(recording), file);
}
