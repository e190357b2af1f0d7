// Layer replay. The plan's probes and modules as objects of the tracing subsystem, and its operations as calls.
import { InputError, known } from '../assert.ts';
import { NO_ADDRESS } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { functionsNamed, type Image } from '../emu/image.ts';
import type { Path } from '../emu/path.ts';
import { cpuOperation } from '../trace/cpu.ts';
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
import { deleteModule, initModule, type Module, newModule } from '../trace/module.ts';
import { fileOperation, operation, type OperationRequest } from '../trace/operation.ts';
import type { OperationName, OpsFlag, ProbeOperationName } from './workload/model.ts';
import type {
  Plan,
  PlanCpuOperation,
  PlanModuleOperation,
  PlanOperation,
  PlanProbeOperation,
} from './workload/plan.ts';

export interface Probe {
  /** Its number in events. */
  readonly object: number;
  readonly ops: FtraceOps;
}

/** The kernel's name of each operation of a workload. */
export const OPERATION_NAMES = {
  register: 'register_ftrace_function',
  unregister: 'unregister_ftrace_function',
  set_filter: 'ftrace_set_filter',
  set_notrace: 'ftrace_set_notrace',
  set_filter_ip: 'ftrace_set_filter_ip',
  set_filter_ips: 'ftrace_set_filter_ips',
  free_filter: 'ftrace_free_filter',
  init_module: 'init_module',
  delete_module: 'delete_module',
  ftrace_enabled: 'ftrace_enabled',
  set_ftrace_pid: 'set_ftrace_pid',
  cpu_down: 'cpu_down',
  cpu_up: 'cpu_up',
} as const satisfies Record<ProbeOperationName, OperationRequest['op']> &
  Record<OperationName, string>;

const OPS_FLAG_BITS: Readonly<Record<OpsFlag, number>> = {
  SAVE_REGS: FTRACE_OPS_FL_SAVE_REGS,
  SAVE_REGS_IF_SUPPORTED: FTRACE_OPS_FL_SAVE_REGS_IF_SUPPORTED,
  RECURSION: FTRACE_OPS_FL_RECURSION,
  IPMODIFY: FTRACE_OPS_FL_IPMODIFY,
  RCU: FTRACE_OPS_FL_RCU,
  PID: FTRACE_OPS_FL_PID,
  PERMANENT: FTRACE_OPS_FL_PERMANENT,
};

/** Makes the objects, unregistered and without filters. */
export function makeProbes(k: Kernel, plan: Plan, image: Image): readonly Probe[] {
  return plan.probes.map(({ name, callback, flags: asked, static: isStatic }) => {
    const func = addressOf(image, callback);
    const flags = asked.reduce((bits, flag) => bits | OPS_FLAG_BITS[flag], 0);
    const ops = newFtraceOps(k, { name, func, flags, isStatic });
    return { object: ops.object, ops };
  });
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
    if ('which' in planned) return this.#performOnCpu(cx, planned);
    if ('module' in planned) return this.#performOnModule(cx, planned);
    if (!('probe' in planned)) return fileOperation(cx, this.#k, planned);
    return operation(cx, this.#k, this.probe(planned.probe).ops, this.#request(planned));
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

  #request(planned: PlanProbeOperation): OperationRequest {
    switch (planned.op) {
      case 'register':
      case 'unregister':
      case 'free_filter':
        return { op: OPERATION_NAMES[planned.op] };
      case 'set_filter':
      case 'set_notrace': {
        const { pattern, reset } = planned;
        return { op: OPERATION_NAMES[planned.op], text: pattern ?? undefined, reset };
      }
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

function addressOf(image: Image, name: string): number {
  const found = functionsNamed(image, name)[0];
  if (found === undefined) throw new InputError(`there is no function ${name}`);
  return found.address;
}
