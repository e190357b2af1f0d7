// Layer trace. The link table: every function that a profile or a variant may replace, by the name that
// the paths call it by. A replacement has the signature of what it replaces.
import type { Context } from '../emu/context.ts';
import type { Path } from '../emu/path.ts';
import { FGRAPH_LINKS, type FgraphLinks } from './fgraph-link.ts';
import {
  fprobeIsRegistered,
  fprobeState,
  registerFprobe,
  unregisterFprobe,
  unregisterFprobeAsync,
} from './fprobe-fgraph.ts';
import { fprobeIncNmissed } from './fprobe-miss.ts';
import {
  disableFprobe,
  enableFprobe,
  type FprobeState,
  type RegisterFprobe,
  type UnregisterFprobe,
} from './fprobe-operation.ts';
import type { Fprobe } from './fprobe.ts';
import {
  ftraceOpsAssistFunc,
  ftraceOpsGetFunc,
  ftraceOpsListFunc,
  ftraceOpsTest,
  rcuRefuses,
  regsRefuse,
} from './ftrace-caller.ts';
import {
  ftraceFreeFilter,
  ftraceHashMove,
  ftraceHashMoveAndUpdateOps,
  ftraceMatchRecords,
  ftraceOpsUpdateCode,
  ftraceSetHash,
} from './ftrace-filter.ts';
import {
  allocFtraceHash,
  freeFtraceHash,
  freeFtraceHashRcu,
  ftraceSelects,
} from './ftrace-hash.ts';
import {
  ftraceHashIpmodifyDisable,
  ftraceHashIpmodifyEnable,
  ftraceHashIpmodifyUpdate,
  ftraceHashUpdateIpmodify,
  ftraceRollBackIpmodify,
} from './ftrace-ipmodify.ts';
import {
  ftraceBug,
  ftraceInnerToListFunc,
  ftraceModifyAllCode,
  ftraceMustUpdate,
  ftraceReplaceCode,
  ftraceRunUpdateCode,
  ftraceUpdateFtraceFunc,
  syncFunctionTraceOp,
  updateFtraceFunction,
} from './ftrace-modify.ts';
import { ftraceModuleEnable, ftraceModuleInit, ftraceReleaseMod } from './ftrace-module.ts';
import { ftraceRegsCheck, isStructChanged } from './ftrace-ops.ts';
import {
  ftracePidFunc,
  ftracePidReset,
  ftracePidWrite,
  ftraceRestoreFunc,
  ftraceSaveFunc,
  ftraceUpdatePidFunc,
  setFtracePid,
} from './ftrace-pid.ts';
import {
  ftraceGetAddrNew,
  ftraceHashRecDisable,
  ftraceHashRecEnable,
  ftraceUsersWantRegs,
} from './ftrace-record.ts';
import {
  archFtraceUpdateCode,
  ftraceAllowsPreemption,
  localFlushIcacheAll,
} from './ftrace-stop.ts';
import {
  ftraceEnableSysctl,
  ftraceSetEnabled,
  ftraceShutdownSysctl,
  ftraceStartupSysctl,
  isPermanentOpsRegistered,
  isPermanentRefused,
} from './ftrace-sysctl.ts';
import {
  ftraceRefreshTrampoline,
  ftraceTrampolineFree,
  ftraceUpdateTrampoline,
} from './ftrace-trampoline.ts';
import {
  addFtraceOps,
  ftraceShutdown,
  ftraceShutdownCheck,
  ftraceShutdownRecords,
  ftraceShutdownUpdate,
  ftraceShutdownWait,
  ftraceStartup,
  ftraceStartupUndo,
  registerFtraceFunction,
  removeFtraceOps,
  synchronizeRcuTasks,
  synchronizeRcuTasksRude,
  unregisterFtraceFunction,
} from './ftrace.ts';
import type { Kernel } from './kernel.ts';
import { KPROBE_LINKS, type KprobeLinks } from './kprobe-link.ts';
import { moduleMemfree, moduleSynchronizeRcu } from './module.ts';
import { ftraceRecordRecursion } from './recursion-record.ts';
import {
  recursionPreemptDisable,
  recursionPreemptEnable,
  traceClearRecursion,
  traceGetContextBit,
  traceRecursionBit,
  traceTestAndSetRecursion,
} from './recursion.ts';
import { RETHOOK_LINKS, type RethookLinks } from './rethook-link.ts';
import {
  textPoke,
  pokeInt3Handler,
  textPokeBpBatch,
  textPokePublish,
  textPokeRetire,
  textPokeSyncBreakpoint,
  textPokeSyncDone,
  textPokeSyncTail,
} from './text-poke.ts';

