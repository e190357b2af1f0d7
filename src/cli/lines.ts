// Layer cli. Long output, in pieces.
import type { Output } from './shell.ts';

/** Lines are written in pieces of about this size. */
const PIECE_LETTERS = 65_536;

/** Stops at once when nobody reads any more. */
export async function writeLines(out: Output, lines: Iterable<string>): Promise<void> {
  let piece = '';
  for (const line of lines) {
    piece += `${line}\n`;
    if (piece.length < PIECE_LETTERS) continue;
    // oxlint-disable-next-line no-await-in-loop -- one after the other is the point
    await out.write(piece);
    piece = '';
  }
  if (piece !== '') await out.write(piece);
}
