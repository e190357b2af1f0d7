/* reprobe: everything that a module written in C needs, in one place; see reprobe/ftrace.h. */
#ifndef _REPROBE_MODULE_H
#define _REPROBE_MODULE_H

#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <reprobe/ftrace.h>

#endif
