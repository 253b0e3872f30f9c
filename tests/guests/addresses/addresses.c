/* SPDX-License-Identifier: MIT */
/*
 * Addresses that a kernel had better not pass, to every hypercall that takes
 * one; then garbage to every number there could be. The machine survives.
 */
#include "memory.h"
#include "pieces.h"
#include "trap.h"

#include "hypercall_abi/console.h"
#include "hypercall_abi/event_channel.h"
#include "hypercall_abi/grant_table.h"
#include "hypercall_abi/memory.h"
#include "hypercall_abi/multicall.h"
#include "hypercall_abi/physdev.h"
#include "hypercall_abi/platform.h"
#include "hypercall_abi/sched.h"
#include "hypercall_abi/vcpu.h"
#include "hypercall_abi/version.h"

#define EFAULT 14
#define SCRATCH_PAGES 4

const char guest_name[] = "addresses";

/* Behind it lies a page that is not there, for arrays that are too long. */
static char scratch[SCRATCH_PAGES + 1][PAGE_SIZE]
    __attribute__((aligned(4096)));
static char *read_only;

void guest_init(void)
{
    user_init();
    /* Small numbers are no addresses here. */
    EXPECT_EQ(pte_write(&root_table()[0], 0), 0);
    EXPECT_EQ(pte_write(user_root_page, 0), 0);
    EXPECT_EQ(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0), 0);
    read_only = page_alloc();
    EXPECT_EQ(page_set_ro(read_only), 0);
    EXPECT_EQ(page_map(scratch[SCRATCH_PAGES], 0), 0);
}

/* Where nothing of the guest's is. */
static const uint64_t bad_addresses[] = {
    0x8000000000000000, /* not canonical */
    0x0000800000000000, 0xffff7fffffffffff,
    0xffff800000000000, /* readable, but not the guest's */
    0xffff810000000000, /* the hypervisor's */
    0xffff820000000000, 0xffff830000000000,
    0xffff87fffffffff8, 0xfffffffffffffff8, /* wraps */
    0xffffffffffffffff, 0x00007ffffffffff8,
    0x00007f0000000000, /* nothing there */
    USER_HOLE,
};

/* ---- reading ------------------------------------------------------------ */

/* a[0] to a[3], with the bad address in place of AT. */
#define AT 0x600dul

struct call {
    uint64_t nr, a[4];
};

static const struct call readers[] = {
    {HC_set_trap_table, {AT}},
    {HC_mmu_update, {AT, 1, 0, DOMID_SELF}},
    {HC_set_gdt, {AT, 1}},
    {HC_platform_op, {AT}},
    {HC_memory_op, {XENMEM_current_reservation, AT}},
    {HC_memory_op, {XENMEM_maximum_reservation, AT}},
    {HC_memory_op, {XENMEM_machine_memory_map, AT}},
    {HC_memory_op, {XENMEM_exchange, AT}},
    {HC_memory_op, {XENMEM_machphys_mapping, AT}},
    {HC_multicall, {AT, 1}},
    {HC_console_io, {CONSOLEIO_write, 8, AT}},
    {HC_grant_table_op, {GNTTABOP_map_grant_ref, AT, 1}},
    {HC_grant_table_op, {GNTTABOP_unmap_grant_ref, AT, 1}},
    {HC_grant_table_op, {GNTTABOP_setup_table, AT, 1}},
    {HC_grant_table_op, {GNTTABOP_copy, AT, 1}},
    {HC_grant_table_op, {GNTTABOP_query_size, AT, 1}},
    {HC_vcpu_op, {VCPUOP_set_periodic_timer, 0, AT}},
    {HC_vcpu_op, {VCPUOP_set_singleshot_timer, 0, AT}},
    {HC_vcpu_op, {VCPUOP_register_vcpu_info, 0, AT}},
    {HC_vcpu_op, {VCPUOP_register_runstate_memory_area, 0, AT}},
    {HC_mmuext_op, {AT, 1, 0, DOMID_SELF}},
    {HC_nmi_op, {0, AT}},
    {HC_sched_op, {SCHEDOP_shutdown, AT}},
    {HC_sched_op, {SCHEDOP_poll, AT}},
    {HC_sched_op, {SCHEDOP_remote_shutdown, AT}},
    {HC_sched_op, {SCHEDOP_watchdog, AT}},
    {HC_callback_op, {0, AT}},
    {HC_callback_op, {1, AT}},
    {HC_event_channel_op, {EVTCHNOP_bind_interdomain, AT}},
    {HC_event_channel_op, {EVTCHNOP_bind_virq, AT}},
    {HC_event_channel_op, {EVTCHNOP_bind_pirq, AT}},
    {HC_event_channel_op, {EVTCHNOP_close, AT}},
    {HC_event_channel_op, {EVTCHNOP_send, AT}},
    {HC_event_channel_op, {EVTCHNOP_status, AT}},
    {HC_event_channel_op, {EVTCHNOP_alloc_unbound, AT}},
    {HC_event_channel_op, {EVTCHNOP_bind_ipi, AT}},
    {HC_event_channel_op, {EVTCHNOP_bind_vcpu, AT}},
    {HC_event_channel_op, {EVTCHNOP_unmask, AT}},
    {HC_event_channel_op, {EVTCHNOP_reset, AT}},
    {HC_physdev_op, {PHYSDEVOP_eoi, AT}},
    {HC_physdev_op, {PHYSDEVOP_irq_status_query, AT}},
    {HC_physdev_op, {PHYSDEVOP_set_iopl, AT}},
    {HC_physdev_op, {PHYSDEVOP_apic_read, AT}},
    {HC_physdev_op, {PHYSDEVOP_map_pirq, AT}},
    {HC_physdev_op, {PHYSDEVOP_restore_msi_ext, AT}},
};

