/* SPDX-License-Identifier: MIT */
/* CPUID for tools: lists of leaves, words of features (cpu_policy.h). */
#include "core/cpu_policy.h"

#include "core/guest_copy.h"

/*
 * The leaves of a policy, in order. Of some the answer depends on the subleaf:
 * they have as many as it says. The hypervisor's leaves only have a place.
 */
static const struct {
    uint32_t first, count, subleaves;
} groups[] = {
    {0x0, 4, 0},        {0x4, 1, 6},        {0x5, 2, 0},         {0x7, 1, 2},
    {0x8, 3, 0},        {0xb, 1, 2},        {0xc, 1, 0},         {0xd, 1, 63},
    {0x40000000, 1, 0}, {0x40000100, 1, 0}, {0x80000000, 34, 0},
};

#define HYPERVISOR_LEAVES 0x4000u /* upper half of their numbers */

/* Where each word of a featureset comes from. */
static const struct feature_word {
    uint32_t leaf, subleaf;
    char reg;
} words[XEN_FEATURESET_WORDS] = {
    [XEN_FEATURESET_1d] = {0x1, 0, 'd'},
    [XEN_FEATURESET_1c] = {0x1, 0, 'c'},
    [XEN_FEATURESET_e1d] = {0x80000001, 0, 'd'},
    [XEN_FEATURESET_e1c] = {0x80000001, 0, 'c'},
    [XEN_FEATURESET_Da1] = {0xd, 1, 'a'},
    [XEN_FEATURESET_7b0] = {0x7, 0, 'b'},
    [XEN_FEATURESET_7c0] = {0x7, 0, 'c'},
    [XEN_FEATURESET_e7d] = {0x80000007, 0, 'd'},
    [XEN_FEATURESET_e8b] = {0x80000008, 0, 'b'},
    [XEN_FEATURESET_7d0] = {0x7, 0, 'd'},
    [XEN_FEATURESET_7a1] = {0x7, 1, 'a'},
    [XEN_FEATURESET_e21a] = {0x80000021, 0, 'a'},
    [XEN_FEATURESET_7b1] = {0x7, 1, 'b'},
};

/* Word `word` of a view's featureset. */
uint32_t cpu_policy_feature(enum machine_cpuid_view view, unsigned word)
{
    const struct feature_word *w = &words[word];
    struct machine_cpuid r = machine_cpuid(view, w->leaf, w->subleaf);

    const uint32_t registers[] = {r.a, r.b, r.c, r.d};

    return registers[w->reg - 'a'];
}

static int put_leaf(enum machine_cpuid_view view, guest_va to, uint32_t leaf,
                    uint32_t subleaf)
{
    struct machine_cpuid r = {0, 0, 0, 0};
    struct xen_cpuid_leaf l;

    if (leaf >> 16 != HYPERVISOR_LEAVES)
        r = machine_cpuid(view, leaf,
                          subleaf == XEN_CPUID_NO_SUBLEAF ? 0 : subleaf);
    l = (struct xen_cpuid_leaf){leaf, subleaf, r.a, r.b, r.c, r.d};
    return copy_out(to, &l, sizeof(l)) ? -EFAULT : 0;
}

/*
 * Copies out the leaves of a view; *nr_leaves is how many there is room for,
 * then how many there are, or with address 0 how many there can be. Those
 * that say nothing are there as well: the tools write a list of their own
 * over this one and need the room. 0, -ENOBUFS, -EFAULT.
 */
int cpu_policy_put(enum machine_cpuid_view view, guest_va leaves,
                   uint32_t *nr_leaves)
{
    uint32_t n = 0;

    for (size_t g = 0; leaves.va && g < ARRAY_LEN(groups); g++) {
        uint32_t each = (uint32_t)max_u64(groups[g].subleaves, 1);

        for (uint32_t i = 0; i < groups[g].count * each; i++, n++) {
            guest_va to =
                guest_va_add(leaves, n * sizeof(struct xen_cpuid_leaf));

            if (n == *nr_leaves)
                return -ENOBUFS;
            if (put_leaf(view, to, groups[g].first + i / each,
                         groups[g].subleaves ? i % each : XEN_CPUID_NO_SUBLEAF))
                return -EFAULT;
        }
    }
    *nr_leaves = leaves.va ? n : CPU_POLICY_MAX_LEAVES;
    return 0;
}
