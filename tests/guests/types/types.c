/* SPDX-License-Identifier: MIT */
/*
 * Frames and their types: what may be mapped, pinned and loaded, and what is
 * refused. A frame is never a table and writable at once.
 */
#include "memory.h"
#include "trap.h"

#include "hypercall_abi/vm_assist.h"

#define EINVAL 22
#define ESRCH 3
#define ENOSYS 38

const char guest_name[] = "types";

static char window[PAGE_SIZE] __attribute__((aligned(4096)));
static uint64_t window_pte;

void guest_init(void)
{
    user_init();
    window_pte = mfn_of(window) << 12 | PTE_RW_PAGE;
}

static uint64_t ro(const void *page)
{
    return mfn_of(page) << 12 | PTE_RO_PAGE;
}

static uint64_t rw(const void *page)
{
    return mfn_of(page) << 12 | PTE_RW_PAGE;
}

static uint64_t table_entry(const void *page)
{
    return mfn_of(page) << 12 | PTE_TABLE;
}

/* A zeroed page that is mapped read-only, ready to become a table. */
static uint64_t *new_table(void)
{
    uint64_t *page = page_alloc();

    EXPECT_EQ(page_set_ro(page), 0);
    return page;
}

/* A table with one entry. */
static uint64_t *new_table_with(unsigned index, uint64_t entry)
{
    uint64_t *page = page_alloc();

    page[index] = entry;
    EXPECT_EQ(page_set_ro(page), 0);
    return page;
}

static long pin(unsigned level, const void *page)
{
    return mmuext(MMUEXT_PIN_L1_TABLE + level - 1, mfn_of(page), 0);
}

static long unpin(const void *page)
{
    return mmuext(MMUEXT_UNPIN_TABLE, mfn_of(page), 0);
}

static void expect_refused(long result)
{
    EXPECT(result < 0);
    EXPECT(result > -4096);
}

/* ---- pinning ------------------------------------------------------------ */

TEST(pin_and_unpin_every_level)
{
    for (unsigned level = 1; level <= 4; level++) {
        uint64_t *page = new_table();

        EXPECT_EQ(pin(level, page), 0);
        EXPECT_EQ(unpin(page), 0);
        EXPECT_EQ(page_set_rw(page), 0);
    }
}

TEST(pin_with_writable_alias_is_refused)
{
    uint64_t *page = page_alloc();

    EXPECT_EQ(pin(1, page), -EINVAL);
    EXPECT_EQ(page_set_ro(page), 0);
    EXPECT_EQ(page_map(window, rw(page)), 0);
    EXPECT_EQ(pin(1, page), -EINVAL);
    EXPECT_EQ(page_map(window, ro(page)), 0);
    EXPECT_EQ(pin(1, page), 0);
    EXPECT_EQ(unpin(page), 0);
    EXPECT_EQ(page_map(window, window_pte), 0);
    EXPECT_EQ(page_set_rw(page), 0);
}

TEST(writable_mapping_of_table_is_refused)
{
    uint64_t *page = new_table();

    EXPECT_EQ(pin(1, page), 0);
    expect_refused(page_set_rw(page));
    expect_refused(page_map(window, rw(page)));
    EXPECT_EQ(page_map(window, ro(page)), 0);
    EXPECT_EQ(page_map(window, window_pte), 0);
    EXPECT_EQ(unpin(page), 0);
    EXPECT_EQ(page_set_rw(page), 0);
}

TEST(writable_mapping_of_root_is_refused)
{
    expect_refused(page_map(window, rw(root_table())));
    expect_refused(page_map(window, rw(user_root_page)));
    EXPECT_EQ(page_map(window, window_pte), 0);
}

TEST(double_pin_is_refused)
{
    uint64_t *page = new_table();

    EXPECT_EQ(pin(2, page), 0);
    EXPECT_EQ(pin(2, page), -EINVAL);
    EXPECT_EQ(unpin(page), 0);
    EXPECT_EQ(page_set_rw(page), 0);
}

