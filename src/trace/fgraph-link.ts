// Layer trace. The part of the link table (link.ts) that is the function-graph machine's, and fprobe's on it.
import {
  registerFtraceGraph,
  startGraphTracing,
  unregisterFtraceGraph,
} from './fgraph-register.ts';
import {
  ftraceHashMoveAndUpdateSubops,
  ftraceShutdownSubops,
  ftraceStartupSubops,
  ftraceUpdateManager,
  subopsFilter,
} from './fgraph-subops.ts';
import { unwindShadowStack } from './fgraph-unwind.ts';
import {
  fgraphCallRetFuncs,
  fgraphCallReturn,
  fgraphDropFrame,
  fgraphReserveData,
  fgraphReserveFrame,
  fgraphWriteFrame,
  ftracePopReturnTrace,
  ftracePushReturnTrace,
  ftraceReturnToHandler,
  functionGraphEnter,
} from './fgraph.ts';
import { fgraphEntryRefused, fprobeFtraceEntry } from './fprobe-entry.ts';
import {
  fprobeClearTail,
  fprobeFgraphEntry,
  fprobeHasGrown,
  fprobeReturn,
} from './fprobe-fgraph-hit.ts';
import {
  fprobeDataFits,
  fprobeFreeHlist,
  fprobeHookType,
  fprobeLink,
  fprobeSynchronizeRcu,
  fprobeUndoRegister,
  fprobeUnregisterWait,
} from './fprobe-fgraph.ts';
import {
  fprobeFilterOut,
  fprobeHookIsOver,
  fprobeIpIsUsed,
  fprobeModuleCallback,
} from './fprobe-hook.ts';
import {
  fgraphNoFrame,
  fprobeNoData,
  fprobeShortage,
  fprobeShortageOf,
} from './fprobe-shortage.ts';
import { fprobeStillExists } from './fprobe-table.ts';

export interface FgraphLinks {
  readonly fgraphCallRetFuncs: typeof fgraphCallRetFuncs;
  readonly fgraphCallReturn: typeof fgraphCallReturn;
  readonly fgraphDropFrame: typeof fgraphDropFrame;
  readonly fgraphReserveData: typeof fgraphReserveData;
  readonly fgraphReserveFrame: typeof fgraphReserveFrame;
  readonly fgraphWriteFrame: typeof fgraphWriteFrame;
  readonly ftracePopReturnTrace: typeof ftracePopReturnTrace;
  readonly ftracePushReturnTrace: typeof ftracePushReturnTrace;
  readonly ftraceReturnToHandler: typeof ftraceReturnToHandler;
  readonly functionGraphEnter: typeof functionGraphEnter;
  readonly registerFtraceGraph: typeof registerFtraceGraph;
  readonly startGraphTracing: typeof startGraphTracing;
  readonly unregisterFtraceGraph: typeof unregisterFtraceGraph;
  readonly ftraceHashMoveAndUpdateSubops: typeof ftraceHashMoveAndUpdateSubops;
  readonly ftraceShutdownSubops: typeof ftraceShutdownSubops;
  readonly ftraceStartupSubops: typeof ftraceStartupSubops;
  readonly ftraceUpdateManager: typeof ftraceUpdateManager;
  readonly subopsFilter: typeof subopsFilter;
  readonly fgraphEntryRefused: typeof fgraphEntryRefused;
  readonly fgraphNoFrame: typeof fgraphNoFrame;
  readonly fprobeFtraceEntry: typeof fprobeFtraceEntry;
  readonly fprobeDataFits: typeof fprobeDataFits;
  readonly fprobeFreeHlist: typeof fprobeFreeHlist;
  readonly fprobeHookType: typeof fprobeHookType;
  readonly fprobeLink: typeof fprobeLink;
  readonly fprobeSynchronizeRcu: typeof fprobeSynchronizeRcu;
  readonly fprobeUndoRegister: typeof fprobeUndoRegister;
  readonly fprobeUnregisterWait: typeof fprobeUnregisterWait;
  readonly fprobeClearTail: typeof fprobeClearTail;
  readonly fprobeFgraphEntry: typeof fprobeFgraphEntry;
  readonly fprobeHasGrown: typeof fprobeHasGrown;
  readonly fprobeNoData: typeof fprobeNoData;
  readonly fprobeReturn: typeof fprobeReturn;
  readonly fprobeShortage: typeof fprobeShortage;
  readonly fprobeShortageOf: typeof fprobeShortageOf;
  readonly fprobeFilterOut: typeof fprobeFilterOut;
  readonly fprobeHookIsOver: typeof fprobeHookIsOver;
  readonly fprobeIpIsUsed: typeof fprobeIpIsUsed;
  readonly fprobeModuleCallback: typeof fprobeModuleCallback;
  readonly fprobeStillExists: typeof fprobeStillExists;
  readonly unwindShadowStack: typeof unwindShadowStack;
}

export const FGRAPH_LINKS: FgraphLinks = {
  fgraphCallRetFuncs,
  fgraphCallReturn,
  fgraphDropFrame,
  fgraphReserveData,
  fgraphReserveFrame,
  fgraphWriteFrame,
  ftracePopReturnTrace,
  ftracePushReturnTrace,
  ftraceReturnToHandler,
  functionGraphEnter,
  registerFtraceGraph,
  startGraphTracing,
  unregisterFtraceGraph,
  ftraceHashMoveAndUpdateSubops,
  ftraceShutdownSubops,
  ftraceStartupSubops,
  ftraceUpdateManager,
  subopsFilter,
  fgraphEntryRefused,
  fgraphNoFrame,
  fprobeFtraceEntry,
  fprobeDataFits,
  fprobeFreeHlist,
  fprobeHookType,
  fprobeLink,
  fprobeSynchronizeRcu,
  fprobeUndoRegister,
  fprobeUnregisterWait,
  fprobeClearTail,
  fprobeFgraphEntry,
  fprobeHasGrown,
  fprobeNoData,
  fprobeReturn,
  fprobeShortage,
  fprobeShortageOf,
  fprobeFilterOut,
  fprobeHookIsOver,
  fprobeIpIsUsed,
  fprobeModuleCallback,
  fprobeStillExists,
  unwindShadowStack,
};
