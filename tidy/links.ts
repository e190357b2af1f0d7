// Where the files of a folder point to: links of documents, and source maps with their sources.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const LINK = /\]\(([^)\s]+)\)/gu;
const MAP = /^\/\/# sourceMappingURL=(\S+)$/gmu;
const ELSEWHERE = /^(?:[a-z]+:|#)/u;

/** `FILE: TARGET` for each relative target within `folder` that does not exist. */
export function deadLinks(folder: string): readonly string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const sorted = files.toSorted((a, b) => (a < b ? -1 : 1));
  return sorted.flatMap((file) => {
    const targets = targetsIn(join(folder, file));
    const dead = targets.filter((target) => !existsSync(join(folder, dirname(file), target)));
    return dead.map((target) => `${file}: ${target}`);
  });
}

/** Relative targets of the links in a document. */
export function liveLinks(file: string): readonly string[] {
  return targetsIn(file).filter((target) => existsSync(join(dirname(file), target)));
}

function targetsIn(file: string): readonly string[] {
  if (file.endsWith('.js.map')) return sourcesIn(readFileSync(file, 'utf8'));
  const pattern = file.endsWith('.md') ? LINK : file.endsWith('.js') ? MAP : undefined;
  if (pattern === undefined) return [];
  const found = [...readFileSync(file, 'utf8').matchAll(pattern)].map(([, target = '']) => target);
  return found
    .filter((target) => !ELSEWHERE.test(target))
    .map((target) => target.replace(/#.*$/u, ''));
}

/** None where the map brings its sources along. */
function sourcesIn(map: string): readonly string[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the compiler wrote it
  const { sources, sourcesContent } = JSON.parse(map) as {
    readonly sources: readonly string[];
    readonly sourcesContent?: unknown;
  };
  return sourcesContent === undefined ? sources : [];
}
