// Layer trace. The part of the link table that is about rethook (see `link.ts`), and what the eras of rethook link in
// place of fgraph.
import {
  fprobeCallEntry,
  fprobeEnter,
  fprobeExitDisabled,
  fprobeExitHandler,
  fprobeHandler,
  fprobeKprobeHandler,
  fprobeLock,
  fprobeNoNode,
  fprobeSettle,
  fprobeTakeNode,
} from './fprobe-rethook-hit.ts';
import {
  fprobeDataBytes,
  fprobeIsRegistered,
  fprobeRegistration,
  fprobeState,
  fprobeUnhook,
  registerFprobe,
  unregisterFprobe,
} from './fprobe-rethook.ts';
import type { LinkTable } from './link.ts';
import {
  rethookFindNodes,
  rethookFlushTask,
  rethookHook,
  rethookReturn,
  rethookRunHandlers,
  rethookTrampolineHandler,
} from './rethook-return.ts';
import {
  rethookAlloc,
  rethookAllocFailed,
  rethookAllocNodes,
  rethookFree,
  rethookIsWatching,
  rethookPush,
  rethookRecycle,
  rethookStop,
  rethookTryGet,
} from './rethook.ts';

export interface RethookLinks {
  readonly fprobeDataBytes: typeof fprobeDataBytes;
  readonly fprobeRegistration: typeof fprobeRegistration;
  readonly fprobeUnhook: typeof fprobeUnhook;
  readonly fprobeHandler: typeof fprobeHandler;
  readonly fprobeKprobeHandler: typeof fprobeKprobeHandler;
  readonly fprobeLock: typeof fprobeLock;
  readonly fprobeEnter: typeof fprobeEnter;
  readonly fprobeTakeNode: typeof fprobeTakeNode;
  readonly fprobeNoNode: typeof fprobeNoNode;
  readonly fprobeCallEntry: typeof fprobeCallEntry;
  readonly fprobeSettle: typeof fprobeSettle;
  readonly fprobeExitHandler: typeof fprobeExitHandler;
  readonly fprobeExitDisabled: typeof fprobeExitDisabled;
  readonly rethookAlloc: typeof rethookAlloc;
  readonly rethookAllocNodes: typeof rethookAllocNodes;
  readonly rethookAllocFailed: typeof rethookAllocFailed;
  readonly rethookStop: typeof rethookStop;
  readonly rethookFree: typeof rethookFree;
  readonly rethookTryGet: typeof rethookTryGet;
  readonly rethookIsWatching: typeof rethookIsWatching;
  readonly rethookRecycle: typeof rethookRecycle;
  readonly rethookPush: typeof rethookPush;
  readonly rethookHook: typeof rethookHook;
  readonly rethookFindNodes: typeof rethookFindNodes;
  readonly rethookTrampolineHandler: typeof rethookTrampolineHandler;
  readonly rethookReturn: typeof rethookReturn;
  readonly rethookRunHandlers: typeof rethookRunHandlers;
  readonly rethookFlushTask: typeof rethookFlushTask;
}

export const RETHOOK_LINKS: RethookLinks = {
  fprobeDataBytes,
  fprobeRegistration,
  fprobeUnhook,
  fprobeHandler,
  fprobeKprobeHandler,
  fprobeLock,
  fprobeEnter,
  fprobeTakeNode,
  fprobeNoNode,
  fprobeCallEntry,
  fprobeSettle,
  fprobeExitHandler,
  fprobeExitDisabled,
  rethookAlloc,
  rethookAllocNodes,
  rethookAllocFailed,
  rethookStop,
  rethookFree,
  rethookTryGet,
  rethookIsWatching,
  rethookRecycle,
  rethookPush,
  rethookHook,
  rethookFindNodes,
  rethookTrampolineHandler,
  rethookReturn,
  rethookRunHandlers,
  rethookFlushTask,
};

/** What the profile v6.12 links; those before it link this, and something else. */
export const FPROBE_RETHOOK: Partial<LinkTable> = {
  registerFprobe,
  unregisterFprobe,
  fprobeIsRegistered,
  fprobeState,
};