static long make(const struct call *c, uint64_t at)
{
    uint64_t a[4];

    for (unsigned i = 0; i < 4; i++)
        a[i] = c->a[i] == AT ? at : c->a[i];
    return hypercall(c->nr, a[0], a[1], a[2], a[3], 0);
}

static void expect_fault(const struct call *c, uint64_t at)
{
    long result = make(c, at);

    if (result == -EFAULT)
        return;
    print("# hypercall %lu (%#lx, ...) at %#lx: %ld", c->nr, c->a[0], at,
          result);
    EXPECT_EQ(result, -EFAULT);
}

TEST(reading_bad_addresses)
{
    for (unsigned i = 0; i < ARRAY_LEN(readers); i++)
        for (unsigned j = 0; j < ARRAY_LEN(bad_addresses); j++)
            expect_fault(&readers[i], bad_addresses[j]);
}

/* These answer with the number of extents they have done. */
TEST(reservations_at_bad_addresses)
{
    static const uint8_t commands[] = {XENMEM_increase_reservation,
                                       XENMEM_decrease_reservation,
                                       XENMEM_populate_physmap};

    for (unsigned i = 0; i < ARRAY_LEN(commands); i++)
        for (unsigned j = 0; j < ARRAY_LEN(bad_addresses); j++)
            EXPECT(hc_memory_op(commands[i], bad_addresses[j]) <= 0);
}

/* ---- writing ------------------------------------------------------------ */

static const struct call writers[] = {
    {HC_xen_version, {XENVER_extraversion, AT}},
    {HC_xen_version, {XENVER_compile_info, AT}},
    {HC_xen_version, {XENVER_capabilities, AT}},
    {HC_xen_version, {XENVER_changeset, AT}},
    {HC_xen_version, {XENVER_platform_parameters, AT}},
    {HC_xen_version, {XENVER_get_features, AT}},
    {HC_xen_version, {XENVER_guest_handle, AT}},
    {HC_xen_version, {XENVER_commandline, AT}},
    {HC_memory_op, {XENMEM_machphys_mapping, AT}},
    {HC_vcpu_op, {VCPUOP_get_runstate_info, 0, AT}},
};

TEST(writing_to_bad_addresses)
{
    for (unsigned i = 0; i < ARRAY_LEN(writers); i++)
        for (unsigned j = 0; j < ARRAY_LEN(bad_addresses); j++)
            expect_fault(&writers[i], bad_addresses[j]);
}

TEST(writing_to_read_only_pages)
{
    for (unsigned i = 0; i < ARRAY_LEN(writers); i++)
        expect_fault(&writers[i], ARG(read_only));
    expect_fault(&writers[0], ARG(root_table()));
    expect_fault(&writers[0], ARG(user_l1_page));
    for (unsigned i = 0; i < PAGE_SIZE; i++)
        EXPECT_EQ(read_only[i], 0);
}

