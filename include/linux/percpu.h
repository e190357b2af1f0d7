/* reprobe: one variable for each CPU that there can be. */
#ifndef _LINUX_PERCPU_H
#define _LINUX_PERCPU_H

#include <linux/smp.h>

#define NR_CPUS 8

#define DEFINE_PER_CPU(type, name) __typeof__(type) name[NR_CPUS]
#define per_cpu(name, cpu) ((name)[cpu])

/* One instruction, so that an interrupt or an NMI that counts too loses nothing. */
#define this_cpu_add(name, value) \
	((void)__atomic_fetch_add(&(name)[smp_processor_id()], value, __ATOMIC_RELAXED))
#define this_cpu_inc(name) this_cpu_add(name, 1)

#define for_each_online_cpu(cpu) for ((cpu) = 0; (cpu) < num_online_cpus(); (cpu)++)

#endif
