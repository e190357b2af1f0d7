/* reprobe: the registers of a traced function, as a callback with SAVE_REGS finds them (FT-14). */
#ifndef _LINUX_PTRACE_H
#define _LINUX_PTRACE_H

#include <linux/types.h>

/*
 * The offsets are this project's ABI; src/trace/ftrace-regs.ts repeats them: change both or neither.
 * What a callback stores here is what the function goes on with, but for `ip`, which counts with
 * IPMODIFY only (FT-46), and `sp`. t0 is missing: the call site takes it.
 */
struct pt_regs {
	unsigned long a[8];  /*   0 */
	unsigned long ra;    /*  64 */
	unsigned long kind;  /*  72: 1 */
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

#endif
