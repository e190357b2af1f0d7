import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyLog, sampleRun } from '../../properties/sample-events.ts';
import { recordSample, SAMPLE_HEADER } from '../../properties/sample-recording.ts';
import { InputError } from '../assert.ts';
import { EMU_EVENTS } from '../emu/event.ts';
import { TRACE_EVENTS } from '../trace/event.ts';
import { EventLog } from './event-log.ts';
import { scanFrames } from './frame-scan.ts';
import type { Json } from './recording-header.ts';
import { readRecording, RecordingWriter, salvageRecording } from './recording.ts';
import { parseTextForm } from './text-form-read.ts';
import { formatRecording } from './text-form.ts';

function story(): EventLog {
  const log = new EventLog();
  const id = (text: string): number => log.strings.id(text);
  log.emit(EMU_EVENTS.symbol.id, 0, 0, 0, 0, id('vfs_open'), 0x10, 24, 0x14, 0, 0, 0, 0);
  log.emit(EMU_EVENTS.printk.id, 5, 1, 2, 7, id('two words\n'), 0, 0, 0, 0, 0, 0, 0);
  // prettier-ignore
  log.emit(TRACE_EVENTS.cb_begin.id, 12, 0, 0, 1, id('ftrace'), 1, 2, 0x14, -1, 0, 0, 0);
  log.emit(EMU_EVENTS.func_return.id, 13, 0, 3, 1, 0x10, -1, -1, 0, 0, 0, 0, 0);
  return log;
}

/** As a parser gives it: fast-check also makes -0 and keys in another order. */
function asJson(value: unknown): Json {
  const json: Json = JSON.parse(JSON.stringify(value)) as Json;
  return json;
}

function expectTwin(bytes: Uint8Array): void {
  const text = formatRecording(readRecording(bytes));
  expect(Buffer.compare(parseTextForm(text), bytes)).toBe(0);
}

test('a recording reads like this', () => {
  const bytes = recordSample(story(), { frameEvents: 3, choices: [0, 0, 0, 2, 0, 1] });
  expect(formatRecording(readRecording(bytes))).toMatchInlineSnapshot(`
    "-- reprobe recording, format 3
    -- version "0.1.0"
    -- workload {"name":"sample","file":"sample.yaml"}
    -- source
    -| name: sample
    -|
    -~ "functions: {}  "
    -|
    -- model {"name":"sample","functions":[],"cpus":2,"nested":{"deep":[null,true,-1,1.5,""]}}
    -- profile "today"
    -- variants ["M-13"]
    -- chooser {"name":"random","seed":42}
    -- options {"cpus":2,"preempt":true}
    -- image {"file":"sample.elf","digest":"0123456789abcdef","bytes":3}
    -= 7f454c
    -- frame 0
    -- strings vfs_open "two words\\n" ftrace
    #0            0 0/task      0 symbol       name=vfs_open address=0x10 size=24 site=0x14 notrace=false
    #1            5 1/hardirq   7 printk       text="two words\\n"
    #2           12 0/task      1 cb_begin     kind=ftrace object=1 generation=2 ip=0x14 <vfs_open+0x4> parent_ip=none depth=0
    -- choices 0*3 2 0 1
    -- state ba5779416dd81e83
    -- digest e340827c77f4045b
    -- frame 1
    #3           13 0/nmi       1 func_return  func=0x10 <vfs_open> value=0xffffffffffffffff
    -- choices 0*3 2 0 1
    -- state aa6fa997b4fc05ed b4fc05ed b4fc05ed b4fc05ed b4fc05ed b4fc05ed
    -- digest 2f26c122d357d291
    -- end events=4 choices=12 strings=3 steps=8 digest=3c9f4b765898c1df
    "
  `);
});

