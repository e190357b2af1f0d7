import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyEvent, anyLog, emitSample, sampleRun } from '../../properties/sample-events.ts';
import { EMU_EVENTS } from '../emu/event.ts';
import { EventLog } from './event-log.ts';
import { kindByName } from './schema.ts';

test('an event comes back as it was emitted', () => {
  const log = new EventLog();
  const name = log.strings.id('vfs_open');
  log.emit(EMU_EVENTS.symbol.id, 7, 1, 2, 3, name, 0x14, 24, -1, 1, 9, 9, 9);
  log.emit(EMU_EVENTS.func_return.id, 8, 0, 0, 4, 0x14, -1, 1, 0, 0, 0, 0, 0);
  expect([...log.events()]).toEqual([
    {
      event: 'symbol',
      index: 0,
      step: 7,
      cpu: 1,
      level: 2,
      pid: 3,
      name: 'vfs_open',
      address: 0x14,
      size: 24,
      site: -1,
      notrace: true,
    },
    {
      event: 'func_return',
      index: 1,
      step: 8,
      cpu: 0,
      level: 0,
      pid: 4,
      func: 0x14,
      value: 0x1_ffff_ffffn,
    },
  ]);
});

test('every field of every kind is decoded by its type', () => {
  fc.assert(
    fc.property(anyEvent, (sample) => {
      const log = new EventLog();
      emitSample(log, sample);
      const event: Readonly<Record<string, unknown>> = { ...log.at(0) };
      const [step, cpu, level, pid] = sample.head;
      expect(event).toMatchObject({ event: sample.kind.name, index: 0, step, cpu, level, pid });
      for (const { name, type, word } of sample.kind.fields) {
        const first = sample.payload[word];
        const second = sample.payload[word + 1];
        if (type === 'bool') expect(event[name]).toBe(first === 1);
        else if (type === 'hex') expect(event[name]).toBe(Number(first) >>> 0);
        else if (type === 'u64') {
          const words = BigInt.asUintN(32, BigInt(Number(first)));
          const high = BigInt.asUintN(32, BigInt(Number(second)));
          expect(event[name]).toBe(high * 0x1_0000_0000n + words);
        } else expect(event[name]).toBe(first);
      }
    }),
    { numRuns: 300 },
  );
});

test('a slice, one event and the whole log agree', () => {
  fc.assert(
    fc.property(anyLog(200), fc.nat(200), fc.nat(200), (log, one, other) => {
      const [from, to] = [
        Math.min(one, other, log.count),
        Math.min(Math.max(one, other), log.count),
      ];
      const all = [...log.events()];
      expect([...log.events(from, to)]).toEqual(all.slice(from, to));
      expect(all.map((event) => log.at(event.index))).toEqual(all);
      const copy = new EventLog(log.strings);
      copy.append(log.rows(0, from));
      copy.append(log.rows(from));
      expect(copy.rows()).toEqual(log.rows());
      expect([...copy.events()]).toEqual(all);
    }),
    { numRuns: 50 },
  );
});

test('events that come while others are read are not seen', () => {
  const log = sampleRun(100);
  const before = log.count;
  const events = log.events();
  events.next();
  log.emit(EMU_EVENTS.run_end.id, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  expect([...events]).toHaveLength(before - 1);
});

function emit(id: number): void {
  new EventLog().emit(id, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}

test('an event that the table does not know is our own fault', () => {
  expect(kindByName('no_such_event')).toBeUndefined();
  expect(() => {
    emit(99);
  }).toThrow('an emitted event is in the table');
  expect(() => {
    emit(1000);
  }).toThrow('an emitted event is in the table');
});

test('texts are numbered in order of first use, whole surrogate pairs only', () => {
  const { strings } = new EventLog();
  const ids = ['b', 'a', 'b', 'x\ud800', 'x\ufffd', '😀'].map((text) => strings.id(text));
  expect(ids).toEqual([0, 1, 0, 2, 2, 3]);
  expect(strings.range(0, strings.count)).toEqual(['b', 'a', 'x\ufffd', '😀']);
  expect(strings.find('a')).toBe(1);
  expect(strings.find('c')).toBeUndefined();
});
