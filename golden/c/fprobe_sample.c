/*
 * A module that probes entry and exit of what its parameter `func` names, in both eras. Its entry
 * handler keeps in entry_data what the call was given; its exit handler holds that against what it
 * is given itself, and counts what does not fit. Calls whose first argument is `refuse` have no
 * exit handler: the entry handler refuses them.
 */
#define pr_fmt(fmt) "fprobe_sample: " fmt

#include <reprobe/fprobe.h>
#include <reprobe/module.h>

static char *func = "vfs_*";
module_param(func, charp, 0444);
MODULE_PARM_DESC(func, "which functions to probe: a filter of register_fprobe");

static unsigned long refuse = 2;
module_param(refuse, ulong, 0444);
MODULE_PARM_DESC(refuse, "calls with this argument have no exit handler");

/* The registers of the traced function, as handlers of the era get them, and what reads them. */
#ifdef REPROBE_FPROBE_RETHOOK
#define REGS pt_regs
#define argument_of regs_get_kernel_argument
#define return_value_of regs_return_value
#define ip_of instruction_pointer
#define sp_of kernel_stack_pointer
#define offset_of_register regs_query_register_offset
#else
#define REGS ftrace_regs
#define argument_of ftrace_regs_get_argument
#define return_value_of ftrace_regs_get_return_value
#define ip_of ftrace_regs_get_instruction_pointer
#define sp_of ftrace_regs_get_stack_pointer
#define offset_of_register ftrace_regs_query_register_offset
#endif

struct sample {
	u64 entries;
	u64 exits;
	u64 refused;
	u64 wrong;
	u64 sum;
	struct fprobe fp;
};

/* What the entry handler saw of a call. */
struct call {
	unsigned long entry_ip;
	unsigned long ret_ip;
	unsigned long sp;
};

static void count(u64 *counter, u64 by)
{
	__atomic_fetch_add(counter, by, __ATOMIC_RELAXED);
}

static unsigned long register_of(struct REGS *regs, const char *name)
{
	return *(unsigned long *)((char *)regs + offset_of_register(name));
}

static notrace int sample_entry(struct fprobe *fp, unsigned long entry_ip, unsigned long ret_ip,
				struct REGS *regs, void *entry_data)
{
	struct sample *sample = container_of(fp, struct sample, fp);
	struct call *call = entry_data;

	count(&sample->entries, 1);
	if (argument_of(regs, 0) == refuse) {
		count(&sample->refused, 1);
		return 1;
	}
	/* It goes on behind its call site, which is 4 bytes long. */
	count(&sample->wrong, ip_of(regs) != entry_ip + 4);
	count(&sample->wrong, register_of(regs, "a0") != argument_of(regs, 0));
	call->entry_ip = entry_ip;
	call->ret_ip = ret_ip;
	call->sp = sp_of(regs);
	return 0;
}

static notrace void sample_exit_handler(struct fprobe *fp, unsigned long entry_ip,
					unsigned long ret_ip, struct REGS *regs, void *entry_data)
{
	struct sample *sample = container_of(fp, struct sample, fp);
	struct call *call = entry_data;

	count(&sample->exits, 1);
	count(&sample->sum, return_value_of(regs));
	count(&sample->wrong, call->entry_ip != entry_ip);
	count(&sample->wrong, call->ret_ip != ret_ip);
	count(&sample->wrong, call->sp != sp_of(regs));
	count(&sample->wrong, ip_of(regs) != ret_ip);
	count(&sample->wrong, register_of(regs, "a0") != return_value_of(regs));
}

static struct sample sample = {
	.fp = {
		.entry_handler = sample_entry,
		.exit_handler = sample_exit_handler,
		.entry_data_size = sizeof(struct call),
	},
};

static int __init sample_init(void)
{
	int ret = register_fprobe(&sample.fp, func, NULL);

	if (ret < 0)
		pr_err("%s: %d\n", func, ret);
	return ret;
}

static void __exit sample_exit(void)
{
	unregister_fprobe(&sample.fp);
	pr_info("%llu entries, %llu exits, %llu refused, %lu missed\n", sample.entries,
		sample.exits, sample.refused, sample.fp.nmissed);
	pr_info("%llu returned in sum, %llu wrong\n", sample.sum, sample.wrong);
}

module_init(sample_init);
module_exit(sample_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Holds entry and exit of functions against each other");