test('text and bytes are two forms of one thing', () => {
  const choices = fc.array(fc.oneof(fc.constant(0), fc.nat(5), fc.nat(0x7fffffff)));
  fc.assert(
    fc.property(
      anyLog(60),
      fc.integer({ min: 1, max: 40 }),
      choices,
      fc.boolean(),
      (log, frameEvents, list, names) => {
        const bytes = recordSample(log, { frameEvents, choices: list });
        const text = formatRecording(readRecording(bytes), { names });
        expect(Buffer.compare(parseTextForm(text), bytes)).toBe(0);
      },
    ),
    { numRuns: 100 },
  );
});

test('any workload text and model come through', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.constantFrom('a\r\nb\r', '\n\n', ' ', '\u001b[2J', 'a \n\t'),
      ),
      fc.jsonValue(),
      fc.option(fc.uint8Array({ maxLength: 120 })),
      (source, model, image) => {
        const header = {
          ...SAMPLE_HEADER,
          workload: { ...SAMPLE_HEADER.workload, source, model: asJson(model) },
          image: { file: 'x.elf', digest: '0123456789abcdef', bytes: image },
        };
        fc.pre(!JSON.stringify(model).includes('__proto__'));
        const bytes = recordSample(story(), { frameEvents: 9, header });
        expectTwin(bytes);
      },
    ),
    { numRuns: 200 },
  );
});

test('a long run and a killed one come through', () => {
  const bytes = recordSample(sampleRun(9000), { frameEvents: 4096 });
  expectTwin(bytes);
  const { frames } = readRecording(bytes);
  const killed = bytes.subarray(0, frames[1]?.offset);
  expectTwin(killed);
});

test('a text that went through a system with other line ends is read', () => {
  const bytes = recordSample(story(), { frameEvents: 3 });
  const text = formatRecording(readRecording(bytes)).replaceAll('\n', '\r\n');
  expect(Buffer.compare(parseTextForm(text), bytes)).toBe(0);
});

test.each([
  ['sched', 'printk', 'prntk', `19:31: expected an event, found 'prntk'; did you mean 'printk'?`],
  ['step', '      5 1/', '      x 1/', `19:15: expected a number, found 'x'`],
  ['cpu', '1/hardirq', '256/hardirq', '19:17: expected a number from 0 to 255, found 256'],
  [
    'level',
    '1/hardirq',
    '1/hardrq',
    `19:19: expected a level, found 'hardrq'; did you mean 'hardirq'?`,
  ],
  ['index', '#1 ', '#2 ', '19:3: expected event #1, found #2'],
  [
    'string',
    'text="two words\\n"',
    'text=three',
    `19:49: expected a string of the lists of strings of this and earlier frames, found 'three'`,
  ],
  ['field', 'size=24', 'sise=24', `18:71: expected 'size=', found 'sise=24'`],
  ['address', 'ip=0x14', 'ip=14', `20:81: expected a hex number (0x...), found '14'`],
  ['frame', '-- frame 1', '-- frame 2', `24:11: expected frame 1`],
])('a wrong %s is shown where it is', (_, from, to, message) => {
  const text = formatRecording(readRecording(recordSample(story(), { frameEvents: 3 })));
  expect(text).toContain(from);
  const parse = (): unknown => parseTextForm(text.replace(from, to), 'x.txt');
  expect(parse).toThrow(InputError);
  expect(parse).toThrow(`x.txt:${message}`);
});

test('a changed event no longer fits the digest of its frame', () => {
  const text = formatRecording(readRecording(recordSample(story(), { frameEvents: 3 })));
  const parse = (): unknown => parseTextForm(text.replace('size=24', 'size=28'), 'x.txt');
  expect(parse).toThrow(/^x\.txt:23:11: this frame has the digest [0-9a-f]{16}, not /);
});

test('one CPU of a recording is no whole recording', () => {
  const recording = readRecording(recordSample(story(), { frameEvents: 3 }));
  const text = formatRecording(recording, { cpu: 1 });
  expect(text.split('\n').filter((line) => line.startsWith('#'))).toHaveLength(1);
  expect(() => parseTextForm(text)).toThrow('this text shows one CPU');
});

