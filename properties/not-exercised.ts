// What exists and is never exercised, each with its reason; whatever else is not, fails the test. A line whose
// thing is exercised by now has to go.

const ENDING = 'runs of the kernel as it is do not end so, or the properties fail';
const FPROBE = 'fprobe is being built';
const KILL = 'nobody but ftrace writes its sites; src/trace/ftrace.test.ts does';

/** By section and name, as in the table of `npm run -s exercised`. */
export const NOT_EXERCISED: Readonly<Record<string, string>> = {
  'event oops': ENDING,
  'event deadlock': ENDING,
  'event no_progress': ENDING,
  'event func_abandon':
    'functions of these runs return; those of src/trace/abandoned.test.ts do not',
  'event unwind': FPROBE,
  'step ftrace-modify: ftraceBug': KILL,
  'step CC-H11.3 kprobe-busy: kprobeBusyBegin writeOnce(running, KPROBE_BUSY)': FPROBE,
  'step CC-H11.3 kprobe-busy: kprobeRunning readOnce(running)': FPROBE,
  'step fprobe-callback: callFprobeVoidEntry callGuest(cx.cpu.state, call.handler, words(fp, call, CA ...':
    FPROBE,
  'step fprobe-miss: incInTwoSteps readOnce(fp.nmissed)': FPROBE,
  'step kprobe-busy: kprobeBusyBegin preemptDisable(cx)': FPROBE,
  'step kprobe-busy: kprobeBusyEnd preemptEnable(cx)': FPROBE,
  'step kprobe-busy: kprobeBusyEnd writeOnce(running, NO_ADDRESS)': FPROBE,
  'step CC-H14.2 fgraph: ftracePushReturnTrace fetchAdd(overrun, 1)': FPROBE,
  'step CC-H14.2 fgraph: ftracePushReturnTrace readOnce(task.curr)': FPROBE,
  'step CC-H14.3 fgraph: fgraphReserveFrame act(task.words, () => { const stack = wordsOf(cx, k, tas ...':
    FPROBE,
  'step CC-H14.4 fgraph: ftracePushReturnTrace writeOnce(task.curr, end)': FPROBE,
  'step CC-H14.5 fgraph: fgraphWriteFrame act(task.words, () => { const stack = wordsOf(cx, k, tas ...':
    FPROBE,
  'step CC-H14.6 fgraph: callEntryFunc writeOnce(call.task.curr, before)': FPROBE,
  'step CC-H14.6 fgraph: callEntryFuncs readOnce(bitmask)': FPROBE,
  'step CC-H14.6 fgraph: callEntryFuncs readOnce(direct)': FPROBE,
  'step CC-H14.6 fgraph: callEntryFuncs readOnce(slot)': FPROBE,
  'step CC-H14.6 fgraph: fgraphReserveData act(task.words, storeTrailer)': FPROBE,
  'step CC-H14.6 fgraph: fgraphReserveData writeOnce(task.curr, at + 1)': FPROBE,
  'step CC-H14.6 fprobe-fgraph-hit: fprobeFgraphEntry': FPROBE,
  'step CC-H14.6 fprobe-table: firstNode readOnce(head)': FPROBE,
  'step CC-H14.6 fprobe-table: nextNode readOnce(node.next)': FPROBE,
  'step CC-H14.6 fprobe-table: nodeFprobe readOnce(node.fp)': FPROBE,
  'step CC-H14.7 fgraph: functionGraphEnter writeOnce(call.task.curr, call.start)': FPROBE,
  'step CC-H14.7 fgraph: takeReturn act(task.words, () => { const [lo, hi] = [addressLo(RETU ...':
    FPROBE,
  'step CC-H14.7 fgraph: takeReturn act(task.words, () => { const stack = wordsOf(cx, k, tas ...':
    FPROBE,
  'step CC-H15 fgraph: ftraceReturnToHandler': FPROBE,
  'step CC-H15.1 fgraph: ftracePopReturnTrace act(task.words, () => returningCall(cx, k, { regs, task, ...':
    FPROBE,
  'step CC-H15.1 fgraph: ftracePopReturnTrace readOnce(task.curr)': FPROBE,
  'step CC-H15.2-4 fgraph: fgraphCallReturn': FPROBE,
  'step CC-H15.3 fgraph: fgraphCallRetFuncs readOnce(slot)': FPROBE,
  'step CC-H15.3 fprobe-fgraph-hit: fprobeReturn act(task.words, () => findData(wordsOf(cx, k, task), cal ...':
    FPROBE,
  'step CC-H15.3 fprobe-fgraph-hit: fprobeReturn preemptDisable(cx)': FPROBE,
  'step CC-H15.3 fprobe-fgraph-hit: fprobeReturn preemptEnable(cx)': FPROBE,
  'step CC-H15.3 fprobe-table: fprobeStillExists readOnce(existence)': FPROBE,
  'step CC-H15.5 fgraph: fgraphDropFrame writeOnce(task.curr, start)': FPROBE,
  'step CC-S18 fgraph-subops: ftraceShutdownSubops': FPROBE,
  'step CC-S18.1 fgraph-register: registerFtraceGraph mutexLock(cx, k.ftrace.ftraceLock)': FPROBE,
  'step CC-S18.1 fgraph-register: stopGraph writeOnce(direct, undefined)': FPROBE,
  'step CC-S18.1 fgraph-register: stopGraph writeOnce(slot, undefined)': FPROBE,
  'step CC-S18.1 fgraph-register: unregisterFtraceGraph mutexLock(cx, k.ftrace.ftraceLock)': FPROBE,
  'step CC-S18.2 fgraph-register: startGraphTracing allocate(cx, RET_STACK)': FPROBE,
  'step CC-S18.2 fgraph-register: startGraphTracing release(cx, unused)': FPROBE,
  'step CC-S18.3 fgraph-subops: ftraceStartupSubops': FPROBE,
  'step CC-S18.4 fgraph-register: startGraph writeOnce(direct, gops)': FPROBE,
  'step CC-S18.4 fgraph-register: startGraph writeOnce(slot, gops)': FPROBE,
  'step CC-S20.3 fprobe-hook: fprobeModuleCallback mutexLock(cx, tables.mutex)': FPROBE,
  'step CC-S20.3 fprobe-hook: fprobeModuleCallback mutexUnlock(cx, tables.mutex)': FPROBE,
  "step CC-S9.1 fprobe-fgraph: allocHlist allocate(cx, { kind: 'fprobe_hlist', bytes })": FPROBE,
  'step CC-S9.1 fprobe-table: findHlist readOnce(existence)': FPROBE,
  'step CC-S9.2 fprobe-table: deleteNode writeOnce(node.fp, undefined)': FPROBE,
  'step CC-S9.2 fprobe-table: unlinkNode writeOnce(link, next)': FPROBE,
  'step CC-S9.3 fprobe-table: removeFromExistence writeOnce( existence, present.filter((one) => one !== hl ...':
    FPROBE,
  'step CC-S9.3 fprobe-table: removeFromExistence writeOnce(hlist.fp, undefined)': FPROBE,
  'step CC-S9.4 fprobe-hook: emptyFilter mutexLock(cx, ftraceLock)': FPROBE,
  'step CC-S9.4 fprobe-hook: emptyFilter mutexLock(cx, ops.regexLock)': FPROBE,
  'step CC-S9.4 fprobe-hook: emptyFilter mutexUnlock(cx, ftraceLock)': FPROBE,
  'step CC-S9.4 fprobe-hook: emptyFilter mutexUnlock(cx, ops.regexLock)': FPROBE,
  'step CC-S9.4 fprobe-hook: emptyFilter writeOnce(ops.filterHash, emptyHash)': FPROBE,
  'step CC-S9.4 fprobe-table: addToExistence writeOnce(existence, [hlist, ...present])': FPROBE,
  'step CC-S9.5 fprobe-fgraph: fprobeFreeHlist callRcu(cx, (softirq) => release(softirq, memory))':
    FPROBE,
  "step CC-S9.5 fprobe-fgraph: isOutOfMemory allocate(cx, { kind: 'fprobe_ip_table', bytes: NODE_BYTES })":
    FPROBE,
  'step CC-S9.5 fprobe-table: insertNode writeOnce(head, node)': FPROBE,
  'step CC-S9.6 fprobe-fgraph: unregisterFprobeAsync mutexUnlock(cx, mutex)': FPROBE,
  "step CC-S9.7 fprobe-fgraph: fprobeSynchronizeRcu synchronize(cx, 'synchronize_rcu')": FPROBE,
  'step fgraph-register: changeBits act(bitmask, () => { bitmask.set(change(bitmask.value)); })':
    FPROBE,
  'step fgraph-register: giveStacks act(slabCell, () => { for (const [task, made] of pairs)  ...':
    FPROBE,
  'step fgraph-register: registerFtraceGraph mutexUnlock(cx, k.ftrace.ftraceLock)': FPROBE,
  'step fgraph-register: startGraph writeOnce(direct, undefined)': FPROBE,
  'step fgraph-register: stopGraph writeOnce(direct, only)': FPROBE,
  'step fgraph-register: unregisterFtraceGraph mutexUnlock(cx, k.ftrace.ftraceLock)': FPROBE,
  'step fgraph-subops: ftraceHashMoveAndUpdateSubops': FPROBE,
  'step fgraph-subops: ftraceUpdateManager': FPROBE,
  'step fgraph-subops: subopsFilter': FPROBE,
  'step fgraph-unwind: unwindShadowStack act(task.words, () => unwindFrame(cx, k, { task, end: at ...':
    FPROBE,
  'step fgraph-unwind: unwindShadowStack readOnce(task.curr)': FPROBE,
  'step fprobe-entry: fgraphEntryRefused': FPROBE,
  'step fprobe-entry: fprobeFtraceEntry': FPROBE,
  'step fprobe-fgraph-hit: fprobeClearTail act(call.task.words, () => { const stack = wordsOf(cx, k ...':
    FPROBE,
  'step fprobe-fgraph-hit: fprobeHasGrown': FPROBE,
  'step fprobe-fgraph-hit: fprobeShortage': FPROBE,
  'step fprobe-fgraph-hit: fprobeShortageOf': FPROBE,
  'step fprobe-fgraph-hit: readHeader act(task.words, () => { const stack = wordsOf(cx, k, tas ...':
    FPROBE,
  'step fprobe-fgraph-hit: writeHeader act(task.words, () => { const stack = wordsOf(cx, k, tas ...':
    FPROBE,
  'step fprobe-fgraph: fprobeDataFits': FPROBE,
  'step fprobe-fgraph: fprobeHookType': FPROBE,
  'step fprobe-fgraph: fprobeIsRegistered readOnce(existence)': FPROBE,
  'step fprobe-fgraph: fprobeState': FPROBE,
  'step fprobe-fgraph: fprobeUndoRegister release(cx, hlist.memory)': FPROBE,
  'step fprobe-fgraph: fprobeUnregisterWait': FPROBE,
  'step fprobe-fgraph: isOutOfMemory release(cx, made)': FPROBE,
  'step fprobe-fgraph: registerFprobe mutexLock(cx, mutex)': FPROBE,
  'step fprobe-fgraph: registerFprobe mutexUnlock(cx, mutex)': FPROBE,
  'step fprobe-fgraph: registerLocked release(cx, hlist.memory)': FPROBE,
  'step fprobe-fgraph: unregisterFprobe': FPROBE,
  'step fprobe-fgraph: unregisterFprobeAsync mutexLock(cx, mutex)': FPROBE,
  'step fprobe-hook: fprobeFilterOut': FPROBE,
  'step fprobe-hook: fprobeHookIsOver': FPROBE,
  'step fprobe-hook: fprobeIpIsUsed': FPROBE,
  'step CC-H18.2 rethook-return: rethookFlushTask preemptDisable(cx)': FPROBE,
  'step CC-H18.2 rethook-return: rethookFlushTask preemptEnable(cx)': FPROBE,
  'step CC-H18.2 rethook-return: rethookFlushTask update(taskRethooks(k, task), () => undefined)':
    FPROBE,
  'step CC-S8.2 fprobe-rethook: fprobeInitRethook writeOnce(own.rethook, undefined)': FPROBE,
  'step CC-S8.2 rethook: rethookAllocFailed release(cx, memory)': FPROBE,
  'step fprobe-rethook-hit: fprobeKprobeHandler': FPROBE,
  'step fprobe-rethook: fprobeFailCleanup writeOnce(rethook, undefined)': FPROBE,
  'step fprobe-rethook: fprobeIsRegistered readOnce(own.ops.savedFunc)': FPROBE,
};
