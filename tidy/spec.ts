// The rules of docs/spec, read from the documents themselves: their ids, which are guarantees (**G**), and what
// each says in one line. A list item, a table row or a heading begins a rule; steps of an operation (`CC-S5.6`,
// `FT-25.3`) are rules of their own. Numbers of seeded faults (`M-`, `E-`, `H-`) are ids, but no rules.
import { readFileSync } from 'node:fs';
import { ROOT } from './source.ts';

export const DOCUMENTS = ['ftrace', 'fprobe', 'kprobes', 'tracefs', 'concurrency'] as const;
export type SpecDocument = (typeof DOCUMENTS)[number];

export interface Rule {
  readonly id: string;
  readonly document: SpecDocument;
  /** Marked **G**. */
  readonly isGuarantee: boolean;
  /** What it says, as far as one line goes. */
  readonly title: string;
}

export interface Spec {
  /** In the order of the documents. A rule that only gathers its steps is not among them. */
  readonly rules: readonly Rule[];
  /** Whatever may be cited: rules, rules that gather steps, faults. */
  readonly ids: ReadonlySet<string>;
}

const ITEM = /^- (?<id>(?:FT|FP|KP|JP|KR|TE|TL|CC)-[A-Z]?\d+[a-z]?) (?<text>.*)$/u;
const ROW = /^\| (?<id>(?:FT|FP|KP|JP|KR|TE|TL|CC)-[A-Z]?\d+(?:\.\d+)?)\b(?<text>.*)$/u;
const NEXT_STEP = /^\| (?<step>\.\d+)\b(?<text>.*)$/u;
const HEADING = /^### (?<id>CC-[A-Z]\d+) (?<text>.*)$/u;
const NUMBERED_ROW = /^\| (?<step>\d+)(?:\.i)?(?: \[mc\])? \|(?<text>.*)$/u;
const FAULT = /^\| (?<id>[MEH]-\d+) \|/u;
/** A step in running text: `1 lock; 2.i W tail; 3a skip`, at the start or after a full stop. */
const INLINE_STEP = /(?:^|[;:.|] )(?<step>\d{1,2}[a-z]?)(?:\.i)?:? (?=(?<text>[^;|]+))/gu;

/** Reads all of docs/spec. */
export function readSpec(): Spec {
  const rules = DOCUMENTS.flatMap((document) => rulesIn(document, read(document)));
  const faults = read('mutants')
    .split('\n')
    .flatMap((line) => FAULT.exec(line)?.groups?.['id'] ?? []);
  const ids = new Set([...rules.map(({ id }) => id), ...faults]);
  for (const { id } of rules) ids.add(wholeOf(id));
  const gathering = new Set(rules.map(({ id }) => wholeOf(id)).filter(hasSteps(rules)));
  return { rules: rules.filter(({ id }) => !gathering.has(id)), ids };
}

function read(name: string): string {
  return readFileSync(`${ROOT}docs/spec/${name}.md`, 'utf8');
}

/** `CC-S5` of `CC-S5.6`. */
export function wholeOf(id: string): string {
  return id.replace(/\.\d+[a-z]?$/u, '');
}

function hasSteps(rules: readonly Rule[]): (id: string) => boolean {
  const wholes = new Set(rules.filter(({ id }) => id.includes('.')).map(({ id }) => wholeOf(id)));
  return (id) => wholes.has(id);
}

/** The rules of one document, in its order; the first text of an id counts. */
export function rulesIn(document: SpecDocument, text: string): readonly Rule[] {
  const found = new Map<string, string>();
  let current = '';
  let heading = '';
  for (const line of text.split('\n')) {
    const [started, ...others] = startedBy(line, { current, heading });
    if (started !== undefined) {
      current = started.id;
      for (const one of [started, ...others]) {
        if (!found.has(one.id)) found.set(one.id, one.text);
      }
      if (line.startsWith('#')) heading = started.id;
    } else if (line.startsWith('  ') && current !== '') {
      found.set(current, `${found.get(current) ?? ''} ${line.trim()}`);
    } else if (line.startsWith('#')) {
      [current, heading] = ['', ''];
    }
  }
  return [...found].map(([id, said]) => ({
    id,
    document,
    isGuarantee: said.includes('**G**'),
    title: titleOf(id.includes('.') ? firstCell(said) : said),
  }));
}

interface Started {
  readonly id: string;
  readonly text: string;
}

/** The rules that begin on a line; below the heading of an operation, its steps. */
function startedBy(
  line: string,
  { current, heading }: { readonly current: string; readonly heading: string },
): readonly Started[] {
  for (const pattern of [ITEM, ROW, HEADING]) {
    const { id, text } = pattern.exec(line)?.groups ?? {};
    if (id !== undefined && text !== undefined) return [{ id, text }];
  }
  const next = NEXT_STEP.exec(line)?.groups;
  if (next !== undefined) {
    return [{ id: `${wholeOf(current)}${next['step'] ?? ''}`, text: next['text'] ?? '' }];
  }
  if (!/^CC-[SH]/u.test(heading) || /^(?:#|\| #|\| --|- )/u.test(line)) return [];
  const row = NUMBERED_ROW.exec(line)?.groups;
  const steps = row === undefined ? line.matchAll(INLINE_STEP) : [{ groups: row }];
  return [...steps].map(({ groups }) => ({
    id: `${heading}.${groups?.['step'] ?? ''}`,
    text: groups?.['text'] ?? '',
  }));
}

/** Further cells of a step say who sees it. */
function firstCell(said: string): string {
  return said
    .replaceAll(/^[^|]*\[t\]|^[\s|]+/gu, '')
    .replace(/^[\s|]+/u, '')
    .replace(/\|.*$/u, '');
}

const TITLE_MAX = 110;

/** The first sentence of what a rule says, without marks. */
function titleOf(said: string): string {
  const plain = said
    .replaceAll(/\[(?:t|t6\.1|mc|seed\d+)\]|\*\*G\*\*|[*`~]/gu, '')
    .replaceAll(/^[\s|]+|[\s|]+$/gu, '')
    .replaceAll(/\s*\|\s*/gu, ': ')
    .replaceAll(/\s+/gu, ' ')
    .trim();
  const sentence =
    /^.{20,}?(?:;|\.(?= [A-Z("]|$))/u.exec(plain)?.[0].slice(0, -1).trim() ??
    plain.replace(/\.$/u, '');
  if (sentence.length <= TITLE_MAX) return sentence;
  return `${sentence.slice(0, TITLE_MAX).replace(/\s+\S*$/u, '')} ...`;
}
