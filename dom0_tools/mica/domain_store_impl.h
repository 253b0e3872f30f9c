/* SPDX-License-Identifier: MIT */
/* What the parts of domain_store.h share with each other alone. */
#pragma once

#include "dom0_tools/mica/domain_store.h"
#include "dom0_tools/mica/domain_writer.h"

/* Room for the path of a name's node, whose odd characters take three. */
#define DOMAIN_NAME_NODE_SIZE (16 + 3 * DOMAIN_NAME_SIZE)

/* The node of a name; characters that nodes can't have become "@xx". */
void domain_store_name_path(char path[DOMAIN_NAME_NODE_SIZE], const char *name);

/* The domain that has a name now, or -1. */
int domain_store_name_holder(struct store *store, uint32_t tx,
                             const char *name);

/* Takes a name for the writer's domain, unless another domain has it. */
int domain_store_claim_name(struct domain_writer *w, const char *name);

/* The value of /local/domain/<id><rest> for free(), or NULL. */
char *domain_store_read_node(struct store *store, uint32_t tx, domid_t id,
                             const char *rest);

/* The copy of the configuration; what an older one had goes. */
void domain_store_write_config(struct domain_writer *w,
                               const struct domain_config *c);

/* Whether Mica created the domain. */
bool domain_store_is_ours(struct call *call, domid_t id);
