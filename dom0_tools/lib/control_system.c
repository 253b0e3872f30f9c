/* SPDX-License-Identifier: MIT */
/* The machine and the hypervisor (control_system.h). */
#include "dom0_tools/lib/control_system.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dom0_tools/lib/control_impl.h"
#include "hypercall_abi/sysctl.h"
#include "hypercall_abi/version.h"

#define LOG_CHUNK (CONTROL_SCRATCH_SIZE / 2)
#define MAX_KEYS 256u

/* A new request in scratch memory. */
static struct xen_sysctl *begin(struct control *c, uint32_t cmd)
{
    struct xen_sysctl *op;

    control_scratch_reset(c);
    op = control_scratch(c, sizeof(*op));
    op->cmd = cmd;
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return op;
}

static int finish(struct control *c, struct xen_sysctl *op, const char *what,
                  struct error *e)
{
    long result = CONTROL_CALL(c, sysctl, (uintptr_t)op);

    return result < 0 ? error_set_errno(e, (int)-result, "can't %s", what) : 0;
}

/* --- version ------------------------------------------------------------- */

/* Text that the hypervisor gives, terminated; "" if it gives none. */
static void get_text(struct control *c, unsigned cmd, char *out, size_t size)
{
    char *text;

    control_scratch_reset(c);
    text = control_scratch(c, size);
    if (CONTROL_CALL(c, xen_version, cmd, (uintptr_t)text) < 0)
        *text = '\0';
    memcpy(out, text, size);
    out[size - 1] = '\0';
}

/* Copies a field that need not be terminated. */
static void take_text(char *out, size_t out_size, const char *in, size_t size)
{
    size_t length = strnlen(in, size < out_size ? size : out_size - 1);

    memcpy(out, in, length);
    out[length] = '\0';
}

#define TAKE_TEXT(out, in) take_text((out), sizeof(out), (in), sizeof(in))

static void get_compile_info(struct control *c, struct control_version *v)
{
    struct xenver_compile_info_args *info;

    control_scratch_reset(c);
    info = control_scratch(c, sizeof(*info));
    if (CONTROL_CALL(c, xen_version, XENVER_compile_info, (uintptr_t)info) < 0)
        return;
    TAKE_TEXT(v->compiler, info->compiler);
    TAKE_TEXT(v->compiled_by, info->compile_by);
    TAKE_TEXT(v->compiled_at, info->compile_domain);
    TAKE_TEXT(v->compiled_on, info->compile_date);
}

static uint64_t get_virt_start(struct control *c)
{
    struct xenver_platform_parameters_args *p;

    control_scratch_reset(c);
    p = control_scratch(c, sizeof(*p));
    if (CONTROL_CALL(c, xen_version, XENVER_platform_parameters, (uintptr_t)p) <
        0)
        return 0;
    return p->virt_start;
}

/* Bytes as hexadecimal digits; "" if the hypervisor has no build id. */
static void get_build_id(struct control *c, char *text, size_t size)
{
    struct xenver_build_id_args *id;
    const uint8_t *bytes;
    long count, i;

    control_scratch_reset(c);
    id = control_scratch(c, sizeof(*id) + size / 2);
    id->len = (uint32_t)(size - 1) / 2;
    count = CONTROL_CALL(c, xen_version, XENVER_build_id, (uintptr_t)id);
    bytes = (const uint8_t *)(id + 1);
    for (i = 0; i < count; i++)
        text += sprintf(text, "%02x", bytes[i]);
    *text = '\0';
}

/* See control_system.h. */
int control_version(struct control *c, struct control_version *v,
                    struct error *e)
{
    long version = CONTROL_CALL(c, xen_version, XENVER_version);

    if (version < 0)
        return error_set_errno(e, (int)-version, "can't ask for the version");
    *v = (struct control_version){
        .major = (unsigned)version >> 16,
        .minor = (unsigned)version & 0xffff,
        .virt_start = get_virt_start(c),
        .page_size = CONTROL_PAGE_SIZE,
    };
    get_compile_info(c, v);
    get_text(c, XENVER_extraversion, v->extra, XENVER_EXTRAVERSION_LEN);
    get_text(c, XENVER_capabilities, v->capabilities, sizeof(v->capabilities));
    get_text(c, XENVER_changeset, v->changeset, sizeof(v->changeset));
    get_build_id(c, v->build_id, sizeof(v->build_id));
    get_text(c, XENVER_commandline, v->command_line, sizeof(v->command_line));
    return 0;
}

/* --- processors and memory ----------------------------------------------- */

/* See control_system.h. */
int control_machine(struct control *c, struct control_machine *m,
                    struct error *e)
{
    struct xen_sysctl *op = begin(c, XEN_SYSCTL_physinfo);
    const struct xen_sysctl_physinfo *p = &op->u.physinfo;

    if (finish(c, op, "ask about the machine", e))
        return -1;
    *m = (struct control_machine){
        .threads_per_core = p->threads_per_core,
        .cores_per_socket = p->cores_per_socket,
        .cpus = p->nr_cpus,
        .max_cpu = p->max_cpu_id,
        .nodes = p->nr_nodes,
        .cpu_khz = p->cpu_khz,
        .capabilities = p->capabilities,
        .total_pages = p->total_pages,
        .free_pages = p->free_pages,
        .scrub_pages = p->scrub_pages,
        .outstanding_pages = p->outstanding_pages,
    };
    memcpy(m->hardware_caps, p->hw_cap, sizeof(m->hardware_caps));
    return 0;
}