TEST(pin_as_another_level_is_refused)
{
    uint64_t *page = new_table();

    EXPECT_EQ(pin(1, page), 0);
    for (unsigned level = 2; level <= 4; level++)
        EXPECT_EQ(pin(level, page), -EINVAL);
    EXPECT_EQ(unpin(page), 0);
    EXPECT_EQ(pin(3, page), 0);
    EXPECT_EQ(unpin(page), 0);
    EXPECT_EQ(page_set_rw(page), 0);
}

TEST(unpin_of_what_is_not_pinned)
{
    uint64_t *page = new_table();

    EXPECT_EQ(unpin(page), -EINVAL);
    EXPECT_EQ(unpin(user_l1_page), -EINVAL);
    EXPECT_EQ(mmuext(MMUEXT_UNPIN_TABLE, 0xfffffffff, 0), -EINVAL);
}

TEST(pin_of_frames_that_are_not_ours)
{
    for (unsigned level = 1; level <= 4; level++) {
        expect_refused(mmuext(MMUEXT_PIN_L1_TABLE + level - 1, ~0ul, 0));
        expect_refused(mmuext(MMUEXT_PIN_L1_TABLE + level - 1, 0, 0));
        expect_refused(mmuext(MMUEXT_PIN_L1_TABLE + level - 1, 1ul << 40, 0));
        expect_refused(mmuext(MMUEXT_PIN_L1_TABLE + level - 1,
                              start_info->shared_info >> 12, 0));
    }
}

/* ---- what a table may hold ---------------------------------------------- */

static void expect_no_table(unsigned level, uint64_t entry)
{
    uint64_t *page = new_table_with(7, entry);

    expect_refused(pin(level, page));
    EXPECT_EQ(page_set_rw(page), 0);
}

TEST(table_that_maps_a_table_writable)
{
    uint64_t *l1 = new_table();

    EXPECT_EQ(pin(1, l1), 0);
    expect_no_table(1, rw(l1));
    EXPECT_EQ(unpin(l1), 0);
    expect_no_table(1, rw(root_table()));
}

TEST(table_that_maps_itself)
{
    uint64_t *page = page_alloc();

    page[0] = rw(page);
    EXPECT_EQ(page_set_ro(page), 0);
    for (unsigned level = 1; level <= 4; level++)
        expect_refused(pin(level, page));
    EXPECT_EQ(page_set_rw(page), 0);
}

/* Read-only, an L1 table may. */
TEST(l1_that_maps_itself_read_only)
{
    uint64_t *page = page_alloc();

    page[0] = ro(page);
    EXPECT_EQ(page_set_ro(page), 0);
    EXPECT_EQ(pin(1, page), 0);
    EXPECT_EQ(unpin(page), 0);
    EXPECT_EQ(page_set_rw(page), 0);
}

TEST(cycle_of_tables)
{
    uint64_t *a = page_alloc(), *b = page_alloc();

    a[0] = table_entry(b);
    b[0] = table_entry(a);
    EXPECT_EQ(page_set_ro(a), 0);
    EXPECT_EQ(page_set_ro(b), 0);
    for (unsigned level = 2; level <= 4; level++) {
        expect_refused(pin(level, a));
        expect_refused(pin(level, b));
    }
    EXPECT_EQ(page_set_rw(a), 0);
    EXPECT_EQ(page_set_rw(b), 0);
}

TEST(wrong_level_below)
{
    uint64_t *l1 = new_table(), *l2 = new_table(), *l3 = new_table();

    EXPECT_EQ(pin(1, l1), 0);
    EXPECT_EQ(pin(2, l2), 0);
    EXPECT_EQ(pin(3, l3), 0);
    expect_no_table(2, table_entry(l2));
    expect_no_table(2, table_entry(l3));
    expect_no_table(3, table_entry(l1));
    expect_no_table(3, table_entry(l3));
    expect_no_table(4, table_entry(l1));
    expect_no_table(4, table_entry(l2));
    expect_no_table(4, table_entry(root_table()));
    EXPECT_EQ(unpin(l1), 0);
    EXPECT_EQ(unpin(l2), 0);
    EXPECT_EQ(unpin(l3), 0);
}

