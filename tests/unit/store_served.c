/* SPDX-License-Identifier: MIT */
/* A daemon in this process (store_served.h). */
#include "store_served.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char served_directory[64], served_socket[96];
struct fake_world *world;
struct server server;
struct guest guests[WORLD_DOMAINS];

/* See store_served.h. */
int served_try_begin(struct error *e)
{
    struct server_options options = {.directory = served_directory,
                                     .socket = served_socket,
                                     .world = &world->world,
                                     .stop_fd = -1};

    return server_begin(&server, &options, e);
}

/* See store_served.h. */
void served_begin(void)
{
    struct error e = {.number = 0};

    ck_assert_msg(!served_try_begin(&e), "%s: %s", e.what, e.why);
}

/* See store_served.h. */
void served_turn(void)
{
    struct error e;

    for (unsigned i = 0; i < 10; i++)
        ck_assert_int_eq(server_turn(&server, 0, &e), 0);
}

/* See store_served.h. */
size_t served_make(uint8_t *out, uint32_t type, uint32_t req_id,
                   const void *body, size_t size)
{
    struct xsd_sockmsg head = {type, req_id, 0, (uint32_t)size};

    memcpy(out, &head, sizeof(head));
    if (size)
        memcpy(out + sizeof(head), body, size);
    return sizeof(head) + size;
}

/* Writes and reads until all is said and an answer is there; no events. */
static void exchange(unsigned domain, const uint8_t *request, size_t size,
                     struct xsd_sockmsg *head, char *body)
{
    struct guest *g = &guests[domain];
    uint8_t in[MESSAGE_MAX];
    size_t done = 0, got = 0;

    for (unsigned tries = 0; tries < 100; tries++) {
        done += guest_write(g, request + done, size - done);
        served_turn();
        got +=
            guest_read(g, in + got,
                       got < sizeof(*head) ? sizeof(*head) - got
                                           : sizeof(*head) + head->len - got);
        if (got >= sizeof(*head))
            memcpy(head, in, sizeof(*head));
        if (got < sizeof(*head) || got != sizeof(*head) + head->len)
            continue;
        got = 0;
        if (head->type != XS_WATCH_EVENT) {
            memcpy(body, in + sizeof(*head), head->len);
            body[head->len] = '\0';
            return;
        }
    }
    ck_abort_msg("no answer");
}

/* See store_served.h. */
const char *served_ask(unsigned domain, uint32_t type, const void *fields,
                       size_t size)
{
    static char body[XENSTORE_PAYLOAD_MAX + 1];
    static uint32_t req_id;
    uint8_t request[MESSAGE_MAX];
    struct xsd_sockmsg head;

    exchange(domain, request,
             served_make(request, type, ++req_id, fields, size), &head, body);
    ck_assert_uint_eq(head.req_id, req_id);
    return body;
}

/* See store_served.h. */
void served_introduce(unsigned domain)
{
    char fields[64];
    int size =
        snprintf(fields, sizeof(fields), "%u%c4096%c7%c", domain, 0, 0, 0);

    ck_assert_str_eq(served_ask(0, XS_INTRODUCE, fields, (size_t)size), "OK");
    size = snprintf(fields, sizeof(fields), "/local/domain/%u%c", domain, 0);
    ck_assert_str_eq(served_ask(0, XS_MKDIR, fields, (size_t)size), "OK");
    size = snprintf(fields, sizeof(fields), "/local/domain/%u%cn%u%c", domain,
                    0, domain, 0);
    ck_assert_str_eq(served_ask(0, XS_SET_PERMS, fields, (size_t)size), "OK");
}

/* See store_served.h. */
void served_setup(void)
{
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
    snprintf(served_directory, sizeof(served_directory),
             "/tmp/store-ring-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(served_directory));
    snprintf(served_socket, sizeof(served_socket), "%s/socket",
             served_directory);
    world = fake_world_begin();
    for (unsigned i = 0; i < WORLD_DOMAINS; i++)
        guest_begin(&guests[i], world, i);
    served_begin();
    served_introduce(1);
    served_introduce(2);
}

/* See store_served.h. */
void served_teardown(void)
{
    char file[128];

    server_end(&server);
    ck_assert_uint_eq(world->attached, 0);
    fake_world_end(world);
    snprintf(file, sizeof(file), "%s/store.journal", served_directory);
    unlink(file);
    snprintf(file, sizeof(file), "%s/store.journal.new", served_directory);
    unlink(file);
    unlink(served_socket);
    rmdir(served_directory);
}
