// Layer replay. Building blocks of the workload schema. Every block carries its own message, "expected ...",
// and its own description and example: `issue.ts` prints the first, `reprobe schema` the others.
import * as z from 'zod';
import {
  IDENTIFIER_PATTERN,
  INT32_MAX,
  INT32_MIN,
  linePattern,
  lineSamples,
  NAME_PATTERN,
  readLine,
  SYMBOL_PATTERN,
} from './line.ts';
import { INTERRUPTS, type Line, LIMIT, OPERATIONS } from './model.ts';

// oxlint-disable-next-line no-control-regex -- control characters are exactly what is refused
const NO_CONTROLS = /^[^\u0000-\u001f\u007f]*$/u;

export function whole(low: number, high: number, about: string): z.ZodNumber {
  const error = `expected a whole number from ${low} to ${high}`;
  return z
    .int({ error })
    .min(low, { error })
    .max(high, { error })
    .meta({ description: about, examples: [low] });
}

/** A C int. */
export function int32(about: string): z.ZodNumber {
  const error = `expected a whole number from ${INT32_MIN} to ${INT32_MAX}`;
  return z
    .int({ error })
    .min(INT32_MIN, { error })
    .max(INT32_MAX, { error })
    .meta({ description: about });
}

export function flag(about: string, byDefault: boolean): z.ZodBoolean {
  return z
    .boolean({ error: 'expected true or false' })
    .meta({ description: about, default: byDefault, examples: [!byDefault] });
}

export function word<const T extends string>(
  words: readonly T[],
  about: string,
): z.ZodEnum<{ [K in T]: K }> {
  const error = `expected ${words.length === 1 ? '' : 'one of '}${words.join(', ')}`;
  return z.enum(words, { error }).meta({ description: about, examples: words.slice(0, 1) });
}

/** One line of printable text. */
export function text(about: string, examples: readonly string[]): z.ZodString {
  const error = `expected a text of at most ${LIMIT.patternLength} printable characters`;
  return z
    .string({ error })
    .max(LIMIT.patternLength, { error })
    .regex(NO_CONTROLS, { error })
    .meta({ description: about, examples: [...examples] });
}

/**
 * A map with exactly these keys. The message of an unknown key is the list of valid ones, which `issue.ts`
 * turns into a sentence.
 */
export function map<T extends z.core.$ZodLooseShape>(shape: T): z.ZodObject<T, z.core.$strict> {
  const keys = Object.keys(shape).join(', ');
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? keys : `expected a map with the keys ${keys}`,
  });
}

/** The name of something that is defined elsewhere. */
export function reference(about: string, example: string): z.ZodString {
  const error = 'expected a name';
  return z
    .string({ error })
    .regex(NAME_PATTERN, { error })
    .max(LIMIT.patternLength, { error })
    .meta({ description: about, examples: [example] });
}

/** A section: a map from new names to things. */
export function named<T extends z.ZodType>(
  value: T,
  about: string,
  example: object,
): z.ZodExactOptional<z.ZodRecord<z.ZodString, T>> {
  return namedValues(value)
    .meta({ description: about, examples: [example] })
    .exactOptional();
}

/** A map from names to things. */
export function namedValues<T extends z.ZodType>(value: T): z.ZodRecord<z.ZodString, T> {
  const error = 'expected a name of letters, digits and _ that does not begin with a digit';
  const key = z
    .string({ error })
    .regex(IDENTIFIER_PATTERN, { error })
    .max(LIMIT.nameLength, { error: `expected a name of at most ${LIMIT.nameLength} letters` });
  return z.record(key, value, { error: 'expected a map from names to values' });
}

export function list<T extends z.ZodType>(item: T, about: string, least: 0 | 1 = 0): z.ZodArray<T> {
  const error = `expected a list of ${least} to ${LIMIT.entries} entries`;
  return z
    .array(item, { error })
    .min(least, { error })
    .max(LIMIT.entries, { error })
    .meta({ description: about });
}

