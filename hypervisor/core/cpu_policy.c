/* SPDX-License-Identifier: MIT */
/* CPUID for tools: lists of leaves, words of features (cpu_policy.h). */
#include "core/cpu_policy.h"

#include "core/domain.h"
#include "core/guest_copy.h"
#include "core/heap.h"
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

/* Leaf 1 ecx: set because the guest, or every guest, is as it is. */
#define OSXSAVE (1u << 27)
#define HYPERVISOR (1u << 31)

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

/* The last subleaf of `leaf`, or NO_LEAF where subleaves do not matter. */
static uint32_t last_subleaf(uint32_t leaf)
{
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        if (families[i].leaf == leaf)
            return families[i].last;
    return NO_LEAF;
}

/* --- a domain's own ------------------------------------------------------ */

/* What makes parts of XCR0 usable: leaf 1 ecx, leaf 7 ebx. */
#define FEATURE_XSAVE (1u << 26)
#define FEATURE_AVX (1u << 28)
#define FEATURE_AVX512F (1u << 16)
#define XCR0_AVX (1ull << 2)
#define XCR0_AVX512 (7ull << 5)

/* What the tools said a domain is to read. */
struct cpu_policy {
    uint32_t count;
    struct own_leaf {
        uint32_t leaf, subleaf; /* or XEN_CPUID_NO_SUBLEAF */
        struct machine_cpuid r;
    } leaves[CPU_POLICY_MAX_LEAVES];
};

/*
 * Registers that describe the processor and are no features: here a policy's
 * word is what the guest reads. Of the others it can take away only.
 */
static const struct {
    uint32_t leaf;
    const char *regs;
} descriptions[] = {
    {0x0, "bcd"},         {0x1, "ab"},          {0x2, "abcd"},
    {0x4, "abcd"},        {0x80000001, "ab"},   {0x80000002, "abcd"},
    {0x80000003, "abcd"}, {0x80000004, "abcd"}, {0x80000005, "abcd"},
    {0x80000006, "abcd"},
};

static const struct own_leaf *find_own(const struct cpu_policy *p,
                                       uint32_t leaf, uint32_t subleaf)
{
    for (uint32_t i = 0; i < p->count; i++) {
        const struct own_leaf *own = &p->leaves[i];

        if (own->leaf == leaf &&
            (own->subleaf == subleaf || own->subleaf == XEN_CPUID_NO_SUBLEAF))
            return own;
    }
    return NULL;
}

static uint32_t *reg_of(struct machine_cpuid *r, char reg)
{
    switch (reg) {
    case 'a':
        return &r->a;
    case 'b':
        return &r->b;
    case 'c':
        return &r->c;
    default:
        return &r->d;
    }
}

/* Takes the features away from *r that are not in `own`. */
static void take_features(struct machine_cpuid *r, const struct own_leaf *own,
                          uint32_t subleaf)
{
    struct machine_cpuid wanted = own->r;

    for (unsigned i = 0; i < XEN_FEATURESET_WORDS; i++) {
        const struct feature_word *w = &words[i];
        uint32_t kept =
            w->leaf == 0x1 && w->reg == 'c' ? OSXSAVE | HYPERVISOR : 0;
        uint32_t *reg = reg_of(r, w->reg), want = *reg_of(&wanted, w->reg);

        if (w->leaf == own->leaf && w->subleaf == subleaf)
            *reg = (*reg & (want | kept) & ~w->shape) | (want & w->shape);
    }
}

static void take_descriptions(struct machine_cpuid *r,
                              const struct own_leaf *own)
{
    struct machine_cpuid wanted = own->r;

    for (size_t i = 0; i < ARRAY_LEN(descriptions); i++)
        if (descriptions[i].leaf == own->leaf)
            for (const char *reg = descriptions[i].regs; *reg; reg++)
                *reg_of(r, *reg) = *reg_of(&wanted, *reg);
}

/* Whether register a of a leaf says how many there are of its kind. */
static bool is_count(uint32_t leaf, uint32_t subleaf)
{
    return !(leaf & ~EXTENDED) || (leaf == 0x7 && !subleaf);
}

