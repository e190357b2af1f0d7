// Layer cli. What a user's file is, when it is not what the command expects: the message names the command
// that does expect it.
import { InputError } from '../assert.ts';
import { manglingOf } from '../replay/mangled.ts';
import { isRecording, type Salvage, salvageRecording } from '../replay/recording.ts';
import { isTextForm } from '../replay/text-form.ts';
import { readInput } from './files.ts';
import { commandLine } from './quote.ts';
import type { Shell } from './shell.ts';

/** Bytes that begin an ELF file. */
const ELF_MAGIC = [0x7f, 0x45, 0x4c, 0x46];
const TEXT_FORM = 'this is the text form of a recording';

/** A workload's file as text. */
export function readText(shell: Shell, file: string): string {
  const bytes = readInput(shell.cwd, file, 'the workload');
  if (isRecording(bytes)) {
    const replay = commandLine(shell.self, ['replay', file]);
    throw new InputError(`this is a recording, not a workload; did you mean: ${replay}`, file);
  }
  if (ELF_MAGIC.every((byte, index) => bytes[index] === byte))
    throw new InputError("this is an ELF file: a workload can name it as its 'image'", file);
  const text = decode(bytes);
  if (text === undefined)
    throw new InputError('expected the workload in UTF-8, found other bytes', file);
  if (isTextForm(text)) throw new InputError(`${TEXT_FORM}, expected a workload`, file);
  return text;
}

/** The recording in `bytes`, which `file` holds, or what is left of it. */
export function openRecording(bytes: Uint8Array, file: string, shell: Shell): Salvage {
  refuseOthers(bytes, file, shell);
  return salvageRecording(bytes, file);
}

/** Says what a file is that is taken for a recording and is a workload or a recording's text form. */
export function refuseOthers(bytes: Uint8Array, file: string, shell: Shell): void {
  if (isRecording(bytes) || manglingOf(bytes) !== undefined) return;
  const text = decode(bytes) ?? '';
  if (isTextForm(text))
    throw new InputError(`${TEXT_FORM}, expected the recording itself (.trace)`, file);
  if (!isWorkload(text)) return;
  const record = commandLine(shell.self, ['record', file]);
  throw new InputError(`this is a workload, not a recording; did you mean: ${record}`, file);
}

/** Has it the two keys that every workload has? */
function isWorkload(text: string): boolean {
  return ['name', 'machine'].every((key) => new RegExp(`^${key} *:`, 'mu').test(text));
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
