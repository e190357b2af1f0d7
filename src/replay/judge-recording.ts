// Layer replay. Every guarantee over the events of a run or of a recording.
import type { EventLog } from './event-log.ts';
import { judgeEvents } from './guarantee/index.ts';
import type { Guarantee, Verdict } from './guarantee/judge.ts';

export function judgeLog(
  log: EventLog,
): readonly { readonly guarantee: Guarantee; readonly verdict: Verdict }[] {
  return judgeEvents(log);
}
