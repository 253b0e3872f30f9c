/* SPDX-License-Identifier: MIT */
/*
 * The store daemon: requests of programs and domains, rings full of nonsense,
 * domains that come and go. The input is a row of steps; paths and numbers
 * are picked from small sets so that they meet. In the end the accounts must
 * add up, and the journal must bring back the very same store.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom0_tools/stored/control.h"
#include "dom0_tools/stored/server.h"

enum { DOMAINS = 3, STEPS_MAX = 400 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const words[] = {"",
                                    "a",
                                    "a/b",
                                    "a/b/c",
                                    "/local/domain/1",
                                    "/",
                                    "/x",
                                    "1",
                                    "2",
                                    "@releaseDomain",
                                    "@introduceDomain",
                                    "T",
                                    "F",
                                    "n1",
                                    "b2",
                                    "r0",
                                    "/local/domain/2/y",
                                    "4096",
                                    "7",
                                    "0",
                                    "t",
                                    "check",
                                    "quota",
                                    "nodes",
                                    "a/b/c/d",
                                    "//",
                                    "-1",
                                    "99999999999999999999",
                                    "w1",
                                    "log"};

static struct xenstore_domain_interface pages[DOMAINS + 1]
    __attribute__((aligned(4096)));
static bool is_alive[DOMAINS + 1];
static struct server server;
static char directory[64];

struct input {
    const uint8_t *at;
    size_t left;
};

static void claim(bool claim_holds)
{
    if (!claim_holds)
        abort();
}

static uint8_t next(struct input *in)
{
    if (!in->left)
        return 0;
    in->left--;
    return *in->at++;
}

static int world_attach(struct world *w, domid_t domain, uint64_t frame,
                        evtchn_port_t port, struct world_ring *ring,
                        struct error *e)
{
    (void)w;
    (void)frame;
    (void)port;
    if (domain > DOMAINS || !is_alive[domain])
        return error_set(e, EXIT_STATUS_NO_DOMAIN, "no such domain");
    ring->page = &pages[domain];
    ring->port = domain + 1u;
    return 0;
}

static void world_detach(struct world *w, struct world_ring *ring)
{
    (void)w;
    (void)ring;
}

static void world_notify(struct world *w, const struct world_ring *ring)
{
    (void)w;
    (void)ring;
}

static struct world world = {
    .attach = world_attach, .detach = world_detach, .notify = world_notify};

static struct outcome hook_attach(void *context, struct connection *c)
{
    return ring_attach(context, c);
}

static void hook_detach(void *context, struct connection *c)
{
    ring_detach(context, c);
}

static void hook_log(void *context, const char *line)
{
    (void)context;
    claim(*line);
}

static const struct engine_hooks hooks = {hook_attach, hook_detach, hook_detach,
                                          hook_log};

static struct connection *pick_connection(struct input *in)
{
    struct connection *c = TAILQ_FIRST(&server.engine->connections);

    for (unsigned skip = next(in) % 8; c && skip; skip--)
        c = TAILQ_NEXT(c, of_engine);
    return c;
}

/* A message with words for its fields; sometimes one too short. */
static size_t make_message(struct input *in, uint8_t *out)
{
    uint8_t shape = next(in);
    struct xsd_sockmsg head = {next(in) % (XS_TYPE_COUNT + 1), next(in),
                               shape & 0x80 ? next(in) % 4 : 0, 0};

    for (unsigned i = 0; i < shape % 5; i++) {
        const char *word = words[next(in) % (sizeof(words) / sizeof(*words))];

        memcpy(out + sizeof(head) + head.len, word, strlen(word) + 1);
        head.len += (uint32_t)strlen(word) + 1;
    }
    if (shape & 0x40 && head.len)
        head.len--;
    if (shape & 0x20)
        head.len += next(in) * 16u;
    memcpy(out, &head, sizeof(head));
    return sizeof(head) + head.len;
}

static void send_message(struct input *in)
{
    static uint8_t bytes[MESSAGE_MAX + 4096];
    struct connection *c = pick_connection(in);
    size_t size = make_message(in, bytes);
    struct command command = {
        .kind = COMMAND_MESSAGE, .bytes = bytes, .size = size};

    if (!c || c->is_ring || size > MESSAGE_MAX)
        return;
    command.connection = c->id;
    server_do(&server, &command);
}

/* Puts a message into a ring as a domain would, room or not. */
static void put_into_ring(struct input *in)
{
    static uint8_t bytes[MESSAGE_MAX + 4096];
    struct xenstore_domain_interface *page = &pages[next(in) % (DOMAINS + 1)];
    size_t size = make_message(in, bytes);

    for (size_t i = 0; i < size && i < XENSTORE_RING_SIZE; i++)
        page->req[page->req_prod++ % XENSTORE_RING_SIZE] = (char)bytes[i];
}

/* Nonsense into a page: at an index, or anywhere. */
static void scribble(struct input *in)
{
    uint8_t which = next(in), *page = (uint8_t *)&pages[which % (DOMAINS + 1)];
    size_t at = (size_t)next(in) << 8 | next(in);

    if (which & 0x80)
        at = 2048 + at % (sizeof(pages[0]) - 2048);
    page[at % sizeof(pages[0])] = next(in);
}

/* A domain takes what is there. */
static void read_answers(struct input *in)
{
    struct xenstore_domain_interface *page = &pages[next(in) % (DOMAINS + 1)];

    page->rsp_cons = page->rsp_prod;
}

