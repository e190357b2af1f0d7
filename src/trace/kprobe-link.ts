// Layer trace. The part of the link table (link.ts) that is the kprobes'.
import { unwindSeesTrampoline } from './dump-stack.ts';
import {
  jprobeIrqs,
  longjmpBreakHandler,
  registerJprobes,
  restoreStack,
  saveCall,
} from './jprobe.ts';
import {
  checkKprobeAddressSafe,
  kprobeAddr,
  kprobeTargetAt,
  withinKprobeBlacklist,
} from './kprobe-address.ts';
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
import { archPrepareOptimizedKprobe, archRemoveOptimizedKprobe } from './kprobe-detour.ts';
import { noFaultHandler } from './kprobe-fault.ts';
import { hasKprobeBlacklist } from './kprobe-files.ts';
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
  kprobeIncNmissed,
  kprobePostHandler,
  kprobePreHandler,
  kprobesIncNmissedCount,
  optPreHandler,
} from './kprobe-handlers.ts';
import { kprobeInsnAt } from './kprobe-insn.ts';
import { optimizedHit, setupDetourExecution } from './kprobe-opt-hit.ts';
import {
  cancelOptimize,
  cancelUnoptimize,
  forceUnoptimizeKprobe,
  getOptimizedKprobe,
  killOptimizedKprobe,
  mustLinger,
  optimizeKprobe,
  queueToOptimize,
  regionAt,
  reuseUnusedKprobe,
  tryToOptimizeKprobe,
  unoptimizeForPost,
  unoptimizeKprobe,
} from './kprobe-opt.ts';
import {
  archUnoptimizeKprobe,
  doFreeCleanedKprobes,
  doOptimizeKprobes,
  doUnoptimizeKprobes,
  freeAggrKprobe,
  kprobeOptimizer,
  optimizerSynchronize,
  waitForKprobeOptimizer,
} from './kprobe-optimizer.ts';
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
import { kprobeHit, kprobeInt3Handler, kprobeNotOurs, reenterKprobe } from './kprobe-trap.ts';
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
  readonly addNewKprobe: typeof addNewKprobe;
  readonly aggrPostHandler: typeof aggrPostHandler;
  readonly aggrPreHandler: typeof aggrPreHandler;
  readonly allDisabled: typeof allDisabled;
  readonly archArmKprobe: typeof archArmKprobe;
  readonly archDisarmKprobe: typeof archDisarmKprobe;
  readonly archPrepareOptimizedKprobe: typeof archPrepareOptimizedKprobe;
  readonly archRemoveKprobe: typeof archRemoveKprobe;
  readonly archRemoveOptimizedKprobe: typeof archRemoveOptimizedKprobe;
  readonly archUnoptimizeKprobe: typeof archUnoptimizeKprobe;
  readonly armAllKprobes: typeof armAllKprobes;
  readonly armKprobe: typeof armKprobe;
  readonly armKprobeFtrace: typeof armKprobeFtrace;
  readonly cancelOptimize: typeof cancelOptimize;
  readonly cancelUnoptimize: typeof cancelUnoptimize;
  readonly checkKprobeAddressSafe: typeof checkKprobeAddressSafe;
  readonly clearKprobeAddr: typeof clearKprobeAddr;
  readonly defaultMaxactive: typeof defaultMaxactive;
  readonly disableKprobe: typeof disableKprobe;
  readonly disableValidKprobe: typeof disableValidKprobe;
  readonly disarmAllKprobes: typeof disarmAllKprobes;
  readonly disarmInHook: typeof disarmInHook;
  readonly disarmKprobe: typeof disarmKprobe;
  readonly disarmKprobeFtrace: typeof disarmKprobeFtrace;
  readonly doFreeCleanedKprobes: typeof doFreeCleanedKprobes;
  readonly doOptimizeKprobes: typeof doOptimizeKprobes;
  readonly doUnoptimizeKprobes: typeof doUnoptimizeKprobes;
  readonly dropPostHandler: typeof dropPostHandler;
  readonly enableFailed: typeof enableFailed;
  readonly enableKprobe: typeof enableKprobe;
  readonly enableValidKprobe: typeof enableValidKprobe;
  readonly endBoost: typeof endBoost;
  readonly faultHandlerOfHandler: typeof noFaultHandler;
  readonly faultHandlerOnStep: typeof noFaultHandler;
  readonly forceUnoptimizeKprobe: typeof forceUnoptimizeKprobe;
  readonly freeAggrKprobe: typeof freeAggrKprobe;
  readonly getKprobe: typeof getKprobe;
  readonly getOptimizedKprobe: typeof getOptimizedKprobe;
  readonly hasKprobeBlacklist: typeof hasKprobeBlacklist;
  readonly initKprobe: typeof initKprobe;
  readonly isKretprobeBlacklisted: typeof isKretprobeBlacklisted;
  readonly jprobeIrqs: typeof jprobeIrqs;
  readonly killKprobe: typeof killKprobe;
  readonly killOptimizedKprobe: typeof killOptimizedKprobe;
  readonly kprobeAddr: typeof kprobeAddr;
  readonly kprobeCallPost: typeof kprobeCallPost;
  readonly kprobeCallPre: typeof kprobeCallPre;
  readonly kprobeFtraceHandler: typeof kprobeFtraceHandler;
  readonly kprobeHit: typeof kprobeHit;
  readonly kprobeHookOf: typeof kprobeHookOf;
  readonly kprobeIncNmissed: typeof kprobeIncNmissed;
  readonly kprobeInsnAt: typeof kprobeInsnAt;
  readonly kprobeInt3Handler: typeof kprobeInt3Handler;
  readonly kprobeNotOurs: typeof kprobeNotOurs;
  readonly kprobeOptimizer: typeof kprobeOptimizer;
  readonly kprobePostHandler: typeof kprobePostHandler;
  readonly kprobePostProcess: typeof kprobePostProcess;
  readonly kprobePreHandler: typeof kprobePreHandler;
  readonly kprobeSyncText: typeof kprobeSyncText;
  readonly kprobeSynchronizeRcu: typeof kprobeSynchronizeRcu;
  readonly kprobeTargetAt: typeof kprobeTargetAt;
  readonly kprobesIncNmissedCount: typeof kprobesIncNmissedCount;
  readonly kprobesModuleCallback: typeof kprobesModuleCallback;
  readonly kretprobeAlloc: typeof kretprobeAlloc;
  readonly kretprobeBusy: typeof kretprobeBusy;
  readonly kretprobeFree: typeof kretprobeFree;
  readonly kretprobeNoInstance: typeof kretprobeNoInstance;
  readonly kretprobeRefused: typeof kretprobeRefused;
  readonly kretprobeRejected: typeof kretprobeRejected;
  readonly kretprobeRethookHandler: typeof kretprobeRethookHandler;
  readonly kretprobeSynchronizeRcu: typeof kretprobeSynchronizeRcu;
  readonly longjmpBreakHandler: typeof longjmpBreakHandler;
  readonly mayBoost: typeof mayBoost;
  readonly mustLinger: typeof mustLinger;
  readonly optPreHandler: typeof optPreHandler;
  readonly optimizeKprobe: typeof optimizeKprobe;
  readonly optimizedHit: typeof optimizedHit;
  readonly optimizerSynchronize: typeof optimizerSynchronize;
  readonly parseEnabled: typeof parseEnabled;
  readonly plantKprobe: typeof plantKprobe;
  readonly preHandlerKretprobe: typeof preHandlerKretprobe;
  readonly prepareKprobe: typeof prepareKprobe;
  readonly prepareSlot: typeof prepareSlot;
  readonly queueToOptimize: typeof queueToOptimize;
  readonly reenterKprobe: typeof reenterKprobe;
  readonly regionAt: typeof regionAt;
  readonly registerAggrKprobe: typeof registerAggrKprobe;
  readonly registerJprobes: typeof registerJprobes;
  readonly registerKprobe: typeof registerKprobe;
  readonly registerKprobes: typeof registerKprobes;
  readonly registerKretprobe: typeof registerKretprobe;
  readonly registerKretprobes: typeof registerKretprobes;
  readonly registerNewKprobe: typeof registerNewKprobe;
  readonly releaseSlot: typeof releaseSlot;
  readonly removeKprobeSite: typeof removeKprobeSite;
  readonly replaceKprobeNode: typeof replaceKprobeNode;
  readonly restorePreviousKprobe: typeof restorePreviousKprobe;
  readonly restoreStack: typeof restoreStack;
  readonly reuseUnusedKprobe: typeof reuseUnusedKprobe;
  readonly reviveAggregate: typeof reviveAggregate;
  readonly saveCall: typeof saveCall;
  readonly setupDetourExecution: typeof setupDetourExecution;
  readonly setupSinglestep: typeof setupSinglestep;
  readonly tryToOptimizeKprobe: typeof tryToOptimizeKprobe;
  readonly unlinkKprobe: typeof unlinkKprobe;
  readonly unoptimizeForPost: typeof unoptimizeForPost;
  readonly unoptimizeKprobe: typeof unoptimizeKprobe;
  readonly unregisterKprobeBottom: typeof unregisterKprobeBottom;
  readonly unregisterKprobeTop: typeof unregisterKprobeTop;
  readonly unregisterKprobes: typeof unregisterKprobes;
  readonly unregisterKretprobes: typeof unregisterKretprobes;
  readonly unwindSeesTrampoline: typeof unwindSeesTrampoline;
  readonly waitForKprobeOptimizer: typeof waitForKprobeOptimizer;
  readonly withinKprobeBlacklist: typeof withinKprobeBlacklist;
}

