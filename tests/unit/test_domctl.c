/* SPDX-License-Identifier: MIT */
/* domctl as dom0's tools use it; the end of domains is test_teardown.c's. */
#include <check.h>

#include "core/control.h"
#include "core/cpu_policy.h"
#include "core/domain.h"
#include "core/evtchn.h"
#include "core/frame.h"
#include "core/frame_audit.h"
#include "core/grant.h"
#include "core/heap.h"
#include "core/pte.h"
#include "core/sched.h"
#include "hypercall_abi/sched.h"
#include "hypercall_abi/version.h"
#include "hypercall_abi/vm_assist.h"

#include "host/arch_fake.h"
#include "host/guest_fake.h"

#define BUFFER_PAGES 4u
#define BUFFER_VA (FAKE_GUEST_VA + PAGE_SIZE)
#define NO_DOMAIN_ID 77
#define GUEST_ID 5
#define RANDOM_CALLS 20000u

static struct xen_domctl op;
static uint8_t *buffers[BUFFER_PAGES];

static void setup(void)
{
    fake_boot(2);
    dom0 = fake_domain(0, 1);
    dom0->is_privileged = true;
    dom0->max_pages = 64;
    for (unsigned i = 0; i < BUFFER_PAGES; i++) {
        buffers[i] = frames_alloc(0);
        ck_assert(fake_guest_map(
            dom0->vcpus[0]->kernel_root, BUFFER_VA + i * PAGE_SIZE,
            arch_frame_of(buffers[i]), PTE_PRESENT | PTE_WRITE | PTE_USER));
    }
    fake_run(dom0->vcpus[0]);
}

/* The fake guest's root is no table of the frame table's. */
static void audit(void)
{
    struct vcpu *v = dom0->vcpus[0];
    mfn_t root = v->kernel_root;

    v->kernel_root = MFN_INVALID;
    ck_assert_uint_eq(frame_audit(), 0);
    v->kernel_root = root;
}

static void put_buffer(const void *data, size_t size)
{
    for (size_t done = 0; done < size; done += PAGE_SIZE)
        memcpy(buffers[done / PAGE_SIZE], (const char *)data + done,
               min_u64(size - done, PAGE_SIZE));
}

static void get_buffer(void *data, size_t size)
{
    for (size_t done = 0; done < size; done += PAGE_SIZE)
        memcpy((char *)data + done, buffers[done / PAGE_SIZE],
               min_u64(size - done, PAGE_SIZE));
}

static long call_with(uint64_t a, uint64_t b)
{
    long result;

    this_pcpu()->need_resched = false;
    memcpy(fake_guest_page, &op, sizeof(op));
    result = fake_call(hc_domctl, a, b, 0);
    memcpy(&op, fake_guest_page, sizeof(op));
    return result;
}

/* Issues `op` as it is, once. What is in other registers means nothing. */
static long call_once(void)
{
    return call_with(FAKE_GUEST_VA, ~0ull);
}

/* Goes on with the call that was cut short last. */
static long go_on(void)
{
    ck_assert_uint_eq(fake.restart_nr, HC_domctl);
    return call_with(fake.restart_args[0], fake.restart_args[1]);
}

/* Issues command `cmd` of `op` on domain `id` until it is through. */
static long run(uint32_t cmd, domid_t id)
{
    unsigned restarts = fake.restarts;
    long result;

    op.cmd = cmd;
    op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op.domain = id;
    result = call_once();
    while (fake.restarts != restarts) {
        restarts = fake.restarts;
        result = go_on();
    }
    return result;
}

#define RUN(name, id) run(XEN_DOMCTL_##name, id)

static void clear(void)
{
    memset(&op, 0, sizeof(op));
}

static void describe_new(void)
{
    clear();
    op.u.createdomain = (struct xen_domctl_createdomain){
        .handle = {1, 2, 3},
        .max_vcpus = 2,
        .max_evtchn_port = 1023,
        .max_grant_frames = -1,
        .max_maptrack_frames = -1,
        .grant_opts = 1,
    };
}

/* A domain with two vCPUs and room for memory. */
static struct domain *create(domid_t id)
{
    struct domain *d;

    describe_new();
    ck_assert_int_eq(RUN(createdomain, id), 0);
    op.u.max_vcpus.max = 2;
    ck_assert_int_eq(RUN(max_vcpus, op.domain), 0);
    op.u.max_mem.max_memkb = 64;
    ck_assert_int_eq(RUN(max_mem, op.domain), 0);
    d = domain_find_get(op.domain);
    ck_assert_ptr_nonnull(d);
    domain_put(d);
    clear();
    return d;
}

static mfn_t give_frame(struct domain *d)
{
    mfn_t mfn = arch_frame_of(frames_alloc(0));

    ck_assert_int_eq(frame_assign(mfn, 0, d), 0);
    return mfn;
}

/* --- who may, and on what ------------------------------------------------ */

START_TEST(test_domctl_of_unprivileged_caller_is_refused)
{
    dom0->is_privileged = false;
    ck_assert_int_eq(RUN(getdomaininfo, 0), -EPERM);
}
END_TEST

START_TEST(test_domctl_of_another_version_is_refused)
{
    clear();
    op.cmd = XEN_DOMCTL_getdomaininfo;
    op.interface_version = XEN_DOMCTL_INTERFACE_VERSION + 1;
    ck_assert_int_eq(call_once(), -EACCES);
}
END_TEST

START_TEST(test_domctl_at_bad_address_faults)
{
    ck_assert_int_eq(fake_call(hc_domctl, FAKE_BAD_VA, 0, 0), -EFAULT);
}
END_TEST

START_TEST(test_domctl_unknown_commands_are_not_served)
{
    static const uint32_t numbers[] = {
        0, 6, 7, XEN_DOMCTL_subscribe, 58, 70, 80, 87, 999, 1004, ~0u};

    clear();
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        ck_assert_int_eq(run(numbers[i], 0), -ENOSYS);
}
END_TEST

START_TEST(test_domctl_on_no_domain_is_refused)
{
    clear();
    ck_assert_int_eq(RUN(pausedomain, NO_DOMAIN_ID), -ESRCH);
    ck_assert_int_eq(RUN(pausedomain, DOMID_SELF), -ESRCH);
    ck_assert_int_eq(RUN(destroydomain, DOMID_IO), -ESRCH);
}
END_TEST