TEST(large_pages_are_refused)
{
    expect_no_table(2, rw(window) | PTE_PSE);
    expect_no_table(3, rw(window) | PTE_PSE);
    expect_no_table(4, ro(window) | PTE_PSE);
    expect_no_table(2, PTE_RW_PAGE | PTE_PSE);
}

TEST(cache_bits_in_upper_levels_are_refused)
{
    uint64_t *l1 = new_table();

    EXPECT_EQ(pin(1, l1), 0);
    expect_no_table(2, table_entry(l1) | PTE_G);
    EXPECT_EQ(unpin(l1), 0);
}

TEST(table_with_a_writable_page_below)
{
    uint64_t *l1 = page_alloc();

    expect_no_table(2, table_entry(l1));
    EXPECT_EQ(page_set_ro(l1), 0);
}

TEST(failed_pin_lets_go_of_everything)
{
    uint64_t *l1 = new_table(), *l2 = page_alloc();

    l2[0] = table_entry(l1);
    l2[511] = rw(window) | PTE_PSE;
    EXPECT_EQ(page_set_ro(l2), 0);
    expect_refused(pin(2, l2));
    EXPECT_EQ(page_set_rw(l1), 0);
    EXPECT_EQ(page_set_rw(l2), 0);
}

TEST(unpin_lets_go_of_everything)
{
    uint64_t *l1 = new_table_with(3, rw(window));
    uint64_t *l2 = new_table_with(4, table_entry(l1));
    uint64_t *l3 = new_table_with(5, table_entry(l2));
    uint64_t *l4 = new_table_with(6, table_entry(l3));

    EXPECT_EQ(pin(4, l4), 0);
    expect_refused(page_set_rw(l1));
    expect_refused(page_set_rw(l2));
    expect_refused(page_set_rw(l3));
    expect_refused(page_set_rw(l4));
    EXPECT_EQ(unpin(l4), 0);
    EXPECT_EQ(page_set_rw(l1), 0);
    EXPECT_EQ(page_set_rw(l2), 0);
    EXPECT_EQ(page_set_rw(l3), 0);
    EXPECT_EQ(page_set_rw(l4), 0);
}

TEST(not_present_entries_may_be_anything)
{
    uint64_t *page = page_alloc();

    for (unsigned i = 0; i < 512; i++)
        page[i] = (0x0123456789abcdeful * (i + 1)) & ~PTE_P;
    EXPECT_EQ(page_set_ro(page), 0);
    for (unsigned level = 1; level <= 3; level++) {
        EXPECT_EQ(pin(level, page), 0);
        EXPECT_EQ(page[5], (0x0123456789abcdeful * 6) & ~PTE_P);
        EXPECT_EQ(unpin(page), 0);
    }
    EXPECT_EQ(page_set_rw(page), 0);
}

TEST(software_bits_are_kept)
{
    uint64_t bits = 0x7feul << 52, *page;

    page = new_table_with(1, rw(window) | bits | 0xe00);
    EXPECT_EQ(pin(1, page), 0);
    EXPECT_EQ(page[1] & (bits | 0xe00), bits | 0xe00);
    EXPECT_EQ(unpin(page), 0);
}

TEST(user_bit_is_forced)
{
    uint64_t *l1 = new_table_with(1, rw(window) & ~PTE_US);
    uint64_t *l2 = new_table_with(2, table_entry(l1) & ~PTE_US);

    EXPECT_EQ(pin(2, l2), 0);
    EXPECT_EQ(l1[1] & PTE_US, PTE_US);
    EXPECT_EQ(l2[2] & PTE_US, PTE_US);
    EXPECT_EQ(unpin(l2), 0);
}

/* ---- roots -------------------------------------------------------------- */

