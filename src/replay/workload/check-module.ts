// Layer replay. Checks of modules: the names that their code uses, and the parameters that a workload sets.
import { PARAM_TYPES, type ParamType } from '../../emu/module-param.ts';
import type { Finding, KeyPath } from './finding.ts';
import { LIMIT, type ModuleModel, type ParamsModel, type TimelineItem } from './model.ts';
import { entries, entry, KERNEL_SYMBOLS, type Scope, unknownName } from './scope.ts';

export function checkModules(scope: Scope): Finding[] {
  const modules = entries(scope.workload.modules);
  const findings: Finding[] = [];
  if (modules.length > LIMIT.modules) {
    const message = `expected at most ${LIMIT.modules} modules, found ${modules.length}`;
    findings.push({ path: ['modules'], part: 'key', message });
  }
  for (const [name, module] of modules) {
    const { params } = module;
    findings.push(...checkCode(scope, name, module));
    findings.push(...checkWanted(scope, name), ...checkMemory(scope, name));
    findings.push(...checkParams(scope, name, params, ['modules', name, 'params']));
  }
  for (const [name, { module }] of entries(scope.workload.functions)) {
    if (module !== undefined)
      findings.push(...checkPart(scope, module, ['functions', name, 'module']));
  }
  return findings;
}

/** A module has a file, or functions, of which its init and exit functions are some. */
function checkCode(scope: Scope, name: string, module: ModuleModel): Finding[] {
  const path = ['modules', name];
  const wrong = (key: string, message: string): Finding => {
    return { path: [...path, key], part: 'key', message };
  };
  const own = entries(scope.workload.functions).filter(([, fn]) => fn.module === name);
  if (module.image !== undefined) {
    const given = (['init', 'exit'] as const).filter((key) => module[key] !== undefined);
    return given.map((key) => wrong(key, `'${key}' belongs to modules without 'image'`));
  }
  if (module.params !== undefined) return [wrong('params', "'params' belongs to 'image'")];
  if (own.length === 0) {
    const message = `module '${name}' has no code: expected 'image', or functions with 'module: ${name}'`;
    return [{ path, part: 'key', message }];
  }
  const names = own.map(([fn]) => fn);
  return (['init', 'exit'] as const).flatMap((key) => {
    const given = module[key];
    if (given === undefined || names.includes(given)) return [];
    return [unknownName([...path, key], `function of module '${name}'`, given, () => names)];
  });
}

/** A function can be part of a module that has no file. */
function checkPart(scope: Scope, module: string, path: KeyPath): Finding[] {
  const found = entry(scope.workload.modules, module);
  if (found?.image === undefined) return checkModule(scope, module, path);
  const message = `module '${module}' is the file ${found.image}: expected a module without 'image'`;
  return [{ path, part: 'value', message }];
}

/** What the module's code uses must be the kernel's or the workload's. */
function checkWanted(scope: Scope, name: string): Finding[] {
  const { core, modules } = scope;
  if (!scope.complete) return [];
  const wanted = modules.get(name)?.wanted ?? [];
  return wanted
    .filter((symbol) => !core.has(symbol) && !CALLABLE.has(symbol))
    .map((symbol) =>
      unknownName(['modules', name, 'image'], 'symbol', symbol, () => [...CALLABLE, ...core]),
    );
}

/** Also what callback actions call: C may call that too. */
const CALLABLE: ReadonlySet<string> = new Set([
  ...KERNEL_SYMBOLS,
  'reprobe_record_regs',
  'reprobe_write_reg',
]);

function checkMemory({ modules }: Scope, name: string): Finding[] {
  if (modules.get(name)?.hasInit !== false) return [];
  const message = `module '${name}' has no module_init: nothing of it would ever run by itself`;
  return [{ path: ['modules', name, 'image'], part: 'value', message }];
}

/** The module's parameters are as the file declares them. */
function checkParams(
  scope: Scope,
  module: string,
  params: ParamsModel | undefined,
  path: KeyPath,
): Finding[] {
  const declared = scope.modules.get(module)?.params;
  if (declared === undefined) return [];
  return entries(params).flatMap(([name, value]): Finding[] => {
    const here = [...path, name];
    const param = declared.find((one) => one.name === name);
    if (param !== undefined) return checkValue(param.type, value, here);
    const names = declared.map((one) => one.name);
    return [{ ...unknownName(here, 'parameter', name, () => names), part: 'key' }];
  });
}

function checkValue(type: ParamType, value: string | number | boolean, path: KeyPath): Finding[] {
  const { range } = PARAM_TYPES[type];
  const wrong = (expected: string): Finding[] => [
    { path, part: 'value', message: `expected ${expected}, found ${JSON.stringify(value)}` },
  ];
  if (type === 'charp') return typeof value === 'string' ? [] : wrong('a text (charp)');
  if (range === undefined) return typeof value === 'boolean' ? [] : wrong('true or false (bool)');
  const [least, most] = range;
  const fits = typeof value === 'number' && value >= least && value <= most;
  return fits ? [] : wrong(`a whole number from ${least} to ${most} (${type})`);
}

/** `init_module` and `delete_module` of a timeline item. */
export function checkModuleItem(scope: Scope, item: TimelineItem, path: KeyPath): Finding[] {
  const { init_module: init, delete_module: gone } = item;
  if (gone !== undefined) return checkModule(scope, gone, [...path, 'delete_module']);
  if (init === undefined) return [];
  const here = [...path, 'init_module'];
  if (typeof init === 'string') return checkModule(scope, init, here);
  return [
    ...checkModule(scope, init.module, [...here, 'module']),
    ...checkParams(scope, init.module, init.params, [...here, 'params']),
  ];
}

/** A module that the workload has. */
export function checkModule({ workload }: Scope, name: string, path: KeyPath): Finding[] {
  if (entry(workload.modules, name) !== undefined) return [];
  const names = entries(workload.modules).map(([known]) => known);
  return [unknownName(path, 'module', name, () => names)];
}