export interface LinkTable extends FgraphLinks, RethookLinks, KprobeLinks {
  readonly addFtraceOps: typeof addFtraceOps;
  readonly ftraceShutdown: typeof ftraceShutdown;
  readonly ftraceShutdownCheck: typeof ftraceShutdownCheck;
  readonly ftraceShutdownRecords: typeof ftraceShutdownRecords;
  readonly ftraceShutdownUpdate: typeof ftraceShutdownUpdate;
  readonly ftraceShutdownWait: typeof ftraceShutdownWait;
  readonly ftraceStartup: typeof ftraceStartup;
  readonly registerFtraceFunction: typeof registerFtraceFunction;
  readonly removeFtraceOps: typeof removeFtraceOps;
  readonly synchronizeRcuTasks: typeof synchronizeRcuTasks;
  readonly synchronizeRcuTasksRude: typeof synchronizeRcuTasksRude;
  readonly unregisterFtraceFunction: typeof unregisterFtraceFunction;
  readonly ftraceFreeFilter: typeof ftraceFreeFilter;
  readonly ftraceHashMove: typeof ftraceHashMove;
  readonly ftraceHashMoveAndUpdateOps: typeof ftraceHashMoveAndUpdateOps;
  readonly ftraceMatchRecords: typeof ftraceMatchRecords;
  readonly ftraceOpsUpdateCode: typeof ftraceOpsUpdateCode;
  readonly ftraceSetHash: typeof ftraceSetHash;
  readonly allocFtraceHash: typeof allocFtraceHash;
  readonly freeFtraceHash: typeof freeFtraceHash;
  readonly freeFtraceHashRcu: typeof freeFtraceHashRcu;
  readonly ftraceSelects: typeof ftraceSelects;
  readonly ftraceGetAddrNew: typeof ftraceGetAddrNew;
  readonly ftraceHashRecDisable: typeof ftraceHashRecDisable;
  readonly ftraceHashRecEnable: typeof ftraceHashRecEnable;
  readonly archFtraceUpdateCode: typeof archFtraceUpdateCode;
  readonly ftraceAllowsPreemption: typeof ftraceAllowsPreemption;
  readonly localFlushIcacheAll: typeof localFlushIcacheAll;
  readonly ftraceBug: typeof ftraceBug;
  readonly ftraceInnerToListFunc: typeof ftraceInnerToListFunc;
  readonly ftraceModifyAllCode: typeof ftraceModifyAllCode;
  readonly ftraceMustUpdate: typeof ftraceMustUpdate;
  readonly ftraceReplaceCode: typeof ftraceReplaceCode;
  readonly ftraceRunUpdateCode: typeof ftraceRunUpdateCode;
  readonly ftraceUpdateFtraceFunc: typeof ftraceUpdateFtraceFunc;
  readonly syncFunctionTraceOp: typeof syncFunctionTraceOp;
  readonly updateFtraceFunction: typeof updateFtraceFunction;
  readonly textPoke: typeof textPoke;
  readonly textPokeBpBatch: typeof textPokeBpBatch;
  readonly textPokePublish: typeof textPokePublish;
  readonly pokeInt3Handler: typeof pokeInt3Handler;
  readonly textPokeRetire: typeof textPokeRetire;
  readonly textPokeSyncBreakpoint: typeof textPokeSyncBreakpoint;
  readonly textPokeSyncDone: typeof textPokeSyncDone;
  readonly textPokeSyncTail: typeof textPokeSyncTail;
  readonly ftracePidFunc: typeof ftracePidFunc;
  readonly ftracePidReset: typeof ftracePidReset;
  readonly ftracePidWrite: typeof ftracePidWrite;
  readonly ftraceRestoreFunc: typeof ftraceRestoreFunc;
  readonly ftraceSaveFunc: typeof ftraceSaveFunc;
  readonly ftraceUpdatePidFunc: typeof ftraceUpdatePidFunc;
  readonly setFtracePid: typeof setFtracePid;
  readonly ftraceEnableSysctl: typeof ftraceEnableSysctl;
  readonly ftraceSetEnabled: typeof ftraceSetEnabled;
  readonly ftraceShutdownSysctl: typeof ftraceShutdownSysctl;
  readonly ftraceStartupSysctl: typeof ftraceStartupSysctl;
  readonly isPermanentOpsRegistered: typeof isPermanentOpsRegistered;
  readonly isPermanentRefused: typeof isPermanentRefused;
  readonly ftraceRefreshTrampoline: typeof ftraceRefreshTrampoline;
  readonly ftraceTrampolineFree: typeof ftraceTrampolineFree;
  readonly ftraceUpdateTrampoline: typeof ftraceUpdateTrampoline;
  readonly ftraceStartupUndo: typeof ftraceStartupUndo;
  readonly ftraceRegsCheck: typeof ftraceRegsCheck;
  readonly ftraceUsersWantRegs: typeof ftraceUsersWantRegs;
  readonly ftraceHashIpmodifyDisable: typeof ftraceHashIpmodifyDisable;
  readonly ftraceHashIpmodifyEnable: typeof ftraceHashIpmodifyEnable;
  readonly ftraceHashIpmodifyUpdate: typeof ftraceHashIpmodifyUpdate;
  readonly ftraceHashUpdateIpmodify: typeof ftraceHashUpdateIpmodify;
  readonly ftraceRollBackIpmodify: typeof ftraceRollBackIpmodify;
  readonly ftraceOpsAssistFunc: typeof ftraceOpsAssistFunc;
  readonly ftraceOpsGetFunc: typeof ftraceOpsGetFunc;
  readonly rcuRefuses: typeof rcuRefuses;
  readonly regsRefuse: typeof regsRefuse;
  readonly ftraceOpsListFunc: typeof ftraceOpsListFunc;
  readonly ftraceOpsTest: typeof ftraceOpsTest;
  readonly ftraceModuleEnable: typeof ftraceModuleEnable;
  readonly ftraceModuleInit: typeof ftraceModuleInit;
  readonly ftraceReleaseMod: typeof ftraceReleaseMod;
  readonly moduleMemfree: typeof moduleMemfree;
  readonly moduleSynchronizeRcu: typeof moduleSynchronizeRcu;
  readonly isStructChanged: typeof isStructChanged;
  readonly ftraceRecordRecursion: typeof ftraceRecordRecursion;
  readonly recursionPreemptDisable: typeof recursionPreemptDisable;
  readonly recursionPreemptEnable: typeof recursionPreemptEnable;
  readonly traceClearRecursion: typeof traceClearRecursion;
  readonly traceGetContextBit: typeof traceGetContextBit;
  readonly traceRecursionBit: typeof traceRecursionBit;
  readonly traceTestAndSetRecursion: typeof traceTestAndSetRecursion;
  readonly registerFprobe: RegisterFprobe;
  readonly unregisterFprobe: UnregisterFprobe;
  /** From v6.14 on. */
  readonly unregisterFprobeAsync: UnregisterFprobe;
  readonly fprobeIsRegistered: (cx: Context, k: Kernel, fp: Fprobe) => Path<boolean>;
  /** For the end of a run: no step. */
  readonly fprobeState: (k: Kernel, fp: Fprobe) => FprobeState;
  readonly disableFprobe: typeof disableFprobe;
  readonly enableFprobe: typeof enableFprobe;
  readonly fprobeIncNmissed: typeof fprobeIncNmissed;
}

