// Layer cli. The thread that records: a run occupies its thread from beginning to end, and somebody has to
// hear Ctrl-C meanwhile. Says everything in messages, its failures included.
import { parentPort, workerData } from 'node:worker_threads';
import { InputError, known } from '../assert.ts';
import { type RecordJob, type RecordSummary, recordHere } from './recorder.ts';

export type WorkerMessage =
  | { readonly kind: 'bytes'; readonly chunk: Uint8Array }
  | { readonly kind: 'progress'; readonly steps: number }
  | { readonly kind: 'done'; readonly summary: RecordSummary }
  | { readonly kind: 'wrong input'; readonly message: string }
  /** A message forgets names that JavaScript does not know. */
  | { readonly kind: 'fault'; readonly error: Error; readonly name: string };

const port = known(parentPort ?? undefined, 'this file runs in a worker thread');

function send(message: WorkerMessage): void {
  port.postMessage(message);
}

/** A copy that changes hands: the chunk may be a small view of a large buffer. */
function sendBytes(view: Uint8Array): void {
  const chunk = view.slice();
  port.postMessage({ kind: 'bytes', chunk } satisfies WorkerMessage, [chunk.buffer]);
}

function sendFault(error: Error): void {
  send({ kind: 'fault', error, name: error.name });
}

async function record(job: RecordJob): Promise<void> {
  try {
    const summary = await recordHere(job, {
      bytes: sendBytes,
      progress: (steps) => send({ kind: 'progress', steps }),
    });
    send({ kind: 'done', summary });
  } catch (error) {
    if (error instanceof InputError) send({ kind: 'wrong input', message: error.message });
    else sendFault(error instanceof Error ? error : new Error(String(error)));
  }
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `record-thread.ts` made it
await record(workerData as RecordJob);
