/* reprobe: strings and bytes. Part of whoever includes it, hence never hooked. */
#ifndef _LINUX_STRING_H
#define _LINUX_STRING_H

#include <linux/compiler.h>
#include <linux/types.h>

static inline notrace size_t strlen(const char *s)
{
	size_t length = 0;

	while (s[length] != '\0')
		length++;
	return length;
}

static inline notrace int strcmp(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b)
		a++, b++;
	return (unsigned char)*a - (unsigned char)*b;
}

static inline notrace void *memset(void *s, int value, size_t count)
{
	unsigned char *at = s;

	while (count-- > 0)
		*at++ = (unsigned char)value;
	return s;
}

static inline notrace void *memcpy(void *to, const void *from, size_t count)
{
	unsigned char *at = to;
	const unsigned char *source = from;

	while (count-- > 0)
		*at++ = *source++;
	return to;
}

#endif