static unsigned min_count(size_t a, size_t b)
{
    return (unsigned)(a < b ? a : b);
}

/* See control_system.h. */
int control_cpu_places(struct control *c, struct control_cpu_place *places,
                       unsigned room, struct error *e)
{
    struct xen_sysctl *op = begin(c, XEN_SYSCTL_cputopoinfo);
    struct xen_sysctl_cputopo *list;
    unsigned count = min_count(room, CONTROL_SCRATCH_SIZE / 2 / sizeof(*list));

    list = control_scratch(c, count * sizeof(*list));
    op->u.cputopoinfo.num_cpus = count;
    op->u.cputopoinfo.cputopo = control_va(list);
    if (finish(c, op, "ask where the processors are", e))
        return -1;
    count = min_count(count, op->u.cputopoinfo.num_cpus);
    for (unsigned i = 0; i < count; i++)
        places[i] = (struct control_cpu_place){
            .core = list[i].core,
            .socket = list[i].socket,
            .node = list[i].node,
            .is_present = list[i].core != XEN_INVALID_CORE_ID,
        };
    return (int)count;
}

/* See control_system.h. */
int control_cpu_idle_times(struct control *c, uint64_t *ns, unsigned room,
                           struct error *e)
{
    struct xen_sysctl *op = begin(c, XEN_SYSCTL_getcpuinfo);
    struct xen_sysctl_cpuinfo *list;
    unsigned count = min_count(room, CONTROL_SCRATCH_SIZE / 2 / sizeof(*list));

    list = control_scratch(c, count * sizeof(*list));
    op->u.getcpuinfo.max_cpus = count;
    op->u.getcpuinfo.info = control_va(list);
    if (finish(c, op, "ask what the processors do", e))
        return -1;
    count = min_count(count, op->u.getcpuinfo.nr_cpus);
    for (unsigned i = 0; i < count; i++)
        ns[i] = list[i].idletime;
    return (int)count;
}

/* See control_system.h. */
int control_scheduler(struct control *c, struct error *e)
{
    struct xen_sysctl *op = begin(c, XEN_SYSCTL_sched_id);

    if (finish(c, op, "ask for the scheduler", e))
        return -1;
    return (int)op->u.sched_id.sched_id;
}

static struct xen_sysctl *begin_sched(struct control *c, uint32_t cmd)
{
    struct xen_sysctl *op = begin(c, XEN_SYSCTL_scheduler_op);

    op->u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
    op->u.scheduler_op.cmd = cmd;
    return op;
}

/* See control_system.h. */
int control_rate_limit(struct control *c, unsigned *us, struct error *e)
{
    struct xen_sysctl *op = begin_sched(c, XEN_SYSCTL_SCHEDOP_getinfo);

    if (finish(c, op, "ask for the scheduler's rate limit", e))
        return -1;
    *us = op->u.scheduler_op.u.sched_credit2.ratelimit_us;
    return 0;
}

/* See control_system.h. */
int control_set_rate_limit(struct control *c, unsigned us, struct error *e)
{
    struct xen_sysctl *op = begin_sched(c, XEN_SYSCTL_SCHEDOP_putinfo);

    op->u.scheduler_op.u.sched_credit2.ratelimit_us = us;
    return finish(c, op, "set the scheduler's rate limit", e);
}

/* --- the log ------------------------------------------------------------- */

static int read_console(struct control *c, bool is_clearing, uint32_t *position,
                        char *text, size_t *size, struct error *e)
{
    struct xen_sysctl *op = begin(c, XEN_SYSCTL_readconsole);
    struct xen_sysctl_readconsole *r = &op->u.readconsole;
    char *buffer = control_scratch(c, LOG_CHUNK);

    r->clear = is_clearing;
    r->incremental = !is_clearing;
    r->index = *position;
    r->buffer = control_va(buffer);
    r->count = min_count(*size, LOG_CHUNK);
    if (finish(c, op, "read the hypervisor's log", e))
        return -1;
    *size = min_count(*size, r->count);
    *position = r->index;
    memcpy(text, buffer, *size);
    return 0;
}

/* See control_system.h. */
long control_read_log(struct control *c, uint32_t *position, char *text,
                      size_t size, struct error *e)
{
    return read_console(c, false, position, text, &size, e) ? -1 : (long)size;
}

/* See control_system.h. */
int control_clear_log(struct control *c, struct error *e)
{
    uint32_t position = 0;
    size_t size = 1;
    char text[1];

    return read_console(c, true, &position, text, &size, e);
}

/* See control_system.h. */
int control_debug_keys(struct control *c, const char *keys, struct error *e)
{
    struct xen_sysctl *op = begin(c, XEN_SYSCTL_debug_keys);
    size_t length = strlen(keys);
    char *copy;

    if (length > MAX_KEYS)
        return error_set_errno(e, E2BIG, "can't press debug keys");
    copy = control_scratch(c, length);
    memcpy(copy, keys, length);
    op->u.debug_keys.keys = control_va(copy);
    op->u.debug_keys.nr_keys = (uint32_t)length;
    return finish(c, op, "press debug keys", e);
}