TEST(hypervisor_slots_cannot_be_written)
{
    for (unsigned slot = 256; slot <= 271; slot++) {
        uint64_t before = root_table()[slot];

        EXPECT_EQ(pte_write(&root_table()[slot], 0), -EINVAL);
        EXPECT_EQ(pte_write(&root_table()[slot], table_entry(user_l3_page)),
                  -EINVAL);
        EXPECT_EQ(root_table()[slot], before);
    }
}

TEST(hypervisor_slots_are_filled_in)
{
    uint64_t *page = new_table_with(256, 0xdead000);

    EXPECT_EQ(pin(4, page), 0);
    EXPECT(page[256] != 0xdead000);
    EXPECT_EQ(unpin(page), 0);
}

TEST(new_root_and_back)
{
    uint64_t *root = page_alloc(), *m2p = (uint64_t *)MACH2PHYS_VIRT_START;
    uint64_t old = mfn_of(root_table());

    for (unsigned i = 0; i < 512; i++)
        root[i] = i < 256 || i > 271 ? root_table()[i] : 0;
    EXPECT_EQ(page_set_ro(root), 0);
    EXPECT_EQ(mmuext(MMUEXT_NEW_BASEPTR, mfn_of(root), 0), 0);
    EXPECT_EQ(va_of_mfn(mfn_of(window)), window);
    EXPECT(m2p[old] != 0);
    expect_refused(page_set_rw(root));
    EXPECT_EQ(mmuext(MMUEXT_NEW_BASEPTR, old, 0), 0);
    EXPECT_EQ(page_set_rw(root), 0);
}

TEST(bad_roots_are_refused)
{
    uint64_t *l3 = new_table();

    expect_refused(mmuext(MMUEXT_NEW_BASEPTR, mfn_of(window), 0));
    expect_refused(mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(window), 0));
    expect_refused(mmuext(MMUEXT_NEW_BASEPTR, ~0ul, 0));
    expect_refused(mmuext(MMUEXT_NEW_USER_BASEPTR, ~0ul, 0));
    EXPECT_EQ(pin(3, l3), 0);
    expect_refused(mmuext(MMUEXT_NEW_BASEPTR, mfn_of(l3), 0));
    expect_refused(mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(l3), 0));
    EXPECT_EQ(unpin(l3), 0);
}

TEST(user_root_none_and_back)
{
    EXPECT_EQ(mmuext(MMUEXT_NEW_USER_BASEPTR, 0, 0), 0);
    EXPECT_EQ(mmuext(MMUEXT_NEW_USER_BASEPTR, user_root_mfn, 0), 0);
}

/* The builder's root may be unpinned while it is in use. */
TEST(unpin_of_the_live_root)
{
    EXPECT_EQ(unpin(root_table()), 0);
    expect_refused(page_map(window, rw(root_table())));
    EXPECT_EQ(pin(4, root_table()), 0);
}

TEST(root_entry_appears_at_once)
{
    uint64_t *l1 = new_table_with(0, rw(window));
    uint64_t *l2 = new_table_with(0, table_entry(l1));
    uint64_t *l3 = new_table_with(0, table_entry(l2));
    volatile uint64_t *there = (uint64_t *)(300ul << 39 | 0xfffful << 48);
    uint64_t *slot = &root_table()[300];

    EXPECT_EQ(pte_write(slot, table_entry(l3)), 0);
    *(uint64_t *)window = 0x5ca1ab1e;
    EXPECT_EQ(*there, 0x5ca1ab1e);
    *there = 0x0ddba11;
    EXPECT_EQ(*(volatile uint64_t *)window, 0x0ddba11);
    EXPECT_EQ(pte_write(slot, 0), 0);
    EXPECT_EQ(page_set_rw(l1), 0);
    EXPECT_EQ(page_set_rw(l3), 0);
}

/* ---- entries that name frames of others --------------------------------- */

