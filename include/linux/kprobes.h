/* reprobe: what fprobe and kprobe handlers keep out of each other with (docs/spec/fprobe.md). */
#ifndef _LINUX_KPROBES_H
#define _LINUX_KPROBES_H

#include <linux/preempt.h>
#include <linux/types.h>

struct kprobe;

/* The kprobe, or the busy one, that runs on this CPU, or NULL. Preemption is off. */
struct kprobe *kprobe_running(void);

/* From begin to end a kprobe is said to run on this CPU, and preemption is off. Does not nest. */
void kprobe_busy_begin(void);
void kprobe_busy_end(void);

#endif
