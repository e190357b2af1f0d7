// Layer cli. What `reprobe eras` prints: a column for each era, and rows by topic.
import type { EraTopic } from '../replay/era-facts.ts';
import type { EraComparison, EraRow } from '../replay/eras.ts';
import { type Paint, paintFor, type Shell } from './shell.ts';

interface Shown {
  readonly file: string;
  readonly eras: EraComparison;
  /** Also rows that are the same everywhere. */
  readonly all: boolean;
}

const HEADINGS: Readonly<Record<EraTopic, string>> = {
  run: 'run',
  calls: 'results of control calls',
  handlers: 'how often handlers ran',
  nmissed: 'nmissed',
  skips: 'hits passed over',
  order: 'handlers of one call, in order',
  guarantees: 'guarantees',
  expectations: 'expectations',
  triggers: 'triggers that never fired',
};

/** Stands for what there is nothing to tell of. */
const NOTHING = '-';
const INDENT = '  ';
const GAP = '  ';
/** A label has at least this many letters before it gets a line of its own. */
const LABEL_MIN = 16;

export function eraJson({ file, eras, all }: Shown): string {
  const { chooser, profiles, seed } = eras;
  const rows = shownRows(eras, all).map(({ differs, topic, values, what }) => ({
    topic,
    what,
    differs,
    values: Object.fromEntries(profiles.map((profile, index) => [profile, values[index]])),
  }));
  return JSON.stringify({ file, seed, chooser, profiles, rows }, undefined, 2);
}

export function eraLines({ file, eras, all }: Shown, shell: Shell): readonly string[] {
  const { chooser, profiles, seed } = eras;
  const paint = paintFor(shell, shell.out);
  const rows = shownRows(eras, all);
  const same = eras.rows.length - rows.length;
  const setting = chooser === 'calm' ? 'calm chooser' : `random chooser, seed ${seed}`;
  const title = `${paint('bold', file)} in ${count(profiles.length)} (${setting})`;
  if (rows.length === 0) return [title, `nothing differs; ${facts(same)} the same everywhere`];
  const layout = layoutOf(rows, profiles, shell);
  const table = [title, line(layout, '', profiles, '')];
  for (const [index, row] of rows.entries()) {
    if (rows[index - 1]?.topic !== row.topic) table.push(paint('bold', HEADINGS[row.topic]));
    table.push(...rowLines(layout, row, paint));
  }
  if (same > 0) table.push(`${facts(same)} the same everywhere (--all shows them)`);
  return table;
}

function count(eras: number): string {
  return eras === 1 ? '1 era' : `${eras} eras`;
}

function facts(many: number): string {
  return many === 1 ? '1 fact is' : `${many} facts are`;
}

function shownRows({ rows }: EraComparison, all: boolean): readonly EraRow[] {
  return all ? rows : rows.filter(({ differs }) => differs);
}

interface Layout {
  readonly label: number;
  readonly columns: readonly number[];
}

/** In a pipe each row is one line, however long: it is for programs. */
function layoutOf(rows: readonly EraRow[], profiles: readonly string[], { out }: Shell): Layout {
  const columns = profiles.map((profile, index) =>
    Math.max(profile.length, ...rows.map(({ values }) => cell(values[index]).length)),
  );
  const taken = columns.reduce((sum, width) => sum + GAP.length + width, INDENT.length);
  const longest = Math.max(...rows.map(({ what }) => what.length));
  const room = out.isTTY ? Math.max(LABEL_MIN, out.columns - taken) : longest;
  return { label: Math.min(longest, room), columns };
}

function rowLines(layout: Layout, row: EraRow, paint: Paint): readonly string[] {
  const cells = row.values.map(cell);
  const paintRow = (text: string): string => (row.differs ? text : paint('dim', text));
  if (row.what.length <= layout.label) return [paintRow(line(layout, row.what, cells))];
  return [paintRow(`${INDENT}${row.what}`), paintRow(line(layout, '', cells))];
}

function line(
  { columns, label }: Layout,
  what: string,
  cells: readonly string[],
  indent: string = INDENT,
): string {
  const text = columns.map((width, index) => GAP + (cells[index] ?? '').padStart(width)).join('');
  return `${indent}${what.padEnd(label + INDENT.length - indent.length)}${text}`;
}

function cell(value: string | number | null | undefined): string {
  return value === null || value === undefined ? NOTHING : String(value);
}
