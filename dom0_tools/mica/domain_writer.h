/* SPDX-License-Identifier: MIT */
/*
 * A transaction on the nodes of one domain. What is written in it goes on as
 * if nothing had failed, and the end tells. New nodes take over their
 * parent's permissions, so that only directories and what the guest may
 * write are given any.
 */
#pragma once

#include "dom0_tools/lib/store.h"
#include "dom0_tools/mica/verb.h"
#include "hypercall_abi/abi.h"

enum domain_access {
    DOMAIN_ACCESS_AS_PARENT,
    DOMAIN_ACCESS_DOM0,  /* dom0 alone */
    DOMAIN_ACCESS_READ,  /* the guest may read */
    DOMAIN_ACCESS_GUEST, /* it is the guest's */
};

struct domain_writer {
    struct store *store;
    uint32_t tx;
    domid_t domain;
    bool has_failed;
    struct error *error;
};

/*
 * Runs a body in a transaction, again as long as others touch the same
 * nodes. The body returns -1 to give up. 0; -1 with nothing written.
 */
int domain_writer_run(struct call *call, domid_t domain,
                      int (*body)(struct domain_writer *w, void *context),
                      void *context, struct error *e);

/* Sets a node. */
void domain_writer_put_value(struct domain_writer *w, const char *path,
                             enum domain_access access, const char *value);

/* Sets <base><rest>. */
__attribute__((format(printf, 5, 6))) void domain_writer_put(
    struct domain_writer *w, const char *base, const char *rest,
    enum domain_access access, const char *format, ...);

/* Removes a node and all below it, if there is one. */
void domain_writer_remove(struct domain_writer *w, const char *path);
