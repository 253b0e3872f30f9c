/* SPDX-License-Identifier: MIT */
/*
 * Mica's own mappings and its first look at memory. Until the heap stands,
 * memory comes off the ends of the ranges that the firmware calls RAM, the
 * highest first: low memory is kept for devices and guests that need it.
 */
#include "x86/paging.h"

#include "core/arch.h"
#include "core/frame.h"
#include "core/heap.h"
#include "core/log.h"
#include "x86/cpu.h"
#include "x86/insn.h"
#include "x86/machine_early.h"
#include "x86/memory_layout.h"

#define MAX_BOOT_RANGES 256
#define BOOT_MAP_END (4ull << 30)
#define LOW_MEMORY_END (1ull << 20)
#define SIZE_2M (1ull << 21)
#define SIZE_1G (1ull << 30)
#define FRAMES_PER_MIB 256
#define MAX_RAM_BYTES (RAM_END - RAM_BASE)

uint64_t idle_l4[PT_ENTRIES] __attribute__((aligned(4096)));

static struct memory_range boot_free[MAX_BOOT_RANGES];
static unsigned boot_free_count;
static bool heap_is_up;
static uint64_t ram_frames_end;
static bool has_1g_pages;
static uint64_t fixmap_next = FIXMAP_BASE;

extern const char text_start[], text_end[], image_end[];
extern const char init_start[], init_end[], boot_stack_guard[];

void *phys_to_virt(uint64_t physical)
{
    return (void *)(RAM_BASE + physical);
}

uint64_t virt_to_phys(const void *virtual_address)
{
    uint64_t va = (uint64_t)virtual_address;

    return va >= RAM_BASE ? va - RAM_BASE : va - IMAGE_BASE;
}

void *arch_frame_ptr(mfn_t mfn)
{
    return phys_to_virt(mfn.n << PAGE_SHIFT);
}

mfn_t arch_frame_of(const void *ptr)
{
    return MFN(virt_to_phys(ptr) >> PAGE_SHIFT);
}

uint64_t idle_cr3(void)
{
    return virt_to_phys(idle_l4);
}

uint64_t ram_end_frame(void)
{
    return ram_frames_end;
}

/* Cuts [start, end) out of the ranges that are still free. */
static void boot_reserve(uint64_t start, uint64_t end)
{
    start &= PAGE_MASK;
    end = align_up(end, PAGE_SIZE);
    for (unsigned i = 0; i < boot_free_count; i++) {
        struct memory_range *r = &boot_free[i];

        if (end <= r->start || start >= r->end)
            continue;
        if (start > r->start && end < r->end) {
            if (boot_free_count == MAX_BOOT_RANGES)
                panic("memory map: more than %u ranges", MAX_BOOT_RANGES);
            memmove(r + 1, r, (boot_free_count - i) * sizeof(*r));
            boot_free_count++;
            r[0].end = start;
            r[1].start = end;
        } else if (start > r->start) {
            r->end = start;
        } else {
            r->start = end < r->end ? end : r->end;
        }
    }
}

/* `size` bytes, page aligned, zeroed, below `limit`; panics without memory. */
static uint64_t boot_alloc_below(uint64_t size, uint64_t limit)
{
    uint64_t alignment = size >= SIZE_2M ? SIZE_2M : PAGE_SIZE;

    size = align_up(size, PAGE_SIZE);
    for (unsigned i = boot_free_count; i-- > 0;) {
        struct memory_range *r = &boot_free[i];
        uint64_t end = min_u64(r->end, limit);
        uint64_t start = (end - size) & ~(alignment - 1);

        if (r->start >= end || end - r->start < size || start < r->start)
            continue;
        boot_reserve(start, start + size);
        memset(phys_to_virt(start), 0, size);
        return start;
    }
    panic("out of memory at start: no %lu KiB below %#lx", size >> 10, limit);
}

static uint64_t *table_alloc(void)
{
    void *table;

    if (!heap_is_up)
        return phys_to_virt(boot_alloc_below(PAGE_SIZE, BOOT_MAP_END));
    table = frames_alloc(0);
    if (!table)
        panic("out of memory for Mica's own page tables");
    return table;
}

