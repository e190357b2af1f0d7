/* reprobe: probes of function entry and exit (docs/spec/fprobe.md). */
#ifndef _LINUX_FPROBE_H
#define _LINUX_FPROBE_H

#include <linux/ftrace.h>
#include <linux/kernel.h>

/* fp->flags, for the user to set before register; nothing but disable and enable changes them. */
#define FPROBE_FL_DISABLED 1
#define FPROBE_FL_KPROBE_SHARED 2

struct fprobe;

/*
 * Two eras, as `reprobe record --profile` has them. Define REPROBE_FPROBE_RETHOOK for v6.12 and
 * before: handlers get a struct pt_regs, and the struct begins with an ftrace_ops. The offsets are
 * this project's ABI: the emulated kernel reads and writes these very bytes. src/trace repeats them
 * as constants; change both or neither. Zero the reserved words in a new struct. The file says in a
 * section of its own which of the two it was compiled for: no other profile loads it.
 */
#ifdef REPROBE_FPROBE_RETHOOK
REPROBE_ABI("fprobe=rethook")

typedef int (*fprobe_entry_cb)(struct fprobe *fp, unsigned long entry_ip, unsigned long ret_ip,
			       struct pt_regs *regs, void *entry_data);
typedef void (*fprobe_exit_cb)(struct fprobe *fp, unsigned long entry_ip, unsigned long ret_ip,
			       struct pt_regs *regs, void *entry_data);

struct fprobe {
	struct ftrace_ops ops;         /*   0 */
	unsigned long nmissed;         /*  64 */
	unsigned int flags;            /*  72 */
	void *rethook;                 /*  80: the kernel's */
	size_t entry_data_size;        /*  88 */
	int nr_maxactive;              /*  96 */
	fprobe_entry_cb entry_handler; /* 104 */
	fprobe_exit_cb exit_handler;   /* 112 */
	u64 reserved;                  /* 120: the kernel's */
};

_Static_assert(offsetof(struct fprobe, nmissed) == 64, "ABI");
_Static_assert(offsetof(struct fprobe, flags) == 72, "ABI");
_Static_assert(offsetof(struct fprobe, rethook) == 80, "ABI");
_Static_assert(offsetof(struct fprobe, entry_data_size) == 88, "ABI");
_Static_assert(offsetof(struct fprobe, nr_maxactive) == 96, "ABI");
_Static_assert(offsetof(struct fprobe, entry_handler) == 104, "ABI");
_Static_assert(offsetof(struct fprobe, exit_handler) == 112, "ABI");
_Static_assert(offsetof(struct fprobe, reserved) == 120, "ABI");
_Static_assert(sizeof(struct fprobe) == 128, "ABI");

#else
REPROBE_ABI("fprobe=fgraph")

typedef int (*fprobe_entry_cb)(struct fprobe *fp, unsigned long entry_ip, unsigned long ret_ip,
			       struct ftrace_regs *fregs, void *entry_data);
typedef void (*fprobe_exit_cb)(struct fprobe *fp, unsigned long entry_ip, unsigned long ret_ip,
			       struct ftrace_regs *fregs, void *entry_data);

struct fprobe {
	unsigned long nmissed;         /*  0 */
	unsigned int flags;            /*  8 */
	size_t entry_data_size;        /* 16: at most 15 longs (FP-50) */
	int nr_maxactive;              /* 24: nobody looks at it */
	fprobe_entry_cb entry_handler; /* 32 */
	fprobe_exit_cb exit_handler;   /* 40 */
	void *hlist_array;             /* 48: the kernel's */
	u64 reserved;                  /* 56: the kernel's */
};

_Static_assert(offsetof(struct fprobe, nmissed) == 0, "ABI");
_Static_assert(offsetof(struct fprobe, flags) == 8, "ABI");
_Static_assert(offsetof(struct fprobe, entry_data_size) == 16, "ABI");
_Static_assert(offsetof(struct fprobe, nr_maxactive) == 24, "ABI");
_Static_assert(offsetof(struct fprobe, entry_handler) == 32, "ABI");
_Static_assert(offsetof(struct fprobe, exit_handler) == 40, "ABI");
_Static_assert(offsetof(struct fprobe, hlist_array) == 48, "ABI");
_Static_assert(offsetof(struct fprobe, reserved) == 56, "ABI");
_Static_assert(sizeof(struct fprobe) == 64, "ABI");

/* As unregister_fprobe, without its wait: for the caller to do. */
int unregister_fprobe_async(struct fprobe *fp);

#endif

/* 0, or a negative error number. None of these may be called where sleeping is not allowed. */
int register_fprobe(struct fprobe *fp, const char *filter, const char *notfilter);
/* At most 4,096 here, else -EINVAL; so of symbols. */
int register_fprobe_ips(struct fprobe *fp, unsigned long *addrs, int num);
/* Sorts `syms` where it lies. */
int register_fprobe_syms(struct fprobe *fp, const char **syms, int num);
int unregister_fprobe(struct fprobe *fp);
bool fprobe_is_registered(struct fprobe *fp);

/* Soft: one write each; a handler may still be running when it returns (FP-9). */
void disable_fprobe(struct fprobe *fp);
void enable_fprobe(struct fprobe *fp);

static inline bool fprobe_disabled(struct fprobe *fp)
{
	return fp && (fp->flags & FPROBE_FL_DISABLED);
}

#endif
