/* SPDX-License-Identifier: MIT */
/*
 * A domain's grant table and the uses of its entries (grant.h). Mappings and
 * the page tables in which they appear are grant_op.c's.
 */
#include "core/grant.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/frame.h"
#include "core/heap.h"
#include "core/log.h"

#define SWAP_TRIES 5u /* more means that the granter plays games */

/* A struct grant_entry_v1 as one word, the way it is read and swapped. */
#define ENTRY_FLAGS(entry) ((uint16_t)(entry))
#define ENTRY_GRANTEE(entry) ((domid_t)((entry) >> 16))
#define ENTRY_FRAME(entry) ((uint32_t)((entry) >> 32))

/* --- the table ----------------------------------------------------------- */

static int add_frame(struct domain *d, struct grant_table *t)
{
    struct grant_frame *frame = heap_zalloc(sizeof(*frame));

    if (!frame)
        return -ENOMEM;
    frame_share(arch_frame_of(frame), d);
    t->frames[t->frame_count++] = frame;
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
    if (domain_is_dying(d))
        error = -EINVAL;
    else if (index >= t->max_frames)
        error = -E2BIG;
    while (!error && t->frame_count <= index)
        error = add_frame(d, t);
    if (!error)
        *out = arch_frame_of(t->frames[index_clamp(index, t->frame_count)]);
    spin_unlock(&d->grant_lock);
    return error;
}

/* Gives new domain `d` an empty table with one frame. -ENOMEM. */
int grant_create(struct domain *d)
{
    mfn_t first;

    d->grants = heap_zalloc(sizeof(*d->grants));
    if (!d->grants)
        return -ENOMEM;
    grant_set_limits(d, GRANT_FRAMES_LIMIT, UINT32_MAX);
    return grant_frame_at(d, 0, &first);
}

/*
 * Sets the limits of a domain that does not run yet, to what Mica can do at
 * most. The tools may have grown its table already: it keeps what it has. A
 * page is one of records of mappings, of which it gets whole chunks.
 */
void grant_set_limits(struct domain *d, uint32_t frames, uint32_t map_pages)
{
    struct grant_table *t = d->grants;
    uint64_t maps = map_pages * (PAGE_SIZE / sizeof(struct grant_mapping));

    spin_lock(&d->grant_lock);
    t->max_frames =
        (uint32_t)max_u64(min_u64(frames, GRANT_FRAMES_LIMIT), t->frame_count);
    t->max_maps = (uint32_t)min_u64(maps, GRANT_MAPS_LIMIT);
    spin_unlock(&d->grant_lock);
}

/* --- uses of entries ----------------------------------------------------- */

/* The entry that is in use, or NULL, and how often it is. */
static uint64_t *find_entry(const struct grant_hold *h,
                            struct grant_uses **uses)
{
    struct grant_table *t = h->granter->grants;
    uint64_t bound = (uint64_t)t->frame_count * GRANTS_PER_FRAME;
    uint64_t n = index_clamp(h->ref, bound);
    struct grant_frame *frame;

    if (h->ref >= bound)
        return NULL;
    frame = t->frames[n / GRANTS_PER_FRAME];
    *uses = &frame->uses[n % GRANTS_PER_FRAME];
    return &frame->entries[n % GRANTS_PER_FRAME];
}

static int check_entry(uint64_t entry, domid_t grantee,
                       enum grant_access access)
{
    if ((ENTRY_FLAGS(entry) & GTF_type_mask) != GTF_permit_access)
        return GNTST_bad_gntref;
    if (ENTRY_GRANTEE(entry) != grantee ||
        (access == GRANT_WRITE && ENTRY_FLAGS(entry) & GTF_readonly))
        return GNTST_permission_denied;
    return GNTST_okay;
}

/*
 * Counts a use and sets its flags, if the entry allows it. The granter may
 * change the entry at any moment: what is checked is what is swapped.
 */
