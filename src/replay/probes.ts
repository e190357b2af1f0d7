// Layer replay. The plan's probes and modules as objects of the tracing subsystem, and its operations as calls.
import { assert, InputError, InvariantError, known } from '../assert.ts';
import { NO_ADDRESS } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { functionsNamed, type Image } from '../emu/image.ts';
import type { Path } from '../emu/path.ts';
import { cpuOperation } from '../trace/cpu.ts';
import { fprobeOperation, type FprobeRequest } from '../trace/fprobe-operation.ts';
import { zeroUsedOps } from '../trace/fprobe-rethook.ts';
import { FPROBE_FL_DISABLED, FPROBE_FL_KPROBE_SHARED } from '../trace/fprobe-struct.ts';
import { type Fprobe, newFprobe } from '../trace/fprobe.ts';
import {
  FTRACE_OPS_FL_IPMODIFY,
  FTRACE_OPS_FL_PERMANENT,
  FTRACE_OPS_FL_PID,
  FTRACE_OPS_FL_RCU,
  FTRACE_OPS_FL_RECURSION,
  FTRACE_OPS_FL_SAVE_REGS,
  FTRACE_OPS_FL_SAVE_REGS_IF_SUPPORTED,
} from '../trace/ftrace-ops-flags.ts';
import { type FtraceOps, newFtraceOps } from '../trace/ftrace-ops.ts';
import type { Kernel } from '../trace/kernel.ts';
import { type KprobeCall, kprobesEnabled } from '../trace/kprobe-operation.ts';
import { deleteModule, initModule, type Module, newModule } from '../trace/module.ts';
import { fileOperation, operation, type OperationRequest } from '../trace/operation.ts';
import type { Profile } from '../trace/profile.ts';
import { builtForAnother } from './compiled-era.ts';
import {
  type KprobeNames,
  type KprobeProbe,
  kprobeCall,
  makeKprobe,
  performOnKprobes,
} from './kprobes.ts';
import type { FprobeFlag } from './workload/model-fprobe.ts';
import type { OpsFlag } from './workload/model-ftrace.ts';
import type { OperationName } from './workload/model.ts';
import type {
  Plan,
  PlanBatchOperation,
  PlanCpuOperation,
  PlanFprobe,
  PlanFprobeTarget,
  PlanModuleOperation,
  PlanOperation,
  PlanProbeOperation,
} from './workload/plan.ts';

export type Probe = FtraceProbe | FprobeProbe | KprobeProbe;

interface FtraceProbe {
  readonly kind: 'ftrace';
  /** Its number in events. */
  readonly object: number;
  readonly ops: FtraceOps;
}

interface FprobeProbe {
  readonly kind: 'fprobe';
  readonly object: number;
  readonly fp: Fprobe;
  /** FTRACE_OPS_FL_* that its user wants. */
  readonly opsFlags: number;
  /** What register does. */
  readonly register: FprobeRequest;
}

/** The kernel's names of each operation of a workload: by the kind of its probe, and by what an fprobe hooks. */
export const KERNEL_NAMES = {
  register: [
    'register_ftrace_function',
    'register_fprobe',
    'register_fprobe_ips',
    'register_fprobe_syms',
    'register_kprobe',
    'register_kprobes',
    'register_kretprobe',
    'register_kretprobes',
  ],
  unregister: [
    'unregister_ftrace_function',
    'unregister_fprobe',
    'unregister_kprobe',
    'unregister_kprobes',
    'unregister_kretprobe',
    'unregister_kretprobes',
  ],
  unregister_async: ['unregister_fprobe_async'],
  disable: ['disable_fprobe', 'disable_kprobe', 'disable_kretprobe'],
  enable: ['enable_fprobe', 'enable_kprobe', 'enable_kretprobe'],
  set_filter: ['ftrace_set_filter'],
  set_notrace: ['ftrace_set_notrace'],
  set_filter_ip: ['ftrace_set_filter_ip'],
  set_filter_ips: ['ftrace_set_filter_ips'],
  free_filter: ['ftrace_free_filter'],
  init_module: ['init_module'],
  delete_module: ['delete_module'],
  ftrace_enabled: ['ftrace_enabled'],
  kprobes_enabled: ['kprobes_enabled'],
  set_ftrace_pid: ['set_ftrace_pid'],
  cpu_down: ['cpu_down'],
  cpu_up: ['cpu_up'],
} as const satisfies Record<OperationName, readonly string[]>;

