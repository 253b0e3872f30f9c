/* SPDX-License-Identifier: MIT */
/* Domains with consoles (consoled_fake.h). */
#include "consoled_fake.h"

#include <stdio.h>
#include <string.h>

/* See consoled_fake.h. */
void fake_begin(void)
{
    console_world_begin();
    fake_empty_store();
}

/* See consoled_fake.h. */
void fake_create(domid_t id, const char *name)
{
    struct console_domain *d = &console_domains[id];
    uint8_t identity = d->identity;
    char path[64];

    *d = (struct console_domain){.is_there = true, .identity = identity + 1};
    console_ring_attach_domain(&d->ring, &d->page);
    snprintf(path, sizeof(path), "/local/domain/%u/name", id);
    fake_set_node(path, name);
    snprintf(path, sizeof(path), "/local/domain/%u/console/ring-ref", id);
    fake_set_node(path, "4660");
    snprintf(path, sizeof(path), "/local/domain/%u/console/port", id);
    fake_set_node(path, "2");
    snprintf(path, sizeof(path), "/local/domain/%u/console/tty", id);
    fake_set_node(path, "");
}

/* See consoled_fake.h. */
void fake_introduce(domid_t id, const char *name)
{
    fake_create(id, name);
    fake_tell("@introduceDomain");
}

/* See consoled_fake.h. */
void fake_destroy(domid_t id)
{
    console_domains[id].is_there = false;
    fake_tell("@releaseDomain");
}

/* See consoled_fake.h. */
void fake_print(domid_t id, const char *text)
{
    struct console_ring *ring = &console_domains[id].ring;
    size_t size = strlen(text);

    ck_assert_int_ge(console_ring_writable(ring), (int)size);
    console_ring_put(ring, text, (uint32_t)size);
    console_world_fire(id);
}

/* See consoled_fake.h. */
const char *fake_take_input(domid_t id)
{
    static char got[XENCONS_IN_SIZE + 1];
    struct console_ring *ring = &console_domains[id].ring;
    int size = console_ring_readable(ring);

    ck_assert_int_ge(size, 0);
    console_ring_peek(ring, got, (uint32_t)size);
    got[size] = '\0';
    if (size) {
        console_ring_consume(ring, (uint32_t)size);
        console_world_fire(id);
    }
    return got;
}
