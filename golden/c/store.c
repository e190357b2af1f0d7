/*
 * A small store: a hash table of records in an arena, and a queue of messages about them, shared by
 * two tasks and an interrupt. `producer` files records and announces them, `consumer` looks each up
 * by its key, checks every byte of it and removes it, `tick` audits the queue. Nobody waits for
 * ever, so any workload may call them any number of times, in any order.
 *
 * Locks: `store_lock` (a mutex, tasks only) around arena and table; `queue.lock` (interrupts off)
 * around the ring; `stats` is counted with atomic adds.
 */
#include <linux/delay.h>
#include <linux/ftrace.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include "arena.h"

#define BUCKETS 16
#define RING_SLOTS 8
#define KEY_BYTES 32
#define PAYLOAD_MIN 96
#define BATCH 8

struct record {
	struct record *next;
	u64 sequence;
	u32 hash;
	u32 bytes;
	u8 key[KEY_BYTES];
	u8 payload[];
};

struct message {
	u8 key[KEY_BYTES];
	u64 sequence;
	u32 checksum; /* of the record's payload */
	u32 seal;     /* of this message */
};

static struct record *table[BUCKETS];
static DEFINE_MUTEX(store_lock);

static struct {
	spinlock_t lock;
	u32 head, tail;
	struct message ring[RING_SLOTS];
} queue;

/* For workloads to look at. */
struct {
	u64 produced, consumed, dropped, ticks, errors;
} stats;

#define count(field) __atomic_fetch_add(&stats.field, 1, __ATOMIC_RELAXED)

/* ---- table; caller holds store_lock ---- */

noinline struct record **table_find(const u8 *key)
{
	u32 hash = hash_bytes(key, KEY_BYTES);
	struct record **link = &table[hash % BUCKETS];

	while (*link != NULL && ((*link)->hash != hash || !same_bytes((*link)->key, key, KEY_BYTES)))
		link = &(*link)->next;
	return link;
}

/* NULL when the key is taken, or the arena full. */
noinline struct record *table_insert(const u8 *key, const u8 *payload, u32 bytes)
{
	struct record **link = table_find(key), *record;

	if (*link != NULL)
		return NULL;
	record = arena_alloc(sizeof(*record) + bytes);
	if (record == NULL)
		return NULL;
	copy_bytes(record->key, key, KEY_BYTES);
	copy_bytes(record->payload, payload, bytes);
	record->hash = hash_bytes(record->key, KEY_BYTES);
	record->bytes = bytes;
	*link = record;
	return record;
}

noinline void table_remove(struct record **link)
{
	struct record *record = *link;

	*link = record->next;
	arena_free(record);
}

/* ---- queue ---- */

static u32 seal_of(const struct message *message)
{
	return checksum(message->key, offsetof(struct message, seal));
}

noinline bool queue_push(struct message *message)
{
	unsigned long flags;
	bool fits;

	message->seal = seal_of(message);
	spin_lock_irqsave(&queue.lock, flags);
	fits = queue.head - queue.tail < RING_SLOTS;
	if (fits) {
		copy_bytes(&queue.ring[queue.head % RING_SLOTS], message, sizeof(*message));
		queue.head++;
	}
	spin_unlock_irqrestore(&queue.lock, flags);
	return fits;
}

noinline bool queue_pop(struct message *message)
{
	unsigned long flags;
	bool any;

	spin_lock_irqsave(&queue.lock, flags);
	any = queue.head != queue.tail;
	if (any) {
		copy_bytes(message, &queue.ring[queue.tail % RING_SLOTS], sizeof(*message));
		queue.tail++;
	}
	spin_unlock_irqrestore(&queue.lock, flags);
	return any;
}

/* ---- the two tasks and the interrupt ---- */

noinline void make_key(u8 *key, u64 sequence)
{
	u64 state = sequence * 0x9e3779b97f4a7c15ull + 1;

	for (int i = 0; i < KEY_BYTES; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		key[i] = (u8)('a' + (state & 15));
	}
}

static u32 payload_bytes(u64 sequence)
{
	return PAYLOAD_MIN + (u32)(sequence * 40 % 96);
}

