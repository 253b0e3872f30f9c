/* SPDX-License-Identifier: MIT */
/* The software walk of guests' tables and the copies on top of it. */
#include <check.h>
#include <stdlib.h>

#include "core/frame.h"
#include "core/frame_audit.h"
#include "core/guest_copy.h"
#include "core/heap.h"
#include "host/arch_fake.h"
#include "host/mmu_guest.h"
#include "hypercall_abi/mmu.h"

enum { A = 40, B, C };

#define DEVICE MFN(0xfe000)

static struct mmu_guest g;
static uint8_t buffer[4 * PAGE_SIZE];

/* Pages A, B and C, mapped in a row at mmu_va(A), hold a pattern. */
static void setup(void)
{
    fake_boot(1);
    mmu_guest_create(&g, 3);
    mmu_guest_run(&g);
    for (unsigned i = 0; i < 3 * PAGE_SIZE; i++)
        ((uint8_t *)mmu_page(&g, A + i / PAGE_SIZE))[i % PAGE_SIZE] =
            (uint8_t)(i * 7 + i / 251);
}

static void audit(void)
{
    fake.console_echo = true;
    ck_assert_uint_eq(frame_audit(), 0);
}

static guest_va at(uint64_t va)
{
    return (guest_va){va};
}

static uint8_t pattern(unsigned i)
{
    return (uint8_t)(i * 7 + i / 251);
}

START_TEST(test_copy_in_crosses_pages)
{
    for (unsigned start = 0; start < PAGE_SIZE; start += 511) {
        memset(buffer, 0, sizeof(buffer));
        ck_assert_uint_eq(copy_in(buffer, at(mmu_va(A) + start), 2 * PAGE_SIZE),
                          0);
        for (unsigned i = 0; i < 2 * PAGE_SIZE; i++)
            ck_assert_uint_eq(buffer[i], pattern(start + i));
        ck_assert_uint_eq(buffer[2 * PAGE_SIZE], 0);
    }
}
END_TEST

START_TEST(test_copy_out_crosses_pages_that_lie_apart)
{
    ck_assert_int_eq(
        mmu_map_va(&g, mmu_va(B), mmu_entry(&g, 50, MMU_WRITABLE), 0), 0);
    memset(buffer, 0x5a, sizeof(buffer));
    ck_assert_uint_eq(copy_out(at(mmu_va(A) + 4000), buffer, 5000), 0);
    ck_assert_uint_eq(((uint8_t *)mmu_page(&g, A))[3999], pattern(3999));
    ck_assert_uint_eq(((uint8_t *)mmu_page(&g, A))[4095], 0x5a);
    ck_assert_uint_eq(((uint8_t *)mmu_page(&g, 50))[0], 0x5a);
    ck_assert_uint_eq(((uint8_t *)mmu_page(&g, 50))[4095], 0x5a);
    ck_assert_uint_eq(((uint8_t *)mmu_page(&g, B))[0], pattern(4096));
    ck_assert_uint_eq(((uint8_t *)mmu_page(&g, C))[5000 - 96 - 4096 - 1], 0x5a);
    ck_assert_uint_eq(((uint8_t *)mmu_page(&g, C))[5000 - 96 - 4096],
                      pattern(2 * 4096 + 5000 - 96 - 4096));
}
END_TEST

START_TEST(test_clear_out_zeroes)
{
    ck_assert_uint_eq(clear_out(at(mmu_va(A) + 1), PAGE_SIZE), 0);
    ck_assert_uint_eq(((uint8_t *)mmu_page(&g, A))[0], pattern(0));
    ck_assert_uint_eq(((uint8_t *)mmu_page(&g, A))[1], 0);
    ck_assert_uint_eq(((uint8_t *)mmu_page(&g, B))[0], 0);
    ck_assert_uint_eq(((uint8_t *)mmu_page(&g, B))[1], pattern(4097));
}
END_TEST

