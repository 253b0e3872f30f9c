/* SPDX-License-Identifier: MIT */
/*
 * dom0's tools in miniature: makes domains of six pages, runs them, looks into
 * them and ends them, by domctl.
 */
#include "clock.h"
#include "memory.h"
#include "trap.h"

#include "hypercall_abi/domctl.h"
#include "hypercall_abi/event_channel.h"
#include "hypercall_abi/memory.h"
#include "hypercall_abi/sched.h"
#include "hypercall_abi/sysctl.h"
#include "hypercall_abi/vcpu.h"

#define EPERM 1
#define ESRCH 3
#define EACCES 13
#define EBUSY 16
#define EEXIST 17
#define EINVAL 22
#define ENOSYS 38
#define ENODATA 61

/* The child's memory, by pfn; all of it is mapped in a row. */
enum { L4, L3, L2, L1, CODE, STACK, PAGES };

#define CHILD_VA 0xffffffff80000000ul
#define CHILD_KIB 64
#define CYCLES 40
#define CROWD 500
#define CROWD_ID 1000

extern const char child_page[], child_ends[], child_counts[], child_word[];

const char guest_name[] = "control";

struct child {
    domid_t id;
    uint64_t mfn[PAGES];
};

static void *window; /* where a child's page is mapped to be written */
static evtchn_port_t port;
static struct xen_domctl op;
static struct vcpu_guest_context context;

void guest_init(void)
{
    struct evtchn_bind_virq_args bind = {.virq = VIRQ_DOM_EXC};

    window = page_alloc();
    EXPECT_EQ(hc_event_channel_op(EVTCHNOP_bind_virq, ARG(&bind)), 0);
    port = bind.port;
}

/* ---- calls -------------------------------------------------------------- */

static long domctl(uint32_t cmd, domid_t id)
{
    op.cmd = cmd;
    op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op.domain = id;
    return hc_domctl(ARG(&op));
}

static void clear_op(void)
{
    memset(&op, 0, sizeof(op));
}

/* Maps a frame of the child at the window. */
static long map_window(const struct child *c, unsigned pfn)
{
    return hc_update_va_mapping_otherdomain(ARG(window),
                                            c->mfn[pfn] << 12 | PTE_RW_PAGE,
                                            UVMF_INVLPG | UVMF_ALL, c->id);
}

static void close_window(void)
{
    EXPECT_EQ(page_set_rw(window), 0);
}

/* ---- making a child ----------------------------------------------------- */

static void populate(struct child *c)
{
    struct xenmem_reservation_args r = {
        .extent_start = {ARG(c->mfn)}, .nr_extents = PAGES, .domid = c->id};

    for (unsigned i = 0; i < PAGES; i++)
        c->mfn[i] = i;
    EXPECT_EQ(hc_memory_op(XENMEM_populate_physmap, ARG(&r)), PAGES);
}

static void put_entry(const struct child *c, unsigned table, unsigned index,
                      uint64_t entry)
{
    EXPECT_EQ(map_window(c, table), 0);
    ((uint64_t *)window)[index] = entry;
    close_window();
}

static void make_tables(const struct child *c)
{
    for (unsigned level = 4; level > 1; level--)
        put_entry(c, L4 + 4 - level, CHILD_VA >> (12 + 9 * (level - 1)) & 511,
                  c->mfn[L4 + 5 - level] << 12 | PTE_TABLE);
    put_entry(c, L1, CODE, c->mfn[CODE] << 12 | PTE_RW_PAGE);
    put_entry(c, L1, STACK, c->mfn[STACK] << 12 | PTE_RW_PAGE);
}

static uint64_t child_address(const char *in_page)
{
    return CHILD_VA + CODE * PAGE_SIZE + (uint64_t)(in_page - child_page);
}

static long set_context(const struct child *c, const char *entry, uint64_t root)
{
    memset(&context, 0, sizeof(context));
    context.flags = VGCF_in_kernel | VGCF_online;
    context.user_regs.rip = child_address(entry);
    context.user_regs.rsp = CHILD_VA + PAGES * PAGE_SIZE;
    context.user_regs.cs = FLAT_KERNEL_CS;
    context.user_regs.ss = FLAT_KERNEL_SS;
    context.user_regs.rflags = FLAG_IF | FLAG_FIXED;
    context.kernel_ss = FLAT_KERNEL_SS;
    context.kernel_sp = context.user_regs.rsp;
    context.ctrlreg[3] = root << 12;
    clear_op();
    op.u.vcpucontext.ctxt.va = ARG(&context);
    return domctl(XEN_DOMCTL_setvcpucontext, c->id);
}

