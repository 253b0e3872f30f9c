/* SPDX-License-Identifier: MIT */
/* The journal (journal.h). */
#include "dom0_tools/stored/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dom0_tools/stored/hash.h"

#define MAGIC "MICASTO2"
#define BOOT_ID_SIZE 36
#define HEADER_SIZE 48
#define RECORD_HEAD 8

/* A file below this size is not worth a new one. */
#define COMPACT_MIN (4u << 20)

struct journal {
    int directory; /* locked */
    int file;
    struct bytes pending; /* records that are not written yet */
    uint64_t size;        /* of the file */
    uint64_t image_size;  /* of its image */
    bool is_behind;       /* a write failed; only a new file helps */
};

static const char name[] = "store.journal";
static const char new_name[] = "store.journal.new";

static uint32_t check_of(const void *data, size_t size)
{
    static const uint64_t key[2] = {0, 0};

    return (uint32_t)hash_bytes(key, data, size);
}

/* See journal.h. */
void command_save(const struct command *command, struct bytes *out)
{
    bytes_put_u8(out, (uint8_t)command->kind);
    bytes_put_u32(out, command->connection);
    bytes_put_u32(out, command->number);
    bytes_put_u64(out, command->frame);
    bytes_put_u32(out, command->port);
    bytes_put_u32(out, (uint32_t)command->outcome.error);
    bytes_put_u32(out, command->outcome.in);
    bytes_put_u32(out, command->outcome.out);
    bytes_put_block(out, command->bytes, command->size);
}

/* See journal.h. */
bool command_load(struct command *command, struct reader *in)
{
    command->kind = (enum command_kind)reader_u8(in);
    command->connection = reader_u32(in);
    command->number = reader_u32(in);
    command->frame = reader_u64(in);
    command->port = reader_u32(in);
    command->outcome.error = (int32_t)reader_u32(in);
    command->outcome.in = reader_u32(in);
    command->outcome.out = reader_u32(in);
    command->bytes = reader_block(in, &command->size);
    return !in->is_short && command->kind && command->kind < COMMAND_KINDS;
}

/* Appends a record of what `body` holds. */
static void put_record(struct bytes *out, const struct bytes *body)
{
    bytes_put_u32(out, (uint32_t)body->used);
    bytes_put_u32(out, check_of(body->data, body->used));
    bytes_put(out, body->data, body->used);
}

/* See journal.h. */
void journal_add(struct journal *j, const struct command *command)
{
    struct bytes body = {NULL, 0, 0};

    /* The file to come will have an image that knows of it. */
    if (j->is_behind)
        return;
    bytes_put_u8(&body, 'C');
    command_save(command, &body);
    put_record(&j->pending, &body);
    bytes_free(&body);
}

static void put_header(struct bytes *out)
{
    char boot[BOOT_ID_SIZE + 4] = "";
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        if (read(fd, boot, BOOT_ID_SIZE) != BOOT_ID_SIZE)
            memset(boot, 0, sizeof(boot));
        close(fd);
    }
    bytes_put(out, MAGIC, 8);
    bytes_put(out, boot, sizeof(boot));
}

