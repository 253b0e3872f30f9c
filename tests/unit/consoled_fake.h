/* SPDX-License-Identifier: MIT */
/*
 * Domains with consoles, and a store, for the tests of the console daemon:
 * what hypervisor.h asks for, and what store.h declares of what it uses.
 */
#pragma once

#include <check.h>

#include "dom0_tools/consoled/hypervisor.h"

enum { FAKE_DOMAINS = 8 };

struct fake_domain {
    struct xencons_interface page;
    struct console_ring ring; /* the domain's end */
    bool is_there, is_unmappable;
    uint8_t identity; /* first byte of its handle */
    bool is_bound, is_masked, is_pending;
    unsigned attached;    /* how often its ring was mapped */
    unsigned notified;    /* events it got */
    evtchn_port_t remote; /* that was bound to */
};

extern struct fake_domain fake_domains[FAKE_DOMAINS];
extern struct hypervisor fake_hypervisor;

/* An empty machine with an empty store. */
void fake_begin(void);
void fake_end(void);

/* A domain with its nodes in the store, and one of them that was told of. */
void fake_create(domid_t id, const char *name);
void fake_introduce(domid_t id, const char *name);

/* It is gone, as the hypervisor and then the store tell. */
void fake_destroy(domid_t id);

/* The domain writes to its console and tells so, if there is room. */
void fake_print(domid_t id, const char *text);

/* It tells without a reason. */
void fake_fire(domid_t id);

/* What it finds as input, and takes. Good until the next call. */
const char *fake_take_input(domid_t id);

void fake_set_node(const char *path, const char *value);
/* "" if there is none. */
const char *fake_node(const char *path);
void fake_tell(const char *path);

/* The store daemon ends, or is there again. */
void fake_stop_store(void);
void fake_start_store(void);
void fake_empty_store(void);
