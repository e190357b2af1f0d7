/* reprobe: which CPU is this? */
#ifndef _LINUX_SMP_H
#define _LINUX_SMP_H

unsigned int smp_processor_id(void);

#endif
