/* SPDX-License-Identifier: MIT */
/*
 * Entries, uses and mappings of grants (grant.h). The page tables in which a
 * mapping appears are grant_op.c's.
 */
#include "core/grant.h"

#include "core/arch.h"
#include "core/bitmap.h"
#include "core/domain.h"
#include "core/frame.h"
#include "core/heap.h"
#include "core/hypercall.h"
#include "core/log.h"

#define NO_HANDLE (~0u)
#define SWAP_TRIES 5u /* more means that the granter plays games */

/* An entry as one word, the way it is read and swapped. */
#define ENTRY_FLAGS(entry) ((uint16_t)(entry))
#define ENTRY_GRANTEE(entry) ((domid_t)((entry) >> 16))
#define ENTRY_FRAME(entry) ((uint32_t)((entry) >> 32))

_Static_assert(sizeof(struct grant_entry_v1) == sizeof(uint64_t) &&
                   offsetof(struct grant_entry_v1, domid) == 2 &&
                   offsetof(struct grant_entry_v1, frame) == 4,
               "the word is the structure");

/* How an entry is used; without uses, grantee and frame mean nothing. */
struct usage {
    uint32_t frame;
    domid_t grantee;
    uint8_t uses;
    uint8_t writers; /* of the uses */
};

_Static_assert(sizeof(struct usage) * GRANTS_PER_FRAME == PAGE_SIZE,
               "as many as there are entries in a frame");

struct grant_table {
    bool is_closed; /* no new uses of its entries, no growth */
    uint32_t frame_count;
    uint32_t max_frames; /* const after build */
    uint64_t *entries[GRANT_FRAMES_LIMIT];
    struct usage *usage[GRANT_FRAMES_LIMIT];

    uint32_t max_map_pages;           /* const after build */
    uint32_t map_page_count;          /* pt_lock, as what follows */
    struct grant_mapping **map_pages; /* NULL until the first mapping */
    grant_handle_t free_map;
};

/* --- the table ----------------------------------------------------------- */

static int add_frame(struct domain *d, struct grant_table *t)
{
    uint64_t *entries = frames_alloc(0);
    struct usage *usage = entries ? frames_alloc(0) : NULL;

    if (!usage) {
        frames_free(entries, 0);
        return -ENOMEM;
    }
    frame_share(arch_frame_of(entries), d);
    t->entries[t->frame_count] = entries;
    t->usage[t->frame_count++] = usage;
    return 0;
}

/*
 * The frame with entries from `index` * GRANTS_PER_FRAME on: the table grows to
 * have it. -E2BIG beyond the limit, -ENOMEM, -EINVAL when the domain is dying.
 */
int grant_frame_at(struct domain *d, uint32_t index, mfn_t *out)
{
    struct grant_table *t = d->grants;
    int error = 0;

    spin_lock(&d->grant_lock);
    if (t->is_closed)
        error = -EINVAL;
    else if (index >= t->max_frames)
        error = -E2BIG;
    while (!error && t->frame_count <= index)
        error = add_frame(d, t);
    if (!error)
        *out = arch_frame_of(t->entries[index_clamp(index, t->frame_count)]);
    spin_unlock(&d->grant_lock);
    return error;
}

/* Gives new domain `d` an empty table with one frame. -ENOMEM. */
int grant_create(struct domain *d)
{
    struct grant_table *t = heap_zalloc(sizeof(*t));
    mfn_t first;

    if (!t)
        return -ENOMEM;
    t->max_frames = GRANT_FRAMES_DEFAULT;
    t->max_map_pages = GRANT_MAP_PAGES_LIMIT;
    t->free_map = NO_HANDLE;
    d->grants = t;
    return grant_frame_at(d, 0, &first);
}

/*
 * Replaces the limits of a domain that does not run yet; the tools may have
 * grown its table already, and then it keeps what it has. -EINVAL for more
 * than Mica can do, or when it has mappings.
 */
int grant_set_limits(struct domain *d, uint32_t frames, uint32_t map_pages)
{
    struct grant_table *t = d->grants;
    int error = -EINVAL;

    spin_lock(&d->grant_lock);
    if (frames <= GRANT_FRAMES_LIMIT && map_pages <= GRANT_MAP_PAGES_LIMIT &&
        !t->map_pages) {
        t->max_frames = (uint32_t)max_u64(frames, t->frame_count);
        t->max_map_pages = map_pages;
        error = 0;
    }
    spin_unlock(&d->grant_lock);
    return error;
}

