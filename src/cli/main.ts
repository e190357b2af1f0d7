#!/usr/bin/env node
// Layer cli. The program: the process as a `Shell`, and nothing else.
import { basename, relative } from 'node:path';
import { main } from './cli.ts';
import { refusal } from './files.ts';
import { tuneHeap } from './heap.ts';
import { quoteWord } from './quote.ts';
import { recordInThread } from './record-thread.ts';
import type { Output, Shell } from './shell.ts';

function outputOf(stream: NodeJS.WriteStream): Output {
  stream.on('error', () => undefined); // Each write reports its own failure.
  return {
    isTTY: stream.isTTY,
    columns: stream.isTTY ? stream.columns : 80,
    write: (text) =>
      new Promise((resolve, reject) => {
        stream.write(text, (error) => (error ? reject(unwritten(error)) : resolve()));
      }),
  };
}

/** A closed pipe is for `main` to know; a full disk is the user's to know. */
function unwritten(error: Error): unknown {
  if ('code' in error && error.code === 'EPIPE') return error;
  return refusal(error, 'cannot write the output', undefined);
}

/** `reprobe` where a shell finds it, else the way that this process was started. */
function ownCommand(cwd: string): string {
  const script = process.argv[1] ?? 'reprobe';
  if (!script.endsWith('.js')) {
    return process.env['npm_command'] === 'exec' ? 'npx reprobe' : quoteWord(basename(script));
  }
  const path = relative(cwd, script);
  return `node ${quoteWord(path.startsWith('../../') ? script : path)}`;
}

function onInterrupt(stop: () => void): () => void {
  process.once('SIGINT', stop);
  return () => void process.off('SIGINT', stop);
}

const cwd = process.cwd();
const shell: Shell = {
  out: outputOf(process.stdout),
  err: outputOf(process.stderr),
  env: process.env,
  cwd,
  self: ownCommand(cwd),
  record: recordInThread,
  onInterrupt,
};

tuneHeap();
process.exitCode = await main(process.argv.slice(2), shell);
