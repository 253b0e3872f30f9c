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
#include "x86/memory_map.h"
#include "x86/memory_layout.h"

#define BOOT_MAP_END (4ull << 30)
#define LOW_MEMORY_END (1ull << 20)
#define SIZE_2M (1ull << 21)
#define SIZE_1G (1ull << 30)
#define FIXMAP_SIZE (SIZE_1G * 64)

uint64_t idle_l4[PT_ENTRIES] __attribute__((aligned(4096)));

static struct memory_map boot_map; /* RAM that is free, until the heap stands */
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

/* What of a range of RAM Mica uses: whole pages, none in the first MiB. */
static struct memory_range usable(const struct memory_range *r)
{
    uint64_t start = align_up(max_u64(r->start, LOW_MEMORY_END), PAGE_SIZE);
    uint64_t end = min_u64(r->end & PAGE_MASK, RAM_END - RAM_BASE);

    return (struct memory_range){min_u64(start, end), end};
}

static void boot_reserve(uint64_t start, uint64_t end)
{
    start &= PAGE_MASK;
    end = align_up(end, PAGE_SIZE);
    if (memory_map_add(&boot_map, start, end - start, MEMORY_RESERVED))
        panic("memory map: more than %u ranges", MEMORY_MAP_RANGES);
}

/* `size` bytes below `limit`, 4 KiB or 2 MiB; panics without memory. */
static uint64_t boot_alloc(uint64_t size, uint64_t limit)
{
    for (unsigned i = boot_map.count; i-- > 0;) {
        const struct memory_map_range *r = &boot_map.ranges[i];
        uint64_t start = (min_u64(r->end, limit) - size) & ~(size - 1);

        if (r->type != MEMORY_RAM || start < r->start || start >= r->end)
            continue;
        boot_reserve(start, start + size);
        return start;
    }
    panic("out of memory at start: no %lu KiB below %#lx", size >> 10, limit);
}

