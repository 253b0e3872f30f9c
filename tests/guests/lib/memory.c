/* SPDX-License-Identifier: MIT */
/* The pool, translations, and the tables of user mode. */
#include "memory.h"

#define POOL_PAGES 256
#define USER_STACK_PAGES 4

extern char user_page[], user_page_end[];

static char pool[POOL_PAGES][PAGE_SIZE] __attribute__((aligned(4096)));
static unsigned pool_used;
static char shared_info_page[PAGE_SIZE] __attribute__((aligned(4096)));

uint64_t user_root_mfn;
void *user_data_page, *user_stack_page, *user_root_page, *user_l3_page,
    *user_l1_page;

/* A zeroed page. It is never given back. */
void *page_alloc(void)
{
    if (pool_used == POOL_PAGES) {
        print("the pool is empty");
        return NULL;
    }
    return pool[pool_used++];
}

uint64_t mfn_of(const void *va)
{
    const uint64_t *p2m = (const uint64_t *)start_info->mfn_list;

    return p2m[((uint64_t)va - (uint64_t)VIRT_BASE) >> 12];
}

uint64_t maddr_of(const void *va)
{
    return mfn_of(va) << 12 | ((uint64_t)va & (PAGE_SIZE - 1));
}

void *va_of_mfn(uint64_t mfn)
{
    const uint64_t *m2p = (const uint64_t *)MACH2PHYS_VIRT_START;

    return (void *)((uint64_t)VIRT_BASE + (m2p[mfn] << 12));
}

uint64_t *root_table(void)
{
    return (uint64_t *)start_info->pt_base;
}

/* Level 1 is the last; NULL when a table is missing on the way. */
uint64_t *pte_of(uint64_t va, int level)
{
    uint64_t *table = root_table();

    for (int l = 4;; l--) {
        uint64_t *entry = &table[va >> (12 + 9 * (l - 1)) & 511];

        if (l == level)
            return entry;
        if (!(*entry & PTE_P))
            return NULL;
        table = va_of_mfn((*entry & PTE_FRAME) >> 12);
    }
}

long page_map(const void *va, uint64_t pte)
{
    return hc_update_va_mapping(ARG(va), pte, UVMF_INVLPG | UVMF_ALL);
}

long page_set_ro(const void *va)
{
    return page_map(va, mfn_of(va) << 12 | PTE_RO_PAGE);
}

long page_set_rw(const void *va)
{
    return page_map(va, mfn_of(va) << 12 | PTE_RW_PAGE);
}

long pte_write(const void *entry, uint64_t value)
{
    struct mmu_update u = {.ptr = maddr_of(entry), .val = value};

    return hc_mmu_update(ARG(&u), 1, 0, DOMID_SELF);
}

long mmuext(unsigned cmd, uint64_t arg1, uint64_t arg2)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.mfn = arg1, .arg2.src_mfn = arg2};

    return hc_mmuext_op(ARG(&op), 1, 0, DOMID_SELF);
}

void memory_init(void)
{
    EXPECT_EQ(page_map(shared_info_page, start_info->shared_info | PTE_RW_PAGE),
              0);
    shared_info = (struct shared_info *)shared_info_page;
    the_vcpu_info = &shared_info->vcpu_info[0];
}

uint64_t user_address(const void *in_image)
{
    return USER_BASE + ((uint64_t)in_image - (uint64_t)user_page);
}

static void map_user_page(uint64_t va, const void *page, uint64_t flags)
{
    uint64_t *l1 = user_l1_page;

    l1[(va - USER_BASE) >> 12] = mfn_of(page) << 12 | flags;
}

/*
 * The kernel's root and the user's share one L3 table, in slot 1 and, for
 * 32-bit code, in slot 0, where a kernel in the low half has its image.
 */
void user_init(void)
{
    uint64_t *l2 = page_alloc(), *l3 = page_alloc();
    uint64_t slot = USER_BASE >> 39;

    user_root_page = page_alloc();
    user_l1_page = page_alloc();
    user_l3_page = l3;
    user_data_page = page_alloc();
    for (char *p = user_page; p < user_page_end; p += PAGE_SIZE)
        map_user_page(USER_BASE + (uint64_t)(p - user_page), p, PTE_RO_PAGE);
    for (uint64_t i = 0; i < USER_STACK_PAGES; i++) {
        user_stack_page = page_alloc();
        map_user_page(USER_STACK + i * PAGE_SIZE, user_stack_page, PTE_RW_PAGE);
    }
    map_user_page(USER_DATA, user_data_page, PTE_RW_PAGE);
    l2[0] = mfn_of(user_l1_page) << 12 | PTE_TABLE;
    l3[0] = mfn_of(l2) << 12 | PTE_TABLE;
    ((uint64_t *)user_root_page)[slot] = mfn_of(l3) << 12 | PTE_TABLE;
    ((uint64_t *)user_root_page)[0] = mfn_of(l3) << 12 | PTE_TABLE;
    EXPECT_EQ(page_set_ro(user_l1_page), 0);
    EXPECT_EQ(page_set_ro(l2), 0);
    EXPECT_EQ(page_set_ro(l3), 0);
    EXPECT_EQ(page_set_ro(user_root_page), 0);
    user_root_mfn = mfn_of(user_root_page);
    EXPECT_EQ(mmuext(MMUEXT_PIN_L4_TABLE, user_root_mfn, 0), 0);
    EXPECT_EQ(pte_write(&root_table()[slot], mfn_of(l3) << 12 | PTE_TABLE), 0);
    if ((uint64_t)user_page >> 63)
        EXPECT_EQ(pte_write(&root_table()[0], mfn_of(l3) << 12 | PTE_TABLE), 0);
    EXPECT_EQ(mmuext(MMUEXT_NEW_USER_BASEPTR, user_root_mfn, 0), 0);
}
