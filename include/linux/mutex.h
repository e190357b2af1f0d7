/* reprobe: a lock for tasks, which sleep for it. Zero is unlocked. */
#ifndef _LINUX_MUTEX_H
#define _LINUX_MUTEX_H

#include <linux/types.h>

struct mutex {
	u64 owner;
};

#define DEFINE_MUTEX(name) struct mutex name = { 0 }

void mutex_lock(struct mutex *lock);
void mutex_unlock(struct mutex *lock);

#endif
