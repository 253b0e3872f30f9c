/* SPDX-License-Identifier: MIT */
/* The builder of the first domain (dom0_build.h). */
#include "core/dom0_build.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/frame.h"
#include "core/guest_layout.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/pt_validate.h"
#include "core/vcpu.h"
#include "hypercall_abi/start_info.h"
#include "hypercall_abi/version.h"

#define MIN_DOM0_BYTES (64ull << 20)
#define BUILDING_BYTES (1ull << 20) /* for dom0's record and what builds it */
#define MAX_RESERVE_BYTES (128ull << 20)
#define LOW_FRAMES 256u /* below 1 MiB: the firmware's, never RAM */
#define IO_FRAME_LAST ((1ull << 40) - 1)

#define MAP_PAGE (PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED | PTE_DIRTY)
#define MAP_TABLE (PTE_PRESENT | PTE_USER | PTE_ACCESSED)

struct build {
    const struct dom0_options *options;
    struct domain *d;
    uint64_t pages;
    struct kernel kernel;
    struct guest_layout layout;
    uint64_t *frames;    /* the p2m list: from the heap, or NULL */
    uint64_t allocated;  /* pages: pfns below have frames */
    uint64_t next_table; /* pfn of the next page table */
    void *unpacked;      /* the kernel's file, from the heap, or NULL */
};

/* There is nothing to fall back to. */
static void need(int error)
{
    if (error)
        panic("dom0 can't be built: %s",
              error == -ENOMEM ? "memory ran out: ask for less with dom0_mem="
                               : "its tables or registers are refused");
}

/* --- the kernel file ----------------------------------------------------- */

/* Unpacks the kernel; the result is at b->unpacked. */
static const char *unpack_kernel(struct build *b, struct unpack_job *job)
{
    struct arena arena = {.size = unpack_arena_size(job->method)};
    const char *why = "not enough memory to unpack it";

    b->unpacked = job->out = heap_zalloc(job->out_size);
    arena.base = heap_zalloc(arena.size);
    job->arena = &arena;
    if (job->out && arena.base)
        why = unpack(job);
    heap_zfree(arena.base, arena.size);
    return why;
}

/* Understands the kernel and decides where everything goes. */
static void plan(struct build *b)
{
    const struct dom0_options *o = b->options;
    struct unpack_job job;
    const char *why = kernel_image_open(&job, o->kernel, o->kernel_size);

    if (!why && job.method != UNPACK_NONE)
        why = unpack_kernel(b, &job);
    if (!why)
        why = kernel_open(&b->kernel, b->unpacked ? b->unpacked : job.packed,
                          job.out_size);
    if (!why && !(b->kernel.features >> XENFEAT_dom0 & 1))
        why = "it can't be the first domain (its notes lack the dom0 feature)";
    if (!why)
        why =
            guest_layout_plan(&b->layout, &b->kernel, o->initrd_size, b->pages);
    if (why)
        panic("dom0 kernel: %s", why);
}

/* --- memory -------------------------------------------------------------- */

static void refuse_excess(const struct cmdline_amount *amount, uint64_t free)
{
    if (!amount->is_rest && amount->bytes > free)
        panic("dom0_mem: %lu MiB wanted, %lu MiB free: ask for less",
              amount->bytes >> 20, free >> 20);
}

/* How much memory dom0 gets: what is asked for, or nearly all. */
static void choose_size(struct build *b)
{
    const struct cmdline_memory *m = &b->options->memory;
    uint64_t frames = heap_free_frames();
    uint64_t free = frames * (PAGE_SIZE - sizeof(*b->frames)) - BUILDING_BYTES;
    uint64_t want = cmdline_amount_of(
        &m->want, free, free - min_u64(free / 16, MAX_RESERVE_BYTES));
    uint64_t least = cmdline_amount_of(&m->min, free, 0);
    uint64_t most = cmdline_amount_of(&m->max, free, UINT64_MAX);

    refuse_excess(&m->want, free);
    refuse_excess(&m->min, free);
    want = min_u64(max_u64(want, least), most);
    if (want < MIN_DOM0_BYTES)
        panic("dom0_mem: %lu MiB is too little for a kernel: at least %llu MiB",
              want >> 20, MIN_DOM0_BYTES >> 20);
    b->pages = want >> PAGE_SHIFT;
}