TEST(frames_of_the_hypervisor)
{
    const uint64_t *m2p = (const uint64_t *)MACH2PHYS_VIRT_START;
    const uint64_t *p2m = (const uint64_t *)start_info->mfn_list;
    unsigned mapped = 0;

    for (uint64_t mfn = 0x100; mfn < 0x1f000; mfn += 13) {
        bool ours = m2p[mfn] < start_info->nr_pages && p2m[m2p[mfn]] == mfn;

        if (ours || mfn == start_info->shared_info >> 12)
            continue;
        if (!page_map(window, mfn << 12 | PTE_RO_PAGE) ||
            !page_map(window, mfn << 12 | PTE_RW_PAGE))
            mapped++;
    }
    EXPECT_EQ(mapped, 0);
    EXPECT_EQ(page_map(window, window_pte), 0);
}

TEST(frames_beyond_the_address_width)
{
    expect_refused(page_map(window, 1ul << 48 | PTE_RW_PAGE));
    expect_refused(page_map(window, PTE_FRAME | PTE_RW_PAGE));
    expect_no_table(1, 1ul << 50 | PTE_RW_PAGE);
    expect_no_table(2, 1ul << 50 | PTE_TABLE);
    EXPECT_EQ(page_map(window, window_pte), 0);
}

TEST(device_frames_may_be_mapped)
{
    EXPECT_EQ(page_map(window, 0xb8000 | PTE_RW_PAGE), 0);
    EXPECT_EQ(page_map(window, window_pte), 0);
}

TEST(io_apic_may_be_mapped_read_only)
{
    EXPECT_EQ(page_map(window, 0xfec00000 | PTE_RO_PAGE | PTE_PCD), 0);
    EXPECT_EQ(page_map(window, window_pte), 0);
}

TEST(device_frames_are_no_tables)
{
    expect_no_table(2, 0xb8000 | PTE_TABLE);
    expect_no_table(3, 0xb8000 | PTE_TABLE);
}

/* ---- mmu_update --------------------------------------------------------- */

TEST(update_of_ordinary_page_is_a_store)
{
    uint64_t *page = page_alloc();

    EXPECT_EQ(pte_write(&page[9], 0x123456789abcdef0), 0);
    EXPECT_EQ(page[9], 0x123456789abcdef0);
}

TEST(updates_count_what_is_done)
{
    uint64_t *page = new_table();
    struct mmu_update u[3] = {
        {maddr_of(&page[0]), ro(window)},
        {maddr_of(&page[1]), rw(root_table())},
        {maddr_of(&page[2]), ro(window)},
    };
    uint32_t done = 77;

    EXPECT_EQ(pin(1, page), 0);
    expect_refused(hc_mmu_update(ARG(u), 3, ARG(&done), DOMID_SELF));
    EXPECT_EQ(done, 1);
    EXPECT(page[0] & PTE_P);
    EXPECT_EQ(page[2], 0);
    EXPECT_EQ(hc_mmu_update(ARG(u), 1, 0, DOMID_SELF), 0);
    EXPECT_EQ(hc_mmu_update(ARG(u), 0, ARG(&done), DOMID_SELF), 0);
    EXPECT_EQ(done, 0);
    EXPECT_EQ(unpin(page), 0);
}

TEST(preserve_ad)
{
    uint64_t *page = new_table_with(0, rw(window));
    struct mmu_update u = {maddr_of(page) | MMU_PT_UPDATE_PRESERVE_AD,
                           mfn_of(window) << 12 | PTE_P | PTE_US};

    EXPECT_EQ(pin(1, page), 0);
    EXPECT_EQ(hc_mmu_update(ARG(&u), 1, 0, DOMID_SELF), 0);
    EXPECT_EQ(page[0] & (PTE_A | PTE_D | PTE_RW), PTE_A | PTE_D);
    u.ptr = maddr_of(page);
    EXPECT_EQ(hc_mmu_update(ARG(&u), 1, 0, DOMID_SELF), 0);
    EXPECT_EQ(page[0] & (PTE_A | PTE_D | PTE_RW), 0);
    EXPECT_EQ(unpin(page), 0);
}

