/* SPDX-License-Identifier: MIT */
/*
 * Careless tools: up to four vCPUs of dom0 make, change, use and end the same
 * few domains at once, with numbers of the wrong domain, of domains that have
 * ended, and of none. Whatever comes of it, in the end all that the domains
 * had must be back.
 */
#include "clock.h"
#include "memory.h"
#include "trap.h"

#include "hypercall_abi/domctl.h"
#include "hypercall_abi/event_channel.h"
#include "hypercall_abi/grant_table.h"
#include "hypercall_abi/memory.h"
#include "hypercall_abi/sysctl.h"
#include "hypercall_abi/vcpu.h"
#include "hypercall_abi/version.h"

#define TOOLS 4
#define FIRST_ID 40
#define IDS 4
#define FRAMES 16 /* that are remembered, of all domains */
#define GRANTS 8  /* likewise */
#define ROUNDS 300
#define STACK_BYTES 16384
/* What dom0's own tables may have grown by in the first campaign, in pages. */
#define SLACK 64

const char guest_name[] = "control_race";

/* One vCPU at work, and what it has in hand. */
struct tool {
    unsigned vcpu;
    uint64_t random;
    void *window, *second_window;
    struct {
        void *at;
        bool is_mapped;
        grant_handle_t handle;
    } grants[GRANTS];
    struct xen_domctl op;
    struct vcpu_guest_context context, seen;
    struct xen_domctl_getdomaininfo infos[4];
    uint8_t bytes[PAGE_SIZE];
    char stack[STACK_BYTES] __attribute__((aligned(16)));
    volatile uint64_t rounds;
    volatile bool is_done;
};

static struct tool tools[TOOLS];
/* mfn | id << 48, of this moment or of a past one. */
static volatile uint64_t frames[FRAMES];
static volatile uint64_t campaign;
static unsigned tool_count;

static uint64_t random(struct tool *t)
{
    t->random ^= t->random << 13;
    t->random ^= t->random >> 7;
    t->random ^= t->random << 17;
    return t->random * 0x2545f4914f6cdd1d;
}

static domid_t some_id(struct tool *t)
{
    return (domid_t)(FIRST_ID + random(t) % IDS);
}

/* A frame and, more often than not, the domain that had it. */
struct guess {
    uint64_t mfn;
    domid_t id;
};

static struct guess some_frame(struct tool *t)
{
    uint64_t frame = frames[random(t) % FRAMES];
    struct guess g = {frame << 16 >> 16, (domid_t)(frame >> 48)};

    if (random(t) % 4 == 0)
        g.id = some_id(t);
    return g;
}

static void remember(struct tool *t, uint64_t mfn, domid_t id)
{
    frames[random(t) % FRAMES] = mfn | (uint64_t)id << 48;
}

static long domctl(struct tool *t, uint32_t cmd, domid_t id)
{
    t->op.cmd = cmd;
    t->op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    t->op.domain = id;
    return hc_domctl(ARG(&t->op));
}

static long mmuext_of(domid_t id, unsigned cmd, uint64_t mfn)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.mfn = mfn};

    return hc_mmuext_op(ARG(&op), 1, 0, id);
}

/* ---- what tools do ------------------------------------------------------ */

