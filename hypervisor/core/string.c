/* SPDX-License-Identifier: MIT */
/*
 * String functions for the target (string.h). Most of the time goes into
 * whole pages, so the bulk moves by words, several in each round; x86 does
 * unaligned ones at no cost that matters.
 */
#include "core/string.h"

#include "core/types.h"

/* A word at any address, and a few, of anyone's type. */
typedef uint64_t word __attribute__((may_alias, aligned(1)));
typedef struct {
    uint64_t words[4];
} __attribute__((may_alias, packed)) block;

#define WORD sizeof(word)

/* Copies `n` bytes; the ranges don't overlap. Returns `dst`. */
hot_path void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    const char *from = src;
    char *to = dst;

    for (; n >= sizeof(block); n -= sizeof(block)) {
        *(block *)to = *(const block *)from;
        to += sizeof(block);
        from += sizeof(block);
    }
    for (; n >= WORD; n -= WORD, to += WORD, from += WORD)
        *(word *)to = *(const word *)from;
    while (n-- > 0)
        *to++ = *from++;
    return dst;
}

/* Copies `n` bytes as if through a buffer of its own. Returns `dst`. */
void *memmove(void *dst, const void *src, size_t n)
{
    const char *from = src;
    char *to = dst;

    if ((uintptr_t)dst - (uintptr_t)src >= n &&
        (uintptr_t)src - (uintptr_t)dst >= n)
        return memcpy(dst, src, n);
    if (to < from)
        while (n-- > 0)
            *to++ = *from++;
    else
        while (n-- > 0)
            to[n] = from[n];
    return dst;
}

/* Sets `n` bytes to the low byte of `byte`. Returns `dst`. */
void *memset(void *dst, int byte, size_t n)
{
    word value = (uint8_t)byte * 0x0101010101010101ull;
    char *to = dst;

    for (; n >= sizeof(block); n -= sizeof(block), to += sizeof(block))
        *(block *)to = (block){{value, value, value, value}};
    while (n-- > 0)
        *to++ = (char)byte;
    return dst;
}

/* Negative, zero or positive as the bytes of `a` sort against those of `b`. */
int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *p = a, *q = b;

    for (; n > 0; n--, p++, q++)
        if (*p != *q)
            return *p - *q;
    return 0;
}

/* The first of `n` bytes that equals `byte`, or NULL. */
void *memchr(const void *s, int byte, size_t n)
{
    const unsigned char *p = s;

    for (; n > 0; n--, p++)
        if (*p == (unsigned char)byte)
            return (void *)p;
    return NULL;
}

/* The number of bytes before the terminator, at most `max`. */
size_t strnlen(const char *s, size_t max)
{
    size_t n = 0;

    while (n < max && s[n])
        n++;
    return n;
}

/* The number of bytes before the terminator. */
size_t strlen(const char *s)
{
    return strnlen(s, SIZE_MAX);
}

/*
 * Negative, zero or positive as `a` sorts against `b`, of each of which no
 * more than `n` bytes count.
 */
int strncmp(const char *a, const char *b, size_t n)
{
    for (; n > 0; n--, a++, b++)
        if (*a != *b || !*a)
            return (unsigned char)*a - (unsigned char)*b;
    return 0;
}

/* The first `c` in `s`, its terminator included, or NULL. */
char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)s;
        if (!*s)
            return NULL;
    }
}