static void describe(void)
{
    clear_op();
    op.u.createdomain.max_vcpus = 1;
    op.u.createdomain.max_evtchn_port = 1023;
    op.u.createdomain.max_grant_frames = 4;
    op.u.createdomain.max_maptrack_frames = 4;
    op.u.createdomain.grant_opts = 1;
}

/* A domain with memory and tables, but no registers. */
static void build(struct child *c)
{
    describe();
    EXPECT_EQ(domctl(XEN_DOMCTL_createdomain, 0), 0);
    c->id = op.domain;
    clear_op();
    op.u.max_vcpus.max = 1;
    EXPECT_EQ(domctl(XEN_DOMCTL_max_vcpus, c->id), 0);
    op.u.max_mem.max_memkb = CHILD_KIB;
    EXPECT_EQ(domctl(XEN_DOMCTL_max_mem, c->id), 0);
    populate(c);
    EXPECT_EQ(map_window(c, CODE), 0);
    memcpy(window, child_page, PAGE_SIZE);
    close_window();
    make_tables(c);
}

/* A domain that will run from `entry`, still paused. */
static void create(struct child *c, const char *entry)
{
    build(c);
    EXPECT_EQ(set_context(c, entry, c->mfn[L4]), 0);
}

static void start(const struct child *c)
{
    EXPECT_EQ(domctl(XEN_DOMCTL_unpausedomain, c->id), 0);
}

/* ---- watching it -------------------------------------------------------- */

static bool is_pending(void)
{
    return __atomic_load_n(&shared_info->evtchn_pending[port / 64],
                           __ATOMIC_SEQ_CST) >>
               (port & 63) &
           1;
}

static void forget_event(void)
{
    __atomic_and_fetch(&shared_info->evtchn_pending[port / 64],
                       ~(1ul << (port & 63)), __ATOMIC_SEQ_CST);
}

/* Sleeps until VIRQ_DOM_EXC or for `ms`; whether it came. */
static bool wait_for_event(unsigned ms)
{
    struct sched_poll_args poll = {.ports = {ARG(&port)}, .nr_ports = 1};
    uint64_t end = system_time() + ms * MS;

    poll.timeout = end;
    while (!is_pending() && system_time() < end)
        hc_sched_op(SCHEDOP_poll, ARG(&poll));
    return is_pending();
}

/* The domain's flags, or all ones when it is gone. */
static uint32_t flags_of(const struct child *c)
{
    clear_op();
    if (domctl(XEN_DOMCTL_getdomaininfo, c->id) || op.domain != c->id)
        return ~0u;
    return op.u.getdomaininfo.flags;
}

/* Waits until the child has shut down. */
static bool wait_for_shutdown(const struct child *c)
{
    for (unsigned i = 0; i < 20; i++) {
        forget_event();
        if (flags_of(c) & XEN_DOMINF_shutdown)
            return true;
        wait_for_event(500);
    }
    return false;
}

static bool wait_until_gone(const struct child *c)
{
    for (unsigned i = 0; i < 20; i++) {
        forget_event();
        if (flags_of(c) == ~0u)
            return true;
        wait_for_event(500);
    }
    return false;
}

/* The word that the child leaves for us. */
static uint32_t word_of(const struct child *c)
{
    uint32_t word;

    EXPECT_EQ(map_window(c, CODE), 0);
    word = *(uint32_t *)((char *)window + (child_word - child_page));
    close_window();
    return word;
}

static void destroy(const struct child *c)
{
    EXPECT_EQ(domctl(XEN_DOMCTL_destroydomain, c->id), 0);
}

/* ---- refusals ----------------------------------------------------------- */

TEST(another_version_is_refused)
{
    clear_op();
    op.cmd = XEN_DOMCTL_getdomaininfo;
    op.interface_version = XEN_DOMCTL_INTERFACE_VERSION - 1;
    EXPECT_EQ(hc_domctl(ARG(&op)), -EACCES);
}

TEST(unknown_commands_are_refused)
{
    clear_op();
    EXPECT_EQ(domctl(999, 0), -ENOSYS);
}

TEST(domains_that_do_not_exist)
{
    clear_op();
    EXPECT_EQ(domctl(XEN_DOMCTL_pausedomain, 99), -ESRCH);
    EXPECT_EQ(domctl(XEN_DOMCTL_destroydomain, 99), -ESRCH);
    EXPECT_EQ(domctl(XEN_DOMCTL_getdomaininfo, 99), -ESRCH);
}

