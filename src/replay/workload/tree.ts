// Layer replay. YAML text to plain data that remembers where everything was written. Only what plain data needs
// is allowed: no anchors, tags, directives, or keys that are not texts. Limits are checked before the YAML
// library may recurse or build regular expressions from what it found (an indentation of 100,000 columns
// ends the process inside the regular expression compiler).
import {
  Composer,
  CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  Parser,
  type YAMLMap,
} from 'yaml';
import { InputError } from '../../assert.ts';
import { type Finding, type KeyPath, type Positions, refuse } from './finding.ts';
import { LIMIT } from './model.ts';

export interface Tree {
  readonly value: unknown;
  readonly positions: Positions;
}

/** Reads one YAML document. Throws `InputError` and nothing else. */
export function readTree(text: string, file: string): Tree {
  checkSize(text, file);
  const lines = new LineCounter();
  const tokens = firstTokens(new Parser(lines.addNewLine).parse(text));
  const where = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${Math.max(1, line)}:${Math.max(1, col)}`;
  };
  checkTokens(tokens, where);
  const document = compose(tokens, text.length, where);
  const reader: Reader = { spans: new Map(), findings: [] };
  const value = document.contents === null ? null : readNode(reader, document.contents, []);
  const positions = spanPositions(reader.spans, where);
  refuse(reader.findings, positions);
  return { value, positions };
}

function checkSize(text: string, file: string): void {
  if (text.length > LIMIT.fileBytes) {
    throw new InputError(
      `expected a workload of at most ${LIMIT.fileBytes} characters, found ${text.length}`,
      `${file}:1:1`,
    );
  }
  for (const [index, line] of text.split(/\r\n|\r|\n/u).entries()) {
    if (line.length <= LIMIT.lineColumns) continue;
    throw new InputError(
      `expected lines of at most ${LIMIT.lineColumns} columns, found ${line.length}`,
      `${file}:${index + 1}:${LIMIT.lineColumns + 1}`,
    );
  }
}

/** All tokens, or those up to the first that is wrong: each would become an error with a stack of its own. */
function firstTokens(parsed: Iterable<CST.Token>): readonly CST.Token[] {
  const tokens: CST.Token[] = [];
  for (const token of parsed) {
    tokens.push(token);
    if (token.type === 'error') break;
  }
  return tokens;
}

/** Refuses nesting that would exhaust the host's stack, more values than a run can need, and directives, which change YAML itself. */
function checkTokens(tokens: readonly CST.Token[], where: (offset: number) => string): void {
  const open: { readonly token: CST.Token; readonly depth: number }[] = [];
  let values = 0;
  let signs = 0;
  for (const token of tokens) {
    if (token.type === 'directive') {
      throw new InputError('YAML directives are not used here, remove it', where(token.offset));
    }
    open.push({ token, depth: 0 });
  }
  for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
    const { token, depth } = entry;
    if (depth > LIMIT.yamlDepth) {
      throw new InputError(
        `expected at most ${LIMIT.yamlDepth} levels of nesting`,
        where(token.offset),
      );
    }
    values += CST.isCollection(token) ? token.items.length : 0;
    signs += signsOf(token);
    if (values > LIMIT.yamlValues || signs > LIMIT.yamlSigns) {
      const most = `${LIMIT.yamlValues} values and ${LIMIT.yamlSigns} signs and line ends`;
      throw new InputError(`expected at most ${most} in a workload`, where(token.offset));
    }
    for (const child of children(token)) open.push({ token: child, depth: depth + 1 });
  }
}

/** Commas, colons, anchors, blanks, line ends, ... before and within what a collection holds. */
function signsOf(token: CST.Token): number {
  if (token.type === 'document') return token.start.length;
  if (!CST.isCollection(token)) return 0;
  return token.items.reduce((sum, { start, sep }) => sum + start.length + (sep?.length ?? 0), 0);
}

function children(token: CST.Token): CST.Token[] {
  if (token.type === 'document') return token.value === undefined ? [] : [token.value];
  if (!CST.isCollection(token)) return [];
  const found: CST.Token[] = [];
  for (const item of token.items) {
    if (item.key !== undefined && item.key !== null) found.push(item.key);
    if (item.value !== undefined) found.push(item.value);
  }
  return found;
}

function compose(
  tokens: readonly CST.Token[],
  end: number,
  where: (offset: number) => string,
): Document.Parsed {
  const composer = new Composer({ version: '1.2', schema: 'core', uniqueKeys: false });
  const documents = [...composer.compose(tokens, true, end)];
  const [document, second] = documents;
  if (document === undefined) throw new InputError('expected a workload, found nothing', where(0));
  const problem = [...document.errors, ...document.warnings][0];
  if (problem !== undefined) {
    const [line = ''] = problem.message.split('\n');
    throw new InputError(`not valid YAML: ${line}`, where(problem.pos[0]));
  }
  if (second !== undefined) {
    throw new InputError('expected one document, found a second one', where(second.range[0]));
  }
  return document;
}

/** Offsets of a value and of its key. */
interface Span {
  readonly key: number | undefined;
  readonly value: number;
}

interface Reader {
  readonly spans: Map<string, Span>;
  readonly findings: Finding[];
}

function spanPositions(
  spans: ReadonlyMap<string, Span>,
  where: (offset: number) => string,
): Positions {
  const offset = (path: KeyPath, part: 'key' | 'value' = 'value'): number => {
    for (let length = path.length; length >= 0; length--) {
      const span = spans.get(JSON.stringify(path.slice(0, length)));
      if (span !== undefined) return part === 'key' ? (span.key ?? span.value) : span.value;
    }
    return 0;
  };
  return { offset, where: (path, part) => where(offset(path, part)) };
}

function readNode(reader: Reader, node: Node, path: KeyPath, key?: number): unknown {
  reader.spans.set(JSON.stringify(path), { key, value: node.range?.[0] ?? key ?? 0 });
  const refused = refusal(node);
  if (refused !== undefined) {
    reader.findings.push({ path, part: 'value', message: refused });
    return null;
  }
  if (isMap(node)) return readMap(reader, node, path);
  if (isSeq<Node>(node)) {
    return node.items.map((item, index) => readNode(reader, item, [...path, index]));
  }
  return isScalar(node) ? readScalar(node.value) : null;
}

function refusal(node: Node): string | undefined {
  if (isAlias(node)) return `aliases are not used here, write the value instead of *${node.source}`;
  if (node.anchor !== undefined) return `anchors are not used here, remove &${node.anchor}`;
  if (node.tag !== undefined) return 'tags are not used here, remove it';
  if (isScalar(node) && typeof node.value === 'string' && /\p{Cs}/u.test(node.value)) {
    return 'expected whole characters, found half of a surrogate pair';
  }
  return undefined;
}

/** There is one zero: -0 would not survive the way through a recording. */
function readScalar(value: unknown): unknown {
  return value === 0 ? 0 : value;
}

function readMap(reader: Reader, map: YAMLMap, path: KeyPath): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const pair of map.items) {
    const key = isScalar(pair.key) ? pair.key : undefined;
    const name = key?.value;
    if (key === undefined || typeof name !== 'string' || refusal(key) !== undefined) {
      const message = 'expected keys that are plain texts; put the key in quotes';
      const start = key?.range?.[0] ?? map.range?.[0] ?? 0;
      reader.spans.set(JSON.stringify([...path, '?', start]), { key: start, value: start });
      reader.findings.push({ path: [...path, '?', start], part: 'key', message });
      continue;
    }
    const here = [...path, name];
    const start = key.range?.[0] ?? 0;
    if (name === '__proto__' || Object.hasOwn(result, name)) {
      const message =
        name === '__proto__' ? 'not a usable name' : `the key '${name}' is there twice`;
      reader.spans.set(JSON.stringify([...here, '?', start]), { key: start, value: start });
      reader.findings.push({ path: [...here, '?', start], part: 'key', message });
      continue;
    }
    result[name] = readValue(reader, pair.value, here, start);
  }
  return result;
}

function readValue(reader: Reader, value: unknown, path: KeyPath, key: number): unknown {
  if (isScalar(value) || isMap(value) || isSeq(value) || isAlias(value)) {
    return readNode(reader, value, path, key);
  }
  reader.spans.set(JSON.stringify(path), { key, value: key });
  return null;
}
