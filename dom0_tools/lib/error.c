/* SPDX-License-Identifier: MIT */
/* Errors on their way to the user (error.h). */
#include "dom0_tools/lib/error.h"

#include <errno.h>
#include <string.h>

/* What errno numbers mean for these tools; the rest is strerror()'s. */
static const struct meaning {
    int number;
    enum exit_status status;
    const char *why, *hint;
} meanings[] = {
    {ESRCH, EXIT_STATUS_NO_DOMAIN, "there is no such domain",
     "mica list shows the domains"},
    {ENOMEM, EXIT_STATUS_NO_MEMORY, "there is not enough memory",
     "mica info shows what is free"},
    {ENOSPC, EXIT_STATUS_NO_MEMORY, NULL, ""},
    {EPERM, EXIT_STATUS_REFUSED, "it is not permitted",
     "be root in the first domain"},
    {EACCES, EXIT_STATUS_REFUSED, "it is not permitted",
     "be root in the first domain"},
    {ENOSYS, EXIT_STATUS_FAILED, "the hypervisor does not serve this call", ""},
    {EOPNOTSUPP, EXIT_STATUS_FAILED, "the hypervisor does not serve this call",
     ""},
    {EEXIST, EXIT_STATUS_EXISTS, NULL, ""},
    {EBUSY, EXIT_STATUS_BUSY, "it is in use", ""},
    {ETIMEDOUT, EXIT_STATUS_TIMEOUT, "it did not happen in time", ""},
};

/* See error.h. */
int error_set(struct error *e, enum exit_status status, const char *what, ...)
{
    va_list args;

    if (!e)
        return -1;
    *e = (struct error){.status = status};
    va_start(args, what);
    vsnprintf(e->what, sizeof(e->what), what, args);
    va_end(args);
    return -1;
}

static const struct meaning *find_meaning(int number)
{
    static const struct meaning other = {0, EXIT_STATUS_FAILED, NULL, ""};

    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
        if (meanings[i].number == number)
            return &meanings[i];
    return &other;
}

/* See error.h. */
int error_set_errno(struct error *e, int number, const char *what, ...)
{
    const struct meaning *m = find_meaning(number);
    va_list args;

    if (!e)
        return -1;
    *e = (struct error){.status = m->status, .number = number};
    va_start(args, what);
    vsnprintf(e->what, sizeof(e->what), what, args);
    va_end(args);
    snprintf(e->why, sizeof(e->why), "%s", m->why ? m->why : strerror(number));
    snprintf(e->hint, sizeof(e->hint), "%s", m->hint);
    return -1;
}

/* See error.h. */
int error_put(struct error *e, enum error_part part, const char *text, ...)
{
    va_list args;

    if (!e)
        return -1;
    va_start(args, text);
    if (part == ERROR_WHY)
        vsnprintf(e->why, sizeof(e->why), text, args);
    else
        vsnprintf(e->hint, sizeof(e->hint), text, args);
    va_end(args);
    return -1;
}

/* See error.h. */
int error_wrap(struct error *e, const char *what, ...)
{
    char why[ERROR_WHAT_SIZE + ERROR_WHY_SIZE + 2];
    va_list args;

    if (!e)
        return -1;
    snprintf(why, sizeof(why), "%s%s%s", e->what, *e->why ? ": " : "", e->why);
    memcpy(e->why, why, sizeof(e->why) - 1);
    va_start(args, what);
    vsnprintf(e->what, sizeof(e->what), what, args);
    va_end(args);
    return -1;
}

/* See error.h. */
void error_print(const struct error *e, const char *program, FILE *out)
{
    fprintf(out, "%s: %s%s%s%s%s\n", program, e->what, *e->why ? ": " : "",
            e->why, *e->hint ? ": " : "", e->hint);
}
