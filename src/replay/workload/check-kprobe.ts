// Layer replay. Checks of where a kprobe or a kretprobe is to be: what it names is there, and an instruction begins at its
// offset. What the kernel refuses is the mistake of whoever wrote it, unless the registration is expected to fail.
import { IMAGE_BASE } from '../../emu/address.ts';
import { placeScripts } from '../../emu/script-text.ts';
import { MCOUNT_INSN_SIZE } from '../../trace/ftrace-insn.ts';
import type { Finding, KeyPath } from './finding.ts';
import { readBody, readSymbol } from './line.ts';
import type { KprobePlaceModel } from './model-kprobe.ts';
import { didYouMean } from './nearest.ts';
import { entries, entry, type Scope, unknownName } from './scope.ts';

/** An instruction of scripted code. */
const WORD_BYTES = 4;

export function checkKprobe(
  scope: Scope,
  probe: KprobePlaceModel,
  path: KeyPath,
  mayFail: boolean,
): Finding[] {
  const { addr, symbol } = probe;
  if ((addr === undefined) === (symbol === undefined)) {
    if (mayFail) return addr === undefined ? [] : checkAddr(scope, addr, path, mayFail);
    const found = addr === undefined ? 'none' : 'both';
    const message = `expected exactly one of symbol, addr, found ${found}; expect: -EINVAL if that is the point`;
    return [{ path, part: 'value', message }];
  }
  if (addr !== undefined) {
    const findings = checkAddr(scope, addr, path, mayFail);
    const { symbol: name, offset } = readSymbol(addr);
    if (findings.length > 0 || mayFail || probe.offset === undefined) return findings;
    return checkOffset(scope, name, offset + probe.offset, [...path, 'offset']);
  }
  return mayFail ? [] : checkSymbolName(scope, probe, path);
}

/** Text, or data, where no probe can be (KP-10.7). */
function checkAddr(scope: Scope, addr: string, path: KeyPath, mayFail: boolean): Finding[] {
  const { symbol, offset } = readSymbol(addr);
  const here = [...path, 'addr'];
  const names = textNames(scope);
  if (names.includes(symbol)) return mayFail ? [] : checkOffset(scope, symbol, offset, here);
  if (scope.data.has(symbol)) {
    if (mayFail) return [];
    const message = `'${symbol}' is data, expected a function; expect: -EINVAL if that is the point`;
    return [{ path: here, part: 'value', message }];
  }
  return scope.complete ? [unknownName(here, 'function', symbol, () => names)] : [];
}

function checkSymbolName(scope: Scope, probe: KprobePlaceModel, path: KeyPath): Finding[] {
  const { symbol = '', offset = 0 } = probe;
  const [name = ''] = symbol.split(':').slice(-1);
  const { functions } = scope.workload;
  const key = textNames(scope).find((one) => (entry(functions, one)?.symbol ?? one) === name);
  if (key !== undefined) return checkOffset(scope, key, offset, [...path, 'offset']);
  if (!scope.complete) return [];
  const symbols = textNames(scope).map((one) => entry(functions, one)?.symbol ?? one);
  const hint = didYouMean(name, symbols) || ';';
  const message = `no function is named '${name}'${hint} expect: -ENOENT if that is the point`;
  return [{ path: [...path, 'symbol'], part: 'value', message }];
}

/** Everything that is text, by the names of the workload. */
function textNames({ functions, workload }: Scope): readonly string[] {
  return [...functions.keys(), ...entries(workload.callbacks).map(([name]) => name)];
}

function checkOffset(scope: Scope, name: string, offset: number, path: KeyPath): Finding[] {
  const begins = instructionsOf(scope, name);
  if (begins === undefined || begins.includes(offset)) return [];
  const last = begins.at(-1) ?? 0;
  const nearest = begins.reduce(
    (a, b) => (Math.abs(b - offset) < Math.abs(a - offset) ? b : a),
    last,
  );
  const message =
    `no instruction of '${name}' begins at offset ${offset}: expected one up to ${last} such as ${nearest}; ` +
    'expect: -EILSEQ if that is the point';
  return [{ path, part: 'value', message }];
}

/** Offsets at which instructions of a function begin; undefined: its text is not at hand. */
function instructionsOf(scope: Scope, name: string): readonly number[] | undefined {
  return scriptedInstructions(scope, name) ?? compiledInstructions(scope, name);
}

function scriptedInstructions({ workload }: Scope, name: string): readonly number[] | undefined {
  const model = entry(workload.functions, name);
  if (model === undefined) return undefined;
  const { landingPad = true, patching = 'breakpoint' } = workload.machine;
  const siteBytes = MCOUNT_INSN_SIZE[patching];
  const { notrace = false } = model;
  const fn = { name, body: readBody(model.body), notrace, callback: false };
  const [placed] = placeScripts([fn], IMAGE_BASE, { landingPad, siteBytes });
  if (placed === undefined) return undefined;
  const all = Array.from({ length: placed.size / WORD_BYTES }, (_, index) => WORD_BYTES * index);
  // Nothing begins inside of a call site.
  return all.filter((at) => at <= placed.site || at >= placed.site + siteBytes || notrace);
}

function compiledInstructions({ image }: Scope, name: string): readonly number[] | undefined {
  const fn = image?.functions.find((one) => one.name === name);
  const text = image?.text;
  if (fn === undefined || text === undefined) return undefined;
  const begins: number[] = [];
  for (let at = fn.address; at < fn.address + fn.size;) {
    begins.push(at - fn.address);
    at += ((text[at - IMAGE_BASE] ?? 0) & 3) === 3 ? 4 : 2;
  }
  return begins;
}
