// Layer trace. The part of the link table (link.ts) that is the kprobes'.
import { checkKprobeAddressSafe, withinKprobeBlacklist } from './kprobe-address.ts';
import {
  addNewKprobe,
  allDisabled,
  registerAggrKprobe,
  replaceKprobeNode,
} from './kprobe-aggregate.ts';
import {
  archArmKprobe,
  archDisarmKprobe,
  armKprobe,
  disarmKprobe,
  kprobeSyncText,
} from './kprobe-arm.ts';
import {
  armKprobeFtrace,
  disarmInHook,
  disarmKprobeFtrace,
  kprobeFtraceHandler,
  kprobeHookOf,
  removeKprobeSite,
} from './kprobe-ftrace.ts';
import {
  aggrPostHandler,
  aggrPreHandler,
  kprobeCallPost,
  kprobeCallPre,
  kprobePostHandler,
  kprobePreHandler,
  kprobesIncNmissedCount,
} from './kprobe-handlers.ts';
import { archCheckKprobe } from './kprobe-insn.ts';
import {
  setupDetourExecution,
  tryToOptimizeKprobe,
  unoptimizeKprobe,
  waitForKprobeOptimizer,
} from './kprobe-opt.ts';
import {
  archRemoveKprobe,
  endBoost,
  prepareKprobe,
  prepareSlot,
  releaseSlot,
  reviveAggregate,
} from './kprobe-prepare.ts';
import {
  initKprobe,
  plantKprobe,
  registerKprobe,
  registerKprobes,
  registerNewKprobe,
} from './kprobe-register.ts';
import {
  kprobePostProcess,
  mayBoost,
  restorePreviousKprobe,
  setupSinglestep,
} from './kprobe-step.ts';
import {
  armAllKprobes,
  disarmAllKprobes,
  enableFailed,
  enableKprobe,
  enableValidKprobe,
  killKprobe,
  kprobesModuleCallback,
  parseEnabled,
} from './kprobe-switch.ts';
import { getKprobe } from './kprobe-table.ts';
import { kprobeHit, kprobeInt3Handler, reenterKprobe } from './kprobe-trap.ts';
import {
  disableKprobe,
  disableValidKprobe,
  dropPostHandler,
  kprobeSynchronizeRcu,
  unlinkKprobe,
  unregisterKprobeBottom,
  unregisterKprobes,
  unregisterKprobeTop,
  clearKprobeAddr,
} from './kprobe-unregister.ts';
import {
  kretprobeBusy,
  kretprobeNoInstance,
  kretprobeRejected,
  kretprobeRethookHandler,
  preHandlerKretprobe,
} from './kretprobe-hit.ts';
import {
  defaultMaxactive,
  isKretprobeBlacklisted,
  kretprobeAlloc,
  kretprobeFree,
  kretprobeRefused,
  kretprobeSynchronizeRcu,
  registerKretprobe,
  registerKretprobes,
  unregisterKretprobes,
} from './kretprobe.ts';

