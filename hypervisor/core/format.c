/* SPDX-License-Identifier: MIT */
/*
 * Text from formats, the subset of C's that log.h lists. Nothing here keeps
 * state or takes a lock.
 */
#include "core/log.h"

struct sink {
    char *out;
    size_t size;
    size_t length; /* of the whole text, whether it fits or not */
};

struct conversion {
    bool left, zeros, alternate, is_long;
    int width;
    int precision; /* -1: none */
};

#define FIELD_MAX 4096 /* bounds padding */

static void put(struct sink *s, char c)
{
    if (s->length + 1 < s->size)
        s->out[s->length] = c;
    s->length++;
}

static void put_times(struct sink *s, char c, int times)
{
    while (times-- > 0)
        put(s, c);
}

static void put_text(struct sink *s, const char *text, int length)
{
    while (length-- > 0)
        put(s, *text++);
}

/* One field: blanks, prefix, zeros, text, as the conversion wants them. */
static void put_field(struct sink *s, const struct conversion *c,
                      const char *prefix, int zeros, const char *text,
                      int length)
{
    int blanks = c->width - (int)strlen(prefix) - zeros - length;

    if (!c->left)
        put_times(s, ' ', blanks);
    put_text(s, prefix, (int)strlen(prefix));
    put_times(s, '0', zeros);
    put_text(s, text, length);
    if (c->left)
        put_times(s, ' ', blanks);
}

static int max_int(int a, int b)
{
    return a > b ? a : b;
}

static void put_number(struct sink *s, const struct conversion *c,
                       uint64_t value, char letter, const char *prefix)
{
    static const char upper[] = "0123456789ABCDEF";
    static const char lower[] = "0123456789abcdef";
    unsigned base = letter == 'x' || letter == 'X' ? 16 : 10;
    int least = c->precision >= 0 ? c->precision : 1, length;
    char text[20], *end = text + sizeof(text), *at = end;

    for (; value; value /= base)
        *--at = (letter == 'X' ? upper : lower)[value % base];
    length = (int)(end - at);
    if (c->zeros && !c->left && c->precision < 0)
        least = max_int(least, c->width - (int)strlen(prefix));
    put_field(s, c, prefix, max_int(least - length, 0), at, length);
}

static void put_signed(struct sink *s, const struct conversion *c,
                       int64_t value)
{
    put_number(s, c, value < 0 ? -(uint64_t)value : (uint64_t)value, 'd',
               value < 0 ? "-" : "");
}

static void put_string(struct sink *s, const struct conversion *c,
                       const char *text)
{
    if (!text)
        text = "(null)";
    put_field(s, c, "", 0, text,
              (int)(c->precision < 0 ? strlen(text)
                                     : strnlen(text, (size_t)c->precision)));
}

/* A width or precision, bounded; moves *fmt behind it. */
static int take_number(const char **fmt, va_list *args)
{
    int number = 0;

    if (**fmt == '*') {
        (*fmt)++;
        return va_arg(*args, int);
    }
    for (; **fmt >= '0' && **fmt <= '9'; (*fmt)++)
        if (number < FIELD_MAX)
            number = number * 10 + (**fmt - '0');
    return number;
}

/* What stands between a % and its letter. */
static const char *parse(const char *fmt, struct conversion *c, va_list *args)
{
    for (;; fmt++) {
        if (*fmt == '-')
            c->left = true;
        else if (*fmt == '0')
            c->zeros = true;
        else if (*fmt == '#')
            c->alternate = true;
        else
            break;
    }
    c->width = take_number(&fmt, args);
    if (c->width < 0) {
        c->left = true;
        c->width = -c->width;
    }
    c->precision = -1;
    if (*fmt == '.') {
        fmt++;
        c->precision = take_number(&fmt, args);
    }
    for (; *fmt == 'l' || *fmt == 'z'; fmt++)
        c->is_long = true;
    return fmt;
}

static void convert(struct sink *s, struct conversion *c, char letter,
                    va_list *args)
{
    uint64_t value;
    char character;

    switch (letter) {
    case 's':
        put_string(s, c, va_arg(*args, const char *));
        break;
    case 'c':
        character = (char)va_arg(*args, int);
        put_field(s, c, "", 0, &character, 1);
        break;
    case 'd':
    case 'i':
        put_signed(s, c,
                   c->is_long ? va_arg(*args, int64_t) : va_arg(*args, int));
        break;
    case 'p':
        put_number(s, c, (uintptr_t)va_arg(*args, void *), 'x', "0x");
        break;
    case 'u':
    case 'x':
    case 'X':
        value =
            c->is_long ? va_arg(*args, uint64_t) : va_arg(*args, unsigned int);
        put_number(s, c, value, letter,
                   !c->alternate || !value || letter == 'u' ? ""
                   : letter == 'x'                          ? "0x"
                                                            : "0X");
        break;
    default: /* also %% */
        put(s, letter);
    }
}

/*
 * As C's vsnprintf: writes at most `size` bytes with the terminator, returns
 * the length that the whole text has.
 */
int format_va(char *out, size_t size, const char *fmt, va_list args)
{
    struct sink s = {.out = out, .size = size};
    va_list rest;

    va_copy(rest, args);
    for (; *fmt; fmt++) {
        struct conversion c = {0};

        if (*fmt != '%') {
            put(&s, *fmt);
            continue;
        }
        fmt = parse(fmt + 1, &c, &rest);
        if (!*fmt)
            break;
        convert(&s, &c, *fmt, &rest);
    }
    va_end(rest);
    if (size)
        out[s.length < size ? s.length : size - 1] = '\0';
    return (int)s.length;
}

/* As C's snprintf: see format_va. */
int format(char *out, size_t size, const char *fmt, ...)
{
    va_list args;
    int length;

    va_start(args, fmt);
    length = format_va(out, size, fmt, args);
    va_end(args);
    return length;
}
