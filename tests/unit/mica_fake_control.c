/* SPDX-License-Identifier: MIT */
/* A hypervisor and a builder in memory (mica_fake.h). */
#include "mica_fake.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dom0_tools/lib/build.h"
#include "dom0_tools/lib/control_system.h"
#include "dom0_tools/mica/verb.h"

enum { CPUS = 4, TOTAL_PAGES = 1 << 20 };

struct fake fake;

bool fake_fails(struct error *e, const char *what)
{
    if (++fake.calls != fake.fail_at)
        return false;
    error_set(e, EXIT_STATUS_FAILED, "%s fails", what);
    return true;
}

void fake_reset(void)
{
    memset(&fake, 0, sizeof(fake));
    fake.has_mica = fake.has_store = true;
    fake.next_id = 1;
    fake.free_pages = TOTAL_PAGES / 2;
    fake_store_reset();
    fake_add(0, "Domain-0");
}

struct fake_domain *fake_add(domid_t id, const char *name)
{
    struct fake_domain *d = &fake.domains[id];
    char path[64];

    *d = (struct fake_domain){.is_there = true,
                              .info = {.domain = id,
                                       .flags = CONTROL_DOMAIN_BLOCKED,
                                       .pages = 65536,
                                       .max_pages = 65536,
                                       .online_vcpus = 1,
                                       .max_vcpus = 2},
                              .sched = {256, 0}};
    memset(d->info.handle, id, sizeof(d->info.handle));
    memset(d->hard, 0xff, sizeof(d->hard));
    memset(d->soft, 0xff, sizeof(d->soft));
    snprintf(path, sizeof(path), "/local/domain/%u/name", id);
    fake_set_node(path, name);
    return d;
}

static struct fake_domain *get(domid_t id, struct error *e)
{
    if (id < FAKE_DOMAINS && fake.domains[id].is_there)
        return &fake.domains[id];
    error_set_errno(e, ESRCH, "no domain %u", id);
    return NULL;
}

struct control *control_open(struct error *e)
{
    if (fake.has_mica)
        return (struct control *)&fake;
    error_set(e, EXIT_STATUS_NO_MICA, "can't reach the hypervisor");
    return NULL;
}

void control_close(struct control *c)
{
    (void)c;
}

void *control_map_frames(struct control *c, domid_t domain,
                         const uint64_t *frames, size_t count, bool is_writable,
                         struct error *e)
{
    uint8_t *mapping = malloc(count * CONTROL_PAGE_SIZE);
    size_t i;

    (void)c, (void)domain;
    ck_assert(!is_writable);
    for (i = 0; i < count; i++) {
        if (!frames[i] || frames[i] >= FAKE_FRAMES) {
            free(mapping);
            error_set_errno(e, EINVAL, "can't map");
            return NULL;
        }
        memcpy(mapping + i * CONTROL_PAGE_SIZE, fake.memory[frames[i]],
               CONTROL_PAGE_SIZE);
    }
    return mapping;
}

void control_unmap_frames(struct control *c, void *mapping, size_t count)
{
    (void)c, (void)count;
    free(mapping);
}

int control_alloc_unbound_port(struct control *c, domid_t domain,
                               domid_t remote, evtchn_port_t *port,
                               struct error *e)
{
    struct fake_domain *d = get(domain, e);

    (void)c;
    ck_assert_uint_eq(remote, 0);
    if (!d || fake_fails(e, "port"))
        return -1;
    *port = ++d->ports;
    return 0;
}

int control_domain_create(struct control *c,
                          const struct control_domain_options *options,
                          domid_t *domain, struct error *e)
{
    struct fake_domain *d = &fake.domains[fake.next_id];

    (void)c;
    if (fake_fails(e, "create"))
        return -1;
    ck_assert_uint_lt(fake.next_id, FAKE_DOMAINS);
    *d = (struct fake_domain){.is_there = true, .pauses = 1};
    d->info.domain = *domain = fake.next_id++;
    d->info.flags = CONTROL_DOMAIN_PAUSED;
    d->info.max_vcpus = options->max_vcpus;
    memcpy(d->info.handle, options->handle, sizeof(d->info.handle));
    return 0;
}

int control_domain_destroy(struct control *c, domid_t domain, struct error *e)
{
    (void)c, (void)e;
    if (domain < FAKE_DOMAINS)
        fake.domains[domain].is_there = false;
    return 0;
}

int control_domain_pause(struct control *c, domid_t domain, struct error *e)
{
    struct fake_domain *d = get(domain, e);

    (void)c;
    if (!d)
        return -1;
    d->pauses++;
    d->info.flags |= CONTROL_DOMAIN_PAUSED;
    return 0;
}

