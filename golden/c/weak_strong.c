/* The other half of weak.elf: what overrides, and the other show. */
#include <linux/compiler.h>
#include <linux/kprobes.h>

extern int weak_shown;

int arch_flush(int value);

int arch_flush(int value)
{
	weak_shown += value;
	return weak_shown;
}

static __attribute__((noipa)) int show(int value)
{
	weak_shown += 2 * value;
	return weak_shown;
}

int show_strong(int value);

int show_strong(int value)
{
	return show(value) + 1;
}

/* Nor in a program is a probe planted in what is named so. */
NOKPROBE_SYMBOL(show_strong);
