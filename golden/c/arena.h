/* What store.c takes from arena.c. */
#ifndef ARENA_H
#define ARENA_H

#include <linux/types.h>

void copy_bytes(void *to, const void *from, size_t bytes);
void fill_bytes(void *to, u8 value, size_t bytes);
bool same_bytes(const void *a, const void *b, size_t bytes);
u32 hash_bytes(const u8 *bytes, size_t count);
u32 checksum(const u8 *bytes, size_t count);

/* The caller keeps all others out. NULL when no free block is large enough. */
void *arena_alloc(size_t bytes);
void arena_free(void *object);

/* How many objects live, or -EILSEQ when the blocks do not tile the arena. */
long arena_used(void);

#endif
