// Layer emu. `printk` and its format strings, after lib/vsprintf.c: the conversions of C, and the pointers that
// know a symbol (%pS, %ps). Left out: floating point, which kernels have not, and %n; %p shows the pointer itself,
// where a real kernel shows a hash of it, since here nobody is to be kept from knowing. What is not understood
// stays as it is written.
import { type Address, hexAddress, NO_ADDRESS } from './address.ts';
import type { Context } from './context.ts';
import { EMU_EVENTS } from './event.ts';
import { readString } from './kernel-access.ts';
import { LIMITS } from './limits.ts';
import type { Machine } from './machine.ts';
import type { StubArguments } from './stubs.ts';

/** KERN_SOH and a level: what pr_info and its like put in front. */
// oxlint-disable-next-line no-control-regex -- it is a control character
const LEVEL_PREFIX = /^\u0001[0-7c]/;
const CONVERSION =
  /%([-+ #0]*)(\*|\d+)?(\.(?:\*|\d+)?)?(hh|h|ll|l|z|t|j)?(?:(p)([A-Za-z0-9]*)|([diouxXcs%]))/g;
const BITS: Readonly<Record<string, number>> = { hh: 8, h: 16, '': 32 };
const WORD_BITS = 64;
const POINTER_DIGITS = 16;
/** Errors in the place of pointers, and the page that is never mapped. */
const ERRNO_MAX = 4095n;
const PAGE_BYTES = 4096n;

/** `_printk(fmt, ...)`: one line of the kernel log. The number of characters. */
export function printk(cx: Context, args: StubArguments): number {
  const { machine } = cx.cpu;
  const format = readString(cx, args.address(0));
  if (format === undefined) return 0;
  const line = formatText(cx, format, { args, next: 1 });
  if (machine.ending !== undefined) return 0;
  const text = line.replace(LEVEL_PREFIX, '').replace(/\n$/, '').slice(0, LIMITS.printkMax);
  cx.emit(EMU_EVENTS.printk.id, machine.strings.id(text));
  return text.length;
}

/** Arguments of a variadic call, taken one by one. */
interface VariadicArguments {
  readonly args: StubArguments;
  /** Index of the next one. */
  next: number;
}

/** `vscnprintf`. A guest string that is not there is an oops. */
export function formatText(cx: Context, format: string, values: VariadicArguments): string {
  const { machine } = cx.cpu;
  return format.replaceAll(CONVERSION, (...groups) => {
    const [, flags, width, precision, length, pointer, extension, plain] = groups as (
      | string
      | undefined
    )[];
    if (plain === '%') return '%';
    const field = fieldOf(values, { flags, width, precision });
    if (pointer !== undefined) return pad(pointerText(machine, extension ?? '', values), field);
    if (plain === 's') return pad(stringText(cx, values, field.precision), field);
    if (plain === 'c')
      return pad(String.fromCharCode(take(values, (a, i) => a.lo(i)) & 255), field);
    return numberText(values, field, { length: length ?? '', conversion: plain ?? 'd' });
  });
}

interface Field {
  readonly flags: string;
  readonly width: number;
  /** Undefined when it is not given. */
  readonly precision: number | undefined;
}

/** Takes the arguments that stand for a `*`. A negative width means left-justified. */
function fieldOf(
  values: VariadicArguments,
  given: Readonly<Record<'flags' | 'width' | 'precision', string | undefined>>,
): Field {
  const count = (text: string): number =>
    text === '*' ? take(values, (args, i) => args.lo(i)) : Number(text);
  const width = count(given.width ?? '0');
  const precision = given.precision === undefined ? undefined : count(given.precision.slice(1));
  return {
    flags: (given.flags ?? '') + (width < 0 ? '-' : ''),
    width: Math.min(Math.abs(width), LIMITS.printkMax),
    precision: precision === undefined || precision < 0 ? undefined : precision,
  };
}

function take<T>(values: VariadicArguments, read: (args: StubArguments, index: number) => T): T {
  return read(values.args, values.next++);
}

function pad(text: string, { flags, width }: Field): string {
  return flags.includes('-') ? text.padEnd(width) : text.padStart(width);
}

function pointerText(machine: Machine, extension: string, values: VariadicArguments): string {
  const value = take(values, word);
  const address = values.args.address(values.next - 1);
  const kind = extension[0] ?? '';
  if (kind === 'S' || kind === 'B') return symbolText(machine, address, true);
  if (kind === 's') return symbolText(machine, address, false);
  return value.toString(16).padStart(POINTER_DIGITS, '0');
}

/** `vfs_open+0x0/0x20`, `sample_note+0x4/0x10 [sample]`; without offset just the name. */
export function symbolText(machine: Machine, address: Address, withOffset: boolean): string {
  if (address === NO_ADDRESS) return '0x0';
  const symbol = machine.symbolAt(address);
  if (symbol === undefined) return hexAddress(address);
  const { name, offset, size, module } = symbol;
  const place = withOffset ? `+0x${offset.toString(16)}/0x${size.toString(16)}` : '';
  return `${name}${place}${module === undefined ? '' : ` [${module}]`}`;
}

/** Of pointers that cannot be one the kernel says so; any other bad one kills it. */
function stringText(cx: Context, values: VariadicArguments, most: number | undefined): string {
  const value = BigInt.asIntN(WORD_BITS, take(values, word));
  if (value === 0n) return '(null)';
  if (value >= -ERRNO_MAX && value < PAGE_BYTES) return '(efault)';
  return readString(cx, values.args.address(values.next - 1), most) ?? '';
}

/** The whole 64-bit argument, unsigned. */
function word(args: StubArguments, index: number): bigint {
  return (BigInt(args.hi(index) >>> 0) << 32n) | BigInt(args.lo(index) >>> 0);
}

function numberText(
  values: VariadicArguments,
  field: Field,
  { length, conversion }: { readonly length: string; readonly conversion: string },
): string {
  const bits = BITS[length] ?? WORD_BITS;
  const raw = take(values, word);
  const signed = conversion === 'd' || conversion === 'i';
  const value = signed ? BigInt.asIntN(bits, raw) : BigInt.asUintN(bits, raw);
  const base = conversion === 'o' ? 8 : conversion === 'x' || conversion === 'X' ? 16 : 10;
  const digits = (value < 0n ? -value : value).toString(base).padStart(field.precision ?? 0, '0');
  const cased = conversion === 'X' ? digits.toUpperCase() : digits;
  const lead = sign(value, signed, field.flags) + prefix(base, conversion, field.flags);
  const zeros = field.flags.includes('0') && !field.flags.includes('-');
  if (!zeros || field.precision !== undefined) return pad(lead + cased, field);
  return lead + cased.padStart(field.width - lead.length, '0');
}

function sign(value: bigint, signed: boolean, flags: string): string {
  if (value < 0n) return '-';
  if (!signed) return '';
  if (flags.includes('+')) return '+';
  return flags.includes(' ') ? ' ' : '';
}

function prefix(base: number, conversion: string, flags: string): string {
  if (!flags.includes('#') || base === 10) return '';
  return base === 8 ? '0' : `0${conversion}`;
}
