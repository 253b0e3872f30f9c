/* SPDX-License-Identifier: MIT */
/*
 * Creating and destroying domains as a whole: hypervisor, memory and store
 * together, all of it or nothing.
 */
#pragma once

#include "dom0_tools/lib/build.h"
#include "dom0_tools/mica/domain_config.h"
#include "dom0_tools/mica/domain_store.h"

/*
 * Checks whether a domain can be created, reads its kernel and plans it,
 * without changing anything. A plan for build_free(), which needs `c` as long
 * as it lives; or NULL.
 */
struct build *domain_plan(struct call *call, const struct domain_config *c,
                          struct error *e);

/*
 * Creates a planned domain, paused. 0 with its number; otherwise nothing of
 * it is left.
 */
int domain_create(struct call *call, const struct domain_config *c,
                  struct build *plan, domid_t *id, struct error *e);

/* Destroys a domain and what the store has of it, as far as there is any. */
int domain_destroy(struct call *call, domid_t id, enum domain_store_part part,
                   struct error *e);

/* What domain_wait() waits for. */
enum domain_end {
    DOMAIN_HAS_ENDED, /* it has shut down, or is gone */
    DOMAIN_IS_GONE,
};

/*
 * Waits until domains list[0..count) have come to an end, reporting each on
 * call->out. `timeout` in seconds, 0: without end. EXIT_STATUS_TIMEOUT.
 */
int domain_wait(struct call *call, const struct domain *list, unsigned count,
                enum domain_end end, unsigned timeout, struct error *e);