test('plain data may be 32 levels deep, in a text as in a file', () => {
  // Without a frame, whose digest would tell that its header was another.
  const begin = new RecordingWriter(new EventLog()).begin(SAMPLE_HEADER);
  const text = formatRecording(readRecording(begin));
  const parse = (depth: number): Uint8Array =>
    parseTextForm(
      text.replace(/^-- model .*$/mu, `-- model ${'['.repeat(depth)}${']'.repeat(depth)}`),
      'x.txt',
    );
  expect(readRecording(parse(32)).header.workload.model).toHaveLength(1);
  for (const depth of [34, 100_000])
    expect(() => parse(depth)).toThrow(
      'x.txt:2:1: expected workload.model to be plain data of at most 32 levels',
    );
});

test('a string may be long, and have an end or not', () => {
  const text = formatRecording(readRecording(recordSample(story(), { frameEvents: 3 })));
  const long = '\\n'.repeat(4_000_000);
  const parse = (by: string): unknown =>
    parseTextForm(
      text.replace('-- strings ', () => by),
      'x.txt',
    );
  expect(() => parse(`-- strings "${long}" `)).toThrow(/this frame has the digest/u);
  expect(() => parse(`-- strings "${long}`)).toThrow(
    /x\.txt:17:\d+: expected a string of|JSON|string/u,
  );
});

test('what is behind lost events is shown with its place, and is no whole recording', () => {
  const bytes = recordSample(sampleRun(30), { frameEvents: 10 });
  const { frames } = readRecording(bytes);
  const [, second, third] = frames;
  const at = (second?.offset ?? 0) + 12;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  const text = formatRecording(readRecording(bytes));
  const lost = `-- lost events 10 to 19: frame 1 (byte ${second?.offset}): its digest does not match`;
  expect(text).toContain(`\n${lost}\n-- frame at byte ${third?.offset}\n`);
  expect(text).toMatch(/^#20 {2,}/mu);
  expect(text).not.toMatch(/^#10 {2,}/mu);
  const line = text.split('\n').indexOf(lost) + 1;
  expect(() => parseTextForm(text, 'x.txt')).toThrow(
    `x.txt:${line}:1: expected a whole recording; what stands above this line is one`,
  );
  const above = text.split('\n').slice(0, line - 1);
  const kept = readRecording(parseTextForm([...above, ''].join('\n')));
  expect(kept.frames).toHaveLength(1);
});

test('a damaged header is shown as the end repeats it', () => {
  const whole = recordSample(story(), { frameEvents: 3 });
  const bytes = whole.slice();
  bytes[10] = 0xc1;
  expect(parseTextForm(formatRecording(salvageRecording(bytes)))).toEqual(whole);
});

test('a recording without a header is shown without one', () => {
  const whole = recordSample(story(), { frameEvents: 3 });
  const { frames } = readRecording(whole);
  const bytes = whole.slice(0, scanFrames(whole, frames[0]?.offset ?? 0).objects.at(-1)?.offset);
  bytes[10] = 0xc1;
  const text = formatRecording(salvageRecording(bytes));
  expect(text).toContain('\n-- header lost: it has a value of type 0xc1\n-- frame 0\n');
  expect(text).toMatch(/^#3 {2,}/mu);
  expect(() => parseTextForm(text, 'x.txt')).toThrow(
    'x.txt:2:1: expected a whole recording, the header of this one is lost',
  );
});

test('any damage to a text is an InputError with line and column, or another sound recording', () => {
  const text = formatRecording(readRecording(recordSample(story(), { frameEvents: 3 })));
  fc.assert(
    fc.property(fc.nat(text.length), fc.nat(20), fc.string({ maxLength: 6 }), (at, cut, more) => {
      const damaged = text.slice(0, at) + more + text.slice(at + cut);
      try {
        expect(readRecording(parseTextForm(damaged, 'x.txt')).damage?.what ?? '').not.toContain(
          'digest',
        );
      } catch (error) {
        expect(error).toBeInstanceOf(InputError);
        expect(String(error)).toMatch(/x\.txt:\d+:\d+: /);
      }
    }),
    { numRuns: 500 },
  );
});
