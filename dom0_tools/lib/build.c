/* SPDX-License-Identifier: MIT */
/*
 * The builder of domains (build.h). The rules of the layout are core's, which
 * the hypervisor's own builder of the first domain follows too; what differs
 * is that a domain's memory is another's here, and that there are rings.
 *
 * The two rings lie right behind the kernel, which counts as two pages longer.
 */
#include "dom0_tools/lib/build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/guest_layout.h"
#include "dom0_tools/lib/build_kernel.h"
#include "dom0_tools/lib/build_memory.h"
#include "dom0_tools/lib/build_tables.h"
#include "dom0_tools/lib/control_domain.h"
#include "dom0_tools/lib/control_memory.h"
#include "dom0_tools/lib/control_system.h"
#include "hypercall_abi/domctl.h"
#include "hypercall_abi/grant_table.h"
#include "hypercall_abi/memory.h"
#include "hypercall_abi/start_info.h"
#include "hypercall_abi/vcpu.h"

#define PAGES_PER_KIB_SHIFT 2u
#define MAX_KIB (1ull << 42)
#define RING_PAGES 2u

/* What the hypervisor takes for a domain beside its memory, at most. */
#define OVERHEAD_PAGES 512u

struct build {
    struct build_options options;
    struct build_kernel kernel;
    struct guest_layout layout;
    int ramdisk; /* descriptor, or -1 */
    uint64_t ramdisk_size;
    uint64_t pages;
    uint64_t rings_pfn; /* store, then console */
};

/* A domain being filled. */
struct site {
    const struct build *b;
    struct control *c;
    const struct build_target *target;
    struct build_memory memory;
    struct build_tables tables;
    uint64_t start_info[PAGE_SIZE / sizeof(uint64_t)];
};

/* --- planning ------------------------------------------------------------ */

static uint64_t mib(uint64_t pages)
{
    return (pages + 255) >> 8;
}

static int check_options(const struct build_options *o, struct error *e)
{
    if (o->memory_kib >> PAGES_PER_KIB_SHIFT == 0 || o->memory_kib > MAX_KIB) {
        error_set(e, EXIT_STATUS_USAGE, "can't build a domain of %llu KiB",
                  (unsigned long long)o->memory_kib);
        return error_hint(e, "give it a few hundred MiB with memory=");
    }
    if (o->max_memory_kib &&
        (o->max_memory_kib < o->memory_kib || o->max_memory_kib > MAX_KIB)) {
        error_set(e, EXIT_STATUS_USAGE, "can't limit a domain to %llu KiB",
                  (unsigned long long)o->max_memory_kib);
        return error_why(e, "it starts with %llu KiB",
                         (unsigned long long)o->memory_kib);
    }
    if (!o->command_line || strlen(o->command_line) < MAX_GUEST_CMDLINE)
        return 0;
    error_set(e, EXIT_STATUS_USAGE, "can't pass the kernel's command line");
    return error_why(e, "it is longer than %d bytes", MAX_GUEST_CMDLINE - 1);
}

static int check_free(struct control *c, const struct build *b, struct error *e)
{
    struct control_machine m;
    uint64_t free;

    if (control_machine(c, &m, e))
        return -1;
    free = m.free_pages - min_u64(m.free_pages, m.outstanding_pages);
    if (b->pages + OVERHEAD_PAGES <= free)
        return 0;
    error_set(e, EXIT_STATUS_NO_MEMORY, "can't build the domain");
    error_why(e, "%llu MiB are wanted, %llu MiB are free",
              (unsigned long long)mib(b->pages + OVERHEAD_PAGES),
              (unsigned long long)(free >> 8));
    return error_hint(e, "give it less with memory=, or take some from "
                         "another domain");
}

static int open_ramdisk(struct build *b, struct error *e)
{
    const char *path = b->options.ramdisk;
    struct stat s;

    if (!path)
        return 0;
    b->ramdisk = open(path, O_RDONLY | O_CLOEXEC);
    if (b->ramdisk < 0 || fstat(b->ramdisk, &s))
        return error_set_errno(e, errno, "can't open ramdisk %s", path);
    if (!S_ISREG(s.st_mode))
        return error_set_errno(e, EINVAL, "can't use ramdisk %s", path);
    b->ramdisk_size = (uint64_t)s.st_size;
    return 0;
}

static const char *plan_layout(const struct build *b, uint64_t pages,
                               struct guest_layout *l)
{
    return guest_layout_plan(l, &b->kernel.elf, b->ramdisk_size, pages);
}

