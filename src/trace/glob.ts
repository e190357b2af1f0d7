// Layer trace. Filter patterns: the table "Pattern syntax" of docs/spec/ftrace.md (FT-43, FT-44), as
// `filter_parse_regex` and `glob_match` read them. Left out: `f:mod:m`, which only tracefs understands.

/** What a pattern turned out to be (`enum regex_type`). */
export type PatternType = 'full' | 'front' | 'end' | 'middle' | 'glob' | 'index';

export interface Pattern {
  readonly type: PatternType;
  /** A leading `!`: the matches leave the hash instead of entering it. */
  readonly negate: boolean;
  /** What is searched for: without the `!`, and without the stars of front, end and middle. */
  readonly search: string;
}

/** `filter_parse_regex`. */
export function filterParseRegex(text: string): Pattern {
  const negate = text.startsWith('!');
  const body = negate ? text.slice(1) : text;
  if (/^[0-9]/u.test(body)) return { type: 'index', negate, search: body };
  const inner = body.replace(/^\*/u, '').replace(/\*$/u, '');
  if (/[*?[\\]/u.test(inner)) return { type: 'glob', negate, search: body };
  const starsFirst = body.startsWith('*');
  const starsLast = body.length > 1 && body.endsWith('*');
  const type = starsFirst ? (starsLast ? 'middle' : 'end') : starsLast ? 'front' : 'full';
  return { type, negate, search: inner };
}

/** Does `name`, the `nth` (from 1) of available_filter_functions, match? Negation is the caller's. */
export function regexMatch(pattern: Pattern, name: string, nth: number): boolean {
  const { search } = pattern;
  switch (pattern.type) {
    case 'full':
      return name === search;
    case 'front':
      return name.startsWith(search);
    case 'end':
      return name.endsWith(search);
    case 'middle':
      return name.includes(search);
    case 'glob':
      return globMatch(search, name);
    case 'index':
      return nth === parseIndex(search);
  }
}

/** `kstrtoul` with base 0; 0, which no record has as its number, for what is no number. */
function parseIndex(text: string): number {
  if (/^0x[0-9a-f]+$/iu.test(text)) return Number.parseInt(text, 16);
  if (/^0[0-7]*$/u.test(text)) return Number.parseInt(text, 8);
  return /^[1-9][0-9]*$/u.test(text) ? Number.parseInt(text, 10) : 0;
}

/**
 * `glob_match`: the whole string must match. Only the last `*` is ever taken back: what an earlier one
 * matched more of, the last one can match as well.
 */
export function globMatch(glob: string, text: string): boolean {
  let at = 0;
  let position = 0;
  let retryGlob = -1;
  let retryText = 0;
  for (;;) {
    if (glob[at] === '*') {
      retryGlob = ++at;
      retryText = position;
      continue;
    }
    const letter = text[position];
    if (letter === undefined) return endsHere(glob, at);
    const length = matchLetter(glob, at, letter);
    if (length > 0) {
      at += length;
      position++;
      continue;
    }
    if (retryGlob < 0) return false;
    at = retryGlob;
    position = ++retryText;
  }
}

/** The text is over: so must the glob be. A backslash at its end escapes nothing. */
function endsHere(glob: string, at: number): boolean {
  return at >= glob.length || (glob[at] === '\\' && at === glob.length - 1);
}

/** How many characters of the glob at `at` match `letter`; 0 when they do not. */
function matchLetter(glob: string, at: number, letter: string): number {
  switch (glob[at]) {
    case undefined:
      return 0;
    case '?':
      return 1;
    case '\\':
      return glob[at + 1] === letter ? 2 : 0;
    case '[': {
      const members = characterClass(glob, at);
      if (members === undefined) return letter === '[' ? 1 : 0;
      return members.has(letter) ? members.length : 0;
    }
    default:
      return glob[at] === letter ? 1 : 0;
  }
}

interface CharacterClass {
  /** Characters of the glob, brackets included. */
  readonly length: number;
  has(letter: string): boolean;
}

/** The class that begins at `at`; undefined when it is never closed, which makes `[` a literal. */
function characterClass(glob: string, at: number): CharacterClass | undefined {
  const inverted = glob[at + 1] === '!';
  let next = at + (inverted ? 2 : 1);
  const ranges: (readonly [string, string])[] = [];
  do {
    const first = glob[next++];
    if (first === undefined) return undefined;
    let last = first;
    if (glob[next] === '-' && glob[next + 1] !== ']') {
      const end = glob[next + 1];
      if (end === undefined) return undefined;
      last = end;
      next += 2;
    }
    ranges.push([first, last]);
  } while (glob[next] !== ']');
  const has = (letter: string): boolean =>
    ranges.some(([first, last]) => first <= letter && letter <= last) !== inverted;
  return { length: next + 1 - at, has };
}
