// The help texts, as a user sees them.
import { expect, test } from 'vitest';
import { capture } from './captured-shell.ts';
import { main } from './cli.ts';

async function help(...argv: string[]): Promise<string> {
  const { shell, out, err } = capture();
  expect(await main(argv, shell)).toBe(0);
  expect(err()).toBe('');
  return out();
}

test('reprobe --help', async () => {
  expect(await help('--help')).toMatchInlineSnapshot(`
    "reprobe <command>

    Deterministic record and replay for Linux function tracing.

    Commands:
      reprobe record <workload>        Run a workload and record the run
      reprobe replay <recording>       Run a recording again and compare every event
      reprobe report <recording>       Print a recording
      reprobe judge <recording>        Judge a recording by every documented
                                       guarantee
      reprobe explain <recording>      Say why a hit of a recording ran no handler
      reprobe cat <recording> [path]   Print a file of debugfs as it was at an event
      reprobe eras <workload>          Run a workload in several kernel eras, show
                                       what differs
      reprobe disasm <image> [symbol]  Print the instructions of an image
      reprobe schema                   Print the JSON schema of a workload
      reprobe variants                 List the changed kernels for record --variant
      reprobe completion               Print a completion script for bash or zsh

    Options:
          --version  Show version number                                   [boolean]
      -h, --help     Show help                                             [boolean]

    Examples:
      reprobe record swap.yaml -o swap.trace    run a workload and write down the
      --seed 7                                  run
      reprobe replay swap.trace                 run it again and compare every event
      reprobe report swap.trace --format        read it as the kernel's trace file
      ftrace
      reprobe judge swap.trace                  see which documented guarantees held

    Exit status:
      0  fine
      1  a divergence, a broken guarantee, or an expectation that was not met
      2  wrong input or usage
     70  a fault of reprobe itself; it prints the seed and the command that shows it
    130  stopped by Ctrl-C; the recording holds what was done
    141  nobody reads the output
    "
  `);
  expect(await help('-h')).toBe(await help('--help'));
});

test('reprobe record --help', async () => {
  expect(await help('record', '--help')).toMatchInlineSnapshot(`
    "reprobe record <workload>

    Run a workload and record the run

    Positionals:
      workload  A YAML file (see: reprobe schema)                [string] [required]

    Options:
          --version   Show version number                                  [boolean]
      -h, --help      Show help                                            [boolean]
      -o, --output    File to write [default: WORKLOAD.trace here]          [string]
          --seed      Seed of the chooser [default: the workload's, or 1]   [string]
          --chooser   Who decides what a machine leaves open
                                     [choices: "random", "calm"] [default: "random"]
          --profile   Which kernel era is emulated
           [choices: "today", "v6.18", "v6.14", "v6.12", "v6.1", "v5.18", "v2.6.31"]
                                                                  [default: "today"]
          --variant   Replace parts of the kernel by a variant (see: reprobe
                      variants)                                [array] [default: []]
          --handlers  Module that defines its TypeScript handlers
                                                               [array] [default: []]
          --json      Print the summary as JSON           [boolean] [default: false]

    Examples:
      reprobe record swap.yaml                  write swap.trace
      reprobe record swap.yaml -o bad.trace     run a kernel with a planted fault
      --seed 7 --variant M-13
    "
  `);
});

test('reprobe report --help', async () => {
  expect(await help('report', '--help')).toMatchInlineSnapshot(`
    "reprobe report <recording>

    Print a recording

    Positionals:
      recording  A .trace file                                   [string] [required]

    Options:
          --version  Show version number                                   [boolean]
      -h, --help     Show help                                             [boolean]
          --format   text: every event, lossless; ftrace: as the kernel prints it
                               [choices: "text", "ftrace", "json"] [default: "text"]
          --cpu      Only events of this CPU                                [string]
          --summary  Count events instead of showing them [boolean] [default: false]
          --json     The same as --format json            [boolean] [default: false]

    Examples:
      reprobe report swap.trace | less          every event
      reprobe report swap.trace --format        what the kernel would print for CPU
      ftrace --cpu 1                            1
      reprobe report swap.trace --summary       how many events of which kind
    "
  `);
});

