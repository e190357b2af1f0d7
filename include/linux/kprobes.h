/* reprobe: probes at an instruction, and at the return of a function (docs/spec/kprobes.md). */
#ifndef _LINUX_KPROBES_H
#define _LINUX_KPROBES_H

#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/types.h>

/*
 * Two eras, as `reprobe record --profile` has them. Define REPROBE_V2_6_31 for v2.6.31, which has
 * fault handlers and jprobes. The structs are as long in both, and their offsets are this project's
 * ABI: the emulated kernel reads and writes these very bytes. src/trace/kprobe-struct.ts repeats
 * them as constants; change both or neither. Zero the reserved words in a new struct.
 */
#ifdef REPROBE_V2_6_31
REPROBE_ABI("kprobes=v2.6.31")
#endif

/* p->flags (KP-2). A user may set DISABLED; the others are the kernel's. */
#define KPROBE_FLAG_GONE 1
#define KPROBE_FLAG_DISABLED 2
#define KPROBE_FLAG_OPTIMIZED 4
#define KPROBE_FLAG_FTRACE 8
#define KPROBE_FLAG_ON_FUNC_ENTRY 16

typedef u16 kprobe_opcode_t;

struct kprobe;
struct kretprobe;
struct kretprobe_instance;

typedef int (*kprobe_pre_handler_t)(struct kprobe *p, struct pt_regs *regs);
typedef void (*kprobe_post_handler_t)(struct kprobe *p, struct pt_regs *regs,
				      unsigned long flags);
typedef int (*kprobe_fault_handler_t)(struct kprobe *p, struct pt_regs *regs, int trapnr);
typedef int (*kretprobe_handler_t)(struct kretprobe_instance *ri, struct pt_regs *regs);

struct kprobe {
	u64 hlist[2];                         /*   0: the kernel's */
	u64 list[2];                          /*  16: the kernel's */
	unsigned long nmissed;                /*  32: hits that ran no handler (KP-42) */
	kprobe_opcode_t *addr;                /*  40: where, or NULL with symbol_name */
	const char *symbol_name;              /*  48 */
	unsigned int offset;                  /*  56: into the function */
	u32 flags;                            /*  60: KPROBE_FLAG_* */
	kprobe_pre_handler_t pre_handler;     /*  64: any of the handlers may be NULL */
	kprobe_post_handler_t post_handler;   /*  72 */
	kprobe_opcode_t opcode;               /*  80: the kernel's */
	u64 ainsn;                            /*  88: the kernel's */
#ifdef REPROBE_V2_6_31
	kprobe_fault_handler_t fault_handler; /*  96 */
#else
	u64 reserved;                         /*  96 */
#endif
	u64 break_handler;                    /* 104: the kernel's */
};

_Static_assert(offsetof(struct kprobe, list) == 16, "ABI");
_Static_assert(offsetof(struct kprobe, nmissed) == 32, "ABI");
_Static_assert(offsetof(struct kprobe, addr) == 40, "ABI");
_Static_assert(offsetof(struct kprobe, symbol_name) == 48, "ABI");
_Static_assert(offsetof(struct kprobe, offset) == 56, "ABI");
_Static_assert(offsetof(struct kprobe, flags) == 60, "ABI");
_Static_assert(offsetof(struct kprobe, pre_handler) == 64, "ABI");
_Static_assert(offsetof(struct kprobe, post_handler) == 72, "ABI");
_Static_assert(offsetof(struct kprobe, opcode) == 80, "ABI");
_Static_assert(offsetof(struct kprobe, ainsn) == 88, "ABI");
#ifdef REPROBE_V2_6_31
_Static_assert(offsetof(struct kprobe, fault_handler) == 96, "ABI");
#endif
_Static_assert(offsetof(struct kprobe, break_handler) == 104, "ABI");
_Static_assert(sizeof(struct kprobe) == 112, "ABI");

struct kretprobe {
	struct kprobe kp;                  /*   0: kp.addr or kp.symbol_name is the function */
	kretprobe_handler_t handler;       /* 112: what it returns is ignored */
	kretprobe_handler_t entry_handler; /* 120: non-zero: this call has no handler (KR-4) */
	int maxactive;                     /* 128: calls under way at once; <= 0: a default (KR-3) */
	int nmissed;                       /* 132: calls for which there was no instance */
	size_t data_size;                  /* 136: of ri->data, at most 4096 */
	void *rh;                          /* 144: the kernel's */
};

