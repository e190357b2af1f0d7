// Where rules are cited: anywhere in a text (an id that does not exist is a typing error), and in the places that
// count as proof: the title of a test, and a judge's list of rules. A comment proves nothing.
import { type Node, type Parsed, nameOf, part, parts, walk } from './source.ts';

/** An id, with the range of steps that may follow its own: `CC-S5.6-8`, `FT-25.1-4`. */
const ID =
  /\b(?<id>(?:FT|FP|KP|JP|KR|TE|TL)-\d+[a-z]?\b(?:\.\d+)?|CC-[A-Z]\d+(?:\.\d+[a-z]?)?|[MH]-\d{2}\b|E-\d{1,2}\b)(?:-(?<last>\d+)\b)?/gu;

/** What `text` cites, as it is written: `FT-30`, `CC-S5.6-8`. */
export function citationsIn(text: string): readonly string[] {
  return [...text.matchAll(ID)].map(([citation]) => citation);
}

/** The ids in `text`, ranges of steps written out. */
export function idsIn(text: string): readonly string[] {
  return [...text.matchAll(ID)].flatMap(({ groups }) => {
    const { id = '', last } = groups ?? {};
    const dot = id.lastIndexOf('.');
    if (last === undefined || dot < 0) return [id];
    const [whole, first] = [id.slice(0, dot), Number(id.slice(dot + 1))];
    return Array.from({ length: Number(last) - first + 1 }, (_, i) => `${whole}.${first + i}`);
  });
}

/** A test that runs, by the titles of what it lies in and its own. */
export interface TestTitle {
  readonly path: string;
  readonly title: string;
}

const TEST_WORDS = new Set(['test', 'it']);
const SUITE_WORDS = new Set(['describe', 'suite']);

/** Titles of all tests of a file. What is not written in it (`%s`, `${name}`) stays as it stands. */
export function testTitles(file: Parsed): readonly TestTitle[] {
  const found: TestTitle[] = [];
  walk(file.program, (node, above) => {
    if (!TEST_WORDS.has(calledWord(node))) return;
    const suites = above.filter((one) => SUITE_WORDS.has(calledWord(one))).toReversed();
    const title = [...suites, node].map(titleOf).join(' > ');
    found.push({ path: file.path, title });
  });
  return found;
}

/** `test` of `test(...)`, `test.concurrent(...)` and `test.each(...)(...)`; '' of anything else. */
function calledWord(node: Node): string {
  if (node.type !== 'CallExpression') return '';
  let callee = part(node, 'callee');
  const isTable = callee?.type === 'CallExpression';
  if (isTable) callee = part(callee, 'callee');
  const isEach = callee?.type === 'MemberExpression' && nameOf(part(callee, 'property')) === 'each';
  if (isEach !== isTable) return '';
  while (callee?.type === 'MemberExpression') callee = part(callee, 'object');
  return nameOf(callee);
}

function titleOf(call: Node): string {
  return textOf(parts(call, 'arguments')[0]);
}

function textOf(node: Node | undefined): string {
  if (typeof node?.['value'] === 'string') return node['value'];
  if (node?.type === 'BinaryExpression')
    return textOf(part(node, 'left')) + textOf(part(node, 'right'));
  if (node?.type !== 'TemplateLiteral') return '';
  return parts(node, 'quasis').map(cooked).join('...');
}

/** The text of a template between two expressions. */
function cooked(quasi: Node): string {
  const { value } = quasi;
  return typeof value === 'object' && value !== null && 'cooked' in value
    ? String(value.cooked)
    : '';
}

/** Comments, strings and templates of a file: where ids are written. Names and expressions are not. */
export function spokenIn(
  file: Parsed,
): readonly { readonly text: string; readonly start: number }[] {
  const found = file.comments.map(({ value, start }) => ({ text: value, start }));
  walk(file.program, (node) => {
    if (node.type === 'Literal' || node.type === 'TemplateLiteral') {
      if (node['regex'] === undefined) found.push({ text: textOf(node), start: node.start });
    }
  });
  return found;
}