/* How many frames the table has, and may have. */
void grant_size(struct domain *d, uint32_t *frames, uint32_t *max_frames)
{
    struct grant_table *t = d->grants;

    spin_lock(&d->grant_lock);
    *frames = t->frame_count;
    *max_frames = t->max_frames;
    spin_unlock(&d->grant_lock);
}

/* Finds entry `ref` and what is known of its use. */
static bool find_entry(struct grant_table *t, grant_ref_t ref, uint64_t **entry,
                       struct usage **usage)
{
    uint64_t bound = (uint64_t)t->frame_count * GRANTS_PER_FRAME;
    uint64_t n = index_clamp(ref, bound);

    if (ref >= bound)
        return false;
    *entry = &t->entries[n / GRANTS_PER_FRAME][n % GRANTS_PER_FRAME];
    *usage = &t->usage[n / GRANTS_PER_FRAME][n % GRANTS_PER_FRAME];
    return true;
}

/* --- uses of entries ----------------------------------------------------- */

static int check_entry(uint64_t entry, domid_t grantee,
                       enum grant_access access)
{
    if ((ENTRY_FLAGS(entry) & GTF_type_mask) != GTF_permit_access)
        return GNTST_bad_gntref;
    if (ENTRY_GRANTEE(entry) != grantee)
        return GNTST_permission_denied;
    if (access == GRANT_WRITE && ENTRY_FLAGS(entry) & GTF_readonly)
        return GNTST_permission_denied;
    return GNTST_okay;
}

/*
 * Sets the flags of a new kind of use, if the entry allows it. The granter
 * may change the entry at any moment: what is checked is what is swapped.
 */
static int mark_in_use(uint64_t *word, struct usage *u, domid_t grantee,
                       enum grant_access access)
{
    uint64_t flags = GTF_reading | (access == GRANT_WRITE ? GTF_writing : 0);
    uint64_t entry = __atomic_load_n(word, __ATOMIC_ACQUIRE);

    for (unsigned tries = 0; tries < SWAP_TRIES; tries++) {
        int status = check_entry(entry, grantee, access);

        if (status)
            return status;
        if (u->uses && ENTRY_FRAME(entry) != u->frame)
            return GNTST_bad_gntref;
        if (!__atomic_compare_exchange_n(word, &entry, entry | flags, false,
                                         __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE))
            continue;
        u->frame = ENTRY_FRAME(entry);
        u->grantee = grantee;
        return GNTST_okay;
    }
    return GNTST_general_error;
}

static int begin_use(struct grant_table *t, grant_ref_t ref, domid_t grantee,
                     enum grant_access access, mfn_t *mfn)
{
    uint64_t *word;
    struct usage *u;
    int status = GNTST_okay;

    if (t->is_closed)
        return GNTST_bad_domain;
    if (!find_entry(t, ref, &word, &u))
        return GNTST_bad_gntref;
    if (u->uses == GRANT_MAX_USES)
        return GNTST_general_error;
    if (u->uses && u->grantee != grantee)
        return GNTST_permission_denied;
    if (!u->uses || (access == GRANT_WRITE && !u->writers))
        status = mark_in_use(word, u, grantee, access);
    if (status)
        return status;
    u->uses++;
    u->writers += access == GRANT_WRITE;
    *mfn = MFN(u->frame);
    return GNTST_okay;
}

/* The table of a dead domain may have no entries any more. */
static void end_use(struct domain *granter, grant_ref_t ref,
                    enum grant_access access)
{
    uint64_t done = 0;
    uint64_t *word;
    struct usage *u;

    spin_lock(&granter->grant_lock);
    if (find_entry(granter->grants, ref, &word, &u)) {
        ASSERT(u->uses && (access == GRANT_READ || u->writers));
        if (!--u->uses)
            done |= GTF_reading;
        if (access == GRANT_WRITE && !--u->writers)
            done |= GTF_writing;
        if (done)
            __atomic_and_fetch(word, ~done, __ATOMIC_SEQ_CST);
    }
    spin_unlock(&granter->grant_lock);
}

