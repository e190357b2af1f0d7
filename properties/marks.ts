// How often each step of the kernel's paths was reached. Nobody counts, unless the program was marked
// (mark-programs.ts): the code that everybody else runs has no counters.

const STEPS_MAX = 4096;

/** By number of the step; zeros in a program without marks. */
export const reached: Float64Array = new Float64Array(STEPS_MAX);
