/* SPDX-License-Identifier: MIT */
/* sysctl as the tools of the first domain call it. */
#include <check.h>
#include <stdlib.h>

#include "core/cpu_policy.h"
#include "core/frame.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/sched.h"
#include "host/arch_fake.h"
#include "host/guest_fake.h"
#include "host/machine_fake.h"
#include "hypercall_abi/sysctl.h"

#define LIST_OFFSET 1024u /* of lists in the guest's page */
#define LIST_SIZE (PAGE_SIZE - LIST_OFFSET)
#define MARK 0xaau
#define PCPUS 6u

static const struct e820_entry map[] = {
    {0, 0, 0x9f000, 0, E820_TYPE_RAM},
    {0x100000, 0, 0x1000000, 0, E820_TYPE_RAM},
    {0xfee00000, 0, 0x1000, 0, E820_TYPE_RESERVED},
};

const struct e820_entry *machine_e820 = map;
unsigned machine_e820_count = ARRAY_LEN(map);

static struct domain *admin, *other;
static struct xen_sysctl op;

static void *list(void)
{
    return fake_guest_page + LIST_OFFSET;
}

static guest_va list_va(void)
{
    return (guest_va){FAKE_GUEST_VA + LIST_OFFSET};
}

static uint32_t list_word(unsigned i)
{
    return ((uint32_t *)list())[i];
}

static void setup(void)
{
    fake_boot(PCPUS);
    admin = fake_domain(0, 1);
    admin->is_privileged = true;
    other = fake_domain(7, 1);
    fake_run(admin->vcpus[0]);
    memset(list(), MARK, LIST_SIZE);
    memset(&op, 0, sizeof(op));
}

static long call(uint32_t cmd)
{
    long result;

    op.cmd = cmd;
    op.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    memcpy(fake_guest_page, &op, sizeof(op));
    result = fake_call(hc_sysctl, FAKE_GUEST_VA, 0, 0);
    memcpy(&op, fake_guest_page, sizeof(op));
    return result;
}

START_TEST(test_sysctl_is_for_the_privileged)
{
    fake_run(other->vcpus[0]);
    /* even where reading the arguments would fail */
    ck_assert_int_eq(fake_call(hc_sysctl, FAKE_BAD_VA, 0, 0), -EPERM);
    ck_assert_int_eq(call(XEN_SYSCTL_physinfo), -EPERM);
    ck_assert_uint_eq(op.u.physinfo.nr_cpus, 0);
}
END_TEST

START_TEST(test_sysctl_of_another_version_is_refused)
{
    op = (struct xen_sysctl){.cmd = XEN_SYSCTL_physinfo,
                             .interface_version = 0x14};
    memcpy(fake_guest_page, &op, sizeof(op));
    ck_assert_int_eq(fake_call(hc_sysctl, FAKE_GUEST_VA, 0, 0), -EACCES);
    ck_assert_int_eq(fake_call(hc_sysctl, FAKE_BAD_VA, 0, 0), -EFAULT);
}
END_TEST

START_TEST(test_sysctl_without_service_says_so)
{
    static const uint32_t none[] = {
        0,  XEN_SYSCTL_tbuf_op,      XEN_SYSCTL_get_pmstat,
        13, XEN_SYSCTL_livepatch_op, ~0u};

    for (unsigned i = 0; i < ARRAY_LEN(none); i++)
        ck_assert_int_eq(call(none[i]), -ENOSYS);
}
END_TEST

START_TEST(test_sysctl_into_read_only_arguments_faults)
{
    op.cmd = XEN_SYSCTL_sched_id;
    op.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    memcpy(fake_guest_page, &op, sizeof(op));
    fake_guest_set_writable(false);
    ck_assert_int_eq(fake_call(hc_sysctl, FAKE_GUEST_VA, 0, 0), -EFAULT);
}
END_TEST

/* --- the log ------------------------------------------------------------- */

static uint32_t read_log(uint32_t count, bool incremental, uint32_t index)
{
    op.u.readconsole = (struct xen_sysctl_readconsole){
        .incremental = incremental,
        .index = index,
        .buffer = list_va(),
        .count = count,
    };
    ck_assert_int_eq(call(XEN_SYSCTL_readconsole), 0);
    return op.u.readconsole.count;
}