TEST(machphys_update)
{
    const volatile uint64_t *m2p = (const uint64_t *)MACH2PHYS_VIRT_START;
    uint64_t mfn = mfn_of(window), pfn = m2p[mfn];
    struct mmu_update u = {mfn << 12 | MMU_MACHPHYS_UPDATE, 0x4321};

    EXPECT_EQ(hc_mmu_update(ARG(&u), 1, 0, DOMID_SELF), 0);
    EXPECT_EQ(m2p[mfn], 0x4321);
    u.val = pfn;
    EXPECT_EQ(hc_mmu_update(ARG(&u), 1, 0, DOMID_SELF), 0);
    EXPECT_EQ(m2p[mfn], pfn);
    u.ptr = 0xffffffffff000 | MMU_MACHPHYS_UPDATE;
    EXPECT_EQ(hc_mmu_update(ARG(&u), 1, 0, DOMID_SELF), -EINVAL);
}

TEST(update_of_frames_of_others)
{
    struct mmu_update u = {0xfffffff000, 0};

    expect_refused(hc_mmu_update(ARG(&u), 1, 0, DOMID_SELF));
    u.ptr = 0x1000;
    expect_refused(hc_mmu_update(ARG(&u), 1, 0, DOMID_SELF));
}

TEST(update_for_unknown_domains)
{
    uint64_t *page = page_alloc();
    struct mmu_update u = {maddr_of(page), 0};

    EXPECT_EQ(hc_mmu_update(ARG(&u), 1, 0, 77), -ESRCH);
    EXPECT_EQ(hc_mmu_update(ARG(&u), 1, 0, 78u << 16 | DOMID_SELF), -ESRCH);
}

/* ---- update_va_mapping -------------------------------------------------- */

TEST(va_mapping_needs_a_table)
{
    EXPECT_EQ(hc_update_va_mapping(USER_BASE + (1ul << 30), 0, 0), -EINVAL);
    EXPECT_EQ(hc_update_va_mapping(0x7f0000000000, rw(window), 0), -EINVAL);
}

TEST(va_mapping_of_hypervisor_addresses)
{
    EXPECT_EQ(hc_update_va_mapping(MACH2PHYS_VIRT_START, 0, 0), -EINVAL);
    EXPECT_EQ(hc_update_va_mapping(0xffff830000000000, rw(window), 0), -EINVAL);
}

TEST(va_mapping_empty_and_back)
{
    EXPECT_EQ(hc_update_va_mapping(ARG(window), 0, UVMF_INVLPG), 0);
    EXPECT_EQ(hc_update_va_mapping(ARG(window), 0, UVMF_INVLPG), 0);
    EXPECT_EQ(hc_update_va_mapping(ARG(window), window_pte,
                                   UVMF_TLB_FLUSH | UVMF_ALL),
              0);
    *(volatile char *)window = 1;
}

TEST(va_mapping_flushes_for_a_bitmap)
{
    uint64_t cpus = ~0ul;

    EXPECT_EQ(
        hc_update_va_mapping(ARG(window), window_pte, UVMF_INVLPG | ARG(&cpus)),
        0);
    EXPECT_EQ(hc_update_va_mapping(ARG(window), window_pte,
                                   UVMF_TLB_FLUSH | ARG(&cpus)),
              0);
}

/* ---- stores to live tables ---------------------------------------------- */

static uint64_t *live; /* an entry of a live L1 table that maps nothing */
static uint64_t operand, result;

static void store_byte(uint64_t at)
{
    __asm__ volatile("movb %b0, (%1)" : : "r"(operand), "r"(at) : "memory");
}

static void store_word(uint64_t at)
{
    __asm__ volatile("movw %w0, (%1)" : : "r"(operand), "r"(at) : "memory");
}

static void store_long(uint64_t at)
{
    __asm__ volatile("movl %k0, (%1)" : : "r"(operand), "r"(at) : "memory");
}

static void store_quad(uint64_t at)
{
    __asm__ volatile("movq %0, (%1)" : : "r"(operand), "r"(at) : "memory");
}

static void store_immediate(uint64_t at)
{
    __asm__ volatile("movq $0x12340, (%0)" : : "r"(at) : "memory");
}

static void exchange(uint64_t at)
{
    result = operand;
    __asm__ volatile("xchgq %0, (%1)" : "+r"(result) : "r"(at) : "memory");
}

