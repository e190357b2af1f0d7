/* reprobe: which CPU is this, and how many are there? */
#ifndef _LINUX_SMP_H
#define _LINUX_SMP_H

unsigned int smp_processor_id(void);
unsigned int num_online_cpus(void);

#define raw_smp_processor_id() smp_processor_id()

#endif
