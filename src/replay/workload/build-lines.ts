// Layer replay. The lines of a body as methods: what `line.ts` reads, an editor completes here.
import type { Callable } from './build-reference.ts';
import type { Reference } from './build-reference.ts';
import type { Line } from './model.ts';

type Data = Reference<'data'>;

/** Lines of a function. Each method gives one; a body is a list of them. */
export interface FunctionLines {
  /** So many instructions that nobody else can see. */
  work(count: number): Line;
  call(target: Callable): Line;
  /** Ends the function: another one of the workload goes on, and returns to its caller. */
  tail(target: Callable): Line;
  load(data: Data): Line;
  store(data: Data, value: number): Line;
  /** A load, an addition and a store: others can come between them. */
  add(data: Data, value: number): Line;
  /** Atomically. */
  amoadd(data: Data, value: number): Line;
  irqOff(): Line;
  irqOn(): Line;
  preemptOff(): Line;
  preemptOn(): Line;
  rcuReadLock(): Line;
  rcuReadUnlock(): Line;
  sleep(us: number): Line;
  /** Ends the function. */
  return(value: number): Line;
  loop(times: number, body: readonly Line[]): Line;
  /** Runs its body if the variable is not 0. */
  if(data: Data, body: readonly Line[]): Line;
}

/** Lines of a callback. */
export interface CallbackLines extends FunctionLines {
  /** Records the registers of the traced function: its arguments, and all of them with SAVE_REGS. */
  regs(): Line;
  /** Changes a register of the traced function, such as `a0`. Needs SAVE_REGS. */
  setReg(register: string, value: number): Line;
  /** The traced function goes on in another one. Needs SAVE_REGS, and has no effect without IPMODIFY. */
  redirect(target: Callable): Line;
  /** Handlers of an fprobe: keeps an argument register, such as `a0`, in the first word of entry_data. */
  storeData(register: string): Line;
  /** Handlers of an fprobe: records that word. */
  showData(): Line;
  /** Runs its lines under `ftrace_test_recursion_trylock`, or not at all. */
  trylock(body: readonly Line[]): Line;
}

/** A body: lines, or what makes them of the words that there are. */
export type Body<L extends FunctionLines> = readonly Line[] | ((lines: L) => readonly Line[]);

/** `nameOf` tells the name of what a line calls. */
export function linesWith(nameOf: (target: Callable) => string): CallbackLines {
  return {
    work: (count) => `work ${count}`,
    call: (target) => `call ${nameOf(target)}`,
    tail: (target) => `tail ${nameOf(target)}`,
    load: ({ name }) => `load ${name}`,
    store: ({ name }, value) => `store ${name} ${value}`,
    add: ({ name }, value) => `add ${name} ${value}`,
    amoadd: ({ name }, value) => `amoadd ${name} ${value}`,
    irqOff: () => 'irq_off',
    irqOn: () => 'irq_on',
    preemptOff: () => 'preempt_off',
    preemptOn: () => 'preempt_on',
    rcuReadLock: () => 'rcu_read_lock',
    rcuReadUnlock: () => 'rcu_read_unlock',
    sleep: (us) => `sleep ${us}`,
    return: (value) => `return ${value}`,
    loop: (times, body) => ({ loop: times, body }),
    if: ({ name }, body) => ({ if: name, body }),
    regs: () => 'regs',
    setReg: (register, value) => `set_reg ${register} ${value}`,
    redirect: (target) => `redirect ${nameOf(target)}`,
    storeData: (register) => `store_data ${register}`,
    showData: () => 'show_data',
    trylock: (body) => ({ trylock: body }),
  };
}
