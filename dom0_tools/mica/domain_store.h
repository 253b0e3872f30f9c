/* SPDX-License-Identifier: MIT */
/*
 * What the store holds of a domain. Two places: /local/domain/<id> and
 * /vm/<uuid>, which the guest, its drivers and all tools know, laid out as
 * libxl does; and /mica/domain/<id>, which only dom0 may read, where the
 * configuration is kept for restarts:
 *
 *     /mica/domain/<id>/config/<setting>  value in the grammar of the files
 *     /mica/domain/<id>/start_time        seconds since 1970
 *     /mica/domain/<id>/state             see enum domain_state
 *     /mica/name/<name>                   the number of the domain called so
 *
 * All of a domain's nodes appear, and vanish, in one transaction.
 */
#pragma once

#include "dom0_tools/mica/domain.h"
#include "dom0_tools/mica/domain_config.h"

/* How far the life-cycle policy has come with a domain. */
enum domain_state {
    DOMAIN_STATE_ALIVE,     /* nothing was done yet */
    DOMAIN_STATE_PRESERVED, /* it has ended and stays for inspection */
    DOMAIN_STATE_RESTART,   /* it goes, and is to be created anew */
    DOMAIN_STATE_RENAME,    /* it gets another name, a new one takes its own */
    DOMAIN_STATE_UNKNOWN,   /* no domain of ours */
};

enum domain_store_part {
    DOMAIN_STORE_ALL,
    DOMAIN_STORE_BUT_CONFIG, /* which is needed to create it anew */
};

/* What the nodes of a new domain tell besides its configuration. */
struct domain_wiring {
    domid_t domain;
    uint64_t store_frame, console_frame;
    evtchn_port_t store_port, console_port;
    const char *guest_os;
};

/* "/mica/domain/<id><rest>" into a buffer of DOMAIN_PATH_SIZE. */
void domain_store_path(char *path, domid_t id, const char *rest);

/*
 * Writes all nodes of a new domain; EXIT_STATUS_EXISTS if its name was taken
 * meanwhile.
 */
int domain_store_write(struct call *call, const struct domain_config *c,
                       const struct domain_wiring *wiring, struct error *e);

/* Removes a domain's nodes, as far as there are any. */
int domain_store_remove(struct call *call, domid_t id,
                        enum domain_store_part part, struct error *e);

/* Reads the configuration back; domain_config_free() in either case. */
int domain_store_load(struct call *call, domid_t id, struct domain_config *c,
                      struct error *e);

/* Replaces the configuration that the next start will use. */
int domain_store_save(struct call *call, domid_t id,
                      const struct domain_config *c, struct error *e);

/*
 * Gives a domain another name, which its configuration takes over; or makes
 * it another domain, with a UUID of its own, whose configuration stays.
 */
int domain_store_rename(struct call *call, domid_t id, const char *name,
                        const struct uuid *uuid, struct error *e);

enum domain_state domain_store_state(struct call *call, domid_t id);
int domain_store_set_state(struct call *call, domid_t id,
                           enum domain_state state, struct error *e);

/*
 * The number of the domain that goes by a name, which is looked up without
 * reading all names. -1 if Mica created no such domain.
 */
int domain_store_find_name(struct call *call, const char *name);

/* The domains that Mica created and nobody has cleared away, for free(). */
domid_t *domain_store_list(struct call *call, unsigned *count, struct error *e);

/* When a domain was created, in seconds since 1970; 0 if unknown. */
uint64_t domain_store_start_time(struct call *call, domid_t id);
