// Layer replay. Error numbers by name, as workloads have them.
import {
  E2BIG,
  EBUSY,
  EEXIST,
  EILSEQ,
  EINVAL,
  ENODEV,
  ENOENT,
  ENOMEM,
  ENOSPC,
} from '../../trace/errno.ts';

/** The kernel's error numbers that an operation can be expected to return, by name. */
export const ERRNO: Readonly<Record<string, number>> = {
  E2BIG,
  EBUSY,
  EEXIST,
  EILSEQ,
  EINVAL,
  ENODEV,
  ENOENT,
  ENOMEM,
  ENOSPC,
};
