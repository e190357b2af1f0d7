// Layer replay. Checks of probes, kind by kind, and of what the timeline tells them to do.
import type { Convention } from '../../emu/script.ts';
import { checkKprobe } from './check-kprobe.ts';
import { checkAddress, checkEarlyPattern, checkPattern } from './check-reference.ts';
import { type Finding, type KeyPath, messageOf } from './finding.ts';
import { eachLine, readLine } from './line.ts';
import type { FprobeModel, FprobeTargetModel, RegisterModel } from './model-fprobe.ts';
import type { FtraceProbeModel } from './model-ftrace.ts';
import type { KretprobeModel } from './model-kprobe.ts';
import {
  ABLE_OPERATIONS,
  BUILT_IN_CALLBACKS,
  FPROBE_OPERATIONS,
  OPS_OPERATIONS,
  type ProbeModel,
  type TimelineItem,
} from './model.ts';
import { didYouMean } from './nearest.ts';
import { allHandlers, CONVENTIONS, handlersOf } from './probe-handlers.ts';
import { entries, entry, isBuiltIn, type Scope, unknownName } from './scope.ts';

export function checkProbes(scope: Scope): Finding[] {
  const findings: Finding[] = [];
  for (const [name, probe] of entries(scope.workload.probes)) {
    const path = ['probes', name];
    findings.push(...checkOne(scope, name, probe, path));
    for (const { handler, callback } of handlersOf(name, probe))
      findings.push(...checkCallback(scope, callback, [...path, handler]));
    findings.push(...checkReturns(scope, probe, path));
  }
  findings.push(...checkConventions(scope));
  return findings;
}

function checkOne(scope: Scope, name: string, probe: ProbeModel, path: KeyPath): Finding[] {
  switch (probe.kind) {
    case 'ftrace':
      return checkFtrace(scope, probe, path);
    case 'fprobe':
      return [
        ...checkTarget(scope, probe, path, expectedOf(scope, name)),
        ...checkData(scope, name, probe, { path, key: 'entry_data_size' }),
      ];
    case 'kprobe':
      return checkKprobe(scope, probe, path, expectedOf(scope, name) === 'failure');
    case 'kretprobe':
      return [
        ...checkKprobe(scope, probe, path, expectedOf(scope, name) === 'failure'),
        ...checkData(scope, name, probe, { path, key: 'data_size' }),
      ];
  }
}

function checkFtrace(scope: Scope, probe: FtraceProbeModel, path: KeyPath): Finding[] {
  const findings: Finding[] = [];
  if (probe.static === true && scope.workload.machine.trampolines !== false) {
    const message = "a static ops would keep its trampoline: expected 'trampolines: false'";
    findings.push({ path: [...path, 'static'], part: 'value', message });
  }
  for (const key of ['filter', 'notrace'] as const) {
    const patterns = probe[key];
    if (patterns === undefined) continue;
    const here = [...path, key];
    if (typeof patterns === 'string') findings.push(...checkEarlyPattern(scope, patterns, here));
    else {
      for (const [index, pattern] of patterns.entries()) {
        findings.push(...checkEarlyPattern(scope, pattern, [...here, index]));
      }
    }
  }
  return findings;
}

/** What is to be hooked exists, unless that is the point. */
function checkTarget(
  scope: Scope,
  target: FprobeTargetModel,
  path: KeyPath,
  expected: Expected,
): Finding[] {
  const findings: Finding[] = [];
  const mayFail = expected === 'failure';
  const { filter, notfilter } = target;
  if (typeof filter === 'string' && !mayFail)
    findings.push(...checkPattern(scope, filter, [...path, 'filter']));
  if (notfilter !== undefined && expected === 'nothing') {
    for (const finding of checkPattern(scope, notfilter, [...path, 'notfilter'])) {
      const also = 'expect: 0 if that is the point (before v6.14 it is -EINVAL)';
      const message = (): string => {
        const text = messageOf(finding);
        return `${text}${text.endsWith('?') ? '' : ';'} ${also}`;
      };
      findings.push({ ...finding, message });
    }
  }
  for (const [index, fn] of (target.ips ?? []).entries()) {
    findings.push(...checkAddress(scope, fn, [...path, 'ips', index], mayFail));
  }
  for (const [index, sym] of (target.syms ?? []).entries()) {
    if (mayFail || !scope.complete || scope.traceable.includes(sym)) continue;
    const message = (): string => {
      const hint = didYouMean(sym, scope.traceable);
      return `no traceable function is named '${sym}'${hint || ';'} expect: -ENOENT if that is the point`;
    };
    findings.push({ path: [...path, 'syms', index], part: 'value', message });
  }
  return findings;
}

function isAbout(register: TimelineItem['register'], probe: string): boolean {
  if (typeof register !== 'object') return register === probe;
  return isBatch(register) && register.includes(probe);
}

/** What a workload says of the result of a registration: it fails, it succeeds whatever it seems to be, or nothing. */
type Expected = 'failure' | 'success' | 'nothing';

