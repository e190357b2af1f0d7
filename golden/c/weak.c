/* Half of weak.elf: a weak function that weak_strong.c overrides, and one of two functions that are called show. */
#include <linux/compiler.h>

int weak_shown;

int arch_flush(int value);

/* Nobody calls this one; its code and its call site stay in the file, its name does not. */
__attribute__((weak)) int arch_flush(int value)
{
	weak_shown -= value;
	return -1;
}

static __attribute__((noipa)) int show(int value)
{
	weak_shown += value;
	return weak_shown;
}

int show_strong(int value);

int weak_round(void);

/* Calls both functions that are called show, and the one that arch_flush means. */
int weak_round(void)
{
	return show(1) + show_strong(2) + arch_flush(4);
}
