// Layer cli. Starts `record-worker.ts` and passes on what it says.
import { Worker } from 'node:worker_threads';
import { InputError } from '../assert.ts';
import type { WorkerMessage } from './record-worker.ts';
import type { RecordJob, RecordListener, RecordSummary } from './recorder.ts';
import type { Running } from './shell.ts';

/** `.js` when built, `.ts` where Node strips types. */
const WORKER = new URL(`./record-worker${import.meta.url.slice(-3)}`, import.meta.url);

export function recordInThread(job: RecordJob, listener: RecordListener): Running {
  const worker = new Worker(WORKER, { workerData: job });
  const done = new Promise<RecordSummary | undefined>((resolve, reject) => {
    worker.on('message', (message: WorkerMessage) => {
      switch (message.kind) {
        case 'bytes':
          return heard(() => listener.bytes(message.chunk));
        case 'progress':
          return listener.progress(message.steps);
        case 'done':
          return resolve(message.summary);
        case 'wrong input':
          return reject(new InputError(message.message));
        case 'fault':
          return reject(Object.assign(message.error, { name: message.name }));
      }
    });
    worker.on('error', reject);
    worker.on('exit', () => resolve(undefined)); // After `done` this says nothing new.

    /** A full disk ends the recording, not the process. */
    function heard(listen: () => void): void {
      try {
        listen();
      } catch (error) {
        void worker.terminate();
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    }
  });
  return { done, stop: () => void worker.terminate() };
}
