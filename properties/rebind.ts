// Objects of a recording put behind another header, as if they had been written there: what only a forger does.
import { unpack } from '../src/replay/packed.ts';
import { SEAL_NONE, sealAt, sealed } from '../src/replay/seal.ts';

/** `objects`, frames or an end, as objects of the run that `header` begins; what is neither stays as it is. */
export function rebind(header: Uint8Array, objects: readonly Uint8Array[]): readonly Uint8Array[] {
  const run = sealAt(header, header.length);
  return objects.map((object) => {
    const value = unpack(object);
    if (!Array.isArray(value) || value.length < 2) return object;
    const items: readonly unknown[] = value;
    return sealed([...items.slice(0, -2), run, SEAL_NONE]);
  });
}
