// Layer replay. Which entry of a function a callback belongs to, from ground truth alone: the
// machine's `func_enter`, `func_return` and `site_fetch`. What is legal for a callback is decided
// by what was in force from the moment on at which its hit began (FT-42), not by when the callback
// came to run: a task can be preempted in between for as long as it likes.

/** A traceable function that was entered and has not returned. */
export interface Frame {
  readonly site: number;
  /** With what it was entered: the stack, and where it returns to. */
  readonly sp: number;
  readonly ra: number;
  /** Index of the entry. */
  readonly entered: number;
  /** Index of the event that began the hit: the fetch of the site, or the entry before it. */
  began: number;
  fetched: boolean;
  readonly below: Frame | undefined;
}

/** One level of one task (or of one CPU's idle task). */
export interface ContextStack {
  top: Frame | undefined;
}

/** Level and task in one number; idle tasks all have pid 0, so there the CPU tells them apart. */
export function contextKey(pid: number, cpu: number, level: number): number {
  return (pid === 0 ? -1 - cpu : pid) * 8 + level;
}

/** The traceable function of `site` is entered. */
export function enterFunction(
  stack: ContextStack,
  site: number,
  { sp, ra, index }: { readonly sp: number; readonly ra: number; readonly index: number },
): void {
  // Stacks grow down: what was entered with a lower or the same sp has returned or was left by a
  // tail call, so its hit is over, whether or not its return was seen.
  let below = stack.top;
  while (below !== undefined && below.sp <= sp) below = below.below;
  stack.top = { site, sp, ra, entered: index, began: index, fetched: false, below };
}

/**
 * The site is fetched at event `index`: the hit begins. Fetched again (after a trap), it goes on.
 */
export function fetchSite(stack: ContextStack, site: number, index: number): void {
  const { top } = stack;
  if (top === undefined || top.site !== site || top.fetched) return;
  top.began = index;
  top.fetched = true;
}

/** The function of `site` returned: it, which is the result, and all that it called are gone. */
export function leaveFunction(stack: ContextStack, site: number): Frame | undefined {
  const left = innermost(stack, site);
  if (left !== undefined) stack.top = left.below;
  return left;
}

/** Index of the event at which the hit at `site` began; -1 when the run does not tell. */
export function hitBegan(stack: ContextStack, site: number): number {
  return innermost(stack, site)?.began ?? -1;
}

/** The innermost function that was entered before event `index`. */
export function frameBefore(stack: ContextStack, index: number): Frame | undefined {
  let frame = stack.top;
  while (frame !== undefined && frame.entered >= index) frame = frame.below;
  return frame;
}

/** Site of the innermost function; -1 outside of all. */
export function innermostSite(stack: ContextStack): number {
  return stack.top?.site ?? -1;
}

/** Has the function of `site` not returned? */
export function isWithin(stack: ContextStack, site: number): boolean {
  return innermost(stack, site) !== undefined;
}

/** The innermost call of the function of `site` that has not returned. */
export function innermost(stack: ContextStack, site: number): Frame | undefined {
  let frame = stack.top;
  while (frame !== undefined && frame.site !== site) frame = frame.below;
  return frame;
}