const OPS_FLAG_BITS: Readonly<Record<OpsFlag, number>> = {
  SAVE_REGS: FTRACE_OPS_FL_SAVE_REGS,
  SAVE_REGS_IF_SUPPORTED: FTRACE_OPS_FL_SAVE_REGS_IF_SUPPORTED,
  RECURSION: FTRACE_OPS_FL_RECURSION,
  IPMODIFY: FTRACE_OPS_FL_IPMODIFY,
  RCU: FTRACE_OPS_FL_RCU,
  PID: FTRACE_OPS_FL_PID,
  PERMANENT: FTRACE_OPS_FL_PERMANENT,
};

const FPROBE_FLAG_BITS: Readonly<Record<FprobeFlag, number>> = {
  DISABLED: FPROBE_FL_DISABLED,
  KPROBE_SHARED: FPROBE_FL_KPROBE_SHARED,
};

/** Makes the objects, unregistered and without filters. */
export function makeProbes(k: Kernel, plan: Plan, image: Image): readonly Probe[] {
  return plan.probes.map((probe): Probe => {
    if (probe.kind === 'fprobe') return makeFprobe(k, probe, image);
    if (probe.kind !== 'ftrace') return makeKprobe(k, probe, namesOf(image));
    const { kind, name, callback, flags: asked, static: isStatic } = probe;
    const func = addressOf(image, callback);
    const flags = opsFlagBits(asked);
    const ops = newFtraceOps(k, { name, func, flags, isStatic });
    return { kind, object: ops.object, ops };
  });
}

function namesOf(image: Image): KprobeNames {
  return {
    func: (name) => addressOf(image, name),
    symbol: (name) =>
      functionsNamed(image, name)[0]?.address ??
      image.dataSymbols.get(name)?.address ??
      addressOf(image, name),
  };
}

function opsFlagBits(flags: readonly OpsFlag[]): number {
  return flags.reduce((bits, flag) => bits | OPS_FLAG_BITS[flag], 0);
}

function makeFprobe(k: Kernel, planned: PlanFprobe, image: Image): Probe {
  const { kind, name, entry, exit, entryDataSize, nrMaxactive } = planned;
  const opsFlags = opsFlagBits(planned.opsFlags);
  const fp = newFprobe(k, {
    name,
    entryHandler: entry === null ? undefined : addressOf(image, entry),
    exitHandler: exit === null ? undefined : addressOf(image, exit),
    entryDataSize,
    nrMaxactive,
    flags: planned.flags.reduce((bits, flag) => bits | FPROBE_FLAG_BITS[flag], 0),
    ...(k.fprobes.era === 'rethook' ? { opsFlags } : {}),
  });
  return { kind, object: fp.object, fp, opsFlags, register: registration(planned.target, image) };
}

function registration(target: PlanFprobeTarget, image: Image): FprobeRequest {
  if ('ips' in target) {
    return { op: 'register_fprobe_ips', ips: target.ips.map((name) => addressOf(image, name)) };
  }
  if ('syms' in target) return { op: 'register_fprobe_syms', syms: target.syms };
  const { filter, notfilter } = target;
  return {
    op: 'register_fprobe',
    filter: filter ?? undefined,
    notfilter: notfilter ?? undefined,
  };
}

