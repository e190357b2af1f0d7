// What random workloads ask of a probe that the kernel has to refuse (CC-O13).
import type { TimelineItem } from '../src/replay/workload/model.ts';

/** 'register' and 'unregister' are refused most of the time: when the probe has just come, or gone. */
export const REFUSALS = ['none', 'register', 'unregister', 'no match', 'no match, reset'] as const;
export type Refusal = (typeof REFUSALS)[number];

const NO_MATCH = 'no_such*';

/** The operation; undefined for none. */
export function buildRefusal(
  what: Refusal,
  probe: string,
): Omit<TimelineItem, 'at' | 'on'> | undefined {
  switch (what) {
    case 'none':
      return undefined;
    case 'register':
      return { register: probe };
    case 'unregister':
      return { unregister: probe };
    case 'no match':
      return { set_filter: { probe, pattern: NO_MATCH }, expect: '-EINVAL' };
    case 'no match, reset':
      return { set_filter: { probe, pattern: NO_MATCH, reset: true }, expect: '-EINVAL' };
  }
}
