// The public API: re-exports only. Reading and writing files is the caller's; everything here is pure. Each export has
// an example in its comment, which `tidy/package.test.ts` runs from the installed package.
export { InputError, InvariantError } from './assert.ts';
export { cat, type CatOptions } from './replay/api/cat.ts';
export { type Choice, profiles, variants } from './replay/api/catalogue.ts';
export { compareEras, type EraOptions } from './replay/api/eras.ts';
export { explainMiss, misses } from './replay/api/explain.ts';
export { readEvents, type RecordingSource } from './replay/api/events.ts';
export {
  type GuaranteeInfo,
  guarantees,
  judge,
  type Judged,
  type Judgement,
} from './replay/api/judge.ts';
export {
  record,
  type RecordedRun,
  type RecordOptions,
  type WorkloadInput,
} from './replay/api/record.ts';
export { recursedFunctions, type Recursion } from './replay/api/recursion.ts';
export { fromYaml } from './replay/api/yaml.ts';
export type { EraTopic } from './replay/era-facts.ts';
export type { EraComparison, EraRow } from './replay/eras.ts';
export type { MissExplanation } from './replay/explain/explain-miss.ts';
export type { MissGroup } from './replay/explain/misses.ts';
export type { Evidence } from './replay/explain/miss-evidence.ts';
export type { Verdict } from './replay/guarantee/judge.ts';
export {
  defineHandler,
  defineTask,
  type Handler,
  type HandlerContext,
  type HandlerPath,
  type Step,
  type Task,
  type TaskContext,
  type TaskPath,
} from './replay/handler.ts';
export {
  type ReplayOptions,
  type ReplayOutcome,
  replayRecording as replay,
} from './replay/replay.ts';
export type { ExpectationResult } from './replay/run.ts';
export type { Event, EventName, EventOf } from './replay/schema.ts';
export type {
  DataReference,
  FprobeReference,
  KprobeReference,
  KretprobeReference,
  ProbeReference,
  Reference,
} from './replay/workload/build-reference.ts';
export { workload, type WorkloadBuilder } from './replay/workload/build.ts';
export type { Workload } from './replay/workload/model.ts';
export { workloadJsonSchema } from './replay/workload/json-schema.ts';
export { toYaml } from './replay/workload/to-yaml.ts';
