// Faults of fprobe that docs/spec/mutants.md does not number, each with a small workload in which it shows from the
// calm schedule: for judges of what random workloads seldom meet.
import { calmChooser } from '../src/emu/choose.ts';
import { EventLog } from '../src/replay/event-log.ts';
import { judgeEvents } from '../src/replay/guarantee/index.ts';
import type { Verdict } from '../src/replay/guarantee/judge.ts';
import { prepareModel, profileOf } from '../src/replay/prepare.ts';
import { Session } from '../src/replay/session.ts';
import type { LinkTable } from '../src/trace/link.ts';

export interface FprobeRun {
  /** Model of the workload, without its name. */
  readonly model: object;
  readonly era: string;
  /** What is planted. */
  readonly links?: Partial<LinkTable>;
}

export interface FprobeRunResult {
  readonly log: EventLog;
  /** Of the judge: why it is broken; else the status. */
  readonly says: (judge: string) => string;
  /** What all judges that find something say. */
  readonly faults: readonly string[];
}

/** The calm run of a workload, judged. */
export function fprobeRun({ era, links, model }: FprobeRun): FprobeRunResult {
  const { plan } = prepareModel({ name: 'fault', ...model }, {}, 'test');
  const log = new EventLog();
  const variants =
    links === undefined ? [] : [{ id: 'planted', about: 'a fault of the test', links }];
  const session = new Session(plan, {
    chooser: calmChooser,
    profile: profileOf(era),
    variants,
    log,
  });
  while (session.tick());
  const judged = judgeEvents(log.events());
  const verdicts = new Map(judged.map(({ guarantee, verdict }) => [guarantee.name, verdict]));
  return {
    log,
    says: (judge) => said(verdicts.get(judge)),
    faults: [...verdicts].flatMap(([name, verdict]) =>
      verdict.status === 'broken' ? [`${name}: ${verdict.why}`] : [],
    ),
  };
}

function said(verdict: Verdict | undefined): string {
  return verdict?.status === 'broken' ? verdict.why : (verdict?.status ?? 'no such judge');
}
