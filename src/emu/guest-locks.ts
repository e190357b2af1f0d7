// Layer emu. Mutexes and spinlocks that guests keep in their own memory: a lock's address is its identity, for as
// long as the memory is. Each has a name of its own, whatever its symbol is called. What lies there is not looked at: zero is unlocked, and nothing else is ever written.
import type { Address } from './address.ts';
import type { Context } from './context.ts';
import { mayUse } from './kernel-access.ts';
import {
  Mutex,
  mutexLock,
  mutexUnlock,
  SpinLock,
  spinLock,
  spinLockIrqsave,
  spinUnlock,
  spinUnlockIrqrestore,
} from './lock.ts';
import type { Machine } from './machine.ts';
import { refused, whenSleepable } from './misuse.ts';
import type { Path } from './path.ts';
import type { KObject } from './slab.ts';
import type { EmuStub } from './stub-table.ts';
import type { Stub, StubArguments } from './stubs.ts';

/** `struct mutex` and `spinlock_t` of include/linux. */
const LOCK_BYTES = 8;

/** The lock that the first argument points to; undefined after an oops. */
type Finder<T> = (cx: Context, args: StubArguments) => T | undefined;

/** The kernel symbols that take and release them. */
export function guestLocks(
  machine: Machine,
): Pick<Record<EmuStub, Stub>, Extract<EmuStub, `mutex_${string}` | `_raw_spin_${string}`>> {
  const mutex = finder((name) => new Mutex(machine.cells, name));
  const spin = finder((name) => new SpinLock(machine.cells, name));
  return {
    mutex_lock: {
      path: (cx, args) => whenSleepable(cx, () => lockMutex(cx, mutex, args)),
    },
    mutex_unlock: { path: (cx, args) => unlockMutex(cx, mutex, args) },
    _raw_spin_lock: { path: (cx, args) => lockSpin(cx, () => spin(cx, args), take) },
    _raw_spin_unlock: { path: (cx, args) => unlockSpin(cx, () => spin(cx, args), spinUnlock) },
    _raw_spin_lock_irqsave: { path: (cx, args) => lockSpin(cx, () => spin(cx, args), takeIrqsave) },
    _raw_spin_unlock_irqrestore: {
      path: (cx, args) =>
        unlockSpin(
          cx,
          () => spin(cx, args),
          (_cx, lock) => spinUnlockIrqrestore(cx, lock, args.lo(1) !== 0),
        ),
    },
  };
}

function finder<T>(make: (name: string) => T): Finder<T> {
  const known = new Map<Address, { readonly lock: T; readonly memory: KObject | undefined }>();
  return (cx, args) => {
    const at = args.address(0);
    const { machine } = cx.cpu;
    if (!mayUse(cx, { at, bytes: LOCK_BYTES, writes: true })) return undefined;
    const memory = machine.slab.holding(at);
    const present = known.get(at);
    if (present !== undefined && present.memory === memory) return present.lock;
    // A slash stands between class and member in names of the kernel's own locks.
    const lock = make(machine.nameOf(at).replaceAll('/', '.'));
    known.set(at, { lock, memory });
    return lock;
  };
}

function* lockMutex(cx: Context, find: Finder<Mutex>, args: StubArguments): Path<void> {
  const mutex = cx.make(() => find(cx, args));
  if (mutex !== undefined) yield* mutexLock(cx, mutex);
}

function* unlockMutex(cx: Context, find: Finder<Mutex>, args: StubArguments): Path<number> {
  const mutex = cx.make(() => find(cx, args));
  if (mutex === undefined) return 0;
  if (mutex.holder !== cx) return yield* refused(cx, 'unlock by another');
  yield* mutexUnlock(cx, mutex);
  return 0;
}

function* lockSpin(
  cx: Context,
  find: () => SpinLock | undefined,
  path: (cx: Context, lock: SpinLock) => Path<number>,
): Path<number> {
  const lock = cx.make(find);
  if (lock === undefined) return 0;
  if (lock.holder === cx) return yield* refused(cx, 'spinlock recursion');
  return yield* path(cx, lock);
}

function* take(cx: Context, lock: SpinLock): Path<number> {
  yield* spinLock(cx, lock);
  return 0;
}

function* takeIrqsave(cx: Context, lock: SpinLock): Path<number> {
  return (yield* spinLockIrqsave(cx, lock)) ? 1 : 0;
}

function* unlockSpin(
  cx: Context,
  find: () => SpinLock | undefined,
  path: (cx: Context, lock: SpinLock) => Path<void>,
): Path<number> {
  const lock = cx.make(find);
  if (lock === undefined) return 0;
  if (lock.holder !== cx) return yield* refused(cx, 'unlock by another');
  yield* path(cx, lock);
  return 0;
}
