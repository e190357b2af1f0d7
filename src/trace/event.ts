// Layer trace: imports src/emu only, no package and no node: module.
// What the tracing subsystem can report, beside the machine's own events. Ids from 100.
import type { EventShape } from '../emu/event.ts';

export const TRACE_EVENTS = {
  object: {
    id: 100,
    about: 'A probe object exists, or has another callback than before.',
    fields: { kind: 'string', object: 'int', name: 'string', callback: 'address' },
  },
  ctl_begin: {
    id: 101,
    about:
      'A control operation starts. `text` is its pattern (empty when NULL), of an array its addresses, of register the flags of the ops, of a file what is written; `flags` bit 0 reset, bit 1 pattern is NULL, bit 2 remove.',
    fields: { op: 'string', object: 'int', text: 'string', ip: 'address', flags: 'hex' },
  },
  ctl_end: {
    id: 102,
    about: 'It returns. `generation` is the registration that it made, changed or ended.',
    fields: { op: 'string', object: 'int', generation: 'int', result: 'errno' },
  },
  cb_begin: {
    id: 103,
    about:
      "A callback's first instruction executes; `depth` counts callbacks below it in this task.",
    fields: {
      kind: 'string',
      object: 'int',
      generation: 'int',
      ip: 'address',
      parent_ip: 'address',
      depth: 'int',
    },
  },
  cb_end: {
    id: 104,
    about: 'It returned, or was left for good (`func_abandon`).',
    fields: { kind: 'string', object: 'int', generation: 'int', ip: 'address' },
  },
  skip: {
    id: 105,
    about: 'A hit did not run a callback; `reason` is from the closed list in docs/spec (CC-G10).',
    fields: { object: 'int', generation: 'int', reason: 'string', ip: 'address' },
  },
  count: {
    id: 106,
    about: 'A counter changed.',
    fields: { object: 'int', counter: 'string', old: 'int', new: 'int' },
  },
  regs: {
    id: 107,
    about: 'A callback recorded a register of the traced function.',
    fields: { object: 'int', register: 'string', value: 'u64' },
  },
  kill: {
    id: 108,
    about:
      'ftrace is dead (FT-11): it found text that it did not expect at `ip`, or somebody called `ftrace_kill` (none).',
    fields: { ip: 'address' },
  },
  recursion_lock: {
    id: 109,
    about:
      'A recursion trylock succeeded with this bit of the task; from here to its unlock preemption is off (FT-53).',
    fields: { bit: 'int' },
  },
  recursion_unlock: {
    id: 110,
    about: 'The bit is about to be given back.',
    fields: { bit: 'int' },
  },
  ftrace_state: {
    id: 111,
    about:
      'At the end of a run: ops on the list and started, sites whose records still serve an ops, references of the patch descriptor, and whether ftrace is dead.',
    fields: {
      listed: 'int',
      started: 'int',
      served: 'int',
      poke_refs: 'int',
      dead: 'bool',
    },
  },
  trace_recursion: {
    id: 112,
    about: 'At the end of a run: the recursion word of a task that was traced.',
    fields: { child: 'int', on_cpu: 'int', word: 'hex' },
  },
  function_trace_op: {
    id: 113,
    about: 'The generic caller passes this ops from here on; 0: none. Only without trampolines.',
    fields: { object: 'int' },
  },
  ops_flags: {
    id: 120,
    about:
      'An ops that asks for attributes (FTRACE_OPS_FL_* of ops->flags) is about to be registered; `regs`: it is promised all registers.',
    fields: { object: 'int', flags: 'hex', regs: 'bool' },
  },
  ipmodify: {
    id: 121,
    about:
      'This ops has claimed, or has no longer claimed, to be the only one that redirects the function of the site.',
    fields: { object: 'int', ip: 'address', claimed: 'bool' },
  },
  regs_write: {
    id: 122,
    about: 'A callback changed a register of the traced function; `ip` is where it goes on.',
    fields: { object: 'int', register: 'string', value: 'u64' },
  },
  recursion_set: {
    id: 130,
    about: 'This bit of the recursion word is set from here on: in the step that sets it.',
    fields: { bit: 'int' },
  },
  recursion_clear: {
    id: 131,
    about: 'It is clear again.',
    fields: { bit: 'int' },
  },
  ops_state: {
    id: 132,
    about:
      'What a call that failed leaves: whether the ops is enabled and on the list, how many sites its records serve, and of each hash the number and the sum of its sites.',
    fields: {
      object: 'int',
      enabled: 'bool',
      listed: 'bool',
      served: 'int',
      filter: 'int',
      filter_sum: 'hex',
      notrace: 'int',
      notrace_sum: 'hex',
    },
  },
  recursed_function: {
    id: 133,
    about:
      'A function at which recursion was refused for the first time (machine option `recordRecursion`).',
    fields: { ip: 'address', parent_ip: 'address' },
  },
  trylock: {
    id: 136,
    about:
      'Guest code asked for the recursion lock and was told that it has this bit. (A refusal is a `skip`.)',
    fields: { bit: 'int' },
  },
  kprobe: {
    id: 134,
    about:
      'A probe is about to be planted: its kind, how it is reached (`breakpoint` or `ftrace`), where, and what of its struct counts.',
    fields: {
      object: 'int',
      kind: 'string',
      how: 'string',
      ip: 'address',
      flags: 'hex',
      pre: 'address',
      post: 'address',
    },
  },
  kprobe_step: {
    id: 137,
    about:
      'The probed instruction is passed: `simulate`, `slot` (single step), `boost` (copy with a jump back), `detour`, or `skip` (a pre_handler said so).',
    fields: { ip: 'address', how: 'string', to: 'address' },
  },
  kprobe_state: {
    id: 138,
    about:
      'At the end of a run, of each probe: is it planted, its flags, its counter; of a kretprobe also its own counter, and instances that are free and all.',
    fields: {
      object: 'int',
      planted: 'bool',
      flags: 'hex',
      nmissed: 'int',
      rp_nmissed: 'int',
      free: 'int',
      nodes: 'int',
    },
  },
  fprobe: {
    id: 140,
    about:
      'An fprobe is about to be registered: what of its struct counts, through which hook it is reached (`rethook`, `fgraph`, or `ftrace` without exit handler), and the ftrace_ops behind it.',
    fields: {
      object: 'int',
      hook: 'string',
      ops: 'int',
      flags: 'hex',
      entry: 'address',
      exit: 'address',
      data_size: 'int',
      maxactive: 'int',
    },
  },
  fprobe_data: {
    id: 141,
    about: 'Behind cb_begin: what else the handler was given; none: NULL.',
    fields: { object: 'int', entry_data: 'address', regs_ip: 'address' },
  },
  entry_result: {
    id: 142,
    about:
      'Ground truth: what an entry handler has returned, behind its cb_end; 0 where it returns nothing.',
    fields: { object: 'int', generation: 'int', value: 'int' },
  },
  hook: {
    id: 143,
    about:
      'The return of the call is taken for this probe: `frame` is the stack pointer of the call, `ret` where it returns to.',
    fields: {
      object: 'int',
      generation: 'int',
      ip: 'address',
      frame: 'address',
      ret: 'address',
    },
  },
  unhook: {
    id: 144,
    about: 'It is taken no longer: the call returned (`return`), or its task died (`flush`).',
    fields: {
      object: 'int',
      generation: 'int',
      ip: 'address',
      frame: 'address',
      why: 'string',
    },
  },
  fprobe_rules: {
    id: 145,
    about:
      'At boot, where there are fprobes: the era, and the options that say which misses are counted.',
    fields: { era: 'string', miss_policy: 'string', count_recursion: 'bool', racy: 'bool' },
  },
  fprobe_state: {
    id: 146,
    about:
      'At the end of a run, of each fprobe: is it registered, its counter, nodes of its pool (free, all), and entries that are left in the tables.',
    fields: {
      object: 'int',
      registered: 'bool',
      nmissed: 'int',
      free: 'int',
      nodes: 'int',
      entries: 'int',
    },
  },
  unwind: {
    id: 147,
    about:
      'The unwinder has found that a call of this task whose return is taken goes on at `ret`; the innermost has depth 0.',
    fields: { depth: 'int', ret: 'address' },
  },
  current_kprobe: {
    id: 148,
    about:
      'From here on this kprobe, planted at `ip`, runs on the CPU, or the dummy of `kprobe_busy_begin` (no ip); none: no kprobe runs. `status` as KP-5 has it; 0: none.',
    fields: { kprobe: 'address', ip: 'address', status: 'int' },
  },
  fprobe_strict: {
    id: 149,
    about:
      'At boot, with the option `sharedStrict`: an entry handler that is skipped as a kprobe runs keeps the exit handler of its call away, too.',
    fields: {},
  },
} as const satisfies Record<string, EventShape>;
