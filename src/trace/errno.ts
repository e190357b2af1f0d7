// Layer trace. The kernel's error numbers, as the documents name them. Paths return them negative.
export const ENOENT = 2;
export const E2BIG = 7;
export const ENOMEM = 12;
export const EBUSY = 16;
export const EEXIST = 17;
export const ENODEV = 19;
export const EINVAL = 22;
export const ENOSPC = 28;
export const EILSEQ = 84;

/** 0, or a negative error number. */
export type Errno = number;
