/* SPDX-License-Identifier: MIT */
/* The nodes of a domain as a whole: they come and go (domain_store.h). */
#include "dom0_tools/mica/domain_store_impl.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONSOLE_LIMIT "1048576" /* bytes of output kept while nobody reads */

static void write_cpus(struct domain_writer *w, const char *base,
                       const struct domain_config *c)
{
    unsigned i;

    for (i = 0; i < c->maxvcpus; i++) {
        char rest[40];

        snprintf(rest, sizeof(rest), "/cpu/%u/availability", i);
        domain_writer_put(w, base, rest, DOMAIN_ACCESS_AS_PARENT, "%s",
                          i < c->vcpus ? "online" : "offline");
    }
}

/* Where guest and tools leave each other words. */
static void write_control(struct domain_writer *w, const char *base)
{
    static const char *const guests[] = {"/control/shutdown",
                                         "/control/sysrq",
                                         "/control/feature-suspend",
                                         "/control/feature-poweroff",
                                         "/control/feature-reboot",
                                         "/device/suspend/event-channel",
                                         "/data",
                                         "/drivers",
                                         "/feature",
                                         "/attr",
                                         "/error"};
    unsigned i;

    domain_writer_put(w, base, "/control", DOMAIN_ACCESS_AS_PARENT, "%s", "");
    domain_writer_put(w, base, "/device", DOMAIN_ACCESS_AS_PARENT, "%s", "");
    for (i = 0; i < sizeof(guests) / sizeof(guests[0]); i++)
        domain_writer_put(w, base, guests[i], DOMAIN_ACCESS_GUEST, "%s", "");
    domain_writer_put(w, base,
                      "/control/platform-feature-multiprocessor-suspend",
                      DOMAIN_ACCESS_AS_PARENT, "1");
    domain_writer_put(w, base, "/control/platform-feature-xs_reset_watches",
                      DOMAIN_ACCESS_AS_PARENT, "1");
}

static void write_rings(struct domain_writer *w, const char *base,
                        const struct domain_wiring *wiring)
{
    domain_writer_put(w, base, "/store/ring-ref", DOMAIN_ACCESS_AS_PARENT,
                      "%llu", (unsigned long long)wiring->store_frame);
    domain_writer_put(w, base, "/store/port", DOMAIN_ACCESS_AS_PARENT, "%u",
                      wiring->store_port);
    domain_writer_put(w, base, "/console/ring-ref", DOMAIN_ACCESS_AS_PARENT,
                      "%llu", (unsigned long long)wiring->console_frame);
    domain_writer_put(w, base, "/console/port", DOMAIN_ACCESS_AS_PARENT, "%u",
                      wiring->console_port);
    domain_writer_put(w, base, "/console/limit", DOMAIN_ACCESS_AS_PARENT,
                      CONSOLE_LIMIT);
    domain_writer_put(w, base, "/console/type", DOMAIN_ACCESS_AS_PARENT,
                      "xenconsoled");
    domain_writer_put(w, base, "/console/output", DOMAIN_ACCESS_AS_PARENT,
                      "pty");
    domain_writer_put(w, base, "/console/tty", DOMAIN_ACCESS_AS_PARENT, "%s",
                      "");
}

static void write_local(struct domain_writer *w, const struct domain_config *c,
                        const struct domain_wiring *wiring)
{
    char base[DOMAIN_PATH_SIZE];

    domain_path(base, w->domain, "");
    domain_writer_put(w, base, "", DOMAIN_ACCESS_READ, "%s", "");
    domain_writer_put(w, base, "/vm", DOMAIN_ACCESS_AS_PARENT, "/vm/%s",
                      c->uuid_text);
    domain_writer_put(w, base, "/name", DOMAIN_ACCESS_AS_PARENT, "%s", c->name);
    domain_writer_put(w, base, "/domid", DOMAIN_ACCESS_AS_PARENT, "%u",
                      w->domain);
    domain_writer_put(w, base, "/memory/static-max", DOMAIN_ACCESS_AS_PARENT,
                      "%llu", (unsigned long long)c->maxmem * 1024);
    domain_writer_put(w, base, "/memory/target", DOMAIN_ACCESS_AS_PARENT,
                      "%llu", (unsigned long long)c->memory * 1024);
    write_cpus(w, base, c);
    write_control(w, base);
    write_rings(w, base, wiring);
}

