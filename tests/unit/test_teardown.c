/* SPDX-License-Identifier: MIT */
/*
 * The end of domains: whatever state one is in, destroydomain takes back all
 * of it, in as many calls as it takes, and what others still use goes when
 * they let go.
 */
#include <check.h>
#include <setjmp.h>

#include "core/domain.h"
#include "core/evtchn.h"
#include "core/frame.h"
#include "core/frame_audit.h"
#include "core/grant.h"
#include "core/heap.h"
#include "core/pcpu.h"
#include "core/pt_validate.h"
#include "core/sched.h"
#include "hypercall_abi/domctl.h"
#include "hypercall_abi/mmu.h"
#include "hypercall_abi/sched.h"

#include "host/arch_fake.h"
#include "host/mmu_guest.h"

#define VICTIM_ID 3
#define MAPPER_ID 4
#define REF 9u
#define CYCLES 1000
#define MANY_CUTS 2000

static struct mmu_guest admin, victim;
static uint64_t free_before;

/* A frame of the victim's that somebody uses, and how. */
/* A mapping of dom0's, for the auditor, of a page that it uses. */
static struct grant_mapping *used;

static void setup(void)
{
    fake_boot(1);
    mmu_guest_create(&admin, 0);
    dom0 = admin.d;
    dom0->is_privileged = true;
    mmu_guest_run(&admin);
    used = heap_zalloc(GRANT_MAPS_PER_CHUNK * sizeof(*used));
    dom0->grants->chunks[0] = used;
    dom0->grants->map_count = 1;
    free_before = heap_free_frames();
}

/* A domain with memory, page tables and a vCPU that could run. */
static void make_victim(void)
{
    mmu_guest_create(&victim, VICTIM_ID);
    victim.v->initialised = true;
    mmu_guest_run(&admin);
}

static long domctl_once(uint32_t cmd, domid_t id)
{
    struct xen_domctl op = {
        .cmd = cmd,
        .interface_version = XEN_DOMCTL_INTERFACE_VERSION,
        .domain = id,
    };
    uint64_t args[5] = {mmu_va(MMU_ARGS)};

    mmu_guest_run(&admin);
    memcpy(mmu_page(&admin, MMU_ARGS), &op, sizeof(op));
    return mmu_call_once(hc_domctl, args);
}

/* Destroys a domain; the number of calls it took. */
static unsigned destroy_domain(domid_t id)
{
    unsigned calls = 0;
    long result;

    do {
        result = domctl_once(XEN_DOMCTL_destroydomain, id);
        ck_assert_uint_lt(++calls, MANY_CUTS);
        ck_assert_uint_eq(frame_audit(), 0);
    } while (mmu_is_cut());
    ck_assert_int_eq(result, 0);
    return calls;
}

static unsigned destroy(void)
{
    return destroy_domain(VICTIM_ID);
}

static bool is_listed(void)
{
    struct domain *d = domain_find_get(VICTIM_ID);

    if (d)
        domain_put(d);
    return d;
}

static void expect_gone(void)
{
    ck_assert(!is_listed());
    ck_assert_uint_eq(frame_audit(), 0);
    ck_assert_uint_eq(heap_free_frames(), free_before);
}

static void let_time_pass(void)
{
    fake.now += NSEC_PER_SEC;
    timers_run(fake.now);
}

static void use(mfn_t mfn)
{
    used->hold.frame = frame_get(mfn, victim.d);
    ck_assert_ptr_nonnull(used->hold.frame);
}

static void stop_using(void)
{
    frame_put(used->hold.frame);
    used->hold.frame = NULL;
}

/* A call of dom0's, whose argument is *op. */
static void event_op(uint64_t cmd, void *op, size_t size)
{
    uint64_t args[5] = {cmd, mmu_va(MMU_ARGS)};

    mmu_guest_run(&admin);
    memcpy(mmu_page(&admin, MMU_ARGS), op, size);
    ck_assert_int_eq(mmu_call_once(hc_event_channel_op, args), 0);
    memcpy(op, mmu_page(&admin, MMU_ARGS), size);
}