noinline void make_payload(u8 *payload, u64 sequence)
{
	u32 bytes = payload_bytes(sequence);
	u32 value = (u32)sequence * 2654435761u;

	for (u32 i = 0; i < bytes; i++) {
		value = value * 1664525u + 1013904223u;
		payload[i] = (u8)(value >> 24);
	}
}

static long complain(const char *what, u64 sequence)
{
	count(errors);
	_printk("store: %s, record %llu\n", what, sequence);
	return -EILSEQ;
}

/* Files one record and announces it. A full arena or queue drops it: that is not an error. */
noinline long produce(u64 sequence)
{
	u8 payload[PAYLOAD_MIN + 96];
	struct message message;
	struct record *record;

	make_key(message.key, sequence);
	make_payload(payload, sequence);
	message.sequence = sequence;
	message.checksum = checksum(payload, payload_bytes(sequence));
	mutex_lock(&store_lock);
	record = table_insert(message.key, payload, payload_bytes(sequence));
	if (record != NULL)
		record->sequence = sequence;
	mutex_unlock(&store_lock);
	if (record != NULL && queue_push(&message)) {
		count(produced);
		return 0;
	}
	if (record != NULL) {
		mutex_lock(&store_lock);
		table_remove(table_find(message.key));
		mutex_unlock(&store_lock);
	}
	count(dropped);
	return -EAGAIN;
}

/* Checks everything about one announced record and removes it. */
noinline long consume(const struct message *message)
{
	u8 expected[PAYLOAD_MIN + 96];
	struct record **link;
	const char *wrong = NULL;

	if (message->seal != seal_of(message))
		return complain("a message changed in the queue", message->sequence);
	make_payload(expected, message->sequence);
	mutex_lock(&store_lock);
	link = table_find(message->key);
	if (*link == NULL) {
		wrong = "its key is gone";
	} else {
		if ((*link)->sequence != message->sequence)
			wrong = "its key belongs to another";
		else if (checksum((*link)->payload, (*link)->bytes) != message->checksum)
			wrong = "its sum is wrong";
		else if (!same_bytes((*link)->payload, expected, (*link)->bytes))
			wrong = "its bytes are wrong";
		table_remove(link);
	}
	mutex_unlock(&store_lock);
	if (wrong != NULL)
		return complain(wrong, message->sequence);
	count(consumed);
	return 0;
}

/* A task: files BATCH records, resting when there is no room. Returns 0. */
long producer(void)
{
	static u64 sequence;

	for (int i = 0; i < BATCH; i++)
		if (produce(__atomic_fetch_add(&sequence, 1, __ATOMIC_RELAXED)) != 0)
			usleep_range(50, 100);
	return 0;
}

/* A task: takes up to BATCH messages, resting when there are none. Returns how many were wrong. */
long consumer(void)
{
	struct message message;
	long wrong = 0;

	for (int i = 0; i < BATCH; i++) {
		if (!queue_pop(&message))
			usleep_range(50, 100);
		else if (consume(&message) != 0)
			wrong++;
	}
	return wrong;
}

/*
 * An interrupt, never an NMI (that could meet the lock held): every waiting message must still be
 * what was pushed.
 */
void tick(void)
{
	unsigned long flags;

	spin_lock_irqsave(&queue.lock, flags);
	for (u32 i = queue.tail; i != queue.head; i++) {
		const struct message *message = &queue.ring[i % RING_SLOTS];

		if (message->seal != seal_of(message))
			complain("a waiting message changed", message->sequence);
	}
	spin_unlock_irqrestore(&queue.lock, flags);
	count(ticks);
}

/* For the end of a run: the arena is tiled, and as much of it is used as the table holds. */
long store_check(void)
{
	long used, records = 0;

	mutex_lock(&store_lock);
	used = arena_used();
	for (int i = 0; i < BUCKETS; i++)
		for (const struct record *record = table[i]; record != NULL; record = record->next)
			records++;
	mutex_unlock(&store_lock);
	if (used != records)
		return complain("the arena is damaged", (u64)records);
	return (long)stats.errors;
}

/* The empty callback: what a hook costs by itself. */
notrace void count_nothing(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *op,
			   struct ftrace_regs *regs)
{
	(void)ip, (void)parent_ip, (void)op, (void)regs;
}
