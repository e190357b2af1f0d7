// The steps of kernel paths, found in the source: every `yield*` of something that src/emu offers is a marked
// access or a service made of such, so it is a step that another CPU may come before. A path of one access may return
// it, or hand it to `andThen`. Linked functions without
// one are listed by their entry: their work belongs to a step of their caller. Each has the ids of docs/spec that
// the comment at the end of its line gives, or else the comment above its function.
//
// The same places are found in compiled code, in the same order. There a counter can be put before each of them,
// which is how a run tells what it reached without any cost for other runs.
import { citationsIn } from './citations.ts';
import { type Comment, type Node, nameOf, type Parsed, part, parts, walk } from './source.ts';

export interface Step {
  readonly path: string;
  readonly line: number;
  /** The function that it belongs to. */
  readonly func: string;
  /** What is yielded; '' for the entry of a function. */
  readonly does: string;
  /** Steps and waits of docs/spec, as cited: `CC-S4.2`, `CC-S4.1-9`. */
  readonly rules: readonly string[];
}

interface Place {
  readonly func: Node;
  /** Undefined: the entry of `func`. */
  readonly call: Node | undefined;
  /** Where it stands in the text. */
  readonly start: number;
}

/** These hand a path on and touch nothing. */
const NO_STEP = new Set(['andThen', 'enter']);
const ACCESSES = '/emu/path.';
const STEP_ID = /^CC-[SHM]/u;
const DOES_MAX = 60;

/** The steps of a source file of src/trace, in order; `linked` are the names of the link table. */
export function stepsIn(file: Parsed, linked: ReadonlySet<string>): readonly Step[] {
  return placesIn(file, linked).map(({ func, call, start }) => ({
    path: file.path,
    line: lineOf(file, start),
    func: nameOf(part(func, 'id')),
    does: call === undefined ? '' : shortened(textOf(file, call)),
    rules: rulesOf(file, func, start),
  }));
}

/** Compiled code in which `reached[first]`, `reached[first + 1]`, ... count how often each step is reached. */
export function markSteps(
  file: Parsed,
  linked: ReadonlySet<string>,
  { first, counters }: { readonly first: number; readonly counters: string },
): { readonly text: string; readonly count: number } {
  const places = placesIn(file, linked);
  const cuts = places.flatMap(({ call, start }, i): readonly (readonly [number, string])[] => {
    const count = `reached[${first + i}]++`;
    if (call === undefined) return [[start + 1, `${count};`]];
    return [
      [call.start, `(${count}, `],
      [endOf(call), ')'],
    ];
  });
  let text = '';
  let from = 0;
  for (const [at, inserted] of cuts.toSorted(([a], [b]) => a - b)) {
    text += file.text.slice(from, at) + inserted;
    from = at;
  }
  const rest = file.text.slice(from);
  return { text: `import { reached } from '${counters}';\n${text}${rest}`, count: places.length };
}

function placesIn(file: Parsed, linked: ReadonlySet<string>): readonly Place[] {
  const services = importsIn(file, '/emu/');
  const accesses = importsIn(file, ACCESSES);
  const places: Place[] = [];
  const functions: Node[] = [];
  walk(file.program, (node, above) => {
    if (node.type === 'FunctionDeclaration') functions.push(node);
    const call = handedOn(node);
    if (call?.type !== 'CallExpression') return;
    const func = above.find(({ type }) => type === 'FunctionDeclaration');
    const offered = node['delegate'] === true ? services : accesses;
    if (func === undefined || !offered.has(nameOf(part(call, 'callee')))) return;
    places.push({ func, call, start: call.start });
  });
  for (const func of functions) {
    const body = part(func, 'body');
    if (body === undefined || !linked.has(nameOf(part(func, 'id')))) continue;
    if (places.some((place) => place.func === func)) continue;
    places.push({ func, call: undefined, start: body.start });
  }
  return places.toSorted((a, b) => a.start - b.start);
}

/** The path that `node` delegates to, returns, or lets something follow. */
function handedOn(node: Node): Node | undefined {
  const isYield = node['delegate'] === true;
  if (isYield || node.type === 'ReturnStatement') return part(node, 'argument');
  const isFollowed = node.type === 'CallExpression' && nameOf(part(node, 'callee')) === 'andThen';
  return isFollowed ? parts(node, 'arguments')[0] : undefined;
}

/** What a file imports from modules with `from` in their path. */
function importsIn(file: Parsed, from: string): ReadonlySet<string> {
  const found = new Set<string>();
  walk(file.program, (node, above) => {
    if (node.type !== 'ImportSpecifier') return;
    if (!String(part(above[0], 'source')?.['value']).includes(from)) return;
    const name = nameOf(part(node, 'local'));
    if (!NO_STEP.has(name)) found.add(name);
  });
  return found;
}

function rulesOf(file: Parsed, func: Node, start: number): readonly string[] {
  const line = lineOf(file, start);
  const beside = file.comments.filter((comment) => lineOf(file, comment.start) === line);
  const own = stepIds(beside);
  return own.length > 0 ? own : stepIds(commentAbove(file, func));
}

function stepIds(comments: readonly Comment[]): readonly string[] {
  const ids = comments.flatMap(({ value }) => citationsIn(value)).filter((id) => STEP_ID.test(id));
  return [...new Set(ids)];
}

/** The comment that ends where `func`, or its `export`, begins. */
function commentAbove(file: Parsed, func: Node): readonly Comment[] {
  return file.comments.filter(
    ({ end }) => end <= func.start && /^\n?(?:export )?$/u.test(file.text.slice(end, func.start)),
  );
}

function lineOf({ text }: Parsed, at: number): number {
  return text.slice(0, at).split('\n').length;
}

function endOf(node: Node): number {
  return Number(node['end']);
}

function textOf(file: Parsed, node: Node): string {
  return file.text.slice(node.start, endOf(node)).replaceAll(/\s+/gu, ' ');
}

function shortened(text: string): string {
  return text.length <= DOES_MAX ? text : `${text.slice(0, DOES_MAX - 4)} ...`;
}
