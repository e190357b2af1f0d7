// The public API: re-exports only. Reading and writing files is the caller's; everything here is pure.
export { InputError, InvariantError } from './assert.ts';
export type { Guarantee, Verdict } from './replay/guarantee/judge.ts';
export { judgeLog } from './replay/judge-recording.ts';
export type { Recording } from './replay/recording.ts';
export { readRecording } from './replay/recording.ts';
export type { RecordingHeader } from './replay/recording-header.ts';
export type { ReplayOutcome } from './replay/replay.ts';
export { replayRecording } from './replay/replay.ts';
export type { ExpectationResult, RunResult, RunSettings, WorkloadSource } from './replay/run.ts';
export { recordRun } from './replay/run.ts';
export type { Event, EventName, EventOf } from './replay/schema.ts';