START_TEST(test_sysctl_readconsole_goes_on_where_it_was)
{
    char text[LIST_SIZE + 1] = {0};
    uint32_t index, n;

    log_ring_clear();
    log_info("one and two");
    n = read_log(LIST_SIZE, false, 0);
    memcpy(text, list(), n);
    ck_assert_ptr_nonnull(strstr(text, "one and two\n"));
    index = op.u.readconsole.index;
    ck_assert_uint_eq(read_log(LIST_SIZE, true, index), 0);
    log_info("three");
    n = read_log(LIST_SIZE, true, index);
    memset(text, 0, sizeof(text));
    memcpy(text, list(), n);
    ck_assert_ptr_nonnull(strstr(text, "three\n"));
    ck_assert_ptr_null(strstr(text, "two"));
    /* from the start again, in parts */
    ck_assert_uint_eq(read_log(3, false, 0), 3);
    ck_assert_uint_lt(op.u.readconsole.index, index);
}
END_TEST

START_TEST(test_sysctl_readconsole_of_much_text_stays_in_its_room)
{
    for (unsigned i = 0; i < 200; i++)
        log_info("line %u of many that together fill more than a page", i);
    ck_assert_uint_eq(read_log(1500, false, 0), 1500);
    ck_assert_uint_eq(((uint8_t *)list())[1500], MARK);
    /* an index that is no more, or not yet, there means the oldest text */
    ck_assert_uint_eq(read_log(10, true, 0xfffffff0), 10);
}
END_TEST

START_TEST(test_sysctl_readconsole_clears_if_asked)
{
    log_info("soon forgotten");
    op.u.readconsole = (struct xen_sysctl_readconsole){.clear = 1};
    ck_assert_int_eq(call(XEN_SYSCTL_readconsole), 0);
    ck_assert_uint_eq(read_log(LIST_SIZE, false, 0), 0);
}
END_TEST

START_TEST(test_sysctl_readconsole_into_a_bad_buffer_keeps_the_log)
{
    log_info("kept");
    op.u.readconsole = (struct xen_sysctl_readconsole){
        .clear = 1, .buffer = {FAKE_BAD_VA}, .count = 100};
    ck_assert_int_eq(call(XEN_SYSCTL_readconsole), -EFAULT);
    ck_assert_uint_gt(read_log(LIST_SIZE, false, 0), 0);
}
END_TEST

START_TEST(test_sysctl_debug_keys_are_pressed_in_order)
{
    memcpy(list(), "dq0", 3);
    op.u.debug_keys = (struct xen_sysctl_debug_keys){list_va(), 3, 0};
    ck_assert_int_eq(call(XEN_SYSCTL_debug_keys), 0);
    ck_assert_str_eq(fake_keys, "dq0");
    op.u.debug_keys.nr_keys = 65;
    ck_assert_int_eq(call(XEN_SYSCTL_debug_keys), -E2BIG);
    op.u.debug_keys = (struct xen_sysctl_debug_keys){{FAKE_BAD_VA}, 3, 0};
    ck_assert_int_eq(call(XEN_SYSCTL_debug_keys), -EFAULT);
    ck_assert_str_eq(fake_keys, "dq0");
}
END_TEST

/* --- the machine --------------------------------------------------------- */

START_TEST(test_sysctl_physinfo_tells_what_there_is)
{
    struct xen_sysctl_physinfo *info = &op.u.physinfo;
    uint64_t free = heap_free_frames();

    ck_assert_int_eq(call(XEN_SYSCTL_physinfo), 0);
    ck_assert_uint_eq(info->nr_cpus, PCPUS);
    ck_assert_uint_eq(info->max_cpu_id, PCPUS - 1);
    ck_assert_uint_eq(info->threads_per_core, 2);
    ck_assert_uint_eq(info->cores_per_socket, 2);
    ck_assert_uint_eq(info->nr_nodes, 1);
    ck_assert_uint_eq(info->max_node_id, 0);
    ck_assert_uint_eq(info->cpu_khz, arch_tsc_khz());
    ck_assert_uint_eq(info->capabilities,
                      XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1);
    ck_assert_uint_eq(info->total_pages, 0x9f + 0x1000);
    ck_assert_uint_eq(info->free_pages, free);
    ck_assert_uint_eq(info->scrub_pages, 0);
    ck_assert_uint_eq(info->max_mfn, frame_table_end - 1);
    ck_assert_uint_eq(info->hw_cap[XEN_FEATURESET_1d], FAKE_CPUID_1D);
    ck_assert_uint_eq(info->hw_cap[XEN_FEATURESET_7b0], FAKE_CPUID_7B);
}
END_TEST