/* What of XCR0 a domain with this policy may make use of. */
static uint64_t xcr0_of(const struct cpu_policy *p)
{
    const struct own_leaf *basic = find_own(p, 0x1, 0);
    const struct own_leaf *more = find_own(p, 0x7, 0);
    const struct own_leaf *states = find_own(p, 0xd, 0);
    uint64_t allowed = ~0ull;

    if (states)
        allowed = (uint64_t)states->r.d << 32 | states->r.a;
    if (basic && !(basic->r.c & FEATURE_XSAVE))
        return 0;
    if (more && !(more->r.b & FEATURE_AVX512F))
        allowed &= ~XCR0_AVX512;
    if (basic && !(basic->r.c & FEATURE_AVX))
        allowed &= ~(XCR0_AVX | XCR0_AVX512);
    return allowed;
}

static struct machine_cpuid read_own(const struct cpu_policy *p, uint64_t xcr0,
                                     uint32_t leaf, uint32_t subleaf)
{
    const struct own_leaf *own = find_own(p, leaf, subleaf);
    struct machine_cpuid r =
        machine_guest_cpuid(xcr0_of(p), xcr0, leaf, subleaf);

    if (!own)
        return r;
    take_features(&r, own, subleaf);
    take_descriptions(&r, own);
    if (is_count(leaf, subleaf))
        r.a = (uint32_t)min_u64(r.a, own->r.a);
    return r;
}

/*
 * What a vCPU of `d` with this XCR0 reads with CPUID, wherever Mica is asked:
 * leaves beyond the highest that its policy has are zeros.
 */
struct machine_cpuid cpu_policy_read(const struct domain *d, uint64_t xcr0,
                                     uint32_t leaf, uint32_t subleaf)
{
    const struct cpu_policy *p = d->cpu_policy;
    struct machine_cpuid none = {0, 0, 0, 0};

    if (!p || leaf >> 16 == HYPERVISOR_FIRST >> 16)
        return machine_guest_cpuid(~0ull, xcr0, leaf, subleaf);
    if (last_subleaf(leaf) == NO_LEAF)
        subleaf = 0;
    if (leaf > read_own(p, xcr0, leaf & EXTENDED, 0).a ||
        (leaf == 0x7 && subleaf > read_own(p, xcr0, leaf, 0).a))
        return none;
    return read_own(p, xcr0, leaf, subleaf);
}

/* --- giving out ---------------------------------------------------------- */

/* Whose view is given out: that of `d`, or if that is NULL `view`. */
struct source {
    enum machine_cpuid_view view;
    const struct domain *d;
};

static struct machine_cpuid read_source(const struct source *s, uint32_t leaf,
                                        uint32_t subleaf)
{
    return s->d ? cpu_policy_read(s->d, ~0ull, leaf, subleaf)
                : machine_cpuid(s->view, leaf, subleaf);
}