static void populate(struct tool *t, domid_t id)
{
    uint64_t list[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    struct xenmem_reservation_args r = {.extent_start = {ARG(list)},
                                        .nr_extents = 1 + random(t) % 8,
                                        .domid = id};
    long done = hc_memory_op(XENMEM_populate_physmap, ARG(&r));

    for (long i = 0; i < done; i++)
        remember(t, list[i], id);
}

static void create(struct tool *t)
{
    domid_t id = some_id(t);
    uint32_t vcpus = 1 + (uint32_t)random(t) % 4;

    t->op = (struct xen_domctl){.u.createdomain = {.max_vcpus = vcpus,
                                                   .max_evtchn_port = 100,
                                                   .max_grant_frames = 4,
                                                   .max_maptrack_frames = 4,
                                                   .grant_opts = 1}};
    if (domctl(t, XEN_DOMCTL_createdomain, id))
        return;
    t->op.u.max_mem.max_memkb = random(t) % 256;
    domctl(t, XEN_DOMCTL_max_mem, id);
    t->op.u.max_vcpus.max = vcpus;
    domctl(t, XEN_DOMCTL_max_vcpus, id);
    populate(t, id);
}

static void change_memory(struct tool *t)
{
    struct guess g = some_frame(t);
    struct xenmem_reservation_args r = {
        .extent_start = {ARG(&g.mfn)}, .nr_extents = 1, .domid = g.id};

    if (random(t) % 2)
        populate(t, g.id);
    else
        hc_memory_op(XENMEM_decrease_reservation, ARG(&r));
}

static void change_window(struct tool *t)
{
    struct guess g = some_frame(t);
    uint64_t entry = g.mfn << 12;

    entry |= random(t) % 2 ? PTE_RW_PAGE : PTE_RO_PAGE;
    hc_update_va_mapping_otherdomain(ARG(t->window), entry,
                                     UVMF_INVLPG | UVMF_ALL, g.id);
}

static void change_tables(struct tool *t)
{
    static const unsigned commands[] = {
        MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE, MMUEXT_PIN_L3_TABLE,
        MMUEXT_PIN_L4_TABLE, MMUEXT_UNPIN_TABLE,
    };

    struct guess g = some_frame(t);

    mmuext_of(g.id, commands[random(t) % ARRAY_LEN(commands)], g.mfn);
}

static void set_context(struct tool *t)
{
    struct guess g = some_frame(t);

    t->context.flags = VGCF_in_kernel | (random(t) % 2 ? VGCF_online : 0);
    t->context.user_regs.rip = 0xffffffff80000000;
    t->context.user_regs.cs = KERNEL_CS;
    t->context.user_regs.ss = KERNEL_SS;
    t->context.user_regs.rflags = FLAG_IF | FLAG_FIXED;
    t->context.gdt_frames[0] = some_frame(t).mfn;
    t->context.gdt_ents = random(t) % 3 ? 0 : 512;
    t->context.ctrlreg[1] = random(t) % 4 ? 0 : some_frame(t).mfn << 12;
    t->context.ctrlreg[3] = g.mfn << 12;
    t->op.u.vcpucontext.vcpu = (uint32_t)random(t) % 3;
    t->op.u.vcpucontext.ctxt.va = ARG(&t->context);
    domctl(t, XEN_DOMCTL_setvcpucontext, g.id);
}

static void connect(struct tool *t)
{
    struct evtchn_alloc_unbound_args alloc = {
        .dom = some_id(t),
        .remote_dom = random(t) % 2 ? 0 : some_id(t),
    };
    struct evtchn_bind_interdomain_args bind = {
        .remote_dom = random(t) % 8 ? alloc.dom : some_id(t)};
    struct evtchn_close_args close;

    if (hc_event_channel_op(EVTCHNOP_alloc_unbound, ARG(&alloc)))
        return;
    bind.remote_port = alloc.port;
    if (hc_event_channel_op(EVTCHNOP_bind_interdomain, ARG(&bind)))
        return;
    hc_event_channel_op(EVTCHNOP_send, ARG(&bind.local_port));
    close.port = bind.local_port;
    hc_event_channel_op(EVTCHNOP_close, ARG(&close));
}

static void reset_ports(struct tool *t)
{
    struct evtchn_reset_args reset = {.dom = some_id(t)};

    hc_event_channel_op(EVTCHNOP_reset, ARG(&reset));
}

/* Writes grants of frames that may be its own into a domain's table. */
static void grant(struct tool *t)
{
    struct grant_entry_v1 *table = t->second_window;
    uint64_t list[2];
    struct gnttab_setup_table_args setup = {
        .dom = some_id(t), .nr_frames = 1, .frame_list = {ARG(list)}};

    if (hc_grant_table_op(GNTTABOP_setup_table, ARG(&setup), 1) || setup.status)
        return;
    if (hc_update_va_mapping_otherdomain(ARG(table),
                                         list[0] << 12 | PTE_RW_PAGE,
                                         UVMF_INVLPG | UVMF_ALL, setup.dom))
        return;
    for (unsigned i = 0; i < GRANTS; i++)
        table[i] = (struct grant_entry_v1){
            .flags = GTF_permit_access, .frame = (uint32_t)some_frame(t).mfn};
}

static void unmap_grant(struct tool *t, unsigned slot)
{
    struct gnttab_unmap_grant_ref_args unmap = {
        .host_addr = ARG(t->grants[slot].at),
        .handle = t->grants[slot].handle,
    };

    if (!t->grants[slot].is_mapped)
        return;
    EXPECT_EQ(hc_grant_table_op(GNTTABOP_unmap_grant_ref, ARG(&unmap), 1), 0);
    EXPECT_EQ(unmap.status, GNTST_okay);
    t->grants[slot].is_mapped = false;
}

static void map_grant(struct tool *t)
{
    unsigned slot = random(t) % GRANTS;
    struct gnttab_map_grant_ref_args map = {
        .host_addr = ARG(t->grants[slot].at),
        .flags = GNTMAP_host_map | (random(t) % 2 ? GNTMAP_readonly : 0),
        .ref = (grant_ref_t)random(t) % GRANTS,
        .dom = some_id(t),
    };

    unmap_grant(t, slot);
    hc_grant_table_op(GNTTABOP_map_grant_ref, ARG(&map), 1);
    t->grants[slot].is_mapped = map.status == GNTST_okay;
    t->grants[slot].handle = map.handle;
}

static void permit(struct tool *t)
{
    uint8_t allow = (uint8_t)random(t) % 2;
    domid_t id = some_id(t);

    t->op.u.irq_permission =
        (struct xen_domctl_irq_permission){.pirq = 4, .allow_access = allow};
    domctl(t, XEN_DOMCTL_irq_permission, id);
    t->op.u.iomem_permission = (struct xen_domctl_iomem_permission){
        .first_mfn = 0xb8, .nr_mfns = random(t) % 8, .allow_access = allow};
    domctl(t, XEN_DOMCTL_iomem_permission, id);
    t->op.u.ioport_permission = (struct xen_domctl_ioport_permission){
        .first_port = 0x300, .nr_ports = 8, .allow_access = allow};
    domctl(t, XEN_DOMCTL_ioport_permission, id);
}

static void look(struct tool *t)
{
    struct xen_sysctl list = {
        .cmd = XEN_SYSCTL_getdomaininfolist,
        .interface_version = XEN_SYSCTL_INTERFACE_VERSION,
        .u.getdomaininfolist = {.first_domain = some_id(t),
                                .max_domains = ARRAY_LEN(t->infos),
                                .buffer = {ARG(t->infos)}},
    };

    hc_sysctl(ARG(&list));
    t->op.u.vcpucontext.vcpu = (uint32_t)random(t) % 4;
    t->op.u.vcpucontext.ctxt.va = ARG(&t->seen);
    domctl(t, XEN_DOMCTL_getvcpucontext, some_id(t));
    t->op.u.getvcpuinfo.vcpu = 0;
    domctl(t, XEN_DOMCTL_getvcpuinfo, some_id(t));
}

static void debug(struct tool *t)
{
    t->op.u.gdbsx_guest_memio =
        (struct xen_domctl_gdbsx_memio){.gva = 0xffffffff80000000,
                                        .uva = ARG(t->bytes),
                                        .len = 64,
                                        .gwr = (uint8_t)random(t) % 2};
    domctl(t, XEN_DOMCTL_gdbsx_guestmemio, some_id(t));
    t->op.u.gdbsx_pauseunp_vcpu.vcpu = (uint32_t)random(t) % 2;
    domctl(t,
           random(t) % 2 ? XEN_DOMCTL_gdbsx_pausevcpu
                         : XEN_DOMCTL_gdbsx_unpausevcpu,
           some_id(t));
}

static void set_policy(struct tool *t)
{
    struct xen_domctl_cpu_policy *p = &t->op.u.cpu_policy;

    *p = (struct xen_domctl_cpu_policy){.nr_leaves = 128,
                                        .leaves.va = ARG(t->bytes)};
    if (!domctl(t, XEN_DOMCTL_get_cpu_policy, some_id(t)))
        domctl(t, XEN_DOMCTL_set_cpu_policy, some_id(t));
}

static void pause(struct tool *t)
{
    domctl(t, random(t) % 3 ? XEN_DOMCTL_unpausedomain : XEN_DOMCTL_pausedomain,
           some_id(t));
}

static void destroy(struct tool *t)
{
    domctl(t, XEN_DOMCTL_destroydomain, some_id(t));
}

/* Domains that a tool still looks at don't go. */
static void let_go(struct tool *t)
{
    EXPECT_EQ(page_set_rw(t->window), 0);
    EXPECT_EQ(page_set_rw(t->second_window), 0);
    for (unsigned i = 0; i < GRANTS; i++)
        unmap_grant(t, i);
}

static void (*const actions[])(struct tool *t) = {
    create,        create,        create,        create,        change_memory,
    change_memory, change_memory, change_window, change_window, change_tables,
    change_tables, change_tables, set_context,   set_context,   connect,
    connect,       reset_ports,   grant,         grant,         map_grant,
    map_grant,     permit,        look,          debug,         set_policy,
    pause,         pause,         pause,         let_go,        let_go,
    let_go,        destroy,
};

/* ---- the campaign ------------------------------------------------------- */

static void work(struct tool *t)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        actions[random(t) % ARRAY_LEN(actions)](t);
        t->rounds++;
    }
    let_go(t);
    t->is_done = true;
}

