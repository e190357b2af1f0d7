import { expect, test } from 'vitest';
import { callArguments } from './arguments.ts';
import {
  begins,
  callbackAt,
  callsDirectly,
  ends,
  enters,
  image,
  judge,
  leaves,
  PATCHED_CALLER,
  reasonOf,
  register,
  setFilter,
  shown,
  site,
  type Told,
  type Where,
} from './example-run.ts';

const RA = 0x2000;
/** The step in which a callback function is entered and its callback begins. */
const STEP = 7777;

/** The callback of `object` for a function, as the machine tells it and as the callback gets it. */
function callback(object: number, name: string, got: Partial<Got> = {}): Told[] {
  const { func = callbackAt(object), ip = site(name), parent_ip: parentIp = RA, ...where } = got;
  const at = { ...where, step: STEP };
  return [
    ['func_enter', { func, sp: 0x800, ...at }],
    ['cb_begin', { kind: 'ftrace', object, generation: 1, ip, parent_ip: parentIp, ...at }],
  ];
}

interface Got extends Where {
  readonly func: number;
  readonly ip: number;
  readonly parent_ip: number;
}

function entersFrom(name: string, ra: number, where: Where = {}, sp = 0x1000): Told[] {
  const [entry, fetch] = enters(name, where, sp);
  return entry?.[0] === 'func_enter' && fetch !== undefined
    ? [['func_enter', { ...entry[1], ra }], fetch]
    : [];
}

const START: readonly Told[] = [...image(1, 2), ...register(1, 1), ...register(2, 1)];
const HIT: readonly Told[] = [...START, ...entersFrom('vfs_open', RA)];

test('a callback with its own ops, the site that was hit and its parent holds', () => {
  const told = [...HIT, ...callback(1, 'vfs_open'), ends(1, 1, 'vfs_open')];
  expect(judge(callArguments, told)).toMatchObject({ status: 'held', exercised: 1 });
});

test('nothing is exercised without a callback, or when the run does not tell the truth about it', () => {
  expect(judge(callArguments, HIT)).toEqual({
    status: 'never exercised',
    why: 'No callback ran.',
  });
  expect(reasonOf(judge(callArguments, [...HIT, begins(1, 1, 'vfs_open')]))).toMatch(
    /^never exercised: Of no callback/u,
  );
});

test('the ops of another callback is wrong', () => {
  const told = [...HIT, ...callback(1, 'vfs_open', { func: callbackAt(2) })];
  const verdict = judge(callArguments, told);
  expect(reasonOf(verdict)).toMatch(
    /^broken: .*of ops2 for vfs_open .* got ops1 instead of its own ops$/u,
  );
  expect(shown(verdict, told)).toEqual(['func_enter', 'site_fetch', 'cb_begin']);
});

test('the site of another function is wrong, also of one that was hit before', () => {
  const other = callback(1, 'vfs_open', { ip: site('kmalloc') });
  const why = /^broken: .*wrong ip: the function hit is vfs_open$/u;
  expect(reasonOf(judge(callArguments, [...HIT, ...other]))).toMatch(why);
  const left = [...entersFrom('kmalloc', RA), leaves('kmalloc'), ...entersFrom('vfs_open', RA)];
  expect(reasonOf(judge(callArguments, [...START, ...left, ...other]))).toMatch(why);
});

test('the parent of another call is wrong', () => {
  const told = [...HIT, ...callback(1, 'vfs_open', { parent_ip: site('vfs_open') + 4 })];
  expect(reasonOf(judge(callArguments, told))).toMatch(
    /^broken: .*got parent_ip 0xffffffff80000008, but its function returns to 0xffffffff80002000$/u,
  );
});

test('a list walk goes on with the outer hit when what its callback called has returned', () => {
  const nested = [
    ...entersFrom('kmalloc', 0x3000, {}, 0x700),
    ...callback(2, 'kmalloc', { parent_ip: 0x3000 }),
    ends(2, 1, 'kmalloc'),
    leaves('kmalloc'),
  ];
  const told = [
    ...HIT,
    ...callback(1, 'vfs_open'),
    ...nested,
    ends(1, 1, 'vfs_open'),
    ...callback(2, 'vfs_open'),
  ];
  expect(judge(callArguments, told)).toMatchObject({ status: 'held', exercised: 3 });
});

test('an interrupt hits by itself: the function below it is not its own', () => {
  const irq = { level: 2 };
  const hit = entersFrom('kmalloc', 0x3000, irq, 0x700);
  const sound = [...HIT, ...hit, ...callback(1, 'kmalloc', { ...irq, parent_ip: 0x3000 })];
  expect(judge(callArguments, sound)).toMatchObject({ status: 'held' });
  const wrong = [...HIT, ...hit, ...callback(1, 'vfs_open', irq)];
  expect(judge(callArguments, wrong)).toMatchObject({ status: 'broken' });
});

