/* SPDX-License-Identifier: MIT */
/*
 * The journal: a file that holds an image of the store and the commands since
 * then. A command is in the file before anything that follows from it leaves
 * the daemon. What the daemon writes survives its own death at any moment; an
 * unfinished record at the end is of a command that nobody knows of. From
 * time to time a new file with a fresh image takes the old one's place.
 *
 *     header  8 bytes of magic, 36 of the boot's id, 4 of zero
 *     record  size, check (32 bits each), then `size` bytes: 'I' and an
 *             image, or 'C' and a command
 *
 * After a reboot no domain is left of those that the file tells of, so a file
 * of another boot is not read.
 */
#pragma once

#include "dom0_tools/lib/error.h"
#include "dom0_tools/stored/engine.h"

struct journal;

/* What was found. */
struct journal_report {
    bool is_new;       /* nothing of this boot */
    uint64_t commands; /* replayed after the image */
    uint64_t dropped;  /* bytes of an unfinished record */
};

/*
 * Opens the journal in a directory, which is made if need be, and makes the
 * engine from it. Locked against a second daemon: EXIT_STATUS_BUSY. NULL also
 * for a file that can't be read or is no journal.
 */
struct journal *journal_open(const char *directory,
                             const struct engine_hooks *hooks,
                             void *hook_context, struct engine **engine,
                             struct journal_report *report, struct error *e);
void journal_close(struct journal *j);

/* Notes a command that was done. */
void journal_add(struct journal *j, const struct command *command);

/*
 * Writes what was noted; starts a new file when the old one has grown, or
 * when the last write failed. 0 or -Exxx: then nothing is lost yet, but a
 * restart would lose what the file does not have.
 */
int journal_flush(struct journal *j, const struct engine *engine);

/* Starts a new file now. 0 or -Exxx, and the old one stays. */
int journal_compact(struct journal *j, const struct engine *engine);

/* For tests: a command as bytes and back; the bytes are those of `in`. */
void command_save(const struct command *command, struct bytes *out);
bool command_load(struct command *command, struct reader *in);