static void and_byte(uint64_t at)
{
    __asm__ volatile("lock andb $0xf5, (%0)" : : "r"(at) : "memory", "cc");
}

static void or_quad(uint64_t at)
{
    __asm__ volatile("lock orq %0, (%1)"
                     :
                     : "r"(operand), "r"(at)
                     : "memory", "cc");
}

static void reset_bit(uint64_t at)
{
    uint8_t carry;

    __asm__ volatile("lock btrq %2, (%1); setc %0"
                     : "=r"(carry)
                     : "r"(at), "r"(operand)
                     : "memory", "cc");
    result = carry;
}

static void set_bit(uint64_t at)
{
    uint8_t carry;

    __asm__ volatile("lock btsq $9, (%1); setc %0"
                     : "=r"(carry)
                     : "r"(at)
                     : "memory", "cc");
    result = carry;
}

static uint64_t expected;

static void compare_exchange(uint64_t at)
{
    uint8_t zero;
    uint64_t old = expected;

    __asm__ volatile("lock cmpxchgq %3, (%2); setz %1"
                     : "+a"(old), "=q"(zero)
                     : "r"(at), "r"(operand)
                     : "memory", "cc");
    result = old;
    expected = zero;
}

/* Does it to the entry, which holds old before and wanted afterwards. */
static void store(void (*how)(uint64_t), unsigned offset, uint64_t old,
                  uint64_t wanted)
{
    EXPECT_EQ(pte_write(live, old), 0);
    EXPECT_EQ(trap_try(how, (uint64_t)live + offset), ENTRY_NONE);
    EXPECT_EQ(*(volatile uint64_t *)live, wanted);
}

TEST(stores_to_l1_are_emulated)
{
    EXPECT_EQ(hc_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables),
              0);
    live = (uint64_t *)user_l1_page + 200;
    operand = 0xfedcba9876543210;
    store(store_quad, 0, 0, operand);
    store(store_long, 0, 0, 0x76543210);
    store(store_long, 4, 0, 0x7654321000000000);
    store(store_word, 2, 0x1111111111111110, 0x1111111132101110);
    store(store_byte, 7, 0x1111111111111110, 0x1011111111111110);
    store(store_immediate, 0, 0x1111111111111110, 0x12340);
}

TEST(exchange_with_l1)
{
    operand = 0xabcde0;
    store(exchange, 0, 0x1234567812345678, 0xabcde0);
    EXPECT_EQ(result, 0x1234567812345678);
}

TEST(locked_logic_on_l1)
{
    store(and_byte, 0, 0x12345678123456fe, 0x12345678123456f4);
    operand = 0xf0000;
    store(or_quad, 0, 0x100, 0xf0100);
    operand = 8;
    store(reset_bit, 0, 0x300, 0x200);
    EXPECT_EQ(result, 1);
    operand = 10;
    store(reset_bit, 0, 0x300, 0x300);
    EXPECT_EQ(result, 0);
    store(set_bit, 0, 0x100, 0x300);
    EXPECT_EQ(result, 0);
}

TEST(compare_exchange_on_l1)
{
    operand = 0x7770;
    expected = 0x5550;
    store(compare_exchange, 0, 0x5550, 0x7770);
    EXPECT_EQ(expected, 1);
    EXPECT_EQ(result, 0x5550);
    expected = 0x5552;
    store(compare_exchange, 0, 0x5550, 0x5550);
    EXPECT_EQ(expected, 0);
    EXPECT_EQ(result, 0x5550);
}