/*
 * A reference to frame `mfn` of `owner` for `access`. Frames that Mica lends,
 * such as a grant table, are not for passing on: Mica wants them back when
 * their domain ends. GNTST_bad_page, or GNTST_general_error for a frame that
 * can't be written to because it is a page table.
 */
int grant_hold_frame(struct domain *owner, mfn_t mfn, enum grant_access access,
                     struct frame **out)
{
    struct frame *f = frame_get(mfn, owner);
    int status = GNTST_okay;

    if (!f)
        return refuse(GNTST_bad_page, "frame %#lx is not d%u's", mfn.n,
                      owner->id);
    if (frame_type(f) == FRAME_SHARED)
        status = refuse(GNTST_bad_page, "frame %#lx is lent by Mica", mfn.n);
    else if (access == GRANT_WRITE && frame_get_writable(f))
        status = refuse(GNTST_general_error, "frame %#lx is of type %u", mfn.n,
                        frame_type(f));
    if (status || access == GRANT_WRITE)
        frame_put(f); /* a writable reference has one of its own */
    *out = f;
    return status;
}

/*
 * Begins a use by domain `grantee` of what entry `ref` of `granter` grants.
 * The caller has a reference to `granter`. GNTST_okay with *h filled in,
 * otherwise nothing is held.
 */
int grant_hold(struct grant_hold *h, struct domain *granter, grant_ref_t ref,
               domid_t grantee, enum grant_access access)
{
    mfn_t mfn;
    int status;

    spin_lock(&granter->grant_lock);
    status = begin_use(granter->grants, ref, grantee, access, &mfn);
    spin_unlock(&granter->grant_lock);
    if (status)
        return refuse(status, "grant %u of d%u: status %d", ref, granter->id,
                      status);
    status = grant_hold_frame(granter, mfn, access, &h->frame);
    if (status) {
        end_use(granter, ref, access);
        return status;
    }
    domain_get(granter);
    h->granter = granter;
    h->ref = ref;
    h->access = access;
    return GNTST_okay;
}

/*
 * Ends a use. The caller has made sure that nobody can reach the frame by it:
 * as soon as the flags are clear the granter uses it for something else. A hold
 * without a granter is a frame from grant_hold_frame.
 */
void grant_drop(const struct grant_hold *h)
{
    if (h->access == GRANT_WRITE)
        frame_put_writable(h->frame);
    else
        frame_put(h->frame);
    if (!h->granter)
        return;
    end_use(h->granter, h->ref, h->access);
    domain_put(h->granter);
}

/* --- mappings ------------------------------------------------------------ */

static struct grant_mapping *record_of(const struct grant_table *t,
                                       grant_handle_t handle)
{
    uint64_t bound = (uint64_t)t->map_page_count * GRANT_MAPS_PER_PAGE;
    uint64_t n = index_clamp(handle, bound);

    if (handle >= bound)
        return NULL;
    return &t->map_pages[n / GRANT_MAPS_PER_PAGE][n % GRANT_MAPS_PER_PAGE];
}

static size_t map_index_size(const struct grant_table *t)
{
    return t->max_map_pages * sizeof(*t->map_pages);
}

/* Makes a page of free mappings, if that is allowed and there is memory. */
static void add_mappings(struct domain *d)
{
    struct grant_table *t = d->grants;
    uint32_t first = t->map_page_count * GRANT_MAPS_PER_PAGE;
    struct grant_mapping *page;

    if (t->map_page_count == t->max_map_pages)
        return;
    if (!t->map_pages)
        t->map_pages = heap_zalloc(map_index_size(t));
    page = t->map_pages ? frames_alloc(0) : NULL;
    if (!page)
        return;
    t->map_pages[t->map_page_count++] = page;
    for (uint32_t i = GRANT_MAPS_PER_PAGE; i > 0; i--)
        grant_mapping_free(d, first + i - 1);
}

/* A mapping for the caller to fill in, or NULL when there are too many. */
struct grant_mapping *grant_mapping_new(struct domain *d,
                                        grant_handle_t *handle)
{
    struct grant_table *t = d->grants;
    struct grant_mapping *m;

    if (t->free_map == NO_HANDLE)
        add_mappings(d);
    *handle = t->free_map;
    m = record_of(t, *handle);
    if (m)
        t->free_map = m->next;
    return m;
}

