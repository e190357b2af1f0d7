/* reprobe: function hooks (docs/spec/ftrace.md). */
#ifndef _LINUX_FTRACE_H
#define _LINUX_FTRACE_H

#include <linux/kernel.h>
#include <linux/ptrace.h>

struct ftrace_ops;

/*
 * The traced function's registers: the arguments always, all of them with SAVE_REGS, as
 * ftrace_get_regs() tells (FT-14, FT-15). The offsets are this project's ABI.
 */
struct ftrace_regs {
	unsigned long args[8];  /*  0 */
	unsigned long ra;       /* 64 */
	unsigned long kind;     /* 72: 1 before a whole struct pt_regs; else where the function goes on */
};

_Static_assert(sizeof(struct ftrace_regs) == 80, "ABI");
_Static_assert(offsetof(struct pt_regs, kind) == offsetof(struct ftrace_regs, kind), "ABI");

static inline struct pt_regs *ftrace_get_regs(struct ftrace_regs *fregs)
{
	return fregs->kind == 1 ? (struct pt_regs *)fregs : NULL;
}

static inline unsigned long ftrace_regs_get_argument(struct ftrace_regs *fregs, unsigned int n)
{
	return n < 8 ? fregs->args[n] : 0;
}

/* Where the function goes on; at the exit, where it has returned to. */
static inline unsigned long ftrace_regs_get_instruction_pointer(struct ftrace_regs *fregs)
{
	return fregs->kind == 1 ? ((struct pt_regs *)fregs)->ip : fregs->kind;
}

/* Of the caller: what was saved lies below. */
static inline unsigned long ftrace_regs_get_stack_pointer(struct ftrace_regs *fregs)
{
	return fregs->kind == 1 ? ((struct pt_regs *)fregs)->sp : (unsigned long)(fregs + 1);
}

/* What the function returns, where it has returned. */
static inline unsigned long ftrace_regs_get_return_value(struct ftrace_regs *fregs)
{
	return fregs->args[0];
}

static inline void ftrace_regs_set_return_value(struct ftrace_regs *fregs, unsigned long value)
{
	fregs->args[0] = value;
}

/* Where the registers have `name`, or -EINVAL; what lies behind struct ftrace_regs needs SAVE_REGS. */
static inline int ftrace_regs_query_register_offset(const char *name)
{
	return regs_query_register_offset(name);
}

/* `ip`: the call site that was hit. `parent_ip`: where the traced function returns to. */
typedef void (*ftrace_func_t)(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *op,
			      struct ftrace_regs *regs);

/*
 * ops->flags, for the user to set before register, filters or not. Read at registration (FT-17).
 */
#define FTRACE_OPS_FL_SAVE_REGS BIT(2)
#define FTRACE_OPS_FL_SAVE_REGS_IF_SUPPORTED BIT(3)
#define FTRACE_OPS_FL_RECURSION BIT(4)
#define FTRACE_OPS_FL_IPMODIFY BIT(12)
#define FTRACE_OPS_FL_PID BIT(13)
#define FTRACE_OPS_FL_RCU BIT(14)
#define FTRACE_OPS_FL_PERMANENT BIT(16)
/* Set by the kernel, for the user to look at. */
#define FTRACE_OPS_FL_ENABLED BIT(0)
#define FTRACE_OPS_FL_DYNAMIC BIT(1)

/*
 * The offsets are this project's ABI: the emulated kernel reads and writes these very bytes.
 * src/trace repeats them as constants; change both or neither. Everything else that the kernel
 * keeps about an ops is out of the guest's reach.
 */
struct ftrace_ops {
	ftrace_func_t func;   /*  0 */
	unsigned long flags;  /*  8 */
	void *private;        /* 16 */
	u64 reserved[5];      /* 24: the kernel's; zero in a new ops */
};

_Static_assert(offsetof(struct ftrace_ops, func) == 0, "ABI");
_Static_assert(offsetof(struct ftrace_ops, flags) == 8, "ABI");
_Static_assert(offsetof(struct ftrace_ops, private) == 16, "ABI");
_Static_assert(sizeof(struct ftrace_ops) == 64, "ABI");

/* 0, or a negative error number. Neither may be called where sleeping is not allowed. */
int register_ftrace_function(struct ftrace_ops *ops);
int unregister_ftrace_function(struct ftrace_ops *ops);

/* `buf` holds one pattern of `len` bytes, or is NULL; `reset` empties the hash first (FT-38). */
int ftrace_set_filter(struct ftrace_ops *ops, unsigned char *buf, int len, int reset);
int ftrace_set_notrace(struct ftrace_ops *ops, unsigned char *buf, int len, int reset);
int ftrace_set_filter_ip(struct ftrace_ops *ops, unsigned long ip, int remove, int reset);
/* All of the `cnt` addresses or none (FT-49). At most 4,096 here, else -EINVAL. */
int ftrace_set_filter_ips(struct ftrace_ops *ops, unsigned long *ips, unsigned int cnt, int remove,
			  int reset);
/* Of an ops that is not registered. Zero the struct before it is used again (FT-47). */
void ftrace_free_filter(struct ftrace_ops *ops);

/* The call site of the function that starts at, or whose site has a byte at, `ip`; 0: there is none (FT-49). */
unsigned long ftrace_location(unsigned long ip);
/* ftrace is dead from here on: every later call is refused with -ENODEV (FT-11). */
void ftrace_kill(void);

/* A bit to give back to unlock, or negative when this callback interrupted itself. */
int ftrace_test_recursion_trylock(unsigned long ip, unsigned long parent_ip);
void ftrace_test_recursion_unlock(int bit);

#endif