TEST(dom0_does_not_end_itself)
{
    clear_op();
    EXPECT_EQ(domctl(XEN_DOMCTL_destroydomain, 0), -EINVAL);
    EXPECT_EQ(domctl(XEN_DOMCTL_pausedomain, 0), -EINVAL);
}

TEST(an_id_is_used_once)
{
    describe();
    EXPECT_EQ(domctl(XEN_DOMCTL_createdomain, 33), 0);
    EXPECT_EQ(op.domain, 33);
    describe();
    EXPECT_EQ(domctl(XEN_DOMCTL_createdomain, 33), -EEXIST);
    EXPECT_EQ(domctl(XEN_DOMCTL_destroydomain, 33), 0);
}

TEST(bad_roots_are_refused)
{
    struct child c;

    build(&c);
    EXPECT_EQ(set_context(&c, child_ends, start_info->shared_info >> 12),
              -EINVAL);
    EXPECT_EQ(set_context(&c, child_ends, 0), -EINVAL);
    EXPECT_EQ(set_context(&c, child_ends, ~0ul >> 12), -EINVAL);
    EXPECT_EQ(domctl(XEN_DOMCTL_getvcpucontext, c.id), -ENODATA);
    destroy(&c);
    EXPECT(wait_until_gone(&c));
}

/* ---- lives -------------------------------------------------------------- */

TEST(a_domain_runs_and_shuts_down)
{
    struct child c;

    create(&c, child_ends);
    EXPECT(flags_of(&c) & XEN_DOMINF_paused);
    EXPECT_EQ(op.u.getdomaininfo.tot_pages, PAGES);
    forget_event();
    start(&c);
    EXPECT(wait_for_event(5000));
    EXPECT(wait_for_shutdown(&c));
    EXPECT_EQ(flags_of(&c) >> XEN_DOMINF_shutdownshift & 255,
              SHUTDOWN_poweroff);
    EXPECT_EQ(word_of(&c), 0x600d);
    forget_event();
    destroy(&c);
    EXPECT(wait_for_event(1000));
    EXPECT(wait_until_gone(&c));
}

TEST(a_running_domain_is_ended)
{
    struct child c;

    create(&c, child_counts);
    forget_event();
    start(&c);
    wait_for_event(30);
    EXPECT(word_of(&c) > 0);
    destroy(&c);
    EXPECT(wait_until_gone(&c));
}

TEST(a_paused_domain_stands_still)
{
    struct child c;
    uint32_t word;

    create(&c, child_counts);
    start(&c);
    forget_event();
    wait_for_event(20);
    EXPECT_EQ(domctl(XEN_DOMCTL_pausedomain, c.id), 0);
    word = word_of(&c);
    wait_for_event(20);
    EXPECT_EQ(word_of(&c), word);
    EXPECT_EQ(domctl(XEN_DOMCTL_unpausedomain, c.id), 0);
    wait_for_event(20);
    EXPECT(word_of(&c) != word);
    destroy(&c);
    EXPECT(wait_until_gone(&c));
}

TEST(a_domain_goes_on_where_its_registers_say)
{
    struct child c;

    create(&c, child_counts);
    start(&c);
    forget_event();
    wait_for_event(20);
    clear_op();
    op.u.vcpucontext.ctxt.va = ARG(&context);
    memset(&context, 0, sizeof(context));
    EXPECT_EQ(domctl(XEN_DOMCTL_getvcpucontext, c.id), 0);
    EXPECT_EQ(context.user_regs.rip & ~(PAGE_SIZE - 1),
              child_address(child_page));
    EXPECT_EQ(context.ctrlreg[3], c.mfn[L4] << 12);
    EXPECT_EQ(context.user_regs.rflags & FLAG_IOPL, 0);
    context.user_regs.rip = child_address(child_ends);
    EXPECT_EQ(domctl(XEN_DOMCTL_setvcpucontext, c.id), 0);
    EXPECT(wait_for_shutdown(&c));
    EXPECT_EQ(word_of(&c), 0x600d);
    destroy(&c);
    EXPECT(wait_until_gone(&c));
}

TEST(a_mapped_page_outlives_its_domain)
{
    struct child c;

    create(&c, child_ends);
    start(&c);
    EXPECT(wait_for_shutdown(&c));
    EXPECT_EQ(map_window(&c, CODE), 0);
    destroy(&c);
    EXPECT(flags_of(&c) & XEN_DOMINF_dying);
    EXPECT_EQ(op.u.getdomaininfo.tot_pages, 1);
    EXPECT_EQ(*(uint32_t *)((char *)window + (child_word - child_page)),
              0x600d);
    close_window();
    EXPECT(wait_until_gone(&c));
}