export const KPROBE_LINKS: KprobeLinks = {
  addNewKprobe,
  aggrPostHandler,
  aggrPreHandler,
  allDisabled,
  archArmKprobe,
  archDisarmKprobe,
  archPrepareOptimizedKprobe,
  archRemoveKprobe,
  archRemoveOptimizedKprobe,
  archUnoptimizeKprobe,
  armAllKprobes,
  armKprobe,
  armKprobeFtrace,
  cancelOptimize,
  cancelUnoptimize,
  checkKprobeAddressSafe,
  clearKprobeAddr,
  defaultMaxactive,
  disableKprobe,
  disableValidKprobe,
  disarmAllKprobes,
  disarmInHook,
  disarmKprobe,
  disarmKprobeFtrace,
  doFreeCleanedKprobes,
  doOptimizeKprobes,
  doUnoptimizeKprobes,
  dropPostHandler,
  enableFailed,
  enableKprobe,
  enableValidKprobe,
  endBoost,
  faultHandlerOfHandler: noFaultHandler,
  faultHandlerOnStep: noFaultHandler,
  forceUnoptimizeKprobe,
  freeAggrKprobe,
  getKprobe,
  getOptimizedKprobe,
  hasKprobeBlacklist,
  initKprobe,
  isKretprobeBlacklisted,
  jprobeIrqs,
  killKprobe,
  killOptimizedKprobe,
  kprobeAddr,
  kprobeCallPost,
  kprobeCallPre,
  kprobeFtraceHandler,
  kprobeHit,
  kprobeHookOf,
  kprobeIncNmissed,
  kprobeInsnAt,
  kprobeInt3Handler,
  kprobeNotOurs,
  kprobeOptimizer,
  kprobePostHandler,
  kprobePostProcess,
  kprobePreHandler,
  kprobeSyncText,
  kprobeSynchronizeRcu,
  kprobeTargetAt,
  kprobesIncNmissedCount,
  kprobesModuleCallback,
  kretprobeAlloc,
  kretprobeBusy,
  kretprobeFree,
  kretprobeNoInstance,
  kretprobeRefused,
  kretprobeRejected,
  kretprobeRethookHandler,
  kretprobeSynchronizeRcu,
  longjmpBreakHandler,
  mayBoost,
  mustLinger,
  optPreHandler,
  optimizeKprobe,
  optimizedHit,
  optimizerSynchronize,
  parseEnabled,
  plantKprobe,
  preHandlerKretprobe,
  prepareKprobe,
  prepareSlot,
  queueToOptimize,
  reenterKprobe,
  regionAt,
  registerAggrKprobe,
  registerJprobes,
  registerKprobe,
  registerKprobes,
  registerKretprobe,
  registerKretprobes,
  registerNewKprobe,
  releaseSlot,
  removeKprobeSite,
  replaceKprobeNode,
  restorePreviousKprobe,
  restoreStack,
  reuseUnusedKprobe,
  reviveAggregate,
  saveCall,
  setupDetourExecution,
  setupSinglestep,
  tryToOptimizeKprobe,
  unlinkKprobe,
  unoptimizeForPost,
  unoptimizeKprobe,
  unregisterKprobeBottom,
  unregisterKprobeTop,
  unregisterKprobes,
  unregisterKretprobes,
  unwindSeesTrampoline,
  waitForKprobeOptimizer,
  withinKprobeBlacklist,
};
