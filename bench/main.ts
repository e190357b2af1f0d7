// `npm run bench`: measures everything in this process, round by round, and prints one table. docs/bench.md says
// what its lines mean.
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { InputError } from '../src/assert.ts';
import { tuneHeap } from '../src/cli/heap.ts';
import { type Clock, cpuClock, wallClock } from './clock.ts';
import { encoding } from './encoding.ts';
import { fprobes } from './fprobes.ts';
import { hits } from './hits.ts';
import { hooks, PROBE_HIT } from './hooks.ts';
import { mutants } from './mutants.ts';
import { phases } from './phases.ts';
import { processor } from './processor.ts';
import { sites } from './sites.ts';
import { type Outcome, runSuites, type Suite } from './suite.ts';
import { formatTable } from './table.ts';
import { wholeRuns } from './whole-runs.ts';

const SUITES: Readonly<Record<string, Suite>> = {
  processor,
  hooks,
  hits,
  fprobes,
  sites,
  encoding,
  runs: wholeRuns,
  phases,
  mutants,
};

const CLOCKS: Readonly<Record<string, Clock>> = { cpu: cpuClock, wall: wallClock };

const USAGE = `npm run bench -- [options]
  --toy          tiny sizes: checks that everything runs and comes out the same
  --only SUITE   ${Object.keys(SUITES).join(', ')}; may be repeated
  --rounds N     how many rounds are counted (7; toy 2)
  --clock CLOCK  cpu: processor time of this process, helper threads included; or wall (cpu)
  --json         prints data in place of the table
  --check        exits with 1 when a budget is missed
`;

tuneHeap();
const { values } = parseArgs({
  options: {
    toy: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: Object.keys(SUITES) },
    rounds: { type: 'string' },
    clock: { type: 'string', default: 'cpu' },
    json: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const WARMUPS = 2;
const ROUNDS = 7;
const TOY_ROUNDS = 2;

if (values.help) process.stdout.write(USAGE);
else main();

function main(): void {
  const { toy, json } = values;
  const rounds = Number(values.rounds ?? (toy ? TOY_ROUNDS : ROUNDS));
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new InputError('--rounds takes a count from 1');
  const suites = values.only.map((name) => lookUp(SUITES, name, '--only'));
  const clock = lookUp(CLOCKS, values.clock, '--clock');
  const warmups = toy ? 0 : WARMUPS;
  const outcome = runSuites({ suites, warmups, rounds, clock, toy }, (round) => {
    if (process.stderr.isTTY) process.stderr.write(`\rround ${round + 1} of ${warmups + rounds}`);
  });
  if (process.stderr.isTTY) process.stderr.write('\r\u001B[K');
  console.log(json ? jsonOf(outcome) : textOf(outcome));
  const missed = outcome.rows.some(({ margin }) => margin !== undefined && margin < 1);
  if (values.check && !toy && missed) process.exitCode = 1;
}

function lookUp<T>(table: Readonly<Record<string, T>>, name: string, option: string): T {
  const found = table[name];
  if (found !== undefined) return found;
  throw new InputError(`${option} takes one of ${Object.keys(table).join(', ')}, not ${name}`);
}

function textOf(outcome: Outcome): string {
  const table = formatTable(outcome, values.toy);
  const hit = outcome.rows.find(({ name }) => name === PROBE_HIT);
  const cost = hit?.compared;
  if (cost === undefined) return table;
  return `${table}\n\nprobe-hit cost: ${cost.toFixed(0)} guest instructions of the same image unhooked`;
}

function jsonOf({ y, rows }: Outcome): string {
  const { toy, clock } = values;
  const host = { node: process.version, load: loadavg() };
  return JSON.stringify({ y, toy, clock, host, rows }, undefined, 2);
}
