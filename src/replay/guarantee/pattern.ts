// Layer replay. Filter patterns as the documents describe them (docs/spec/ftrace.md, "Pattern
// syntax"), written for the judges alone: the matcher under test is never asked what it should have
// matched. Full, front, end and middle patterns are globs that use nothing but `*`, so one matcher
// does for all.

/** A call site without a function is listed, and counted, by a name that selects nothing (FT-61). */
const INVALID = '__ftrace_invalid_address__';

/** What a pattern says about a table of functions. */
export interface Matched {
  /** A leading `!`: take the matches out instead of adding them (FT-44). */
  readonly negated: boolean;
  /** Positions in the table; a name that several functions bear selects them all (FT-49). */
  readonly positions: readonly number[];
}

/** Matches `text` against `names`, which are in the order of available_filter_functions. */
export function matchPattern(text: string, names: readonly string[]): Matched {
  const negated = text.startsWith('!');
  const pattern = negated ? text.slice(1) : text;
  if (/^[0-9]/u.test(pattern)) {
    const position = parseIndex(pattern) - 1;
    return { negated, positions: position >= 0 && position < names.length ? [position] : [] };
  }
  const positions: number[] = [];
  names.forEach((name, position) => {
    if (!name.startsWith(INVALID) && globMatches(pattern, name)) positions.push(position);
  });
  return { negated, positions };
}

/**
 * The number in the kernel's automatic base: 0x.., 0.. (octal) or decimal; 0, which no function
 * has, else.
 */
function parseIndex(digits: string): number {
  if (/^0[xX][0-9a-fA-F]+$/u.test(digits)) return Number.parseInt(digits.slice(2), 16);
  if (/^0[0-7]*$/u.test(digits)) return Number.parseInt(digits, 8);
  return /^[0-9]+$/u.test(digits) ? Number.parseInt(digits, 10) : 0;
}

/** glob(7) over the whole of `text`, with the differences that docs/spec lists. */
export function globMatches(glob: string, text: string): boolean {
  let at = 0;
  let read = 0;
  let star = -1;
  let retry = 0;
  while (read < text.length) {
    if (glob[at] === '*') {
      star = at++;
      retry = read;
      continue;
    }
    const next = matchOne(glob, at, text.charCodeAt(read));
    if (next !== -1) {
      at = next;
      read++;
    } else if (star === -1) {
      return false;
    } else {
      at = star + 1; // The last star takes one character more.
      read = ++retry;
    }
  }
  while (glob[at] === '*') at++;
  const left = glob.slice(at);
  return left === '' || left === '\\'; // A last, lone backslash stands for nothing.
}

/** Position after the element of `glob` at `at` if it takes `code`, else -1. */
function matchOne(glob: string, at: number, code: number): number {
  switch (glob[at]) {
    case undefined:
      return -1;
    case '?':
      return at + 1;
    case '\\':
      return glob.charCodeAt(at + 1) === code ? at + 2 : -1;
    case '[': {
      const close = classEnd(glob, at);
      if (close === -1) break; // Never closed: a literal.
      return classTakes(glob, at, code) ? close + 1 : -1;
    }
    default:
  }
  return glob.charCodeAt(at) === code ? at + 1 : -1;
}

/**
 * Position of the `]` that closes the class opened at `open`, or -1; as first member it closes
 * nothing.
 */
function classEnd(glob: string, open: number): number {
  return glob.indexOf(']', firstMember(glob, open) + 1);
}

function firstMember(glob: string, open: number): number {
  return glob[open + 1] === '!' ? open + 2 : open + 1;
}

function classTakes(glob: string, open: number, code: number): boolean {
  const close = classEnd(glob, open);
  const first = firstMember(glob, open);
  let member = false;
  for (let at = first; at < close; at++) {
    const low = glob.charCodeAt(at);
    const isRange = glob[at + 1] === '-' && at + 2 < close;
    const high = isRange ? glob.charCodeAt(at + 2) : low;
    if (low <= code && code <= high) member = true;
    if (isRange) at += 2;
  }
  return member === (first === open + 1);
}
