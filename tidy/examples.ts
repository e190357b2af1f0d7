// The examples of the public API: in the doc comment of each export of `src/index.ts` (behind `@example`), and the
// blocks marked `ts` of the documents. What one prints stands behind its `// →`.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { nameOf, type Node, parse, part, ROOT, type Source } from './source.ts';

export interface Example {
  /** The export, or document and number. */
  readonly name: string;
  readonly code: string;
  /** Lines that it prints. */
  readonly prints: readonly string[];
}

/** A name that users import, and where it is declared. */
interface PublicName {
  readonly name: string;
  readonly local: string;
  readonly path: string;
}

/** What `src/index.ts` exports, in order. */
export function publicNames(): readonly PublicName[] {
  const index = read('src/index.ts');
  const { program } = parse(index);
  return list(program, 'body').flatMap((statement) => {
    const from = part(statement, 'source')?.['value'];
    if (typeof from !== 'string') return [];
    return list(statement, 'specifiers').map((specifier) => ({
      name: nameOf(part(specifier, 'exported')),
      local: nameOf(part(specifier, 'local')),
      path: join(dirname(index.path), from),
    }));
  });
}

/** The example in the comment of a public name; undefined when there is none. */
export function exampleOf({ name, local, path }: PublicName): Example | undefined {
  const comment = commentOf(read(path).text, local);
  const code = comment?.split('@example\n')[1];
  return code === undefined ? undefined : exampleFrom(name, code);
}

/** The `ts` blocks of a document, in order. */
export function examplesIn(document: string): readonly Example[] {
  const blocks = [...read(document).text.matchAll(/^```ts\n([\s\S]*?)^```$/gmu)];
  const stem = document.replaceAll(/[^A-Za-z]/gu, '-');
  return blocks.map(([, code = ''], index) => exampleFrom(`${stem}-${index}`, code));
}

/** The text of the doc comment above the declaration of `name`. */
export function commentOf(text: string, name: string): string | undefined {
  const kinds = 'interface|type|class|const|(?:async )?function\\*?';
  const declaration = new RegExp(`\\*/\\nexport (?:${kinds}) ${name}\\b`, 'u').exec(text);
  if (declaration === null) return undefined;
  const above = text.slice(0, declaration.index);
  const lines = above.slice(above.lastIndexOf('/**') + 3).split('\n');
  return lines.map((line) => line.replace(/^ \* ?/u, '')).join('\n');
}

function exampleFrom(name: string, code: string): Example {
  const prints = [...code.matchAll(/\/\/ → (.*)$/gmu)].map(([, text = '']) => text);
  return { name, code, prints };
}

function read(path: string): Source {
  return { path, text: readFileSync(join(ROOT, path), 'utf8') };
}

function list(node: Node, key: string): readonly Node[] {
  const value = node[key];
  return Array.isArray(value) ? (value as readonly Node[]) : [];
}
