// Layer replay. Which results of a call on an fprobe the documents allow (FP-22, FP-23, FP-40, FP-50, FP-51, FP-53, FP-55, section 1 of
// docs/spec/fprobe.md), from the arguments of the call, the state that earlier calls left, and what the struct held.
//
// Left alone: patterns that ftrace and glob(7) read differently; what else the ops of a rethook asks for; a struct that
// nobody has told of, which may want too much data.
import type { EventOf } from '../schema.ts';
import { EBUSY, EINVAL, ENOENT, ENOMEM } from './errno-rules.ts';
import { type Fprobe, sitesMatching } from './fprobes.ts';
import type { FunctionTable } from './functions.ts';
import { readAddress } from './ops.ts';

const E2BIG = -7;
const EEXIST = -17;
const NULL = 2;
const NOBODY = 0;
/** FP-50. */
const DATA_BYTES_MAX = 120;
/** Beyond these a pool may be too much for the memory that there is (P06, FP-22). */
const DATA_BYTES_MANY = 4096;
const NODES_MANY = 1000;

export interface FprobeCircumstances {
  readonly functions: FunctionTable;
  readonly isRethook: boolean;
  /** v6.14: the second registration of a struct succeeds, by mistake (FP-53). */
  readonly isBlind: boolean;
  /** Was it registered when the call began? Undefined: others called on it meanwhile. */
  readonly registered: boolean | undefined;
  /** It was registered some time before. */
  readonly known: boolean;
  /** What the struct held, if this call has told. */
  readonly told: EventOf<'fprobe'> | undefined;
  readonly starved: boolean;
  /** The ops of some fprobe was accepted: what is wrong with this one's would be its own affair. */
  readonly accepted: boolean;
}

/** The results that are right, in the order in which they are named; undefined: nobody knows. */
export function fprobeResults(
  begin: EventOf<'ctl_begin'>,
  at: FprobeCircumstances,
): readonly number[] | undefined {
  if (begin.op === 'disable_fprobe' || begin.op === 'enable_fprobe') return [0];
  if (begin.object === NOBODY) return [EINVAL];
  if (begin.op.startsWith('unregister_fprobe')) return unregisterResults(at);
  const wrong = argumentError(begin, at);
  if (wrong === 'unknown') return undefined;
  if (wrong !== undefined) return [wrong];
  return at.isRethook ? rethookResults(at) : graphResults(at);
}

function unregisterResults({
  isRethook,
  known,
  registered,
}: FprobeCircumstances): readonly number[] {
  if (registered === undefined) return isRethook ? [0, EBUSY, EINVAL] : [0, EINVAL];
  if (registered) return [0];
  // Its ops may have been zeroed since (FP-40.1).
  return isRethook && known ? [EBUSY, EINVAL] : [EINVAL];
}

/** FP-50, FP-53: what the struct wants is looked at first, and whether it is there last. */
function graphResults(at: FprobeCircumstances): readonly number[] {
  const { isBlind, registered, starved, told } = at;
  const short = starved ? [ENOMEM] : [];
  if (registered === true) return [isBlind ? 0 : EEXIST, ...short, E2BIG];
  const exists = registered === undefined ? [EEXIST] : [];
  if (told === undefined) return [E2BIG, ...short, ...exists];
  return told.data_size > DATA_BYTES_MAX ? [E2BIG] : [0, ...short, ...exists];
}

/** FP-22, FP-23. */
function rethookResults(at: FprobeCircumstances): readonly number[] {
  const { accepted, registered, starved, told } = at;
  const hasPool = told === undefined || told.exit !== -1;
  if (told !== undefined && hasPool && told.maxactive < 0) return [EINVAL];
  const isWide =
    told === undefined || told.data_size > DATA_BYTES_MANY || told.maxactive > NODES_MANY;
  const short = starved || (hasPool && isWide) ? [ENOMEM] : [];
  const refused = accepted && told !== undefined ? [] : [EINVAL];
  if (registered === true) return [EBUSY, ...short, ...refused];
  return [0, ...short, ...(registered === undefined ? [EBUSY] : []), ...refused];
}

/** What is wrong with what is to be hooked; undefined: nothing. */
function argumentError(
  { flags, op, text }: EventOf<'ctl_begin'>,
  { functions, isRethook }: FprobeCircumstances,
): number | 'unknown' | undefined {
  if ((flags & NULL) !== 0) return EINVAL;
  if (op === 'register_fprobe') return filterError(functions, text, isRethook);
  if (text === '') return EINVAL;
  const words = text.split(' ');
  const { traceable } = functions;
  if (op === 'register_fprobe_syms') {
    const found = words.filter((word) => traceable.some(({ name }) => name === word));
    const isTwice = new Set(words).size < words.length;
    return found.length < words.length || isTwice ? ENOENT : undefined;
  }
  const addresses = words.map(readAddress);
  const isExact = (ip: number): boolean =>
    traceable.some(({ address, site }) => ip === address || ip === site);
  if (addresses.every(isExact)) return undefined;
  const isFar = (ip: number): boolean =>
    traceable.every(({ address, site }) => ip < address || ip > site + SITE_BYTES_MAX);
  return addresses.some(isFar) ? EINVAL : 'unknown';
}

/** What lies behind a function's first bytes is no site. */
const SITE_BYTES_MAX = 8;

function filterError(
  functions: FunctionTable,
  text: string,
  isRethook: boolean,
): number | 'unknown' | undefined {
  const [filter = '', notfilter] = text.split('\n');
  const found = sitesMatching(functions, isRethook ? filter : text);
  const without = notfilter === undefined ? undefined : sitesMatching(functions, notfilter);
  if (found === undefined || (isRethook && notfilter !== undefined && without === undefined))
    return 'unknown';
  if (found.size === 0) return isRethook ? EINVAL : ENOENT;
  return isRethook && without?.size === 0 ? EINVAL : undefined;
}

/** Has it been registered some time, as far as calls tell? */
export function wasRegistered({ ended, generation, ran }: Fprobe): boolean {
  return generation !== 0 || ended.size > 0 || ran.size > 0;
}