test('a callback function that can be traced itself is not the function that was hit', () => {
  const own: Told = ['symbol', { name: 'cb', address: callbackAt(1), site: callbackAt(1) + 4 }];
  const told = [own, ...HIT, ...callback(1, 'vfs_open')];
  expect(judge(callArguments, told)).toMatchObject({ status: 'held', exercised: 1 });
});

const arg = (name: string, value: bigint, sp = 0x1000, func = 0): Told => [
  'func_arg',
  { func, sp, register: name, value },
];
const shows = (name: string, value: bigint): Told => ['regs', { object: 1, register: name, value }];

test('argument registers are those with which the function was called', () => {
  const open = [...HIT, ...callback(1, 'vfs_open')];
  const sound = [...open, arg('a0', 5n), arg('a1', 6n), shows('a0', 5n), shows('a1', 6n)];
  expect(judge(callArguments, sound)).toMatchObject({ status: 'held' });
  const told = [...open, arg('a0', 5n), arg('a1', 6n), shows('a0', 6n)];
  const verdict = judge(callArguments, told);
  expect(reasonOf(verdict)).toMatch(
    /^broken: .*was shown a0 = 6 .*, but its function was called with 5$/u,
  );
  expect(shown(verdict, told)).toEqual(['func_enter', 'cb_begin', 'func_arg', 'regs']);
});

test('what a handler of an fprobe shows inside a callback is no word of that callback', () => {
  const at = { object: 3, generation: 1, ip: site('kmalloc') };
  const inside: Told[] = [
    ['cb_begin', { kind: 'fprobe_exit', ...at }],
    ...enters('kmalloc', {}, 0x800),
    ['cb_begin', { kind: 'fprobe_entry', ...at }],
    arg('a0', 5n),
    shows('a0', 6n),
    ['cb_end', { kind: 'fprobe_entry', ...at }],
    shows('entry_data', 7n),
    leaves('kmalloc'),
    ['cb_end', { kind: 'fprobe_exit', ...at }],
  ];
  const open = [...HIT, ...callback(1, 'vfs_open'), ...inside];
  const told = [...open, arg('a0', 5n), shows('a0', 5n), ends(1, 1, 'vfs_open')];
  expect(judge(callArguments, told)).toMatchObject({ status: 'held' });
  const wrong = [...open, arg('a0', 5n), shows('a0', 6n)];
  expect(judge(callArguments, wrong)).toMatchObject({ status: 'broken' });
});

/** A pre_handler of a hit at `ip` that sets a7. */
function setsA7(ip: number): Told[] {
  return [
    ['cb_begin', { kind: 'kprobe_pre', object: 3, generation: 1, ip }],
    ['regs_write', { object: 3, register: 'a7', value: 9n }],
    ['cb_end', { kind: 'kprobe_pre', object: 3, generation: 1, ip }],
  ];
}

test('what a pre_handler on the same site has written is shown to callbacks behind it (KP-45)', () => {
  const behind = [...callback(1, 'vfs_open'), arg('a7', 5n), shows('a7', 9n)];
  const own = [...HIT, ...setsA7(site('vfs_open')), ...behind];
  expect(judge(callArguments, own)).toMatchObject({ status: 'held', exercised: 2 });
  const other = [...HIT, ...setsA7(site('kmalloc')), ...behind];
  expect(reasonOf(judge(callArguments, other))).toMatch(/was shown a7 = 9 .* called with 5$/u);
});

test('the arguments of functions that were not hit are nobody’s truth', () => {
  const outer = [arg('a0', 9n, 0x2000), arg('a0', 5n), arg('a0', 8n, 0x1000, 0x40)];
  const told = [...HIT, ...callback(1, 'vfs_open'), ...outer, shows('a0', 5n)];
  expect(judge(callArguments, told)).toMatchObject({ status: 'held' });
});

test('what is no argument register shows nothing; without truth nothing is judged', () => {
  const open = [...HIT, ...callback(1, 'vfs_open')];
  expect(judge(callArguments, [...open, shows('a0', 5n)])).toMatchObject({ status: 'held' });
  expect(reasonOf(judge(callArguments, [...open, arg('a0', 5n), shows('s0', 1n)]))).toMatch(
    /^broken: .*was shown s0 = 1 .* no argument register/u,
  );
});

const passes = (object: number): Told => ['function_trace_op', { object }];
const answers: Told = ['sync_ack', {}];
const preempted: Told = ['sched_switch', { prev: 1, next: 2, state: 'preempted' }];

test('without trampolines, a caller that was interrupted on its way may pass the old ops (CC-N1)', () => {
  const late = callsDirectly(1, 2, 'vfs_open');
  const verdictOf = (...between: readonly Told[]): string => {
    const told = [PATCHED_CALLER, ...START, passes(1), ...enters('vfs_open'), ...between, ...late];
    return judge(callArguments, told).status;
  };
  expect(verdictOf(answers, passes(2))).toBe('held');
  expect(verdictOf(preempted, passes(2))).toBe('held');
  expect(verdictOf(passes(2), answers)).toBe('held');
  // It was not: nobody told it in between that things had changed.
  expect(verdictOf(passes(2))).toBe('broken');
  // Another CPU or another task answered.
  expect(verdictOf(['sync_ack', { cpu: 1 }], passes(2))).toBe('broken');
  expect(verdictOf(['sched_switch', { prev: 2, cpu: 1 }], passes(2))).toBe('broken');
});

