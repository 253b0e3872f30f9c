/* SPDX-License-Identifier: MIT */
/*
 * Domains' creation and end (domain_life.h). Whatever can be refused is
 * refused by the plan; once a domain exists, any failure destroys it again.
 */
#include "dom0_tools/mica/domain_life.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dom0_tools/lib/control_system.h"
#include "dom0_tools/mica/cpu_set.h"

enum { STORE_DOMAIN = 0, CONSOLE_DOMAIN = 0, WATCH_MS = 5000 };

/* Signals by which people and systems end a program. */
static const int endings[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

static int check_name(struct call *call, const char *name, struct error *e)
{
    int holder = domain_store_find_name(call, name);

    if (holder < 0)
        return 0;
    error_set(e, EXIT_STATUS_EXISTS, "can't create domain %s", name);
    error_why(e, "domain %d is called so", holder);
    return error_hint(e,
                      "choose another name with name=, or \"mica destroy "
                      "%.64s\" first",
                      name);
}

static int check_uuid(struct call *call, const struct domain_config *c,
                      struct error *e)
{
    unsigned count, i;
    struct control_domain *list = domain_list_infos(call, &count, e);
    char name[DOMAIN_NAME_SIZE];
    int result = 0;

    if (!list)
        return -1;
    for (i = 0; i < count && !result; i++) {
        if (!list[i].domain || (list[i].flags & CONTROL_DOMAIN_DYING) ||
            memcmp(list[i].handle, c->uuid.bytes, sizeof(c->uuid.bytes)))
            continue;
        domain_read_name(call, list[i].domain, name);
        error_set(e, EXIT_STATUS_EXISTS, "can't create domain %s", c->name);
        error_why(e, "domain %u, %.64s, has the UUID %s", list[i].domain, name,
                  c->uuid_text);
        result = error_hint(e, "leave uuid out of the configuration");
    }
    free(list);
    return result;
}

/* See domain_life.h. */
struct build *domain_plan(struct call *call, const struct domain_config *c,
                          struct error *e)
{
    struct build_options options = {.kernel = c->kernel,
                                    .ramdisk = c->ramdisk,
                                    .command_line = c->command_line,
                                    .memory_kib = c->memory * 1024,
                                    .max_memory_kib = c->maxmem * 1024};

    if (!call_control(call, e) || !call_store(call, e) ||
        check_name(call, c->name, e) || check_uuid(call, c, e))
        return NULL;
    return build_prepare(call->control, &options, e);
}

static int create_empty(struct call *call, const struct domain_config *c,
                        domid_t *id, struct error *e)
{
    struct control_domain_options options = {
        .domain = CONTROL_ANY_DOMAIN,
        .max_vcpus = (unsigned)c->maxvcpus,
        .max_ports = (unsigned)c->max_event_channels,
        .max_grant_frames = (unsigned)c->max_grant_frames,
        .max_maptrack_frames = (unsigned)c->max_maptrack_frames};

    memcpy(options.handle, c->uuid.bytes, sizeof(options.handle));
    return control_domain_create(call->control, &options, id, e);
}

/* What the setting asks of one vCPU: one text is for all of them. */
static struct cpu_set *choose_set(const struct domain_strings *cpus,
                                  unsigned vcpu, struct cpu_set *set)
{
    const char *text;

    if (!cpus->count || (vcpu >= cpus->count && !cpus->is_single))
        return NULL;
    text = cpus->items[cpus->is_single ? 0 : vcpu];
    return cpu_set_parse(text, set) ? set : NULL;
}

static int place_vcpus(struct call *call, const struct domain_config *c,
                       domid_t id, unsigned cpus, struct error *e)
{
    struct cpu_set hard, soft;
    unsigned vcpu;

    for (vcpu = 0; vcpu < c->maxvcpus; vcpu++) {
        bool is_hard = choose_set(&c->cpus, vcpu, &hard);
        bool is_soft = choose_set(&c->cpus_soft, vcpu, &soft);
        struct control_cpu_set hard_view = cpu_set_view(&hard, cpus);
        struct control_cpu_set soft_view = cpu_set_view(&soft, cpus);

        if ((is_hard || is_soft) &&
            control_vcpu_set_affinity(call->control, id, vcpu,
                                      is_hard ? &hard_view : NULL,
                                      is_soft ? &soft_view : NULL, e))
            return -1;
    }
    return 0;
}

static int set_scheduling(struct call *call, const struct domain_config *c,
                          domid_t id, struct error *e)
{
    const struct control_sched_params params = {
        .weight = (unsigned)c->cpu_weight, .cap = (unsigned)c->cap};
    struct control_machine machine;

    if (control_domain_set_sched(call->control, id, &params, e))
        return -1;
    if (!c->cpus.count && !c->cpus_soft.count)
        return 0;
    if (control_machine(call->control, &machine, e))
        return -1;
    return place_vcpus(call, c, id, machine.max_cpu + 1, e);
}

static int make_ports(struct call *call, struct domain_wiring *wiring,
                      struct error *e)
{
    if (control_alloc_unbound_port(call->control, wiring->domain, STORE_DOMAIN,
                                   &wiring->store_port, e))
        return -1;
    return control_alloc_unbound_port(call->control, wiring->domain,
                                      CONSOLE_DOMAIN, &wiring->console_port, e);
}

static int fill(struct call *call, const struct domain_config *c,
                struct build *plan, struct domain_wiring *wiring,
                struct error *e)
{
    struct build_target target = {.domain = wiring->domain,
                                  .store_domain = STORE_DOMAIN,
                                  .console_domain = CONSOLE_DOMAIN};
    struct build_result built;

    if (control_domain_set_max_vcpus(call->control, wiring->domain,
                                     (unsigned)c->maxvcpus, e) ||
        set_scheduling(call, c, wiring->domain, e) ||
        make_ports(call, wiring, e))
        return -1;
    target.store_port = wiring->store_port;
    target.console_port = wiring->console_port;
    if (build_domain(plan, call->control, &target, &built, e))
        return -1;
    wiring->store_frame = built.store_frame;
    wiring->console_frame = built.console_frame;
    return 0;
}

static int create(struct call *call, const struct domain_config *c,
                  struct build *plan, struct domain_wiring *wiring,
                  struct error *e)
{
    if (create_empty(call, c, &wiring->domain, e))
        return -1;
    if (!fill(call, c, plan, wiring, e) &&
        !domain_store_write(call, c, wiring, e) &&
        !store_introduce(call->store, wiring->domain, wiring->store_frame,
                         wiring->store_port, e))
        return 0;
    domain_destroy(call, wiring->domain, DOMAIN_STORE_ALL, NULL);
    return -1;
}

/*
 * Holds back the signals that would end this program, and nothing else, until
 * `before` is in force again.
 */
static void hold_signals(sigset_t *held, sigset_t *before)
{
    struct sigaction action;
    unsigned i;

    sigemptyset(held);
    for (i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
        if (!sigaction(endings[i], NULL, &action) &&
            action.sa_handler == SIG_DFL)
            sigaddset(held, endings[i]);
    sigprocmask(SIG_BLOCK, held, before);
}

static bool is_interrupted(const sigset_t *held)
{
    sigset_t waiting;
    unsigned i;

    sigpending(&waiting);
    for (i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
        if (sigismember(held, endings[i]) && sigismember(&waiting, endings[i]))
            return true;
    return false;
}

/* See domain_life.h. */
int domain_create(struct call *call, const struct domain_config *c,
                  struct build *plan, domid_t *id, struct error *e)
{
    struct domain_wiring wiring = {.guest_os = build_guest_os(plan)};
    sigset_t held, before;
    int result;

    hold_signals(&held, &before);
    result = create(call, c, plan, &wiring, e);
    if (!result && is_interrupted(&held)) {
        domain_destroy(call, wiring.domain, DOMAIN_STORE_ALL, NULL);
        result = error_set(e, EXIT_STATUS_FAILED, "it was interrupted");
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (result)
        return error_wrap(e, "can't create domain %s", c->name);
    *id = wiring.domain;
    return 0;
}

/* See domain_life.h. */
int domain_destroy(struct call *call, domid_t id, enum domain_store_part part,
                   struct error *e)
{
    struct control *control = call_control(call, e);
    struct store *store = call_store(call, NULL);

    if (!control)
        return -1;
    if (control_domain_destroy(control, id, e))
        return -1;
    /* Not before: daemons hear of it, and let go of a domain that is dying. */
    if (store)
        store_release(store, id, NULL);
    return store ? domain_store_remove(call, id, part, e) : 0;
}

static bool has_come(struct call *call, const struct domain *domain,
                     enum domain_end end)
{
    struct control_domain info;
    bool is_shut;

    if (control_domain_info(call->control, domain->info.domain, &info, NULL))
        return true;
    is_shut = info.flags & CONTROL_DOMAIN_SHUTDOWN;
    return memcmp(info.handle, domain->info.handle, sizeof(info.handle)) ||
           (info.flags & CONTROL_DOMAIN_DYING) ||
           (end == DOMAIN_HAS_ENDED && is_shut);
}

/* Notes who has come to an end since; the number of those who have not. */
static unsigned count_waiting(struct call *call, const struct domain *list,
                              unsigned count, enum domain_end end, bool *done)
{
    unsigned waiting = 0;
    unsigned i;

    for (i = 0; i < count; i++) {
        if (!done[i] && has_come(call, &list[i], end)) {
            done[i] = true;
            if (!call->json)
                fprintf(call->out, "Domain %u (%s) has ended\n",
                        list[i].info.domain, list[i].name);
            fflush(call->out);
        }
        waiting += !done[i];
    }
    return waiting;
}

static int fail_timeout(unsigned waiting, unsigned timeout, struct error *e)
{
    error_set(e, EXIT_STATUS_TIMEOUT, "%u domain%s not ended after %u s",
              waiting, waiting == 1 ? " has" : "s have", timeout);
    return error_hint(e, "wait longer, or use \"mica destroy\"");
}

/* Events make it quick; the clock is for those that were missed. */
static int wait_until_done(struct call *call, const struct domain *list,
                           unsigned count, enum domain_end end,
                           unsigned timeout, bool *done, struct error *e)
{
    time_t start = time(NULL);
    unsigned waiting;

    while ((waiting = count_waiting(call, list, count, end, done))) {
        struct store_event event;
        long left = timeout ? start + (long)timeout - time(NULL) : WATCH_MS;
        int step = left * 1000 < WATCH_MS ? (int)left * 1000 : WATCH_MS;
        int found;

        if (left <= 0)
            return fail_timeout(waiting, timeout, e);
        found = store_next_event(call->store, step, &event, e);
        if (found < 0)
            return -1;
        if (found)
            store_event_free(&event);
    }
    return 0;
}

/* See domain_life.h. */
int domain_wait(struct call *call, const struct domain *list, unsigned count,
                enum domain_end end, unsigned timeout, struct error *e)
{
    static const char token[] = "wait";
    bool *done;
    int result;

    if (!call_control(call, e) || !call_store(call, e) ||
        store_watch(call->store, "@releaseDomain", token, e))
        return -1;
    done = calloc(count + 1ul, sizeof(*done));
    result = done ? wait_until_done(call, list, count, end, timeout, done, e)
                  : error_set(e, EXIT_STATUS_NO_MEMORY, "not enough memory");
    store_unwatch(call->store, "@releaseDomain", token, NULL);
    free(done);
    return result;
}