START_TEST(test_domctl_on_caller_itself_is_refused)
{
    clear();
    ck_assert_int_eq(RUN(destroydomain, 0), -EINVAL);
    ck_assert_int_eq(RUN(pausedomain, 0), -EINVAL);
    ck_assert_int_eq(RUN(setvcpucontext, 0), -EINVAL);
    ck_assert_int_eq(RUN(gdbsx_pausevcpu, 0), -EINVAL);
    ck_assert_int_eq(RUN(set_cpu_policy, 0), -EINVAL);
    ck_assert_int_eq(dom0->pause_count, 0);
}
END_TEST

START_TEST(test_domctl_on_dying_domain_changes_nothing)
{
    struct domain *d = create(GUEST_ID);

    domain_begin_death(d);
    op.u.max_mem.max_memkb = 1;
    ck_assert_int_eq(RUN(max_mem, GUEST_ID), -EINVAL);
    ck_assert_uint_eq(d->max_pages, 16);
    ck_assert_int_eq(RUN(setvcpucontext, GUEST_ID), -EINVAL);
    ck_assert_int_eq(RUN(unpausedomain, GUEST_ID), -EINVAL);
    ck_assert_int_eq(RUN(getdomaininfo, GUEST_ID), 0);
    ck_assert(op.u.getdomaininfo.flags & XEN_DOMINF_dying);
}
END_TEST

/* A destroydomain of GUEST_ID that is cut short. */
static void begin_destroying(void)
{
    unsigned restarts = fake.restarts;

    op.cmd = XEN_DOMCTL_destroydomain;
    op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op.domain = GUEST_ID;
    fake.slow_at = 2;
    ck_assert_int_eq(call_once(), HC_domctl);
    ck_assert_uint_eq(fake.restarts, restarts + 1);
}

START_TEST(test_domctl_that_goes_on_means_the_same_domain)
{
    uint64_t arg, serial;
    struct domain *d;

    create(GUEST_ID);
    begin_destroying();
    arg = fake.restart_args[0];
    serial = fake.restart_args[1];
    ck_assert_int_eq(RUN(destroydomain, GUEST_ID), 0);
    d = create(GUEST_ID);
    op.cmd = XEN_DOMCTL_destroydomain;
    op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op.domain = GUEST_ID;
    ck_assert_int_eq(call_with(arg, serial), -ESRCH);
    ck_assert_ptr_eq(domain_find_get(GUEST_ID), d);
    ck_assert(!domain_is_dying(d));
    domain_put(d);
    ck_assert_int_eq(call_once(), 0);
}
END_TEST

START_TEST(test_domctl_with_forged_restart_harms_nobody)
{
    struct domain *d = create(GUEST_ID);

    op.cmd = XEN_DOMCTL_destroydomain;
    op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op.domain = GUEST_ID;
    ck_assert_int_eq(call_with(FAKE_GUEST_VA ^ HC_GOES_ON, ~0ull), -ESRCH);
    ck_assert_int_eq(call_with(FAKE_GUEST_VA ^ HC_GOES_ON << 1, d->serial),
                     -EFAULT);
    ck_assert_int_eq(call_with(FAKE_BAD_VA ^ HC_GOES_ON, d->serial), -EFAULT);
    ck_assert(!domain_is_dying(d));
}
END_TEST

/* --- birth --------------------------------------------------------------- */

START_TEST(test_domctl_createdomain_makes_what_was_asked_for)
{
    struct domain *d;

    describe_new();
    op.u.createdomain.max_grant_frames = 4;
    op.u.createdomain.flags = XEN_DOMCTL_CDF_oos_off;
    ck_assert_int_eq(RUN(createdomain, GUEST_ID), 0);
    d = domain_find_get(GUEST_ID);
    ck_assert_ptr_nonnull(d);
    domain_put(d);
    ck_assert_uint_eq(d->max_vcpus, 2);
    ck_assert_ptr_null(domain_vcpu(d, 0));
    ck_assert_uint_eq(d->uuid[2], 3);
    ck_assert(!d->is_privileged && !d->shares_lower_half);
    ck_assert_uint_eq(d->pause_count, 1);
    ck_assert_uint_eq(d->refs, 1);
    ck_assert_uint_eq(d->grants->max_frames, 4);
    ck_assert_uint_eq(fake.clocks_published, 1);
    audit();
}
END_TEST

START_TEST(test_domctl_createdomain_limits_the_ports)
{
    struct evtchn_alloc_unbound_args port = {.dom = GUEST_ID};

    describe_new();
    op.u.createdomain.max_evtchn_port = 1;
    ck_assert_int_eq(RUN(createdomain, GUEST_ID), 0);
    ck_assert_int_eq(
        fake_call_with(hc_event_channel_op, EVTCHNOP_alloc_unbound, &port), 0);
    ck_assert_uint_eq(port.port, 1);
    ck_assert_int_eq(
        fake_call_with(hc_event_channel_op, EVTCHNOP_alloc_unbound, &port),
        -ENOSPC);
}
END_TEST

START_TEST(test_domctl_createdomain_chooses_ids_in_turn)
{
    for (domid_t id = 1; id <= 3; id++) {
        describe_new();
        ck_assert_int_eq(RUN(createdomain, id == 2 ? DOMID_INVALID : 0), 0);
        ck_assert_uint_eq(op.domain, id);
    }
    ck_assert_int_eq(RUN(destroydomain, 2), 0);
    describe_new();
    ck_assert_int_eq(RUN(createdomain, 0), 0);
    ck_assert_uint_eq(op.domain, 4);
    describe_new();
    ck_assert_int_eq(RUN(createdomain, 2), 0);
    ck_assert_int_eq(RUN(createdomain, 2), -EEXIST);
}
END_TEST

START_TEST(test_domctl_createdomain_comes_round_to_free_ids)
{
    struct domain *first = create(0);
    domid_t id = 0;

    for (unsigned i = 2; i < DOMID_FIRST_RESERVED; i++) {
        describe_new();
        op.u.createdomain.max_vcpus = 1;
        ck_assert_int_eq(RUN(createdomain, 0), 0);
        id = op.domain;
        ck_assert_int_eq(RUN(destroydomain, id), 0);
    }
    ck_assert_uint_eq(id, DOMID_FIRST_RESERVED - 1);
    describe_new();
    ck_assert_int_eq(RUN(createdomain, 0), 0);
    ck_assert_uint_eq(op.domain, first->id + 1);
}
END_TEST

