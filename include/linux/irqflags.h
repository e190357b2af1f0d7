/* reprobe: interrupts of this CPU. NMIs come through all the same. */
#ifndef _LINUX_IRQFLAGS_H
#define _LINUX_IRQFLAGS_H

void local_irq_disable(void);
void local_irq_enable(void);

/* sstatus.SIE, as the real architecture has it: one instruction each. */
#define local_irq_save(flags) __asm__ __volatile__("csrrci %0, sstatus, 2" : "=r"(flags)::"memory")
#define local_irq_restore(flags) \
	__asm__ __volatile__("csrs sstatus, %0" ::"r"((flags) & 2UL) : "memory")

#endif
