/* reprobe: counters that every context may change. */
#ifndef _LINUX_ATOMIC_H
#define _LINUX_ATOMIC_H

#include <linux/compiler.h>
#include <linux/types.h>

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	s64 counter;
} atomic64_t;

#define ATOMIC_INIT(value) { value }
#define ATOMIC64_INIT(value) { value }

#define atomic_read(v) READ_ONCE((v)->counter)
#define atomic_set(v, value) WRITE_ONCE((v)->counter, value)
#define atomic_add(value, v) ((void)__atomic_fetch_add(&(v)->counter, value, __ATOMIC_RELAXED))
#define atomic_inc(v) atomic_add(1, v)
#define atomic_dec(v) atomic_add(-1, v)
#define atomic_inc_return(v) (__atomic_fetch_add(&(v)->counter, 1, __ATOMIC_SEQ_CST) + 1)
#define atomic_dec_and_test(v) (__atomic_fetch_add(&(v)->counter, -1, __ATOMIC_SEQ_CST) == 1)

#define atomic64_read(v) atomic_read(v)
#define atomic64_set(v, value) atomic_set(v, value)
#define atomic64_add(value, v) atomic_add(value, v)
#define atomic64_inc(v) atomic_inc(v)

#endif
