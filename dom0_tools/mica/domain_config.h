/* SPDX-License-Identifier: MIT */
/*
 * What a configuration file says about a domain, checked. One table has a
 * row per setting: reading, printing, the copy kept in the store and the
 * manual page all follow it.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "dom0_tools/mica/config.h"
#include "dom0_tools/mica/uuid.h"

#define DOMAIN_NAME_MAX 64
#define DOMAIN_NAME_DOM0 "Domain-0"
#define DOMAIN_VCPUS_MAX 128
#define DOMAIN_COMMAND_LINE_MAX 1023
#define DOMAIN_SETTING_MAX 3072 /* bytes of a setting as text */

/* What becomes of a domain that has ended. */
enum domain_action {
    DOMAIN_ACTION_DESTROY,
    DOMAIN_ACTION_RESTART,
    DOMAIN_ACTION_RENAME_RESTART,
    DOMAIN_ACTION_PRESERVE,
    DOMAIN_ACTION_COREDUMP_DESTROY,
    DOMAIN_ACTION_COREDUMP_RESTART,
};

struct domain_strings {
    char **items;
    unsigned count;
    bool is_single; /* one string, not a list of one */
};

struct domain_config {
    char *name;
    char *uuid_text;
    struct uuid uuid; /* random unless given */
    char *kernel, *ramdisk;
    char *cmdline, *root, *extra;
    char *command_line; /* what follows from these three */
    struct domain_strings cpus, cpus_soft, disk, vif;
    uint64_t memory, maxmem; /* MiB */
    uint64_t vcpus, maxvcpus;
    uint64_t cpu_weight, cap;
    uint64_t on_poweroff, on_reboot, on_crash, on_watchdog;
    uint64_t max_grant_frames, max_maptrack_frames, max_event_channels;
};

enum domain_key_kind {
    DOMAIN_KEY_STRING,
    DOMAIN_KEY_NUMBER,
    DOMAIN_KEY_CHOICE,  /* one of choices[], kept as its index */
    DOMAIN_KEY_STRINGS, /* a list, or one string */
    DOMAIN_KEY_FIXED,   /* accepted if it is one of choices[], not kept */
};

/* One setting. */
struct domain_key {
    const char *name;
    enum domain_key_kind kind;
    size_t offset;              /* in struct domain_config */
    uint64_t min, max;          /* of a number */
    uint64_t initial;           /* of a number or choice */
    const char *const *choices; /* NULL after the last */
    const char *value;          /* for the manual: "MIB" */
    const char *help;           /* for the manual, whole sentences */
};

/* The settings in the order of the manual; a row without a name ends them. */
const struct domain_key *domain_keys(void);

/*
 * Reads settings into a configuration and checks it. Warnings about unknown
 * or unserved settings go to `warnings`, NULL for none. 0; -1 with
 * EXIT_STATUS_USAGE. End with domain_config_free() in either case.
 */
int domain_config_read(const struct config *from, struct domain_config *c,
                       FILE *warnings, struct error *e);
void domain_config_free(struct domain_config *c);

/*
 * Whether a domain may be called so. 0; -1 with EXIT_STATUS_USAGE, or
 * EXIT_STATUS_EXISTS for dom0's name.
 */
int domain_config_check_name(const char *name, struct error *e);

/*
 * The value of a setting in the grammar of the files, for free(); NULL when
 * it has none or the default, or there is no memory.
 */
char *domain_config_value(const struct domain_config *c,
                          const struct domain_key *key);

/* Writes all settings that are not defaults, as a file. */
void domain_config_print(const struct domain_config *c, FILE *out);

/* The configuration in the shape that `xl list -l` gives it. */
json_t *domain_config_json(const struct domain_config *c);

/* "destroy" and so on. */
const char *domain_action_name(uint64_t action);