/* The entry for `va` in its table of `level`, made down from idle_l4. */
static uint64_t *own_entry(uint64_t va, unsigned level)
{
    uint64_t *table = idle_l4;

    for (unsigned l = 4; l > level; l--) {
        uint64_t *entry = &table[pt_index(va, l)];

        if (!(*entry & PTE_PRESENT))
            *entry = virt_to_phys(table_alloc()) | PTE_PRESENT | PTE_WRITE |
                     PTE_USER | PTE_ACCESSED;
        if (*entry & PTE_LARGE)
            panic("%#lx is mapped by a large page already", va);
        table = phys_to_virt(*entry & PTE_FRAME_MASK);
    }
    return &table[pt_index(va, level)];
}

uint64_t *own_l1_table(uint64_t va)
{
    return (uint64_t *)((uint64_t)own_entry(va, 1) & PAGE_MASK);
}

static bool page_fits(uint64_t va, uint64_t physical, uint64_t left,
                      uint64_t page)
{
    return !((va | physical) & (page - 1)) && left >= page;
}

void map_own(uint64_t va, uint64_t physical, uint64_t size, uint64_t flags)
{
    uint64_t end = va + size;

    while (va < end) {
        uint64_t page = PAGE_SIZE;

        if (has_1g_pages && page_fits(va, physical, end - va, SIZE_1G)) {
            page = SIZE_1G;
            *own_entry(va, 3) = physical | flags | PTE_LARGE;
        } else if (page_fits(va, physical, end - va, SIZE_2M)) {
            page = SIZE_2M;
            *own_entry(va, 2) = physical | flags | PTE_LARGE;
        } else {
            *own_entry(va, 1) = physical | flags;
        }
        va += page;
        physical += page;
    }
}

/* The image: text executable, the rest not; 4 KiB pages, but for the guard. */
static void map_image(void)
{
    uint64_t va = (uint64_t)text_start & PAGE_MASK;

    for (; va < (uint64_t)image_end; va += PAGE_SIZE) {
        bool is_text = va < (uint64_t)text_end;
        bool is_init = va >= (uint64_t)init_start && va < (uint64_t)init_end;
        uint64_t flags = is_text ? OWN_RX : OWN_RW;

        if (is_init)
            flags &= ~PTE_NX;
        if (va != (uint64_t)boot_stack_guard)
            *own_entry(va, 1) = (va - IMAGE_BASE) | flags;
    }
}

static void map_ram(const struct memory_range *ram, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t start = align_up(ram[i].start, PAGE_SIZE);
        uint64_t end = ram[i].end & PAGE_MASK;

        if (start < end)
            map_own(RAM_BASE + start, start, end - start, OWN_RW);
    }
    map_own(RAM_BASE, 0, LOW_MEMORY_END, OWN_RW);
}

/* --- frame table and machine-to-physical table --------------------------- */

/* A table of Mica's with a record for each frame of RAM, and for holes. */
struct frame_records {
    uint64_t base;        /* Mica's address, writable */
    uint64_t guest_base;  /* a read-only view for guests, or 0 */
    unsigned record_size; /* bytes: 8 or 16 */
    const void *no_ram;   /* 16 bytes of records that say so */
};

static void fill_records(const struct frame_records *t, uint64_t physical,
                         uint64_t size)
{
    char *records = phys_to_virt(physical);

    for (uint64_t i = 0; i < size; i += 16)
        memcpy(records + i, t->no_ram, 16);
}

