/* reprobe: virtual time in nanoseconds; one step of the run is 1000 of them. */
#ifndef _LINUX_KTIME_H
#define _LINUX_KTIME_H

#include <linux/types.h>

typedef s64 ktime_t;

ktime_t ktime_get(void);

static inline s64 ktime_to_ns(ktime_t time)
{
	return time;
}

static inline ktime_t ktime_sub(ktime_t later, ktime_t sooner)
{
	return later - sooner;
}

#endif
