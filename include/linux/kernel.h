/* reprobe: small helpers that kernel code takes for granted. */
#ifndef _LINUX_KERNEL_H
#define _LINUX_KERNEL_H

#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/printk.h>
#include <linux/types.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define BIT(nr) (1UL << (nr))
#define ALIGN(x, bytes) (((x) + (bytes) - 1) & ~((__typeof__(x))(bytes) - 1))

/* The structure of type `type` whose field `member` is at `ptr`. */
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

/* Ends the running task. */
void __noreturn do_exit(long code);

#endif
