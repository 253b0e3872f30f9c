/* SPDX-License-Identifier: MIT */
/*
 * A test kernel: its tests, what they may expect, and how it talks.
 *
 *   TEST(int3_from_kernel)
 *   {
 *       EXPECT_EQ(trap_try(do_int3, 0), 3);
 *   }
 *
 * Tests run in the order of the source with events masked. Each gives one
 * line on the console: PASS, FAIL, SKIP or ERROR, then <kernel>/<test>, for
 * FAIL and SKIP the reason as well. The last line is "DONE <kernel>". ERROR
 * is an exception that the test did not look for.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "hypercall.h"
#include "hypercall_abi/shared_info.h"
#include "hypercall_abi/start_info.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define PAGE_SIZE 4096ul

struct test {
    const char *name;
    void (*run)(void);
    uint64_t line;
};

#define TEST(name)                                                             \
    static void test_##name(void);                                             \
    static const struct test entry_##name                                      \
        __attribute__((used, section(".tests"), aligned(8))) = {               \
            #name, test_##name, __LINE__};                                     \
    static void test_##name(void)

/* Each kernel defines these two. */
extern const char guest_name[];
void guest_init(void);

extern struct start_info *start_info;
extern struct shared_info *shared_info;

void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

void expect_true(bool ok, const char *what, int line);
void expect_equal(uint64_t is, uint64_t wanted, const char *what, int line);
void test_skip(const char *why);
bool test_has_failed(void);

#define EXPECT(condition) expect_true((condition), #condition, __LINE__)
#define EXPECT_EQ(is, wanted)                                                  \
    expect_equal((uint64_t)(is), (uint64_t)(wanted), #is, __LINE__)

/* Moves with VCPUOP_register_vcpu_info. */
extern struct vcpu_info *the_vcpu_info;

static inline struct vcpu_info *vcpu_info(void)
{
    return the_vcpu_info;
}

static inline void mask_events(void)
{
    __atomic_store_n(&vcpu_info()->evtchn_upcall_mask, 1, __ATOMIC_SEQ_CST);
}

/* Unmasks without looking whether something is pending. */
static inline void unmask_events(void)
{
    __atomic_store_n(&vcpu_info()->evtchn_upcall_mask, 0, __ATOMIC_SEQ_CST);
}

static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

void *memset(void *to, int byte, size_t n);
void *memcpy(void *to, const void *from, size_t n);
int memcmp(const void *a, const void *b, size_t n);
