/* SPDX-License-Identifier: MIT */
/*
 * The way to the hypervisor through dom0's kernel (control.h): the privcmd
 * driver issues hypercalls and maps foreign frames, the hypercall driver
 * gives memory that stays where it is.
 */
#include "dom0_tools/lib/control_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hypercall_abi/event_channel.h"
#include "hypercall_abi/version.h"

/* The privcmd driver's interface; its own header can't be included alone. */
struct privcmd_hypercall {
    uint64_t op;
    uint64_t arg[5];
};

struct privcmd_mmapbatch_v2 {
    unsigned int num;
    domid_t domain;
    uint64_t address;
    const uint64_t *frames;
    int *errors;
};

#define PRIVCMD_HYPERCALL                                                      \
    _IOC(_IOC_NONE, 'P', 0, sizeof(struct privcmd_hypercall))
#define PRIVCMD_MMAPBATCH_V2                                                   \
    _IOC(_IOC_NONE, 'P', 4, sizeof(struct privcmd_mmapbatch_v2))

#define VERSION_MAJOR 4

static size_t round_to_pages(size_t size)
{
    return (size + CONTROL_PAGE_SIZE - 1) & ~(CONTROL_PAGE_SIZE - 1);
}

/* --- the handle ---------------------------------------------------------- */

static int open_first(const char *const *paths)
{
    int fd = -1;

    for (; fd < 0 && *paths; paths++)
        fd = open(*paths, O_RDWR | O_CLOEXEC);
    return fd;
}

static int open_drivers(struct control *c, struct error *e)
{
    static const char *const privcmd[] = {"/dev/xen/privcmd",
                                          "/proc/xen/privcmd", NULL};
    static const char *const buffers[] = {"/dev/xen/hypercall", NULL};

    c->privcmd = open_first(privcmd);
    if (c->privcmd >= 0) {
        c->buffers = open_first(buffers);
        return 0;
    }
    if (errno == EACCES || errno == EPERM)
        return error_set_errno(e, errno, "can't open %s", privcmd[0]);
    error_set(e, EXIT_STATUS_NO_MICA, "can't reach the hypervisor");
    error_why(e, "%s: %s", privcmd[0], strerror(errno));
    return error_hint(e, "run it in the first domain; modprobe xen-privcmd "
                         "if the driver is missing");
}

static int check_version(struct control *c, struct error *e)
{
    long version = CONTROL_CALL(c, xen_version, XENVER_version);

    if (version >= 0 && version >> 16 == VERSION_MAJOR)
        return 0;
    error_set(e, EXIT_STATUS_NO_MICA, "can't use this hypervisor");
    if (version < 0)
        return error_why(e, "it does not tell its version: %s",
                         strerror((int)-version));
    return error_why(e, "its interface is of version %ld, not %d",
                     version >> 16, VERSION_MAJOR);
}

/* See control.h. */
struct control *control_open(struct error *e)
{
    struct control *c = calloc(1, sizeof(*c));

    if (!c) {
        error_set_errno(e, ENOMEM, "can't reach the hypervisor");
        return NULL;
    }
    c->privcmd = c->buffers = -1;
    if (open_drivers(c, e) || check_version(c, e))
        goto close;
    c->scratch = control_alloc(c, CONTROL_SCRATCH_SIZE, e);
    if (c->scratch)
        return c;
close:
    control_close(c);
    return NULL;
}

/* See control.h. */
void control_close(struct control *c)
{
    if (!c)
        return;
    control_free(c, c->scratch, CONTROL_SCRATCH_SIZE);
    if (c->buffers >= 0)
        close(c->buffers);
    if (c->privcmd >= 0)
        close(c->privcmd);
    free(c);
}

/* See control.h. */
long control_hypercall(struct control *c, unsigned number,
                       const uint64_t args[5])
{
    struct privcmd_hypercall call = {.op = number};
    int result;

    memcpy(call.arg, args, sizeof(call.arg));
    result = ioctl(c->privcmd, PRIVCMD_HYPERCALL, &call);
    return result < 0 ? -errno : result;
}

/* --- memory for the hypervisor ------------------------------------------- */

/* Anonymous memory that stays in place as far as a process can ask for it. */
static void *alloc_locked(size_t size)
{
    void *p =
        mmap(NULL, size, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);

    if (p != MAP_FAILED)
        madvise(p, size, MADV_DONTFORK);
    return p;
}