int control_domain_unpause(struct control *c, domid_t domain, struct error *e)
{
    struct fake_domain *d = get(domain, e);

    (void)c;
    if (!d || fake_fails(e, "unpause"))
        return -1;
    d->pauses -= d->pauses > 0;
    if (!d->pauses)
        d->info.flags &= ~(unsigned)CONTROL_DOMAIN_PAUSED;
    return 0;
}

int control_domain_info(struct control *c, domid_t domain,
                        struct control_domain *info, struct error *e)
{
    struct fake_domain *d = get(domain, e);

    (void)c;
    if (!d)
        return -1;
    *info = d->info;
    return 0;
}

int control_domain_activity(struct control *c, domid_t domain,
                            struct control_activity *activity, struct error *e)
{
    struct fake_domain *d = get(domain, e);

    (void)c;
    if (!d)
        return -1;
    *activity = d->activity;
    return 0;
}

int control_domain_list(struct control *c, domid_t first, unsigned room,
                        struct control_domain *list, struct error *e)
{
    unsigned found = 0;
    domid_t id;

    (void)c, (void)e;
    for (id = first; id < FAKE_DOMAINS && found < room; id++)
        if (fake.domains[id].is_there)
            list[found++] = fake.domains[id].info;
    return (int)found;
}

int control_domain_set_max_memory(struct control *c, domid_t domain,
                                  uint64_t kib, struct error *e)
{
    struct fake_domain *d = get(domain, e);

    (void)c;
    if (d)
        d->info.max_pages = kib / 4;
    return d ? 0 : -1;
}

int control_domain_set_max_vcpus(struct control *c, domid_t domain,
                                 unsigned count, struct error *e)
{
    struct fake_domain *d = get(domain, e);

    (void)c;
    if (!d || fake_fails(e, "vCPUs"))
        return -1;
    ck_assert_uint_eq(count, d->info.max_vcpus);
    return 0;
}

int control_domain_set_handle(struct control *c, domid_t domain,
                              const uint8_t handle[CONTROL_HANDLE_SIZE],
                              struct error *e)
{
    struct fake_domain *d = get(domain, e);

    (void)c;
    if (d)
        memcpy(d->info.handle, handle, CONTROL_HANDLE_SIZE);
    return d ? 0 : -1;
}

int control_domain_get_sched(struct control *c, domid_t domain,
                             struct control_sched_params *params,
                             struct error *e)
{
    struct fake_domain *d = get(domain, e);

    (void)c;
    if (d)
        *params = d->sched;
    return d ? 0 : -1;
}

int control_domain_set_sched(struct control *c, domid_t domain,
                             const struct control_sched_params *params,
                             struct error *e)
{
    struct fake_domain *d = get(domain, e);

    (void)c;
    if (!d || fake_fails(e, "sched"))
        return -1;
    d->sched = *params;
    return 0;
}

int control_vcpu_info(struct control *c, domid_t domain, unsigned vcpu,
                      struct control_vcpu *info, struct error *e)
{
    struct fake_domain *d = get(domain, e);

    (void)c;
    if (!d)
        return -1;
    if (vcpu >= d->info.max_vcpus)
        return error_set(e, EXIT_STATUS_USAGE, "no vCPU");
    *info = (struct control_vcpu){.is_online = vcpu < d->info.online_vcpus,
                                  .is_blocked = true,
                                  .cpu_time = 1500000000,
                                  .cpu = vcpu};
    return 0;
}

int control_vcpu_get_affinity(struct control *c, domid_t domain, unsigned vcpu,
                              struct control_cpu_set *hard,
                              struct control_cpu_set *soft, struct error *e)
{
    struct fake_domain *d = get(domain, e);

    (void)c;
    if (!d)
        return -1;
    hard->bits[0] = d->hard[vcpu];
    soft->bits[0] = d->soft[vcpu];
    return 0;
}

int control_vcpu_set_affinity(struct control *c, domid_t domain, unsigned vcpu,
                              struct control_cpu_set *hard,
                              struct control_cpu_set *soft, struct error *e)
{
    struct fake_domain *d = get(domain, e);

    (void)c;
    if (!d || fake_fails(e, "affinity"))
        return -1;
    if (hard)
        d->hard[vcpu] = hard->bits[0];
    if (soft)
        d->soft[vcpu] = soft->bits[0];
    return 0;
}