export interface KprobeLinks {
  readonly clearKprobeAddr: typeof clearKprobeAddr;
  readonly kretprobeBusy: typeof kretprobeBusy;
  readonly kretprobeNoInstance: typeof kretprobeNoInstance;
  readonly kretprobeRejected: typeof kretprobeRejected;
  readonly kretprobeRethookHandler: typeof kretprobeRethookHandler;
  readonly preHandlerKretprobe: typeof preHandlerKretprobe;
  readonly defaultMaxactive: typeof defaultMaxactive;
  readonly isKretprobeBlacklisted: typeof isKretprobeBlacklisted;
  readonly kretprobeAlloc: typeof kretprobeAlloc;
  readonly kretprobeFree: typeof kretprobeFree;
  readonly kretprobeRefused: typeof kretprobeRefused;
  readonly kretprobeSynchronizeRcu: typeof kretprobeSynchronizeRcu;
  readonly registerKretprobe: typeof registerKretprobe;
  readonly registerKretprobes: typeof registerKretprobes;
  readonly unregisterKretprobes: typeof unregisterKretprobes;
  readonly checkKprobeAddressSafe: typeof checkKprobeAddressSafe;
  readonly withinKprobeBlacklist: typeof withinKprobeBlacklist;
  readonly addNewKprobe: typeof addNewKprobe;
  readonly allDisabled: typeof allDisabled;
  readonly registerAggrKprobe: typeof registerAggrKprobe;
  readonly replaceKprobeNode: typeof replaceKprobeNode;
  readonly archArmKprobe: typeof archArmKprobe;
  readonly archDisarmKprobe: typeof archDisarmKprobe;
  readonly armKprobe: typeof armKprobe;
  readonly disarmKprobe: typeof disarmKprobe;
  readonly kprobeSyncText: typeof kprobeSyncText;
  readonly armKprobeFtrace: typeof armKprobeFtrace;
  readonly disarmKprobeFtrace: typeof disarmKprobeFtrace;
  readonly disarmInHook: typeof disarmInHook;
  readonly kprobeFtraceHandler: typeof kprobeFtraceHandler;
  readonly kprobeHookOf: typeof kprobeHookOf;
  readonly removeKprobeSite: typeof removeKprobeSite;
  readonly aggrPostHandler: typeof aggrPostHandler;
  readonly aggrPreHandler: typeof aggrPreHandler;
  readonly kprobeCallPost: typeof kprobeCallPost;
  readonly kprobeCallPre: typeof kprobeCallPre;
  readonly kprobePostHandler: typeof kprobePostHandler;
  readonly kprobePreHandler: typeof kprobePreHandler;
  readonly kprobesIncNmissedCount: typeof kprobesIncNmissedCount;
  readonly archCheckKprobe: typeof archCheckKprobe;
  readonly setupDetourExecution: typeof setupDetourExecution;
  readonly tryToOptimizeKprobe: typeof tryToOptimizeKprobe;
  readonly unoptimizeKprobe: typeof unoptimizeKprobe;
  readonly waitForKprobeOptimizer: typeof waitForKprobeOptimizer;
  readonly archRemoveKprobe: typeof archRemoveKprobe;
  readonly prepareKprobe: typeof prepareKprobe;
  readonly reviveAggregate: typeof reviveAggregate;
  readonly initKprobe: typeof initKprobe;
  readonly plantKprobe: typeof plantKprobe;
  readonly registerKprobe: typeof registerKprobe;
  readonly registerKprobes: typeof registerKprobes;
  readonly registerNewKprobe: typeof registerNewKprobe;
  readonly endBoost: typeof endBoost;
  readonly prepareSlot: typeof prepareSlot;
  readonly releaseSlot: typeof releaseSlot;
  readonly kprobePostProcess: typeof kprobePostProcess;
  readonly mayBoost: typeof mayBoost;
  readonly restorePreviousKprobe: typeof restorePreviousKprobe;
  readonly setupSinglestep: typeof setupSinglestep;
  readonly armAllKprobes: typeof armAllKprobes;
  readonly disarmAllKprobes: typeof disarmAllKprobes;
  readonly enableFailed: typeof enableFailed;
  readonly enableKprobe: typeof enableKprobe;
  readonly enableValidKprobe: typeof enableValidKprobe;
  readonly killKprobe: typeof killKprobe;
  readonly kprobesModuleCallback: typeof kprobesModuleCallback;
  readonly parseEnabled: typeof parseEnabled;
  readonly getKprobe: typeof getKprobe;
  readonly kprobeHit: typeof kprobeHit;
  readonly kprobeInt3Handler: typeof kprobeInt3Handler;
  readonly reenterKprobe: typeof reenterKprobe;
  readonly disableKprobe: typeof disableKprobe;
  readonly disableValidKprobe: typeof disableValidKprobe;
  readonly dropPostHandler: typeof dropPostHandler;
  readonly kprobeSynchronizeRcu: typeof kprobeSynchronizeRcu;
  readonly unlinkKprobe: typeof unlinkKprobe;
  readonly unregisterKprobeBottom: typeof unregisterKprobeBottom;
  readonly unregisterKprobes: typeof unregisterKprobes;
  readonly unregisterKprobeTop: typeof unregisterKprobeTop;
}

export const KPROBE_LINKS: KprobeLinks = {
  clearKprobeAddr,
  kretprobeBusy,
  kretprobeNoInstance,
  kretprobeRejected,
  kretprobeRethookHandler,
  preHandlerKretprobe,
  defaultMaxactive,
  isKretprobeBlacklisted,
  kretprobeAlloc,
  kretprobeFree,
  kretprobeRefused,
  kretprobeSynchronizeRcu,
  registerKretprobe,
  registerKretprobes,
  unregisterKretprobes,
  checkKprobeAddressSafe,
  withinKprobeBlacklist,
  addNewKprobe,
  allDisabled,
  registerAggrKprobe,
  replaceKprobeNode,
  archArmKprobe,
  archDisarmKprobe,
  armKprobe,
  disarmKprobe,
  kprobeSyncText,
  armKprobeFtrace,
  disarmKprobeFtrace,
  disarmInHook,
  kprobeFtraceHandler,
  kprobeHookOf,
  removeKprobeSite,
  aggrPostHandler,
  aggrPreHandler,
  kprobeCallPost,
  kprobeCallPre,
  kprobePostHandler,
  kprobePreHandler,
  kprobesIncNmissedCount,
  archCheckKprobe,
  setupDetourExecution,
  tryToOptimizeKprobe,
  unoptimizeKprobe,
  waitForKprobeOptimizer,
  archRemoveKprobe,
  prepareKprobe,
  reviveAggregate,
  initKprobe,
  plantKprobe,
  registerKprobe,
  registerKprobes,
  registerNewKprobe,
  endBoost,
  prepareSlot,
  releaseSlot,
  kprobePostProcess,
  mayBoost,
  restorePreviousKprobe,
  setupSinglestep,
  armAllKprobes,
  disarmAllKprobes,
  enableFailed,
  enableKprobe,
  enableValidKprobe,
  killKprobe,
  kprobesModuleCallback,
  parseEnabled,
  getKprobe,
  kprobeHit,
  kprobeInt3Handler,
  reenterKprobe,
  disableKprobe,
  disableValidKprobe,
  dropPostHandler,
  kprobeSynchronizeRcu,
  unlinkKprobe,
  unregisterKprobeBottom,
  unregisterKprobes,
  unregisterKprobeTop,
};
