/* SPDX-License-Identifier: MIT */
/*
 * Unpacked kernels, kept in memory between the creations of domains, since
 * unpacking takes many times as long as all the rest of building. Part of
 * the builder (build.h).
 *
 * The kernels are files of a directory that only root may enter. A file is
 * named after the identity of what it was unpacked from (device, inode, size,
 * times of change), and gets its name when it is complete. Together they take
 * a bounded share of the machine's memory; the longest unused go first. All
 * of this is best effort: where there is no such directory, nothing is kept.
 */
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

/* Keeps them in another directory, which must not go: for tests. */
void build_cache_set_directory(const char *path);

/* The unpacked form of `source`, to be read; -1 if it is not there. */
int build_cache_find(const struct stat *source);

/* A new nameless file, in memory if possible; -1 with errno. */
int build_cache_create(off_t size);

/* Keeps the file `fd`, which is complete, as the unpacked form of `source`. */
void build_cache_keep(int fd, const struct stat *source);
