/*
 * A module that checks what the headers promise, from the side of C: every kind of parameter,
 * `current`, kernel threads, locks, time, and the format strings of printk. Its init function returns
 * 0 when all of it is so; a check that fails says so in the log. headers-check.test.ts knows the rest.
 */
#define pr_fmt(fmt) "check: " fmt

#include <reprobe/module.h>

static bool a_bool;
static u8 a_byte = 1;
static short a_short = -1;
static ushort a_ushort = 1;
static int an_int = -1;
static uint a_uint = 1;
static long a_long = -1;
static ulong a_ulong = 1;
static char *a_text = "initial";
module_param(a_bool, bool, 0444);
module_param(a_byte, byte, 0444);
module_param(a_short, short, 0444);
module_param(a_ushort, ushort, 0444);
module_param(an_int, int, 0444);
module_param(a_uint, uint, 0444);
module_param(a_long, long, 0444);
module_param(a_ulong, ulong, 0444);
module_param_named(text, a_text, charp, 0444);

static int failures;

#define CHECK(fact) \
	do { \
		if (!(fact)) { \
			failures++; \
			pr_err("not so: %s\n", #fact); \
		} \
	} while (0)

/* Not known to the compiler to be NULL. */
static char *volatile nothing;

static void check_formats(void)
{
	pr_info("%d %i %u %x %X %o|%5d|%-5d|%05d|%+d|% d|%#x|%#o\n", -1, 2, 3u, 0xbeef, 0xbeef, 8, 42,
		42, 42, 42, 42, 255, 8);
	pr_info("%hhd %hd %ld %lu %lld %llu %zu %llx\n", 0x1ff, 0x1ffff, -1L, ~0UL, -5000000000LL,
		5000000000ULL, sizeof(u64), 0xfedcba9876543210ULL);
	pr_info("%s|%10s|%-10s|%.2s|%c|%%|%s|%*d|%.*s\n", "text", "right", "left", "cut", 'c',
		nothing, 6, 7, 3, "abcdef");
	pr_info("%p %ps %pS %ps %pS\n", (void *)0xffffffff80000010UL, (void *)check_formats,
		(char *)check_formats + 4, (void *)_printk, (void *)8);
	printk("without a level\n");
	printk(KERN_CONT "a line without an end");
}

static void check_params(void)
{
	pr_info("%d %u %d %u %d %u %ld %lu %s\n", a_bool, a_byte, a_short, a_ushort, an_int, a_uint,
		a_long, a_ulong, a_text);
}

static int once(void *data)
{
	struct task_struct **self = data;

	*self = current;
	CHECK(strcmp(current->comm, "once/1") == 0);
	CHECK(current->cpu == 1 && smp_processor_id() == 1);
	CHECK((current->flags & PF_KTHREAD) != 0);
	return 42;
}

static int until_stopped(void *data)
{
	int *rounds = data;

	for (; !kthread_should_stop(); usleep_range(10, 20))
		++*rounds;
	return -*rounds;
}

static int leaves(void *data)
{
	do_exit(7);
}

static void check_threads(void)
{
	struct task_struct *seen = NULL, *task;
	int rounds = 0;

	task = kthread_run_on_cpu(once, &seen, 1, "once/%u");
	CHECK(!IS_ERR(task) && task->pid > current->pid);
	CHECK(wake_up_process(task) == 0);
	CHECK(kthread_stop(task) == 42);
	CHECK(seen == task);

	task = kthread_run(until_stopped, &rounds, "a name of %d letters, too many", 99);
	CHECK(strcmp(task->comm, "a name of 99 le") == 0);
	CHECK(task->cpu == current->cpu);
	usleep_range(100, 200);
	CHECK(kthread_stop(task) == -rounds && rounds > 1);

	task = kthread_create(until_stopped, &rounds, "never");
	CHECK(kthread_stop(task) == -EINTR);
	CHECK(kthread_stop(kthread_run(leaves, NULL, "leaves")) == 7);
	CHECK(PTR_ERR(kthread_run_on_cpu(once, &seen, 7, "x")) == -EINVAL);
}

static DEFINE_SPINLOCK(spin);
static DEFINE_MUTEX(mutex);

static void check_locks(void)
{
	unsigned long flags, inner;
	atomic_t count = ATOMIC_INIT(1);

	mutex_lock(&mutex);
	spin_lock(&spin);
	spin_unlock(&spin);
	local_irq_save(flags);
	local_irq_save(inner);
	CHECK((flags & 2) != 0 && (inner & 2) == 0);
	local_irq_restore(inner);
	local_irq_restore(flags);
	local_irq_save(flags);
	CHECK((flags & 2) != 0);
	local_irq_restore(flags);
	mutex_unlock(&mutex);
	atomic_inc(&count);
	CHECK(atomic_read(&count) == 2 && !atomic_dec_and_test(&count) && atomic_dec_and_test(&count));
}

struct outer {
	int before;
	struct {
		int value;
	} inner;
};

static int __init check_init(void)
{
	struct outer outer = { 0 };
	ktime_t begin = ktime_get();

	check_formats();
	check_params();
	check_threads();
	check_locks();
	CHECK(container_of(&outer.inner, struct outer, inner) == &outer);
	CHECK(strcmp(current->comm, "control") == 0);
	CHECK(current->tgid == current->pid && current->pid > 0);
	CHECK(rcu_is_watching());
	CHECK(num_online_cpus() == 2);
	CHECK(ktime_to_ns(ktime_sub(ktime_get(), begin)) > 100000);
	return failures == 0 ? 0 : -EINVAL;
}

/* The task that a CPU interrupts is current in the interrupt. */
void check_interrupt(void)
{
	pr_info("interrupt in %s\n", current->comm);
}

static void __exit check_exit(void)
{
	pr_info("bye\n");
}

module_init(check_init);
module_exit(check_exit);
MODULE_LICENSE("MIT");
