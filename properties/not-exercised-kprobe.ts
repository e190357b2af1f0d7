// Steps of kprobes that no recorded golden reaches yet, as in `not-exercised.ts`: unit tests in src/trace and the searches of
// properties/kprobe-*.test.ts do them.

const KPROBE = 'no golden with kprobes comes there yet; unit tests in src/trace do it';
const JUDGED =
  'no golden and no property of a guarantee meets it yet; properties/kprobe-*.test.ts do';

export const KPROBES_NOT_EXERCISED: Readonly<Record<string, string>> = {
  'step CC-H10 kprobe-handlers: optPreHandler readOnce(node.first)': KPROBE,
  'step CC-H6.6 kprobe-eras: readAgain act(k.machine.textCell, () => k.machine.memory.load16(pc))':
    KPROBE,
  'step CC-H9.3 kprobe-opt-hit: optimizedCallback preemptDisable(cx)': KPROBE,
  'step CC-H9.4 kprobe-opt-hit: optimizedCallback readOnce(node.flags)': KPROBE,
  'step CC-H9.4 kprobe-opt-hit: optimizedHit readOnce(cx.make(() => currentKprobe(k, cx.cpu)))':
    KPROBE,
  'step CC-H9.5 kprobe-opt-hit: optimizedCallback preemptEnable(cx)': KPROBE,
  "step CC-S10.3-5 kprobe-register: plantKprobe synchronize(cx, 'synchronize_rcu')": KPROBE,
  'step CC-S11.6 kprobe-detour: archRemoveOptimizedKprobe': KPROBE,
  'step CC-S13.0 kprobe-opt: queueToOptimize update(node.flags, (flags) => flags | KPROBE_FLAG_OPTIMIZED)':
    KPROBE,
  'step CC-S13.1 kprobe-opt: forceUnoptimizeKprobe update(node.flags, (flags) => flags & ~KPROBE_FLAG_OPTIM ...':
    KPROBE,
  'step CC-S13.1 kprobe-optimizer: archUnoptimizeKprobe writeHalf(cx, addr, 0, C_EBREAK)': KPROBE,
  'step CC-S13.1 kprobe-optimizer: archUnoptimizeKprobe writeHalf(cx, addr, 1, tail)': KPROBE,
  'step CC-S13.1 kprobe-optimizer: doUnoptimizeKprobes update(node.flags, (flags) => flags & ~KPROBE_FLAG_OPTIM ...':
    KPROBE,
  'step CC-S13.2 kprobe-optimizer: optimizerSynchronize': KPROBE,
  'step CC-S13.3 kprobe-optimizer: doOptimizeKprobes': KPROBE,
  'step CC-S13.4 kprobe-optimizer: doFreeCleanedKprobes': KPROBE,
  'step CC-S14 kprobe-switch: armAllKprobes writeOnce(allDisarmed, false)': KPROBE,
  'step CC-S14 kprobe-switch: disarmAllKprobes writeOnce(allDisarmed, true)': KPROBE,
  'step CC-S19.4 kprobe-aggregate: addNewKprobe writeOnce(node.hasPost, true)': KPROBE,
  'step fprobe-shortage: fgraphNoFrame': KPROBE,
  'step fprobe-shortage: fprobeNoData': KPROBE,
  "step kprobe-aggregate: enableAggregateFor synchronize(cx, 'synchronize_rcu')": KPROBE,
  'step kprobe-aggregate: enableAggregateFor update(node.flags, (flags) => flags & ~KPROBE_FLAG_DISABLED)':
    KPROBE,
  'step kprobe-aggregate: enableAggregateFor update(node.flags, (flags) => flags | KPROBE_FLAG_DISABLED)':
    KPROBE,
  'step kprobe-detour: archPrepareOptimizedKprobe': KPROBE,
  'step kprobe-eras: addWithJprobe act(node.first, () => { p.next.set(undefined); const las ...':
    KPROBE,
  'step kprobe-eras: reenterOfOld act(k.machine.textCell, () => { k.machine.text.store(cx. ...':
    KPROBE,
  'step kprobe-files: hasKprobeBlacklist': KPROBE,
  'step kprobe-opt-hit: setupDetourExecution readOnce(node.flags)': KPROBE,
  'step kprobe-opt: cancelOptimize update(node.flags, (flags) => flags & ~KPROBE_FLAG_OPTIM ...':
    KPROBE,
  'step kprobe-opt: cancelUnoptimize': KPROBE,
  'step kprobe-opt: killOptimizedKprobe update(node.flags, (flags) => flags & ~KPROBE_FLAG_OPTIM ...':
    KPROBE,
  'step kprobe-opt: regionAt': KPROBE,
  'step kprobe-opt: reuseUnusedKprobe update(node.flags, (flags) => flags & ~KPROBE_FLAG_DISABLED)':
    KPROBE,
  'step kprobe-opt: unoptimizeForPost mutexLock(cx, k.textMutex)': KPROBE,
  'step kprobe-opt: unoptimizeForPost mutexUnlock(cx, k.textMutex)': KPROBE,
  "step kprobe-optimizer: kickKprobeOptimizer act(work, () => { if (work.value !== 'none') return; wor ...":
    KPROBE,
  'step kprobe-optimizer: kprobeOptimizer fetchAdd(optimizer.runs, 1)': KPROBE,
  'step kprobe-optimizer: kprobeOptimizer mutexLock(cx, k.textMutex)': KPROBE,
  'step kprobe-optimizer: kprobeOptimizer mutexLock(cx, mutex)': KPROBE,
  'step kprobe-optimizer: kprobeOptimizer mutexUnlock(cx, k.textMutex)': KPROBE,
  'step kprobe-optimizer: kprobeOptimizer mutexUnlock(cx, mutex)': KPROBE,
  'step kprobe-optimizer: removeDetour update(detour, () => undefined)': KPROBE,
  "step kprobe-optimizer: waitForKprobeOptimizer act(work, () => { if (work.value === 'delayed') work.set ...":
    KPROBE,
  'step kprobe-optimizer: waitForKprobeOptimizer mutexLock(cx, mutex)': KPROBE,
  'step kprobe-optimizer: waitForKprobeOptimizer mutexUnlock(cx, mutex)': KPROBE,
  'step kprobe-optimizer: waitForKprobeOptimizer sleepUntil(runs, (count) => count > before)':
    KPROBE,
  "step kprobe-optimizer: worker sleepUntil(work, (state) => state === 'due')": KPROBE,
  "step kprobe-optimizer: worker writeOnce(work, 'none')": KPROBE,
  'step kprobe-prepare: endBoost writeOnce(node.slot, slot)': KPROBE,
  'step kprobe-prepare: reviveAggregate update(node.flags, (flags) => (flags & ~KPROBE_FLAG_GONE ...':
    KPROBE,
  'step kprobe-prepare: reviveAggregate writeOnce(node.slot, slot)': KPROBE,
  'step kprobe-step: mayBoost': KPROBE,
  'step kprobe-switch: armAllKprobes mutexLock(cx, mutex)': KPROBE,
  'step kprobe-switch: armAllKprobes mutexUnlock(cx, mutex)': KPROBE,
  'step kprobe-switch: disarmAllKprobes mutexLock(cx, mutex)': KPROBE,
  'step kprobe-switch: disarmAllKprobes mutexUnlock(cx, mutex)': KPROBE,
  'step kprobe-switch: enableFailed': KPROBE,
  'step kprobe-switch: killKprobe writeOnce(node.hasPost, false)': KPROBE,
  'step kprobe-switch: parseEnabled': KPROBE,
  'step kprobe-switch: writeOptimization mutexLock(cx, mutex)': KPROBE,
  'step kprobe-switch: writeOptimization mutexUnlock(cx, mutex)': KPROBE,
  'step kprobe-trap: kprobeNotOurs': KPROBE,
  'step kprobe-unregister: clearKprobeAddr act(p.flags, () => { if (p.memory?.live !== false) store ...':
    KPROBE,
  'step kretprobe: defaultMaxactive': KPROBE,
  'step module: modulePut fetchAdd(module.refs, -1)': KPROBE,
  'rule CC-S12 (filter-swap)': JUDGED,
  'rule FT-44 (filter-swap)': JUDGED,
  'rule KP-10.4 (failed-call)': JUDGED,
  'rule KP-26 (failed-call)': JUDGED,
  'rule KP-27 (failed-call)': JUDGED,
  'rule KP-32 (nmissed)': JUDGED,
  'rule KP-32 (pairing)': JUDGED,
  'rule KP-45 (pairing)': JUDGED,
  'rule KP-50 (filter-swap)': JUDGED,
};