static void run_tool(struct tool *t)
{
    for (uint64_t served = 0;;) {
        while (campaign == served)
            hc_xen_version(XENVER_version, 0);
        served++;
        work(t);
    }
}

void guest_init(void)
{
    for (unsigned i = 0; i < TOOLS; i++) {
        tools[i].vcpu = i;
        tools[i].random = 0x9e3779b97f4a7c15 + 0x1234567 * i;
        tools[i].window = page_alloc();
        tools[i].second_window = page_alloc();
        for (unsigned g = 0; g < GRANTS; g++)
            tools[i].grants[g].at = page_alloc();
    }
}

static void start_tool(struct tool *t)
{
    struct vcpu_guest_context *c = &t->context;

    c->flags = VGCF_in_kernel;
    c->user_regs.rip = ARG(run_tool);
    c->user_regs.rdi = ARG(t);
    c->user_regs.rsp = ARG(t->stack + STACK_BYTES) - 8;
    c->user_regs.cs = KERNEL_CS;
    c->user_regs.ss = KERNEL_SS;
    c->user_regs.rflags = FLAG_FIXED;
    c->kernel_ss = KERNEL_SS;
    c->kernel_sp = ARG(t->stack + STACK_BYTES);
    c->ctrlreg[3] = mfn_of(root_table()) << 12;
    EXPECT_EQ(hc_vcpu_op(VCPUOP_initialise, t->vcpu, ARG(c)), 0);
    EXPECT_EQ(hc_vcpu_op(VCPUOP_up, t->vcpu, 0), 0);
}

