import { expect, test } from 'vitest';
import { callArguments } from './arguments.ts';
import { begun, ended, enters, FP, hook, OTHER, registered, SP, world } from './example-fprobe.ts';
import { judge, leaves, reasonOf, site, type Told } from './example-run.ts';

const RET = 0x70000;
/** What the return address of a call is changed to. */
const TRAMPOLINE = 0x50000;
const DATA = 0x8000;
const NULL = -1;

/** What a handler is told: by default the truth about a call of `name`, of an fprobe without data. */
interface Is {
  readonly ip?: number;
  readonly ret?: number;
  readonly regs?: number;
  readonly data?: number;
  readonly object?: number;
  readonly step?: number;
}

function told(kind: 'fprobe_entry' | 'fprobe_exit', name: string, is: Is = {}): Told[] {
  const { data = NULL, ip = site(name), object = FP, ret = RET } = is;
  const { regs = kind === 'fprobe_entry' ? site(name) + 4 : ret, step = 900 } = is;
  const call = { object, generation: 1, step };
  return [
    ['cb_begin', { kind, ip, parent_ip: ret, ...call }],
    ['fprobe_data', { object, entry_data: data, regs_ip: regs, step }],
    ['cb_end', { kind, ip, ...call }],
  ];
}

const entry = (name: string, is?: Is): Told[] => told('fprobe_entry', name, is);
const exit = (name: string, is?: Is): Told[] => told('fprobe_exit', name, is);
const unhook = (name: string): Told => [
  'unhook',
  { object: FP, generation: 1, ip: site(name), frame: SP, why: 'return' },
];
const RULES: Told = ['fprobe_rules', { era: 'v6.12', miss_policy: 'both' }];

/** The parts of a verdict that held; else why not. */
function finding(...run: readonly (readonly Told[])[]): unknown {
  const verdict = judge(callArguments, run.flat());
  return verdict.status === 'held' ? verdict.parts : reasonOf(verdict);
}

const held = { caller: 0, registers: 0 };

test('held: both handlers are told the site and the return address of their call', () => {
  const call = [enters('vfs_open'), entry('vfs_open'), [hook('vfs_open')], exit('vfs_open')];
  expect(finding(world(), ...call)).toEqual({ ...held, entry: 1, exit: 1, data: 0 });
});

test('broken: the site of another function, or no real return address', () => {
  expect(finding(world(), enters('vfs_open'), entry('vfs_open', { ip: site('vfs_read') }))).toMatch(
    /^broken: the entry handler of fp0 for vfs_read got the wrong entry_ip: vfs_open was hit/u,
  );
  const wrong = entry('vfs_open', { ret: TRAMPOLINE });
  expect(finding(world(), enters('vfs_open'), wrong)).toMatch(
    /^broken: .*got ret_ip 0xf+80050000, but its call returns to 0xf+80070000/u,
  );
  const back = exit('vfs_open', { ret: TRAMPOLINE });
  const call = [enters('vfs_open'), entry('vfs_open'), [hook('vfs_open')]];
  expect(finding(world(), ...call, back)).toMatch(/^broken: the exit handler .*got ret_ip/u);
});

test('who is entered by a tail call is told where its caller returns to (FP-35)', () => {
  const caller = [enters('vfs_open'), entry('vfs_open'), [hook('vfs_open')]];
  const callee = enters('vfs_read', { ret: TRAMPOLINE });
  const tail = [hook('vfs_read'), ...exit('vfs_read')];
  expect(finding(world(), ...caller, callee, entry('vfs_read'), tail)).toMatchObject({
    entry: 2,
    exit: 1,
  });
  const wrong = entry('vfs_read', { ret: TRAMPOLINE });
  expect(finding(world(), ...caller, callee, wrong)).toMatch(/^broken: .*got ret_ip 0xf+80050000/u);
  const over = [unhook('vfs_open'), leaves('vfs_open')];
  const next = [enters('vfs_read', { ret: 0x140 }), entry('vfs_read', { ret: 0x140 })];
  expect(finding(world(), ...caller, over, ...next)).toMatchObject({ entry: 2 });
});