START_TEST(test_domctl_createdomain_of_other_kinds_is_refused)
{
    static const uint32_t kinds[] = {
        XEN_DOMCTL_CDF_hvm,          XEN_DOMCTL_CDF_hap,
        XEN_DOMCTL_CDF_s3_integrity, XEN_DOMCTL_CDF_iommu,
        XEN_DOMCTL_CDF_nested_virt,  XEN_DOMCTL_CDF_vpmu,
    };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        describe_new();
        op.u.createdomain.flags = kinds[i];
        ck_assert_int_eq(RUN(createdomain, 0), -EINVAL);
    }
    op.u.createdomain.flags = 0x100;
    ck_assert_int_eq(RUN(createdomain, 0), -EINVAL);
    ck_assert_ptr_null(domain_next_get(1));
}
END_TEST

#define REFUSED(member, value)                                                 \
    do {                                                                       \
        describe_new();                                                        \
        op.u.createdomain.member = value;                                      \
        ck_assert_int_eq(RUN(createdomain, 0), -EINVAL);                       \
    } while (0)

START_TEST(test_domctl_createdomain_with_bad_values_is_refused)
{
    REFUSED(max_vcpus, 0);
    REFUSED(max_vcpus, MAX_VCPUS + 1);
    REFUSED(grant_opts, 2);
    REFUSED(iommu_opts, 1);
    REFUSED(vmtrace_size, 1);
    REFUSED(cpupool_id, 1);
    REFUSED(arch.emulation_flags, 1);
    REFUSED(arch.misc_flags, 1);
    ck_assert_ptr_null(domain_next_get(1));
}
END_TEST

START_TEST(test_domctl_createdomain_without_answer_makes_no_domain)
{
    describe_new();
    fake_guest_set_writable(false);
    ck_assert_int_eq(RUN(createdomain, 0), -EFAULT);
    ck_assert_ptr_null(domain_next_get(1));
}
END_TEST

START_TEST(test_domctl_createdomain_without_memory_fails)
{
    describe_new();
    fake.fail_domain_create = -ENOMEM;
    ck_assert_int_eq(RUN(createdomain, 0), -ENOMEM);
    ck_assert_ptr_null(domain_next_get(1));
    audit();
}
END_TEST

START_TEST(test_domctl_max_vcpus_goes_on_where_it_was_cut)
{
    unsigned restarts;

    describe_new();
    op.u.createdomain.max_vcpus = 8;
    ck_assert_int_eq(RUN(createdomain, GUEST_ID), 0);
    op.u.max_vcpus.max = 7;
    ck_assert_int_eq(RUN(max_vcpus, GUEST_ID), -EINVAL);
    op.u.max_vcpus.max = 8;
    restarts = fake.restarts;
    fake.slow_at = 5;
    ck_assert_int_eq(RUN(max_vcpus, GUEST_ID), 0);
    ck_assert_uint_eq(fake.restarts, restarts + 1);
    ck_assert_int_eq(RUN(max_vcpus, GUEST_ID), 0);
    ck_assert_int_eq(RUN(getdomaininfo, GUEST_ID), 0);
    ck_assert_uint_eq(op.u.getdomaininfo.max_vcpu_id, 7);
    ck_assert_uint_eq(op.u.getdomaininfo.nr_online_vcpus, 0);
}
END_TEST

START_TEST(test_domctl_max_vcpus_without_memory_can_be_repeated)
{
    describe_new();
    ck_assert_int_eq(RUN(createdomain, GUEST_ID), 0);
    op.u.max_vcpus.max = 2;
    fake.fail_vcpu_create = -ENOMEM;
    ck_assert_int_eq(RUN(max_vcpus, GUEST_ID), -ENOMEM);
    fake.fail_vcpu_create = 0;
    ck_assert_int_eq(RUN(max_vcpus, GUEST_ID), 0);
}
END_TEST

/* --- pauses and info ----------------------------------------------------- */

START_TEST(test_domctl_pauses_are_counted)
{
    struct domain *d = create(GUEST_ID);

    ck_assert_int_eq(RUN(pausedomain, GUEST_ID), 0);
    ck_assert_uint_eq(d->vcpus[0]->pause_count, 2);
    ck_assert_int_eq(RUN(unpausedomain, GUEST_ID), 0);
    ck_assert_int_eq(RUN(unpausedomain, GUEST_ID), 0);
    ck_assert_uint_eq(d->vcpus[0]->pause_count, 0);
    ck_assert_int_eq(RUN(unpausedomain, GUEST_ID), -EINVAL);
}
END_TEST

START_TEST(test_domctl_info_is_of_the_next_domain_there_is)
{
    create(GUEST_ID);
    ck_assert_int_eq(RUN(getdomaininfo, 1), 0);
    ck_assert_uint_eq(op.domain, GUEST_ID);
    ck_assert_uint_eq(op.u.getdomaininfo.domain, GUEST_ID);
    ck_assert_uint_eq(op.u.getdomaininfo.handle[1], 2);
    ck_assert_uint_eq(op.u.getdomaininfo.max_pages, 16);
    ck_assert_uint_eq(op.u.getdomaininfo.gpaddr_bits, 26);
    ck_assert(op.u.getdomaininfo.flags & XEN_DOMINF_paused);
    ck_assert_int_eq(RUN(getdomaininfo, GUEST_ID + 1), -ESRCH);
    ck_assert_int_eq(RUN(getdomaininfo, DOMID_SELF), -EINVAL);
}
END_TEST

START_TEST(test_domctl_info_tells_why_a_domain_shut_down)
{
    struct domain *d = create(GUEST_ID);
    uint32_t flags;

    domain_shut_down(d, SHUTDOWN_crash);
    ck_assert_int_eq(RUN(getdomaininfo, GUEST_ID), 0);
    flags = op.u.getdomaininfo.flags;
    ck_assert(flags & XEN_DOMINF_shutdown);
    ck_assert_uint_eq(flags >> XEN_DOMINF_shutdownshift &
                          XEN_DOMINF_shutdownmask,
                      SHUTDOWN_crash);
}
END_TEST

START_TEST(test_domctl_info_of_running_dom0)
{
    ck_assert_int_eq(RUN(getdomaininfo, 0), 0);
    ck_assert(op.u.getdomaininfo.flags & XEN_DOMINF_running);
    ck_assert_uint_eq(op.u.getdomaininfo.nr_online_vcpus, 1);
    ck_assert_uint_eq(op.u.getdomaininfo.max_vcpu_id, 0);
}
END_TEST

