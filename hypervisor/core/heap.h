/* SPDX-License-Identifier: MIT */
/*
 * Mica's memory: frames by a buddy allocator. Mica's own objects get frames of
 * their own as well: there are a dozen a domain and three a vCPU. Memory is
 * handed out from high addresses first, so that what lies low stays for
 * devices.
 *
 * One lock guards the buddy lists and the records (core/frame.h) of the heads
 * of free blocks. A free frame belongs to nobody and has no references; the
 * head of a free block has FRAME_FREE set and other uses for the lower bits of
 * its state, so whoever looks for references asks for FRAME_FREE first. A frame
 * from heap_alloc belongs to nobody and has one reference, until it is given to
 * a domain.
 *
 * No frame leaves here while a processor may still hold a translation to it
 * from its former life: heap_alloc waits for the flush (frame.h).
 */
#pragma once

#include "core/types.h"

#define HEAP_MAX_ORDER 18u /* 1 GiB */
#define HEAP_ANY_ADDRESS 64u

void heap_add(mfn_t first, uint64_t frames);
mfn_t heap_alloc(unsigned order, unsigned address_bits);
void heap_free(mfn_t first, uint64_t frames);
uint64_t heap_free_frames(void);

/* Zeroed memory of `size` bytes, aligned to a page. */
void *heap_zalloc(size_t size);
void heap_zfree(void *ptr, size_t size);

/* The same for 2^order frames. */
#define frames_alloc(order) heap_zalloc(PAGE_SIZE << (order))
#define frames_free(ptr, order) heap_zfree(ptr, PAGE_SIZE << (order))
