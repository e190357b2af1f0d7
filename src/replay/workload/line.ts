// Layer replay. The lines of a function body: `work 4`, `call vfs_open`, `add counter+8 1`, ... and back to
// the machine's own form (`src/emu/script.ts`). One table says what may stand in a line; the reader, the
// messages and the JSON schema come from it.
import { assert, known } from '../../assert.ts';
import { REG } from '../../emu/regs.ts';
import type { ScriptOp } from '../../emu/script.ts';
import { LIMIT, type Line } from './model.ts';
import { didYouMean } from './nearest.ts';

/** What may follow the first word. */
type Operand = 'count' | 'us' | 'function' | 'symbol' | 'value' | 'register' | 'argument';

export const INT32_MAX: number = 2 ** 31 - 1;
export const INT32_MIN: number = -(2 ** 31);

const FORMS = {
  work: ['count'],
  call: ['function'],
  tail: ['function'],
  load: ['symbol'],
  store: ['symbol', 'value'],
  add: ['symbol', 'value'],
  amoadd: ['symbol', 'value'],
  irq_off: [],
  irq_on: [],
  preempt_off: [],
  preempt_on: [],
  rcu_read_lock: [],
  rcu_read_unlock: [],
  sleep: ['us'],
  return: ['value'],
  regs: [],
  set_reg: ['register', 'value'],
  redirect: ['function'],
  store_data: ['argument'],
  show_data: [],
} as const satisfies Record<string, readonly Operand[]>;

type Word = keyof typeof FORMS;

/** Lines that make sense in a probe's callback only. */
const CALLBACK_ONLY: ReadonlySet<string> = new Set<Word>([
  'regs',
  'set_reg',
  'redirect',
  'store_data',
  'show_data',
]);

/** Registers of the traced function that a callback can change: not t0, which the call site takes, nor sp. */
const WRITABLE: readonly string[] = Object.keys(REG).filter(
  (name) => !['zero', 'sp', 't0'].includes(name),
);

const SAMPLE: Record<Operand, string> = {
  count: '4',
  us: '20',
  function: 'vfs_open',
  symbol: 'counter',
  value: '1',
  register: 'a0',
  argument: 'a0',
};

const EXPECTED: Record<Operand, string> = {
  count: `a whole number from 0 to ${LIMIT.work}`,
  us: `microseconds from 0 to ${LIMIT.microseconds}`,
  function: 'a function name',
  symbol: 'a data name such as counter or counter+8',
  value: `a whole number from ${INT32_MIN} to ${INT32_MAX}`,
  register: `a register such as a0 or s1: ${WRITABLE.join(', ')}`,
  argument: 'an argument register from a0 to a7',
};

/** Names that a workload gives: C identifiers. What it refers to may be spelled as compilers do. */
export const IDENTIFIER_PATTERN: RegExp = /^(?!__proto__$)[A-Za-z_][A-Za-z0-9_]*$/u;
const NAME = '[A-Za-z_.$][A-Za-z0-9_.$]*';
/** A name as C and assemblers spell it; compilers put dots and dollars into theirs. */
export const NAME_PATTERN: RegExp = new RegExp(`^${NAME}$`, 'u');
export const SYMBOL_PATTERN: RegExp = new RegExp(
  `^(?<name>${NAME})(?:\\+(?<offset>[0-9]{1,6}))?$`,
  'u',
);

/** How an operand is spelled. Numbers have bounds, too. */
const SPELLED: Record<Operand, string> = {
  count: '[0-9]{1,11}',
  us: '[0-9]{1,11}',
  function: NAME,
  symbol: `${NAME}(\\+[0-9]{1,6})?`,
  value: '-?[0-9]{1,11}',
  register: `(?:${WRITABLE.join('|')})`,
  argument: 'a[0-7]',
};

const OPERAND_PATTERNS: ReadonlyMap<string, RegExp> = new Map(
  Object.entries(SPELLED).map(([kind, spelled]) => [kind, new RegExp(`^(?:${spelled})$`, 'u')]),
);

export type LineReading = { readonly op: ScriptOp } | { readonly problem: string };

/** Reads one line of text. `problem` says what was expected and what was found. */
export function readLine(text: string, where: 'function' | 'callback'): LineReading {
  const [word = '', ...operands] = text.trim().split(/\s+/u);
  if (!isWord(word) || (where === 'function' && CALLBACK_ONLY.has(word))) {
    return { problem: `expected ${oneOf(lineWords(where))}, found '${text}'${hint(word, where)}` };
  }
  const form: readonly Operand[] = FORMS[word];
  const problem = `expected '${sample(word)}'`;
  if (operands.length !== form.length) return { problem: `${problem}, found '${text}'` };
  for (const [index, kind] of form.entries()) {
    const operand = operands[index] ?? '';
    if (!fits(kind, operand)) {
      return { problem: `${problem} with ${EXPECTED[kind]}, found '${operand}'` };
    }
  }
  return { op: toOp(word, operands[0] ?? '', operands[1] ?? '') };
}

