/* reprobe: keeping the running task on its CPU. Both nest. */
#ifndef _LINUX_PREEMPT_H
#define _LINUX_PREEMPT_H

void preempt_disable(void);
void preempt_enable(void);

#endif
