// Layer replay, public face. Guarantees and verdicts as plain data.
import { GUARANTEES } from '../guarantee/index.ts';
import type { Guarantee, Verdict } from '../guarantee/judge.ts';
import { judgeLog } from '../judge-recording.ts';
import { damageText, salvageRecording } from '../recording.ts';

/**
 * A documented sentence that no schedule may break.
 *
 * @example
 * import { guarantees, type GuaranteeInfo } from 'reprobe';
 * const [first]: readonly GuaranteeInfo[] = guarantees();
 * console.log(first?.guarantee, first?.document); // → unregister Using ftrace to hook to functions
 */
export interface GuaranteeInfo {
  readonly guarantee: string;
  /** In our own words. */
  readonly sentence: string;
  readonly document: string;
  readonly section: string;
  /** Rule ids of `docs/spec`. */
  readonly rules: readonly string[];
}

/**
 * What a run says about one guarantee.
 *
 * @example
 * import { type Judgement, record, workload } from 'reprobe';
 * const judgements: readonly Judgement[] = record(workload('empty', { cpus: 1 })).guarantees;
 * console.log(judgements.every(({ verdict }) => verdict.status === 'never exercised')); // → true
 */
export interface Judgement extends GuaranteeInfo {
  readonly verdict: Verdict;
}

/**
 * A recording that was judged.
 *
 * @example
 * import { judge, type Judged, record, workload } from 'reprobe';
 * const judged: Judged = judge(record(workload('empty', { cpus: 1 })).bytes);
 * console.log(judged.damage); // → undefined
 */
export interface Judged {
  /** Events that were read. */
  readonly events: number;
  readonly guarantees: readonly Judgement[];
  /** What is wrong with the file; `events` are those up to the first that is lost. */
  readonly damage: string | undefined;
}

/**
 * Judges a recording by every guarantee. Judges read events only: neither the workload nor its handlers are needed.
 *
 * @example
 * import { judge, record, workload } from 'reprobe';
 * const w = workload('hooked', { cpus: 1 });
 * const open = w.function('vfs_open', (f) => [f.work(4)]);
 * w.task('opener', { cpu: 0, run: w.function('round', (f) => [f.call(open), f.sleep(20)]), times: 9 });
 * const ops = w.probe('ops', { kind: 'ftrace', notrace: 'round', callback: 'nothing' });
 * w.at('start', { register: ops });
 * const notrace = judge(record(w).bytes).guarantees.find(({ guarantee }) => guarantee === 'notrace');
 * console.log(notrace?.verdict.status); // → held
 */
export function judge(recording: Uint8Array): Judged {
  const read = salvageRecording(recording);
  const damage = read.damage === undefined ? undefined : damageText(read);
  return { events: read.log.count, guarantees: judgeLog(read.log).map(judgementOf), damage };
}

/**
 * Every guarantee that there is a judge for.
 *
 * @example
 * import { guarantees } from 'reprobe';
 * console.log(guarantees().some(({ guarantee }) => guarantee === 'filter-swap')); // → true
 */
export function guarantees(): readonly GuaranteeInfo[] {
  return GUARANTEES.map(infoOf);
}

export function judgementOf(judged: {
  readonly guarantee: Guarantee;
  readonly verdict: Verdict;
}): Judgement {
  return { ...infoOf(judged.guarantee), verdict: judged.verdict };
}

function infoOf({ name, sentence, document, section, rules }: Guarantee): GuaranteeInfo {
  return { guarantee: name, sentence, document, section, rules };
}
