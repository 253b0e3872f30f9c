/* SPDX-License-Identifier: MIT */
/*
 * Domains with consoles, as the console daemon sees them through its table of
 * the hypervisor: for its tests and its fuzzer. What the daemon may not do,
 * such as speak to a domain that it let go, ends the program.
 */
#pragma once

#include "dom0_tools/consoled/hypervisor.h"

enum { CONSOLE_DOMAINS = 8 };

struct console_domain {
    struct xencons_interface page;
    struct console_ring ring; /* the domain's end */
    bool is_there, is_unmappable;
    uint8_t identity; /* first byte of its handle */
    bool is_bound, is_masked, is_pending;
    unsigned attached;    /* how often its ring was mapped */
    unsigned notified;    /* events it got */
    evtchn_port_t remote; /* that was bound to */
};

/* In memory that a child shares. */
extern struct console_domain *console_domains;

extern struct hypervisor console_hypervisor;
extern bool console_world_is_deaf; /* events can't be read any more */

/* A machine without domains. */
void console_world_begin(void);
void console_world_end(void);

/* A domain tells the daemon that something is new, true or not. */
void console_world_fire(domid_t domain);
