/* SPDX-License-Identifier: MIT */
/* The page of hypercall stubs that guests of the older kind ask for. */
#pragma once

#include "core/types.h"

struct domain;

/*
 * Writes the stubs into `frame`, a writable frame of `d`. 0, or -EINVAL when
 * it is not one.
 */
must_check int hypercall_page_install(struct domain *d, mfn_t frame);