/** The profile has what the plan uses; a workload alone does not say in which era it will run. */
export function checkEra(plan: Plan, profile: Profile): void {
  const lack = whatEraLacks(plan, profile);
  if (lack !== undefined) throw new InputError(lack);
}

/** What the plan uses and the era has not, in words; undefined: it has everything. */
export function whatEraLacks(
  plan: Plan,
  profile: Pick<Profile, 'id' | 'fprobe'>,
): string | undefined {
  const { probes, timeline } = plan;
  const { fprobe: era, id } = profile;
  const fprobe = probes.find(({ kind }) => kind === 'fprobe');
  if (era === 'none' && fprobe !== undefined) {
    return `probe ${fprobe.name}: profile ${id} has no fprobe, which came with v5.18`;
  }
  const isAsync = timeline.some(
    ({ action }) => action.kind === 'operation' && action.operation.op === 'unregister_async',
  );
  if (era === 'rethook' && isAsync) {
    return `unregister_async: profile ${id} has no unregister_fprobe_async, which came with v6.14`;
  }
  const flagged = probes.find((probe) => probe.kind === 'fprobe' && probe.opsFlags.length > 0);
  if (era === 'fgraph' && flagged !== undefined) {
    return `probe ${flagged.name}: ops_flags: profile ${id} has no fp->ops, which went with v6.14`;
  }
  return builtForAnother(plan, profile);
}

/** The calls of a run's operations. */
export class Operations {
  readonly #k: Kernel;
  readonly #probes: readonly Probe[];
  /** In the order of the plan, which is that of the image. */
  readonly #modules: readonly Module[];
  readonly #image: Image;

  constructor(k: Kernel, probes: readonly Probe[], image: Image) {
    this.#k = k;
    this.#probes = probes;
    this.#modules = image.modules.map((module) => newModule(k, module));
    this.#image = image;
  }

