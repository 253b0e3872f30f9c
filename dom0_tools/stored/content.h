/* SPDX-License-Identifier: MIT */
/*
 * What a node holds, value and permissions, wherever it is kept: in the tree
 * or in a transaction.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dom0_tools/stored/bytes.h"
#include "hypercall_abi/abi.h"

enum {
    ACCESS_NONE = 0,
    ACCESS_READ = 1,
    ACCESS_WRITE = 2,
};

/* The first entry names the owner and what everybody else may. */
struct permission {
    domid_t domain;
    uint8_t access; /* ACCESS_* */
};

struct content {
    uint8_t *value;
    uint32_t size;
    uint32_t permission_count; /* at least 1 */
    struct permission *permissions;
};

/* Who asks: a domain, perhaps with the rights of another as well. */
struct asker {
    domid_t domain;
    domid_t target; /* or the same as `domain` */
};

void content_copy(struct content *to, const struct content *from);
void content_free(struct content *c);
void content_set_value(struct content *c, const void *value, size_t size);
void content_set_permissions(struct content *c, const struct permission *list,
                             size_t count);

/* What an asker may do: ACCESS_* bits. dom0 and the owner may all. */
unsigned content_access(const struct content *c, const struct asker *asker);
bool content_is_owner(const struct content *c, const struct asker *asker);

/* The bytes that count as the node's size, besides its name. */
size_t content_weight(const struct content *c);

/*
 * Reads "n0", "r5", "w5", "b5" with their zero bytes. The number of entries,
 * or -EINVAL; *list is the caller's to free.
 */
int content_parse_permissions(const char *words, size_t size,
                              struct permission **list);
void content_format_permissions(const struct content *c, struct bytes *out);

/* To a buffer and back. content_load() is false if it isn't whole. */
void content_save(const struct content *c, struct bytes *out);
bool content_load(struct content *c, struct reader *in);
