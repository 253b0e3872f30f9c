/* SPDX-License-Identifier: MIT */
/*
 * Page tables of guests: what may become one, and what may be written there.
 *
 * A table's entries hold references: a present L1 entry one to the frame it
 * maps (a writable one if it has Write), a present higher entry a table
 * reference one level down. Promotion takes them entry by entry, and can stop
 * between any two; the frame then is partial (frame.h). When a table loses
 * its last reference it goes on the domain's drain list, from where pt_drain
 * drops what it holds, also stopping anywhere. Neither recurses.
 *
 * All functions need the page-table lock of `d`, the owner of the tables.
 * Those that may stop return -ERESTART with a state from which the same call
 * goes on; they look at the time themselves.
 */
#pragma once

#include "core/frame.h"
#include "core/pte.h"

/* Whose tables, and whose frames their entries may name: mostly the same. */
struct pt_context {
    struct domain *tables;
    struct domain *frames;
};

/*
 * At start: from now on absent entries may not name frames below `end`, but
 * for frame 0. For processors that read on, under speculation, where such an
 * entry points (L1TF); Linux writes such entries inverted anyway.
 */
void pt_refuse_absent(uint64_t end);

/*
 * A reference to `mfn` as a table of `level` (1 to 4), promoted if it is not
 * one. 0, -EINVAL when it cannot be one or is in use as something else,
 * -EPERM for a device frame in it that is not the domain's, -ERESTART.
 */
must_check int pt_get_table(struct domain *d, mfn_t mfn, unsigned level);

/* Gives such a reference back; call pt_drain when done. */
void pt_put_table(struct domain *d, struct frame *f);

/* 0 when nothing is left to drop, -ERESTART when time ran out first. */
must_check int pt_drain(struct domain *d);

/* Leaves `f` either whole or plain: undoes a promotion left half-way. */
must_check int pt_settle(struct domain *d, struct frame *f);

/* Whether entry `index` of a table of `level` is Mica's, as it is in any. */
static inline bool pt_is_own_slot(unsigned level, unsigned index)
{
    return level == 4 && index >= 256 && index <= 271;
}

/* How many of the entries of `f`, from the first on, hold references. */
unsigned pt_entries_held(const struct frame *f);

enum pt_write {
    PT_STORE,       /* whatever was there */
    PT_PRESERVE_AD, /* keep Accessed and Dirty as they are */
    PT_EXCHANGE,    /* only if the entry still is `expected`, else -EAGAIN */
};

/*
 * Writes entry `index` of table `f`, whose level its type says, with all the
 * references that implies. -EINVAL, -EPERM and the like leave it untouched; so
 * does -ERESTART.
 */
must_check int pt_write_entry(const struct pt_context *c, struct frame *f,
                              unsigned index, enum pt_write how,
                              uint64_t expected, uint64_t value);