int control_vcpu_get_context(struct control *c, domid_t domain, unsigned vcpu,
                             struct vcpu_guest_context *context,
                             struct error *e)
{
    (void)c, (void)domain;
    if (!fake.has_contexts)
        return error_set_errno(e, ENOSYS, "no context");
    memset(context, (int)vcpu + 1, sizeof(*context));
    context->ctrlreg[3] = fake.root << CONTROL_PAGE_SHIFT;
    return 0;
}

int control_version(struct control *c, struct control_version *v,
                    struct error *e)
{
    (void)c, (void)e;
    *v = (struct control_version){.major = 4,
                                  .minor = 17,
                                  .extra = "-mica",
                                  .compiler = "gcc 12",
                                  .capabilities = "xen-3.0-x86_64",
                                  .changeset = "none",
                                  .build_id = "c0ffee",
                                  .command_line = "com1=115200",
                                  .virt_start = 0xffff800000000000,
                                  .page_size = 4096};
    return 0;
}

int control_machine(struct control *c, struct control_machine *m,
                    struct error *e)
{
    (void)c, (void)e;
    *m = (struct control_machine){.threads_per_core = 1,
                                  .cores_per_socket = 4,
                                  .cpus = CPUS,
                                  .max_cpu = CPUS - 1,
                                  .nodes = 1,
                                  .cpu_khz = 2400123,
                                  .capabilities = 0x102,
                                  .total_pages = TOTAL_PAGES,
                                  .free_pages = fake.free_pages,
                                  .hardware_caps = {1, 2, 3, 4, 5, 6, 7, 8}};
    return 0;
}

int control_cpu_places(struct control *c, struct control_cpu_place *places,
                       unsigned room, struct error *e)
{
    unsigned i;

    (void)c, (void)e;
    for (i = 0; i < CPUS && i < room; i++)
        places[i] = (struct control_cpu_place){i, 0, 0, i != 2};
    return (int)i;
}

int control_scheduler(struct control *c, struct error *e)
{
    (void)c, (void)e;
    return 6;
}

int control_rate_limit(struct control *c, unsigned *us, struct error *e)
{
    (void)c, (void)e;
    *us = fake.rate_limit;
    return 0;
}

int control_set_rate_limit(struct control *c, unsigned us, struct error *e)
{
    (void)c, (void)e;
    fake.rate_limit = us;
    return 0;
}

long control_read_log(struct control *c, uint32_t *position, char *text,
                      size_t size, struct error *e)
{
    static const char log[] = "(Mica) one\n(Mica) two\n";
    size_t left = sizeof(log) - 1 - *position;

    (void)c, (void)e;
    left = left < 7 ? left : 7;
    ck_assert_uint_le(left, size);
    memcpy(text, log + *position, left);
    *position += (uint32_t)left;
    return (long)left;
}

int control_clear_log(struct control *c, struct error *e)
{
    (void)c, (void)e;
    fake.is_log_cleared = true;
    return 0;
}

int control_debug_keys(struct control *c, const char *keys, struct error *e)
{
    (void)c, (void)e;
    snprintf(fake.keys, sizeof(fake.keys), "%s", keys);
    return 0;
}

struct build {
    struct build_options options;
};

struct build *build_prepare(struct control *c,
                            const struct build_options *options,
                            struct error *e)
{
    struct build *b;

    (void)c;
    if (options->memory_kib / 4 > fake.free_pages) {
        error_set(e, EXIT_STATUS_NO_MEMORY, "too large");
        return NULL;
    }
    if (fake_fails(e, "prepare"))
        return NULL;
    b = calloc(1, sizeof(*b));
    b->options = *options;
    return b;
}

const char *build_guest_os(const struct build *b)
{
    (void)b;
    return "linux";
}

int build_domain(struct build *b, struct control *c,
                 const struct build_target *target, struct build_result *result,
                 struct error *e)
{
    struct fake_domain *d = get(target->domain, e);

    (void)c;
    if (!d || fake_fails(e, "build"))
        return -1;
    ck_assert_uint_ne(target->store_port, target->console_port);
    d->info.pages = b->options.memory_kib / 4;
    d->info.max_pages = b->options.max_memory_kib / 4;
    d->info.online_vcpus = 1;
    snprintf(fake.built_line, sizeof(fake.built_line), "%s",
             b->options.command_line);
    fake.built_kib = b->options.memory_kib;
    *result = (struct build_result){.store_frame = 0x1000 + target->domain,
                                    .console_frame = 0x2000 + target->domain,
                                    .pages = d->info.pages};
    return 0;
}

void build_free(struct build *b)
{
    free(b);
}

/* The store's verbs need all of the real client. */
const struct verb *store_verbs(void)
{
    static const struct verb none = {0};

    return &none;
}
