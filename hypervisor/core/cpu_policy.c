/* SPDX-License-Identifier: MIT */
/* CPUID for tools: lists of leaves, words of features (cpu_policy.h). */
#include "core/cpu_policy.h"

#include "core/guest_copy.h"
#include "core/log.h"

/* The leaves of a policy; those of the hypervisor only have a place there. */
static const struct {
    uint32_t first, last;
} ranges[] = {{0, 0xd},
              {0x40000000, 0x40000000},
              {0x40000100, 0x40000100},
              {0x80000000, 0x80000021}};

#define HYPERVISOR_LEAVES 0x4000u /* upper half of their numbers */

/* Leaves whose answer depends on the subleaf; they go up to `last`. */
static const struct {
    uint32_t leaf, last;
} families[] = {{0x4, 5}, {0x7, 1}, {0xb, 1}, {0xd, 62}};

/* Leaf 1 edx, leaf 0x80000001 ecx: no features, but the shape of a package. */
#define HTT (1u << 28)
#define CMP_LEGACY (1u << 1)

/* Where each word of a featureset comes from, and what in it is none. */
static const struct feature_word {
    uint32_t leaf, subleaf;
    char reg;
    uint32_t shape;
} words[XEN_FEATURESET_WORDS] = {
    [XEN_FEATURESET_1d] = {0x1, 0, 'd', HTT},
    [XEN_FEATURESET_1c] = {0x1, 0, 'c', 0},
    [XEN_FEATURESET_e1d] = {0x80000001, 0, 'd', 0},
    [XEN_FEATURESET_e1c] = {0x80000001, 0, 'c', CMP_LEGACY},
    [XEN_FEATURESET_Da1] = {0xd, 1, 'a', 0},
    [XEN_FEATURESET_7b0] = {0x7, 0, 'b', 0},
    [XEN_FEATURESET_7c0] = {0x7, 0, 'c', 0},
    [XEN_FEATURESET_e7d] = {0x80000007, 0, 'd', 0},
    [XEN_FEATURESET_e8b] = {0x80000008, 0, 'b', 0},
    [XEN_FEATURESET_7d0] = {0x7, 0, 'd', 0},
    [XEN_FEATURESET_7a1] = {0x7, 1, 'a', 0},
    [XEN_FEATURESET_e21a] = {0x80000021, 0, 'a', 0},
    [XEN_FEATURESET_7b1] = {0x7, 1, 'b', 0},
};

static uint32_t reg_of(struct machine_cpuid r, char reg)
{
    return reg == 'a' ? r.a : reg == 'b' ? r.b : reg == 'c' ? r.c : r.d;
}

/* Word `word` of a view's featureset. */
uint32_t cpu_policy_feature(enum machine_cpuid_view view, unsigned word)
{
    const struct feature_word *w = &words[word];

    return reg_of(machine_cpuid(view, w->leaf, w->subleaf), w->reg);
}

/* A list of the guest's that is being filled. */
struct leaf_list {
    guest_va at;
    uint32_t used, room;
};

static int append(struct leaf_list *list, enum machine_cpuid_view view,
                  uint32_t leaf, uint32_t subleaf)
{
    struct xen_cpuid_leaf l = {.leaf = leaf, .subleaf = subleaf};

    if (list->used == list->room)
        return -ENOBUFS;
    if (leaf >> 16 != HYPERVISOR_LEAVES) {
        struct machine_cpuid r = machine_cpuid(
            view, leaf, subleaf == XEN_CPUID_NO_SUBLEAF ? 0 : subleaf);

        l = (struct xen_cpuid_leaf){leaf, subleaf, r.a, r.b, r.c, r.d};
    }
    if (copy_out(guest_va_add(list->at, list->used * sizeof(l)), &l, sizeof(l)))
        return -EFAULT;
    list->used++;
    return 0;
}

/* With all its subleaves, where there are any. */
static int append_leaf(struct leaf_list *list, enum machine_cpuid_view view,
                       uint32_t leaf)
{
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        int error = 0;

        if (families[i].leaf != leaf)
            continue;
        for (uint32_t sub = 0; sub <= families[i].last && !error; sub++)
            error = append(list, view, leaf, sub);
        return error;
    }
    return append(list, view, leaf, XEN_CPUID_NO_SUBLEAF);
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
    struct leaf_list list = {leaves, 0, *nr_leaves};
    int error = 0;

    if (!leaves.va) {
        *nr_leaves = CPU_POLICY_MAX_LEAVES;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
        for (uint32_t leaf = ranges[i].first; leaf <= ranges[i].last && !error;
             leaf++)
            error = append_leaf(&list, view, leaf);
    *nr_leaves = list.used;
    return error;
}

/* Whether `l` has no feature that guests do not get. */
static bool is_granted(const struct xen_cpuid_leaf *l)
{
    uint32_t subleaf = l->subleaf == XEN_CPUID_NO_SUBLEAF ? 0 : l->subleaf;
    struct machine_cpuid r = {l->a, l->b, l->c, l->d};

    for (unsigned i = 0; i < XEN_FEATURESET_WORDS; i++)
        if (words[i].leaf == l->leaf && words[i].subleaf == subleaf &&
            reg_of(r, words[i].reg) &
                ~(cpu_policy_feature(MACHINE_CPUID_GUEST, i) | words[i].shape))
            return false;
    return true;
}

/*
 * Whether a list asks for no more than guests get: 0; -EINVAL, with the leaf
 * in *bad; -E2BIG, -EFAULT.
 */
int cpu_policy_check(guest_va leaves, uint32_t nr_leaves,
                     struct xen_cpuid_leaf *bad)
{
    if (nr_leaves > CPU_POLICY_MAX_LEAVES)
        return refuse(-E2BIG, "a policy of %u leaves", nr_leaves);
    for (uint32_t i = 0; i < nr_leaves; i++) {
        if (copy_in(bad, guest_va_add(leaves, i * sizeof(*bad)), sizeof(*bad)))
            return -EFAULT;
        if (!is_granted(bad))
            return refuse(-EINVAL, "leaf %#x, %#x asks for more", bad->leaf,
                          bad->subleaf);
    }
    return 0;
}