TEST(gdbsx_reads_memory)
{
    static uint32_t word;
    struct child c;

    create(&c, child_ends);
    start(&c);
    EXPECT(wait_for_shutdown(&c));
    clear_op();
    op.u.gdbsx_guest_memio.gva = child_address(child_word);
    op.u.gdbsx_guest_memio.uva = ARG(&word);
    op.u.gdbsx_guest_memio.len = sizeof(word);
    EXPECT_EQ(domctl(XEN_DOMCTL_gdbsx_guestmemio, c.id), 0);
    EXPECT_EQ(word, 0x600d);
    destroy(&c);
    EXPECT(wait_until_gone(&c));
}

TEST(a_kernel_may_share_its_lower_half)
{
    struct child c;

    create(&c, child_ends);
    clear_op();
    op.u.mica_set_kernel.flags = MICA_KERNEL_SHARES_LOWER_HALF;
    EXPECT_EQ(domctl(MICA_DOMCTL_set_kernel, c.id), 0);
    start(&c);
    EXPECT_EQ(domctl(MICA_DOMCTL_set_kernel, c.id), -EBUSY);
    EXPECT(wait_for_shutdown(&c));
    EXPECT_EQ(word_of(&c), 0x600d);
    destroy(&c);
    EXPECT(wait_until_gone(&c));
}

/* ---- what it sees of the processor --------------------------------------- */

static struct xen_cpuid_leaf leaves[128];

static long cpu_policy(const struct child *c, uint32_t cmd, uint32_t count)
{
    clear_op();
    op.u.cpu_policy.nr_leaves = count;
    op.u.cpu_policy.leaves.va = ARG(leaves);
    return domctl(cmd, c->id);
}

TEST(a_policy_is_taken_and_changes_nothing)
{
    struct child c;
    uint32_t shown;

    create(&c, child_ends);
    EXPECT_EQ(cpu_policy(&c, XEN_DOMCTL_get_cpu_policy, ARRAY_LEN(leaves)), 0);
    EXPECT_EQ(leaves[1].leaf, 1);
    shown = leaves[1].c;
    leaves[1].c = shown & (shown - 1);
    EXPECT_EQ(cpu_policy(&c, XEN_DOMCTL_set_cpu_policy, 2), 0);
    EXPECT_EQ(cpu_policy(&c, XEN_DOMCTL_get_cpu_policy, ARRAY_LEN(leaves)), 0);
    EXPECT_EQ(leaves[1].c, shown);
    destroy(&c);
    EXPECT(wait_until_gone(&c));
}

/* ---- many of them -------------------------------------------------------- */

static struct xen_domctl_getdomaininfo infos[CROWD + 2];

static long list_domains(void)
{
    struct xen_sysctl list = {
        .cmd = XEN_SYSCTL_getdomaininfolist,
        .interface_version = XEN_SYSCTL_INTERFACE_VERSION,
        .u.getdomaininfolist = {.first_domain = CROWD_ID,
                                .max_domains = ARRAY_LEN(infos),
                                .buffer = {ARG(infos)},
                                .num_domains = 77},
    };
    long result = hc_sysctl(ARG(&list));

    return result ? result : (long)list.u.getdomaininfolist.num_domains;
}

TEST(a_crowd_is_listed)
{
    for (unsigned i = 0; i < CROWD; i++) {
        describe();
        op.u.createdomain.max_vcpus = 128;
        EXPECT_EQ(domctl(XEN_DOMCTL_createdomain, (domid_t)(CROWD_ID + 3 * i)),
                  0);
    }
    EXPECT_EQ(list_domains(), CROWD);
    for (unsigned i = 0; i < CROWD; i++)
        EXPECT_EQ(infos[i].domain, CROWD_ID + 3 * i);
    for (unsigned i = 0; i < CROWD; i++)
        EXPECT_EQ(domctl(XEN_DOMCTL_destroydomain, (domid_t)(CROWD_ID + 3 * i)),
                  0);
    EXPECT_EQ(list_domains(), 0);
}

TEST(many_domains_come_and_go)
{
    for (unsigned i = 0; i < CYCLES && !test_has_failed(); i++) {
        struct child c;

        create(&c, i % 2 ? child_ends : child_counts);
        start(&c);
        if (i % 2)
            EXPECT(wait_for_shutdown(&c));
        destroy(&c);
        EXPECT(wait_until_gone(&c));
    }
}
