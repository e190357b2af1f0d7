// Layer replay. What became of a recording that was packed, or went through a program that took it for text: known by
// how the file begins, so that one message says it, and not one for every byte that it changed.
import { FORMAT_MAGIC } from './seal.ts';

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];
const PACKERS: readonly (readonly [name: string, start: readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['zip', [0x50, 0x4b, 3, 4]],
];
const UTF_16 = [
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
] as const;
/** Bytes of a text in which the word that begins a recording would be. */
const START_BYTES = 48;
/** That word behind what became of the two bytes before it, which are no letters: other texts may have it, too. */
const REWRITTEN = new RegExp(`^[\\u0080-\\uffff]{1,4}${FORMAT_MAGIC}`, 'u');
const ADVICE = 'bytes of it are lost, take the file as it was written';

/** Bytes of a mark that some programs put before what they take for text: 0 or 3. */
export function markBytes(bytes: Uint8Array): number {
  return startsWith(bytes, BYTE_ORDER_MARK) ? BYTE_ORDER_MARK.length : 0;
}

/** What a file is that was a recording and has no whole object left. */
export function manglingOf(bytes: Uint8Array): string | undefined {
  const packer = PACKERS.find(([, start]) => startsWith(bytes, start))?.[0];
  if (packer !== undefined) return `a file that ${packer} packed: unpack it first`;
  const [encoding] = UTF_16.find(([, mark]) => startsWith(bytes, mark)) ?? ['utf-8'];
  if (!REWRITTEN.test(new TextDecoder(encoding).decode(bytes.subarray(0, START_BYTES))))
    return undefined;
  // A recording is no text in UTF-8: its first byte is none that may begin a letter.
  if (encoding === 'utf-8' && !isUtf8(bytes)) return undefined;
  return `a recording that was rewritten as text in ${encoding === 'utf-8' ? 'UTF-8' : 'UTF-16'}: ${ADVICE}`;
}

/** `bytes` with every CR LF as LF: as they were before somebody changed line ends, if there was no CR LF then. */
export function withoutReturns(bytes: Uint8Array): Uint8Array {
  return bytes.filter((byte, at) => byte !== 0x0d || bytes[at + 1] !== 0x0a);
}

function startsWith(bytes: Uint8Array, start: readonly number[]): boolean {
  return start.every((byte, at) => bytes[at] === byte);
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