function expectedBy({ expect }: Pick<TimelineItem, 'expect'>): Expected {
  if (expect === undefined) return 'nothing';
  return expect === 0 ? 'success' : 'failure';
}

/** Of all registrations of the probe: an error is said of some, or else success. */
function expectedOf({ workload }: Scope, probe: string): Expected {
  const all = (workload.timeline ?? []).filter(({ register }) => isAbout(register, probe));
  const said = new Set(all.map(expectedBy));
  if (said.has('failure')) return 'failure';
  return said.has('success') ? 'success' : 'nothing';
}

/** A callback of the workload says itself what it returns. */
function checkReturns(scope: Scope, probe: ProbeModel, path: KeyPath): Finding[] {
  if (probe.kind === 'ftrace') return [];
  const [key, callback, returns] =
    probe.kind === 'kprobe'
      ? ['pre_returns', probe.pre, probe.pre_returns]
      : ['entry_returns', probe.entry, probe.entry_returns];
  if (returns === undefined || callback === undefined) return [];
  if (isBuiltIn(scope.workload, callback)) return [];
  const message = `'${key}' belongs to count and nothing: '${callback}' ends with return ${returns}`;
  return [{ path: [...path, key], part: 'key', message }];
}

/** Lines about data use its first word. An fprobe without data gives none; a kretprobe always gives some (KR-4). */
function checkData(
  scope: Scope,
  name: string,
  probe: FprobeModel | KretprobeModel,
  { path, key }: { readonly path: KeyPath; readonly key: string },
): Finding[] {
  const isFprobe = probe.kind === 'fprobe';
  const bytes = (isFprobe ? probe.entry_data_size : probe.data_size) ?? 0;
  if ((isFprobe && bytes === 0) || bytes >= WORD_BYTES) return [];
  const user = handlersOf(name, probe).find(({ callback }) =>
    ownLines(scope, callback).some((word) => DATA_WORDS.has(word)),
  );
  if (user === undefined) return [];
  const message = `expected at least ${WORD_BYTES} bytes, which '${user.callback}' uses, found ${bytes}`;
  return [{ path: [...path, key], part: 'value', message }];
}

const WORD_BYTES = 8;
const DATA_WORDS: ReadonlySet<string> = new Set(['store_data', 'show_data']);
/** Lines that mean something else to each kind of probe. */
const CONVENTION_WORDS: ReadonlySet<string> = new Set([
  'regs',
  'set_reg',
  'redirect',
  ...DATA_WORDS,
]);

/** The first words of the lines of a callback; `trylock` of a block. */
function ownLines({ workload }: Scope, callback: string): readonly string[] {
  const words: string[] = [];
  const body = entry(workload.callbacks, callback)?.body ?? [];
  eachLine(body, [], (text, path) => {
    const reading = readLine(text, 'callback');
    if (path.includes('trylock')) words.push('trylock');
    if ('op' in reading) words.push(reading.op.op);
  });
  return words;
}

/** A callback with such lines serves probes of one kind; lines about data serve fprobes and kretprobes. */
function checkConventions(scope: Scope): Finding[] {
  const all = allHandlers(scope.workload.probes);
  return all.flatMap(({ probe, kind, handler, callback }) => {
    const path = ['probes', probe, handler];
    const words = ownLines(scope, callback);
    const data = words.find((word) => DATA_WORDS.has(word));
    if (data !== undefined && (kind === 'ftrace' || kind === 'kprobe')) {
      const message = `'${callback}' uses '${data}', which belongs to handlers of an fprobe or kretprobe`;
      return [{ path, part: 'value', message }];
    }
    const special = words.find((word) => word === 'trylock' || CONVENTION_WORDS.has(word));
    const convention = CONVENTIONS[kind];
    const other = all.find(
      (one) =>
        one.callback === callback && PRECEDENCE[CONVENTIONS[one.kind]] > PRECEDENCE[convention],
    );
    if (special === undefined || other === undefined) return [];
    const article = other.kind === 'fprobe' ? 'an' : 'a';
    const message = `'${callback}' uses '${special}' and is a handler of ${article} ${other.kind} too: expected another callback`;
    return [{ path, part: 'value', message }];
  });
}

/** Of two probes of different kinds, the finding is at the one that comes first here. */
const PRECEDENCE: Readonly<Record<Convention, number>> = { ftrace: 0, kprobe: 1, fprobe: 2 };

function checkCallback(scope: Scope, callback: string, path: KeyPath): Finding[] {
  const { workload } = scope;
  if (entry(workload.callbacks, callback) !== undefined) return [];
  if (entry(workload.typescript, callback) !== undefined) return [];
  if (isBuiltIn(workload, callback) || isCompiled(scope, callback)) return [];
  if (entry(workload.functions, callback) !== undefined) {
    const message = `'${callback}' is a function, expected a callback: define it under 'callbacks'`;
    return [{ path, part: 'value', message }];
  }
  if (!scope.complete) return [];
  const valid = (): readonly string[] => {
    const own = [...entries(workload.callbacks), ...entries<unknown>(workload.typescript)];
    const defined = own.map(([name]) => name);
    return [...new Set([...defined, ...BUILT_IN_CALLBACKS, ...compiledNames(scope)])];
  };
  return [unknownName(path, 'callback', callback, valid)];
}

