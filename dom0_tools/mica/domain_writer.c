/* SPDX-License-Identifier: MIT */
/* Transactions on a domain's nodes (domain_writer.h). */
#include "dom0_tools/mica/domain_writer.h"

#include <errno.h>
#include <stdarg.h>

#include "dom0_tools/mica/domain.h"

enum { TRIES_MAX = 64, VALUE_SIZE = 4096 };

static void allow(struct domain_writer *w, const char *path,
                  enum domain_access access)
{
    const struct store_perm perms[] = {{0, STORE_PERM_NONE},
                                       {w->domain, STORE_PERM_READ}};
    const struct store_perm guest = {w->domain, STORE_PERM_NONE};

    if (access == DOMAIN_ACCESS_AS_PARENT || w->has_failed)
        return;
    if (store_set_perms(w->store, w->tx, path,
                        access == DOMAIN_ACCESS_GUEST ? &guest : perms,
                        access == DOMAIN_ACCESS_READ ? 2 : 1, w->error))
        w->has_failed = true;
}

/* See domain_writer.h. */
void domain_writer_put_value(struct domain_writer *w, const char *path,
                             enum domain_access access, const char *value)
{
    if (w->has_failed)
        return;
    if (store_write(w->store, w->tx, path, value, w->error))
        w->has_failed = true;
    allow(w, path, access);
}

/* See domain_writer.h. */
void domain_writer_put(struct domain_writer *w, const char *base,
                       const char *rest, enum domain_access access,
                       const char *format, ...)
{
    char path[2 * DOMAIN_PATH_SIZE];
    char value[VALUE_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    snprintf(path, sizeof(path), "%s%s", base, rest);
    domain_writer_put_value(w, path, access, value);
}

/* See domain_writer.h. */
void domain_writer_remove(struct domain_writer *w, const char *path)
{
    if (!w->has_failed && store_remove(w->store, w->tx, path, w->error))
        w->has_failed = true;
}

/* See domain_writer.h. */
int domain_writer_run(struct call *call, domid_t domain,
                      int (*body)(struct domain_writer *w, void *context),
                      void *context, struct error *e)
{
    struct error why = {0};
    struct domain_writer w = {
        .store = call_store(call, e), .domain = domain, .error = &why};
    unsigned tries;

    if (!w.store)
        return -1;
    for (tries = 0; tries < TRIES_MAX; tries++) {
        w.has_failed = false;
        w.tx = store_begin(w.store, &why);
        if (w.tx == STORE_NO_TX)
            break;
        store_defer(w.store);
        if (body(&w, context) || w.has_failed) {
            store_abort(w.store, w.tx);
            if (why.number == EAGAIN)
                continue;
            break;
        }
        if (!store_commit(w.store, w.tx, &why))
            return 0;
        if (why.number != EAGAIN)
            break;
    }
    if (e)
        *e = why;
    return -1;
}
