/*
 * reprobe: everything that handlers of an fprobe need, in one place (docs/spec/fprobe.md). The
 * headers themselves are under include/linux.
 */
#ifndef _REPROBE_FPROBE_H
#define _REPROBE_FPROBE_H

#include <linux/fprobe.h>  /* struct fprobe, register_fprobe */
#include <linux/kprobes.h> /* kprobe_running, kprobe_busy_begin, kprobe_busy_end */
#include <reprobe/ftrace.h>

/* What the callback line `show_data` does: the first word of entry_data as a `regs` event. */
void reprobe_record_data(struct fprobe *fp, void *entry_data);

#endif