TEST(ports_are_not_lost_without_an_answer)
{
    struct evtchn_bind_ipi_args *op = page_alloc();
    struct evtchn_bind_ipi_args first = {0}, second = {0};

    EXPECT_EQ(hc_event_channel_op(EVTCHNOP_bind_ipi, ARG(&first)), 0);
    EXPECT_EQ(hc_event_channel_op(EVTCHNOP_close, ARG(&first.port)), 0);
    EXPECT_EQ(page_set_ro(op), 0);
    for (unsigned i = 0; i < 10; i++)
        EXPECT_EQ(hc_event_channel_op(EVTCHNOP_bind_ipi, ARG(op)), -EFAULT);
    EXPECT_EQ(hc_event_channel_op(EVTCHNOP_bind_ipi, ARG(&second)), 0);
    EXPECT_EQ(second.port, first.port);
    EXPECT_EQ(hc_event_channel_op(EVTCHNOP_close, ARG(&second.port)), 0);
}

/* ---- across the end of a page ------------------------------------------- */

TEST(arguments_across_a_hole)
{
    static const struct call calls[] = {
        {HC_mmu_update, {AT, 1, 0, DOMID_SELF}},
        {HC_mmuext_op, {AT, 1, 0, DOMID_SELF}},
        {HC_sched_op, {SCHEDOP_poll, AT}},
        {HC_event_channel_op, {EVTCHNOP_status, AT}},
        {HC_xen_version, {XENVER_compile_info, AT}},
    };

    for (unsigned i = 0; i < ARRAY_LEN(calls); i++)
        expect_fault(&calls[i], ARG(scratch[SCRATCH_PAGES]) - 8);
}

TEST(arguments_across_two_pages)
{
    struct mmuext_op *op = (struct mmuext_op *)(scratch[1] - 8);

    *op = (struct mmuext_op){.cmd = MMUEXT_TLB_FLUSH_LOCAL};
    EXPECT_EQ(hc_mmuext_op(ARG(op), 1, 0, DOMID_SELF), 0);
}

/* ---- addresses inside arguments ----------------------------------------- */

TEST(bad_inner_addresses)
{
    for (unsigned i = 0; i < ARRAY_LEN(bad_addresses); i++) {
        uint64_t at = bad_addresses[i];
        struct sched_poll_args poll = {
            .ports = {at}, .nr_ports = 1, .timeout = 1};
        struct xenmem_memory_map_args map = {.nr_entries = 100, .buffer = {at}};

        EXPECT_EQ(hc_sched_op(SCHEDOP_poll, ARG(&poll)), -EFAULT);
        EXPECT_EQ(hc_memory_op(XENMEM_machine_memory_map, ARG(&map)), -EFAULT);
    }
}

TEST(bad_done_addresses)
{
    for (unsigned i = 0; i < ARRAY_LEN(bad_addresses); i++) {
        uint64_t *entry = page_alloc();
        struct mmu_update u = {maddr_of(entry), 0x10};

        EXPECT_EQ(hc_mmu_update(ARG(&u), 1, bad_addresses[i], DOMID_SELF),
                  -EFAULT);
    }
}

static void not_canonical_bitmap(uint64_t at)
{
    hc_update_va_mapping(ARG(scratch[0]),
                         mfn_of(scratch[0]) << 12 | PTE_RW_PAGE,
                         UVMF_INVLPG | (at & ~7ul));
    mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, at & ~7ul);
    mmuext(MMUEXT_INVLPG_MULTI, at, at & ~7ul);
    mmuext(MMUEXT_INVLPG_LOCAL, at, 0);
}

TEST(bad_bitmaps)
{
    for (unsigned i = 0; i < ARRAY_LEN(bad_addresses); i++)
        EXPECT_EQ(trap_try(not_canonical_bitmap, bad_addresses[i]), ENTRY_NONE);
}

/* A multicall reports each failure and goes on. */
TEST(failures_in_a_multicall)
{
    struct multicall_entry m[3] = {
        {.op = HC_mmu_update, .args = {bad_addresses[0], 1, 0, DOMID_SELF}},
        {.op = 9999},
        {.op = HC_xen_version, .args = {XENVER_pagesize}},
    };

    EXPECT_EQ(hc_multicall(ARG(m), 3), 0);
    EXPECT_EQ(m[0].result, -EFAULT);
    EXPECT_EQ(m[1].result, -38);
    EXPECT_EQ(m[2].result, 4096);
}