/** Exactly one of `keys` must be there. */
export function exactlyOne<T extends object>(
  keys: readonly (keyof T & string)[],
): z.core.CheckFn<T> {
  return ({ value, issues }) => {
    const present = keys.filter((key) => Object.hasOwn(value, key));
    if (present.length === 1) return;
    const expected = `expected exactly one of ${keys.join(', ')}`;
    if (present.length === 0) {
      issues.push({ code: 'custom', input: value, path: [], message: `${expected}, found none` });
    }
    for (const key of present.slice(1)) {
      const message = `${expected}, found ${present.join(' and ')}`;
      issues.push({ code: 'custom', input: value, path: [key], message, params: { atKey: true } });
    }
  };
}

/** The same rule for editors. */
export function requiredOne(keys: readonly string[]): { readonly required: readonly string[] }[] {
  return keys.map((key) => ({ required: [key] }));
}

/** `keys` may stand only beside one of `owners`. */
export function belongsTo<T extends object>(
  keys: readonly (keyof T & string)[],
  owners: readonly (keyof T & string)[],
): z.core.CheckFn<T> {
  return ({ value, issues }) => {
    if (owners.some((owner) => Object.hasOwn(value, owner))) return;
    for (const key of keys) {
      if (!Object.hasOwn(value, key)) continue;
      const message = `'${key}' belongs to ${owners.join(', ')}`;
      issues.push({ code: 'custom', input: value, path: [key], message, params: { atKey: true } });
    }
  };
}

const LINE_ERROR = 'expected a line such as work 4, or a map such as { loop: 3, body: [...] }';

function textLine(where: 'function' | 'callback'): z.ZodType<string> {
  return z
    .string({ error: LINE_ERROR })
    .max(LIMIT.patternLength, { error: 'expected a shorter line' })
    .check(({ value, issues }) => {
      const reading = readLine(value, where);
      if ('op' in reading) return;
      issues.push({ code: 'custom', input: value, message: reading.problem });
    })
    .meta({
      description: 'One line: a word and its operands.',
      pattern: linePattern(where),
      examples: lineSamples(where),
    });
}

const ifData = z
  .string({ error: 'expected the name of a variable' })
  .regex(SYMBOL_PATTERN, { error: 'expected a data name such as counter or counter+8' })
  .meta({ description: 'A variable.', examples: ['gate'] });

const loopCount = whole(1, LIMIT.loop, 'How many times the body runs.');

const functionLine: z.ZodType<Line> = z
  .lazy(() =>
    z.union(
      [
        textLine('function'),
        map({ loop: loopCount, body: functionBody() }).meta({
          description: 'Repeats its body.',
        }),
        map({ if: ifData, body: functionBody() }).meta({
          description: 'Runs its body if the variable is not 0.',
        }),
      ],
      { error: LINE_ERROR },
    ),
  )
  .meta({ id: 'FunctionLine', description: 'One line of a function.' });

const callbackLine: z.ZodType<Line> = z
  .lazy(() =>
    z.union(
      [
        textLine('callback'),
        map({ loop: loopCount, body: callbackBody() }).meta({
          description: 'Repeats its body.',
        }),
        map({ if: ifData, body: callbackBody() }).meta({
          description: 'Runs its body if the variable is not 0.',
        }),
        map({ trylock: callbackBody() }).meta({
          description: 'Runs its lines under ftrace_test_recursion_trylock, or not at all.',
        }),
      ],
      { error: LINE_ERROR },
    ),
  )
  .meta({ id: 'CallbackLine', description: 'One line of a callback.' });

export function functionBody(): z.ZodType<readonly Line[]> {
  return list(functionLine, 'The lines of the function, in order.').meta({
    examples: [['work 3', 'call vfs_open', { loop: 2, body: ['add counter 1'] }]],
  });
}

export function callbackBody(): z.ZodType<readonly Line[]> {
  return list(callbackLine, 'The lines of the callback, in order.').meta({
    examples: [['regs', { trylock: ['call vfs_open'] }]],
  });
}

/** Every key of a timeline item that says what to do. */
export const ACTIONS: readonly [
  'register',
  'unregister',
  'set_filter',
  'set_notrace',
  'set_filter_ip',
  'set_filter_ips',
  'free_filter',
  'unregister_async',
  'disable',
  'enable',
  'init_module',
  'delete_module',
  'ftrace_enabled',
  'kprobes_enabled',
  'set_ftrace_pid',
  'cpu_down',
  'cpu_up',
  'irq',
  'softirq',
  'nmi',
] = [...OPERATIONS, ...INTERRUPTS];
