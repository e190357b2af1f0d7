// The one table that the benchmarks print.
import type { Budget, Outcome, Row } from './suite.ts';

const HEAD = ['name', 'measured', 'compared', 'budget', 'margin', '', 'digest'] as const;
/** These columns hold numbers. */
const RIGHT: ReadonlySet<number> = new Set([1, 2, 3, 4]);
const DIGEST_SHOWN = 8;

/** One line for each figure, under a head that says what Y was. */
export function formatTable({ y, rows }: Outcome, toy: boolean): string {
  const lines = [HEAD, ...rows.map((row) => cells(row, toy))];
  const widths = HEAD.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  const text = lines.map((line) =>
    line
      .map((cell, i) =>
        RIGHT.has(i) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
  const rule = '-'.repeat(Math.max(...text.map((line) => line.length)));
  const size = toy ? 'toy sizes: the speeds mean nothing; ' : '';
  const head = `${size}Y = ${number(y)} MB/s (CRC-32 over a table, plain JavaScript)`;
  return [head, '', text[0], rule, ...text.slice(1)].join('\n');
}

function cells(row: Row, toy: boolean): readonly string[] {
  const { name, value, unit, compared, budget, margin, digest } = row;
  return [
    name,
    `${number(value)} ${unit}`,
    compared === undefined
      ? ''
      : `${number(compared)}${budget === undefined ? '' : ` ${budget.unit}`}`,
    budget === undefined ? '' : bound(budget),
    margin === undefined ? '' : margin.toFixed(2),
    margin === undefined ? '' : toy ? 'toy' : margin >= 1 ? 'ok' : 'MISSED',
    digest.slice(0, DIGEST_SHOWN),
  ];
}

function bound({ bound: side, limit }: Budget): string {
  return `${side === 'least' ? '>=' : '<='} ${limit}`;
}

/** Three digits that matter. */
function number(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
