/* SPDX-License-Identifier: MIT */
/*
 * A keyed hash, SipHash-2-4 (Aumasson and Bernstein, 2012): guests choose the
 * names that are hashed, so without the key they must not be able to make
 * names that collide.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const uint64_t key[2], const void *data, size_t size);