static bool all_are_done(void)
{
    for (unsigned i = 0; i < tool_count; i++)
        if (!tools[i].is_done)
            return false;
    return true;
}

/* Ends what is left; whether it went within ten seconds. */
static bool clear_away(struct tool *t)
{
    uint64_t end = system_time() + 10000 * MS;
    unsigned left = IDS;

    while (left && system_time() < end) {
        left = 0;
        for (domid_t id = FIRST_ID; id < FIRST_ID + IDS; id++) {
            domctl(t, XEN_DOMCTL_destroydomain, id);
            left +=
                !domctl(t, XEN_DOMCTL_getdomaininfo, id) && t->op.domain == id;
        }
    }
    return !left;
}

static uint64_t free_pages(void)
{
    struct xen_sysctl op = {
        .cmd = XEN_SYSCTL_physinfo,
        .interface_version = XEN_SYSCTL_INTERFACE_VERSION,
    };

    EXPECT_EQ(hc_sysctl(ARG(&op)), 0);
    return op.u.physinfo.free_pages;
}

static void campaign_of_all(void)
{
    for (unsigned i = 0; i < tool_count; i++)
        tools[i].is_done = false;
    campaign++;
    work(&tools[0]);
    while (!all_are_done())
        hc_xen_version(XENVER_version, 0);
    EXPECT(clear_away(&tools[0]));
}

TEST(tools_at_the_same_domains)
{
    uint64_t before, after;

    for (tool_count = 1; tool_count < TOOLS; tool_count++) {
        if (hc_vcpu_op(VCPUOP_is_up, tool_count, 0) < 0)
            break;
        start_tool(&tools[tool_count]);
    }
    campaign_of_all();
    before = free_pages();
    campaign_of_all();
    campaign_of_all();
    after = free_pages();
    EXPECT(after + SLACK >= before);
    for (unsigned i = 0; i < tool_count; i++)
        EXPECT_EQ(tools[i].rounds, 3 * ROUNDS);
}
