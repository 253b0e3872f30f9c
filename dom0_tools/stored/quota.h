/* SPDX-License-Identifier: MIT */
/*
 * What each domain uses of the store, and how much it may. dom0 may
 * everything; it is counted all the same. A refusal is logged with the
 * domain, the quota's name and the limit.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "hypercall_abi/abi.h"

enum quota {
    QUOTA_NODES,       /* that it owns */
    QUOTA_NODE_SIZE,   /* bytes of one node: value, name, permissions */
    QUOTA_PERMISSIONS, /* entries of one node */
    QUOTA_DEPTH,       /* names of one path */
    QUOTA_WATCHES,
    QUOTA_TRANSACTIONS, /* open at once */
    QUOTA_CHANGES,      /* nodes that one transaction touched */
    QUOTA_EVENTS,       /* waiting for it; more are merged */
    QUOTA_REQUESTS,     /* bytes of output waiting for it; more must wait */
    QUOTA_MEMORY,       /* bytes of nodes, watches, changes, messages */
    QUOTA_COUNT
};

struct account {
    uint64_t used[QUOTA_COUNT];
    uint32_t mentions; /* in permissions of nodes, beyond those it owns */
    uint64_t refusals[QUOTA_COUNT];
};

struct quotas {
    uint64_t limits[QUOTA_COUNT];
    struct account *accounts[DOMID_FIRST_RESERVED];
    unsigned top; /* no account from here up */
    void (*log)(void *context, const char *line);
    void *log_context;
};

/* Default limits, empty accounts. */
void quotas_begin(struct quotas *q, void (*log)(void *, const char *),
                  void *log_context);
void quotas_end(struct quotas *q);

/* "nodes", "node-size"... and back: QUOTA_COUNT for an unknown name. */
const char *quota_name(enum quota which);
enum quota quota_find(const char *name);

/* The account of a domain, whether or not there is such a domain. */
struct account *quota_account(struct quotas *q, domid_t domain);

/* Adds to what a domain uses, or takes from it; refuses nothing. */
void quota_charge(struct quotas *q, domid_t domain, enum quota which,
                  int64_t amount);

/*
 * Whether a domain may use that much more. For the quotas that are no sum
 * (a node's size) `more` is the whole. Logs when not.
 */
bool quota_allows(struct quotas *q, domid_t domain, enum quota which,
                  uint64_t more);
