/* reprobe: parameters of modules, which a workload sets (`params:`). */
#ifndef _LINUX_MODULEPARAM_H
#define _LINUX_MODULEPARAM_H

#include <linux/compiler.h>
#include <linux/types.h>

/*
 * One for each parameter, in section __param, which src/emu/module-param.ts reads: change both or
 * neither.
 */
struct kernel_param {
	const char *name;   /*  0 */
	const char *type;   /*  8 */
	void *arg;          /* 16 */
	unsigned long perm; /* 24 */
};

_Static_assert(sizeof(struct kernel_param) == 32, "ABI");

typedef char *__param_charp;
typedef bool __param_bool;
typedef unsigned char __param_byte;
typedef short __param_short;
typedef unsigned short __param_ushort;
typedef int __param_int;
typedef unsigned int __param_uint;
typedef long __param_long;
typedef unsigned long __param_ulong;

/* `type`: charp, bool, byte, short, ushort, int, uint, long or ulong. */
#define module_param_named(name, value, type, perm) \
	static inline __param_##type *__check_##name(void) { return &(value); } \
	static const struct kernel_param __param_of_##name __used __aligned(8) \
		__attribute__((section("__param"))) = { #name, #type, (void *)&(value), perm }

#define module_param(name, type, perm) module_param_named(name, name, type, perm)

#define MODULE_PARM_DESC(name, text) _Static_assert(sizeof(text) > 1, "a text")

#endif
