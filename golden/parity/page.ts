// golden/PARITY.md: how many cases of each truth file agree, each difference with its reason, and what is not there yet.
import { compareScenarios } from './api.ts';
import { compareContexts } from './context.ts';
import { compareFilters } from './filters.ts';
import { compareFprobes } from './fprobe.ts';
import { compareKprobes } from './kprobe.ts';
import type { Outcome } from './outcome.ts';
import type { KernelModel } from './rig.ts';
import { readFilterFacts, readScenarios } from './truth.ts';

interface Compared {
  readonly file: string;
  readonly outcomes: readonly Outcome[];
}

/** The kernels of golden/truth, by the ending of their files. 6.1 was built without landing pads. */
export const BUILDS: readonly { readonly build: string; readonly model: KernelModel }[] = [
  { build: '', model: { profile: 'v6.12', landingPad: true } },
  { build: '.6.1', model: { profile: 'v6.1', landingPad: false } },
];

/** Compares everything that golden/truth says of ftrace and of probes, but for their files. */
export function compareAll(folder: string): readonly Compared[] {
  return BUILDS.flatMap(({ build, model }) => [
    {
      file: `filters${build}.json`,
      outcomes: compareFilters(readFilterFacts(folder, `filters${build}.json`), model),
    },
    {
      file: `api${build}.json`,
      outcomes: [
        ...compareScenarios(readScenarios(folder, `api${build}.json`, 'ftrace'), model),
        ...compareFprobes(readScenarios(folder, `api${build}.json`, 'fprobe'), model),
        ...compareKprobes(readScenarios(folder, `api${build}.json`, 'kprobe'), model),
        ...compareKprobes(readScenarios(folder, `api${build}.json`, 'kretprobe'), model),
        ...compareContexts(readScenarios(folder, `api${build}.json`, 'context'), model),
      ],
    },
  ]);
}

/** Was all of it compared? */
function isWhole({ missing }: Outcome): boolean {
  return missing.length === 0;
}

/** Is it equal, but for differences that have a reason? */
function agrees(outcome: Outcome): boolean {
  return isWhole(outcome) && outcome.differences.every(({ reason }) => reason !== undefined);
}

const HEAD = `# Parity

What a real kernel did (golden/truth, see its README.md) and what this one does with the same calls. Written by
\`npm run parity\`; a test holds it against the runs. Only what went through the kernel's calls counts: a task calls
\`ftrace_set_filter\` and the others with structs and strings in guest memory, and the recorded events say what they
returned and who ran. Of \`api*.json\` these are the scenarios of ftrace (F), fprobe (P), kprobes (K), kretprobes (R), handlers
that are interrupted (C), and X where their calls are misused, of \`filters*.json\` the cases that are calls: one word a write, and no command. Opening a file with \`>\` is
\`ftrace_set_filter(ops, NULL, 0, 1)\`.

An accepted difference has one of four reasons: address or size, build-dependent value, RV64 mapping, crash of the real
kernel that is an event here. Anything else is a defect and fails the test.
`;

export function parityPage(compared: readonly Compared[]): string {
  return [
    HEAD,
    ...tableOf(
      ['file', 'agree', 'of them with an accepted difference', 'not yet', 'defects'],
      compared.map(countsOf),
    ),
    '## Accepted differences\n',
    ...tableOf(
      ['file', 'case', 'what', 'there', 'here', 'reason'],
      compared.flatMap(differencesOf),
    ),
    '## Not yet\n',
    ...tableOf(['file', 'what it needs', 'cases'], compared.flatMap(missingOf)),
    'Not shown by the truth: F09 has a name that is refused and looks like one that is taken, in a buffer of unknown size. A',
    'newline behind it is taken for what was there, whatever the answer. F41 reads the sysctl: here a hook that fires, or does not, says what it is. Of F21 and F22 all',
    'steps but those that read the file are compared. Of the functions that K04 and R07 name this kernel has those of its own',
    'image: one that is on the blacklist there (KP-14) is a NOKPROBE_SYMBOL here. Lines CONFIG_ of R02 say how a kernel was built.\n',
  ].join('\n');
}

function countsOf({ file, outcomes }: Compared): readonly string[] {
  const agreeing = outcomes.filter(agrees);
  const differing = agreeing.filter(({ differences }) => differences.length > 0).length;
  const missing = outcomes.filter((one) => !isWhole(one)).length;
  const wrong = outcomes.filter(({ differences }) =>
    differences.some(({ reason }) => reason === undefined),
  );
  const counts = [differing, missing, wrong.length].map(String);
  return [file, `${agreeing.length}/${outcomes.length}`, ...counts];
}

function differencesOf({ file, outcomes }: Compared): readonly (readonly string[])[] {
  return outcomes.flatMap(({ id, differences }) =>
    differences.map(({ what, there, here, reason }) => [
      file,
      id,
      what,
      there,
      here,
      reason ?? 'DEFECT',
    ]),
  );
}

function missingOf({ file, outcomes }: Compared): readonly (readonly string[])[] {
  const needs = [...new Set(outcomes.flatMap(({ missing }) => missing))].toSorted();
  return needs.map((need) => {
    const ids = outcomes.filter(({ missing }) => missing.includes(need)).map(({ id }) => id);
    return [file, need, ids.join(' ')];
  });
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  return [rowOf(head), rowOf(head.map(() => '---')), ...rows.map(rowOf), ''];
}

function rowOf(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