static evtchn_port_t bind_dom_exc(void)
{
    struct evtchn_bind_virq_args op = {.virq = VIRQ_DOM_EXC};

    event_op(EVTCHNOP_bind_virq, &op, sizeof(op));
    free_before = heap_free_frames();
    return op.port;
}

static void forget_events(void)
{
    memset(dom0->shared_info->evtchn_pending, 0,
           sizeof(dom0->shared_info->evtchn_pending));
}

/* --- in every state ------------------------------------------------------ */

START_TEST(test_teardown_of_new_domain)
{
    ck_assert_ptr_nonnull(domain_create(VICTIM_ID, 4));
    destroy();
    expect_gone();
}
END_TEST

START_TEST(test_teardown_of_domain_with_memory_and_tables)
{
    make_victim();
    destroy();
    expect_gone();
}
END_TEST

START_TEST(test_teardown_of_paused_domain)
{
    make_victim();
    domain_pause(victim.d);
    destroy();
    expect_gone();
}
END_TEST

START_TEST(test_teardown_of_runnable_domain)
{
    make_victim();
    ck_assert_int_eq(vcpu_up(victim.v), 0);
    vcpu_set_period(victim.v, NSEC_PER_MS);
    ck_assert_int_eq(domain_set_watchdog(victim.d, 0, 10), 1);
    destroy();
    expect_gone();
    let_time_pass();
}
END_TEST

/* The machine, as far as a waiting pCPU needs it: saves what it has loaded. */
static void save_loaded(void)
{
    struct pcpu *p = this_pcpu();

    if (victim.v->loaded_on == NO_PCPU)
        return;
    if (p->current == victim.v)
        p->current = admin.v;
    sched_unloaded(victim.v);
}

START_TEST(test_teardown_waits_for_loaded_vcpu)
{
    make_victim();
    victim.v->state = VCPU_RUNNING;
    victim.v->loaded_on = 0;
    fake.on_spin = save_loaded;
    destroy();
    expect_gone();
}
END_TEST

static jmp_buf second_call_waits;
static uint32_t references;

static void stop_waiting(void)
{
    longjmp(second_call_waits, 1);
}

/* Another pCPU destroys the same domain while the first call is at it. */
static void destroy_meanwhile(void)
{
    uint64_t args[5] = {mmu_va(MMU_ARGS)};

    references = victim.d->refs;
    fake.on_spin = stop_waiting;
    if (!setjmp(second_call_waits))
        ck_assert_int_eq(mmu_call_once(hc_domctl, args), -EBUSY);
    references = victim.d->refs - references;
    fake.on_spin = save_loaded;
}

START_TEST(test_teardown_waiting_call_has_no_domain_yet)
{
    make_victim();
    victim.v->state = VCPU_RUNNING;
    victim.v->loaded_on = 0;
    references = 77;
    fake.on_spin = destroy_meanwhile;
    domctl_once(XEN_DOMCTL_destroydomain, VICTIM_ID);
    ck_assert_uint_eq(references, 0);
}
END_TEST

START_TEST(test_teardown_of_domain_that_shut_down)
{
    for (uint32_t reason = 0; reason <= SHUTDOWN_MAX; reason++) {
        make_victim();
        domain_shut_down(victim.d, reason);
        ck_assert(is_listed());
        destroy();
        expect_gone();
    }
}
END_TEST

