/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a domain that has ended: one run deals with one domain. A
 * run that is killed is done again by the next one, since each step first
 * writes down how far it has come.
 */
#include "dom0_tools/mica/ended.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dom0_tools/mica/core.h"
#include "dom0_tools/mica/domain_life.h"
#include "hypercall_abi/sched.h"

#define DUMP_DIR "/var/lib/mica/dump"

enum {
    TRIES = 3,
    PAUSE_S = 5, /* between tries, and the shortest life of a domain */
    COPIES_MAX = 1000,
};

/* See ended.h. */
bool ended_needs_work(struct call *call, domid_t id)
{
    enum domain_state state = domain_store_state(call, id);
    struct control_domain info;
    struct error why;

    if (state == DOMAIN_STATE_UNKNOWN || !call_control(call, NULL))
        return false;
    if (control_domain_info(call->control, id, &info, &why))
        return why.status == EXIT_STATUS_NO_DOMAIN;
    if (!(info.flags & CONTROL_DOMAIN_SHUTDOWN) ||
        (info.flags & CONTROL_DOMAIN_DYING) ||
        info.shutdown_code == SHUTDOWN_suspend)
        return false;
    return state != DOMAIN_STATE_PRESERVED;
}

static enum domain_action choose(const struct domain_config *c, unsigned code)
{
    switch (code) {
    case SHUTDOWN_poweroff:
        return c->on_poweroff;
    case SHUTDOWN_reboot:
        return c->on_reboot;
    case SHUTDOWN_watchdog:
        return c->on_watchdog;
    default:
        return c->on_crash;
    }
}

/*
 * A guest that ends at once shall not keep dom0 busy. False if somebody has
 * destroyed the domain for good meanwhile.
 */
static bool rest(struct call *call, domid_t id, enum domain_state state)
{
    uint64_t start = domain_store_start_time(call, id);
    uint64_t now = (uint64_t)time(NULL);

    if (start <= now && now - start < PAUSE_S)
        sleep((unsigned)(PAUSE_S - (now - start)));
    return domain_store_state(call, id) == state;
}

static int create_once(struct call *call, const struct domain_config *c,
                       struct error *e)
{
    struct build *plan = domain_plan(call, c, e);
    domid_t id;
    int result;

    if (!plan)
        return -1;
    result = domain_create(call, c, plan, &id, e);
    build_free(plan);
    if (!result)
        result = control_domain_unpause(call->control, id, e);
    if (!result)
        fprintf(call->out, "%s started anew as domain %u\n", c->name, id);
    return result;
}

/* Memory of the old domain may take a moment to come back. */
static int create_anew(struct call *call, const struct domain_config *c,
                       struct error *e)
{
    unsigned tries;

    for (tries = 1; create_once(call, c, e); tries++) {
        if (tries == TRIES || e->status == EXIT_STATUS_EXISTS)
            return error_wrap(e, "can't start %s anew", c->name);
        sleep(PAUSE_S);
    }
    return 0;
}

/* In place of a domain that goes, or is gone already. */
static int restart(struct call *call, domid_t id, const struct domain_config *c,
                   struct error *e)
{
    int result;

    if (domain_store_set_state(call, id, DOMAIN_STATE_RESTART, e))
        return -1;
    if (!rest(call, id, DOMAIN_STATE_RESTART))
        return 0;
    if (domain_destroy(call, id, DOMAIN_STORE_BUT_CONFIG, e))
        return -1;
    result = create_anew(call, c, e);
    domain_store_remove(call, id, DOMAIN_STORE_ALL, NULL);
    return result;
}

/* The first of NAME-1, NAME-2... that is free. */
static int choose_name(struct call *call, const char *name,
                       char copy[DOMAIN_NAME_SIZE], struct error *e)
{
    unsigned n;

    for (n = 1; n < COPIES_MAX; n++) {
        snprintf(copy, DOMAIN_NAME_SIZE, "%.*s-%u", DOMAIN_NAME_MAX - 4, name,
                 n);
        if (domain_store_find_name(call, copy) < 0)
            return 0;
    }
    return error_set(e, EXIT_STATUS_EXISTS, "too many domains called %s-1",
                     name);
}

static int rename_old(struct call *call, domid_t id,
                      const struct domain_config *c, struct error *e)
{
    char copy[DOMAIN_NAME_SIZE];
    struct uuid uuid;

    if (domain_store_find_name(call, c->name) != id)
        return 0; /* an earlier run came this far */
    if (choose_name(call, c->name, copy, e) || uuid_make(&uuid, e) ||
        control_domain_set_handle(call->control, id, uuid.bytes, e))
        return -1;
    return domain_store_rename(call, id, copy, &uuid, e);
}