static int begin_use(const struct grant_hold *h, domid_t grantee, mfn_t *mfn)
{
    uint64_t flags = GTF_reading | (h->access == GRANT_WRITE ? GTF_writing : 0);
    struct grant_uses *uses;
    uint64_t *word = find_entry(h, &uses), entry;

    if (domain_is_dying(h->granter))
        return GNTST_bad_domain;
    if (!word)
        return GNTST_bad_gntref;
    entry = __atomic_load_n(word, __ATOMIC_ACQUIRE);
    for (unsigned tries = 0; tries < SWAP_TRIES; tries++) {
        int status = check_entry(entry, grantee, h->access);

        if (status)
            return status;
        if (!__atomic_compare_exchange_n(word, &entry, entry | flags, false,
                                         __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE))
            continue;
        uses->all++;
        uses->writing += h->access == GRANT_WRITE;
        *mfn = MFN(ENTRY_FRAME(entry));
        return GNTST_okay;
    }
    return GNTST_general_error;
}

/* The table of a dead domain may have no entries any more. */
static void end_use(const struct grant_hold *h)
{
    struct grant_uses *uses;
    uint64_t *word, done;

    spin_lock(&h->granter->grant_lock);
    word = find_entry(h, &uses);
    if (word) {
        ASSERT(uses->all && (h->access == GRANT_READ || uses->writing));
        uses->all--;
        uses->writing -= h->access == GRANT_WRITE;
        done =
            (uses->all ? 0 : GTF_reading) | (uses->writing ? 0 : GTF_writing);
        __atomic_and_fetch(word, ~done, __ATOMIC_SEQ_CST);
    }
    spin_unlock(&h->granter->grant_lock);
}

/*
 * A reference to frame `mfn` of `owner` for `access`, or GNTST_bad_page. Frames
 * that Mica lends, such as a grant table, are not for passing on: Mica wants
 * them back when their domain ends.
 */
int grant_hold_frame(struct domain *owner, mfn_t mfn, enum grant_access access,
                     struct frame **out)
{
    struct frame *f = frame_get(mfn, owner);
    bool is_fit = f && frame_type(f) != FRAME_SHARED &&
                  (access == GRANT_READ || !frame_get_writable(f));

    if (f && (!is_fit || access == GRANT_WRITE))
        frame_put(f); /* a writable reference has one of its own */
    *out = f;
    return is_fit ? GNTST_okay
                  : refuse(GNTST_bad_page, "frame %#lx is not for d%u to share",
                           mfn.n, owner->id);
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

    *h = (struct grant_hold){.granter = granter, .ref = ref, .access = access};
    spin_lock(&granter->grant_lock);
    status = begin_use(h, grantee, &mfn);
    spin_unlock(&granter->grant_lock);
    if (status)
        return refuse(status, "grant %u of d%u: status %d", ref, granter->id,
                      status);
    status = grant_hold_frame(granter, mfn, access, &h->frame);
    if (status)
        end_use(h);
    else
        domain_get(granter);
    return status;
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
    end_use(h);
    domain_put(h->granter);
}

/* --- the end ------------------------------------------------------------- */

/* Takes back the table, from its end. -EBUSY while somebody has it mapped. */
static int release_frames(struct domain *d)
{
    struct grant_table *t = d->grants;
    int error = 0;

    spin_lock(&d->grant_lock);
    while (t->frame_count) {
        struct grant_frame *last = t->frames[t->frame_count - 1];

        error = frame_unshare(arch_frame_of(last), d);
        if (error)
            break;
        heap_zfree(last, sizeof(*last));
        t->frame_count--;
    }
    spin_unlock(&d->grant_lock);
    return error;
}

/*
 * Ends all that a dying domain, in whose frames nobody gets new use, has to do
 * with grants: its mappings of others' frames end, and its table goes. Uses by
 * others last on, on their own references. To be called when the domain's
 * page tables are gone, so that no entry of them keeps a granter's frame
 * longer than the granter thinks. 0; -ERESTART to be called again; -EBUSY
 * when page tables, its own or dom0's, still map its table: again later.
 */
int grant_release_all(struct domain *d)
{
    int error = grant_release_mappings(d);

    return error ? error : release_frames(d);
}

/*
 * Frees the table of a domain that has gone through grant_release_all or has
 * never run; it may be half made or missing.
 */
void grant_destroy(struct domain *d)
{
    if (d->grants && release_frames(d))
        panic("d%u: its grant table is still mapped", d->id);
    heap_zfree(d->grants, sizeof(*d->grants));
    d->grants = NULL;
}