function hint(word: string, where: 'function' | 'callback'): string {
  if (CALLBACK_ONLY.has(word)) return ` ('${word}' belongs to callbacks)`;
  return didYouMean(word, lineWords(where));
}

function isWord(word: string): word is Word {
  return Object.hasOwn(FORMS, word);
}

/** The first words of all lines. */
function lineWords(where: 'function' | 'callback'): string[] {
  return Object.keys(FORMS).filter((word) => where === 'callback' || !CALLBACK_ONLY.has(word));
}

function sample(word: Word): string {
  const form: readonly Operand[] = FORMS[word];
  return [word, ...form.map((kind) => SAMPLE[kind])].join(' ');
}

/** One example of every line. */
export function lineSamples(where: 'function' | 'callback'): string[] {
  return lineWords(where).flatMap((word) => (isWord(word) ? [sample(word)] : []));
}

function oneOf(words: readonly string[]): string {
  return `one of ${words.join(', ')}`;
}

function fits(kind: Operand, text: string): boolean {
  if (OPERAND_PATTERNS.get(kind)?.test(text) !== true) return false;
  switch (kind) {
    case 'count':
      return isWithin(text, 0, LIMIT.work);
    case 'us':
      return isWithin(text, 0, LIMIT.microseconds);
    case 'value':
      return isWithin(text, INT32_MIN, INT32_MAX);
    case 'function':
    case 'symbol':
    case 'register':
    case 'argument':
      return true;
  }
}

function isWithin(text: string, low: number, high: number): boolean {
  const value = Number(text);
  return low <= value && value <= high;
}

function toOp(word: Word, first: string, second: string): ScriptOp {
  switch (word) {
    case 'work':
      return { op: 'work', count: Number(first) };
    case 'call':
    case 'tail':
      return { op: word, target: first };
    case 'load':
      return { op: 'load', ...readSymbol(first) };
    case 'store':
    case 'add':
    case 'amoadd':
      return { op: word, ...readSymbol(first), value: Number(second) };
    case 'sleep':
      return { op: 'sleep', us: Number(first) };
    case 'return':
      return { op: 'return', value: Number(first) };
    case 'irq_off':
    case 'irq_on':
    case 'preempt_off':
    case 'preempt_on':
    case 'rcu_read_lock':
    case 'rcu_read_unlock':
    case 'regs':
    case 'show_data':
      return { op: word };
    case 'set_reg':
      return { op: 'set_reg', register: numberOf(first), value: Number(second) };
    case 'redirect':
      return { op: 'redirect', target: first };
    case 'store_data':
      return { op: 'store_data', register: numberOf(first) };
  }
}

function numberOf(register: string): number {
  return known(new Map(Object.entries(REG)).get(register), 'a checked register exists');
}

/** `counter+8` names the second word of `counter`. The text fits SYMBOL_PATTERN. */
export function readSymbol(text: string): { readonly symbol: string; readonly offset: number } {
  const groups = SYMBOL_PATTERN.exec(text)?.groups;
  return { symbol: groups?.['name'] ?? text, offset: Number(groups?.['offset'] ?? 0) };
}

/** A regular expression for editors; `readLine` knows the bounds of numbers, too. */
export function linePattern(where: 'function' | 'callback'): string {
  const lines = lineWords(where).flatMap((word) => {
    if (!isWord(word)) return [];
    const form: readonly Operand[] = FORMS[word];
    return [[word, ...form.map((kind) => SPELLED[kind])].join('\\s+')];
  });
  return `^\\s*(${lines.join('|')})\\s*$`;
}

/** Calls `visit` for every text line of a body with the key path below it, blocks included, in order. */
export function eachLine(
  body: readonly Line[],
  path: readonly (string | number)[],
  visit: (text: string, path: readonly (string | number)[]) => void,
): void {
  for (const [index, line] of body.entries()) {
    const here = [...path, index];
    if (typeof line === 'string') visit(line, here);
    else if ('body' in line) eachLine(line.body, [...here, 'body'], visit);
    else eachLine(line.trylock, [...here, 'trylock'], visit);
  }
}

function readBlock(block: Exclude<Line, string>): ScriptOp {
  if ('trylock' in block) return { op: 'trylock', body: readBody(block.trylock) };
  const body = readBody(block.body);
  return 'loop' in block
    ? { op: 'loop', times: block.loop, body }
    : { op: 'if', ...readSymbol(block.if), body };
}

/** A checked body as the assembler wants it. */
export function readBody(body: readonly Line[]): ScriptOp[] {
  return body.map((line) => {
    if (typeof line !== 'string') return readBlock(line);
    const reading = readLine(line, 'callback');
    assert('op' in reading, 'a checked line can be read');
    return reading.op;
  });
}
