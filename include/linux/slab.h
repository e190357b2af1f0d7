/* reprobe: memory from the heap. Freed memory is poisoned; touching it is a finding of the run. */
#ifndef _LINUX_SLAB_H
#define _LINUX_SLAB_H

#include <linux/types.h>

#define GFP_ATOMIC ((gfp_t)0x1) /* never sleeps */
#define GFP_KERNEL ((gfp_t)0x2) /* task context only */

/* NULL when memory is short, or when the run chose so. */
void *kmalloc(size_t size, gfp_t flags);
void kfree(const void *object);

#endif
