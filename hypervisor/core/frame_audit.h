/* SPDX-License-Identifier: MIT */
/*
 * The auditor: recomputes the counts of all frames from what holds references
 * and compares. It is how Mica's claims of frame.h are checked, in tests after
 * every step and on a running machine by a debug key.
 *
 * Nobody may change frames, page tables or vCPUs meanwhile: on a running
 * machine the caller has stopped all vCPUs. It takes no locks but the heap's
 * and the domain list's.
 */
#pragma once

#include "core/frame.h"

struct domain;

/*
 * Called for each reference to RAM frame `mfn`: one of `type`, with the
 * general one that belongs to it, or for FRAME_NONE a general one alone.
 */
typedef void frame_ref_visitor(void *context, mfn_t mfn, enum frame_type type);

/* The number of differences; each is in the log, the first few in detail. */
must_check unsigned frame_audit(void);