/** Every path calls what the kernel calls. */
export const LINKS: LinkTable = {
  ...FGRAPH_LINKS,
  ...RETHOOK_LINKS,
  ...KPROBE_LINKS,
  addFtraceOps,
  ftraceShutdown,
  ftraceShutdownCheck,
  ftraceShutdownRecords,
  ftraceShutdownUpdate,
  ftraceShutdownWait,
  ftraceStartup,
  registerFtraceFunction,
  removeFtraceOps,
  synchronizeRcuTasks,
  synchronizeRcuTasksRude,
  unregisterFtraceFunction,
  ftraceFreeFilter,
  ftraceHashMove,
  ftraceHashMoveAndUpdateOps,
  ftraceMatchRecords,
  ftraceOpsUpdateCode,
  ftraceSetHash,
  allocFtraceHash,
  freeFtraceHash,
  freeFtraceHashRcu,
  ftraceSelects,
  ftraceGetAddrNew,
  ftraceHashRecDisable,
  ftraceHashRecEnable,
  archFtraceUpdateCode,
  ftraceAllowsPreemption,
  localFlushIcacheAll,
  ftraceBug,
  ftraceInnerToListFunc,
  ftraceModifyAllCode,
  ftraceMustUpdate,
  ftraceReplaceCode,
  ftraceRunUpdateCode,
  ftraceUpdateFtraceFunc,
  syncFunctionTraceOp,
  updateFtraceFunction,
  textPoke,
  pokeInt3Handler,
  textPokeBpBatch,
  textPokePublish,
  textPokeRetire,
  textPokeSyncBreakpoint,
  textPokeSyncDone,
  textPokeSyncTail,
  ftracePidFunc,
  ftracePidReset,
  ftracePidWrite,
  ftraceRestoreFunc,
  ftraceSaveFunc,
  ftraceUpdatePidFunc,
  setFtracePid,
  ftraceEnableSysctl,
  ftraceSetEnabled,
  ftraceShutdownSysctl,
  ftraceStartupSysctl,
  isPermanentOpsRegistered,
  isPermanentRefused,
  ftraceRefreshTrampoline,
  ftraceTrampolineFree,
  ftraceUpdateTrampoline,
  ftraceStartupUndo,
  ftraceRegsCheck,
  ftraceUsersWantRegs,
  ftraceHashIpmodifyDisable,
  ftraceHashIpmodifyEnable,
  ftraceHashIpmodifyUpdate,
  ftraceHashUpdateIpmodify,
  ftraceRollBackIpmodify,
  ftraceOpsAssistFunc,
  ftraceOpsGetFunc,
  rcuRefuses,
  regsRefuse,
  ftraceOpsListFunc,
  ftraceOpsTest,
  ftraceModuleEnable,
  ftraceModuleInit,
  ftraceReleaseMod,
  moduleMemfree,
  moduleSynchronizeRcu,
  isStructChanged,
  ftraceRecordRecursion,
  recursionPreemptDisable,
  recursionPreemptEnable,
  traceClearRecursion,
  traceGetContextBit,
  traceRecursionBit,
  traceTestAndSetRecursion,
  registerFprobe,
  unregisterFprobe,
  unregisterFprobeAsync,
  fprobeIsRegistered,
  fprobeState,
  disableFprobe,
  enableFprobe,
  fprobeIncNmissed,
};