/* Backs the records of frames [first, end): whole pages of records. */
static void back_records(const struct frame_records *t, uint64_t first,
                         uint64_t end)
{
    uint64_t per_page = PAGE_SIZE / t->record_size;
    uint64_t va = (first / per_page) * PAGE_SIZE;
    uint64_t stop = align_up(end, per_page) / per_page * PAGE_SIZE;

    while (va < stop) {
        uint64_t size = min_u64(SIZE_2M - (va & (SIZE_2M - 1)), stop - va);
        uint64_t physical;

        if (*own_entry(t->base + va, 3) & PTE_PRESENT &&
            *own_entry(t->base + va, 2) & PTE_PRESENT)
            size = PAGE_SIZE;
        if (size == PAGE_SIZE && *own_entry(t->base + va, 1) & PTE_PRESENT) {
            va += size;
            continue;
        }
        physical = boot_alloc_below(size, UINT64_MAX);
        fill_records(t, physical, size);
        map_own(t->base + va, physical, size, OWN_RW);
        if (t->guest_base)
            map_own(t->guest_base + va, physical, size, OWN_RO | PTE_USER);
        va += size;
    }
}

/*
 * Maps one page of empty records wherever the table at `base` has none, with
 * a table or two for all.
 */
static void back_holes(const struct frame_records *t, uint64_t base,
                       uint64_t flags)
{
    uint64_t size = align_up(ram_frames_end * t->record_size, PAGE_SIZE);
    uint64_t page = boot_alloc_below(PAGE_SIZE, UINT64_MAX);
    uint64_t *l1 = table_alloc();

    fill_records(t, page, PAGE_SIZE);
    for (unsigned i = 0; i < PT_ENTRIES; i++)
        l1[i] = page | flags;
    for (uint64_t va = base; va < base + size;) {
        uint64_t *l2 = own_entry(va, 2);
        bool is_hole = !(*l2 & PTE_PRESENT);

        if (is_hole)
            *l2 = virt_to_phys(l1) | PTE_ACCESSED | (flags & ~PTE_NX);
        else if (!(*l2 & PTE_LARGE) && !(*own_entry(va, 1) & PTE_PRESENT))
            *own_entry(va, 1) = page | flags;
        va += is_hole || *l2 & PTE_LARGE ? SIZE_2M : PAGE_SIZE;
    }
}

void arch_m2p_set(mfn_t mfn, uint64_t pfn)
{
    __atomic_store_n((uint64_t *)M2P_BASE + mfn.n, pfn, __ATOMIC_RELAXED);
}

static void build_frame_tables(const struct memory_range *ram, unsigned count)
{
    static const struct frame no_ram = FRAME_NO_RAM;
    static const uint64_t no_pfns[] = {~0ull, ~0ull};
    static const struct frame_records frames = {.base = FRAME_TABLE_BASE,
                                                .record_size = sizeof(no_ram),
                                                .no_ram = &no_ram};
    static const struct frame_records m2p = {.base = M2P_BASE,
                                             .guest_base = M2P_GUEST_BASE,
                                             .record_size = 8,
                                             .no_ram = no_pfns};

    for (unsigned i = 0; i < count; i++) {
        uint64_t first = max_u64(ram[i].start, LOW_MEMORY_END) >> PAGE_SHIFT;
        uint64_t end = ram[i].end >> PAGE_SHIFT;

        if (first >= end)
            continue;
        back_records(&frames, first, end);
        back_records(&m2p, first, end);
        for (uint64_t n = first; n < end; n++)
            ((struct frame *)FRAME_TABLE_BASE)[n] = (struct frame)FRAME_OWN_RAM;
    }
    back_holes(&m2p, M2P_GUEST_BASE, OWN_RO | PTE_USER);
    back_holes(&frames, FRAME_TABLE_BASE, OWN_RO);
    frame_table_init((struct frame *)FRAME_TABLE_BASE, ram_frames_end);
}

/* --- the order of things ------------------------------------------------- */

