/* reprobe: interrupts of this CPU. NMIs come through all the same. */
#ifndef _LINUX_IRQFLAGS_H
#define _LINUX_IRQFLAGS_H

void local_irq_disable(void);
void local_irq_enable(void);

#endif
