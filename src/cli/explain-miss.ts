// Layer cli. What `reprobe explain` prints of misses: all of them by probe and reason, or one with its rule and evidence.
import type { MissExplanation } from '../replay/explain/explain-miss.ts';
import type { MissGroup } from '../replay/explain/misses.ts';
import type { Output, Paint } from './shell.ts';

/** More ranges of numbers than these are left out. */
const RANGES_MAX = 8;

interface Groups {
  readonly file: string;
  readonly count: number;
  readonly groups: readonly MissGroup[];
}

export function groupLines(
  { file, count, groups }: Groups,
  paint: Paint,
  { columns }: Output,
): readonly string[] {
  if (count === 0) return [`${file}: every hit ran its handlers`];
  const rows = [
    ['probe', 'reason', 'hits', 'counted'],
    ...groups.map((one) => [one.probe, one.reason, `${one.numbers.length}`, `${one.counted}`]),
  ];
  const widths = [0, 1, 2, 3].map((at) => Math.max(...rows.map((row) => (row[at] ?? '').length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => (at < 2 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  ');
  const indent = widths.reduce((sum, width) => sum + width + 2, 2);
  return [
    `${paint('bold', file)}: ${count} ${count === 1 ? 'hit' : 'hits'} missed or passed over`,
    `  ${line(rows[0] ?? [])}  numbers for --miss`,
    ...groups.flatMap(({ numbers }, at) => {
      const [first = '', ...more] = fold(rangesOf(numbers), columns - indent);
      return [
        `  ${line(rows[at + 1] ?? [])}  ${first}`,
        ...more.map((rest) => ' '.repeat(indent) + rest),
      ];
    }),
  ];
}

/** `1-3, 7`. */
function rangesOf(numbers: readonly number[]): string {
  const ranges: { first: number; last: number }[] = [];
  for (const number of numbers) {
    const range = ranges.at(-1);
    if (range?.last === number - 1) range.last = number;
    else ranges.push({ first: number, last: number });
  }
  const texts = ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`));
  const more = texts.length > RANGES_MAX ? ', ...' : '';
  return texts.slice(0, RANGES_MAX).join(', ') + more;
}

export function missLines(
  miss: MissExplanation,
  paint: Paint,
  { columns }: Output,
): readonly string[] {
  const { counted, cpu, evidence, index, level, number, pid, probe, reason, rules, step } = miss;
  const place = `event #${index}, step ${step}, CPU ${cpu}, ${level} level of task ${miss.task} (pid ${pid})`;
  const count =
    counted === null
      ? 'not counted'
      : `counted: nmissed of ${probe} went from ${counted.from} to ${counted.to} (#${counted.event})`;
  const item = (text: string): readonly string[] =>
    fold(text, columns - 4).map((line, at) => (at === 0 ? `  ${line}` : `    ${line}`));
  return [
    paint('bold', `miss ${number}: ${probe} at ${miss.function}: ${reason}`),
    ...item(place),
    ...item(`why: ${miss.words}`),
    ...item(`rule: ${rules.join(', ')}: ${miss.statement}`),
    ...item(count),
    ...(evidence.length === 0 ? [] : ['what the events before it show']),
    ...evidence.flatMap(({ event, text }) =>
      item(event === undefined ? text : `#${event} ${text}`),
    ),
  ];
}

/** Lines of at most `width` letters, if words allow it. */
function fold(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