START_TEST(test_teardown_undoes_pins_and_half_made_tables)
{
    make_victim();
    mmu_guest_run(&victim);
    ck_assert_int_eq(mmu_guest_remap(&victim, MMU_FREE, MMU_READ_ONLY), 0);
    ck_assert_int_eq(mmu_guest_remap(&victim, MMU_FREE + 1, MMU_READ_ONLY), 0);
    ck_assert_int_eq(
        mmu_ext(&victim, MMUEXT_PIN_L1_TABLE, victim.frame[MMU_FREE].n, 0), 0);
    ck_assert_int_eq(
        mmu_ext(&victim, MMUEXT_PIN_L4_TABLE, victim.frame[MMU_L4].n, 0), 0);
    for (unsigned i = 0; i < PT_ENTRIES; i++)
        mmu_page(&victim, MMU_FREE + 1)[i] =
            mmu_entry(&victim, 20, MMU_WRITABLE);
    fake.slow_at = 3;
    mmu_ext_once(&victim, MMUEXT_PIN_L1_TABLE, victim.frame[MMU_FREE + 1].n, 0);
    ck_assert(mmu_is_cut());
    ck_assert(mmu_frame(&victim, MMU_FREE + 1)->state & FRAME_PARTIAL);
    destroy();
    expect_gone();
}
END_TEST

START_TEST(test_teardown_closes_channels)
{
    struct evtchn_alloc_unbound_args theirs = {.dom = VICTIM_ID};
    struct evtchn_bind_interdomain_args ours = {.remote_dom = VICTIM_ID};
    struct evtchn_status_args status = {.dom = DOMID_SELF};

    bind_dom_exc(); /* so that dom0 has memory for ports */
    make_victim();
    event_op(EVTCHNOP_alloc_unbound, &theirs, sizeof(theirs));
    ours.remote_port = theirs.port;
    event_op(EVTCHNOP_bind_interdomain, &ours, sizeof(ours));
    destroy();
    status.port = ours.local_port;
    event_op(EVTCHNOP_status, &status, sizeof(status));
    ck_assert_uint_eq(status.status, EVTCHNSTAT_unbound);
    expect_gone();
}
END_TEST

START_TEST(test_teardown_gives_up_descriptor_tables_and_vcpu_info)
{
    struct frame *f;

    make_victim();
    ck_assert_int_eq(vcpu_register_info(victim.v, victim.frame[MMU_FREE], 0),
                     0);
    mmu_guest_run(&victim);
    ck_assert_int_eq(mmu_guest_remap(&victim, MMU_FREE + 1, 0), 0);
    f = mmu_frame(&victim, MMU_FREE + 1);
    ck_assert_int_eq(frame_begin_change(f), 0);
    frame_end_change(f, FRAME_SEGDESC, (1ull << FRAME_TYPE_COUNT_SHIFT) + 1);
    fake_vcpu_hold_descriptors(victim.v, frame_mfn(f));
    ck_assert_uint_eq(frame_audit(), 0);
    destroy();
    expect_gone();
}
END_TEST

/* --- cut short ----------------------------------------------------------- */

/* To find that nothing is left of much memory takes time as well. */
START_TEST(test_teardown_of_a_domain_that_gave_its_memory_back_is_cut)
{
    make_victim();
    for (uint64_t n = FAKE_FIRST_FRAME; n <= FAKE_LAST_FRAME; n += 512)
        bit_set(victim.d->owned_chunks, n / 512);
    fake.slow_at = 10;
    ck_assert_uint_gt(destroy(), 1);
    fake.slow_at = 0;
    expect_gone();
}
END_TEST

START_TEST(test_teardown_cut_anywhere_goes_on)
{
    unsigned calls = 2;

    for (unsigned n = 1; calls > 1; n++) {
        make_victim();
        mmu_guest_run(&victim);
        ck_assert_int_eq(
            mmu_ext(&victim, MMUEXT_PIN_L4_TABLE, victim.frame[MMU_L4].n, 0),
            0);
        fake.slow_at = n;
        calls = destroy();
        fake.slow_at = 0;
        expect_gone();
        ck_assert_uint_lt(n, MANY_CUTS);
    }
}
END_TEST

START_TEST(test_teardown_cut_at_every_question_goes_on)
{
    unsigned calls = 0;

    make_victim();
    do {
        fake.slow_at = 1;
        domctl_once(XEN_DOMCTL_destroydomain, VICTIM_ID);
        fake.slow_at = 0;
        ck_assert_uint_eq(frame_audit(), 0);
        ck_assert_uint_lt(++calls, MANY_CUTS);
    } while (mmu_is_cut());
    ck_assert_uint_gt(calls, 4);
    expect_gone();
}
END_TEST