test('broken: registers whose ip is not behind the site, or at the exit not the return address', () => {
  const early = entry('vfs_open', { regs: site('vfs_open') });
  expect(finding(world(), enters('vfs_open'), early)).toMatch(/^broken: .*behind the site/u);
  const call = [enters('vfs_open'), entry('vfs_open'), [hook('vfs_open')]];
  const late = exit('vfs_open', { regs: TRAMPOLINE });
  expect(finding(world(), ...call, late)).toMatch(
    /^broken: the exit handler .*found ip 0xf+80050000 in its registers, not 0xf+80070000/u,
  );
});

test('a site of two instructions is longer, and a callback may have moved ip', () => {
  const pair: Told = ['text_pair', { ip: site('vfs_open') }];
  const behind = entry('vfs_open', { regs: site('vfs_open') + 8 });
  expect(finding(world(), [pair], enters('vfs_open'), behind)).toMatchObject({ entry: 1 });
  const moved: Told = ['regs_write', { object: 1, register: 'ip', value: 0x100n }];
  const there = entry('vfs_open', { regs: 0x100 });
  expect(finding(world(), enters('vfs_open'), [moved], there)).toMatchObject({ entry: 1 });
});

/** With an exit handler or without, and a size of data. */
function shares(exitHandler: number, size: number): Told[] {
  const struct: Told = [
    'fprobe',
    { object: FP, hook: 'rethook', entry: 0x6000, exit: exitHandler, data_size: size },
  ];
  const [object, begins, , ends] = registered();
  return [RULES, object, begins, struct, ends].filter((one): one is Told => one !== undefined);
}

test('FP-2: data where both handlers share it, else NULL', () => {
  const given = [enters('vfs_open'), entry('vfs_open', { data: DATA })];
  const none = [enters('vfs_open'), entry('vfs_open')];
  expect(finding(world(), shares(0x6100, 8), ...given)).toMatchObject({ entry: 1, data: 1 });
  expect(finding(world(), shares(0x6100, 8), ...none)).toMatch(/^broken: .*got no entry_data/u);
  for (const without of [shares(NULL, 8), shares(0x6100, 0)]) {
    expect(finding(world(), without, ...none)).toMatchObject({ entry: 1, data: 0 });
    expect(finding(world(), without, ...given)).toMatch(/^broken: .*got entry_data, and has no/u);
  }
});

test.each([
  { era: 'v6.1', miss_policy: 'both' },
  { era: 'v6.12', miss_policy: 'exitOnly' },
])('no data is nobody’s fault: $era, $miss_policy', (rules) => {
  const none = [enters('vfs_open'), entry('vfs_open')];
  expect(finding(world(), shares(0x6100, 8), [['fprobe_rules', rules]], ...none)).toMatchObject({
    data: 0,
  });
});

test('a handler whose own entry is told first is not what was hit', () => {
  const handler = site('vfs_read') - 4;
  const struct: Told = ['fprobe', { object: FP, entry: handler, exit: 0x6100 }];
  const own: Told = ['func_enter', { func: handler, ra: 0x40, sp: SP - 80, step: 900 }];
  expect(finding(world(), [struct], enters('vfs_open'), [own], entry('vfs_open'))).toMatchObject({
    entry: 1,
  });
});

test('a call that is left by a jump is told to nobody any more', () => {
  const caller = [enters('vfs_open'), entry('vfs_open'), [hook('vfs_open')]];
  const gone: Told = ['func_abandon', { func: site('vfs_open') - 4 }];
  const next = [enters('vfs_read', { ret: 0x140 }), entry('vfs_read', { ret: 0x140 })];
  expect(finding(world(), ...caller, [gone], ...next)).toMatchObject({ entry: 2 });
});

test('runs without fprobes have no parts of them', () => {
  const other = registered({ object: OTHER });
  expect(finding(world(), other, begun('vfs_open', { object: OTHER }).slice(0, 2))).toMatch(
    /^never exercised/u,
  );
  expect(ended('vfs_open')).not.toEqual([]);
});