/* See control.h. */
void *control_alloc(struct control *c, size_t size, struct error *e)
{
    void *p;

    size = round_to_pages(size);
    if (c->buffers >= 0)
        p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                 c->buffers, 0);
    else
        p = alloc_locked(size);
    if (p != MAP_FAILED)
        return p;
    error_set_errno(e, errno, "can't get %zu bytes for a hypercall", size);
    return NULL;
}

/* See control.h. */
void control_free(struct control *c, void *memory, size_t size)
{
    (void)c;
    if (memory)
        munmap(memory, round_to_pages(size));
}

/* See control_impl.h. */
void control_scratch_reset(struct control *c)
{
    c->scratch_used = 0;
}

/* See control_impl.h. */
void *control_scratch(struct control *c, size_t size)
{
    uint8_t *p = c->scratch + c->scratch_used;

    size = (size + 15) & ~(size_t)15;
    if (size > CONTROL_SCRATCH_SIZE - c->scratch_used)
        abort();
    c->scratch_used += size;
    return memset(p, 0, size);
}

/* --- other domains' frames ----------------------------------------------- */

static int report_bad_frame(domid_t domain, const uint64_t *frames,
                            const int *errors, size_t count, struct error *e)
{
    for (size_t i = 0; i < count; i++)
        if (errors[i])
            return error_set_errno(e, -errors[i],
                                   "can't map frame %#llx of domain %u",
                                   (unsigned long long)frames[i], domain);
    return 0;
}

static int map_batch(struct control *c, domid_t domain, void *address,
                     const uint64_t *frames, size_t count, struct error *e)
{
    struct privcmd_mmapbatch_v2 batch = {
        .num = (unsigned)count,
        .domain = domain,
        .address = (uintptr_t)address,
        .frames = frames,
        .errors = calloc(count, sizeof(int)),
    };
    int result;

    if (!batch.errors)
        return error_set_errno(e, ENOMEM, "can't map %zu frames", count);
    if (ioctl(c->privcmd, PRIVCMD_MMAPBATCH_V2, &batch) && errno != ENOENT)
        result =
            error_set_errno(e, errno, "can't map frames of domain %u", domain);
    else
        result = report_bad_frame(domain, frames, batch.errors, count, e);
    free(batch.errors);
    return result;
}

/* See control.h. */
void *control_map_frames(struct control *c, domid_t domain,
                         const uint64_t *frames, size_t count, bool is_writable,
                         struct error *e)
{
    int protection = PROT_READ | (is_writable ? PROT_WRITE : 0);
    void *p = mmap(NULL, count * CONTROL_PAGE_SIZE, protection, MAP_SHARED,
                   c->privcmd, 0);

    if (p == MAP_FAILED) {
        error_set_errno(e, errno, "can't map frames of domain %u", domain);
        return NULL;
    }
    if (!map_batch(c, domain, p, frames, count, e))
        return p;
    control_unmap_frames(c, p, count);
    return NULL;
}

/* See control.h. */
void control_unmap_frames(struct control *c, void *mapping, size_t count)
{
    (void)c;
    if (mapping)
        munmap(mapping, count * CONTROL_PAGE_SIZE);
}

/* --- ports --------------------------------------------------------------- */

/* See control.h. */
int control_alloc_unbound_port(struct control *c, domid_t domain,
                               domid_t remote, evtchn_port_t *port,
                               struct error *e)
{
    struct evtchn_alloc_unbound_args *op;
    long result;

    control_scratch_reset(c);
    op = control_scratch(c, sizeof(*op));
    op->dom = domain;
    op->remote_dom = remote;
    result = CONTROL_CALL(c, event_channel_op, EVTCHNOP_alloc_unbound,
                          (uintptr_t)op);
    if (result < 0)
        return error_set_errno(e, (int)-result,
                               "can't make a port for domain %u", domain);
    *port = op->port;
    return 0;
}

/* See control.h. */
int control_reset_ports(struct control *c, domid_t domain, struct error *e)
{
    struct evtchn_reset_args *op;
    long result;

    control_scratch_reset(c);
    op = control_scratch(c, sizeof(*op));
    op->dom = domain;
    result = CONTROL_CALL(c, event_channel_op, EVTCHNOP_reset, (uintptr_t)op);
    return result < 0
               ? error_set_errno(e, (int)-result,
                                 "can't reset the ports of domain %u", domain)
               : 0;
}