static void find_free_memory(const struct memory_range *ram, unsigned ram_count,
                             const struct memory_range *busy,
                             unsigned busy_count)
{
    for (unsigned i = 0; i < ram_count && i < MAX_BOOT_RANGES / 2; i++) {
        uint64_t start = align_up(ram[i].start, PAGE_SIZE);
        uint64_t end = min_u64(ram[i].end & PAGE_MASK, MAX_RAM_BYTES);

        if (start < end)
            boot_free[boot_free_count++] = (struct memory_range){start, end};
        if (end > ram_frames_end << PAGE_SHIFT)
            ram_frames_end = end >> PAGE_SHIFT;
    }
    boot_reserve(0, LOW_MEMORY_END);
    boot_reserve((uint64_t)text_start - IMAGE_BASE - SIZE_2M,
                 (uint64_t)image_end - IMAGE_BASE);
    for (unsigned i = 0; i < busy_count; i++)
        boot_reserve(busy[i].start, busy[i].end);
}

void paging_init(const struct memory_range *ram, unsigned ram_count,
                 const struct memory_range *busy, unsigned busy_count)
{
    has_1g_pages = cpuid(0x80000001, 0).edx >> 26 & 1;
    find_free_memory(ram, ram_count, busy, busy_count);
    for (unsigned slot = OWN_SLOT_FIRST; slot <= OWN_SLOT_LAST; slot++)
        own_entry((uint64_t)slot << 39 | 0xffffull << 48, 3);
    map_image();
    map_ram(ram, ram_count);
    idle_l4[0] = *(uint64_t *)phys_to_virt(read_cr3() & PAGE_MASK);
    write_cr3(idle_cr3());

    build_frame_tables(ram, ram_count);
    for (unsigned i = 0; i < boot_free_count; i++)
        if (boot_free[i].start < boot_free[i].end)
            heap_add(MFN(boot_free[i].start >> PAGE_SHIFT),
                     (boot_free[i].end - boot_free[i].start) >> PAGE_SHIFT);
    heap_is_up = true;
}

void paging_drop_identity(void)
{
    idle_l4[0] = 0;
    write_cr3(read_cr3());
}

void paging_release(uint64_t start, uint64_t end)
{
    start = align_up(start, PAGE_SIZE);
    end &= PAGE_MASK;
    for (uint64_t at = start; at < end; at += PAGE_SIZE)
        if (frame_lookup(MFN(at >> PAGE_SHIFT)))
            heap_add(MFN(at >> PAGE_SHIFT), 1);
}

/* Gives back what only the start needed, the unpackers above all. */
void paging_release_init(void)
{
    uint64_t start = (uint64_t)init_start, end = (uint64_t)init_end;

    for (uint64_t va = start; va < end; va += PAGE_SIZE) {
        *own_entry(va, 1) = 0;
        invlpg(va);
    }
    paging_release(start - IMAGE_BASE, end - IMAGE_BASE);
}

static uint64_t map_fixed(uint64_t physical, size_t size, uint64_t flags)
{
    uint64_t start = physical & PAGE_MASK;
    uint64_t length = align_up(physical + size, PAGE_SIZE) - start;
    uint64_t va = fixmap_next;

    if (length > SIZE_1G || fixmap_next + length > FIXMAP_BASE + SIZE_1G * 64)
        panic("no room to map device memory at %#lx", physical);
    fixmap_next += length + PAGE_SIZE;
    for (uint64_t done = 0; done < length; done += PAGE_SIZE)
        *own_entry(va + done, 1) = (start + done) | flags;
    return va + (physical - start);
}

void *stack_alloc(void)
{
    void *memory = frames_alloc(STACK_ORDER);

    if (!memory)
        return NULL;
    /* What is mapped before leaves a page free behind it. */
    fixmap_next = align_up(fixmap_next, STACK_SIZE);
    return (void *)map_fixed(virt_to_phys(memory), STACK_SIZE, OWN_RW);
}

void *map_device(uint64_t physical, size_t size)
{
    return (void *)map_fixed(physical, size, OWN_DEVICE);
}

const void *map_firmware(uint64_t physical, size_t size)
{
    return (const void *)map_fixed(physical, size, OWN_RO);
}

void arch_l4_install_own_slots(uint64_t *l4)
{
    memcpy(&l4[OWN_SLOT_FIRST], &idle_l4[OWN_SLOT_FIRST],
           (OWN_SLOT_LAST - OWN_SLOT_FIRST + 1) * sizeof(*l4));
}