function isCompiled({ imageFunctions, modules }: Scope, callback: string): boolean {
  if (imageFunctions.has(callback)) return true;
  return [...modules.values()].some(({ functions }) =>
    functions.some(({ name }) => name === callback),
  );
}

function compiledNames({ imageFunctions, modules }: Scope): readonly string[] {
  const ofModules = [...modules.values()].flatMap(({ functions }) => functions);
  return [...imageFunctions, ...ofModules.map(({ name }) => name)];
}

/** A probe that exists; its kind is looked at where an operation belongs to one. */
export function checkProbe(scope: Scope, name: string, path: KeyPath): Finding[] {
  const { probes } = scope.workload;
  if (entry(probes, name) !== undefined) return [];
  return [unknownName(path, 'probe', name, () => entries(probes).map(([known]) => known))];
}

/** Operations of a timeline item on probes: they exist, and are of the kind that has the operation. */
export function checkProbeOperations(scope: Scope, item: TimelineItem, path: KeyPath): Finding[] {
  const findings: Finding[] = [];
  const { register, unregister } = item;
  if (typeof register === 'string') {
    findings.push(...checkProbe(scope, register, [...path, 'register']));
  } else if (register !== undefined) {
    const here = [...path, 'register'];
    if (isBatch(register)) findings.push(...checkBatch(scope, register, here));
    else findings.push(...checkAgain(scope, item, register, here));
  }
  if (typeof unregister === 'string') {
    findings.push(...checkProbe(scope, unregister, [...path, 'unregister']));
  } else if (unregister !== undefined) {
    findings.push(...checkBatch(scope, unregister, [...path, 'unregister']));
  }
  for (const op of FPROBE_OPERATIONS) {
    const probe = item[op];
    if (probe !== undefined) findings.push(...checkKind(scope, probe, ['fprobe'], [...path, op]));
  }
  for (const op of ABLE_OPERATIONS) {
    const probe = item[op];
    const kinds = ['fprobe', 'kprobe', 'kretprobe'] as const;
    if (probe !== undefined) findings.push(...checkKind(scope, probe, kinds, [...path, op]));
  }
  for (const op of OPS_OPERATIONS) {
    const set = item[op];
    if (set === undefined) continue;
    const here = [...path, op];
    findings.push(
      ...(typeof set === 'string'
        ? checkKind(scope, set, ['ftrace'], here)
        : checkKind(scope, set.probe, ['ftrace'], [...here, 'probe'])),
    );
  }
  return findings;
}

function checkAgain(
  scope: Scope,
  item: TimelineItem,
  register: RegisterModel,
  path: KeyPath,
): Finding[] {
  return [
    ...checkKind(scope, register.probe, ['fprobe'], [...path, 'probe']),
    ...checkTarget(scope, register, path, expectedBy(item)),
  ];
}

/** Several probes in one call? */
export function isBatch(operand: object | number): operand is readonly string[] {
  return Array.isArray(operand);
}

/** One call takes kprobes, or kretprobes. */
function checkBatch(scope: Scope, names: readonly string[], path: KeyPath): Finding[] {
  const first = names.map((name) => entry(scope.workload.probes, name)?.kind).find(isBatchKind);
  const kinds = first === undefined ? (['kprobe', 'kretprobe'] as const) : [first];
  return names.flatMap((name, index) => checkKind(scope, name, kinds, [...path, index]));
}

function isBatchKind(kind: ProbeModel['kind'] | undefined): kind is 'kprobe' | 'kretprobe' {
  return kind === 'kprobe' || kind === 'kretprobe';
}

function checkKind(
  scope: Scope,
  name: string,
  kinds: readonly ProbeModel['kind'][],
  path: KeyPath,
): Finding[] {
  const probe = entry(scope.workload.probes, name);
  if (probe === undefined) return checkProbe(scope, name, path);
  if (kinds.includes(probe.kind)) return [];
  const expected = kinds.join(' or ');
  const message = `expected a probe of kind ${expected}, found '${name}' of kind ${probe.kind}`;
  return [{ path, part: 'value', message }];
}

/** Points of probes that triggers can wait for. */
export function probePoints({ workload }: Scope): readonly string[] {
  return allHandlers(workload.probes).map(({ probe, handler }) => `${probe}.${handler}`);
}

/** Counters of probes. */
export function probeCounters({ workload }: Scope): readonly string[] {
  const names: string[] = [];
  for (const [name, probe] of entries(workload.probes)) {
    for (const { handler, callback } of handlersOf(name, probe)) {
      if (callback !== 'count' || !isBuiltIn(workload, callback)) continue;
      names.push(probe.kind === 'ftrace' ? `${name}.count` : `${name}.${handler}`);
    }
    if (probe.kind !== 'ftrace') names.push(`${name}.nmissed`);
    if (probe.kind === 'kretprobe') names.push(`${name}.kp.nmissed`);
  }
  return names;
}
