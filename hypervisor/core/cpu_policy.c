/* SPDX-License-Identifier: MIT */
/* CPUID for tools: lists of leaves, words of features (cpu_policy.h). */
#include "core/cpu_policy.h"

#include "core/guest_copy.h"
#include "core/log.h"

#define EXTENDED 0x80000000u
#define LAST_BASIC 0xdu
#define LAST_EXTENDED (EXTENDED + 0x21u)
#define HYPERVISOR_FIRST 0x40000000u
#define HYPERVISOR_SECOND 0x40000100u
#define NO_LEAF 0xffffffffu

/* Leaves whose answer depends on the subleaf; they go up to `last`. */
static const struct {
    uint32_t leaf, last;
} families[] = {{0x4, 5}, {0x7, 1}, {0xb, 1}, {0xd, 62}};

/* Leaf 1 edx, leaf 0x80000001 ecx: no features, but the shape of a package. */
#define HTT (1u << 28)
#define CMP_LEGACY (1u << 1)

/* Where each word of a featureset comes from, and what in it is none. */
static const struct {
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

/* The last subleaf of `leaf`, or NO_LEAF where subleaves do not matter. */
static uint32_t last_subleaf(uint32_t leaf)
{
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        if (families[i].leaf == leaf)
            return families[i].last;
    return NO_LEAF;
}

/* A leaf beyond the highest of its half is zero, whatever CPUID says. */
static struct xen_cpuid_leaf answer(enum machine_cpuid_view view, uint32_t leaf,
                                    uint32_t subleaf)
{
    struct machine_cpuid top = machine_cpuid(view, leaf & EXTENDED, 0);
    struct machine_cpuid r = {0, 0, 0, 0};

    if (leaf <= top.a &&
        (leaf != 0x7 || !subleaf || subleaf <= machine_cpuid(view, leaf, 0).a))
        r = machine_cpuid(view, leaf, subleaf);
    return (struct xen_cpuid_leaf){leaf, subleaf, r.a, r.b, r.c, r.d};
}

/* A list of the guest's that is being filled. */
struct leaf_list {
    guest_va at;
    uint32_t used, room;
};

static int append(struct leaf_list *list, const struct xen_cpuid_leaf *l)
{
    if (list->used == list->room)
        return -ENOBUFS;
    if (copy_out(guest_va_add(list->at, list->used * sizeof(*l)), l,
                 sizeof(*l)))
        return -EFAULT;
    list->used++;
    return 0;
}

static int append_subleaves(struct leaf_list *list,
                            enum machine_cpuid_view view, uint32_t leaf)
{
    uint32_t last = last_subleaf(leaf);
    int error = 0;

    for (uint32_t subleaf = 0; subleaf <= last && !error; subleaf++) {
        struct xen_cpuid_leaf l = answer(view, leaf, subleaf);

        error = append(list, &l);
    }
    return error;
}

static int append_half(struct leaf_list *list, enum machine_cpuid_view view,
                       uint32_t first, uint32_t last)
{
    uint32_t top = machine_cpuid(view, first, 0).a;
    int error = 0;

    for (uint32_t leaf = first; leaf <= last && leaf <= top && !error; leaf++) {
        struct xen_cpuid_leaf l;

        if (last_subleaf(leaf) != NO_LEAF) {
            error = append_subleaves(list, view, leaf);
            continue;
        }
        l = answer(view, leaf, 0);
        l.subleaf = XEN_CPUID_NO_SUBLEAF;
        error = append(list, &l);
    }
    return error;
}

/* The hypervisor's own leaves are each guest's; here they only have a place. */
static int append_hypervisor(struct leaf_list *list)
{
    static const struct xen_cpuid_leaf none[] = {
        {.leaf = HYPERVISOR_FIRST, .subleaf = XEN_CPUID_NO_SUBLEAF},
        {.leaf = HYPERVISOR_SECOND, .subleaf = XEN_CPUID_NO_SUBLEAF},
    };
    int error = append(list, &none[0]);

    return error ? error : append(list, &none[1]);
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
    int error;

    if (!leaves.va) {
        *nr_leaves = CPU_POLICY_MAX_LEAVES;
        return 0;
    }
    error = append_half(&list, view, 0, LAST_BASIC);
    if (!error)
        error = append_hypervisor(&list);
    if (!error)
        error = append_half(&list, view, EXTENDED, LAST_EXTENDED);
    *nr_leaves = list.used;
    return error;
}

static uint32_t reg_of(const struct xen_cpuid_leaf *l, char reg)
{
    switch (reg) {
    case 'a':
        return l->a;
    case 'b':
        return l->b;
    case 'c':
        return l->c;
    default:
        return l->d;
    }
}

/* Word `word` of a view's featureset. */
uint32_t cpu_policy_feature(enum machine_cpuid_view view, unsigned word)
{
    struct xen_cpuid_leaf l =
        answer(view, words[word].leaf, words[word].subleaf);

    return reg_of(&l, words[word].reg);
}

/* Whether `l` has no feature that guests do not get. */
static bool is_granted(const struct xen_cpuid_leaf *l)
{
    uint32_t subleaf = l->subleaf == XEN_CPUID_NO_SUBLEAF ? 0 : l->subleaf;

    for (unsigned i = 0; i < XEN_FEATURESET_WORDS; i++)
        if (words[i].leaf == l->leaf && words[i].subleaf == subleaf &&
            reg_of(l, words[i].reg) &
                ~(cpu_policy_feature(MACHINE_CPUID_GUEST, i) | words[i].shape))
            return false;
    return true;
}

/*
 * Checks a list of leaves that a tool wants a guest to see. 0; -EINVAL for
 * a feature that guests do not get, with the leaf in *bad; -E2BIG, -EFAULT.
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
