/*
 * Registers across a call of a traced function. `leaf` uses hardly any. A compiler that looks at it
 * can see that (gcc calls it -fipa-ra) and keep values of its callers in registers that every call
 * may change. A hook on `leaf` is a call that the compiler did not see: its callback may use all of
 * them, and the trampoline in between saves the arguments and ra, as a kernel's does, not t1..t6.
 *
 * `abiding` is what a compiler makes that keeps to the calling convention, `trusting` what one would
 * make that does not: its value is in t1 while leaf runs.
 */
#include <linux/ftrace.h>

/* Not even its result is known to others. */
__attribute__((noipa)) long leaf(long value)
{
	return value + 1;
}

#define EACH(do) do(a) do(b) do(c) do(d) do(e) do(f) do(g) do(h) do(i) do(j) do(k) do(l) do(m) do(n)
#define HIDE(v) long v = seed++; __asm__("" : "+r"(v));
#define PLUS(v) sum += v;
#define MINUS(v) sum -= v;

/* seed + 1: every value is added before the call, and taken off after it. */
__attribute__((noipa)) long abiding(long seed)
{
	long first = seed, sum = 0;

	EACH(HIDE)
	EACH(PLUS)
	sum += leaf(first);
	EACH(MINUS)
	return sum;
}

/* seed + 1 */
long trusting(long seed);
__asm__(".text\n"
	".balign 4\n"
	".globl trusting\n"
	".type trusting, @function\n"
	"trusting:\n"
	"	addi	sp, sp, -16\n"
	"	sd	ra, 8(sp)\n"
	"	mv	t1, a0\n"
	"	call	leaf\n"
	"	addi	a0, t1, 1\n"
	"	ld	ra, 8(sp)\n"
	"	addi	sp, sp, 16\n"
	"	ret\n"
	".size trusting, .-trusting\n");

/* For workloads to look at. */
struct {
	u64 right, wrong;
} abided, trusted;

void call_both(void)
{
	__atomic_fetch_add(abiding(7) == 8 ? &abided.right : &abided.wrong, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(trusting(7) == 8 ? &trusted.right : &trusted.wrong, 1, __ATOMIC_RELAXED);
}

/* A callback that uses every register that a call may use, as any function is free to. */
notrace void use_all(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *op,
		     struct ftrace_regs *regs)
{
	__asm__ __volatile__("li t0, -1\n\tli t1, -1\n\tli t2, -1\n\tli t3, -1\n\t"
			     "li t4, -1\n\tli t5, -1\n\tli t6, -1\n\t"
			     "li a0, -1\n\tli a1, -1\n\tli a2, -1\n\tli a3, -1\n\t"
			     "li a4, -1\n\tli a5, -1\n\tli a6, -1\n\tli a7, -1" ::
				     : "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a0", "a1", "a2",
				       "a3", "a4", "a5", "a6", "a7");
}