START_TEST(test_domctl_small_settings_are_kept)
{
    struct domain *d = create(GUEST_ID);

    op.u.setdomainhandle.handle[15] = 9;
    ck_assert_int_eq(RUN(setdomainhandle, GUEST_ID), 0);
    ck_assert_uint_eq(d->uuid[15], 9);
    op.u.setdebugging.enable = 1;
    ck_assert_int_eq(RUN(setdebugging, GUEST_ID), 0);
    ck_assert_int_eq(RUN(getdomaininfo, GUEST_ID), 0);
    ck_assert(op.u.getdomaininfo.flags & XEN_DOMINF_debugged);
    op.u.settimeoffset.time_offset_seconds = 3600;
    ck_assert_int_eq(RUN(settimeoffset, GUEST_ID), 0);
    ck_assert_uint_eq(d->shared_info->wc_sec, 3600);
    op.u.address_size.size = 32;
    ck_assert_int_eq(RUN(set_address_size, GUEST_ID), -EINVAL);
    op.u.address_size.size = 64;
    ck_assert_int_eq(RUN(set_address_size, GUEST_ID), 0);
    op.u.address_size.size = 0;
    ck_assert_int_eq(RUN(get_address_size, GUEST_ID), 0);
    ck_assert_uint_eq(op.u.address_size.size, 64);
}
END_TEST

START_TEST(test_domctl_tsc_is_never_emulated)
{
    create(GUEST_ID);
    op.u.tsc_info.tsc_mode = XEN_TSC_MODE_ALWAYS_EMULATE;
    ck_assert_int_eq(RUN(settscinfo, GUEST_ID), -EOPNOTSUPP);
    op.u.tsc_info.tsc_mode = XEN_TSC_MODE_DEFAULT;
    ck_assert_int_eq(RUN(settscinfo, GUEST_ID), 0);
}
END_TEST

START_TEST(test_domctl_node_affinity_is_node_0)
{
    uint64_t nodes = 2;

    create(GUEST_ID);
    op.u.nodeaffinity.nodemap =
        (struct xenctl_bitmap){.bitmap = {BUFFER_VA}, .nr_bits = 64};
    put_buffer(&nodes, sizeof(nodes));
    ck_assert_int_eq(RUN(getnodeaffinity, GUEST_ID), 0);
    get_buffer(&nodes, sizeof(nodes));
    ck_assert_uint_eq(nodes, 1);
    ck_assert_int_eq(RUN(setnodeaffinity, GUEST_ID), 0);
}
END_TEST

START_TEST(test_domctl_set_kernel_only_before_the_start)
{
    struct domain *d = create(GUEST_ID);

    op.u.mica_set_kernel.flags = MICA_KERNEL_SHARES_LOWER_HALF << 1;
    ck_assert_int_eq(run(MICA_DOMCTL_set_kernel, GUEST_ID), -EINVAL);
    op.u.mica_set_kernel.flags = MICA_KERNEL_SHARES_LOWER_HALF;
    op.u.mica_set_kernel.pad = 1;
    ck_assert_int_eq(run(MICA_DOMCTL_set_kernel, GUEST_ID), -EINVAL);
    op.u.mica_set_kernel.pad = 0;
    ck_assert_int_eq(run(MICA_DOMCTL_set_kernel, GUEST_ID), 0);
    ck_assert(d->shares_lower_half);
    ck_assert_int_eq(RUN(unpausedomain, GUEST_ID), 0);
    op.u.mica_set_kernel.flags = 0;
    ck_assert_int_eq(run(MICA_DOMCTL_set_kernel, GUEST_ID), -EBUSY);
    ck_assert(d->shares_lower_half);
}
END_TEST

START_TEST(test_domctl_activity_counts_what_all_vcpus_do)
{
    struct domain *d = create(GUEST_ID);

    ck_assert_int_eq(run(MICA_DOMCTL_get_activity, GUEST_ID), 0);
    ck_assert_uint_eq(op.u.mica_activity.hypercalls, 0);
    d->vcpus[0]->hypercalls = 3;
    d->vcpus[1]->hypercalls = 1ull << 40;
    d->vcpus[1]->events = 7;
    ck_assert_int_eq(run(MICA_DOMCTL_get_activity, GUEST_ID), 0);
    ck_assert_uint_eq(op.u.mica_activity.hypercalls, (1ull << 40) + 3);
    ck_assert_uint_eq(op.u.mica_activity.events, 7);
    ck_assert_int_eq(run(MICA_DOMCTL_get_activity, NO_DOMAIN_ID), -ESRCH);
}
END_TEST

/* --- memory -------------------------------------------------------------- */

START_TEST(test_domctl_max_mem_limits_what_is_assigned)
{
    struct domain *d = create(GUEST_ID);
    mfn_t mfn;

    op.u.max_mem.max_memkb = 7;
    ck_assert_int_eq(RUN(max_mem, GUEST_ID), 0);
    give_frame(d);
    mfn = arch_frame_of(frames_alloc(0));
    ck_assert_int_eq(frame_assign(mfn, 0, d), -E2BIG);
    ck_assert_int_eq(RUN(getdomaininfo, GUEST_ID), 0);
    ck_assert_uint_eq(op.u.getdomaininfo.tot_pages, 1);
}
END_TEST

START_TEST(test_domctl_getpageframeinfo3_tells_types)
{
    struct domain *d = create(GUEST_ID);
    uint64_t frames[3] = {give_frame(d).n, give_frame(dom0).n, ~0ull};
    struct frame *f = frame_lookup(MFN(frames[0]));

    op.u.getpageframeinfo3.num = 3;
    op.u.getpageframeinfo3.array.va = BUFFER_VA;
    put_buffer(frames, sizeof(frames));
    ck_assert_int_eq(RUN(getpageframeinfo3, GUEST_ID), 0);
    get_buffer(frames, sizeof(frames));
    ck_assert_uint_eq(frames[0], XEN_DOMCTL_PFINFO_NOTAB);
    ck_assert_uint_eq(frames[1], XEN_DOMCTL_PFINFO_XTAB);
    ck_assert_uint_eq(frames[2], XEN_DOMCTL_PFINFO_XTAB);
    frames[0] = frame_mfn(f).n;
    put_buffer(frames, sizeof(frames));
    f->state += (uint64_t)FRAME_L2 << FRAME_TYPE_SHIFT | FRAME_PINNED |
                1ull << FRAME_TYPE_COUNT_SHIFT;
    ck_assert_int_eq(RUN(getpageframeinfo3, GUEST_ID), 0);
    get_buffer(frames, sizeof(frames));
    ck_assert_uint_eq(frames[0],
                      XEN_DOMCTL_PFINFO_L2TAB | XEN_DOMCTL_PFINFO_LPINTAB);
    op.u.getpageframeinfo3.num = 1025;
    ck_assert_int_eq(RUN(getpageframeinfo3, GUEST_ID), -E2BIG);
    op.u.getpageframeinfo3.num = 65;
    op.u.getpageframeinfo3.array.va = FAKE_BAD_VA;
    ck_assert_int_eq(RUN(getpageframeinfo3, GUEST_ID), -EFAULT);
}
END_TEST

