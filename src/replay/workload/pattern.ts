// Layer replay. Which functions a filter pattern selects: the table "Pattern syntax" of docs/spec/ftrace.md
// (FT-43, FT-44), written from the table. The emulated kernel and the judges have their own matchers: three
// readings of one table are compared in properties. `name*`, `*name` and `*name*` are globs like the rest.

/** What the text of a pattern asks for. `negate`: a leading `!`, remove the matches. */
export type Pattern =
  | { readonly kind: 'index'; readonly negate: boolean; readonly nth: number }
  | { readonly kind: 'glob'; readonly negate: boolean; readonly glob: string };

/** How a call site without a function is listed; no name selects it (FT-61). */
const INVALID = /^__ftrace_invalid_address__/u;

export function readPattern(text: string): Pattern {
  const negate = text.startsWith('!');
  const glob = negate ? text.slice(1) : text;
  if (/^[0-9]/u.test(glob)) return { kind: 'index', negate, nth: readIndex(glob) };
  return { kind: 'glob', negate, glob };
}

/** As the kernel reads numbers: hexadecimal after 0x, octal after 0. No number is 0, the never-matching. */
function readIndex(text: string): number {
  if (/^0[xX][0-9a-fA-F]+$/u.test(text)) return Number.parseInt(text, 16);
  if (/^0[0-7]+$/u.test(text)) return Number.parseInt(text, 8);
  if (/^[0-9]+$/u.test(text) && !/^0./u.test(text)) return Number.parseInt(text, 10);
  return 0;
}

/** Positions in `names` (in the order of available_filter_functions) that the pattern matches. */
export function matches(text: string, names: readonly string[]): number[] {
  const pattern = readPattern(text);
  if (pattern.kind === 'index') {
    return pattern.nth >= 1 && pattern.nth <= names.length ? [pattern.nth - 1] : [];
  }
  const found: number[] = [];
  for (const [index, name] of names.entries())
    if (!INVALID.test(name) && globMatches(pattern.glob, name)) found.push(index);
  return found;
}

/** glob(7) as the table narrows it: the whole name must match. Linear space, no backtracking blow-up. */
export function globMatches(glob: string, name: string): boolean {
  let at = 0;
  let letter = 0;
  let starAt = -1;
  let starLetter = 0;
  while (letter < name.length) {
    if (glob[at] === '*') {
      starAt = ++at;
      starLetter = letter;
      continue;
    }
    const next = at < glob.length ? matchOne(glob, at, name[letter] ?? '') : 0;
    if (next > 0) {
      at = next;
      letter++;
    } else if (starAt >= 0) {
      at = starAt;
      letter = ++starLetter;
    } else return false;
  }
  while (glob[at] === '*') at++;
  return at === glob.length || glob.slice(at) === '\\';
}

/** Position after the element at `at` if it matches `letter`, else 0. */
function matchOne(glob: string, at: number, letter: string): number {
  const element = glob[at];
  if (element === '?') return at + 1;
  if (element === '\\') return glob[at + 1] === letter ? at + 2 : 0;
  if (element === '[') {
    const shape = readClass(glob, at);
    if (shape !== undefined) return shape.has(letter) === shape.invert ? 0 : shape.end;
  }
  return element === letter ? at + 1 : 0;
}

interface CharacterClass {
  readonly invert: boolean;
  readonly end: number;
  readonly has: (letter: string) => boolean;
}

/** The class that opens at `at`; undefined when nothing closes it, and then `[` is an ordinary letter. */
function readClass(glob: string, at: number): CharacterClass | undefined {
  const invert = glob[at + 1] === '!';
  const first = at + 1 + (invert ? 1 : 0);
  const ranges: { readonly low: string; readonly high: string }[] = [];
  let index = first;
  while (index < glob.length) {
    const low = glob[index] ?? '';
    if (low === ']' && index > first) {
      const has = (letter: string): boolean =>
        ranges.some((range) => range.low <= letter && letter <= range.high);
      return { invert, end: index + 1, has };
    }
    const isRange = glob[index + 1] === '-' && glob[index + 2] !== ']';
    if (isRange && index + 2 >= glob.length) return undefined;
    ranges.push({ low, high: isRange ? (glob[index + 2] ?? '') : low });
    index += isRange ? 3 : 1;
  }
  return undefined;
}
