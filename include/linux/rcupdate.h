/* reprobe: read sections, and waits for them (docs/spec CC-M10 to CC-M12). Waits sleep. */
#ifndef _LINUX_RCUPDATE_H
#define _LINUX_RCUPDATE_H

#include <linux/types.h>

void rcu_read_lock(void);
void rcu_read_unlock(void);
bool rcu_is_watching(void);

void synchronize_rcu(void);
void synchronize_rcu_tasks(void);
void synchronize_rcu_tasks_rude(void);

#endif
