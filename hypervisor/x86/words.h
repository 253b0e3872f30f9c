/* SPDX-License-Identifier: MIT */
/*
 * Values of command-line options are words separated by commas. A cursor
 * walks over such a value without changing or copying it.
 */
#pragma once

#include "core/types.h"

struct word {
    const char *text; /* not terminated */
    size_t length;
};

/* The next word of *cursor, which may be empty; false after the last one. */
static inline bool word_next(const char **cursor, struct word *w)
{
    if (!*cursor)
        return false;
    w->text = *cursor;
    w->length = 0;
    while (w->text[w->length] && w->text[w->length] != ',')
        w->length++;
    *cursor = w->text[w->length] ? w->text + w->length + 1 : NULL;
    return true;
}

static inline bool word_is(const struct word *w, const char *name)
{
    return strlen(name) == w->length && !strncmp(w->text, name, w->length);
}

static inline int word_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

/* Reads all of `w` as a number, 0x for hexadecimal, up to `max`. */
static inline bool word_number(const struct word *w, uint32_t max,
                               uint32_t *out)
{
    bool hex = w->length > 2 && w->text[0] == '0' && w->text[1] == 'x';
    unsigned base = hex ? 16 : 10;
    uint64_t value = 0;

    if (!w->length)
        return false;
    for (size_t i = hex ? 2 : 0; i < w->length; i++) {
        unsigned digit = (unsigned)word_digit(w->text[i]);

        if (digit >= base)
            return false;
        value = value * base + digit;
        if (value > max)
            return false;
    }
    *out = (uint32_t)value;
    return true;
}
