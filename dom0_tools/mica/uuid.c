/* SPDX-License-Identifier: MIT */
/* UUIDs as text (uuid.h). */
#include "dom0_tools/mica/uuid.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return tolower((unsigned char)c) - 'a' + 10;
}

/* See uuid.h. */
bool uuid_parse(const char *text, struct uuid *uuid)
{
    unsigned digits = 0;

    *uuid = (struct uuid){0};
    for (; *text; text++) {
        uint8_t *byte = &uuid->bytes[digits / 2];

        if (*text == '-')
            continue;
        if (digits == 32 || !isxdigit((unsigned char)*text))
            return false;
        *byte = (uint8_t)(*byte << 4 | digit_value(*text));
        digits++;
    }
    return digits == 32;
}

/* See uuid.h. */
void uuid_format(const struct uuid *uuid, char text[UUID_TEXT_SIZE])
{
    unsigned i;

    for (i = 0; i < sizeof(uuid->bytes); i++)
        text += sprintf(text, "%s%02x",
                        i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                        uuid->bytes[i]);
}

/* See uuid.h. */
int uuid_make(struct uuid *uuid, struct error *e)
{
    if (getrandom(uuid->bytes, sizeof(uuid->bytes), 0) !=
        (ssize_t)sizeof(uuid->bytes))
        return error_set_errno(e, errno, "can't make a UUID");
    uuid->bytes[6] = (uint8_t)((uuid->bytes[6] & 0x0f) | 0x40);
    uuid->bytes[8] = (uint8_t)((uuid->bytes[8] & 0x3f) | 0x80);
    return 0;
}