static uint64_t *table_alloc(void)
{
    void *table = frames_alloc(0);

    if (table)
        return table;
    table = phys_to_virt(boot_alloc(PAGE_SIZE, BOOT_MAP_END));
    return memset(table, 0, PAGE_SIZE);
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

void map_own(uint64_t va, uint64_t physical, uint64_t size, uint64_t flags)
{
    for (uint64_t page; size; va += page, physical += page, size -= page) {
        unsigned level = has_1g_pages ? 4 : 3;

        do
            page = PAGE_SIZE << 9 * (--level - 1);
        while (level > 1 && ((va | physical) & (page - 1) || size < page));
        *own_entry(va, level) = physical | flags | (level > 1 ? PTE_LARGE : 0);
    }
}

/* The image: text executable, the rest not; 4 KiB pages, but for the guard. */
static void map_image(void)
{
    uint64_t va = (uint64_t)text_start & PAGE_MASK;

    for (; va < (uint64_t)image_end; va += PAGE_SIZE) {
        uint64_t flags = va < (uint64_t)text_end ? OWN_RX : OWN_RW;

        if (va >= (uint64_t)init_start && va < (uint64_t)init_end)
            flags &= ~PTE_NX;
        if (va != (uint64_t)boot_stack_guard)
            *own_entry(va, 1) = (va - IMAGE_BASE) | flags;
    }
}

static void map_ram(const struct memory_range *ram, unsigned count)
{
    map_own(RAM_BASE, 0, LOW_MEMORY_END, OWN_RW);
    for (unsigned i = 0; i < count; i++) {
        struct memory_range r = usable(&ram[i]);

        map_own(RAM_BASE + r.start, r.start, r.end - r.start, OWN_RW);
    }
}

/* --- frame table and machine-to-physical table --------------------------- */

/* Memory full of records that say `no_ram`, of which that is 16 bytes. */
static uint64_t alloc_records(const void *no_ram, uint64_t size)
{
    uint64_t physical = boot_alloc(size, UINT64_MAX);
    char *records = phys_to_virt(physical);

    for (uint64_t i = 0; i < size; i += 16)
        memcpy(records + i, no_ram, 16);
    return physical;
}

static bool is_hole(uint64_t start, uint64_t end)
{
    for (unsigned i = 0; i < boot_map.count; i++)
        if (boot_map.ranges[i].start < end && boot_map.ranges[i].end > start)
            return false;
    return true;
}

/*
 * Backs a table with a record for each frame, 2 MiB of records at a time: to
 * be written at `base`, and read at `view`, with `view_flags`. There the holes
 * show: the records of frames none of which is RAM are one page, by one table.
 */
static void build_records(uint64_t base, uint64_t view, uint64_t view_flags,
                          unsigned record_size, const void *no_ram)
{
    uint64_t hole = alloc_records(no_ram, PAGE_SIZE) | view_flags;
    uint64_t ram_per_byte = PAGE_SIZE / record_size;
    uint64_t *l1 = table_alloc();

    for (unsigned i = 0; i < PT_ENTRIES; i++)
        l1[i] = hole;
    for (uint64_t at = 0; at < frame_table_end * record_size; at += SIZE_2M) {
        uint64_t physical;

        if (is_hole(at * ram_per_byte, (at + SIZE_2M) * ram_per_byte)) {
            *own_entry(view + at, 2) =
                virt_to_phys(l1) | (view_flags & ~PTE_NX);
            continue;
        }
        physical = alloc_records(no_ram, SIZE_2M);
        map_own(view + at, physical, SIZE_2M, view_flags);
        map_own(base + at, physical, SIZE_2M, OWN_RW);
    }
}

void arch_m2p_set(mfn_t mfn, uint64_t pfn)
{
    __atomic_store_n((uint64_t *)M2P_BASE + mfn.n, pfn, __ATOMIC_RELAXED);
}

static void build_frame_tables(const struct memory_range *ram, unsigned count)
{
    static const struct frame no_ram = {.owner = OWNER_IO};
    static const uint64_t no_pfns[] = {PFN_INVALID, PFN_INVALID};

    build_records(FRAME_TABLE_BASE, FRAME_TABLE_BASE, OWN_RO, sizeof(no_ram),
                  &no_ram);
    build_records(M2P_BASE, M2P_GUEST_BASE, OWN_RO | PTE_USER, sizeof(*no_pfns),
                  no_pfns);
    frame_table = (struct frame *)FRAME_TABLE_BASE;
    for (unsigned i = 0; i < count; i++) {
        struct memory_range r = usable(&ram[i]);

        for (uint64_t at = r.start; at < r.end; at += PAGE_SIZE)
            frame_table[at >> PAGE_SHIFT] = FRAME_OWN_RAM;
    }
}

/* --- the order of things ------------------------------------------------- */

static void find_free_memory(const struct memory_range *ram, unsigned ram_count,
                             const struct memory_range *busy,
                             unsigned busy_count)
{
    for (unsigned i = 0; i < ram_count; i++) {
        struct memory_range r = usable(&ram[i]);

        boot_map.ranges[i] =
            (struct memory_map_range){r.start, r.end, MEMORY_RAM};
        frame_table_end = r.end >> PAGE_SHIFT;
    }
    boot_map.count = ram_count;
    boot_reserve((uint64_t)text_start - IMAGE_BASE - SIZE_2M,
                 (uint64_t)image_end - IMAGE_BASE);
    for (unsigned i = 0; i < busy_count; i++)
        boot_reserve(busy[i].start, busy[i].end);
}

static void fill_heap(void)
{
    for (unsigned i = 0; i < boot_map.count; i++) {
        const struct memory_map_range *r = &boot_map.ranges[i];

        if (r->type == MEMORY_RAM)
            heap_add(MFN(r->start >> PAGE_SHIFT),
                     (r->end - r->start) >> PAGE_SHIFT);
    }
    boot_map.count = 0;
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
    write_cr3(virt_to_phys(idle_l4));
    build_frame_tables(ram, ram_count);
    fill_heap();
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

    if (length > SIZE_1G || va + length > FIXMAP_BASE + FIXMAP_SIZE)
        panic("no room to map device memory at %#lx", physical);
    fixmap_next += length + PAGE_SIZE;
    map_own(va, start, length, flags);
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
