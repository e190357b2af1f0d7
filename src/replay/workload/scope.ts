// Layer replay. Every name that a workload defines or can refer to.
import { MODULE_BASE, NO_ADDRESS } from '../../emu/address.ts';
import { type ObjectSummary, readObject, summariseObject } from '../../emu/elf-object.ts';
import type { LoadedElf } from '../../emu/elf.ts';
import { EMU_STUBS } from '../../emu/stub-table.ts';
import { TRACE_STUBS } from '../../trace/stub-table.ts';
import type { Finding, KeyPath } from './finding.ts';
import { BUILT_IN_CALLBACKS, type Workload } from './model.ts';
import { didYouMean } from './nearest.ts';

/** What of an ELF image the names are checked against. */
export type ImageSymbols = Pick<LoadedElf, 'functions' | 'objects'> &
  Partial<Pick<LoadedElf, 'text'>>;

/** The files that a workload names, as far as they are at hand; modules by name. */
export interface ScopeFiles {
  readonly image?: ImageSymbols | undefined;
  readonly modules?: ReadonlyMap<string, ObjectSummary>;
}

/** What a module's file holds. */
export function readModule(bytes: Uint8Array, where: string): ObjectSummary {
  return summariseObject(readObject(bytes, where), MODULE_BASE);
}

export interface Scope {
  readonly workload: Workload;
  /** Functions that can be called or run, and whether they have a call site; image first, then in order. */
  readonly functions: ReadonlyMap<string, boolean>;
  /** As `functions`, with traceable callbacks: what patterns are matched against. */
  readonly traceable: readonly string[];
  /** Those of `traceable` that come with a module: filters find them when it is there. */
  readonly coming: ReadonlySet<string>;
  readonly imageFunctions: ReadonlySet<string>;
  readonly image: ImageSymbols | undefined;
  /** What the workload and its image define without the modules: what a module can use. */
  readonly core: ReadonlySet<string>;
  /** By name; only those whose files are at hand. */
  readonly modules: ReadonlyMap<string, ObjectSummary>;
  /** Sizes in bytes. */
  readonly data: ReadonlyMap<string, number>;
  /** False when the workload names a file whose symbols are not at hand: unknown names may be there. */
  readonly complete: boolean;
}

/** Hypercalls of trampolines and of callback actions: no function of a kernel that code could call. */
const NOT_CALLABLE: ReadonlySet<string> = new Set([
  '__return_to_path',
  'ftrace_ops_list_func',
  'ftrace_ops_assist_func',
  'ftrace_ops_list_func_regs',
  'ftrace_pid_func',
  'reprobe_record_regs',
  'reprobe_write_reg',
  'reprobe_record_data',
  'fprobe_handler',
  'rethook_trampoline_handler',
  'fprobe_ftrace_entry',
  'ftrace_graph_func',
  'ftrace_return_to_handler',
]);

/** Kernel symbols that `call` accepts. */
export const KERNEL_SYMBOLS: readonly string[] = [...EMU_STUBS, ...TRACE_STUBS].filter(
  (name) => !NOT_CALLABLE.has(name),
);

export function makeScope(workload: Workload, { image, modules }: ScopeFiles): Scope {
  const functions = new Map<string, boolean>();
  const data = new Map<string, number>();
  for (const { name, site } of image?.functions ?? []) functions.set(name, site !== NO_ADDRESS);
  for (const object of image?.objects.values() ?? []) data.set(object.name, object.bytes);
  for (const [name, fn] of entries(workload.functions)) functions.set(name, fn.notrace !== true);
  for (const [name] of entries(workload.typescript)) functions.set(name, false);
  for (const [name, bytes] of entries(workload.data)) data.set(name, bytes);
  const ofModules = entries(workload.functions).filter(([, { module }]) => module !== undefined);
  const coming = new Set(ofModules.map(([name]) => name));
  const core = new Set([...functions.keys(), ...data.keys()].filter((name) => !coming.has(name)));
  for (const module of modules?.values() ?? []) {
    for (const { name, site } of module.functions) {
      if (functions.has(name)) continue;
      functions.set(name, site !== NO_ADDRESS);
      coming.add(name);
    }
    for (const { name, bytes } of module.objects) if (!data.has(name)) data.set(name, bytes);
  }
  const callbacks = entries(workload.callbacks).filter(
    ([, callback]) => callback.notrace === false,
  );
  const traceable = [...functions].filter(([, hasSite]) => hasSite);
  return {
    workload,
    functions,
    traceable: [...traceable, ...callbacks].map(
      ([name]) => entry(workload.functions, name)?.symbol ?? name,
    ),
    coming,
    image,
    imageFunctions: new Set(image?.functions.map(({ name }) => name)),
    core,
    modules: modules ?? new Map<string, ObjectSummary>(),
    data,
    complete:
      (workload.image === undefined || image !== undefined) &&
      entries(workload.modules).every(
        ([name, { image: file }]) => file === undefined || modules?.has(name) === true,
      ),
  };
}

/** Pairs of a map that may be absent, in the order of the file. */
export function entries<T>(map: Readonly<Record<string, T>> | undefined): [string, T][] {
  return map === undefined ? [] : Object.entries(map);
}

/** The value under an own key: names such as `constructor` are ordinary names here. */
export function entry<T>(
  map: Readonly<Record<string, T>> | undefined,
  name: string,
): T | undefined {
  return map !== undefined && Object.hasOwn(map, name) ? map[name] : undefined;
}

/** Does `name`, as a probe's callback, mean one that needs no definition? */
export function isBuiltIn(workload: Workload, name: string): boolean {
  const builtIns: readonly string[] = BUILT_IN_CALLBACKS;
  if (entry(workload.callbacks, name) ?? entry(workload.typescript, name)) return false;
  return builtIns.includes(name);
}

const LISTED_MAX = 12;

/**
 * `unknown function 'vfs_opn', did you mean 'vfs_open'?` and, when they are few, the valid ones. `valid` is asked only
 * if that is shown: a file can be wrong thousands of times, and have thousands of names.
 */
export function unknownName(
  path: KeyPath,
  what: string,
  name: string,
  valid: () => readonly string[],
): Finding {
  return { path, part: 'value', message: () => unknownText(what, name, valid()) };
}

/** The words of `unknownName`. */
export function unknownText(what: string, name: string, candidates: readonly string[]): string {
  const hint = didYouMean(name, candidates);
  const few = candidates.length > 0 && candidates.length <= LISTED_MAX;
  const listed = few ? `${hint === '' ? ',' : ''} expected one of ${candidates.join(', ')}` : '';
  const none = candidates.length === 0 ? ', there is none' : '';
  return `unknown ${what} '${name}'${hint}${listed}${none}`;
}
