/*
 * A module that checks what linux/kprobes.h promises, from the side of C, in both eras: the structs,
 * what is refused, kprobes and kretprobes on its own functions, batches, and registers. Its init
 * function returns 0 when all of it is so; a check that fails says so in the log.
 */
#define pr_fmt(fmt) "check: " fmt

#include <linux/kprobes.h>
#include <reprobe/module.h>

static int failures;

#define CHECK(fact) \
	do { \
		if (!(fact)) { \
			failures++; \
			pr_err("not so: %s\n", #fact); \
		} \
	} while (0)

/* In v2.6.31 a call site is not for kprobes (KP-10.6). */
#ifdef REPROBE_V2_6_31
#define PROBED notrace noinline
#else
#define PROBED noinline
#endif

PROBED int check_twice(int value)
{
	barrier();
	return 2 * value;
}

PROBED int check_outer(int value)
{
	int twice = check_twice(value);

	barrier();
	return twice + 1;
}

PROBED int check_hidden(int value)
{
	barrier();
	return value;
}
NOKPROBE_SYMBOL(check_hidden);

static int pre_hits, post_hits, entries, returns, dumps;

static int pre(struct kprobe *p, struct pt_regs *regs)
{
	pre_hits++;
	CHECK(kprobe_running() == p);
	CHECK(instruction_pointer(regs) - (unsigned long)p->addr < 4);
	if (regs->a[0] == 7)
		regs->a[0] = 8;
	if (dumps) {
		dumps = 0;
		dump_stack();
	}
	return 0;
}

static void post(struct kprobe *p, struct pt_regs *regs, unsigned long flags)
{
	post_hits++;
	CHECK(flags == 0);
	CHECK(regs->tp == (unsigned long)current);
}

static void check_kprobe(void)
{
	struct kprobe p = { .symbol_name = "check_twice", .pre_handler = pre, .post_handler = post };
	struct kprobe q = { .symbol_name = "check_outer", .pre_handler = pre };
	struct kprobe *both[] = { &p, &q };

	CHECK(register_kprobe(&p) == 0);
	CHECK(p.addr && p.nmissed == 0);
	CHECK(check_outer(3) == 7);
	CHECK(check_outer(7) == 17);
	CHECK(pre_hits == 2 && post_hits == 2);
	CHECK(disable_kprobe(&p) == 0);
	CHECK(p.flags & KPROBE_FLAG_DISABLED);
	CHECK(check_outer(7) == 15);
	CHECK(pre_hits == 2);
	CHECK(enable_kprobe(&p) == 0);
	dumps = 1;
	CHECK(check_outer(7) == 17);
	unregister_kprobe(&p);
	CHECK(check_outer(7) == 15);
	CHECK(pre_hits == 3);
	CHECK(p.addr);
	p.addr = NULL;
	p.flags = 0;
	CHECK(register_kprobes(both, 2) == 0);
	CHECK(check_outer(1) == 3);
	unregister_kprobes(both, 2);
	CHECK(pre_hits == 5);
}

static void check_refusals(void)
{
	struct kprobe p = { .symbol_name = "check_hidden", .pre_handler = pre };
	struct kprobe *none[1];

	CHECK(register_kprobe(&p) == -EINVAL);
	p = (struct kprobe){ .symbol_name = "nobody", .pre_handler = pre };
#ifdef REPROBE_V2_6_31
	CHECK(register_kprobe(&p) == -EINVAL);
#else
	CHECK(register_kprobe(&p) == -ENOENT);
#endif
	p = (struct kprobe){ .pre_handler = pre };
	CHECK(register_kprobe(&p) == -EINVAL);
	CHECK(register_kprobes(none, 0) == -EINVAL);
	CHECK(disable_kprobe(&p) == -EINVAL);
	p.addr = (kprobe_opcode_t *)check_twice;
	unregister_kprobe(&p);
	CHECK(!p.addr);
}

static struct kretprobe rp;

static int entered(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	entries++;
	CHECK(get_kretprobe(ri) == &rp);
	CHECK(ri->task == current);
	if (regs_get_kernel_argument(regs, 0) == 0)
		return 1;
	*(long *)ri->data = regs_get_kernel_argument(regs, 0);
	return 0;
}

static int returned(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	returns++;
	CHECK(regs_return_value(regs) == 2UL * *(long *)ri->data);
	CHECK(get_kretprobe_retaddr(ri) == instruction_pointer(regs));
	if (dumps) {
		dumps = 0;
		dump_stack();
	}
	return 0;
}

static void check_kretprobe(void)
{
	rp.kp.symbol_name = "check_twice";
	rp.handler = returned;
	rp.entry_handler = entered;
	rp.data_size = sizeof(long);
	CHECK(register_kretprobe(&rp) == 0);
	CHECK(rp.maxactive > 0);
	CHECK(check_outer(4) == 9);
	CHECK(check_outer(0) == 1);
	CHECK(entries == 2 && returns == 1);
	dumps = 1;
	CHECK(check_outer(5) == 11);
	CHECK(disable_kretprobe(&rp) == 0);
	CHECK(check_outer(4) == 9);
	CHECK(enable_kretprobe(&rp) == 0);
	unregister_kretprobe(&rp);
	CHECK(entries == 3 && returns == 2);
	CHECK(rp.nmissed == 0);
}

#ifdef REPROBE_V2_6_31

static int seen, faults;

static int jumper(int value)
{
	seen = value;
	value = 99;
	barrier();
	jprobe_return();
	return value;
}

static struct jprobe jp = { .entry = jumper, .kp.symbol_name = "check_twice" };

static void check_jprobe(void)
{
	CHECK(register_jprobe(&jp) == 0);
	CHECK(check_outer(6) == 13);
	CHECK(seen == 6);
	CHECK(disable_jprobe(&jp) == 0);
	CHECK(check_outer(5) == 11);
	CHECK(seen == 6);
	CHECK(enable_jprobe(&jp) == 0);
	unregister_jprobe(&jp);
}

static int fault(struct kprobe *p, struct pt_regs *regs, int trapnr)
{
	faults++;
	return 0;
}

static struct kprobe with_fault = { .symbol_name = "check_twice", .fault_handler = fault };

static void check_era(void)
{
	check_jprobe();
	CHECK(register_kprobe(&with_fault) == 0);
	CHECK(check_outer(1) == 3);
	unregister_kprobe(&with_fault);
	CHECK(faults == 0);
}

#else

static void check_era(void)
{
}

#endif

static int __init check_init(void)
{
	check_refusals();
	check_kprobe();
	check_kretprobe();
	check_era();
	CHECK(!kprobe_running());
	CHECK(!current->mm == !!(current->flags & PF_KTHREAD));
	pr_info("%d failures\n", failures);
	return failures ? -EINVAL : 0;
}

module_init(check_init);
MODULE_LICENSE("MIT");