static int rename_restart(struct call *call, domid_t id,
                          const struct domain_config *c, struct error *e)
{
    int result = 0;

    if (domain_store_set_state(call, id, DOMAIN_STATE_RENAME, e) ||
        rename_old(call, id, c, e))
        return -1;
    if (domain_store_find_name(call, c->name) < 0) {
        if (!rest(call, id, DOMAIN_STATE_RENAME))
            return 0;
        result = create_anew(call, c, e);
    }
    if (domain_store_set_state(call, id, DOMAIN_STATE_PRESERVED, NULL))
        result = -1;
    return result;
}

/* A dump is worth having, but not worth stopping for. */
static void dump(struct call *call, domid_t id, const struct domain_config *c)
{
    char path[sizeof(DUMP_DIR) + DOMAIN_NAME_MAX + 64], clock[32];
    time_t now = time(NULL);
    struct error why;
    struct tm tm;

    strftime(clock, sizeof(clock), "%Y-%m%d-%H%M.%S", localtime_r(&now, &tm));
    snprintf(path, sizeof(path), "%s/%s-%s.%u.core", DUMP_DIR, clock, c->name,
             id);
    mkdir("/var/lib", 0755);
    mkdir("/var/lib/mica", 0755);
    mkdir(DUMP_DIR, 0700);
    if (core_dump(call, id, path, &why))
        error_print(&why, call->program, stderr);
    else
        fprintf(call->out, "%s was dumped to %s\n", c->name, path);
}

static int act(struct call *call, domid_t id, const struct domain_config *c,
               enum domain_action action, struct error *e)
{
    switch (action) {
    case DOMAIN_ACTION_COREDUMP_DESTROY:
        dump(call, id, c);
        /* fall through */
    case DOMAIN_ACTION_DESTROY:
        return domain_destroy(call, id, DOMAIN_STORE_ALL, e);
    case DOMAIN_ACTION_COREDUMP_RESTART:
        dump(call, id, c);
        /* fall through */
    case DOMAIN_ACTION_RESTART:
        return restart(call, id, c, e);
    case DOMAIN_ACTION_RENAME_RESTART:
        return rename_restart(call, id, c, e);
    case DOMAIN_ACTION_PRESERVE:
        return domain_store_set_state(call, id, DOMAIN_STATE_PRESERVED, e);
    }
    return 0;
}

/* A domain that has shut down and is still there. */
static int handle_shutdown(struct call *call, domid_t id,
                           const struct domain_config *c, struct error *e)
{
    enum domain_state state = domain_store_state(call, id);
    struct control_domain info;
    enum domain_action action;

    if (control_domain_info(call->control, id, &info, e))
        return -1;
    action = choose(c, info.shutdown_code);
    if (state == DOMAIN_STATE_RENAME)
        action = DOMAIN_ACTION_RENAME_RESTART;
    if (state == DOMAIN_STATE_RESTART)
        action = DOMAIN_ACTION_RESTART;
    fprintf(call->out, "Domain %u (%s) has ended: %s\n", id, c->name,
            domain_shutdown_name(info.shutdown_code));
    return act(call, id, c, action, e);
}

/* A domain of which only the store still knows. */
static int handle_gone(struct call *call, domid_t id,
                       const struct domain_config *c, struct error *e)
{
    if (domain_store_state(call, id) == DOMAIN_STATE_RESTART)
        return restart(call, id, c, e);
    return domain_store_remove(call, id, DOMAIN_STORE_ALL, e);
}

/* See ended.h. */
int ended_handle(struct call *call, domid_t id, struct error *e)
{
    struct control_domain info;
    struct domain_config c;
    bool is_gone;
    int result;

    if (!call_control(call, e) || !call_store(call, e))
        return -1;
    if (!ended_needs_work(call, id))
        return 0;
    is_gone = control_domain_info(call->control, id, &info, NULL);
    result = domain_store_load(call, id, &c, e);
    if (result && is_gone)
        result = domain_store_remove(call, id, DOMAIN_STORE_ALL, e);
    else if (!result && is_gone)
        result = handle_gone(call, id, &c, e);
    else if (!result)
        result = handle_shutdown(call, id, &c, e);
    domain_config_free(&c);
    return result;
}