/* A leaf beyond the highest of its half is zero, whatever CPUID says. */
static struct xen_cpuid_leaf answer(const struct source *s, uint32_t leaf,
                                    uint32_t subleaf)
{
    struct machine_cpuid top = read_source(s, leaf & EXTENDED, 0);
    struct machine_cpuid r = {0, 0, 0, 0};

    if (leaf <= top.a &&
        (leaf != 0x7 || !subleaf || subleaf <= read_source(s, leaf, 0).a))
        r = read_source(s, leaf, subleaf);
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

static int append_subleaves(struct leaf_list *list, const struct source *s,
                            uint32_t leaf)
{
    uint32_t last = last_subleaf(leaf);
    int error = 0;

    for (uint32_t subleaf = 0; subleaf <= last && !error; subleaf++) {
        struct xen_cpuid_leaf l = answer(s, leaf, subleaf);

        error = append(list, &l);
    }
    return error;
}

static int append_half(struct leaf_list *list, const struct source *s,
                       uint32_t first, uint32_t last)
{
    uint32_t top = read_source(s, first, 0).a;
    int error = 0;

    for (uint32_t leaf = first; leaf <= last && leaf <= top && !error; leaf++) {
        struct xen_cpuid_leaf l;

        if (last_subleaf(leaf) != NO_LEAF) {
            error = append_subleaves(list, s, leaf);
            continue;
        }
        l = answer(s, leaf, 0);
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

static int put(const struct source *s, guest_va leaves, uint32_t *nr_leaves)
{
    struct leaf_list list = {leaves, 0, *nr_leaves};
    int error;

    if (!leaves.va) {
        *nr_leaves = CPU_POLICY_MAX_LEAVES;
        return 0;
    }
    error = append_half(&list, s, 0, LAST_BASIC);
    if (!error)
        error = append_hypervisor(&list);
    if (!error)
        error = append_half(&list, s, EXTENDED, LAST_EXTENDED);
    *nr_leaves = list.used;
    return error;
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
    return put(&(struct source){.view = view}, leaves, nr_leaves);
}

/* The same of what `d` sees if it uses all extended registers that it may. */
int cpu_policy_put_own(const struct domain *d, guest_va leaves,
                       uint32_t *nr_leaves)
{
    return put(&(struct source){.d = d}, leaves, nr_leaves);
}

/* Word `word` of a view's featureset. */
uint32_t cpu_policy_feature(enum machine_cpuid_view view, unsigned word)
{
    const struct feature_word *w = &words[word];
    struct xen_cpuid_leaf l =
        answer(&(struct source){.view = view}, w->leaf, w->subleaf);
    struct machine_cpuid r = {l.a, l.b, l.c, l.d};

    return *reg_of(&r, w->reg);
}

/* --- taking in ----------------------------------------------------------- */

/* Whether `l` has no feature that guests do not get. */
static bool is_granted(const struct xen_cpuid_leaf *l)
{
    uint32_t subleaf = l->subleaf == XEN_CPUID_NO_SUBLEAF ? 0 : l->subleaf;
    struct machine_cpuid r = {l->a, l->b, l->c, l->d};

    for (unsigned i = 0; i < XEN_FEATURESET_WORDS; i++)
        if (words[i].leaf == l->leaf && words[i].subleaf == subleaf &&
            *reg_of(&r, words[i].reg) &
                ~(cpu_policy_feature(MACHINE_CPUID_GUEST, i) | words[i].shape))
            return false;
    return true;
}

/* The hypervisor's own leaves are not the tools' to change. */
static int take_leaf(struct cpu_policy *p, const struct xen_cpuid_leaf *l)
{
    uint32_t i = 0;

    if (l->leaf >> 16 == HYPERVISOR_FIRST >> 16)
        return 0;
    while (i < p->count &&
           (p->leaves[i].leaf != l->leaf || p->leaves[i].subleaf != l->subleaf))
        i++;
    if (i == CPU_POLICY_MAX_LEAVES)
        return refuse(-E2BIG, "a policy of more than %u leaves", i);
    p->leaves[i] =
        (struct own_leaf){l->leaf, l->subleaf, {l->a, l->b, l->c, l->d}};
    p->count = (uint32_t)max_u64(p->count, i + 1);
    return 0;
}

static int take_leaves(struct cpu_policy *p, guest_va leaves,
                       uint32_t nr_leaves, struct xen_cpuid_leaf *bad)
{
    int error = 0;

    for (uint32_t i = 0; i < nr_leaves && !error; i++) {
        if (copy_in(bad, guest_va_add(leaves, i * sizeof(*bad)), sizeof(*bad)))
            return -EFAULT;
        if (!is_granted(bad))
            return refuse(-EINVAL, "leaf %#x, %#x asks for more", bad->leaf,
                          bad->subleaf);
        error = take_leaf(p, bad);
    }
    return error;
}

/*
 * Has `d`, which has never run, see no more than the list says of the leaves
 * that are in it. All or nothing: 0; -EINVAL for a feature that guests do not
 * get, with the leaf in *bad; -E2BIG, -EFAULT, -ENOMEM. One caller at a time.
 */
int cpu_policy_set(struct domain *d, guest_va leaves, uint32_t nr_leaves,
                   struct xen_cpuid_leaf *bad)
{
    struct cpu_policy *p;
    int error;

    if (nr_leaves > CPU_POLICY_MAX_LEAVES)
        return refuse(-E2BIG, "a policy of %u leaves", nr_leaves);
    p = heap_zalloc(sizeof(*p));
    if (!p)
        return -ENOMEM;
    if (d->cpu_policy)
        memcpy(p, d->cpu_policy, sizeof(*p));
    error = take_leaves(p, leaves, nr_leaves, bad);
    if (error) {
        heap_zfree(p, sizeof(*p));
        return error;
    }
    cpu_policy_destroy(d);
    d->cpu_policy = p;
    return 0;
}

/* Frees what cpu_policy_set made; nothing to do when it did not. */
void cpu_policy_destroy(struct domain *d)
{
    if (d->cpu_policy)
        heap_zfree(d->cpu_policy, sizeof(*d->cpu_policy));
    d->cpu_policy = NULL;
}