TEST(callbacks_in_the_hypervisor)
{
    for (unsigned i = 3; i <= 7; i++) {
        struct callback_register_args op = {.type = CALLBACKTYPE_nmi,
                                            .address = bad_addresses[i]};
        struct trap_info t[2] = {
            {.vector = 0x99, .cs = KERNEL_CS, .address = bad_addresses[i]}};
        long result = hc_callback_op(CALLBACKOP_register, ARG(&op));

        EXPECT(result == 0 || result == -22);
        result = hc_set_trap_table(ARG(t));
        EXPECT(result == 0 || result == -22);
    }
    EXPECT_EQ(hc_nmi_op(1, 0), 0);
    trap_table_restore();
}

TEST(unknown_hypercalls)
{
    static const uint64_t unknown[] = {11,  63,   64,         127,
                                       128, 9999, 0x7fffffff, 0xffffffff};

    for (unsigned i = 0; i < ARRAY_LEN(unknown); i++)
        EXPECT_EQ(hypercall(unknown[i], 0, 0, 0, 0, 0), -38);
}

/* ---- garbage ------------------------------------------------------------ */

/* The number of sched_op's first form, which Mica leaves to Xen. */
#define OLD_SCHED_OP 6

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t random_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * 0x2545f4914f6cdd1d;
}

static uint64_t random_word(void)
{
    uint64_t r = random_number();

    switch (r >> 60) {
    case 0 ... 4:
        return r >> 8 & 15;
    case 5 ... 6:
        return r >> 8 & 0xffff;
    case 7:
        return bad_addresses[(r >> 8) % ARRAY_LEN(bad_addresses)];
    case 8 ... 11:
        return ARG(scratch) + (r >> 8 & (2 * PAGE_SIZE - 1) & ~7ul);
    case 12:
        return mfn_of(scratch[r >> 8 & 1]);
    case 13:
        return maddr_of(scratch[r >> 8 & 1]);
    case 14:
        return ~0ul >> (r >> 8 & 63);
    default:
        return random_number();
    }
}

static void fill_scratch(void)
{
    uint64_t *words = (uint64_t *)scratch;

    for (unsigned i = 0; i < SCRATCH_PAGES; i++)
        page_set_rw(scratch[i]);
    for (unsigned i = 0; i < SCRATCH_PAGES * PAGE_SIZE / 8; i += 1 + (i & 3))
        words[i] = random_word();
}

/* What would end the test, not the hypervisor. */
static bool is_deadly(uint64_t nr, uint64_t cmd)
{
    switch (nr) {
    case HC_iret:
    case HC_console_io:
    case HC_multicall: /* may contain any of these */
        return true;
    case OLD_SCHED_OP:
    case HC_sched_op:
        return cmd >= SCHEDOP_block && cmd <= SCHEDOP_watchdog;
    case HC_vcpu_op:
        return cmd == VCPUOP_down || cmd == VCPUOP_register_vcpu_info;
    case HC_memory_op: /* the first extent may be anywhere */
        return cmd >> 12 || (cmd & 63) == XENMEM_decrease_reservation ||
               (cmd & 63) == XENMEM_exchange;
    default:
        return false;
    }
}

static void one_call(uint64_t nr)
{
    uint64_t a[5];

    for (unsigned i = 0; i < 5; i++)
        a[i] = random_word();
    if (is_deadly(nr, (uint32_t)a[0]))
        return;
    hypercall(nr, a[0], a[1], a[2], a[3], a[4]);
}

static void expect_health(void)
{
    struct context c;

    traps_init();
    EXPECT_EQ(mmuext(MMUEXT_NEW_USER_BASEPTR, user_root_mfn, 0), 0);
    EXPECT_EQ(mmuext(MMUEXT_TLB_FLUSH_ALL, 0, 0), 0);
    context_user(&c, at_syscall);
    c.frame.rflags &= ~FLAG_IF;
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), ENTRY_SYSCALL);
    EXPECT_EQ(trap.rip, user_address(at_syscall_after));
    context_kernel(&c, ARG(at_int3));
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_BP);
}

TEST(garbage_to_every_hypercall)
{
    for (unsigned round = 0; round < 100; round++) {
        fill_scratch();
        for (uint64_t nr = 0; nr < HC_COUNT; nr++)
            for (unsigned i = 0; i < 4; i++)
                one_call(nr);
        expect_health();
        if (test_has_failed())
            return;
    }
}

TEST(garbage_to_known_commands)
{
    for (unsigned round = 0; round < 200; round++) {
        fill_scratch();
        for (unsigned i = 0; i < ARRAY_LEN(readers); i++)
            if (!is_deadly(readers[i].nr, readers[i].a[0]))
                make(&readers[i], ARG(scratch) + (random_number() & 0x1ff8));
        expect_health();
        if (test_has_failed())
            return;
    }
}