/* The fewest pages, to the MiB, with which the layout is possible; 0: none. */
static uint64_t least_pages(const struct build *b)
{
    uint64_t low = 0, high = 256;
    struct guest_layout l;

    while (plan_layout(b, high, &l)) {
        low = high;
        high *= 2;
        if (high > MAX_KIB >> PAGES_PER_KIB_SHIFT)
            return 0;
    }
    while (high - low > 256) {
        uint64_t middle = (low + (high - low) / 2) & ~255ull;

        if (plan_layout(b, middle, &l))
            low = middle;
        else
            high = middle;
    }
    return high;
}

static int plan(struct build *b, struct error *e)
{
    const char *why;
    uint64_t least;

    b->rings_pfn = pages_of(b->kernel.elf.end);
    b->kernel.elf.end = (b->rings_pfn + RING_PAGES) << PAGE_SHIFT;
    why = plan_layout(b, b->pages, &b->layout);
    if (!why)
        return 0;
    least = least_pages(b);
    if (!least) {
        error_set(e, EXIT_STATUS_BAD_KERNEL, "can't use kernel %s",
                  b->options.kernel);
        return error_why(e, "%s", why);
    }
    error_set(e, EXIT_STATUS_NO_MEMORY, "can't build the domain");
    error_why(e, "kernel and ramdisk need %llu MiB, %llu MiB are given",
              (unsigned long long)mib(least),
              (unsigned long long)(b->pages >> 8));
    return error_hint(e, "give it more with memory=");
}

/* See build.h. */
struct build *build_prepare(struct control *c,
                            const struct build_options *options,
                            struct error *e)
{
    struct build *b;

    if (check_options(options, e))
        return NULL;
    b = calloc(1, sizeof(*b));
    if (!b) {
        error_set_errno(e, ENOMEM, "can't build the domain");
        return NULL;
    }
    b->options = *options;
    b->ramdisk = b->kernel.fd = -1;
    b->pages = options->memory_kib >> PAGES_PER_KIB_SHIFT;
    if (!check_free(c, b, e) && !open_ramdisk(b, e) &&
        !build_kernel_open(&b->kernel, options->kernel, b->pages << PAGE_SHIFT,
                           e) &&
        !plan(b, e))
        return b;
    build_free(b);
    return NULL;
}

/* See build.h. */
void build_free(struct build *b)
{
    if (!b)
        return;
    build_kernel_close(&b->kernel);
    if (b->ramdisk >= 0)
        close(b->ramdisk);
    free(b);
}

/* See build.h. */
const char *build_guest_os(const struct build *b)
{
    return b->kernel.elf.guest_os;
}

/* --- filling ------------------------------------------------------------- */

static uint64_t max_kib(const struct build *b)
{
    return b->options.max_memory_kib ? b->options.max_memory_kib
                                     : b->options.memory_kib;
}

/*
 * Tells how the kernel may be run. A hypervisor that does not know this call
 * has one way for all kernels.
 */
static int describe_kernel(const struct site *s, struct error *e)
{
    uint32_t flags = kernel_shares_lower_half(&s->b->kernel.elf)
                         ? MICA_KERNEL_SHARES_LOWER_HALF
                         : 0;
    struct error failure;

    if (!control_domain_set_kernel(s->c, s->target->domain, flags, &failure) ||
        failure.number == ENOSYS)
        return 0;
    if (e)
        *e = failure;
    return -1;
}

static int set_limits(const struct site *s, struct error *e)
{
    const struct control_memory_range ram = {
        .size = max_kib(s->b) << 10,
        .type = E820_TYPE_RAM,
    };

    if (control_domain_set_max_memory(s->c, s->target->domain, max_kib(s->b),
                                      e) ||
        control_set_memory_map(s->c, s->target->domain, &ram, 1, e))
        return -1;
    return describe_kernel(s, e);
}

static int load_kernel(struct site *s, struct error *e)
{
    const struct build_kernel *k = &s->b->kernel;
    struct kernel_segment segment;
    unsigned index = 0;

    while (kernel_next_segment(&k->elf, &index, &segment)) {
        if (build_memory_read_file(&s->memory, 0, segment.at, k->fd,
                                   (uint64_t)(segment.data - k->bytes),
                                   segment.size, e))
            return error_wrap(e, "can't load kernel %s", s->b->options.kernel);
    }
    return 0;
}

