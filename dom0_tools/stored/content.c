/* SPDX-License-Identifier: MIT */
/* Values and permissions (content.h). */
#include "dom0_tools/stored/content.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char letters[] = "nrwb";

/* See content.h. */
void content_set_value(struct content *c, const void *value, size_t size)
{
    uint8_t *copy = memory_copy(value, size);

    free(c->value);
    c->value = copy;
    c->size = (uint32_t)size;
}

/* See content.h. */
void content_set_permissions(struct content *c, const struct permission *list,
                             size_t count)
{
    struct permission *copy = memory_copy(list, count * sizeof(*list));

    free(c->permissions);
    c->permissions = copy;
    c->permission_count = (uint32_t)count;
}

/* See content.h. */
void content_copy(struct content *to, const struct content *from)
{
    content_set_value(to, from->value, from->size);
    content_set_permissions(to, from->permissions, from->permission_count);
}

/* See content.h. */
void content_free(struct content *c)
{
    free(c->value);
    free(c->permissions);
    *c = (struct content){NULL, 0, 0, NULL};
}

static unsigned access_of(const struct content *c, domid_t domain)
{
    if (!domain || c->permissions[0].domain == domain)
        return ACCESS_READ | ACCESS_WRITE;
    for (uint32_t i = 1; i < c->permission_count; i++)
        if (c->permissions[i].domain == domain)
            return c->permissions[i].access;
    return c->permissions[0].access;
}

/* See content.h. */
unsigned content_access(const struct content *c, const struct asker *asker)
{
    return access_of(c, asker->domain) | access_of(c, asker->target);
}

/* See content.h. */
bool content_is_owner(const struct content *c, const struct asker *asker)
{
    domid_t owner = c->permissions[0].domain;

    return !asker->domain || owner == asker->domain || owner == asker->target;
}

/* See content.h. */
size_t content_weight(const struct content *c)
{
    return c->size + c->permission_count * sizeof(*c->permissions);
}

/* One word without its zero byte. */
static bool parse_permission(const char *word, struct permission *entry)
{
    const char *letter = *word ? strchr(letters, *word) : NULL;
    unsigned long domain;
    char *end;

    if (!letter || word[1] < '0' || word[1] > '9')
        return false;
    domain = strtoul(word + 1, &end, 10);
    if (*end || domain >= DOMID_FIRST_RESERVED)
        return false;
    *entry = (struct permission){(domid_t)domain, (uint8_t)(letter - letters)};
    return true;
}

/* See content.h. */
int content_parse_permissions(const char *words, size_t size,
                              struct permission **list)
{
    int count = 0, most = 0;

    *list = NULL;
    for (size_t i = 0; i < size; i++)
        most += !words[i];
    if (!most || words[size - 1])
        return -EINVAL;
    *list = memory_get((size_t)most * sizeof(**list));
    for (; count < most; words += strlen(words) + 1)
        if (!parse_permission(words, &(*list)[count++])) {
            free(*list);
            *list = NULL;
            return -EINVAL;
        }
    return count;
}

/* See content.h. */
void content_format_permissions(const struct content *c, struct bytes *out)
{
    for (uint32_t i = 0; i < c->permission_count; i++) {
        bytes_put_format(out, "%c%u", letters[c->permissions[i].access],
                         c->permissions[i].domain);
        bytes_put_u8(out, 0);
    }
}

/* See content.h. */
void content_save(const struct content *c, struct bytes *out)
{
    bytes_put_block(out, c->value, c->size);
    bytes_put_u32(out, c->permission_count);
    for (uint32_t i = 0; i < c->permission_count; i++) {
        bytes_put_u16(out, c->permissions[i].domain);
        bytes_put_u8(out, c->permissions[i].access);
    }
}

/* See content.h. */
bool content_load(struct content *c, struct reader *in)
{
    size_t size;
    const void *value = reader_block(in, &size);
    uint32_t count = reader_u32(in);
    struct permission *list;

    if (in->is_short || !count || count > in->left / 3)
        return false;
    list = memory_get(count * sizeof(*list));
    for (uint32_t i = 0; i < count; i++) {
        list[i].domain = reader_u16(in) % DOMID_FIRST_RESERVED;
        list[i].access = reader_u8(in) & (ACCESS_READ | ACCESS_WRITE);
    }
    content_set_value(c, value, size);
    content_set_permissions(c, list, count);
    free(list);
    return true;
}
