// The commands on real runs: what is recorded replays, is reported and judged; what is damaged is said to be.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { known } from '../assert.ts';
import { pack } from '../replay/packed.ts';
import { joinBytes, readRecording, RecordingWriter } from '../replay/recording.ts';
import { GUARANTEE_NAMES } from '../replay/workload/model.ts';
import { type CaptureOptions, capture } from './captured-shell.ts';
import { main } from './cli.ts';

const WORKLOAD = `name: little
machine: { cpus: 2, seed: 5 }
functions:
  outer: { body: [call inner, work 3] }
  inner: { body: [work 2] }
  other: { body: [work 2] }
tasks:
  t: { cpu: 0, run: outer, times: 40 }
  u: { cpu: 1, run: other, times: 40 }
probes:
  ops0: { kind: ftrace, filter: 'inner', callback: count }
timeline:
  - { at: start, register: ops0 }
  - { at: end, unregister: ops0 }
expect:
  - { counter: ops0.count, is: 40 }
`;

let cwd = '';

interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

async function reprobe(line: string, options: CaptureOptions = {}): Promise<Ran> {
  const { shell, out, err } = capture({ cwd, ...options });
  const status = await main(line.split(' '), shell);
  return { status, out: out(), err: err() };
}

function write(name: string, content: string | Uint8Array): void {
  writeFileSync(join(cwd, name), content);
}

function read(name: string): Buffer {
  return readFileSync(join(cwd, name));
}

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'reprobe-commands-'));
  write('little.yaml', WORKLOAD);
  await reprobe('record little.yaml');
});

afterAll(() => {
  rmSync(cwd, { recursive: true });
});

test('a recorded run replays, and the printed command records the same bytes', async () => {
  const recorded = await reprobe('record little.yaml -o first.trace');
  expect({ status: recorded.status, err: recorded.err }).toEqual({ status: 0, err: '' });
  expect(recorded.out).toMatch(/\n {2}ops0\.count is 40: met\n/u);
  const replayed = await reprobe('replay first.trace');
  expect(replayed).toMatchObject({ status: 0, err: '' });
  expect(replayed.out).toMatch(/^identical: \d+ events, \d+ steps, digest [0-9a-f]{16}\n$/u);
  const again = /^ {2}reprobe (record .*)$/mu.exec(recorded.out)?.[1] ?? '';
  await reprobe(again.replace('first.trace', 'second.trace'));
  expect(read('second.trace').equals(read('first.trace'))).toBe(true);
});

test('an expectation that is not met is status 1', async () => {
  write('wrong.yaml', WORKLOAD.replace('is: 40', 'is: 41'));
  const { status, out } = await reprobe('record wrong.yaml');
  expect(status).toBe(1);
  expect(out).toContain('  ops0.count is 41: not met, found 40\n');
});

test.each([
  ['is: 39', false],
  ['is: 40', true],
  ['is: 41', false],
  ['at_least: 39', true],
  ['at_least: 40', true],
  ['at_least: 41', false],
  ['at_most: 39', false],
  ['at_most: 40', true],
  ['at_most: 41', true],
])('a counter of 40 and the expectation %s: met is %s', async (relation, met) => {
  write('edge.yaml', WORKLOAD.replace('is: 40', relation));
  const { status, out } = await reprobe('record edge.yaml -o edge.trace');
  expect(status).toBe(met ? 0 : 1);
  const said = `ops0.count ${relation.replace('_', ' ').replace(':', '')}`;
  expect(out).toContain(`  ${said}: ${met ? 'met' : 'not met, found 40'}\n`);
});

