// Damage to recordings: to their bytes, to the order of their frames, and to what msgpack says, with seals that
// fit again: those are files that somebody made on purpose.
import { known } from '../src/assert.ts';
import { scanFrames } from '../src/replay/frame-scan.ts';
import { measure, pack, unpack } from '../src/replay/packed.ts';
import { joinBytes } from '../src/replay/recording.ts';
import { SEAL_NONE, sealAt, sealed } from '../src/replay/seal.ts';
import { type Draws, mutateBytes } from './mutate-bytes.ts';
import { rebind } from './rebind.ts';

/** A whole recording and where its objects lie. */
export interface Original {
  readonly bytes: Uint8Array;
  /** Preamble, header, frames, end. */
  readonly objects: readonly Uint8Array[];
  /** Which run its frames say they are of. */
  readonly run: string;
}

export function originalOf(bytes: Uint8Array): Original {
  const preamble = known(measure(bytes, 0).end, 'a whole recording has a preamble');
  const header = known(measure(bytes, preamble).end, 'a whole recording has a header');
  const objects = [bytes.subarray(0, preamble), bytes.subarray(preamble, header)];
  for (const { offset, end } of scanFrames(bytes, header).objects)
    objects.push(bytes.subarray(offset, end));
  return { bytes, objects, run: sealAt(bytes, header) };
}

/** What became of a recording, and whether whole frames of it may have been forged. */
export interface Mutant {
  readonly bytes: Uint8Array;
  /** Nothing but accidents: a frame whose seal is right is one that was written. */
  readonly isAccident: boolean;
}

type ObjectMutator = (objects: readonly Uint8Array[], draws: Draws) => readonly Uint8Array[];

/** Frames and the end; header and preamble stay in their place. */
function framePlace(objects: readonly Uint8Array[], draws: Draws): number {
  return 2 + draws.below(objects.length - 2);
}

const swapObjects: ObjectMutator = (objects, draws) => {
  const [a, b] = [framePlace(objects, draws), framePlace(objects, draws)];
  return objects.map((one, i) => (i === a ? objects[b] : i === b ? objects[a] : one) ?? one);
};

const repeatObject: ObjectMutator = (objects, draws) => {
  const at = framePlace(objects, draws);
  return objects.toSpliced(at, 0, objects[framePlace(objects, draws)] ?? new Uint8Array());
};

const dropObject: ObjectMutator = (objects, draws) =>
  objects.toSpliced(draws.below(objects.length), 1);

/** Values that no writer puts there. */
const HOSTILE: readonly [(draws: Draws) => unknown, ...((draws: Draws) => unknown)[]] = [
  () => null,
  () => true,
  (draws) => draws.below(0x100000000) - 0x80000000,
  () => -1,
  () => 2 ** 53 + 2,
  () => 2 ** 63,
  () => Number.NaN,
  () => Number.NEGATIVE_INFINITY,
  () => -0,
  () => 0.5,
  () => '',
  () => 'x'.repeat(5000),
  () => '\u0000\u2028\u{10ffff}',
  () => '__proto__',
  () => 'constructor',
  () => [],
  () => ({}),
  () => ({ hasOwnProperty: 1, toString: null, length: -1 }),
  (draws) => nested(draws.below(60)),
  (draws) => Array.from({ length: draws.below(5000) }, () => []),
  (draws) => Array.from({ length: draws.below(3000) }, (_, i) => `text ${i}`),
  (draws) => Uint8Array.from({ length: draws.below(300) }, () => draws.below(256)),
  () => new Uint8Array(5000),
  () => Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f),
  () => new Uint8Array(2000).fill(0xff),
];

function nested(depth: number): unknown {
  let value: unknown = depth % 2 === 0 ? [] : {};
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { a: value };
  return value;
}

/** `value` with something in it replaced: each level is left with a certain probability. */
function hostileWithin(value: unknown, draws: Draws, depth = 0): unknown {
  if (depth > 0 && draws.below(3) === 0) return draws.of(HOSTILE)(draws);
  if (value instanceof Uint8Array) return mutateBytes(value, draws, value);
  if (Array.isArray(value)) return hostileItem(value, draws, depth);
  if (typeof value === 'object' && value !== null) return hostileField({ ...value }, draws, depth);
  if (typeof value === 'number') return value + draws.below(5) - 2;
  return draws.of(HOSTILE)(draws);
}

function hostileItem(list: readonly unknown[], draws: Draws, depth: number): unknown {
  const at = draws.below(list.length);
  if (draws.below(8) === 0) return list.toSpliced(at, 1);
  if (draws.below(8) === 0) return list.toSpliced(at, 0, draws.of(HOSTILE)(draws));
  return list.map((one, i) => (i === at ? hostileWithin(one, draws, depth + 1) : one));
}

