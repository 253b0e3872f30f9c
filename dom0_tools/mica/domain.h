/* SPDX-License-Identifier: MIT */
/*
 * Domains by name and number, as all verbs take them, and what the store
 * says of them.
 */
#pragma once

#include "dom0_tools/lib/control_domain.h"
#include "dom0_tools/lib/store.h"
#include "dom0_tools/mica/verb.h"

#define DOMAIN_NAME_SIZE 256
#define DOMAIN_PATH_SIZE 128
#define DOMAIN_ID_MAX 0x7fefu /* higher numbers are not domains */

/* A domain with its name. */
struct domain {
    struct control_domain info;
    char name[DOMAIN_NAME_SIZE];
};

/*
 * All domains in order of their numbers, for free(). Names that the store
 * does not tell, or all when it is not there, are "(unnamed)".
 */
struct domain *domain_list(struct call *call, unsigned *count, struct error *e);

/* The same without names, which is one call for hundreds of domains. */
struct control_domain *domain_list_infos(struct call *call, unsigned *count,
                                         struct error *e);

/* A domain by its number or name. EXIT_STATUS_NO_DOMAIN if there is none. */
int domain_find(struct call *call, const char *word, struct domain *domain,
                struct error *e);

/*
 * The domains that the operands name, or all without operands; for free().
 */
struct domain *domain_list_operands(struct call *call, unsigned *count,
                                    struct error *e);

/* Whether a word is the number of a domain, not a name. */
bool domain_parse_id(const char *word, domid_t *id);

/* Reads the name of a domain into a buffer of DOMAIN_NAME_SIZE. */
void domain_read_name(struct call *call, domid_t id, char *name);

/* "/local/domain/<id><rest>" into a buffer of DOMAIN_PATH_SIZE. */
void domain_path(char *path, domid_t id, const char *rest);

/* The number of the domain of that name; -1 without an error is none. */
int domain_id_of_name(struct call *call, const char *name, domid_t *id,
                      struct error *e);

/* Why a domain ended: "poweroff", "crash". */
const char *domain_shutdown_name(unsigned code);

/*
 * A size in memory: a number, and b, k, m, g or t behind it; without it
 * counts MiB. False if it is none or not a multiple of 1 KiB.
 */
bool domain_parse_size(const char *text, uint64_t *kib);
