/* SPDX-License-Identifier: MIT */
/*
 * A kernel in ring 1 that spoils what it can write of the gate, then gives
 * the hypervisor all kinds of reasons to look at it. The domain may end by
 * that, the hypervisor must not. "seed=" on the command line chooses how.
 */
#include "memory.h"
#include "pieces.h"
#include "trap.h"

#include "hypercall_abi/version.h"

#define ROUNDS 400
#define WORDS (PAGE_SIZE / 8)

/* Before it: the guest's rsp, its kernel stack, whether it is in its kernel. */
#define FIRST_OF_STACKS 3

const char guest_name[] = "hostile";

static struct context c;
static uint64_t seed = 0x9e3779b97f4a7c15;
static volatile uint64_t *scratch;

static uint64_t random_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * 0x2545f4914f6cdd1d;
}

static void read_seed(void)
{
    static const char word[] = "seed=";
    const char *text = start_info->cmd_line;

    for (unsigned i = 0; i + sizeof(word) <= MAX_GUEST_CMDLINE; i++)
        if (!memcmp(text + i, word, sizeof(word) - 1))
            seed += (uint64_t)text[i + sizeof(word) - 1] << 32;
    for (unsigned i = 0; i < 8; i++)
        random_number();
}

static void touch(uint64_t address)
{
    __asm__ volatile("lock orb $0, (%0)" : : "r"(address) : "memory", "cc");
}

/* The first page behind the GDT that can be written. */
static void find_scratch(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) gdt;

    __asm__ volatile("sgdt %0" : "=m"(gdt));
    for (uint64_t at = gdt.base; at < gdt.base + 512 * PAGE_SIZE && !scratch;
         at += PAGE_SIZE)
        if (trap_try(touch, at) == ENTRY_NONE)
            scratch = (uint64_t *)at;
}

void guest_init(void)
{
    user_init();
    read_seed();
    if (kernel_is_in_ring_1())
        find_scratch();
}

static uint64_t nasty_value(void)
{
    uint64_t r = random_number();

    switch (r >> 61) {
    case 0:
        return r & 1;
    case 1:
        return ARG(spare_stack_top) - (r & 0xff8);
    case 2:
        return HYPERVISOR_VIRT_START + (r & 0xffffffffff8);
    case 3:
        return 0xffff820000000000 + (r & 0x1ffffff8);
    case 4:
        return 0x8000000000000000 + (r & 0xffff);
    case 5:
        return ARG(scratch) + (r & 0xfff);
    case 6:
        return 0xe000 + (r & 0x7f);
    default:
        return r;
    }
}

static void user_read(uint64_t address)
{
    context_user(&c, at_read);
    c.gprs.rdi = address;
    trap_try(context_enter, ARG(&c));
}

static void act(uint64_t r)
{
    switch (r & 7) {
    case 0:
        hc_xen_version(XENVER_version, 0);
        break;
    case 1:
        context_kernel(&c, ARG(at_int3));
        trap_try(context_enter, ARG(&c));
        break;
    case 2:
        context_user(&c, at_syscall);
        trap_try(context_enter, ARG(&c));
        break;
    case 3:
        trap_try(touch, USER_HOLE);
        break;
    case 4:
        user_read(USER_HOLE);
        break;
    case 5:
        mmuext(MMUEXT_TLB_FLUSH_ALL, 0, 0);
        break;
    case 6:
        context_kernel(&c, ARG(at_cli));
        trap_try(context_enter, ARG(&c));
        break;
    default:
        hc_stack_switch(KERNEL_SS, ARG(trap_stack_top));
        break;
    }
}

static void act_in_try(uint64_t r)
{
    act(r);
}

/* One word spoilt for the length of one action. */
static void spoil(unsigned index)
{
    uint64_t old = scratch[index];

    scratch[index] = nasty_value();
    trap_try(act_in_try, random_number() >> 32);
    scratch[index] = old;
}

/* Everything but the words that steer this kernel itself. */
static void spoil_the_stacks(void)
{
    for (unsigned i = FIRST_OF_STACKS; i < WORDS; i++)
        scratch[i] = nasty_value();
    trap_try(act_in_try, random_number() >> 32);
}

static bool has_scratch(void)
{
    if (!scratch)
        test_skip("this kernel is not in ring 1");
    return scratch;
}

TEST(spoilt_words)
{
    if (has_scratch())
        for (unsigned i = 0; i < ROUNDS; i++)
            spoil(FIRST_OF_STACKS +
                  random_number() % (WORDS - FIRST_OF_STACKS));
}

TEST(spoilt_stacks)
{
    if (has_scratch())
        for (unsigned i = 0; i < ROUNDS; i++)
            spoil_the_stacks();
}

TEST(spoilt_guest_rsp)
{
    if (has_scratch())
        for (unsigned i = 0; i < ROUNDS; i++)
            spoil(0);
}

/* Sooner or later this is the end of the domain. */
TEST(spoilt_steering)
{
    if (has_scratch())
        for (unsigned i = 0; i < ROUNDS; i++)
            spoil(1 + (random_number() >> 40) % 2);
}
