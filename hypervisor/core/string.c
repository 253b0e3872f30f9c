/* SPDX-License-Identifier: MIT */
/*
 * String functions for the target (string.h). Most of the time goes into
 * whole pages, so the bulk moves by words, several in each round; x86 does
 * unaligned ones at no cost that matters.
 */
#include "core/string.h"

#include "core/types.h"

/* A word at any address, of anyone's type. */
typedef uint64_t word __attribute__((may_alias, aligned(1)));

#define WORD sizeof(word)
#define ROUND (4 * WORD)

/* Copies from the first byte on: `to` may lie below what it overlaps. */
static inline void copy_forwards(char *to, const char *from, size_t n)
{
    char *last_word;
    word last;

    if (n < WORD) {
        while (n-- > 0)
            *to++ = *from++;
        return;
    }
    last = *(const word *)(from + n - WORD); /* may overlap the one before */
    last_word = to + n - WORD;
    for (; to + ROUND <= last_word; to += ROUND, from += ROUND) {
        word a = *(const word *)from, b = *(const word *)(from + WORD);

        *(word *)to = a;
        *(word *)(to + WORD) = b;
        a = *(const word *)(from + 2 * WORD);
        b = *(const word *)(from + 3 * WORD);
        *(word *)(to + 2 * WORD) = a;
        *(word *)(to + 3 * WORD) = b;
    }
    for (; to < last_word; to += WORD, from += WORD)
        *(word *)to = *(const word *)from;
    *(word *)last_word = last;
}

/* Copies `n` bytes; the ranges don't overlap. Returns `dst`. */
hot_path void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    copy_forwards(dst, src, n);
    return dst;
}

/* Copies `n` bytes as if through a buffer of its own. Returns `dst`. */
void *memmove(void *dst, const void *src, size_t n)
{
    char *to = dst;
    const char *from = src;

    if ((uintptr_t)dst - (uintptr_t)src >= n) {
        copy_forwards(to, from, n);
        return dst;
    }
    for (; n >= WORD; n -= WORD)
        *(word *)(to + n - WORD) = *(const word *)(from + n - WORD);
    while (n-- > 0)
        to[n] = from[n];
    return dst;
}

/* Sets `n` bytes to the low byte of `byte`. Returns `dst`. */
void *memset(void *dst, int byte, size_t n)
{
    word value = (uint8_t)byte * 0x0101010101010101ull;
    char *to = dst;

    for (; n >= ROUND; n -= ROUND, to += ROUND) {
        *(word *)to = value;
        *(word *)(to + WORD) = value;
        *(word *)(to + 2 * WORD) = value;
        *(word *)(to + 3 * WORD) = value;
    }
    while (n-- > 0)
        *to++ = (char)byte;
    return dst;
}

/* Negative, zero or positive as the bytes of `a` sort against those of `b`. */
int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *p = a, *q = b;

    for (; n >= WORD; n -= WORD, p += WORD, q += WORD)
        if (*(const word *)p != *(const word *)q)
            break;
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
