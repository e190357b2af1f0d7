// Layer replay. Do the names and numbers of a workload agree with each other? Everything that needs more than
// one place of the file to be seen; `schema.ts` has seen to the shape of each.
import { checkModules } from './check-module.ts';
import { checkProbes, probeCounters } from './check-probe.ts';
import { checkCpu, checkFunction, checkSymbol } from './check-reference.ts';
import { checkTimeline } from './check-timeline.ts';
import { type Finding, type KeyPath, type Positions, refuse } from './finding.ts';
import { eachLine, readLine, readSymbol } from './line.ts';
import {
  CONTROL_TASK,
  type Expectation,
  INTERRUPTS,
  type Line,
  LIMIT,
  type Workload,
} from './model.ts';
import { nearest } from './nearest.ts';
import {
  entries,
  entry,
  KERNEL_SYMBOLS,
  makeScope,
  type Scope,
  type ScopeFiles,
  unknownName,
} from './scope.ts';

/**
 * Throws one `InputError` that names every disagreement. `files` are the ELF files that the workload names; where
 * one is not at hand, names that could be its own are believed.
 */
export function check(workload: Workload, positions: Positions, files: ScopeFiles = {}): void {
  const scope = makeScope(workload, files);
  refuse(
    [
      ...checkNames(scope),
      ...checkSizes(workload),
      ...checkPatching(workload),
      ...checkModules(scope),
      ...checkBodies(scope),
      ...checkRunners(scope),
      ...checkHandlers(scope),
      ...checkProbes(scope),
      ...checkTimeline(scope),
      ...checkExpectations(scope),
    ],
    positions,
  );
}

/** Functions, callbacks and data share one symbol table, with those of the image. */
function checkNames({ workload, imageFunctions, data }: Scope): Finding[] {
  const findings: Finding[] = [];
  const owners = new Map<string, string>();
  for (const name of imageFunctions) owners.set(name, 'the image');
  for (const name of data.keys()) {
    if (entry(workload.data, name) === undefined) owners.set(name, 'the image');
  }
  for (const section of ['functions', 'callbacks', 'typescript', 'data'] as const) {
    for (const [name] of entries<unknown>(workload[section])) {
      const owner = owners.get(name);
      owners.set(name, owner ?? `'${section}'`);
      if (owner === undefined) continue;
      const message = `the name '${name}' is taken: it is defined in ${owner} too`;
      findings.push({ path: [section, name], part: 'key', message });
    }
  }
  if (entry(workload.tasks, CONTROL_TASK) !== undefined) {
    const message = `the name '${CONTROL_TASK}' is taken: it performs operations without 'by'`;
    findings.push({ path: ['tasks', CONTROL_TASK], part: 'key', message });
  }
  return findings;
}

function checkSizes(workload: Workload): Finding[] {
  const findings: Finding[] = [];
  const tooMany = (path: string, message: string): void => {
    findings.push({ path: [path], part: 'key', message });
  };
  const bytes = entries(workload.data).reduce((sum, [, size]) => sum + size, 0);
  if (bytes > LIMIT.dataBytesTogether) {
    tooMany('data', `expected at most ${LIMIT.dataBytesTogether} bytes together, found ${bytes}`);
  }
  const tasks = entries(workload.tasks).length;
  if (tasks > LIMIT.tasks)
    tooMany('tasks', `expected at most ${LIMIT.tasks} tasks, found ${tasks}`);
  const paths = entries(workload.typescript).length;
  if (paths > LIMIT.paths)
    tooMany('typescript', `expected at most ${LIMIT.paths} paths, found ${paths}`);
  let instructions = 0;
  for (const section of ['functions', 'callbacks'] as const) {
    for (const [, { body }] of entries(workload[section])) {
      eachLine(body, [], (text) => {
        const reading = readLine(text, 'callback');
        instructions += 'op' in reading && reading.op.op === 'work' ? reading.op.count : 8;
      });
    }
  }
  if (instructions > LIMIT.instructionsTogether) {
    const expected = `expected at most ${LIMIT.instructionsTogether} instructions together`;
    tooMany('functions', `${expected}, found about ${instructions}`);
  }
  return findings;
}

/** Compiled files have sites of one instruction. */
function checkPatching({ image, machine, modules }: Workload): Finding[] {
  if (machine.patching !== 'stopMachine') return [];
  const message = "compiled functions have short call sites: expected 'patching: breakpoint'";
  const path = ['machine', 'patching'];
  const files = entries(modules).filter(([, module]) => module.image !== undefined);
  if (image === undefined && files.length === 0) return [];
  return [{ path, part: 'value', message }];
}

