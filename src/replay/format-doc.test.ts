// The published format names every event: docs/format.md follows the table of events.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { EVENT_KINDS } from './schema.ts';

const DOCUMENT = readFileSync(new URL('../../docs/format.md', import.meta.url), 'utf8');

test('docs/format.md lists all events; on a difference, put the expected lines in its place', () => {
  const expected = EVENT_KINDS.map(({ id, name, fields }) => {
    const list = fields.map((field) => `${field.name}: ${field.type}`).join(', ');
    return `- ${id} \`${name}\`${list === '' ? '' : ` (${list})`}`;
  });
  const found = DOCUMENT.split('\n').filter((line) => /^- \d+ `/.test(line));
  expect(found).toEqual(expected);
});