START_TEST(test_domctl_hypercall_init_fills_own_frames)
{
    struct domain *d = create(GUEST_ID);
    mfn_t mfn = give_frame(d);

    op.u.hypercall_init.gmfn = mfn.n;
    ck_assert_int_eq(RUN(hypercall_init, GUEST_ID), 0);
    ck_assert_uint_eq(*(uint8_t *)arch_frame_ptr(mfn), 0xcc);
    op.u.hypercall_init.gmfn = give_frame(dom0).n;
    ck_assert_int_eq(RUN(hypercall_init, GUEST_ID), -EINVAL);
    op.u.hypercall_init.gmfn = ~0ull;
    ck_assert_int_eq(RUN(hypercall_init, GUEST_ID), -EINVAL);
    audit();
}
END_TEST

/* --- vCPUs --------------------------------------------------------------- */

static struct vcpu_guest_context context;

static void describe_vcpu(uint32_t vcpu, uint64_t flags)
{
    memset(&context, 0, sizeof(context));
    context.flags = flags;
    context.user_regs.rip = 0x1234;
    context.vm_assist = ~0ull;
    put_buffer(&context, sizeof(context));
    clear();
    op.u.vcpucontext.vcpu = vcpu;
    op.u.vcpucontext.ctxt.va = BUFFER_VA;
}

START_TEST(test_domctl_setvcpucontext_brings_a_vcpu_up)
{
    struct domain *d = create(GUEST_ID);

    describe_vcpu(0, VGCF_in_kernel | VGCF_online);
    ck_assert_int_eq(RUN(setvcpucontext, GUEST_ID), 0);
    ck_assert(vcpu_is_up(d->vcpus[0]) && d->vcpus[0]->initialised);
    ck_assert_uint_eq(d->pause_count, 1);
    ck_assert(domain_has_assist(d, VMASST_TYPE_runstate_update_flag));
    ck_assert_uint_eq(d->vm_assist >> VMASST_TYPE_m2p_strict, 0);
    describe_vcpu(1, VGCF_in_kernel);
    ck_assert_int_eq(RUN(setvcpucontext, GUEST_ID), 0);
    ck_assert(!vcpu_is_up(d->vcpus[1]) && d->vcpus[1]->initialised);
    describe_vcpu(0, VGCF_in_kernel);
    ck_assert_int_eq(RUN(setvcpucontext, GUEST_ID), 0);
    ck_assert(!vcpu_is_up(d->vcpus[0]));
    ck_assert_uint_eq(d->state, DOMAIN_ALIVE);
}
END_TEST

START_TEST(test_domctl_setvcpucontext_refused_leaves_vcpu_alone)
{
    struct domain *d = create(GUEST_ID);

    describe_vcpu(2, VGCF_online);
    ck_assert_int_eq(RUN(setvcpucontext, GUEST_ID), -ESRCH);
    describe_vcpu(0, VGCF_online);
    op.u.vcpucontext.ctxt.va = FAKE_BAD_VA;
    ck_assert_int_eq(RUN(setvcpucontext, GUEST_ID), -EFAULT);
    op.u.vcpucontext.ctxt.va = BUFFER_VA;
    fake.set_context_result = -EINVAL;
    ck_assert_int_eq(RUN(setvcpucontext, GUEST_ID), -EINVAL);
    fake.set_context_result = -ERESTART;
    op.domain = GUEST_ID;
    ck_assert_int_eq(call_once(), HC_domctl);
    ck_assert_uint_eq(d->pause_count, 1);
    ck_assert(!d->vcpus[0]->initialised && !vcpu_is_up(d->vcpus[0]));
}
END_TEST

START_TEST(test_domctl_getvcpucontext_gives_back_what_was_set)
{
    static struct vcpu_guest_context back;

    create(GUEST_ID);
    describe_vcpu(0, VGCF_in_kernel | VGCF_online);
    ck_assert_int_eq(RUN(getvcpucontext, GUEST_ID), -ENODATA);
    ck_assert_int_eq(RUN(setvcpucontext, GUEST_ID), 0);
    memset(buffers[0], 0, PAGE_SIZE);
    ck_assert_int_eq(RUN(getvcpucontext, GUEST_ID), 0);
    get_buffer(&back, sizeof(back));
    ck_assert_uint_eq(back.flags, VGCF_in_kernel | VGCF_online);
    ck_assert_uint_eq(back.user_regs.rip, 0x1234);
    ck_assert_uint_ne(back.vm_assist, 0);
    op.u.vcpucontext.vcpu = 2;
    ck_assert_int_eq(RUN(getvcpucontext, GUEST_ID), -ESRCH);
    op.u.vcpucontext.vcpu = 0;
    op.u.vcpucontext.ctxt.va = FAKE_BAD_VA;
    ck_assert_int_eq(RUN(getvcpucontext, GUEST_ID), -EFAULT);
}
END_TEST

START_TEST(test_domctl_getvcpuinfo_follows_the_vcpu)
{
    create(GUEST_ID);
    describe_vcpu(0, VGCF_in_kernel | VGCF_online);
    ck_assert_int_eq(RUN(setvcpucontext, GUEST_ID), 0);
    clear();
    ck_assert_int_eq(RUN(getvcpuinfo, GUEST_ID), 0);
    ck_assert(op.u.getvcpuinfo.online && !op.u.getvcpuinfo.running);
    op.u.getvcpuinfo.vcpu = 1;
    ck_assert_int_eq(RUN(getvcpuinfo, GUEST_ID), 0);
    ck_assert(!op.u.getvcpuinfo.online);
    op.u.getvcpuinfo.vcpu = 2;
    ck_assert_int_eq(RUN(getvcpuinfo, GUEST_ID), -ESRCH);
    op.u.getvcpuinfo.vcpu = 0;
    ck_assert_int_eq(RUN(getvcpuinfo, 0), 0);
    ck_assert(op.u.getvcpuinfo.running);
}
END_TEST

static void name_maps(uint32_t flags, unsigned bits)
{
    clear();
    op.u.vcpuaffinity.flags = flags;
    op.u.vcpuaffinity.cpumap_hard =
        (struct xenctl_bitmap){.bitmap = {BUFFER_VA}, .nr_bits = bits};
    op.u.vcpuaffinity.cpumap_soft =
        (struct xenctl_bitmap){.bitmap = {BUFFER_VA + 64}, .nr_bits = bits};
}

