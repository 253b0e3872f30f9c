/* SPDX-License-Identifier: MIT */
/*
 * A hypervisor, a builder and a store for the tests of mica: what control.h,
 * build.h and store.h declare, in memory. Any call that may fail can be made
 * to fail.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dom0_tools/lib/control_domain.h"
#include "dom0_tools/lib/error.h"

enum {
    FAKE_DOMAINS = 16,
    FAKE_VCPUS = 8,
    FAKE_FRAMES = 16, /* that can be mapped: numbers 1 to 15 */
};

struct fake_domain {
    bool is_there;
    struct control_domain info;
    struct control_sched_params sched;
    uint8_t hard[FAKE_VCPUS], soft[FAKE_VCPUS];
    unsigned pauses;
    bool is_introduced;
    unsigned ports;
    struct control_activity activity;
};

/* What is pretended, and what was asked for. */
struct fake {
    struct fake_domain domains[FAKE_DOMAINS];
    domid_t next_id;
    uint64_t free_pages;
    bool has_mica, has_store;
    int fail_at; /* the call that fails, counted from 1; 0: none */
    int calls;
    char keys[16];
    bool is_log_cleared;
    unsigned rate_limit;
    uint64_t memory[FAKE_FRAMES][512];
    bool has_contexts;
    uint64_t root; /* of the vCPUs' page tables */
    char built_line[1100];
    uint64_t built_kib;
    void (*while_waiting)(void); /* for an event of the store; or NULL */
};

extern struct fake fake;

/* An empty machine: dom0, and a store with dom0's name. */
void fake_reset(void);
void fake_store_reset(void);

/* Whether this call is the one to fail; fills the error if so. */
bool fake_fails(struct error *e, const char *what);

/* Adds a running domain with a name in the store. */
struct fake_domain *fake_add(domid_t id, const char *name);

/* The value of a node, NULL without one; the fake's own until it changes. */
const char *fake_node(const char *path);
void fake_set_node(const char *path, const char *value);

/* Permissions as text, "n0,r3"; those of the parent where it has none. */
const char *fake_perms(const char *path);

/* How many nodes are at or below a path. */
unsigned fake_count_nodes(const char *path);
