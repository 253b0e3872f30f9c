/* SPDX-License-Identifier: MIT */
/* UUIDs: a domain's name for ever, also after it was built anew. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dom0_tools/lib/error.h"

#define UUID_TEXT_SIZE 37

struct uuid {
    uint8_t bytes[16];
};

/* Reads 32 hexadecimal digits, dashes between them ignored. */
bool uuid_parse(const char *text, struct uuid *uuid);

/* Writes it in the usual form. */
void uuid_format(const struct uuid *uuid, char text[UUID_TEXT_SIZE]);

/* A new random one, version 4. */
int uuid_make(struct uuid *uuid, struct error *e);
