/* reprobe: modules see the symbols of the kernel and of the workload, not each other's. */
#ifndef _LINUX_EXPORT_H
#define _LINUX_EXPORT_H

#define EXPORT_SYMBOL(symbol) extern __typeof__(symbol) symbol
#define EXPORT_SYMBOL_GPL(symbol) EXPORT_SYMBOL(symbol)

#endif