START_TEST(test_copy_of_nothing_needs_no_mapping)
{
    ck_assert_uint_eq(copy_in(buffer, at(0x1234), 0), 0);
    ck_assert_uint_eq(copy_out(at(~0ull), buffer, 0), 0);
    ck_assert_uint_eq(clear_out(at(HYPERVISOR_VIRT_START), 0), 0);
}
END_TEST

START_TEST(test_copy_stops_at_a_hole_and_says_how_much_is_left)
{
    ck_assert_int_eq(mmu_map_va(&g, mmu_va(C), 0, 0), 0);
    memset(buffer, 0, sizeof(buffer));
    ck_assert_uint_eq(copy_in(buffer, at(mmu_va(B) + 96), 3 * PAGE_SIZE),
                      3 * PAGE_SIZE - 4000);
    ck_assert_uint_eq(buffer[3999], pattern(2 * 4096 - 1));
    ck_assert_uint_eq(buffer[4000], 0);
    ck_assert_uint_eq(copy_out(at(mmu_va(A)), buffer, 3 * PAGE_SIZE),
                      PAGE_SIZE);
    ck_assert_uint_eq(clear_out(at(mmu_va(B) + 4095), 2), 1);
}
END_TEST

/* All three find nothing at `va`. */
static void refused(uint64_t va)
{
    ck_assert_uint_eq(copy_in(buffer, at(va), 8), 8);
    ck_assert_uint_eq(copy_out(at(va), buffer, 8), 8);
    ck_assert_uint_eq(clear_out(at(va), 8), 8);
    ck_assert_ptr_null(guest_translate(g.v->kernel_root, va, WALK_READ));
}

START_TEST(test_copy_refuses_addresses_that_are_not_the_guests)
{
    static const uint64_t bad[] = {
        0x0000800000000000, 0x0000ffffffffffff, 0x8000000000000000,
        0xffff7fffffffffff, 0xfffe888000000000, HYPERVISOR_VIRT_START,
        MACH2PHYS_VIRT_END, 0xffff810000000000, HYPERVISOR_VIRT_END - 8,
    };

    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        ck_assert(!guest_va_is_usable(bad[i]));
        refused(bad[i]);
    }
    ck_assert(guest_va_is_usable(0));
    ck_assert(guest_va_is_usable(0x7fffffffffff));
    ck_assert(guest_va_is_usable(HYPERVISOR_VIRT_END));
    ck_assert(guest_va_is_usable(~0ull));
    ck_assert(!guest_va_is_usable(HYPERVISOR_VIRT_START - 1)); /* no such */
}
END_TEST

START_TEST(test_copy_does_not_run_over_the_end_of_a_half)
{
    refused(0x7ffffffffff8);
    ck_assert_uint_eq(copy_in(buffer, at(~0ull - 7), 16), 16);
    ck_assert_uint_eq(copy_in(buffer, at(0x7fffffffffff), 16), 16);
}
END_TEST

START_TEST(test_copy_refuses_what_is_absent_at_any_level)
{
    refused(0x400000);              /* no L4 entry */
    refused(MMU_VA + (1ull << 30)); /* no L3 entry */
    refused(MMU_VA + (2ull << 20)); /* no L2 entry */
    refused(mmu_va(MMU_PAGES));     /* no L1 entry */
    g.v->kernel_root = MFN_INVALID;
    refused(mmu_va(A));
    g.v->kernel_root = g.frame[MMU_L4];
}
END_TEST

/* Write is needed at every level, for stores only. */
START_TEST(test_copy_out_needs_write_at_every_level)
{
    static const unsigned tables[] = {MMU_L4, MMU_L3, MMU_L2, MMU_L1};

    for (unsigned i = 0; i < 4; i++) {
        unsigned index = i == 3 ? A : pt_index(MMU_VA, 4 - i);
        uint64_t *entry = &mmu_page(&g, tables[i])[index];

        *entry &= ~PTE_WRITE;
        ck_assert_uint_eq(copy_out(at(mmu_va(A)), buffer, 8), 8);
        ck_assert_uint_eq(clear_out(at(mmu_va(A)), 8), 8);
        ck_assert_uint_eq(copy_in(buffer, at(mmu_va(A)), 8), 0);
        *entry |= PTE_WRITE;
        ck_assert_uint_eq(copy_out(at(mmu_va(A)), buffer, 8), 0);
    }
    ck_assert_uint_eq(copy_out(at(mmu_va(MMU_L1)), buffer, 8), 8);
    ck_assert_uint_eq(copy_in(buffer, at(mmu_va(MMU_L1)), 8), 0);
}
END_TEST

