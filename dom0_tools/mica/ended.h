/* SPDX-License-Identifier: MIT */
/* What becomes of domains that have ended: on_poweroff and its like. */
#pragma once

#include "dom0_tools/mica/verb.h"
#include "hypercall_abi/abi.h"

/* Whether something is to be done about a domain. */
bool ended_needs_work(struct call *call, domid_t id);

/*
 * Does it: destroys, keeps, dumps, or creates the domain anew, as its
 * configuration says. Nothing for a domain that is alive.
 */
int ended_handle(struct call *call, domid_t id, struct error *e);