START_TEST(test_domctl_affinity_has_effect_and_is_remembered)
{
    struct domain *d = create(GUEST_ID);

    name_maps(XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT, 12);
    buffers[0][0] = 0x0e;
    buffers[0][1] = 0xff;
    buffers[0][64] = 0x03;
    ck_assert_int_eq(RUN(setvcpuaffinity, GUEST_ID), 0);
    ck_assert_uint_eq(buffers[0][0], 0x02); /* pCPUs 0 and 1 are online */
    ck_assert_uint_eq(buffers[0][1], 0);
    ck_assert_uint_eq(buffers[0][64], 0x02);
    ck_assert_uint_eq(d->vcpus[0]->affinity[0], 0xf0e);
    ck_assert_int_eq(RUN(getvcpuaffinity, GUEST_ID), 0);
    ck_assert_uint_eq(buffers[0][0], 0x0e);
    ck_assert_uint_eq(buffers[0][64], 0x03);
}
END_TEST

START_TEST(test_domctl_affinity_that_makes_no_sense_is_refused)
{
    create(GUEST_ID);
    name_maps(XEN_VCPUAFFINITY_HARD, 8);
    buffers[0][0] = 0x04;
    ck_assert_int_eq(RUN(setvcpuaffinity, GUEST_ID), -EINVAL);
    name_maps(0, 8);
    ck_assert_int_eq(RUN(setvcpuaffinity, GUEST_ID), -EINVAL);
    name_maps(8, 8);
    ck_assert_int_eq(RUN(getvcpuaffinity, GUEST_ID), -EINVAL);
    name_maps(XEN_VCPUAFFINITY_HARD, ~0u);
    ck_assert_int_eq(RUN(setvcpuaffinity, GUEST_ID), -EINVAL);
    name_maps(XEN_VCPUAFFINITY_HARD, 8);
    op.u.vcpuaffinity.vcpu = 2;
    ck_assert_int_eq(RUN(setvcpuaffinity, GUEST_ID), -ESRCH);
    op.u.vcpuaffinity.vcpu = 0;
    op.u.vcpuaffinity.cpumap_hard.bitmap.va = FAKE_BAD_VA;
    ck_assert_int_eq(RUN(getvcpuaffinity, GUEST_ID), -EFAULT);
}
END_TEST

START_TEST(test_domctl_affinity_map_is_filled_to_its_end)
{
    create(GUEST_ID);
    name_maps(XEN_VCPUAFFINITY_HARD, 65536);
    memset(buffers[1], 0xaa, PAGE_SIZE);
    ck_assert_int_eq(RUN(getvcpuaffinity, GUEST_ID), 0);
    ck_assert_uint_eq(buffers[0][0], 0xff);
    ck_assert_uint_eq(buffers[1][PAGE_SIZE - 1], 0);
}
END_TEST

START_TEST(test_domctl_scheduler_weights)
{
    struct domain *d = create(GUEST_ID);
    struct xen_domctl_scheduler_op *s = &op.u.scheduler_op;

    s->sched_id = XEN_SCHEDULER_CREDIT2;
    s->cmd = XEN_DOMCTL_SCHEDOP_putinfo;
    s->u.credit2.weight = 512;
    ck_assert_int_eq(RUN(scheduler_op, GUEST_ID), 0);
    ck_assert_uint_eq(d->vcpus[1]->weight, 512);
    s->u.credit2.weight = 0;
    ck_assert_int_eq(RUN(scheduler_op, GUEST_ID), 0);
    s->cmd = XEN_DOMCTL_SCHEDOP_getinfo;
    ck_assert_int_eq(RUN(scheduler_op, GUEST_ID), 0);
    ck_assert_uint_eq(s->u.credit2.weight, 512);
    s->cmd = XEN_DOMCTL_SCHEDOP_putinfo;
    s->cmd = XEN_DOMCTL_SCHEDOP_putvcpuinfo;
    ck_assert_int_eq(RUN(scheduler_op, GUEST_ID), -EINVAL);
    s->cmd = XEN_DOMCTL_SCHEDOP_getvcpuinfo;
    ck_assert_int_eq(RUN(scheduler_op, GUEST_ID), -EINVAL);
    s->cmd = 4;
    ck_assert_int_eq(RUN(scheduler_op, GUEST_ID), -EINVAL);
    s->cmd = XEN_DOMCTL_SCHEDOP_getinfo;
    s->sched_id = XEN_SCHEDULER_CREDIT;
    ck_assert_int_eq(RUN(scheduler_op, GUEST_ID), -EINVAL);
}
END_TEST

static long put_share(uint16_t weight, uint16_t cap)
{
    clear();
    op.u.scheduler_op = (struct xen_domctl_scheduler_op){
        .sched_id = XEN_SCHEDULER_CREDIT2,
        .cmd = XEN_DOMCTL_SCHEDOP_putinfo,
        .u.credit2 = {.weight = weight, .cap = cap}};
    return RUN(scheduler_op, GUEST_ID);
}

static void expect_share(uint16_t weight, uint16_t cap)
{
    clear();
    op.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
    op.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_getinfo;
    ck_assert_int_eq(RUN(scheduler_op, GUEST_ID), 0);
    ck_assert_uint_eq(op.u.scheduler_op.u.credit2.weight, weight);
    ck_assert_uint_eq(op.u.scheduler_op.u.credit2.cap, cap);
}

/* A weight of 0 means the one there is, a cap of 0 none. */
START_TEST(test_domctl_scheduler_caps)
{
    create(GUEST_ID);
    expect_share(256, 0);
    ck_assert_int_eq(put_share(0, 50), 0);
    expect_share(256, 50);
    ck_assert_int_eq(put_share(512, 50), 0);
    expect_share(512, 50);
    ck_assert_int_eq(put_share(100, 201), -EINVAL);
    expect_share(512, 50);
    ck_assert_int_eq(put_share(0, 200), 0);
    expect_share(512, 200);
    ck_assert_int_eq(put_share(0, 0), 0);
    expect_share(512, 0);
}
END_TEST

/* --- the machine --------------------------------------------------------- */