START_TEST(test_copy_refuses_device_memory)
{
    ck_assert_int_eq(rangeset_add(g.d->io_frames, DEVICE.n, DEVICE.n), 0);
    ck_assert_int_eq(
        mmu_map_va(&g, mmu_va(100), pte_make(DEVICE, MMU_WRITABLE), 0), 0);
    refused(mmu_va(100));
}
END_TEST

START_TEST(test_walk_says_how_far_it_came)
{
    struct walk w;

    guest_walk(g.v->kernel_root, mmu_va(A) + 5, &w);
    ck_assert(w.entry[w.level] & PTE_PRESENT);
    ck_assert_uint_eq(w.level, 1);
    ck_assert_uint_eq(w.table[4].n, g.frame[MMU_L4].n);
    ck_assert_uint_eq(w.table[3].n, g.frame[MMU_L3].n);
    ck_assert_uint_eq(w.table[2].n, g.frame[MMU_L2].n);
    ck_assert_uint_eq(w.table[1].n, g.frame[MMU_L1].n);
    ck_assert_uint_eq(w.entry[1], mmu_page(&g, MMU_L1)[A]);
    guest_walk(g.v->kernel_root, MMU_VA + (2ull << 20), &w);
    ck_assert(!(w.entry[w.level] & PTE_PRESENT));
    ck_assert_uint_eq(w.level, 2);
    guest_walk(g.v->kernel_root, mmu_va(MMU_PAGES), &w);
    ck_assert(!(w.entry[w.level] & PTE_PRESENT));
    ck_assert_uint_eq(w.level, 1);
}
END_TEST

START_TEST(test_copy_by_another_root_uses_that_root)
{
    mfn_t other = arch_frame_of(frames_alloc(0));

    ck_assert(fake_guest_map(other, 0x1000, g.frame[A],
                             PTE_PRESENT | PTE_WRITE | PTE_USER));
    ck_assert_uint_eq(copy_in_root(other, buffer, 0x1010, 16), 0);
    ck_assert_uint_eq(buffer[0], pattern(16));
    buffer[0] = 0xcc;
    ck_assert_uint_eq(copy_out_root(other, 0x1000, buffer, 1), 0);
    ck_assert_uint_eq(((uint8_t *)mmu_page(&g, A))[0], 0xcc);
    ck_assert_uint_eq(copy_in(buffer, at(0x1010), 16), 16);
    ck_assert_uint_eq(copy_in_root(other, buffer, mmu_va(A), 16), 16);
    ck_assert_uint_eq(copy_in_root(MFN_INVALID, buffer, 0x1000, 16), 16);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("guest_copy");
    TCase *t = tcase_create("guest_copy");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, setup, audit);
    tcase_add_test(t, test_copy_in_crosses_pages);
    tcase_add_test(t, test_copy_out_crosses_pages_that_lie_apart);
    tcase_add_test(t, test_clear_out_zeroes);
    tcase_add_test(t, test_copy_of_nothing_needs_no_mapping);
    tcase_add_test(t, test_copy_stops_at_a_hole_and_says_how_much_is_left);
    tcase_add_test(t, test_copy_refuses_addresses_that_are_not_the_guests);
    tcase_add_test(t, test_copy_does_not_run_over_the_end_of_a_half);
    tcase_add_test(t, test_copy_refuses_what_is_absent_at_any_level);
    tcase_add_test(t, test_copy_out_needs_write_at_every_level);
    tcase_add_test(t, test_copy_refuses_device_memory);
    tcase_add_test(t, test_walk_says_how_far_it_came);
    tcase_add_test(t, test_copy_by_another_root_uses_that_root);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