/* The page that a kernel of the older kind names in its notes. */
static int fill_hypercall_page(const struct site *s, struct error *e)
{
    const struct kernel *k = &s->b->kernel.elf;
    uint64_t pfn = (k->hypercall_page - k->virt_base) >> PAGE_SHIFT;

    if (!k->hypercall_page)
        return 0;
    return control_domain_fill_hypercall_page(s->c, s->target->domain,
                                              s->memory.frames[pfn], e);
}

static int load_ramdisk(struct site *s, struct error *e)
{
    const struct build *b = s->b;

    if (b->ramdisk_size &&
        build_memory_read_file(&s->memory, b->layout.initrd, 0, b->ramdisk, 0,
                               b->ramdisk_size, e))
        return error_wrap(e, "can't load ramdisk %s", b->options.ramdisk);
    return 0;
}

static uint64_t ring_frame(const struct site *s, unsigned n)
{
    return s->memory.frames[s->b->rings_pfn + n];
}

static void fill_start_info(const struct site *s, uint64_t shared_info,
                            struct start_info *info)
{
    const struct build *b = s->b;

    guest_layout_describe(&b->layout, info);
    info->shared_info = shared_info << PAGE_SHIFT;
    info->store_mfn = ring_frame(s, 0);
    info->store_evtchn = s->target->store_port;
    info->console.domU.mfn = ring_frame(s, 1);
    info->console.domU.evtchn = s->target->console_port;
    if (b->options.command_line)
        strcpy(info->cmd_line, b->options.command_line);
}

/* start_info, p2m list and page tables: what lists the domain's frames. */
static int write_lists(struct site *s, struct error *e)
{
    const struct guest_layout *l = &s->b->layout;
    struct control_domain domain;

    if (control_domain_info(s->c, s->target->domain, &domain, e))
        return -1;
    fill_start_info(s, domain.shared_info_frame,
                    (struct start_info *)s->start_info);
    if (build_tables_make(&s->tables, l, &s->memory, e) ||
        build_tables_write(&s->tables, &s->memory, e) ||
        build_memory_write(&s->memory, l->start_info, 0, s->start_info,
                           sizeof(struct start_info), e) ||
        build_memory_write(&s->memory, l->p2m_first, 0, s->memory.frames,
                           s->b->pages * sizeof(uint64_t), e))
        return -1;
    return build_memory_flush(&s->memory, e);
}

/* The grants by which others reach the rings without being privileged. */
static int grant_rings(const struct site *s, struct error *e)
{
    struct grant_entry_v1 *table =
        control_map_grant_table(s->c, s->target->domain, 1, e);

    if (!table)
        return -1;
    table[GNTTAB_RESERVED_CONSOLE] =
        (struct grant_entry_v1){GTF_permit_access, s->target->console_domain,
                                (uint32_t)ring_frame(s, 1)};
    table[GNTTAB_RESERVED_XENSTORE] = (struct grant_entry_v1){
        GTF_permit_access, s->target->store_domain, (uint32_t)ring_frame(s, 0)};
    control_unmap_frames(s->c, table, 1);
    return 0;
}

static int start_vcpu(const struct site *s, uint64_t root, struct error *e)
{
    struct vcpu_guest_context context = {.ctrlreg[3] = root << PAGE_SHIFT};

    guest_layout_start(&s->b->layout, &context);
    context.flags |= VGCF_online;
    return control_vcpu_set_context(s->c, s->target->domain, 0, &context, e);
}

static int fill(struct site *s, struct error *e)
{
    uint64_t root;

    if (set_limits(s, e) ||
        build_memory_populate(&s->memory, s->c, s->target->domain, s->b->pages,
                              e) ||
        load_kernel(s, e) || fill_hypercall_page(s, e) || load_ramdisk(s, e) ||
        write_lists(s, e) || grant_rings(s, e))
        return -1;
    root = s->memory.frames[s->b->layout.tables];
    return control_pin_table(s->c, s->target->domain, CONTROL_TABLE_L4, root,
                             e) ||
                   start_vcpu(s, root, e)
               ? -1
               : 0;
}

/* See build.h. */
int build_domain(struct build *b, struct control *c,
                 const struct build_target *target, struct build_result *result,
                 struct error *e)
{
    struct site *s = calloc(1, sizeof(*s));
    int error;

    if (!s)
        return error_set_errno(e, ENOMEM, "can't build the domain");
    s->b = b;
    s->c = c;
    s->target = target;
    error = fill(s, e);
    if (!error)
        *result = (struct build_result){
            .store_frame = ring_frame(s, 0),
            .console_frame = ring_frame(s, 1),
            .pages = b->pages,
        };
    build_tables_free(&s->tables);
    build_memory_close(&s->memory);
    free(s);
    return error;
}