test('reprobe cat --help', async () => {
  expect(await help('cat', '--help')).toMatchInlineSnapshot(`
    "reprobe cat <recording> [path]

    Print a file of debugfs as it was at an event

    Positionals:
      recording  A .trace file                                   [string] [required]
      path       kprobes/list, kprobes/enabled or kprobes/blacklist         [string]

    Options:
          --version   Show version number                                  [boolean]
      -h, --help      Show help                                            [boolean]
          --at        Number of an event [default: the last one]            [string]
          --handlers  Module that defines its TypeScript handlers
                                                               [array] [default: []]

    Examples:
      reprobe cat swap.trace kprobes/list       at the end of the run
      reprobe cat swap.trace kprobes/list --at  behind the step of event 120
      120
    "
  `);
});

test('reprobe explain --help', async () => {
  expect(await help('explain', '--help')).toMatchInlineSnapshot(`
    "reprobe explain <recording>

    Say why a hit of a recording ran no handler

    Positionals:
      recording  A .trace file                                   [string] [required]

    Options:
          --version  Show version number                                   [boolean]
      -h, --help     Show help                                             [boolean]
          --miss     Why this one was missed or passed over; they count from 1
                                                                            [string]
          --json     Print the list, or the answer, as JSON
                                                          [boolean] [default: false]

    Examples:
      reprobe explain swap.trace           misses by probe and reason, with their
                                           numbers
      reprobe explain swap.trace --miss 3  the third one: its rule, and who held
                                           what
    "
  `);
});

test('reprobe eras --help', async () => {
  expect(await help('eras', '--help')).toMatchInlineSnapshot(`
    "reprobe eras <workload>

    Run a workload in several kernel eras, show what differs

    Positionals:
      workload  A YAML file (see: reprobe schema)                [string] [required]

    Options:
          --version   Show version number                                  [boolean]
      -h, --help      Show help                                            [boolean]
          --profiles  Eras, with commas between [default: all that have what it
                      uses]                                                 [string]
          --seed      Seed of the chooser in every era; schedules still differ where
                      eras take different steps [default: the workload's, or 1]
                                                                            [string]
          --chooser   Who decides what a machine leaves open
                                     [choices: "random", "calm"] [default: "random"]
          --handlers  Module that defines its TypeScript handlers
                                                               [array] [default: []]
          --all       Also what is the same in every era  [boolean] [default: false]
          --json      Print the rows as JSON              [boolean] [default: false]

    Examples:
      reprobe eras swap.yaml                    what differs between all eras
      reprobe eras swap.yaml --profiles         between two, without preemption
      v6.12,today --chooser calm
    "
  `);
});

test('reprobe disasm --help', async () => {
  expect(await help('disasm', '--help')).toMatchInlineSnapshot(`
    "reprobe disasm <image> [symbol]

    Print the instructions of an image

    Positionals:
      image   An ELF file                                        [string] [required]
      symbol  Only this function                                            [string]

    Options:
          --version  Show version number                                   [boolean]
      -h, --help     Show help                                             [boolean]

    Examples:
      reprobe disasm store.elf | less     as objdump -d prints it
      reprobe disasm store.elf queue_pop  one function
    "
  `);
});

test('reprobe --version', async () => {
  expect(await help('--version')).toMatch(/^\d+\.\d+\.\d+\n$/u);
});

test('reprobe schema prints a JSON schema', async () => {
  const schema: unknown = JSON.parse(await help('schema'));
  expect(schema).toMatchObject({ type: 'object', properties: { name: {}, machine: {} } });
});

test('reprobe completion prints a script that calls reprobe', async () => {
  expect(await help('completion')).toContain('reprobe --get-yargs-completions');
});