START_TEST(test_sysctl_getcpuinfo_counts_idle_time)
{
    struct xen_sysctl_cpuinfo info[PCPUS];

    fake.cpu = 1;
    fake.now += 5 * NSEC_PER_MS;
    ck_assert_ptr_null(fake_pick());
    fake.now += 3 * NSEC_PER_MS;
    ck_assert_ptr_null(fake_pick());
    fake.now += 4 * NSEC_PER_MS;
    fake_run(other->vcpus[0]); /* busy from now on */
    fake.now += 90 * NSEC_PER_MS;
    fake.cpu = 0;
    op.u.getcpuinfo =
        (struct xen_sysctl_getcpuinfo){.max_cpus = 99, .info = list_va()};
    ck_assert_int_eq(call(XEN_SYSCTL_getcpuinfo), 0);
    ck_assert_uint_eq(op.u.getcpuinfo.nr_cpus, PCPUS);
    memcpy(info, list(), sizeof(info));
    ck_assert_uint_eq(info[1].idletime, 12 * NSEC_PER_MS);
    ck_assert_uint_eq(info[0].idletime, 0);
    memset(list(), MARK, LIST_SIZE);
    op.u.getcpuinfo.max_cpus = 1;
    ck_assert_int_eq(call(XEN_SYSCTL_getcpuinfo), 0);
    ck_assert_uint_eq(op.u.getcpuinfo.nr_cpus, 1);
    ck_assert_uint_eq(((uint8_t *)list())[sizeof(info[0])], MARK);
}
END_TEST

START_TEST(test_sysctl_cputopoinfo_fills_the_room_there_is)
{
    struct xen_sysctl_cputopo topo[PCPUS];

    ck_assert_int_eq(call(XEN_SYSCTL_cputopoinfo), 0);
    ck_assert_uint_eq(op.u.cputopoinfo.num_cpus, PCPUS);
    op.u.cputopoinfo.cputopo = list_va();
    ck_assert_int_eq(call(XEN_SYSCTL_cputopoinfo), 0);
    memcpy(topo, list(), sizeof(topo));
    ck_assert_uint_eq(topo[3].core, 1);
    ck_assert_uint_eq(topo[3].socket, 0);
    ck_assert_uint_eq(topo[4].socket, 1);
    ck_assert_uint_eq(topo[4].node, 0);
    memset(list(), MARK, LIST_SIZE);
    op.u.cputopoinfo.num_cpus = 1;
    ck_assert_int_eq(call(XEN_SYSCTL_cputopoinfo), 0);
    ck_assert_uint_eq(op.u.cputopoinfo.num_cpus, PCPUS);
    ck_assert_uint_eq(((uint8_t *)list())[sizeof(topo[0])], MARK);
    op.u.cputopoinfo.cputopo.va = FAKE_BAD_VA;
    ck_assert_int_eq(call(XEN_SYSCTL_cputopoinfo), -EFAULT);
}
END_TEST

START_TEST(test_sysctl_numainfo_knows_one_node)
{
    struct xen_sysctl_meminfo memory;
    guest_va distance = {list_va().va + sizeof(memory)};

    ck_assert_int_eq(call(XEN_SYSCTL_numainfo), 0);
    ck_assert_uint_eq(op.u.numainfo.num_nodes, 1);
    op.u.numainfo.meminfo = list_va();
    op.u.numainfo.distance = distance;
    ck_assert_int_eq(call(XEN_SYSCTL_numainfo), 0);
    memcpy(&memory, list(), sizeof(memory));
    ck_assert_uint_eq(memory.memsize, (0x9full + 0x1000) << PAGE_SHIFT);
    ck_assert_uint_eq(memory.memfree, heap_free_frames() << PAGE_SHIFT);
    ck_assert_uint_eq(list_word(4), 10);
    memset(list(), MARK, LIST_SIZE);
    op.u.numainfo.num_nodes = 0;
    ck_assert_int_eq(call(XEN_SYSCTL_numainfo), 0);
    ck_assert_uint_eq(*(uint8_t *)list(), MARK);
}
END_TEST