static int write_all(int fd, const struct bytes *b)
{
    size_t done = 0;

    while (done < b->used) {
        ssize_t n = write(fd, b->data + done, b->used - done);

        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* See journal.h. */
int journal_compact(struct journal *j, const struct engine *engine)
{
    struct bytes body = {NULL, 0, 0}, out = {NULL, 0, 0};
    int fd = openat(j->directory, new_name,
                    O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    int rc = fd < 0 ? -errno : 0;

    if (rc)
        return rc;
    put_header(&out);
    bytes_put_u8(&body, 'I');
    image_save(engine, &body);
    put_record(&out, &body);
    rc = body.used > UINT32_MAX ? -EFBIG : write_all(fd, &out);
    if (!rc && renameat(j->directory, new_name, j->directory, name))
        rc = -errno;
    if (rc) {
        close(fd);
    } else {
        if (j->file >= 0)
            close(j->file);
        j->file = fd;
        j->size = j->image_size = out.used;
        j->pending.used = 0;
        j->is_behind = false;
    }
    bytes_free(&body);
    bytes_free(&out);
    return rc;
}

/* See journal.h. */
int journal_flush(struct journal *j, const struct engine *engine)
{
    int rc;

    if (j->is_behind || (j->size > COMPACT_MIN && j->size / 4 > j->image_size))
        return journal_compact(j, engine);
    if (!j->pending.used)
        return 0;
    rc = write_all(j->file, &j->pending);
    if (rc) {
        /* Perhaps the image alone has room. */
        j->is_behind = true;
        return journal_compact(j, engine);
    }
    j->size += j->pending.used;
    j->pending.used = 0;
    return 0;
}

/* The next whole record; NULL at the end or at an unfinished one. */
static const uint8_t *take_record(struct reader *in, size_t *size)
{
    struct reader ahead = *in;
    uint32_t check;
    const uint8_t *body;

    *size = reader_u32(&ahead);
    check = reader_u32(&ahead);
    body = reader_take(&ahead, *size);
    if (!body || !*size || check_of(body, *size) != check)
        return NULL;
    *in = ahead;
    return body;
}

static void replay(struct engine *engine, struct reader *in,
                   struct journal_report *report)
{
    const uint8_t *body;
    size_t size;

    engine->is_replay = true;
    while ((body = take_record(in, &size)) && *body == 'C') {
        struct reader record = {body + 1, size - 1, false};
        struct command command;

        if (!command_load(&command, &record))
            break;
        engine_apply(engine, &command);
        report->commands++;
    }
    engine->is_replay = false;
    report->dropped = in->left;
}

/* Makes the engine from a file's contents; NULL if there is none in it. */
static struct engine *load(const struct bytes *file,
                           const struct engine_hooks *hooks, void *hook_context,
                           struct journal_report *report)
{
    struct reader in = {file->data + HEADER_SIZE, file->used - HEADER_SIZE,
                        false};
    struct engine *engine;
    const uint8_t *body;
    size_t size;

    body = take_record(&in, &size);
    if (!body || *body != 'I')
        return NULL;
    engine = image_load(&(struct reader){body + 1, size - 1, false}, hooks,
                        hook_context);
    if (engine)
        replay(engine, &in, report);
    return engine;
}

static int read_file(int directory, struct bytes *out)
{
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    uint8_t part[65536];
    ssize_t n;

    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    while ((n = read(fd, part, sizeof(part))) > 0)
        bytes_put(out, part, (size_t)n);
    close(fd);
    return n < 0 ? -errno : 0;
}

static int make_engine(struct journal *j, const char *path,
                       const struct engine_hooks *hooks, void *hook_context,
                       struct engine **engine, struct journal_report *report,
                       struct error *e)
{
    struct bytes file = {NULL, 0, 0}, header = {NULL, 0, 0};
    int rc = read_file(j->directory, &file);

    if (rc)
        return error_set_errno(e, -rc, "can't read %s/%s", path, name);
    put_header(&header);
    *engine = NULL;
    if (file.used < HEADER_SIZE || memcmp(file.data, header.data, HEADER_SIZE))
        report->is_new = true;
    else
        *engine = load(&file, hooks, hook_context, report);
    bytes_free(&header);
    bytes_free(&file);
    if (report->is_new)
        *engine = engine_begin(hooks, hook_context);
    if (*engine)
        return 0;
    error_set(e, EXIT_STATUS_FAILED, "can't use %s/%s", path, name);
    error_why(e, "its image of the store is damaged");
    return error_hint(e, "move it away to start with an empty store; domains "
                         "that run lose their connections");
}

static int lock_directory(struct journal *j, const char *path, struct error *e)
{
    if (mkdir(path, 0755) && errno != EEXIST)
        return error_set_errno(e, errno, "can't make the directory %s", path);
    j->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (j->directory < 0)
        return error_set_errno(e, errno, "can't open the directory %s", path);
    if (!flock(j->directory, LOCK_EX | LOCK_NB))
        return 0;
    error_set(e, EXIT_STATUS_BUSY, "can't use the directory %s", path);
    error_why(e, "a store daemon runs already");
    return error_hint(e, "end it first");
}

/* See journal.h. */
struct journal *journal_open(const char *directory,
                             const struct engine_hooks *hooks,
                             void *hook_context, struct engine **engine,
                             struct journal_report *report, struct error *e)
{
    struct journal *j = memory_get(sizeof(*j));

    *report = (struct journal_report){false, 0, 0};
    *engine = NULL;
    j->file = j->directory = -1;
    if (lock_directory(j, directory, e) ||
        make_engine(j, directory, hooks, hook_context, engine, report, e)) {
        journal_close(j);
        return NULL;
    }
    /* The first flush makes the file. */
    j->is_behind = true;
    return j;
}

/* See journal.h. */
void journal_close(struct journal *j)
{
    if (j->file >= 0)
        close(j->file);
    if (j->directory >= 0)
        close(j->directory);
    bytes_free(&j->pending);
    free(j);
}
