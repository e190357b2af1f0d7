/* reprobe: what kernel code expects from its compiler. */
#ifndef _LINUX_COMPILER_H
#define _LINUX_COMPILER_H

/*
 * No patchable entry, hence no call site: such a function can never be hooked (docs/spec FT-4).
 * Callbacks that need no protection against hooking themselves are marked so.
 */
#define notrace __attribute__((patchable_function_entry(0)))

#define noinline __attribute__((noinline))
#define __always_inline inline __attribute__((always_inline))
#define __aligned(bytes) __attribute__((aligned(bytes)))
#define __packed __attribute__((packed))
#define __used __attribute__((used))
#define __printf(text, values) __attribute__((format(printf, text, values)))
#define __noreturn __attribute__((noreturn))

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define barrier() __asm__ __volatile__("" ::: "memory")

/* One access, exactly here: neither merged nor repeated. */
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, value) (*(volatile __typeof__(x) *)&(x) = (value))

/* Says `word` in the object file, in a section that is not loaded: what it was compiled for. */
#define REPROBE_ABI(word) \
	__asm__(".pushsection .reprobe.abi,\"\",@progbits\n\t.asciz \"" word "\"\n\t.popsection");

#endif
