/* SPDX-License-Identifier: MIT */
/* Clients of an engine (store_client.h). */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_client.h"

unsigned client_log_lines;
char client_log_line[512];

static struct outcome attach(void *context, struct connection *c)
{
    (void)context;
    (void)c;
    return (struct outcome){0, 100, 200};
}

static void nothing(void *context, struct connection *c)
{
    (void)context;
    (void)c;
}

static void keep_line(void *context, const char *line)
{
    (void)context;
    client_log_lines++;
    snprintf(client_log_line, sizeof(client_log_line), "%s", line);
}

const struct engine_hooks client_hooks = {attach, nothing, nothing, keep_line};

struct engine *client_engine(void)
{
    client_log_lines = 0;
    return engine_begin(&client_hooks, NULL);
}

struct connection *client_program(struct engine *e)
{
    return engine_apply(e, &(struct command){.kind = COMMAND_OPEN});
}

size_t client_fields(const char *fields, char *body)
{
    size_t size = strlen(fields);

    for (size_t i = 0; i < size; i++)
        body[i] = fields[i] == '|' ? '\0' : fields[i];
    return size;
}

/* Takes the first message off a queue. */
static bool take(struct engine *e, struct connection *c,
                 struct client_answer *answer)
{
    const struct outgoing *message = TAILQ_FIRST(&c->outgoing);
    struct xsd_sockmsg head;

    if (!message)
        return false;
    memcpy(&head, message->bytes, sizeof(head));
    ck_assert_uint_eq(message->size, sizeof(head) + head.len);
    ck_assert_uint_le(head.len, XENSTORE_PAYLOAD_MAX);
    answer->type = head.type;
    answer->req_id = head.req_id;
    answer->tx_id = head.tx_id;
    answer->size = head.len;
    memcpy(answer->body, message->bytes + sizeof(head), head.len);
    answer->body[head.len] = '\0';
    engine_apply(e, &(struct command){.kind = COMMAND_PUBLISHED,
                                      .connection = c->id,
                                      .number = message->size});
    return true;
}

/* Events that came before an answer. */
static struct {
    uint32_t connection;
    char text[XENSTORE_PAYLOAD_MAX + 2];
} kept[256];
static unsigned kept_count;

static void keep_event(const struct connection *c,
                       const struct client_answer *event)
{
    ck_assert_uint_lt(kept_count, 256);
    ck_assert_uint_eq(event->req_id, 0);
    kept[kept_count].connection = c->id;
    snprintf(kept[kept_count].text, sizeof(kept[0].text), "%s %s", event->body,
             event->body + strlen(event->body) + 1);
    kept_count++;
}

const struct client_answer *client_send(struct engine *e, struct connection *c,
                                        uint32_t type, uint32_t tx,
                                        const void *body, size_t size)
{
    static struct client_answer answer;
    static uint32_t req_id = 77;
    uint8_t bytes[MESSAGE_MAX];
    struct xsd_sockmsg head = {type, ++req_id, tx, (uint32_t)size};
    struct command command = {.kind = COMMAND_MESSAGE,
                              .connection = c->id,
                              .bytes = bytes,
                              .size = sizeof(head) + size};

    memcpy(bytes, &head, sizeof(head));
    if (size)
        memcpy(bytes + sizeof(head), body, size);
    engine_apply(e, &command);
    while (take(e, c, &answer)) {
        if (answer.type == XS_WATCH_EVENT) {
            keep_event(c, &answer);
            continue;
        }
        ck_assert_uint_eq(answer.req_id, req_id);
        ck_assert_uint_eq(answer.tx_id, tx);
        return &answer;
    }
    ck_abort_msg("no answer");
}

const char *client_ask(struct engine *e, struct connection *c, uint32_t type,
                       uint32_t tx, const char *fields)
{
    static char text[XENSTORE_PAYLOAD_MAX + 2];
    char body[XENSTORE_PAYLOAD_MAX];
    const struct client_answer *answer =
        client_send(e, c, type, tx, body, client_fields(fields, body));

    if (answer->type == XS_ERROR) {
        snprintf(text, sizeof(text), "!%s", answer->body);
        return text;
    }
    ck_assert_uint_eq(answer->type, type);
    memcpy(text, answer->body, answer->size + 1);
    for (uint32_t i = 0; i + 1 < answer->size; i++)
        if (!text[i])
            text[i] = '|';
    return text;
}

const char *client_write(struct engine *e, struct connection *c, uint32_t tx,
                         const char *path, const char *value)
{
    char fields[XENSTORE_PAYLOAD_MAX];

    snprintf(fields, sizeof(fields), "%s|%s", path, value);
    return client_ask(e, c, XS_WRITE, tx, fields);
}

uint32_t client_begin(struct engine *e, struct connection *c)
{
    uint32_t tx = (uint32_t)strtoul(
        client_ask(e, c, XS_TRANSACTION_START, 0, "|"), NULL, 10);

    ck_assert_uint_ne(tx, 0);
    return tx;
}

const char *client_event(struct engine *e, struct connection *c)
{
    static char text[XENSTORE_PAYLOAD_MAX + 2];
    struct client_answer answer;

    while (take(e, c, &answer)) {
        ck_assert_uint_eq(answer.type, XS_WATCH_EVENT);
        keep_event(c, &answer);
    }
    for (unsigned i = 0; i < kept_count; i++) {
        if (kept[i].connection != c->id)
            continue;
        memcpy(text, kept[i].text, sizeof(text));
        memmove(&kept[i], &kept[i + 1], (--kept_count - i) * sizeof(kept[0]));
        return text;
    }
    return "";
}

void client_drop_events(struct engine *e, struct connection *c)
{
    while (*client_event(e, c))
        ;
}

struct connection *client_domain(struct engine *e, domid_t domain)
{
    struct connection *program = client_program(e);
    char text[64];

    snprintf(text, sizeof(text), "%u|4096|5|", domain);
    ck_assert_str_eq(client_ask(e, program, XS_INTRODUCE, 0, text), "OK");
    snprintf(text, sizeof(text), "/local/domain/%u|", domain);
    ck_assert_str_eq(client_ask(e, program, XS_MKDIR, 0, text), "OK");
    snprintf(text, sizeof(text), "/local/domain/%u|n%u|", domain, domain);
    ck_assert_str_eq(client_ask(e, program, XS_SET_PERMS, 0, text), "OK");
    engine_apply(
        e, &(struct command){.kind = COMMAND_CLOSE, .connection = program->id});
    return e->domains[domain];
}