_Static_assert(offsetof(struct kretprobe, handler) == 112, "ABI");
_Static_assert(offsetof(struct kretprobe, entry_handler) == 120, "ABI");
_Static_assert(offsetof(struct kretprobe, maxactive) == 128, "ABI");
_Static_assert(offsetof(struct kretprobe, nmissed) == 132, "ABI");
_Static_assert(offsetof(struct kretprobe, data_size) == 136, "ABI");
_Static_assert(offsetof(struct kretprobe, rh) == 144, "ABI");
_Static_assert(sizeof(struct kretprobe) == 152, "ABI");

struct task_struct;

/* One call whose return is taken. src/trace/kretprobe-hit.ts repeats the offsets. */
struct kretprobe_instance {
	struct kretprobe *rp;     /*  0 */
	kprobe_opcode_t *ret_addr; /*  8: not yet there in the entry_handler */
	struct task_struct *task; /* 16 */
	u64 reserved[5];          /* 24: the kernel's */
	char data[];              /* 64: this call's own, data_size bytes */
};

_Static_assert(offsetof(struct kretprobe_instance, ret_addr) == 8, "ABI");
_Static_assert(offsetof(struct kretprobe_instance, task) == 16, "ABI");
_Static_assert(offsetof(struct kretprobe_instance, data) == 64, "ABI");

static inline struct kretprobe *get_kretprobe(struct kretprobe_instance *ri)
{
	return ri->rp;
}

static inline unsigned long get_kretprobe_retaddr(struct kretprobe_instance *ri)
{
	return (unsigned long)ri->ret_addr;
}

/*
 * 0, or a negative error number; -EINVAL for an array that is empty. None of these may be called
 * where sleeping is not allowed. A batch is registered as a whole or not at all, and unregistered
 * with one wait for all of it.
 */
int register_kprobe(struct kprobe *p);
int register_kprobes(struct kprobe **kps, int num);
void unregister_kprobe(struct kprobe *p);
void unregister_kprobes(struct kprobe **kps, int num);
int disable_kprobe(struct kprobe *kp);
int enable_kprobe(struct kprobe *kp);

int register_kretprobe(struct kretprobe *rp);
int register_kretprobes(struct kretprobe **rps, int num);
void unregister_kretprobe(struct kretprobe *rp);
void unregister_kretprobes(struct kretprobe **rps, int num);
int disable_kretprobe(struct kretprobe *rp);
int enable_kretprobe(struct kretprobe *rp);

#ifdef REPROBE_V2_6_31

/* A function that is entered in place of the probed one, with its arguments. */
struct jprobe {
	struct kprobe kp; /*   0: kp.addr or kp.symbol_name is the first instruction */
	void *entry;      /* 112: has the same prototype, and ends with jprobe_return() */
};

_Static_assert(offsetof(struct jprobe, entry) == 112, "ABI");
_Static_assert(sizeof(struct jprobe) == 120, "ABI");

int register_jprobe(struct jprobe *p);
int register_jprobes(struct jprobe **jps, int num);
void unregister_jprobe(struct jprobe *p);
void unregister_jprobes(struct jprobe **jps, int num);
int disable_jprobe(struct jprobe *jp);
int enable_jprobe(struct jprobe *jp);

/* Leaves the handler of a jprobe; the probed function then runs as it was called (JP-5, JP-6). */
void jprobe_return(void);

#endif

/* Nobody plants a probe in `fname`: registering one there is -EINVAL (KP-14). */
#define NOKPROBE_SYMBOL(fname) \
	static const unsigned long _kbl_addr_##fname __used __aligned(8) \
		__attribute__((section("_kprobe_blacklist"))) = (unsigned long)fname
#define nokprobe_inline __always_inline

/* The kprobe, or the busy one, that runs on this CPU, or NULL. Preemption is off. */
struct kprobe *kprobe_running(void);

/* From begin to end a kprobe is said to run on this CPU, and preemption is off. Does not nest. */
void kprobe_busy_begin(void);
void kprobe_busy_end(void);

#endif