/* --- in use by others ---------------------------------------------------- */

START_TEST(test_teardown_leaves_a_frame_to_who_uses_it)
{
    evtchn_port_t port = bind_dom_exc();

    make_victim();
    use(victim.frame[MMU_FREE]);
    destroy();
    ck_assert(is_listed());
    ck_assert_uint_eq(victim.d->page_count, 1);
    ck_assert(evtchn_is_pending(dom0, port));
    forget_events();
    let_time_pass();
    ck_assert(is_listed());
    stop_using();
    ck_assert(is_listed());
    let_time_pass();
    expect_gone();
    ck_assert(evtchn_is_pending(dom0, port));
}
END_TEST

START_TEST(test_teardown_waits_for_lent_pages)
{
    mfn_t table;

    make_victim();
    ck_assert_int_eq(grant_frame_at(victim.d, 0, &table), 0);
    use(table);
    destroy();
    ck_assert(is_listed());
    destroy();
    let_time_pass();
    ck_assert(is_listed());
    stop_using();
    use(arch_frame_of(victim.d->shared_info));
    let_time_pass();
    ck_assert(is_listed());
    stop_using();
    let_time_pass();
    expect_gone();
}
END_TEST

START_TEST(test_teardown_again_ends_what_is_left)
{
    make_victim();
    use(victim.frame[MMU_FREE]);
    destroy();
    stop_using();
    destroy();
    expect_gone();
    let_time_pass();
}
END_TEST

static void grant_to(grant_ref_t ref, domid_t to, mfn_t mfn)
{
    struct grant_entry_v1 *entries;
    mfn_t table;

    ck_assert_int_eq(grant_frame_at(victim.d, 0, &table), 0);
    entries = arch_frame_ptr(table);
    entries[ref] = (struct grant_entry_v1){
        .flags = GTF_permit_access, .domid = to, .frame = (uint32_t)mfn.n};
}

START_TEST(test_teardown_ends_use_of_others_grants)
{
    struct grant_hold hold, late;
    mfn_t granted;

    make_victim();
    granted = victim.frame[MMU_FREE];
    grant_to(9, 0, granted);
    ck_assert_int_eq(grant_hold(&hold, victim.d, 9, 0, GRANT_WRITE), 0);
    used->hold = hold;
    destroy();
    ck_assert(is_listed());
    ck_assert_int_ne(grant_hold(&late, victim.d, 9, 0, GRANT_READ), 0);
    used->hold.frame = NULL;
    grant_drop(&hold);
    let_time_pass();
    expect_gone();
}
END_TEST

/* A grant_table_op of the mapper's; its argument is *op. */
static void grant_op(const struct mmu_guest *mapper, unsigned cmd, void *op,
                     size_t size)
{
    uint64_t args[5] = {cmd, mmu_va(MMU_ARGS), 1};

    mmu_guest_run(mapper);
    memcpy(mmu_page(mapper, MMU_ARGS), op, size);
    ck_assert_int_eq(mmu_call(hc_grant_table_op, args), 0);
    memcpy(op, mmu_page(mapper, MMU_ARGS), size);
}

/* Maps the victim's grant, and then stores something else over the entry. */
static void map_and_overwrite(const struct mmu_guest *mapper)
{
    uint64_t va = mmu_va(MMU_PAGES);
    struct gnttab_map_grant_ref_args map = {
        .host_addr = va,
        .flags = GNTMAP_host_map,
        .ref = REF,
        .dom = VICTIM_ID,
    };
    struct gnttab_unmap_grant_ref_args unmap = {.host_addr = va};

    grant_op(mapper, GNTTABOP_map_grant_ref, &map, sizeof(map));
    ck_assert_int_eq(map.status, GNTST_okay);
    ck_assert_int_eq(mmu_update(mapper, mmu_address(mapper, MMU_L1, MMU_PAGES),
                                mmu_entry(mapper, MMU_FREE, MMU_WRITABLE)),
                     0);
    unmap.handle = map.handle;
    grant_op(mapper, GNTTABOP_unmap_grant_ref, &unmap, sizeof(unmap));
    ck_assert_int_eq(unmap.status, GNTST_general_error);
}

