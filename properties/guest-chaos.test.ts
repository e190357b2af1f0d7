// Nothing a guest does can throw a host exception: whatever its text is and whichever kernel symbols it calls
// with whatever arguments, a run ends with one of the endings that runs have (ARCHITECTURE.md, "Errors").
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Address, addressHi, addressLo } from '../src/emu/address.ts';
import type { Context } from '../src/emu/context.ts';
import { callGuest, type Path } from '../src/emu/path.ts';
import { Assembler } from '../src/emu/riscv/assembler.ts';
import { EMU_STUBS, stubAddress, TRACE_STUBS_FIRST } from '../src/emu/stub-table.ts';
import { randomChooser } from '../src/replay/explore/random.ts';
import { TRACE_STUBS } from '../src/trace/stub-table.ts';
import { TEST_MS } from './check-guarantee.ts';
import { type SmallKernel, smallKernel } from './small-kernel.ts';

const PLACE: Address = 0x1000;
const ENDINGS = ['run_end', 'oops', 'deadlock', 'no_progress'];

/** Any halfwords, with a good share of calls of kernel symbols and of returns among them. */
const text = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 0xffff }).map((half) => [half]) },
    { weight: 3, arbitrary: fc.nat(EMU_STUBS.length - 1).map((index) => [-1 - index]) },
    {
      weight: 2,
      arbitrary: fc.nat(TRACE_STUBS.length - 1).map((i) => [-1 - TRACE_STUBS_FIRST - i]),
    },
    { weight: 1, arbitrary: fc.constant([0x8082]) }, // ret
  ),
  { minLength: 1, maxLength: 40 },
);

/** Negative entries become `jal ra` to a kernel symbol. */
function halvesOf(parts: readonly (readonly number[])[]): Uint16Array {
  const code = new Assembler(PLACE);
  for (const [part = 0] of parts) {
    if (part >= 0) code.half(part);
    else code.call(stubAddress(-1 - part));
  }
  return code.halves();
}

function* runs(cx: Context, args: readonly number[]): Path<void> {
  yield* callGuest(cx.cpu.state, PLACE, args);
}

function start(m: SmallKernel, args: readonly number[]): void {
  for (const cpu of [0, 1]) m.thread(`t${cpu}`, cpu, (cx) => runs(cx, args));
  m.machine.injector.add({ name: 'chaos', level: 2, handler: PLACE, cpu: -1, left: 2 });
  m.machine.injector.add({ name: 'chaos', level: 3, handler: PLACE, cpu: -1, left: 2 });
}

test('any text and any calls end as runs end', { timeout: TEST_MS }, () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(text, fc.array(fc.integer(), { maxLength: 16 }), fc.nat(), (parts, args, seed) => {
      const m = smallKernel({
        functions: { f: [{ op: 'work', count: 2 }] },
        chooser: randomChooser({ seed, schedule: [1, 4], inject: [1, 8] }),
        machine: { stepsMax: 400 },
      });
      m.machine.core.addText(PLACE, 0x1000);
      m.machine.core.writeText(PLACE, halvesOf(parts));
      const pointer = [addressLo(PLACE), addressHi(PLACE)];
      start(m, args.length > 8 ? [...pointer, ...args.slice(2)] : args);
      const ending = m.machine.run();
      seen.add(ending);
      expect(ENDINGS).toContain(ending);
    }),
    { numRuns: Number(process.env['RUNS'] ?? 1500) },
  );
  expect([...seen].toSorted()).toEqual(expect.arrayContaining(['no_progress', 'oops']));
});