test('a control call that fails without an expect is shown, and is no failure of the run', async () => {
  const twice = '  - { at: start, register: ops0 }\n';
  write('twice.yaml', WORKLOAD.replace('timeline:\n', `timeline:\n${twice}`));
  const { status, out } = await reprobe('record twice.yaml');
  expect(status).toBe(0);
  expect(out).toContain(
    'failed without an expect\n  twice.yaml:14:5: register_ftrace_function(ops0) returned -EBUSY\n',
  );
  const json = await reprobe('record twice.yaml --json');
  expect(JSON.parse(json.out)).toMatchObject({
    failed: ['twice.yaml:14:5: register_ftrace_function(ops0) returned -EBUSY'],
  });
  const expected = twice.replace('ops0 }', 'ops0, expect: -EBUSY }');
  write('twice.yaml', WORKLOAD.replace('  - { at: end', `${expected}  - { at: end`));
  const said = await reprobe('record twice.yaml');
  expect(said.status).toBe(0);
  expect(said.out).not.toContain('failed without an expect');
  expect(said.out).toContain('timeline[1] returns -EBUSY: met');
});

/** The recording as if another workload had led to its events. */
function forge(from: string, to: string): Uint8Array {
  const { header, frames, log, end } = readRecording(read('little.trace'));
  const [frame] = frames;
  const text = JSON.stringify(header);
  expect(text).toContain(from);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the reader checks it
  const forged = JSON.parse(text.replace(from, to)) as typeof header;
  const writer = new RecordingWriter(log);
  return Buffer.concat([
    writer.begin(forged),
    writer.frame(known(frame, 'a run has a frame').choices, null),
    writer.end(known(end, 'the run ended').steps),
  ]);
}

