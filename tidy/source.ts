// House rules are checked on our own source. This file reads it and walks its syntax trees.
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseSync } from 'vite';

export interface Source {
  /** Relative to the root, such as `src/emu/cell.ts`. */
  readonly path: string;
  readonly text: string;
}

/** A node of an ESTree syntax tree. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly [key: string]: unknown;
}

export interface Comment {
  readonly value: string;
  readonly start: number;
  readonly end: number;
}

export interface Parsed extends Source {
  readonly program: Node;
  readonly comments: readonly Comment[];
}

export const ROOT: string = fileURLToPath(new URL('..', import.meta.url));

export const FOLDERS = ['src', 'properties', 'golden', 'bench', 'tidy'] as const;

/** Names in one folder of the root, sorted; none when the folder is missing. */
export function names(folder: string, recursive = false): readonly string[] {
  try {
    const found = readdirSync(`${ROOT}${folder}`, { recursive, encoding: 'utf8' });
    return found.toSorted(byText);
  } catch {
    return [];
  }
}

function byText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** Every TypeScript file below the folders. */
export function sources(folders: readonly string[]): readonly Source[] {
  return folders.flatMap((folder) =>
    names(folder, true)
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${folder}/${name}`)
      .map((path) => ({ path, text: readFileSync(`${ROOT}${path}`, 'utf8') })),
  );
}

export function parse(source: Source): Parsed {
  const { program, comments, errors } = parseSync(source.path, source.text);
  if (errors.length > 0 || !isNode(program))
    throw new SyntaxError(`${source.path}: no syntax tree`);
  return { ...source, program, comments };
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value;
}

/** The nodes directly inside `node`, in the order of the source. */
function children(node: Node): readonly Node[] {
  return Object.values(node).flat().filter(isNode);
}

/** Calls `visit` for `node` and everything inside it; `above` holds the ancestors, nearest first. */
export function walk(
  node: Node,
  visit: (node: Node, above: readonly Node[]) => void,
  above: readonly Node[] = [],
): void {
  visit(node, above);
  const inner = [node, ...above];
  for (const child of children(node)) walk(child, visit, inner);
}

/** The node in a named place, if there is one. */
export function part(node: Node | undefined, key: string): Node | undefined {
  const value = node?.[key];
  return isNode(value) ? value : undefined;
}

/** The nodes in a place that holds a list. */
export function parts(node: Node | undefined, key: string): readonly Node[] {
  const value = node?.[key];
  return Array.isArray(value) ? value.filter(isNode) : [];
}

/** The name of an identifier, or ''. */
export function nameOf(node: Node | undefined): string {
  const name = node?.['name'];
  return typeof name === 'string' ? name : '';
}

/** `src/emu/cell.ts:12`. */
export function place(source: Source, node: Node): string {
  return `${source.path}:${source.text.slice(0, node.start).split('\n').length}`;
}