START_TEST(test_sysctl_pcitopoinfo_knows_one_node)
{
    op.u.pcitopoinfo =
        (struct xen_sysctl_pcitopoinfo){.num_devs = 2, .nodes = list_va()};
    ck_assert_int_eq(call(XEN_SYSCTL_pcitopoinfo), 0);
    ck_assert_uint_eq(op.u.pcitopoinfo.num_devs, 2);
    ck_assert_uint_eq(list_word(1), 0);
    ck_assert_uint_eq(list_word(2), MARK * 0x01010101u);
    op.u.pcitopoinfo.num_devs = 70000;
    ck_assert_int_eq(call(XEN_SYSCTL_pcitopoinfo), 0);
    ck_assert_uint_lt(op.u.pcitopoinfo.num_devs, 70000);
    op.u.pcitopoinfo.nodes.va = FAKE_BAD_VA;
    ck_assert_int_eq(call(XEN_SYSCTL_pcitopoinfo), -EFAULT);
}
END_TEST

/* --- the processor ------------------------------------------------------- */

static long featureset(uint32_t index, uint32_t room)
{
    op.u.cpu_featureset = (struct xen_sysctl_cpu_featureset){
        .index = index, .nr_features = room, .features = list_va()};
    return call(XEN_SYSCTL_get_cpu_featureset);
}

START_TEST(test_sysctl_featureset_of_guests_lacks_what_is_hidden)
{
    ck_assert_int_eq(featureset(XEN_SYSCTL_cpu_featureset_raw, 40), 0);
    ck_assert_uint_eq(op.u.cpu_featureset.nr_features, XEN_FEATURESET_WORDS);
    ck_assert_uint_eq(list_word(XEN_FEATURESET_1d), FAKE_CPUID_1D);
    ck_assert_uint_eq(list_word(XEN_FEATURESET_7a1), 0x1c00);
    ck_assert_uint_eq(list_word(XEN_FEATURESET_e21a), 0);
    ck_assert_uint_eq(list_word(XEN_FEATURESET_WORDS), MARK * 0x01010101u);
    ck_assert_int_eq(featureset(XEN_SYSCTL_cpu_featureset_pv, 40), 0);
    ck_assert_uint_eq(list_word(XEN_FEATURESET_1d),
                      FAKE_CPUID_1D & ~FAKE_CPUID_HIDDEN);
    ck_assert_int_eq(featureset(XEN_SYSCTL_cpu_featureset_hvm_max, 40),
                     -EOPNOTSUPP);
    ck_assert_int_eq(featureset(6, 40), -EINVAL);
}
END_TEST

START_TEST(test_sysctl_featureset_in_little_room_is_cut)
{
    ck_assert_int_eq(featureset(XEN_SYSCTL_cpu_featureset_host, 2), -ENOBUFS);
    ck_assert_uint_eq(op.u.cpu_featureset.nr_features, 2);
    ck_assert_uint_eq(list_word(0), FAKE_CPUID_1D);
    ck_assert_uint_eq(list_word(2), MARK * 0x01010101u);
    op.u.cpu_featureset = (struct xen_sysctl_cpu_featureset){.index = 1};
    ck_assert_int_eq(call(XEN_SYSCTL_get_cpu_featureset), 0);
    ck_assert_uint_eq(op.u.cpu_featureset.nr_features, XEN_FEATURESET_WORDS);
}
END_TEST

static long policy(uint32_t index, uint32_t room)
{
    op.u.cpu_policy = (struct xen_sysctl_cpu_policy){
        .index = index, .nr_leaves = room, .nr_msrs = 9, .leaves = list_va()};
    return call(XEN_SYSCTL_get_cpu_policy);
}