test('what was not to be passed since the hit began cannot have been loaded, whatever came between', () => {
  const [old, late] = [passes(1), callsDirectly(1, 2, 'vfs_open')];
  const before = [PATCHED_CALLER, ...START, old, passes(2), ...enters('vfs_open'), answers];
  expect(reasonOf(judge(callArguments, [...before, ...late]))).toMatch(
    /^broken: the callback of ops2 .* got ops1 instead of its own ops$/u,
  );
  // Loaded after the last answer: there was no interruption between load and call.
  const loaded = [PATCHED_CALLER, ...START, passes(1), ...enters('vfs_open'), answers, passes(0)];
  const nobody = callsDirectly(0, 1, 'vfs_open');
  expect(reasonOf(judge(callArguments, [...loaded, ...nobody]))).toMatch(/got no ops instead/u);
  expect(judge(callArguments, [...loaded, answers, ...nobody])).toMatchObject({ status: 'held' });
});

const FLAGS: Told = ['ops_flags', { object: 1, flags: 4, regs: true }];

test('with SAVE_REGS all registers are those with which the function came, or what a callback made of them', () => {
  const open = [...HIT, FLAGS, ...callback(1, 'vfs_open')];
  const written: Told = ['regs_write', { object: 1, register: 's3', value: 7n }];
  const sound = [...open, arg('s3', 5n), shows('s3', 5n), written, shows('s3', 7n)];
  expect(judge(callArguments, sound)).toMatchObject({ status: 'held' });
  const told = [...open, arg('s3', 5n), written, shows('s3', 5n)];
  expect(reasonOf(judge(callArguments, told))).toMatch(
    /^broken: .*was shown s3 = 5 .*, but its function was called with 7$/u,
  );
});

test('with SAVE_REGS a callback that shows its registers finds more than arguments', () => {
  const open = [...HIT, FLAGS, ...callback(1, 'vfs_open'), arg('a0', 5n), shows('a0', 5n)];
  const over = ends(1, 1, 'vfs_open');
  expect(reasonOf(judge(callArguments, [...open, over]))).toMatch(
    /^broken: .*found only arguments until it ended.*: it has SAVE_REGS$/u,
  );
  const full = [...open, arg('s3', 5n), shows('s3', 5n), over];
  expect(judge(callArguments, full)).toMatchObject({ status: 'held' });
  const writes: Told = ['oops', { reason: 'no pt_regs' }];
  expect(reasonOf(judge(callArguments, [...open, writes]))).toMatch(
    /^broken: .*wanted to change a register and had none: it has SAVE_REGS$/u,
  );
});

test('an ops is passed over for want of registers only while its site is being upgraded (FT-16)', () => {
  const skip: Told = ['skip', { object: 1, reason: 'regs', ip: site('vfs_open') }];
  const late = [...image(1), ...register(1, 1), ...enters('vfs_open'), skip];
  const verdict = judge(callArguments, late);
  expect(reasonOf(verdict)).toMatch(/^broken: ops1 was passed over at vfs_open .*for want of/u);
  expect(shown(verdict, late)).toEqual(['ctl_end register_ftrace_function', 'site_fetch', 'skip']);
  const early = [...image(1), ...enters('vfs_open'), ...register(1, 1), skip];
  expect(judge(callArguments, early)).toMatchObject({ status: 'never exercised' });
  const other = [
    ...image(1),
    ...register(1, 1),
    ...setFilter(1, 'kmalloc'),
    ...enters('vfs_open'),
    skip,
  ];
  expect(judge(callArguments, other)).toMatchObject({ status: 'never exercised' });
});

test('the callee of a tail call whose caller has a hook is told where taken returns come (FP-35)', () => {
  const [sp, trampoline] = [0x1000, 0x9000];
  const taken: Told = ['hook', { object: 9, ip: site('vfs_open'), frame: sp, ret: RA }];
  const tail = [...HIT, taken, ...entersFrom('kmalloc', RA)];
  const told = [...tail, ...callback(1, 'kmalloc', { parent_ip: trampoline })];
  expect(reasonOf(judge(callArguments, told))).toBe('held');
  const other = [...told, ends(1, 1, 'kmalloc'), ...callback(2, 'kmalloc', { parent_ip: 0x9004 })];
  expect(reasonOf(judge(callArguments, other))).toMatch(/^broken: .*got parent_ip 0xf+80009004/u);
  const inner = [...HIT, taken, ...entersFrom('kmalloc', RA, {}, 0x900)];
  const wrong = [...inner, ...callback(1, 'kmalloc', { parent_ip: trampoline })];
  expect(reasonOf(judge(callArguments, wrong))).toMatch(/^broken: .*got parent_ip 0xf+80009000/u);
});
