/* SPDX-License-Identifier: MIT */
/* The software walk and the copies on top of it (guest_copy.h). */
#include "core/guest_copy.h"

#include "core/arch.h"
#include "core/frame.h"
#include "core/pcpu.h"
#include "core/pte.h"
#include "core/vcpu.h"

/* Guests' addresses are in one piece, from here round over 0. */
#define GUEST_FIRST 0xffff880000000000ull
#define GUEST_SPAN (0x0000800000000000ull - GUEST_FIRST)

/* Whether `va` is canonical and a guest's to use. */
bool guest_va_is_usable(uint64_t va)
{
    return va - GUEST_FIRST < GUEST_SPAN;
}

/*
 * `va`, which is usable, or a usable address where the processor guesses, too
 * early, that it is: or a walk would go on through Mica's own tables.
 */
static inline uint64_t clamp_usable(uint64_t va)
{
    return index_clamp(va - GUEST_FIRST, GUEST_SPAN) + GUEST_FIRST;
}

/*
 * Follows the tables of `root` for `va`, which is usable. The result holds
 * until this pCPU next serves a flush request.
 */
hot_path void guest_walk(mfn_t root, uint64_t va, struct walk *out)
{
    mfn_t table = root;

    va = clamp_usable(va);
    for (out->level = 4;; out->level--) {
        uint64_t *entries = arch_frame_ptr(table);
        uint64_t entry = pte_read(&entries[pt_index(va, out->level)]);

        out->table[out->level] = table;
        out->entry[out->level] = entry;
        if (out->level == 1 || !(entry & PTE_PRESENT))
            return;
        table = pte_frame(entry);
    }
}

/*
 * Mica's address of the byte at `va`, good up to the end of its page, or NULL
 * when the guest itself could not reach RAM there with `access`.
 */
hot_path void *guest_translate(mfn_t root, uint64_t va, enum walk_access access)
{
    uint64_t need = PTE_PRESENT | (access == WALK_WRITE ? PTE_WRITE : 0);
    mfn_t frame = root;

    if (!guest_va_is_usable(va) || mfn_equal(root, MFN_INVALID))
        return NULL;
    va = clamp_usable(va);
#pragma GCC unroll 4
    for (unsigned level = 4; level; level--) {
        const uint64_t *table = arch_frame_ptr(frame);
        uint64_t entry = pte_read(&table[pt_index(va, level)]);

        if ((entry & need) != need)
            return NULL;
        frame = pte_frame(entry);
    }
    if (!frame_lookup(frame))
        return NULL;
    return (char *)arch_frame_ptr(frame) + (va & (PAGE_SIZE - 1));
}

enum direction { COPY_IN, COPY_OUT, CLEAR };

/* Copies or clears `size` bytes within one page. How many are left: 0 or all */
static inline size_t move_within(mfn_t root, uint64_t va, void *mine,
                                 size_t size, enum direction way)
{
    void *guest =
        guest_translate(root, va, way == COPY_IN ? WALK_READ : WALK_WRITE);

    if (!guest)
        return size;
    if (way == COPY_IN)
        memcpy(mine, guest, size);
    else if (way == COPY_OUT)
        memcpy(guest, mine, size);
    else
        memset(guest, 0, size);
    return 0;
}

/* Copies or clears page by page; how much was left. */
out_of_line static size_t move_across(mfn_t root, uint64_t va, char *mine,
                                      size_t size, enum direction way)
{
    while (size) {
        size_t n = min_u64(PAGE_SIZE - (va & (PAGE_SIZE - 1)), size);

        if (move_within(root, va, mine, n, way))
            break;
        if (way != CLEAR)
            mine += n;
        va += n;
        size -= n;
    }
    return size;
}

/* Most of what is copied lies in one page. */
static inline size_t move(mfn_t root, uint64_t va, void *mine, size_t size,
                          enum direction way)
{
    return (va & (PAGE_SIZE - 1)) + size <= PAGE_SIZE && size
               ? move_within(root, va, mine, size, way)
               : move_across(root, va, mine, size, way);
}

hot_path size_t copy_in_root(mfn_t root, void *dst, uint64_t src, size_t size)
{
    return move(root, src, dst, size, COPY_IN);
}

hot_path size_t copy_out_root(mfn_t root, uint64_t dst, const void *src,
                              size_t size)
{
    return move(root, dst, (void *)src, size, COPY_OUT);
}

static mfn_t current_root(void)
{
    return current_vcpu()->kernel_root;
}

hot_path size_t copy_in(void *dst, guest_va src, size_t size)
{
    return move(current_root(), src.va, dst, size, COPY_IN);
}

hot_path size_t copy_out(guest_va dst, const void *src, size_t size)
{
    return move(current_root(), dst.va, (void *)src, size, COPY_OUT);
}

size_t clear_out(guest_va dst, size_t size)
{
    return move(current_root(), dst.va, NULL, size, CLEAR);
}