/* Allocates dom0's pages up to pfn `end`, in as few runs as there are. */
static void allocate_memory(struct build *b, uint64_t end)
{
    for (unsigned order = HEAP_MAX_ORDER; b->allocated < end;) {
        mfn_t first = 1ull << order <= end - b->allocated
                          ? heap_alloc(order, HEAP_ANY_ADDRESS)
                          : MFN_INVALID;

        if (mfn_equal(first, MFN_INVALID)) {
            need(order ? 0 : -ENOMEM);
            order--;
            continue;
        }
        need(frame_assign(first, order, b->d));
        for (uint64_t i = 0; i < 1ull << order; i++) {
            arch_m2p_set(mfn_add(first, i), b->allocated);
            b->frames[b->allocated++] = first.n + i;
        }
    }
}

static mfn_t frame_at(const struct build *b, uint64_t pfn)
{
    ASSERT(pfn < b->allocated);
    return MFN(b->frames[pfn]);
}

static void *page_at(const struct build *b, uint64_t pfn)
{
    return arch_frame_ptr(frame_at(b, pfn));
}

/* Copies to byte `at` of dom0's memory. */
static void copy_to_pages(const struct build *b, uint64_t at, const char *src,
                          uint64_t size)
{
    for (uint64_t n; size; at += n, src += n, size -= n) {
        n = min_u64(PAGE_SIZE - at % PAGE_SIZE, size);
        memcpy((char *)page_at(b, at >> PAGE_SHIFT) + at % PAGE_SIZE, src, n);
    }
}

static void load_kernel(const struct build *b)
{
    const struct kernel *k = &b->kernel;
    struct kernel_segment s;
    unsigned index = 0;

    while (kernel_next_segment(k, &index, &s))
        copy_to_pages(b, s.at, (const char *)s.data, s.size);
    if (k->hypercall_page) /* a kernel of the older kind */
        arch_hypercall_page_fill(
            page_at(b, (k->hypercall_page - k->virt_base) >> PAGE_SHIFT));
}

/* --- page tables --------------------------------------------------------- */

static uint64_t *entry_for(struct build *b, uint64_t va)
{
    uint64_t *table = page_at(b, b->layout.tables);

    for (unsigned level = 4; level > 1; level--) {
        uint64_t *entry = &table[pt_index(va, level)];

        if (!(*entry & PTE_PRESENT))
            *entry = pte_make(frame_at(b, b->next_table++), MAP_PAGE);
        table = arch_frame_ptr(pte_frame(*entry));
    }
    return &table[pt_index(va, 1)];
}

/* Maps `count` pages from `va` on, with tables of their own from `tables` on. */
static void map_run(struct build *b, uint64_t tables, uint64_t va, uint64_t pfn,
                    uint64_t count)
{
    const struct guest_layout *l = &b->layout;

    b->next_table = tables;
    for (uint64_t end = pfn + count; pfn < end; pfn++, va += PAGE_SIZE)
        *entry_for(b, va) =
            pte_make(frame_at(b, pfn),
                     pfn - l->tables < l->table_count ? MAP_TABLE : MAP_PAGE);
}

static void map_all(struct build *b)
{
    const struct guest_layout *l = &b->layout;

    map_run(b, l->tables + 1, b->kernel.virt_base, 0, l->mapped);
    if (l->p2m_table_count)
        map_run(b, l->p2m_tables, l->p2m, l->p2m_first, l->p2m_pages);
}

/* --- start_info and the first vCPU --------------------------------------- */

static void fill_start_info(const struct build *b)
{
    const struct dom0_options *o = b->options;
    struct start_info *info = page_at(b, b->layout.start_info);
    size_t length = min_u64(strlen(o->command_line), MAX_GUEST_CMDLINE - 1);

    guest_layout_describe(&b->layout, info);
    info->shared_info = arch_frame_of(b->d->shared_info).n << PAGE_SHIFT;
    info->flags |= SIF_PRIVILEGED | SIF_INITDOMAIN;
    info->console.dom0.info_off = sizeof(*info);
    info->console.dom0.info_size = (uint32_t)o->console_info_size;
    memcpy(info + 1, o->console_info, o->console_info_size);
    memcpy(info->cmd_line, o->command_line, length);
}