function hostileField(map: Record<string, unknown>, draws: Draws, depth: number): unknown {
  const keys = Object.keys(map);
  const key = keys[draws.below(keys.length)] ?? 'x';
  if (draws.below(8) === 0)
    return Object.fromEntries(Object.entries(map).filter(([k]) => k !== key));
  if (draws.below(8) === 0) return { ...map, [`${key}x`]: draws.of(HOSTILE)(draws) };
  return { ...map, [key]: hostileWithin(map[key], draws, depth + 1) };
}

/** `items` with the place of the seal made ready. */
function unsealed(items: readonly unknown[]): readonly unknown[] {
  return [...items.slice(0, -1), SEAL_NONE];
}

/** Another value somewhere, and a seal that fits it. */
const changeValue: ObjectMutator = (objects, draws) => {
  const at = draws.below(objects.length);
  const value = unpack(objects[at] ?? new Uint8Array());
  const changed = hostileWithin(value, draws);
  if (at === 0 || !Array.isArray(changed)) return objects.with(at, pack(changed));
  const isForged = draws.below(8) > 0;
  const object = isForged ? sealed(unsealed(changed)) : pack(changed);
  // Behind another header nothing is of its run, unless that is forged, too.
  if (at === 1 && isForged && draws.below(4) > 0)
    return [...objects.slice(0, 1), object, ...rebind(object, objects.slice(2))];
  return objects.with(at, object);
};

/** Damaged bytes in the columns or choices of a frame, and a seal that fits them. */
const changeBins: ObjectMutator = (objects, draws) => {
  const at = 2 + draws.below(objects.length - 3);
  const value = unpack(objects[at] ?? new Uint8Array());
  if (!Array.isArray(value) || value.length < 9) return objects;
  const item = 2 + draws.below(2);
  const bin: unknown = value[item];
  if (!(bin instanceof Uint8Array)) return objects;
  const items: readonly unknown[] = value;
  return objects.with(at, sealed(unsealed(items.with(item, mutateBytes(bin, draws, bin)))));
};

const ORDERS: readonly [ObjectMutator, ...ObjectMutator[]] = [
  swapObjects,
  repeatObject,
  dropObject,
];

/** One mutant of `original`; `other` is what it may be spliced with. */
export function mutateRecording(original: Original, draws: Draws, other: Original): Mutant {
  const kind = draws.below(8);
  if (kind < 4) return { bytes: mutateBytes(original.bytes, draws, other.bytes), isAccident: true };
  if (kind === 4) {
    const bytes = joinBytes(draws.of(ORDERS)(original.objects, draws));
    return {
      bytes: draws.below(2) === 0 ? bytes : mutateBytes(bytes, draws, bytes),
      isAccident: true,
    };
  }
  let { objects } = original;
  for (let left = 1 + draws.size(3); left > 0; left--) {
    if (objects.length < 4) break;
    objects = (kind === 5 ? changeBins : changeValue)(objects, draws);
  }
  return { bytes: joinBytes(objects), isAccident: false };
}

type Splicer = (one: Original, two: Original, draws: Draws) => readonly Uint8Array[];

/** The first objects of one and the last of the other. */
const joinObjects: Splicer = (one, two, draws) => [
  ...one.objects.slice(0, 2 + draws.below(one.objects.length - 1)),
  ...two.objects.slice(2 + draws.below(two.objects.length - 2)),
];

/** A new file over an old one that was longer; the new one may have been killed. */
const overOld: Splicer = (one, two, draws) => {
  const isKilled = draws.below(2) === 0;
  const written = isKilled ? one.bytes.slice(0, draws.below(one.bytes.length)) : one.bytes;
  return [written, two.bytes.subarray(written.length)];
};

/** One object of the other in the place of one's own, or before it. */
const strayObject: Splicer = ({ objects }, two, draws) =>
  objects.toSpliced(
    1 + draws.below(objects.length - 1),
    draws.below(2),
    two.objects[1 + draws.below(two.objects.length - 1)] ?? new Uint8Array(),
  );

/** The beginning of one, bytes of the other behind it, and what is left of the first. */
const strayBytes: Splicer = ({ bytes }, two, draws) => {
  const from = draws.below(bytes.length);
  const length = draws.below(bytes.length - from);
  return [
    bytes.subarray(0, from),
    two.bytes.subarray(from, from + length),
    bytes.subarray(from + length),
  ];
};

const SPLICERS: readonly [Splicer, ...Splicer[]] = [joinObjects, overOld, strayObject, strayBytes];

/** A file with pieces of two recordings, and sometimes with some other damage. */
export function spliceRecordings(one: Original, two: Original, draws: Draws): Mutant {
  const bytes = joinBytes(draws.of(SPLICERS)(one, two, draws));
  const isHit = draws.below(3) === 0;
  return { bytes: isHit ? mutateBytes(bytes, draws, bytes) : bytes, isAccident: true };
}
