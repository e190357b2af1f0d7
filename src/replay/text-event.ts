// Layer replay. One event line of the text form back into a row of the log.
import { known } from '../assert.ts';
import { NO_ADDRESS, USER_BASE } from '../emu/address.ts';
import { LEVEL_NAMES } from '../emu/event.ts';
import { CPU_COUNT_MAX, LEVEL_COUNT_MAX } from './columns.ts';
import type { EventLog } from './event-log.ts';
import { EVENT_KINDS, type EventField, kindByName } from './schema.ts';
import type { TextLine } from './text-line.ts';

const INT_MIN = -0x80000000;
const INT_MAX = 0x7fffffff;
const HEX = /0x[0-9a-f]{1,16}/y;
const LEVELS = Array.from(
  { length: LEVEL_COUNT_MAX },
  (_, level): string => LEVEL_NAMES[level] ?? `${level}`,
);
const BOOLS = ['true', 'false'];
const KIND_NAMES = EVENT_KINDS.map(({ name }) => name);

/** Reads the event line `line` and adds its event to `log`. */
export function parseEvent(line: TextLine, log: EventLog): void {
  line.expect('#');
  const index = line.integer(0, INT_MAX);
  if (index !== log.count) throw line.error(`expected event #${log.count}, found #${index}`);
  line.spaces();
  const step = line.integer(INT_MIN, INT_MAX);
  line.spaces();
  const cpu = line.integer(0, CPU_COUNT_MAX - 1);
  line.expect('/');
  const level = parseLevel(line);
  line.spaces();
  const pid = line.integer(INT_MIN, INT_MAX);
  line.spaces();
  const kind = known(kindByName(line.word(KIND_NAMES, 'an event')), 'the word is one of these');
  line.gap();
  const words: number[] = [];
  for (const field of kind.fields) {
    line.expect(`${field.name}=`);
    words.push(...parseValue(line, field, log));
    line.gap();
  }
  line.end();
  const at = (word: number): number => words[word] ?? 0;
  // prettier-ignore
  log.emit(
    kind.id, step, cpu, level, pid, at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7),
  );
}

function parseLevel(line: TextLine): number {
  const name = line.word(LEVELS, 'a level');
  return LEVELS.indexOf(name);
}

/** The payload words of one value. */
function parseValue(line: TextLine, field: EventField, log: EventLog): readonly number[] {
  switch (field.type) {
    case 'int':
    case 'errno':
      return [line.integer(INT_MIN, INT_MAX)];
    case 'bool':
      return [line.word(BOOLS, `'true' or 'false'`) === 'true' ? 1 : 0];
    case 'hex':
      return [Number(parseHex(line, 32))];
    case 'u64':
      return u64Words(parseHex(line, 64));
    case 'address':
      return [parseAddress(line)];
    case 'string':
      return [parseString(line, log)];
  }
}

function u64Words(value: bigint): readonly number[] {
  return [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
}

function parseHex(line: TextLine, bits: number): bigint {
  const text = line.match(HEX, 'a hex number (0x...)');
  const value = BigInt(text);
  if (value >> BigInt(bits) === 0n) return value;
  throw line.error(`expected at most ${bits} bits, found ${text}`, text.length);
}

function parseAddress(line: TextLine): number {
  if (line.skip('none')) return NO_ADDRESS;
  if (!line.skip('user+')) {
    const value = Number(parseHex(line, 32));
    if (value <= INT_MAX) return value;
    throw line.error('expected an offset below 0x80000000, from the start of the image');
  }
  const address = (USER_BASE + Number(parseHex(line, 32))) | 0;
  if (address < 0) return address;
  throw line.error('expected an offset within the user segment');
}

function parseString(line: TextLine, log: EventLog): number {
  const text = line.string();
  const id = log.strings.find(text);
  if (id !== undefined) return id;
  const lists = 'the lists of strings of this and earlier frames';
  throw line.error(`expected a string of ${lists}, found '${text}'`, text.length);
}
