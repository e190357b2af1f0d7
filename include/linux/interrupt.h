/* reprobe: softirqs. */
#ifndef _LINUX_INTERRUPT_H
#define _LINUX_INTERRUPT_H

#include <linux/irqflags.h>

void local_bh_disable(void);
void local_bh_enable(void);

/* The handler of softirq `nr` runs on this CPU as soon as no interrupt is being handled. */
void raise_softirq(unsigned int nr);

#endif