  module(index: number): Module {
    return known(this.#modules[index], 'a module was planned');
  }

  probe(index: number): Probe {
    return known(this.#probes[index], 'a probe was planned');
  }

  /** Performs one; 0 or a negative errno. Task context; may sleep. */
  perform(cx: Context, planned: PlanOperation): Path<number> {
    this.#standIn(cx, planned);
    if ('which' in planned) return this.#performOnCpu(cx, planned);
    if ('module' in planned) return this.#performOnModule(cx, planned);
    if ('probes' in planned) {
      const probes = this.#batch(planned);
      return performOnKprobes(cx, this.#k, this.#batchCall(planned), probes);
    }
    if (planned.op === 'kprobes_enabled') return kprobesEnabled(cx, this.#k, planned.text);
    if (!('probe' in planned)) return fileOperation(cx, this.#k, planned);
    const probe = this.probe(planned.probe);
    if ('p' in probe) {
      return performOnKprobes(cx, this.#k, kprobeCall(probe, planned.op, false), [probe]);
    }
    if (probe.kind === 'fprobe') {
      const { fp, opsFlags } = probe;
      // A workload says nothing of structs: it means that its probes can be registered again.
      if (planned.op === 'register')
        cx.make(() => {
          zeroUsedOps(this.#k, fp, opsFlags);
        });
      return fprobeOperation(cx, this.#k, fp, this.#fprobeRequest(probe, planned));
    }
    return operation(cx, this.#k, probe.ops, this.#request(planned));
  }

  /** The kernel's name of the call that performs it. */
  callOf(planned: PlanOperation): string {
    if ('probes' in planned) return this.#batchCall(planned);
    if (!('probe' in planned)) return planned.op;
    const probe = this.probe(planned.probe);
    switch (probe.kind) {
      case 'ftrace':
        return this.#request(planned).op;
      case 'fprobe':
        return this.#fprobeRequest(probe, planned).op;
      case 'kprobe':
      case 'kretprobe':
        return kprobeCall(probe, planned.op, false);
    }
  }

  #batch({ probes }: PlanBatchOperation): readonly KprobeProbe[] {
    return probes.map((index) => {
      const probe = this.probe(index);
      assert(probe.kind === 'kprobe' || probe.kind === 'kretprobe', 'a batch was checked');
      return probe;
    });
  }

  #batchCall(planned: PlanBatchOperation): KprobeCall {
    const [first] = this.#batch(planned);
    return kprobeCall(known(first, 'a batch has probes'), planned.op, true);
  }

  /**
   * The thread stands in the function that it calls, as guest code that called it would: an oops names it. What is no
   * symbol that guests can call has no place.
   */
  #standIn(cx: Context, planned: PlanOperation): void {
    const symbol = this.#k.machine.stubs.addressOf(this.callOf(planned));
    cx.make(() => {
      cx.cpu.hart.pc = symbol ?? NO_ADDRESS;
    });
  }

  #performOnCpu(cx: Context, { op, run, which }: PlanCpuOperation): Path<number> {
    const func = run === null ? NO_ADDRESS : addressOf(this.#image, run);
    return cpuOperation(cx, this.#k, { op, which, func });
  }

  #performOnModule(cx: Context, planned: PlanModuleOperation): Path<number> {
    const module = this.module(planned.module);
    if (planned.op === 'delete_module') return deleteModule(cx, this.#k, module);
    const params = planned.params.map(({ name, value }) => {
      const param = module.image.object.params.find((one) => one.name === name);
      return { param: known(param, 'a parameter was checked'), value };
    });
    return initModule(cx, this.#k, module, params);
  }

  /** A registration may hook something else than the probe says. */
  #fprobeRequest(probe: FprobeProbe, planned: PlanProbeOperation): FprobeRequest {
    const target = planned.op === 'register' ? planned.target : undefined;
    return target === undefined ? fprobeRequest(probe, planned) : registration(target, this.#image);
  }

  #request(planned: PlanProbeOperation): OperationRequest {
    switch (planned.op) {
      case 'register':
        return { op: 'register_ftrace_function' };
      case 'unregister':
        return { op: 'unregister_ftrace_function' };
      case 'free_filter':
        return { op: 'ftrace_free_filter' };
      case 'set_filter':
      case 'set_notrace': {
        const { op, pattern, reset } = planned;
        return { op: KERNEL_NAMES[op][0], text: pattern ?? undefined, reset };
      }
      case 'unregister_async':
      case 'disable':
      case 'enable':
        throw new InvariantError(`${planned.op} of an ftrace_ops was refused by check`);
      case 'set_filter_ip': {
        const { remove, reset } = planned;
        const ip = addressOf(this.#image, planned.function);
        return { op: 'ftrace_set_filter_ip', ip, remove, reset };
      }
      case 'set_filter_ips': {
        const { remove, reset } = planned;
        const ips = planned.functions.map((name) => addressOf(this.#image, name));
        return { op: 'ftrace_set_filter_ips', ips, remove, reset };
      }
    }
  }
}

function fprobeRequest({ register }: FprobeProbe, { op }: PlanProbeOperation): FprobeRequest {
  switch (op) {
    case 'register':
      return register;
    case 'unregister':
    case 'unregister_async':
    case 'disable':
    case 'enable':
      return { op: FPROBE_CALLS[op] };
    case 'free_filter':
    case 'set_filter':
    case 'set_notrace':
    case 'set_filter_ip':
    case 'set_filter_ips':
      throw new InvariantError(`${op} of an fprobe was refused by check`);
  }
}

const FPROBE_CALLS = {
  unregister: 'unregister_fprobe',
  unregister_async: 'unregister_fprobe_async',
  disable: 'disable_fprobe',
  enable: 'enable_fprobe',
} as const;

function addressOf(image: Image, name: string): number {
  const found = functionsNamed(image, name)[0];
  if (found === undefined) throw new InputError(`there is no function ${name}`);
  return found.address;
}