START_TEST(test_domctl_irq_permission)
{
    struct domain *d = create(GUEST_ID);

    op.u.irq_permission.pirq = 9;
    op.u.irq_permission.allow_access = 1;
    ck_assert_int_eq(RUN(irq_permission, GUEST_ID), 0);
    ck_assert(bit_test(d->irqs, 9));
    op.u.irq_permission.allow_access = 0;
    ck_assert_int_eq(RUN(irq_permission, GUEST_ID), 0);
    ck_assert(!bit_test(d->irqs, 9));
    op.u.irq_permission.pirq = MAX_PIRQS;
    ck_assert_int_eq(RUN(irq_permission, GUEST_ID), -EINVAL);
}
END_TEST

static long iomem(uint64_t first, uint64_t count, uint8_t allow)
{
    clear();
    op.u.iomem_permission = (struct xen_domctl_iomem_permission){
        .first_mfn = first, .nr_mfns = count, .allow_access = allow};
    return RUN(iomem_permission, GUEST_ID);
}

START_TEST(test_domctl_iomem_permission_within_the_callers)
{
    struct domain *d = create(GUEST_ID);

    ck_assert_int_eq(rangeset_add(dom0->io_frames, 0x10, 0x20), 0);
    ck_assert_int_eq(iomem(0x11, 4, 1), 0);
    ck_assert(rangeset_contains(d->io_frames, 0x11, 0x14));
    ck_assert(!rangeset_contains(d->io_frames, 0x15, 0x15));
    ck_assert_int_eq(iomem(0x12, 1, 0), 0);
    ck_assert(!rangeset_contains(d->io_frames, 0x12, 0x12));
    ck_assert_int_eq(iomem(0x20, 2, 1), -EPERM);
    ck_assert_int_eq(iomem(0x11, 0, 1), -EINVAL);
    ck_assert_int_eq(iomem(2, ~0ull, 1), -EINVAL);
    ck_assert_int_eq(iomem(1ull << 40, 1, 1), -EINVAL);
}
END_TEST

static long ports(uint32_t first, uint32_t count, uint8_t allow)
{
    clear();
    op.u.ioport_permission = (struct xen_domctl_ioport_permission){
        .first_port = first, .nr_ports = count, .allow_access = allow};
    return RUN(ioport_permission, GUEST_ID);
}

START_TEST(test_domctl_ioport_permission_within_the_callers)
{
    struct domain *d = create(GUEST_ID);

    fake_domain_keep_ports(dom0, 0x300, 0x3ff);
    ck_assert_int_eq(ports(0x310, 16, 1), 0);
    ck_assert(arch_domain_has_ports(d, 0x310, 0x31f));
    ck_assert(!arch_domain_has_ports(d, 0x320, 0x320));
    ck_assert_int_eq(ports(0x310, 1, 0), 0);
    ck_assert(!arch_domain_has_ports(d, 0x310, 0x310));
    ck_assert_int_eq(ports(0x3ff, 2, 1), -EPERM);
    ck_assert_int_eq(ports(0x10000, 1, 1), -EINVAL);
    ck_assert_int_eq(ports(0xffff, 2, 1), -EINVAL);
    ck_assert_int_eq(ports(1, ~0u, 1), -EINVAL);
    ck_assert_int_eq(ports(0x300, 0, 1), 0);
    ck_assert_uint_eq(d->pause_count, 1);
}
END_TEST

START_TEST(test_domctl_cpu_policy_is_one_for_all)
{
    struct xen_domctl_cpu_policy *p = &op.u.cpu_policy;
    struct xen_cpuid_leaf *leaves = (struct xen_cpuid_leaf *)buffers[0];

    create(GUEST_ID);
    ck_assert_int_eq(RUN(get_cpu_policy, GUEST_ID), 0);
    ck_assert_uint_eq(p->nr_leaves, CPU_POLICY_MAX_LEAVES);
    ck_assert_uint_eq(p->nr_msrs, 0);
    p->leaves.va = BUFFER_VA;
    ck_assert_int_eq(RUN(get_cpu_policy, GUEST_ID), 0);
    ck_assert_uint_eq(leaves[1].leaf, 1);
    ck_assert_uint_ne(leaves[1].c, 0);
    leaves[1].c = 0;
    ck_assert_int_eq(RUN(set_cpu_policy, GUEST_ID), 0);
    ck_assert_int_eq(RUN(get_cpu_policy, GUEST_ID), 0);
    ck_assert_uint_ne(leaves[1].c, 0);
    p->nr_leaves = 1;
    ck_assert_int_eq(RUN(get_cpu_policy, GUEST_ID), -ENOBUFS);
}
END_TEST

/* --- debugging ----------------------------------------------------------- */

START_TEST(test_domctl_gdbsx_reads_and_writes_the_guest)
{
    struct domain *d = create(GUEST_ID);
    struct xen_domctl_gdbsx_memio *m = &op.u.gdbsx_guest_memio;
    void *root = frames_alloc(0);
    char *page = frames_alloc(0);

    ck_assert_int_eq(RUN(gdbsx_guestmemio, GUEST_ID), -EINVAL);
    d->vcpus[0]->kernel_root = arch_frame_of(root);
    ck_assert(fake_guest_map(arch_frame_of(root), 0x400000, arch_frame_of(page),
                             PTE_PRESENT | PTE_USER | PTE_WRITE));
    memset(page, 'x', PAGE_SIZE);
    m->gva = 0x400100;
    m->uva = BUFFER_VA;
    m->len = 1000;
    ck_assert_int_eq(RUN(gdbsx_guestmemio, GUEST_ID), 0);
    ck_assert_uint_eq(buffers[0][999], 'x');
    ck_assert_uint_eq(m->remain, 0);
    m->gwr = 1;
    buffers[0][0] = 'y';
    ck_assert_int_eq(RUN(gdbsx_guestmemio, GUEST_ID), 0);
    ck_assert_int_eq(page[0x100], 'y');
    m->len = PAGE_SIZE;
    ck_assert_int_eq(RUN(gdbsx_guestmemio, GUEST_ID), -EFAULT);
    m->len = 65537;
    ck_assert_int_eq(RUN(gdbsx_guestmemio, GUEST_ID), -E2BIG);
    ck_assert_uint_eq(d->pause_count, 1);
    d->vcpus[0]->kernel_root = MFN_INVALID;
}
END_TEST