function checkBodies(scope: Scope): Finding[] {
  const findings: Finding[] = [];
  for (const section of ['functions', 'callbacks'] as const) {
    for (const [name, { body }] of entries(scope.workload[section])) {
      const path = [section, name, 'body'];
      eachLine(body, path, (text, here) => findings.push(...checkLine(scope, text, here)));
      findings.push(...checkBlocks(scope, body, path, 0));
    }
  }
  return findings;
}

/** Blocks are not too deep, and what they ask for is there. */
function checkBlocks(scope: Scope, body: readonly Line[], path: KeyPath, depth: number): Finding[] {
  if (depth > LIMIT.blockDepth) {
    const message = `expected at most ${LIMIT.blockDepth} blocks inside each other`;
    return [{ path, part: 'value', message }];
  }
  return body.flatMap((line, index) => {
    if (typeof line === 'string') return [];
    const here = [...path, index];
    if ('trylock' in line) return checkBlocks(scope, line.trylock, [...here, 'trylock'], depth + 1);
    const inner = checkBlocks(scope, line.body, [...here, 'body'], depth + 1);
    return 'if' in line ? [...checkSymbol(scope, line.if, [...here, 'if']), ...inner] : inner;
  });
}

function checkLine(scope: Scope, text: string, path: KeyPath): Finding[] {
  const reading = readLine(text, 'callback');
  if (!('op' in reading)) return [];
  const { op } = reading;
  if (op.op === 'call' || op.op === 'redirect') return checkCall(scope, op.target, path);
  if (op.op === 'tail') return checkFunction(scope, op.target, path);
  return 'symbol' in op ? checkSymbol(scope, text.trim().split(/\s+/u)[1] ?? '', path) : [];
}

function checkCall(scope: Scope, target: string, path: KeyPath): Finding[] {
  if (scope.functions.has(target) || KERNEL_SYMBOLS.includes(target) || !scope.complete) return [];
  const valid = (): readonly string[] => {
    const own = [...scope.functions.keys()];
    return nearest(target, own) === undefined ? KERNEL_SYMBOLS : own;
  };
  return [unknownName(path, 'function', target, valid)];
}

/** Tasks and what idle CPUs run. */
function checkRunners(scope: Scope): Finding[] {
  const { workload } = scope;
  const findings: Finding[] = [];
  for (const [name, task] of entries(workload.tasks)) {
    findings.push(...checkCpu(workload, task.cpu, ['tasks', name, 'cpu']));
    if (task.run !== undefined) {
      findings.push(...checkFunction(scope, task.run, ['tasks', name, 'run']));
    }
    for (const way of ['entry', 'exit'] as const) {
      const called = task.user?.[way];
      if (called === undefined) continue;
      findings.push(...checkFunction(scope, called, ['tasks', name, 'user', way]));
    }
  }
  const owners = new Map<number, number>();
  for (const [index, idle] of (workload.idle ?? []).entries()) {
    findings.push(...checkCpu(workload, idle.cpu, ['idle', index, 'cpu']));
    findings.push(...checkFunction(scope, idle.run, ['idle', index, 'run']));
    if (owners.has(idle.cpu)) {
      const message = `CPU ${idle.cpu} has an idle function already`;
      findings.push({ path: ['idle', index, 'cpu'], part: 'value', message });
    }
    owners.set(idle.cpu, index);
  }
  return findings;
}

function checkHandlers(scope: Scope): Finding[] {
  const findings: Finding[] = [];
  for (const [name, handler] of entries(scope.workload.handlers)) {
    const path = ['handlers', name];
    findings.push(...checkCpu(scope.workload, handler.cpu, [...path, 'cpu']));
    for (const kind of [...INTERRUPTS, 'timer', 'entry'] as const) {
      const run = handler[kind];
      if (run !== undefined) findings.push(...checkFunction(scope, run, [...path, kind]));
    }
  }
  return findings;
}

function checkExpectations(scope: Scope): Finding[] {
  return (scope.workload.expect ?? []).flatMap((expectation, index) =>
    checkExpectation(scope, expectation, ['expect', index]),
  );
}

function checkExpectation(scope: Scope, expectation: Expectation, path: KeyPath): Finding[] {
  if (typeof expectation === 'string') return [];
  const counting = probeCounters(scope);
  const { counter } = expectation;
  if (counting.includes(counter)) return [];
  const { symbol } = readSymbol(counter);
  const here = [...path, 'counter'];
  if (scope.data.has(symbol)) return checkSymbol(scope, counter, here);
  if (!scope.complete) return [];
  return [unknownName(here, 'counter', counter, () => [...counting, ...scope.data.keys()])];
}
