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
// Layer trace. The function-graph machine's part of the link table (link.ts).
import {
  fgraphCallRetFuncs,
  fgraphCallReturn,
  fgraphDropFrame,
  fgraphEntryRefused,
  fgraphReserveData,
  fgraphReserveFrame,
  fgraphWriteFrame,
  ftracePopReturnTrace,
  ftracePushReturnTrace,
  ftraceReturnToHandler,
  functionGraphEnter,
} from './fgraph.ts';

export interface FgraphLinks {
  readonly fgraphCallRetFuncs: typeof fgraphCallRetFuncs;
  readonly fgraphCallReturn: typeof fgraphCallReturn;
  readonly fgraphDropFrame: typeof fgraphDropFrame;
  readonly fgraphEntryRefused: typeof fgraphEntryRefused;
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
}

export const FGRAPH_LINKS: FgraphLinks = {
  fgraphCallRetFuncs,
  fgraphCallReturn,
  fgraphDropFrame,
  fgraphEntryRefused,
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
};
