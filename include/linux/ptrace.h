/* reprobe: the registers of a traced function, as a callback with SAVE_REGS finds them (FT-14). */
#ifndef _LINUX_PTRACE_H
#define _LINUX_PTRACE_H

#include <linux/errno.h>
#include <linux/types.h>

/*
 * The offsets are this project's ABI; src/trace/ftrace-regs.ts repeats them: change both or neither.
 * What a callback stores here is what the function goes on with, but for `ip`, which counts with
 * IPMODIFY only (FT-46), and `sp`. t0 is missing: the call site takes it. A handler of a kprobe on an
 * instruction finds t0 where `kind` is, and all that it stores counts (KP-45).
 */
struct pt_regs {
	unsigned long a[8];  /*   0 */
	unsigned long ra;    /*  64 */
	union {              /*  72 */
		unsigned long kind; /* 1: of a traced function */
		unsigned long t0;   /* of a probed instruction */
	};
	unsigned long ip;    /*  80: where the function goes on */
	unsigned long sp;    /*  88 */
	unsigned long gp;    /*  96 */
	unsigned long tp;    /* 104 */
	unsigned long t1;    /* 112 */
	unsigned long t2;    /* 120 */
	unsigned long t3;    /* 128 */
	unsigned long t4;    /* 136 */
	unsigned long t5;    /* 144 */
	unsigned long t6;    /* 152 */
	unsigned long s0;    /* 160 */
	unsigned long s1;    /* 168 */
	unsigned long s2;    /* 176 */
	unsigned long s3;    /* 184 */
	unsigned long s4;    /* 192 */
	unsigned long s5;    /* 200 */
	unsigned long s6;    /* 208 */
	unsigned long s7;    /* 216 */
	unsigned long s8;    /* 224 */
	unsigned long s9;    /* 232 */
	unsigned long s10;   /* 240 */
	unsigned long s11;   /* 248 */
};

_Static_assert(offsetof(struct pt_regs, t0) == 72, "ABI");
_Static_assert(offsetof(struct pt_regs, ip) == 80, "ABI");
_Static_assert(offsetof(struct pt_regs, gp) == 96, "ABI");
_Static_assert(sizeof(struct pt_regs) == 256, "ABI");

static inline unsigned long instruction_pointer(struct pt_regs *regs)
{
	return regs->ip;
}

static inline void instruction_pointer_set(struct pt_regs *regs, unsigned long ip)
{
	regs->ip = ip;
}

static inline unsigned long kernel_stack_pointer(struct pt_regs *regs)
{
	return regs->sp;
}

/* Argument `n` of the function, where it is entered. */
static inline unsigned long regs_get_kernel_argument(struct pt_regs *regs, unsigned int n)
{
	return n < 8 ? regs->a[n] : 0;
}

/* What the function returns, where it has returned. */
static inline unsigned long regs_return_value(struct pt_regs *regs)
{
	return regs->a[0];
}

static inline void regs_set_return_value(struct pt_regs *regs, unsigned long value)
{
	regs->a[0] = value;
}

/* Where struct pt_regs has the register `name`, or -EINVAL. */
static inline int regs_query_register_offset(const char *name)
{
	static const struct {
		const char *name;
		int offset;
	} places[] = {
		{ "ip", 80 },  { "pc", 80 },  { "epc", 80 }, { "ra", 64 },   { "sp", 88 },
		{ "gp", 96 },  { "tp", 104 }, { "t1", 112 }, { "t2", 120 },  { "t3", 128 },
		{ "t4", 136 }, { "t5", 144 }, { "t6", 152 }, { "s0", 160 },  { "s1", 168 },
		{ "s2", 176 }, { "s3", 184 }, { "s4", 192 }, { "s5", 200 },  { "s6", 208 },
		{ "s7", 216 }, { "s8", 224 }, { "s9", 232 }, { "s10", 240 }, { "s11", 248 },
		{ "a0", 0 },   { "a1", 8 },   { "a2", 16 },  { "a3", 24 },   { "a4", 32 },
		{ "a5", 40 },  { "a6", 48 },  { "a7", 56 },
	};

	for (unsigned long i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const char *a = places[i].name, *b = name;

		while (*a && *a == *b) {
			a++;
			b++;
		}
		if (*a == *b)
			return places[i].offset;
	}
	return -EINVAL;
}

static inline unsigned long regs_get_register(struct pt_regs *regs, unsigned int offset)
{
	return offset <= 248 ? *(unsigned long *)((char *)regs + offset) : 0;
}

#endif