/* The mapping `handle`, or NULL. */
struct grant_mapping *grant_mapping_at(struct domain *d, grant_handle_t handle)
{
    struct grant_mapping *m = record_of(d->grants, handle);

    return m && m->hold.frame ? m : NULL;
}

/* Frees a mapping, whose hold is no more, or is the caller's. */
void grant_mapping_free(struct domain *d, grant_handle_t handle)
{
    struct grant_mapping *m = record_of(d->grants, handle);

    m->hold.frame = NULL;
    m->next = d->grants->free_map;
    d->grants->free_map = handle;
}

/* For the auditor: the references that mappings of `d` hold themselves. */
void grant_frame_refs(struct domain *d, frame_ref_visitor *visit, void *context)
{
    const struct grant_table *t = d->grants;
    uint32_t end = t ? t->map_page_count * GRANT_MAPS_PER_PAGE : 0;

    for (grant_handle_t handle = 0; handle < end; handle++) {
        const struct grant_mapping *m = grant_mapping_at(d, handle);

        if (m)
            visit(context, frame_mfn(m->hold.frame),
                  m->hold.access == GRANT_WRITE ? FRAME_WRITABLE : FRAME_NONE);
    }
}

/* --- the end ------------------------------------------------------------- */

/*
 * Drops the translations that processors hold of mappings which are no longer
 * in the page tables of `d`, before what they map is given up.
 */
void grant_flush(struct domain *d)
{
    uint64_t vcpus[BITMAP_WORDS(MAX_VCPUS)] = {0};

    for (unsigned i = 0; i < d->max_vcpus; i++)
        bit_set(vcpus, i);
    arch_flush_vcpus(d, vcpus);
}

/* Ends the mappings of a domain without vCPUs, from the last page on. */
static int release_mappings(struct domain *d)
{
    struct grant_table *t = d->grants;

    if (t->map_page_count)
        grant_flush(d);
    while (t->map_page_count) {
        struct grant_mapping *page = t->map_pages[--t->map_page_count];

        for (unsigned i = 0; i < GRANT_MAPS_PER_PAGE; i++)
            if (page[i].hold.frame)
                grant_drop(&page[i].hold);
        frames_free(page, 0);
        if (t->map_page_count && hypercall_should_restart())
            return -ERESTART;
    }
    t->free_map = NO_HANDLE;
    return 0;
}

/* Takes back the table, from its end. -EBUSY while somebody has it mapped. */
static int release_frames(struct domain *d)
{
    struct grant_table *t = d->grants;
    int error = 0;

    spin_lock(&d->grant_lock);
    while (t->frame_count) {
        uint32_t last = t->frame_count - 1;

        error = frame_unshare(arch_frame_of(t->entries[last]), d);
        if (error)
            break;
        frames_free(t->entries[last], 0);
        frames_free(t->usage[last], 0);
        t->frame_count--;
    }
    spin_unlock(&d->grant_lock);
    return error;
}

/*
 * Ends all that a dying domain has to do with grants: nobody gets new use of
 * its frames, its mappings of others' frames end, and its table goes. Uses by
 * others last on, on their own references. To be called when the domain's
 * page tables are gone, so that no entry of them keeps a granter's frame
 * longer than the granter thinks. 0; -ERESTART to be called again; -EBUSY
 * when page tables, its own or dom0's, still map its table: again later.
 */
int grant_release_all(struct domain *d)
{
    int error;

    spin_lock(&d->grant_lock);
    d->grants->is_closed = true;
    spin_unlock(&d->grant_lock);
    error = release_mappings(d);
    return error ? error : release_frames(d);
}

/*
 * Frees the table of a domain that has gone through grant_release_all or has
 * never run; it may be half made or missing.
 */
void grant_destroy(struct domain *d)
{
    struct grant_table *t = d->grants;
    int error;

    if (!t)
        return;
    error = release_frames(d);
    ASSERT(!error);
    if (error)
        log_error("d%u: its grant table is still mapped", d->id);
    ASSERT(!t->map_page_count);
    heap_zfree(t->map_pages, map_index_size(t));
    heap_zfree(t, sizeof(*t));
    d->grants = NULL;
}
