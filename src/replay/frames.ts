// Layer replay. Drives a session to its end and says where frames are cut. Recording and replaying share this,
// so that their frames and state digests fall on the same steps.
import type { Session } from './session.ts';
import { type StateDigest, stateDigest } from './state-digest.ts';

/** A frame is cut after the step that brings it to this many events; a step may add a few more. */
const FRAME_EVENTS = 4000;
/** Progress is told every so many steps. */
const PROGRESS_STEPS = 1 << 14;

export interface FrameListener {
  /** Events up to `end` are complete; `state` is the machine's digest now. */
  frame(end: number, state: StateDigest): void;
  progress?(steps: number): void;
  /** True when nothing more needs to run. */
  enough?(): boolean;
}

/** Runs to the end, or until the listener has seen enough. */
export function driveFrames(session: Session, listener: FrameListener): void {
  const { log, machine } = session;
  let start = 0;
  let told = 0;
  let running = true;
  machine.eventsPause = FRAME_EVENTS;
  while (running) {
    running = session.tick();
    if (log.count - start >= FRAME_EVENTS || !running) {
      listener.frame(log.count, stateDigest(machine));
      start = log.count;
      machine.eventsPause = start + FRAME_EVENTS;
      if (listener.enough?.() === true) return;
    }
    if (machine.step - told >= PROGRESS_STEPS) {
      told = machine.step;
      listener.progress?.(told);
      if (listener.enough?.() === true) return;
    }
  }
}
