// Layer replay. The first thing in a recording: everything that makes the run besides the choices. What comes
// from a file is `unknown` until it went through here.
import { InputError } from '../assert.ts';
import { DIGEST_HEX, type DigestHex } from './digest.ts';
import { pack } from './packed.ts';
import { wellFormed } from './strings.ts';

/** Plain data: what JSON can say. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/** Bounds of plain data in a header: far above any workload, and well below what an object may have. */
const JSON_LIMITS = { depthMax: 32, valuesMax: 0x40000, listMax: 0x10000 } as const;

export interface RecordingHeader {
  /** Version of the package that recorded. */
  readonly version: string;
  readonly workload: {
    readonly name: string;
    readonly file: string;
    /** The text of the file, to show and to quote. */
    readonly source: string;
    /** The checked model: what the run was made from. */
    readonly model: Json;
  };
  readonly profile: string;
  readonly variants: readonly string[];
  readonly chooser: { readonly name: string; readonly seed: number };
  /** Machine options and limits. */
  readonly options: Readonly<Record<string, Json>>;
  /** The ELF file of a workload that has one; `bytes` make the recording complete by itself. */
  readonly image: RecordedImage | null;
  /** The modules of a workload that has some, in its order. Never empty. */
  readonly modules?: readonly RecordedModule[];
}

export interface RecordedModule extends RecordedImage {
  /** The module's name in the workload. */
  readonly name: string;
}

interface RecordedImage {
  readonly file: string;
  readonly digest: DigestHex;
  readonly bytes: Uint8Array | null;
}

/** `header` as a file gives it back: nothing undefined, no half surrogates, keys in one order. */
export function plainHeader(header: RecordingHeader): RecordingHeader {
  const { version, workload, profile, variants, chooser, options, image, modules } = header;
  const { name, file, source, model } = workload;
  return {
    version: wellFormed(version),
    workload: {
      name: wellFormed(name),
      file: wellFormed(file),
      source: wellFormed(source),
      model: plain(model),
    },
    profile: wellFormed(profile),
    variants: variants.map(wellFormed),
    chooser: { name: wellFormed(chooser.name), seed: chooser.seed },
    options: plainMap(options),
    image: image === null ? null : plainImage(image),
    ...(modules === undefined ? {} : { modules: modules.map(plainModule) }),
  };
}

/** Are these, which files gave, the same? */
export function sameHeader(a: RecordingHeader, b: RecordingHeader): boolean {
  const [left, right] = [pack(a), pack(b)];
  return left.length === right.length && left.every((byte, i) => byte === right[i]);
}

/** Checks what a file holds in the header's place; a text says what is wrong. */
export function checkHeader(value: unknown): RecordingHeader | string {
  const header = new Fields(value, '');
  const workload = header.map('workload');
  const chooser = header.map('chooser');
  const image = header.get('image');
  const checked: RecordingHeader = {
    version: header.text('version'),
    workload: {
      name: workload.text('name'),
      file: workload.text('file'),
      source: workload.text('source'),
      model: workload.json('model'),
    },
    profile: header.text('profile'),
    variants: header.texts('variants'),
    chooser: { name: chooser.text('name'), seed: chooser.number('seed') },
    options: header.jsonMap('options'),
    image: image === null ? null : checkImage(header.map('image')),
    ...checkModules(header),
  };
  return header.fault() ?? checked;
}

function checkImage(image: Fields): RecordedImage {
  const digest = image.text('digest');
  if (!DIGEST_HEX.test(digest)) image.fail('digest', '16 hex digits');
  return { file: image.text('file'), digest, bytes: image.bytes('bytes') };
}

/** A header without modules has no key for them. */
function checkModules(header: Fields): Pick<RecordingHeader, 'modules'> {
  const list = header.list('modules');
  if (list === undefined) return {};
  if (list.length === 0) header.fail('modules', 'absent when there are none');
  return { modules: list.map(checkModule) };
}

function checkModule(module: Fields): RecordedModule {
  return { name: module.text('name'), ...checkImage(module) };
}

function plainModule({ name, ...image }: RecordedModule): RecordedModule {
  return { name: wellFormed(name), ...plainImage(image) };
}

function plainImage({ file, digest, bytes }: RecordedImage): RecordedImage {
  return { file: wellFormed(file), digest, bytes };
}

function plain(value: Json, depth = 0): Json {
  if (depth > JSON_LIMITS.depthMax)
    throw new InputError(`more than ${JSON_LIMITS.depthMax} levels of nesting cannot be recorded`);
  if (typeof value === 'string') return wellFormed(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new InputError(`${value} cannot be recorded`);
    return value + 0; // -0 has no text form of its own
  }
  if (value === null || typeof value === 'boolean') return value;
  if (isList(value)) return value.map((one) => plain(one, depth + 1));
  return plainMap(value, depth + 1);
}

