// Layer replay. Where a program called the builder: what a line and a column are to a YAML file. For messages only;
// nothing of it enters a workload or a recording.

/** Frames of these modules are ours, not the program's. */
const OWN = /\/replay\/workload\/(?:build|call-site)\.[jt]s/u;
const FRAME = /^\s+at (?:.*\()?(?<place>(?:file:\/\/|\/|[A-Za-z]:\\).*:\d+:\d+)\)?$/u;

/** `file:line:column` of the nearest caller outside the builder; undefined where the host does not tell. */
export function callSite(): string | undefined {
  const lines = (new Error('a stack').stack ?? '').split('\n').slice(1);
  const line = lines.find((one) => !OWN.test(one));
  const place = line === undefined ? undefined : FRAME.exec(line)?.groups?.['place'];
  return place?.replace(/^file:\/\//u, '');
}