START_TEST(test_sysctl_policy_is_of_the_view_asked_for)
{
    const struct xen_cpuid_leaf *leaf = list();

    ck_assert_int_eq(policy(XEN_SYSCTL_cpu_policy_host, 128), 0);
    ck_assert_uint_eq(op.u.cpu_policy.nr_msrs, CPU_POLICY_MAX_MSRS);
    ck_assert_uint_eq(leaf[1].d, FAKE_CPUID_1D);
    op.u.cpu_policy.nr_leaves = 128;
    op.u.cpu_policy.msrs = list_va();
    ck_assert_int_eq(call(XEN_SYSCTL_get_cpu_policy), 0);
    ck_assert_uint_eq(op.u.cpu_policy.nr_msrs, 0);
    ck_assert_int_eq(policy(XEN_SYSCTL_cpu_policy_pv_default, 128), 0);
    ck_assert_uint_eq(leaf[1].d, FAKE_CPUID_1D & ~FAKE_CPUID_HIDDEN);
    ck_assert_int_eq(policy(XEN_SYSCTL_cpu_policy_hvm_max, 128), -EOPNOTSUPP);
    ck_assert_int_eq(policy(6, 128), -EINVAL);
    ck_assert_int_eq(policy(XEN_SYSCTL_cpu_policy_pv_max, 2), -ENOBUFS);
    op.u.cpu_policy = (struct xen_sysctl_cpu_policy){.rsvd = 1};
    ck_assert_int_eq(call(XEN_SYSCTL_get_cpu_policy), -EINVAL);
}
END_TEST

/* --- domains ------------------------------------------------------------- */

static uint32_t list_domains(domid_t first, uint32_t room)
{
    op.u.getdomaininfolist = (struct xen_sysctl_getdomaininfolist){
        .first_domain = first, .max_domains = room, .buffer = list_va()};
    ck_assert_int_eq(call(XEN_SYSCTL_getdomaininfolist), 0);
    return op.u.getdomaininfolist.num_domains;
}

START_TEST(test_sysctl_getdomaininfolist_goes_up_from_the_first)
{
    const struct xen_domctl_getdomaininfo *info = list();

    ck_assert_uint_eq(list_domains(0, 10), 2);
    ck_assert_uint_eq(info[0].domain, 0);
    ck_assert_uint_eq(info[1].domain, 7);
    ck_assert_uint_eq(list_domains(1, 10), 1);
    ck_assert_uint_eq(info[0].domain, 7);
    ck_assert_uint_eq(list_domains(0, 1), 1);
    ck_assert_uint_eq(info[0].domain, 0);
    ck_assert_uint_eq(list_domains(8, 10), 0);
    ck_assert_uint_eq(list_domains(0xffff, 10), 0);
    ck_assert_uint_eq(list_domains(0, 0), 0);
    ck_assert_uint_eq(admin->refs, 1);
    op.u.getdomaininfolist = (struct xen_sysctl_getdomaininfolist){
        .max_domains = 2, .buffer = {FAKE_BAD_VA}};
    ck_assert_int_eq(call(XEN_SYSCTL_getdomaininfolist), -EFAULT);
    ck_assert_uint_eq(admin->refs, 1);
}
END_TEST

/* One go after another, each of which finds that it has taken too long. */
START_TEST(test_sysctl_getdomaininfolist_goes_on_where_it_was_cut)
{
    const struct xen_domctl_getdomaininfo *info = list();
    unsigned goes = 0;
    long result;

    fake_domain(3, 1);
    op.u.getdomaininfolist =
        (struct xen_sysctl_getdomaininfolist){.first_domain = 1,
                                              .max_domains = 4,
                                              .buffer = list_va(),
                                              .num_domains = 99};
    fake.slow_at = 2;
    result = call(XEN_SYSCTL_getdomaininfolist);
    while (result == HC_sysctl && goes++ < 10) {
        fake.slow_at = 2;
        result = fake_call(hc_sysctl, fake.restart_args[0],
                           fake.restart_args[1], fake.restart_args[2]);
    }
    ck_assert_int_eq(result, 0);
    ck_assert_uint_ge(goes, 1);
    memcpy(&op, fake_guest_page, sizeof(op));
    ck_assert_uint_eq(op.u.getdomaininfolist.num_domains, 2);
    ck_assert_uint_eq(op.u.getdomaininfolist.first_domain, 1);
    ck_assert_uint_eq(info[0].domain, 3);
    ck_assert_uint_eq(info[1].domain, 7);
    ck_assert_uint_eq(fake_guest_page[LIST_OFFSET + 2 * sizeof(*info)], MARK);
}
END_TEST