static void write_vm(struct domain_writer *w, const struct domain_config *c,
                     const char *guest_os)
{
    char base[DOMAIN_PATH_SIZE];

    snprintf(base, sizeof(base), "/vm/%s", c->uuid_text);
    domain_writer_put(w, base, "", DOMAIN_ACCESS_READ, "%s", "");
    domain_writer_put(w, base, "/uuid", DOMAIN_ACCESS_AS_PARENT, "%s",
                      c->uuid_text);
    domain_writer_put(w, base, "/name", DOMAIN_ACCESS_AS_PARENT, "%s", c->name);
    domain_writer_put(w, base, "/start_time", DOMAIN_ACCESS_AS_PARENT, "%lld",
                      (long long)time(NULL));
    domain_writer_put(w, base, "/image/ostype", DOMAIN_ACCESS_AS_PARENT, "%s",
                      guest_os);
    domain_writer_put(w, base, "/image/kernel", DOMAIN_ACCESS_AS_PARENT, "%s",
                      c->kernel);
    if (c->ramdisk)
        domain_writer_put(w, base, "/image/ramdisk", DOMAIN_ACCESS_AS_PARENT,
                          "%s", c->ramdisk);
    domain_writer_put(w, base, "/image/cmdline", DOMAIN_ACCESS_AS_PARENT, "%s",
                      c->command_line);
}

struct new_domain {
    const struct domain_config *config;
    const struct domain_wiring *wiring;
};

static int write_domain(struct domain_writer *w, void *context)
{
    const struct new_domain *new = context;
    char base[DOMAIN_PATH_SIZE];

    if (domain_store_claim_name(w, new->config->name))
        return -1;
    domain_writer_put(w, "/mica", "", DOMAIN_ACCESS_DOM0, "%s", "");
    domain_store_path(base, w->domain, "");
    domain_writer_put(w, base, "", DOMAIN_ACCESS_AS_PARENT, "%s", "");
    domain_writer_put(w, base, "/start_time", DOMAIN_ACCESS_AS_PARENT, "%lld",
                      (long long)time(NULL));
    domain_store_write_config(w, new->config);
    write_vm(w, new->config, new->wiring->guest_os);
    write_local(w, new->config, new->wiring);
    return 0;
}

/* See domain_store.h. */
int domain_store_write(struct call *call, const struct domain_config *c,
                       const struct domain_wiring *wiring, struct error *e)
{
    struct new_domain new = {c, wiring};

    return domain_writer_run(call, wiring->domain, write_domain, &new, e);
}

/* /local/domain/0/backend/<kind>/<id>, whatever kinds there are. */
static void remove_backends(struct domain_writer *w)
{
    static const char base[] = "/local/domain/0/backend";
    char **kinds;
    unsigned count, i;

    kinds = store_list(w->store, w->tx, base, &count, NULL);
    for (i = 0; kinds && i < count; i++) {
        char path[2 * DOMAIN_PATH_SIZE];

        snprintf(path, sizeof(path), "%s/%.64s/%u", base, kinds[i], w->domain);
        domain_writer_remove(w, path);
    }
    free(kinds);
}

static int remove_domain(struct domain_writer *w, void *context)
{
    char path[DOMAIN_NAME_NODE_SIZE];
    char *name = domain_store_read_node(w->store, w->tx, w->domain, "/name");
    char *vm = domain_store_read_node(w->store, w->tx, w->domain, "/vm");

    remove_backends(w);
    if (name && domain_store_name_holder(w->store, w->tx, name) == w->domain) {
        domain_store_name_path(path, name);
        domain_writer_remove(w, path);
    }
    if (vm && !strncmp(vm, "/vm/", 4) && strlen(vm) == 4 + UUID_TEXT_SIZE - 1)
        domain_writer_remove(w, vm);
    domain_path(path, w->domain, "");
    domain_writer_remove(w, path);
    domain_store_path(path, w->domain, "");
    if (*(enum domain_store_part *)context == DOMAIN_STORE_ALL)
        domain_writer_remove(w, path);
    free(name);
    free(vm);
    return 0;
}

/* See domain_store.h. */
int domain_store_remove(struct call *call, domid_t id,
                        enum domain_store_part part, struct error *e)
{
    return domain_writer_run(call, id, remove_domain, &part, e);
}
