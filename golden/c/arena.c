/* An allocator over a fixed arena, and the loops over bytes that everything else is made of. */
#include "arena.h"
#include <linux/kernel.h>

#define ARENA_BYTES 0x4000

/* Blocks tile the arena. Free ones are linked in order of address, so that neighbours can join. */
struct block {
	u32 bytes; /* with this header */
	u32 used;
	struct block *next;
};

static u8 arena[ARENA_BYTES] __aligned(16);
static bool arena_ready;
static struct block *free_list;

/* ---- bytes ---- */

noinline void copy_bytes(void *to, const void *from, size_t bytes)
{
	const u8 *source = from;
	u8 *target = to;

	for (size_t i = 0; i < bytes; i++)
		target[i] = source[i];
}

noinline void fill_bytes(void *to, u8 value, size_t bytes)
{
	u8 *target = to;

	for (size_t i = 0; i < bytes; i++)
		target[i] = value;
}

noinline bool same_bytes(const void *a, const void *b, size_t bytes)
{
	const u8 *x = a, *y = b;
	u8 difference = 0;

	for (size_t i = 0; i < bytes; i++)
		difference |= x[i] ^ y[i];
	return difference == 0;
}

/* Fowler, Noll and Vo's hash, 1a. */
noinline u32 hash_bytes(const u8 *bytes, size_t count)
{
	u32 hash = 2166136261u;

	for (size_t i = 0; i < count; i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return hash;
}

/* Fletcher's sum: notices bytes that changed places. */
noinline u32 checksum(const u8 *bytes, size_t count)
{
	u32 a = 1, b = 0;

	for (size_t i = 0; i < count; i++) {
		a += bytes[i];
		b += a;
	}
	return (b << 16) ^ a;
}

/* ---- arena ---- */

static void arena_init(void)
{
	struct block *all = (struct block *)arena;

	all->bytes = ARENA_BYTES;
	all->used = 0;
	all->next = NULL;
	free_list = all;
	arena_ready = true;
}

/* First fit; what remains of the block stays free when it can hold a header and something. */
void *arena_alloc(size_t bytes)
{
	u32 need = ALIGN((u32)(bytes + sizeof(struct block)), 16);
	struct block **link, *block, *rest;

	if (!arena_ready)
		arena_init();
	for (link = &free_list; (block = *link) != NULL; link = &block->next)
		if (block->bytes >= need)
			break;
	if (block == NULL)
		return NULL;
	if (block->bytes - need >= 2 * sizeof(struct block)) {
		rest = (struct block *)((u8 *)block + need);
		rest->bytes = block->bytes - need;
		rest->used = 0;
		rest->next = block->next;
		*link = rest;
		block->bytes = need;
	} else {
		*link = block->next;
	}
	block->used = 1;
	fill_bytes(block + 1, 0, block->bytes - sizeof(struct block));
	return block + 1;
}

static void join(struct block *block)
{
	struct block *next = block->next;

	if (next != NULL && (u8 *)block + block->bytes == (u8 *)next) {
		block->bytes += next->bytes;
		block->next = next->next;
	}
}

void arena_free(void *object)
{
	struct block *block = (struct block *)object - 1, *before = NULL;

	block->used = 0;
	fill_bytes(object, 0x6b, block->bytes - sizeof(struct block));
	for (struct block *at = free_list; at != NULL && at < block; at = at->next)
		before = at;
	block->next = before != NULL ? before->next : free_list;
	if (before != NULL)
		before->next = block;
	else
		free_list = block;
	join(block);
	if (before != NULL)
		join(before);
}

long arena_used(void)
{
	long used = 0;
	u32 at = 0;

	while (arena_ready && at < ARENA_BYTES) {
		const struct block *block = (const struct block *)(arena + at);

		if (block->bytes < sizeof(*block) || block->bytes > ARENA_BYTES - at)
			return -EILSEQ;
		used += block->used;
		at += block->bytes;
	}
	return used;
}