START_TEST(test_domctl_gdbsx_pauses_one_vcpu)
{
    struct domain *d = create(GUEST_ID);

    ck_assert_int_eq(RUN(gdbsx_unpausevcpu, GUEST_ID), -EINVAL);
    ck_assert_int_eq(RUN(gdbsx_pausevcpu, GUEST_ID), 0);
    ck_assert_uint_eq(d->vcpus[0]->pause_count, 2);
    ck_assert_uint_eq(d->vcpus[1]->pause_count, 1);
    ck_assert_int_eq(RUN(gdbsx_unpausevcpu, GUEST_ID), 0);
    ck_assert_int_eq(RUN(gdbsx_unpausevcpu, GUEST_ID), -EINVAL);
    op.u.gdbsx_pauseunp_vcpu.vcpu = 2;
    ck_assert_int_eq(RUN(gdbsx_pausevcpu, GUEST_ID), -ESRCH);
    ck_assert_int_eq(RUN(gdbsx_domstatus, GUEST_ID), 0);
    ck_assert_uint_eq(op.u.gdbsx_domstatus.paused, 1);
    ck_assert_uint_eq(op.u.gdbsx_domstatus.vcpu_id, ~0u);
}
END_TEST

/* --- anything at all ----------------------------------------------------- */

static uint64_t random_state = 88172645463325252ull;

static uint64_t random_number(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* A word of an argument: small, an address, a flag, or anything. */
static uint64_t random_word(void)
{
    switch (random_number() % 6) {
    case 0:
        return 0;
    case 1:
        return random_number() % 8;
    case 2:
        return BUFFER_VA + random_number() % (2 * PAGE_SIZE);
    case 3:
        return 1ull << random_number() % 64;
    case 4:
        return (random_number() % 8) << 32 | random_number() % 8;
    default:
        return random_number();
    }
}

static uint32_t random_command(void)
{
    switch (random_number() % 8) {
    case 0:
        return XEN_DOMCTL_gdbsx_guestmemio + random_number() % 4;
    case 1:
        return MICA_DOMCTL_set_kernel;
    case 2:
        return XEN_DOMCTL_createdomain;
    default:
        return (uint32_t)(random_number() % 90);
    }
}

static void random_call(void)
{
    uint32_t cmd = random_command();
    domid_t id = (domid_t)(random_number() % 6);

    if (cmd == XEN_DOMCTL_createdomain && random_number() % 4)
        describe_new();
    else if (cmd == XEN_DOMCTL_setvcpucontext && random_number() % 2)
        describe_vcpu(random_number() % 3, random_number());
    else
        for (size_t i = 0; i < ARRAY_LEN(op.u.pad); i++)
            op.u.pad[i] = random_word();
    if (cmd == XEN_DOMCTL_createdomain && !id)
        id = 1;
    if (cmd == XEN_DOMCTL_max_vcpus)
        op.u.max_vcpus.max = 2;
    fake.slow_at = (unsigned)(random_number() % 4);
    run(cmd, id);
    fake.slow_at = 0;
}

START_TEST(test_domctl_random_calls_do_no_harm)
{
    for (unsigned i = 0; i < RANDOM_CALLS; i++) {
        random_call();
        if (i % 256 == 0)
            audit();
    }
    ck_assert_uint_gt(fake.contexts_set, 10); /* it got that far */
    for (domid_t id = 1; id < 6; id++)
        RUN(destroydomain, id);
    ck_assert_ptr_null(domain_next_get(1));
    audit();
}
END_TEST

#define ADD(test) tcase_add_test(tests, test)

static Suite *domctl_suite(void)
{
    Suite *suite = suite_create("domctl");
    TCase *tests = tcase_create("domctl");

    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_set_timeout(tests, 60);
    ADD(test_domctl_of_unprivileged_caller_is_refused);
    ADD(test_domctl_of_another_version_is_refused);
    ADD(test_domctl_at_bad_address_faults);
    ADD(test_domctl_unknown_commands_are_not_served);
    ADD(test_domctl_on_no_domain_is_refused);
    ADD(test_domctl_on_caller_itself_is_refused);
    ADD(test_domctl_on_dying_domain_changes_nothing);
    ADD(test_domctl_that_goes_on_means_the_same_domain);
    ADD(test_domctl_with_forged_restart_harms_nobody);
    ADD(test_domctl_createdomain_makes_what_was_asked_for);
    ADD(test_domctl_createdomain_limits_the_ports);
    ADD(test_domctl_createdomain_chooses_ids_in_turn);
    ADD(test_domctl_createdomain_comes_round_to_free_ids);
    ADD(test_domctl_createdomain_of_other_kinds_is_refused);
    ADD(test_domctl_createdomain_with_bad_values_is_refused);
    ADD(test_domctl_createdomain_without_answer_makes_no_domain);
    ADD(test_domctl_createdomain_without_memory_fails);
    ADD(test_domctl_max_vcpus_goes_on_where_it_was_cut);
    ADD(test_domctl_max_vcpus_without_memory_can_be_repeated);
    ADD(test_domctl_pauses_are_counted);
    ADD(test_domctl_info_is_of_the_next_domain_there_is);
    ADD(test_domctl_info_tells_why_a_domain_shut_down);
    ADD(test_domctl_info_of_running_dom0);
    ADD(test_domctl_small_settings_are_kept);
    ADD(test_domctl_tsc_is_never_emulated);
    ADD(test_domctl_node_affinity_is_node_0);
    ADD(test_domctl_set_kernel_only_before_the_start);
    ADD(test_domctl_activity_counts_what_all_vcpus_do);
    ADD(test_domctl_max_mem_limits_what_is_assigned);
    ADD(test_domctl_getpageframeinfo3_tells_types);
    ADD(test_domctl_hypercall_init_fills_own_frames);
    ADD(test_domctl_setvcpucontext_brings_a_vcpu_up);
    ADD(test_domctl_setvcpucontext_refused_leaves_vcpu_alone);
    ADD(test_domctl_getvcpucontext_gives_back_what_was_set);
    ADD(test_domctl_getvcpuinfo_follows_the_vcpu);
    ADD(test_domctl_affinity_has_effect_and_is_remembered);
    ADD(test_domctl_affinity_that_makes_no_sense_is_refused);
    ADD(test_domctl_affinity_map_is_filled_to_its_end);
    ADD(test_domctl_scheduler_weights);
    ADD(test_domctl_scheduler_caps);
    ADD(test_domctl_irq_permission);
    ADD(test_domctl_iomem_permission_within_the_callers);
    ADD(test_domctl_ioport_permission_within_the_callers);
    ADD(test_domctl_cpu_policy_is_one_for_all);
    ADD(test_domctl_gdbsx_reads_and_writes_the_guest);
    ADD(test_domctl_gdbsx_pauses_one_vcpu);
    ADD(test_domctl_random_calls_do_no_harm);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(domctl_suite());
    int failures;

    srunner_run_all(runner, CK_NORMAL);
    failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures != 0;
}
