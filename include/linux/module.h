/* reprobe: modules. One object file is one module; a workload names it under `modules:`. */
#ifndef _LINUX_MODULE_H
#define _LINUX_MODULE_H

#include <linux/export.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/moduleparam.h>

/* What `init_module:` and `delete_module:` of a workload's timeline call, once in a module each. */
#define module_init(initfn) \
	static inline int (*__inittest(void))(void) { return initfn; } \
	int init_module(void) __attribute__((alias(#initfn)))
#define module_exit(exitfn) \
	static inline void (*__exittest(void))(void) { return exitfn; } \
	void cleanup_module(void) __attribute__((alias(#exitfn)))

/* For readers only. */
#define __reprobe_text(text) _Static_assert(sizeof(text) > 1, "a text")
#define MODULE_LICENSE(text) __reprobe_text(text)
#define MODULE_AUTHOR(text) __reprobe_text(text)
#define MODULE_DESCRIPTION(text) __reprobe_text(text)
#define MODULE_VERSION(text) __reprobe_text(text)

struct module;
#define THIS_MODULE ((struct module *)0)

#endif