test('a divergence is status 1, with both sides and what came before', async () => {
  write('forged.trace', forge('"times":40', '"times":39'));
  const { status, out, err } = await reprobe('replay forged.trace');
  expect({ status, err }).toEqual({ status: 1, err: '' });
  const at = Number(/^diverged at event (\d+)\n/u.exec(out)?.[1]);
  const numbers = Array.from(out.matchAll(/#(\d+)/gu), (match) => Number(match[1]));
  const before = Array.from({ length: 8 }, (_, index) => at - 8 + index);
  expect(numbers).toEqual([...before, at, at]);
  expect(out).toMatch(/\n {2}recorded: {2}#\d+ .* func_enter /u);
  expect(out).toMatch(/\n {2}replayed: {2}#\d+ .* task_exit\n/u);
});

test('json outcomes can be parsed', async () => {
  const replayed = await reprobe('replay little.trace --json');
  expect(JSON.parse(replayed.out)).toMatchObject({ file: 'little.trace', status: 'identical' });
  const judged = await reprobe('judge little.trace --json');
  expect(JSON.parse(judged.out)).toMatchObject({
    file: 'little.trace',
    verdicts: GUARANTEE_NAMES.map((guarantee) => ({ guarantee })),
  });
  const summary = await reprobe('report little.trace --summary --json');
  expect(JSON.parse(summary.out)).toMatchObject({ ending: 'run_end', cpus: [{ cpu: 0 }, {}] });
});

test('reports are for people, kernels and programs', async () => {
  const text = await reprobe('report little.trace');
  expect(text.out).toMatch(/^-- reprobe recording, format 3\n/u);
  const kernel = await reprobe('report little.trace --format ftrace');
  expect(kernel.out).toMatch(/^# tracer: function\n/u);
  expect(kernel.out.match(/ inner <-outer\n/gu)).toHaveLength(40);
  const one = await reprobe('report little.trace --format json --cpu 1');
  const events = one.out.trimEnd().split('\n');
  const cpus = new Set(events.map((line) => (JSON.parse(line) as { readonly cpu: number }).cpu));
  expect([...cpus]).toEqual([1]);
  const counts = await reprobe('report little.trace --summary');
  expect(counts.out).toMatch(/^\d+ events, last step \d+, ending: run_end\n/u);
  // The run ends on CPU 0, for both.
  const other = await reprobe('report little.trace --summary --cpu 1');
  expect(other.out).toMatch(/^\d+ events, last step \d+, ending: run_end\n/u);
  expect(other.out).not.toMatch(/^ +run_end /mu);
});

test('a CPU that the recording does not have is refused', async () => {
  const { status, out, err } = await reprobe('report little.trace --cpu 2');
  expect({ status, out, err }).toEqual({
    status: 2,
    out: '',
    err: "reprobe: --cpu: expected a whole number from 0 to 1, found '2'\n",
  });
});

test.each(['replay', 'judge', 'report'])(
  '%s shows what a cut file still holds, then says where it is cut',
  async (command) => {
    const whole = read('little.trace');
    write('cut.trace', whole.subarray(0, whole.length - 10));
    const { status, out, err } = await reprobe(`${command} cut.trace`);
    expect(status).toBe(2);
    expect(out).not.toBe('');
    expect(err).toMatch(/^reprobe: cut\.trace: end \(byte \d+\): the bytes end inside it; .*\n$/u);
  },
);

test.each([
  ['empty.trace', '', 'expected a recording (.trace), the file is empty'],
  ['text.trace', 'hello', 'expected a recording (.trace), found something else'],
])('%s is no recording', async (name, content, message) => {
  write(name, content);
  for (const { status, out, err } of await Promise.all([
    reprobe(`replay ${name}`),
    reprobe(`judge ${name}`),
    reprobe(`report ${name}`),
  ])) {
    expect({ status, out, err }).toEqual({
      status: 2,
      out: '',
      err: `reprobe: ${name}: ${message}\n`,
    });
  }
});

test('a file of another kind is told what it is, and which command takes it', async () => {
  write('my run.trace', read('little.trace'));
  write('little.txt', (await reprobe('report little.trace')).out);
  write('code.elf', Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0));
  const { shell, err } = capture({ cwd });
  expect(await main(['record', 'my run.trace'], shell)).toBe(2);
  expect(err()).toBe(
    "reprobe: my run.trace: this is a recording, not a workload; did you mean: reprobe replay 'my run.trace'\n",
  );
  const others = {
    'record little.txt': 'little.txt: this is the text form of a recording, expected a workload',
    'record code.elf': "code.elf: this is an ELF file: a workload can name it as its 'image'",
    ...Object.fromEntries(
      ['replay', 'judge', 'report'].flatMap((command) => [
        [
          `${command} little.yaml`,
          'little.yaml: this is a workload, not a recording; did you mean: reprobe record little.yaml',
        ],
        [
          `${command} little.txt`,
          'little.txt: this is the text form of a recording, expected the recording itself (.trace)',
        ],
      ]),
    ),
  };
  for (const [line, message] of Object.entries(others)) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    expect(await reprobe(line)).toEqual({ status: 2, out: '', err: `reprobe: ${message}\n` });
  }
});

test('reprobe variants lists what --variant takes', async () => {
  const { status, out } = await reprobe('variants');
  expect(status).toBe(0);
  const lines = out.trimEnd().split('\n');
  expect(lines).toContain('M-01   unregister does not wait for RCU tasks rude');
  expect(lines).toContain('E-1    unregister waits in the other order');
  expect(lines.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(lines);
});

test('a file of a newer version names both versions', async () => {
  write('newer.trace', joinBytes([pack(['reprobe', 4]), pack([{ unheard: 'of' }, 4])]));
  const { status, err } = await reprobe('replay newer.trace');
  expect(status).toBe(2);
  expect(err).toMatch(
    /^reprobe: newer\.trace: .*format version 4, but this reprobe reads version 3.*\n$/u,
  );
});

test.each([
  ['an unknown key', 'kind: ftrace, filter:', 'kind: ftrace, fitler:', "did you mean 'filter'?"],
  [
    'a CPU that does not exist',
    'cpu: 1',
    'cpu: 7',
    'little.yaml:9:13: expected a CPU from 0 to 1, found 7',
  ],
  ['a filter that matches nothing', "filter: 'inner'", "filter: 'iner'", "'inner'"],
  ['YAML that is none', 'name: little', 'name: [', 'bad.yaml:'],
])('%s is one clear message, and status 2', async (_what, from, to, says) => {
  write('bad.yaml', WORKLOAD.replace(from, to));
  const { status, out, err } = await reprobe('record bad.yaml');
  expect({ status, out }).toEqual({ status: 2, out: '' });
  expect(err).toContain(says.replace('little', 'bad'));
  expect(err).toMatch(/^reprobe: bad\.yaml:\d+:\d+: /u);
});

test('an unknown variant or a missing image is status 2', async () => {
  const variant = await reprobe('record little.yaml --variant M-1');
  expect(variant.status).toBe(2);
  write('image.yaml', `${WORKLOAD}image: nope.elf\n`);
  const image = await reprobe('record image.yaml');
  expect(image.status).toBe(2);
  expect(image.err).toContain('nope.elf: cannot read the image: no such file or directory');
});

test('output for a pipe has no colours, for a terminal it has', async () => {
  for (const line of [
    'judge little.trace',
    'replay little.trace',
    'record little.yaml -o c.trace',
  ]) {
    // oxlint-disable-next-line no-await-in-loop -- they write the same file
    const [pipe, tty] = [await reprobe(line), await reprobe(line, { tty: true })];
    expect(pipe.out).not.toContain('\u001B');
    expect(tty.out).toContain('\u001B[3');
  }
});

/** As `little.yaml`, with a function that the notrace list keeps out: M-17 ignores the list. */
const KEPT_OUT = WORKLOAD.replace("filter: 'inner'", "filter: '*', notrace: 'inner'").replace(
  '- { counter: ops0.count, is: 40 }',
  '- notrace',
);

test('a broken guarantee is status 1, when recorded and when judged', async () => {
  write('kept-out.yaml', KEPT_OUT);
  expect((await reprobe('record kept-out.yaml -o held.trace')).status).toBe(0);
  expect((await reprobe('judge held.trace')).status).toBe(0);
  expect((await reprobe('record kept-out.yaml -o broken.trace --variant M-17')).status).toBe(1);
  const judged = await reprobe('judge broken.trace');
  expect(judged.status).toBe(1);
  expect(judged.out).toContain('notrace      broken at event');
  write('cut.trace', read('broken.trace').subarray(0, -20));
  const cut = await reprobe('judge cut.trace');
  expect(cut.status).toBe(1);
  expect(cut.err).toContain('cut.trace: end (byte ');
});

test('a trigger that never fires is wrong input, and hides no verdict', async () => {
  const never = '  - { on: { enter: inner, nth: 5000 }, irq: other }\n';
  write('never.yaml', KEPT_OUT.replace('timeline:\n', `timeline:\n${never}`));
  const ran = await reprobe('record never.yaml');
  expect(ran.status).toBe(2);
  expect(ran.out).toContain('notrace      held');
  expect(ran.err).toContain('never.yaml:13:5: this trigger never fired');
  const broken = await reprobe('record never.yaml --variant M-17');
  expect(broken.status).toBe(1);
  expect(broken.err).toContain('this trigger never fired');
});

test('the image of a workload is not overwritten', async () => {
  write('little.elf', read('little.trace'));
  write('image.yaml', `${WORKLOAD}image: little.elf\n`);
  const ran = await reprobe('record image.yaml -o little.elf');
  expect(ran.status).toBe(2);
  expect(read('little.elf').equals(read('little.trace'))).toBe(true);
});

test('a state digest that differs is a divergence, though every event is equal', async () => {
  const { header, frames, log, end } = readRecording(read('little.trace'));
  const writer = new RecordingWriter(log);
  const parts = [writer.begin(header)];
  for (const { choices } of frames) parts.push(writer.frame(choices, '0123456789abcdef'));
  parts.push(writer.end(known(end, 'the recording is whole').steps));
  write('other-state.trace', Buffer.concat(parts));
  const ran = await reprobe('replay other-state.trace');
  expect(ran.status).toBe(1);
  expect(ran.out).toContain('state digest 0123456789abcdef was recorded');
});
