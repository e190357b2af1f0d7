// Layer replay. The plan's probes as objects of the tracing subsystem, and its operations as calls.
import { InputError, known } from '../assert.ts';
import type { Context } from '../emu/context.ts';
import { functionsNamed, type Image } from '../emu/image.ts';
import type { Path } from '../emu/path.ts';
import { type FtraceOps, newFtraceOps } from '../trace/ftrace-ops.ts';
import type { Kernel } from '../trace/kernel.ts';
import { operation, type OperationRequest } from '../trace/operation.ts';
import type { OperationName } from './workload/model.ts';
import type { Plan, PlanOperation } from './workload/plan.ts';

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
} as const satisfies Record<OperationName, OperationRequest['op']>;

/** Makes the objects, unregistered and without filters. */
export function makeProbes(k: Kernel, plan: Plan, image: Image): readonly Probe[] {
  return plan.probes.map(({ name, callback, static: isStatic }) => {
    const ops = newFtraceOps(k, { name, func: addressOf(image, callback), isStatic });
    return { object: ops.object, ops };
  });
}

/** The calls of a run's operations. */
export class Operations {
  readonly #k: Kernel;
  readonly #probes: readonly Probe[];
  readonly #image: Image;

  constructor(k: Kernel, probes: readonly Probe[], image: Image) {
    this.#k = k;
    this.#probes = probes;
    this.#image = image;
  }

  probe(index: number): Probe {
    return known(this.#probes[index], 'a probe was planned');
  }

  /** Performs one; 0 or a negative errno. Task context; may sleep. */
  perform(cx: Context, planned: PlanOperation): Path<number> {
    return operation(cx, this.#k, this.probe(planned.probe).ops, this.#request(planned));
  }

  #request(planned: PlanOperation): OperationRequest {
    switch (planned.op) {
      case 'register':
      case 'unregister':
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
    }
  }
}

function addressOf(image: Image, name: string): number {
  const found = functionsNamed(image, name)[0];
  if (found === undefined) throw new InputError(`there is no function ${name}`);
  return found.address;
}
