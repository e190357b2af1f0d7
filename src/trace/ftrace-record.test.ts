// What a `struct dyn_ftrace` says of its site: how many ops it serves, and the state bits of ftrace.md 1. A record here
// keeps whom it serves and what its text calls; count and bits follow from these.
import { expect, test } from 'vitest';
import {
  perform,
  REGISTER,
  setFilter,
  smallKernel,
  type SmallKernel,
  UNREGISTER,
} from '../../properties/small-kernel.ts';
import { known } from '../assert.ts';
import { NO_ADDRESS } from '../emu/address.ts';
import type { ScriptOp } from '../emu/script.ts';
import { ftraceReplaceCode } from './ftrace-modify.ts';
import { FTRACE_OPS_FL_IPMODIFY, FTRACE_OPS_FL_SAVE_REGS } from './ftrace-ops-flags.ts';
import type { FtraceOps } from './ftrace-ops.ts';
import type { DynFtrace } from './ftrace-record.ts';
import type { OperationRequest } from './operation.ts';
import type { Variant } from './variants/variant.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 1 }];

/** R and T: REGS and TRAMP. */
function bits(isEnabled: boolean, hasRegs: boolean, hasTrampoline: boolean): string {
  return `${isEnabled ? 'E' : ''}${hasRegs ? 'R' : ''}${hasTrampoline ? 'T' : ''}`;
}

function savesRegs({ flags }: FtraceOps): boolean {
  return (flags.value & FTRACE_OPS_FL_SAVE_REGS) !== 0;
}

/** The bare bits: what the users of a site want. */
function wanted({ users }: DynFtrace): string {
  const all = users.value;
  return bits(all.length > 0, all.some(savesRegs), all.length === 1);
}

/** The `_EN` bits: what the text at the site does. */
function current({ k }: SmallKernel, { calls }: DynFtrace): string {
  const target = calls.value;
  const owner = [...k.ops.byAddress.values()].find(
    ({ trampoline }) => trampoline.value?.address === target && target !== NO_ADDRESS,
  );
  const hasRegs = owner === undefined ? target === k.caller.regsEntry : savesRegs(owner);
  return bits(target !== NO_ADDRESS, hasRegs, owner !== undefined);
}

function recordOf({ k }: SmallKernel, name: string): DynFtrace {
  return known(
    k.records.find(({ func }) => func.name === name),
    name,
  );
}

type Step = readonly [ops: string, request: OperationRequest];

interface Looked {
  /** Of a1, behind each call: its count, and what it wants and does. */
  readonly states: readonly string[];
  /** In each pass over the sites: those that differed before it, and those that it wrote. */
  readonly passes: readonly { readonly differed: string; readonly written: string }[];
  readonly m: SmallKernel;
}

function look(steps: readonly Step[], flags: Readonly<Record<string, number>>): Looked {
  const states: string[] = [];
  const passes: { differed: string; written: string }[] = [];
  const watching: Variant = {
    id: 'watching',
    about: 'each pass over the sites is looked at',
    links: {
      *ftraceReplaceCode(cx, k) {
        const before = m.events('text_write').length;
        const differed = k.records.filter((record) => wanted(record) !== current(m, record));
        yield* ftraceReplaceCode(cx, k);
        const written = new Set(
          m
            .events('text_write')
            .slice(before)
            .map(({ ip }) => ip),
        );
        passes.push({
          differed: differed.map(({ func }) => func.name).join(' '),
          written: k.records
            .flatMap(({ ip, func }) => (written.has(ip) ? [func.name] : []))
            .join(' '),
        });
      },
    },
  };
  const m = smallKernel({ functions: { a1: WORK, a2: WORK, b1: WORK }, variants: [watching] });
  const all = new Map(
    Object.entries(flags).map(([name, own]) => [name, m.ops(name, 'cb', false, own)]),
  );
  m.control(function* (cx) {
    for (const [name, request] of steps) {
      expect(yield* perform(cx, m.k, known(all.get(name), name), request)).toBe(0);
      const record = recordOf(m, 'a1');
      states.push(`${record.users.value.length} ${wanted(record)} ${current(m, record)}`);
    }
  });
  return { states, passes, m };
}

const LIFE: readonly Step[] = [
  ['A', setFilter('a*')],
  ['A', REGISTER],
  ['B', setFilter('a1')],
  ['B', REGISTER],
  ['C', setFilter('a1')],
  ['C', REGISTER],
  ['regs', setFilter('a1')],
  ['regs', REGISTER],
  ['C', UNREGISTER],
  ['A', UNREGISTER],
  ['B', UNREGISTER],
  ['regs', UNREGISTER],
];
const FLAGS = { A: 0, B: 0, C: 0, regs: FTRACE_OPS_FL_SAVE_REGS };

test('FT-1, FT-2: a record counts who selects it, and behind each call its text does what they want', () => {
  const { states } = look(LIFE, FLAGS);
  expect(states.filter((_, i) => LIFE[i]?.[1] === REGISTER || LIFE[i]?.[1] === UNREGISTER)).toEqual(
    ['1 ET ET', '2 E E', '3 E E', '4 ER ER', '3 ER ER', '2 ER ER', '1 ERT ERT', '0  '],
  );
});

test('FT-1: a site is rewritten exactly when what is wanted and what its text does differ', () => {
  const { passes } = look(LIFE, FLAGS);
  for (const { differed, written } of passes) expect(written).toBe(differed);
  // A; B; not C, for which nothing changes; regs; a2 when A goes; B; and the last one.
  expect(passes.map(({ written }) => written).filter((names) => names !== '')).toEqual([
    'a1 a2',
    'a1',
    'a1',
    'a2',
    'a1',
    'a1',
  ]);
});

test('FT-3: when the last user goes every bit is cleared, and the claim to redirect with them', () => {
  const redirects = FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_IPMODIFY;
  const life: readonly Step[] = [
    ['A', setFilter('a1')],
    ['A', REGISTER],
    ['A', UNREGISTER],
  ];
  const during = look(life.slice(0, 2), { A: redirects });
  expect(during.states.at(-1)).toBe('1 ERT ERT');
  expect(recordOf(during.m, 'a1').ipmodify.value?.name).toBe('A');
  const { m, states } = look(life, { A: redirects });
  expect(states.at(-1)).toBe('0  ');
  expect(recordOf(m, 'a1').ipmodify.value).toBeUndefined();
  expect(m.hooked()).toEqual([]);
});