function isList(
  value: readonly Json[] | { readonly [key: string]: Json },
): value is readonly Json[] {
  return Array.isArray(value);
}

function plainMap(
  map: Readonly<Record<string, Json | undefined>>,
  depth = 0,
): Readonly<Record<string, Json>> {
  const entries: [string, Json][] = [];
  for (const [key, value] of Object.entries(map)) {
    if (key === '__proto__') throw new InputError(`a key ${key} cannot be recorded`);
    if (value !== undefined) entries.push([wellFormed(key), plain(value, depth)]);
  }
  return Object.fromEntries(entries);
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array)
  );
}

/** Is it plain data, and not too much of it? */
function isJson(value: unknown): value is Json {
  let left: number = JSON_LIMITS.valuesMax;
  const isPlain = (one: unknown, depth: number): boolean => {
    if (depth > JSON_LIMITS.depthMax || left-- === 0) return false;
    if (one === null || typeof one === 'string' || typeof one === 'boolean') return true;
    if (typeof one === 'number') return Number.isFinite(one);
    if (Array.isArray(one)) return one.every((inner) => isPlain(inner, depth + 1));
    return isMap(one) && Object.values(one).every((inner) => isPlain(inner, depth + 1));
  };
  return isPlain(value, 0);
}

const PLAIN_DATA = `plain data of at most ${JSON_LIMITS.depthMax} levels`;

/** The fields of a map of unknown make; the first that does not fit is remembered. */
class Fields {
  readonly #map: Readonly<Record<string, unknown>>;
  readonly #where: string;
  readonly #faults: string[];
  readonly #seen = new Set<string>();
  readonly #inner: Fields[] = [];

  constructor(value: unknown, where: string, faults: string[] = []) {
    this.#map = isMap(value) ? value : {};
    this.#where = where;
    this.#faults = faults;
    if (!isMap(value)) faults.push(where === '' ? 'it is no map' : `${where} is no map`);
  }

  /** What was wrong first; a field that nobody asked for is wrong too. */
  fault(): string | undefined {
    this.#checkRest();
    return this.#faults[0];
  }

  fail(key: string, expected: string): void {
    this.#faults.push(`expected ${this.#path(key)} to be ${expected}`);
  }

  get(key: string): unknown {
    this.#seen.add(key);
    return Object.hasOwn(this.#map, key) ? this.#map[key] : undefined;
  }

  map(key: string): Fields {
    const inner = new Fields(this.get(key), this.#path(key), this.#faults);
    this.#inner.push(inner);
    return inner;
  }

  /** A list of maps; undefined when there is none. */
  list(key: string): readonly Fields[] | undefined {
    const value = this.get(key);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) this.fail(key, 'a list of maps');
    const items: readonly unknown[] = Array.isArray(value) ? value : [];
    const inner = items.map((one, i) => new Fields(one, this.#path(`${key}[${i}]`), this.#faults));
    this.#inner.push(...inner);
    return inner;
  }

  text(key: string): string {
    const value = this.get(key);
    if (typeof value === 'string') return value;
    this.fail(key, 'a string');
    return '';
  }

  texts(key: string): readonly string[] {
    const value = this.get(key);
    if (isTexts(value)) return value;
    this.fail(key, 'a list of strings');
    return [];
  }

  number(key: string): number {
    const value = this.get(key);
    if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
    this.fail(key, 'an integer');
    return 0;
  }

  bytes(key: string): Uint8Array | null {
    const value = this.get(key);
    if (value === null) return null;
    if (value instanceof Uint8Array) return plainBytes(value);
    this.fail(key, 'bytes or nil');
    return null;
  }

  json(key: string): Json {
    const value = this.get(key);
    if (isJson(value)) return value;
    this.fail(key, PLAIN_DATA);
    return null;
  }

  jsonMap(key: string): Readonly<Record<string, Json>> {
    const value = this.get(key);
    if (isMap(value) && isJsonMap(value)) return value;
    this.fail(key, `a map of ${PLAIN_DATA}`);
    return {};
  }

  #path(key: string): string {
    return this.#where === '' ? key : `${this.#where}.${key}`;
  }

  #checkRest(): void {
    for (const key of Object.keys(this.#map))
      if (!this.#seen.has(key)) this.#faults.push(`${this.#path(key)} is unknown`);
    for (const inner of this.#inner) inner.#checkRest();
  }
}

function isTexts(value: unknown): value is readonly string[] {
  if (!Array.isArray(value) || value.length > JSON_LIMITS.listMax) return false;
  return value.every((one) => typeof one === 'string');
}

function isJsonMap(
  value: Readonly<Record<string, unknown>>,
): value is Readonly<Record<string, Json>> {
  return isJson(value);
}

/** The same bytes, without what a host's own kind of byte array adds. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
