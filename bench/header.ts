// The header of a recording that is written for its own sake.
import type { RecordingHeader } from '../src/replay/recording-header.ts';
import { VERSION } from '../src/replay/version.ts';
import type { Plan } from '../src/replay/workload/plan.ts';

export function fileHeader(plan: Plan): RecordingHeader {
  return {
    version: VERSION,
    workload: { name: plan.name, file: plan.name, source: '', model: {} },
    profile: 'today',
    variants: [],
    chooser: { name: 'random', seed: 1 },
    options: {},
    image: null,
  };
}