/* Makes the tables real, by its root; the vCPU stays down. */
static void fill_vcpu(const struct build *b)
{
    static struct vcpu_guest_context c; /* large; only once, at start */
    mfn_t root = frame_at(b, b->layout.tables);
    struct vcpu *v = b->d->vcpus[0];
    int error;

    guest_layout_start(&b->layout, &c);
    c.ctrlreg[3] = root.n << PAGE_SHIFT;
    do
        error = arch_vcpu_set_context(v, &c);
    while (error == -ERESTART);
    need(error);
    /* Guests expect the root to be pinned as well. */
    spin_lock(&b->d->pt_lock);
    need(pt_get_table(b->d, root, 4));
    __atomic_fetch_or(&frame_lookup(root)->state, FRAME_PINNED,
                      __ATOMIC_SEQ_CST);
    spin_unlock(&b->d->pt_lock);
    v->initialised = true;
}

/* --- the domain ---------------------------------------------------------- */

/* All that is not RAM, and the firmware's first MiB, is dom0's to map. */
static void allow_devices(struct domain *d, const struct dom0_options *o)
{
    need(rangeset_add(d->io_frames, 0, IO_FRAME_LAST));
    for (unsigned i = 0; i < o->ram_count; i++) {
        uint64_t start = max_u64(o->ram[i].start >> PAGE_SHIFT, LOW_FRAMES);
        uint64_t end = o->ram[i].end >> PAGE_SHIFT;

        if (start < end)
            need(rangeset_remove(d->io_frames, start, end - 1));
    }
    d->may_use_devices = true;
}

static void create_domain(struct build *b)
{
    const struct cmdline_range *r = &b->options->vcpus;
    uint64_t count = max_u64(pcpu_count, r->min);
    struct domain *d;

    if (r->max)
        count = min_u64(count, r->max);
    count = min_u64(count, MAX_VCPUS);
    d = domain_create(0, (unsigned)count);
    need(d ? 0 : -ENOMEM);
    b->d = dom0 = d;
    d->is_privileged = true;
    d->max_pages = b->pages;
    d->shares_lower_half = kernel_shares_lower_half(&b->kernel);
    for (unsigned i = 0; i < count; i++)
        need(vcpu_create(d, i) ? 0 : -ENOMEM);
    allow_devices(d, b->options);
}

/*
 * All of dom0's memory. The unpacked kernel may be too large to lie beside
 * it, so it goes as soon as it is loaded.
 */
static void fill_memory(struct build *b)
{
    uint64_t list_size = b->pages * sizeof(*b->frames);

    b->frames = heap_zalloc(list_size);
    need(b->frames ? 0 : -ENOMEM);
    allocate_memory(b, b->layout.used);
    for (uint64_t pfn = 0; pfn < b->layout.used; pfn++)
        memset(page_at(b, pfn), 0, PAGE_SIZE);
    load_kernel(b);
    heap_zfree(b->unpacked, b->kernel.size);
    allocate_memory(b, b->pages);
    copy_to_pages(b, b->layout.initrd << PAGE_SHIFT, b->options->initrd,
                  b->options->initrd_size);
    copy_to_pages(b, b->layout.p2m_first << PAGE_SHIFT, (const char *)b->frames,
                  list_size);
}

void dom0_build(const struct dom0_options *options)
{
    static struct build b;

    b.options = options;
    choose_size(&b);
    log_info("dom0: unpacking the kernel, %lu KiB", options->kernel_size >> 10);
    plan(&b);
    create_domain(&b);
    fill_memory(&b);
    map_all(&b);
    fill_start_info(&b);
    fill_vcpu(&b);
    heap_zfree(b.frames, b.pages * sizeof(*b.frames));
    log_info("dom0: %s kernel at %#lx, %lu MiB of memory, vCPUs: %u",
             b.kernel.guest_os, b.kernel.virt_base + b.kernel.start,
             b.pages >> 8, b.d->max_vcpus);
}