/* The emulated entry is checked and takes effect as any other. */
TEST(emulated_entry_maps)
{
    volatile uint64_t *there = (uint64_t *)(USER_BASE + (200ul << 12));

    *(uint64_t *)window = 0x600d;
    operand = rw(window);
    EXPECT_EQ(pte_write(live, 0), 0);
    EXPECT_EQ(trap_try(store_quad, ARG(live)), ENTRY_NONE);
    EXPECT_EQ(*there, 0x600d);
    *there = 5;
    EXPECT_EQ(*live & (PTE_A | PTE_D), PTE_A | PTE_D);
    operand = 0;
    EXPECT_EQ(trap_try(exchange, ARG(live)), ENTRY_NONE);
    EXPECT_EQ(result & PTE_FRAME, rw(window) & PTE_FRAME);
    EXPECT_EQ(result & (PTE_A | PTE_D), PTE_A | PTE_D);
    EXPECT_EQ(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0), 0);
}

TEST(write_protecting_by_a_byte)
{
    EXPECT_EQ(pte_write(live, rw(window)), 0);
    EXPECT_EQ(trap_try(and_byte, ARG(live)), ENTRY_NONE);
    EXPECT_EQ(*live & ~PTE_G, rw(window) & ~0xaul);
    EXPECT_EQ(pte_write(live, 0), 0);
    EXPECT_EQ(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0), 0);
}

TEST(bad_emulated_entry_is_a_page_fault)
{
    operand = rw(root_table());
    EXPECT_EQ(pte_write(live, 0x550), 0);
    EXPECT_EQ(trap_try(store_quad, ARG(live)), EXC_PF);
    EXPECT_EQ(trap.error_code, 3);
    EXPECT_EQ(trap.cr2, ARG(live));
    EXPECT_EQ(*live, 0x550);
    EXPECT_EQ(pte_write(live, 0), 0);
}

TEST(stores_to_upper_levels_are_page_faults)
{
    uint64_t before = root_table()[1];

    operand = 0;
    EXPECT_EQ(trap_try(store_quad, ARG(&root_table()[1])), EXC_PF);
    EXPECT_EQ(trap.error_code, 3);
    EXPECT_EQ(trap_try(exchange, ARG(user_l3_page)), EXC_PF);
    EXPECT_EQ(trap_try(store_byte, ARG(user_root_page)), EXC_PF);
    EXPECT_EQ(root_table()[1], before);
}

TEST(stores_to_read_only_pages_are_page_faults)
{
    uint64_t *page = new_table();

    operand = 1;
    EXPECT_EQ(trap_try(store_quad, ARG(page)), EXC_PF);
    EXPECT_EQ(trap.error_code, 3);
    EXPECT_EQ(trap.cr2, ARG(page));
    EXPECT_EQ(page[0], 0);
}

TEST(misaligned_store_to_l1_is_refused)
{
    operand = 0;
    EXPECT_EQ(pte_write(live, 0x550), 0);
    EXPECT_EQ(trap_try(store_quad, ARG(live) + 4), EXC_PF);
    EXPECT_EQ(*live, 0x550);
    EXPECT_EQ(pte_write(live, 0), 0);
}

/* ---- mmuext_op ---------------------------------------------------------- */

TEST(unknown_commands)
{
    EXPECT_EQ(mmuext(14, 0, 0), -ENOSYS);
    EXPECT_EQ(mmuext(99, 0, 0), -ENOSYS);
}

TEST(super_pages)
{
    EXPECT_EQ(mmuext(MMUEXT_MARK_SUPER, mfn_of(window), 0), -95);
    EXPECT_EQ(mmuext(MMUEXT_UNMARK_SUPER, mfn_of(window), 0), -95);
}

TEST(flushes)
{
    uint64_t cpus = ~0ul;

    EXPECT_EQ(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0), 0);
    EXPECT_EQ(mmuext(MMUEXT_TLB_FLUSH_ALL, 0, 0), 0);
    EXPECT_EQ(mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, ARG(&cpus)), 0);
    EXPECT_EQ(mmuext(MMUEXT_INVLPG_LOCAL, ARG(window), 0), 0);
    EXPECT_EQ(mmuext(MMUEXT_INVLPG_ALL, ARG(window), 0), 0);
    EXPECT_EQ(mmuext(MMUEXT_INVLPG_MULTI, ARG(window), ARG(&cpus)), 0);
    EXPECT_EQ(mmuext(MMUEXT_FLUSH_CACHE, 0, 0), 0);
}