static void serve_ring(struct input *in)
{
    struct ring_link *link = ring_of_port(&server, next(in) % DOMAINS + 1u);

    if (link)
        ring_read(&server, link);
}

static void finish_rings(void)
{
    struct ring_link *link;

    while ((link = TAILQ_FIRST(&server.touched))) {
        TAILQ_REMOVE(&server.touched, link, link);
        link->is_touched = false;
        ring_finish(&server, link);
        if (!link->is_touched)
            continue;
        TAILQ_REMOVE(&server.touched, link, link);
        link->is_touched = false;
    }
}

static void end_domain(struct input *in)
{
    uint8_t byte = next(in);
    struct command command = {.kind =
                                  byte & 0x80 ? COMMAND_SHUTDOWN : COMMAND_GONE,
                              .number = byte % (DOMAINS + 1)};

    server_do(&server, &command);
}

static void open_or_close(struct input *in)
{
    struct command command = {.kind = COMMAND_OPEN};
    struct connection *c = pick_connection(in);

    if (c && !c->is_ring && next(in) & 1) {
        command.kind = COMMAND_CLOSE;
        command.connection = c->id;
    }
    server_do(&server, &command);
}

/* Small limits, so that they are hit. */
static void set_limit(struct input *in)
{
    struct command command = {.kind = COMMAND_LIMIT,
                              .number = next(in) % QUOTA_COUNT,
                              .frame = next(in)};

    if (command.number == QUOTA_MEMORY || command.number == QUOTA_REQUESTS)
        command.frame *= 16;
    server_do(&server, &command);
}

static void step(struct input *in)
{
    switch (next(in) % 11) {
    case 0:
        open_or_close(in);
        break;
    case 1:
        end_domain(in);
        break;
    case 2:
        scribble(in);
        break;
    case 3:
        read_answers(in);
        break;
    case 4:
        serve_ring(in);
        break;
    case 5:
        finish_rings();
        break;
    case 6:
        set_limit(in);
        break;
    case 7:
    case 8:
        put_into_ring(in);
        serve_ring(in);
        break;
    default:
        send_message(in);
        break;
    }
}

static void open_journal(void)
{
    struct journal_report report;
    struct error e;

    server.journal =
        journal_open(directory, &hooks, &server, &server.engine, &report, &e);
    claim(server.journal && !report.dropped);
}

static void begin(void)
{
    char path[96];

    if (!*directory) {
        snprintf(directory, sizeof(directory), "/dev/shm/fuzz-store-XXXXXX");
        claim(mkdtemp(directory) != NULL);
    }
    snprintf(path, sizeof(path), "%s/store.journal", directory);
    unlink(path);
    memset(pages, 0, sizeof(pages));
    memset(is_alive, true, sizeof(is_alive));
    free(server.by_port);
    server = (struct server){.world = &world, .spare = -1};
    TAILQ_INIT(&server.touched);
    open_journal();
    claim(!journal_flush(server.journal, server.engine));
}

static void check_accounts(void)
{
    struct bytes answer = {NULL, 0, 0};

    claim(!control_execute(server.engine, "check", 6, &answer));
    claim(!memcmp(answer.data, "OK", 2));
    bytes_free(&answer);
}

/* Takes from what each domain is charged for what its nodes weigh. */
static void discharge(struct node *root)
{
    for (struct name *n = &root->name; n; n = names_next(&root->name, n)) {
        struct node *node = (struct node *)n;

        quota_charge(&server.engine->quotas,
                     node->content.permissions[0].domain, QUOTA_MEMORY,
                     -(int64_t)tree_weight(node));
    }
}

/* When all connections are gone, nobody is charged for more than nodes. */
static void check_charges(void)
{
    struct engine *e = server.engine;
    struct connection *c;

    while ((c = TAILQ_FIRST(&e->connections)))
        connection_end(e, c);
    discharge(&e->tree.root);
    discharge(&e->tree.special);
    for (unsigned i = 0; i < e->quotas.top; i++)
        for (unsigned q = 0; e->quotas.accounts[i] && q < QUOTA_COUNT; q++)
            claim(q == QUOTA_NODES || !e->quotas.accounts[i]->used[q]);
}

static void end_with_journal(void)
{
    struct bytes before = {NULL, 0, 0}, after = {NULL, 0, 0};

    finish_rings();
    check_accounts();
    claim(!journal_flush(server.journal, server.engine));
    image_save(server.engine, &before);
    engine_end(server.engine);
    journal_close(server.journal);
    open_journal();
    image_save(server.engine, &after);
    claim(before.used == after.used &&
          !memcmp(before.data, after.data, after.used));
    check_accounts();
    check_charges();
    bytes_free(&before);
    bytes_free(&after);
    engine_end(server.engine);
    journal_close(server.journal);
}

/* Gives every input two domains to begin with. */
static void introduce(uint32_t program, char domain)
{
    struct {
        struct xsd_sockmsg head;
        char body[9];
    } message = {{XS_INTRODUCE, 0, 0, 9}, "1\0004096\0007"};
    struct command command = {.kind = COMMAND_MESSAGE,
                              .connection = program,
                              .bytes = (const uint8_t *)&message,
                              .size = sizeof(message.head) + 9};

    message.body[0] = domain;
    server_do(&server, &command);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct command open = {.kind = COMMAND_OPEN};
    uint32_t program;

    begin();
    program = server_do(&server, &open)->id;
    introduce(program, '1');
    introduce(program, '2');
    for (unsigned i = 0; in.left && i < STEPS_MAX; i++)
        step(&in);
    end_with_journal();
    return 0;
}