START_TEST(test_sysctl_getdomaininfolist_with_forged_progress)
{
    op.cmd = XEN_SYSCTL_getdomaininfolist;
    op.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    op.u.getdomaininfolist = (struct xen_sysctl_getdomaininfolist){
        .max_domains = 2, .buffer = list_va()};
    memcpy(fake_guest_page, &op, sizeof(op));
    ck_assert_int_eq(
        fake_call(hc_sysctl, FAKE_GUEST_VA ^ HC_GOES_ON, ~0ull, ~0ull), 0);
    memcpy(&op, fake_guest_page, sizeof(op));
    ck_assert_uint_eq(op.u.getdomaininfolist.num_domains, 2);
    ck_assert_uint_eq(fake_guest_page[LIST_OFFSET], MARK);
    ck_assert_int_eq(fake_call(hc_sysctl, FAKE_GUEST_VA, 2, 1), 0);
    ck_assert_uint_eq(list_word(0), 0);
}
END_TEST

static long pool(uint32_t what, uint32_t id, uint32_t bits)
{
    op.u.cpupool_op = (struct xen_sysctl_cpupool_op){
        .op = what, .cpupool_id = id, .cpumap = {list_va(), bits, 0}};
    return call(XEN_SYSCTL_cpupool_op);
}

START_TEST(test_sysctl_cpupool_is_one_with_all_pcpus)
{
    const uint8_t *bits = list();

    ck_assert_int_eq(pool(XEN_SYSCTL_CPUPOOL_OP_INFO, 0, 16), 0);
    ck_assert_uint_eq(op.u.cpupool_op.cpupool_id, 0);
    ck_assert_uint_eq(op.u.cpupool_op.sched_id, XEN_SCHEDULER_CREDIT2);
    ck_assert_uint_eq(op.u.cpupool_op.n_dom, 2);
    ck_assert_uint_eq(bits[0], (1u << PCPUS) - 1);
    ck_assert_uint_eq(bits[1], 0);
    ck_assert_uint_eq(bits[2], MARK);
    ck_assert_int_eq(pool(XEN_SYSCTL_CPUPOOL_OP_FREEINFO, 0, 8), 0);
    ck_assert_uint_eq(bits[0], 0);
    ck_assert_int_eq(pool(XEN_SYSCTL_CPUPOOL_OP_INFO, 1, 8), -ENOENT);
    ck_assert_int_eq(
        pool(XEN_SYSCTL_CPUPOOL_OP_INFO, XEN_SYSCTL_CPUPOOL_PAR_ANY, 8),
        -ENOENT);
    ck_assert_int_eq(pool(XEN_SYSCTL_CPUPOOL_OP_CREATE, 0, 8), -EOPNOTSUPP);
    ck_assert_int_eq(pool(XEN_SYSCTL_CPUPOOL_OP_RMCPU, 0, 8), -EOPNOTSUPP);
    ck_assert_int_eq(pool(8, 0, 8), -EOPNOTSUPP);
}
END_TEST

START_TEST(test_sysctl_cpupool_keeps_domains_where_they_are)
{
    ck_assert_int_eq(pool(XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN, 0, 0), 0);
    ck_assert_int_eq(pool(XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN, 1, 0), -ENOENT);
}
END_TEST

START_TEST(test_sysctl_scheduler_answers_to_one_name)
{
    ck_assert_int_eq(call(XEN_SYSCTL_sched_id), 0);
    ck_assert_uint_eq(op.u.sched_id.sched_id, XEN_SCHEDULER_CREDIT2);
    op.u.scheduler_op = (struct xen_sysctl_scheduler_op){
        .sched_id = XEN_SCHEDULER_CREDIT2, .cmd = XEN_SYSCTL_SCHEDOP_getinfo};
    op.u.scheduler_op.u.sched_credit2.ratelimit_us = 9;
    ck_assert_int_eq(call(XEN_SYSCTL_scheduler_op), 0);
    ck_assert_uint_eq(op.u.scheduler_op.u.sched_credit2.ratelimit_us, 0);
    op.u.scheduler_op.cmd = 2;
    ck_assert_int_eq(call(XEN_SYSCTL_scheduler_op), -EINVAL);
    op.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT;
    ck_assert_int_eq(call(XEN_SYSCTL_scheduler_op), -EINVAL);
    op.u.scheduler_op.cpupool_id = 1;
    ck_assert_int_eq(call(XEN_SYSCTL_scheduler_op), -ESRCH);
}
END_TEST