/* The granter waits for the mapper's end, as for that of any mapping. */
START_TEST(test_teardown_outlasts_overwritten_mappings)
{
    struct mmu_guest mapper;

    make_victim();
    mmu_guest_create(&mapper, MAPPER_ID);
    grant_to(REF, MAPPER_ID, victim.frame[MMU_FREE]);
    map_and_overwrite(&mapper);
    destroy();
    ck_assert(is_listed());
    ck_assert_uint_eq(victim.d->page_count, 1);
    let_time_pass();
    ck_assert(is_listed());
    destroy_domain(MAPPER_ID);
    ck_assert_uint_eq(victim.d->page_count, 0);
    let_time_pass();
    expect_gone();
}
END_TEST

START_TEST(test_teardown_gives_no_frames_to_the_dying)
{
    void *page = frames_alloc(0);

    make_victim();
    domain_begin_death(victim.d);
    ck_assert_int_eq(frame_assign(arch_frame_of(page), 0, victim.d), -ESRCH);
    frames_free(page, 0);
    destroy();
    expect_gone();
}
END_TEST

/* --- again and again ----------------------------------------------------- */

START_TEST(test_teardown_thousand_times_leaves_nothing)
{
    for (unsigned i = 0; i < CYCLES; i++) {
        make_victim();
        ck_assert_int_eq(vcpu_up(victim.v), 0);
        ck_assert_int_eq(domctl_once(XEN_DOMCTL_destroydomain, VICTIM_ID), 0);
        ck_assert(!is_listed());
    }
    expect_gone();
}
END_TEST

START_TEST(test_teardown_of_dom0_is_refused)
{
    ck_assert_int_eq(domctl_once(XEN_DOMCTL_destroydomain, 0), -EINVAL);
    ck_assert_uint_eq(dom0->state, DOMAIN_ALIVE);
}
END_TEST

#define ADD(test) tcase_add_test(tests, test)

static Suite *teardown_suite(void)
{
    Suite *suite = suite_create("teardown");
    TCase *tests = tcase_create("teardown");

    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_set_timeout(tests, 120);
    ADD(test_teardown_of_new_domain);
    ADD(test_teardown_of_domain_with_memory_and_tables);
    ADD(test_teardown_of_paused_domain);
    ADD(test_teardown_of_runnable_domain);
    ADD(test_teardown_waits_for_loaded_vcpu);
    ADD(test_teardown_waiting_call_has_no_domain_yet);
    ADD(test_teardown_of_domain_that_shut_down);
    ADD(test_teardown_undoes_pins_and_half_made_tables);
    ADD(test_teardown_closes_channels);
    ADD(test_teardown_gives_up_descriptor_tables_and_vcpu_info);
    ADD(test_teardown_cut_anywhere_goes_on);
    ADD(test_teardown_cut_at_every_question_goes_on);
    ADD(test_teardown_leaves_a_frame_to_who_uses_it);
    ADD(test_teardown_waits_for_lent_pages);
    ADD(test_teardown_again_ends_what_is_left);
    ADD(test_teardown_ends_use_of_others_grants);
    ADD(test_teardown_outlasts_overwritten_mappings);
    ADD(test_teardown_of_a_domain_that_gave_its_memory_back_is_cut);
    ADD(test_teardown_gives_no_frames_to_the_dying);
    ADD(test_teardown_thousand_times_leaves_nothing);
    ADD(test_teardown_of_dom0_is_refused);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(teardown_suite());
    int failures;

    srunner_run_all(runner, CK_NORMAL);
    failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures != 0;
}
