/* reprobe: code for the beginning and the end. It stays, and is traced, as any other. */
#ifndef _LINUX_INIT_H
#define _LINUX_INIT_H

#define __init
#define __exit
#define __initdata
#define __exitdata

#endif