static long limit_rate(uint32_t us)
{
    op.u.scheduler_op = (struct xen_sysctl_scheduler_op){
        .sched_id = XEN_SCHEDULER_CREDIT2, .cmd = XEN_SYSCTL_SCHEDOP_putinfo};
    op.u.scheduler_op.u.sched_credit2.ratelimit_us = us;
    return call(XEN_SYSCTL_scheduler_op);
}

START_TEST(test_sysctl_scheduler_rate_limit_is_kept)
{
    ck_assert_int_eq(limit_rate(XEN_SYSCTL_SCHED_RATELIMIT_MAX), 0);
    op.u.scheduler_op.cmd = XEN_SYSCTL_SCHEDOP_getinfo;
    op.u.scheduler_op.u.sched_credit2.ratelimit_us = 9;
    ck_assert_int_eq(call(XEN_SYSCTL_scheduler_op), 0);
    ck_assert_uint_eq(op.u.scheduler_op.u.sched_credit2.ratelimit_us,
                      XEN_SYSCTL_SCHED_RATELIMIT_MAX);
    ck_assert_int_eq(limit_rate(XEN_SYSCTL_SCHED_RATELIMIT_MAX + 1), -EINVAL);
    ck_assert_int_eq(limit_rate(XEN_SYSCTL_SCHED_RATELIMIT_MIN - 1), -EINVAL);
    ck_assert_uint_eq(sched_rate_limit(),
                      XEN_SYSCTL_SCHED_RATELIMIT_MAX * NSEC_PER_US);
    ck_assert_int_eq(limit_rate(0), 0);
    ck_assert_uint_eq(sched_rate_limit(), 0);
}
END_TEST

static Suite *sysctl_suite(void)
{
    Suite *s = suite_create("sysctl");
    TCase *t = tcase_create("sysctl");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, test_sysctl_is_for_the_privileged);
    tcase_add_test(t, test_sysctl_of_another_version_is_refused);
    tcase_add_test(t, test_sysctl_without_service_says_so);
    tcase_add_test(t, test_sysctl_into_read_only_arguments_faults);
    tcase_add_test(t, test_sysctl_readconsole_goes_on_where_it_was);
    tcase_add_test(t, test_sysctl_readconsole_of_much_text_stays_in_its_room);
    tcase_add_test(t, test_sysctl_readconsole_clears_if_asked);
    tcase_add_test(t, test_sysctl_readconsole_into_a_bad_buffer_keeps_the_log);
    tcase_add_test(t, test_sysctl_debug_keys_are_pressed_in_order);
    tcase_add_test(t, test_sysctl_physinfo_tells_what_there_is);
    tcase_add_test(t, test_sysctl_getcpuinfo_counts_idle_time);
    tcase_add_test(t, test_sysctl_cputopoinfo_fills_the_room_there_is);
    tcase_add_test(t, test_sysctl_numainfo_knows_one_node);
    tcase_add_test(t, test_sysctl_pcitopoinfo_knows_one_node);
    tcase_add_test(t, test_sysctl_featureset_of_guests_lacks_what_is_hidden);
    tcase_add_test(t, test_sysctl_featureset_in_little_room_is_cut);
    tcase_add_test(t, test_sysctl_policy_is_of_the_view_asked_for);
    tcase_add_test(t, test_sysctl_getdomaininfolist_goes_up_from_the_first);
    tcase_add_test(t, test_sysctl_getdomaininfolist_goes_on_where_it_was_cut);
    tcase_add_test(t, test_sysctl_getdomaininfolist_with_forged_progress);
    tcase_add_test(t, test_sysctl_cpupool_is_one_with_all_pcpus);
    tcase_add_test(t, test_sysctl_cpupool_keeps_domains_where_they_are);
    tcase_add_test(t, test_sysctl_scheduler_answers_to_one_name);
    tcase_add_test(t, test_sysctl_scheduler_rate_limit_is_kept);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(sysctl_suite());
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
