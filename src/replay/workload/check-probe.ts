// Layer replay. Checks of probes, kind by kind, and of what the timeline tells them to do.
import { checkAddress, checkEarlyPattern, checkPattern } from './check-reference.ts';
import { type Finding, type KeyPath, messageOf } from './finding.ts';
import { eachLine, readLine } from './line.ts';
import { FPROBE_HANDLERS, type FprobeModel, type FprobeTargetModel } from './model-fprobe.ts';
import {
  BUILT_IN_CALLBACKS,
  FPROBE_OPERATIONS,
  type FtraceProbeModel,
  OPS_OPERATIONS,
  type TimelineItem,
} from './model.ts';
import { didYouMean } from './nearest.ts';
import { entries, entry, isBuiltIn, type Scope, unknownName } from './scope.ts';

export function checkProbes(scope: Scope): Finding[] {
  const probes = entries(scope.workload.probes).flatMap(([name, probe]) => {
    const path = ['probes', name];
    return probe.kind === 'ftrace'
      ? checkFtrace(scope, probe, path)
      : checkFprobe(scope, name, probe, path);
  });
  return [...probes, ...checkConventions(scope)];
}

function checkFtrace(scope: Scope, probe: FtraceProbeModel, path: KeyPath): Finding[] {
  const findings = checkCallback(scope, probe.callback, [...path, 'callback']);
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

function checkFprobe(scope: Scope, name: string, probe: FprobeModel, path: KeyPath): Finding[] {
  const findings = checkTarget(scope, probe, path, expectedOf(scope, name));
  for (const key of FPROBE_HANDLERS) {
    const callback = probe[key];
    if (callback !== undefined) findings.push(...checkCallback(scope, callback, [...path, key]));
  }
  return [...findings, ...checkReturns(scope, probe, path), ...checkData(scope, probe, path)];
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

/** What a workload says of the result of a registration: it fails, it succeeds whatever it seems to be, or nothing. */
type Expected = 'failure' | 'success' | 'nothing';

function expectedBy({ expect }: TimelineItem): Expected {
  if (expect === undefined) return 'nothing';
  return expect === 0 ? 'success' : 'failure';
}

/** Of all registrations of the fprobe: an error is said of some, or else success. */
function expectedOf({ workload }: Scope, probe: string): Expected {
  const all = (workload.timeline ?? []).filter(({ register }) => register === probe);
  const said = new Set(all.map(expectedBy));
  if (said.has('failure')) return 'failure';
  return said.has('success') ? 'success' : 'nothing';
}

/** A callback of the workload says itself what it returns. */
function checkReturns(scope: Scope, probe: FprobeModel, path: KeyPath): Finding[] {
  const { entry: callback, entry_returns: returns } = probe;
  if (returns === undefined || callback === undefined) return [];
  if (isBuiltIn(scope.workload, callback)) return [];
  const message = `'entry_returns' belongs to count and nothing: '${callback}' ends with return ${returns}`;
  return [{ path: [...path, 'entry_returns'], part: 'key', message }];
}

/** Lines that use entry_data use its first word. */
function checkData(scope: Scope, probe: FprobeModel, path: KeyPath): Finding[] {
  const bytes = probe.entry_data_size ?? 0;
  if (bytes === 0 || bytes >= WORD_BYTES) return [];
  const user = FPROBE_HANDLERS.map((key) => probe[key]).find(
    (name) => name !== undefined && ownLines(scope, name).some((word) => DATA_WORDS.has(word)),
  );
  if (user === undefined) return [];
  const message = `expected at least ${WORD_BYTES} bytes, which '${user}' uses, found ${bytes}`;
  return [{ path: [...path, 'entry_data_size'], part: 'value', message }];
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

/** A callback with such lines serves probes of one kind; lines about entry_data serve fprobes. */
function checkConventions(scope: Scope): Finding[] {
  const byFprobes = new Set(fprobeCallbacks(scope));
  return entries(scope.workload.probes).flatMap(([name, probe]) => {
    if (probe.kind !== 'ftrace') return [];
    const { callback } = probe;
    const path = ['probes', name, 'callback'];
    const words = ownLines(scope, callback);
    const data = words.find((word) => DATA_WORDS.has(word));
    if (data !== undefined) {
      const message = `'${callback}' uses '${data}', which belongs to handlers of an fprobe`;
      return [{ path, part: 'value', message }];
    }
    const special = words.find((word) => word === 'trylock' || CONVENTION_WORDS.has(word));
    if (special === undefined || !byFprobes.has(callback)) return [];
    const message = `'${callback}' uses '${special}' and is a handler of an fprobe too: expected another callback`;
    return [{ path, part: 'value', message }];
  });
}

function fprobeCallbacks({ workload }: Scope): readonly string[] {
  return entries(workload.probes).flatMap(([, probe]) => {
    if (probe.kind !== 'fprobe') return [];
    return FPROBE_HANDLERS.flatMap((key) => probe[key] ?? []);
  });
}

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
    findings.push(
      ...checkKind(scope, register.probe, 'fprobe', [...here, 'probe']),
      ...checkTarget(scope, register, here, expectedBy(item)),
    );
  }
  if (unregister !== undefined) {
    findings.push(...checkProbe(scope, unregister, [...path, 'unregister']));
  }
  for (const op of FPROBE_OPERATIONS) {
    const probe = item[op];
    if (probe !== undefined) findings.push(...checkKind(scope, probe, 'fprobe', [...path, op]));
  }
  for (const op of OPS_OPERATIONS) {
    const set = item[op];
    if (set === undefined) continue;
    const here = [...path, op];
    findings.push(
      ...(typeof set === 'string'
        ? checkKind(scope, set, 'ftrace', here)
        : checkKind(scope, set.probe, 'ftrace', [...here, 'probe'])),
    );
  }
  return findings;
}

function checkKind(
  scope: Scope,
  name: string,
  kind: 'ftrace' | 'fprobe',
  path: KeyPath,
): Finding[] {
  const probe = entry(scope.workload.probes, name);
  if (probe === undefined) return checkProbe(scope, name, path);
  if (probe.kind === kind) return [];
  const message = `expected a probe of kind ${kind}, found '${name}' of kind ${probe.kind}`;
  return [{ path, part: 'value', message }];
}

/** Points of probes that triggers can wait for. */
export function probePoints({ workload }: Scope): readonly string[] {
  return entries(workload.probes).flatMap(([name, probe]) =>
    probe.kind === 'ftrace'
      ? [`${name}.callback`]
      : FPROBE_HANDLERS.filter((key) => probe[key] !== undefined).map((key) => `${name}.${key}`),
  );
}

/** Counters of probes. */
export function probeCounters({ workload }: Scope): readonly string[] {
  const counts = (callback: string | undefined): boolean =>
    callback === 'count' && isBuiltIn(workload, callback);
  const names: string[] = [];
  for (const [name, probe] of entries(workload.probes)) {
    if (probe.kind === 'ftrace') {
      if (counts(probe.callback)) names.push(`${name}.count`);
      continue;
    }
    for (const key of FPROBE_HANDLERS) if (counts(probe[key])) names.push(`${name}.${key}`);
    names.push(`${name}.nmissed`);
  }
  return names;
}
