// Layer replay. The instructions of an image as text, whole or of one function: for the command line.
import { InputError } from '../assert.ts';
import { readListed } from '../emu/listed.ts';
import { listedNames, listing } from '../emu/listing.ts';
import { didYouMean } from './workload/nearest.ts';

/** The lines of `objdump -d`. Throws InputError for a file that is none, and for a symbol that is not in it. */
export function disassembly(
  image: Uint8Array,
  file: string,
  symbol: string | undefined,
): Iterable<string> {
  const listed = readListed(image, file);
  const names = listedNames(listed);
  if (symbol !== undefined && !names.includes(symbol)) {
    const hint = didYouMean(symbol, names);
    throw new InputError(`expected a function of the image, found '${symbol}'${hint}`, file);
  }
  return listing(listed, symbol);
}
