/* SPDX-License-Identifier: MIT */
/*
 * A kernel that makes hypercalls at random: numbers, sub-operations, and
 * arguments chosen from those that are most likely to hurt. It leaves out
 * what would only end itself. "seed=" on the command line chooses others.
 */
#include "memory.h"
#include "trap.h"

#include "hypercall_abi/sched.h"
#include "hypercall_abi/vcpu.h"
#include "hypercall_abi/version.h"

#define ROUNDS 60000
#define ARENA_PAGES 16
#define WORDS (PAGE_SIZE / 8)

const char guest_name[] = "hostile_calls";

static uint64_t state = 0x9e3779b97f4a7c15;
static uint64_t *arena[ARENA_PAGES];

static uint64_t random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1d;
}

static void read_seed(void)
{
    const char *at = (const char *)start_info->cmd_line;
    uint64_t seed = 0;

    for (; *at; at++) {
        if (memcmp(at, "seed=", 5))
            continue;
        for (at += 5; *at >= '0' && *at <= '9'; at++)
            seed = seed * 10 + (uint64_t)(*at - '0');
        state ^= seed * 0xd1342543de82ef95;
        return;
    }
}

void guest_init(void)
{
    read_seed();
    for (unsigned i = 0; i < ARENA_PAGES; i++)
        arena[i] = page_alloc();
}

static uint64_t *arena_page(void)
{
    return arena[random() % ARENA_PAGES];
}

static uint64_t odd_number(void)
{
    static const uint64_t some[] = {
        0,
        1,
        0x7f,
        0x80,
        0xfff,
        0x1000,
        0x7ff0,
        0x7ff1,
        0x7ff4,
        0xffff,
        0x7fffffff,
        0x80000000,
        0xffffffff,
        1ul << 32,
        1ul << 40,
        1ul << 52,
        1ul << 63,
        -1ul,
        -8ul,
        -4096ul,
        0xffff800000000000,
        0xffff804000000000,
        0xffff820000000000,
        0xffff87ffffffffff,
        0x00007ffffffffff8,
        0x0000800000000000,
    };

    switch (random() % 8) {
    case 0:
        return some[random() % ARRAY_LEN(some)];
    case 1:
        return random();
    case 2:
        return mfn_of(arena_page());
    case 3:
        return maddr_of(arena_page()) | (random() & 0xfff);
    case 4:
        return ARG(arena_page()) + random() % PAGE_SIZE;
    case 5:
        return ARG(arena_page());
    default:
        return random() % 64;
    }
}

/* Mostly somewhere to read from and write to. */
static uint64_t odd_pointer(void)
{
    if (random() % 8 == 0)
        return odd_number();
    return ARG(arena_page()) + (random() % 4 ? 0 : random() % PAGE_SIZE);
}

static void fill_arena(void)
{
    uint64_t *page = arena_page();
    unsigned words = 1 + random() % 16;

    for (unsigned i = 0; i < words; i++)
        page[i] = odd_number();
    if (random() % 2)
        page[0] = random() % 64;
    if (random() % 2)
        ((uint32_t *)page)[1] = (uint32_t)(random() % 64);
}

static unsigned odd_call(void)
{
    unsigned nr = (unsigned)(random() % 64);

    return random() % 64 ? nr : (unsigned)odd_number();
}

/* Whether the call ends or stops this kernel, or its only stack. */
static bool is_suicide(unsigned nr, const uint64_t *a)
{
    uint32_t cmd = (uint32_t)a[0];

    switch (nr) {
    case 0:  /* set_trap_table */
    case 3:  /* stack_switch */
    case 4:  /* set_callbacks */
    case 7:  /* platform_op: sleep */
    case 13: /* multicall: of all of these */
    case 23: /* iret */
        return true;
    case 6:
    case 29:
        return cmd == SCHEDOP_block || cmd == SCHEDOP_shutdown ||
               cmd == SCHEDOP_poll || cmd == SCHEDOP_watchdog;
    case 18: /* console_io: noise */
        return true;
    case 24:
        return cmd == VCPUOP_down || cmd == VCPUOP_up ||
               cmd == VCPUOP_send_nmi || cmd == VCPUOP_register_vcpu_info;
    case 26: /* mmuext_op: another root */
    case 28: /* nmi_op: entries anywhere */
    case 30: /* callback_op: the same */
        return true;
    }
    return false;
}

static uint64_t call_nr, call_args[5];

/* Keeps answers to long lists from running all over this kernel's memory. */
static void shorten_lists(void)
{
    uint64_t base = call_args[1] & ~(PAGE_SIZE - 1);

    if (call_nr == 20)
        call_args[2] %= 4;
    if (call_nr != 12)
        return;
    for (unsigned i = 0; i < ARENA_PAGES; i++)
        if (ARG(arena[i]) == base)
            for (unsigned j = 0; j < WORDS; j++)
                arena[i][j] %= 4;
}

static void call(uint64_t unused)
{
    (void)unused;
    hypercall(call_nr, call_args[0], call_args[1], call_args[2], call_args[3],
              call_args[4]);
}

static void restore(void)
{
    hc_set_debugreg(7, 0);
    traps_init();
    hc_fpu_taskswitch(0);
    hc_set_gdt(0, 0);
}

TEST(random_calls)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        call_nr = odd_call();
        for (unsigned j = 0; j < 5; j++)
            call_args[j] = random() % 2 ? odd_pointer() : odd_number();
        if (random() % 4)
            call_args[0] = random() % 40;
        if (is_suicide((unsigned)call_nr, call_args))
            continue;
        trap_try((void (*)(uint64_t))(void *)shorten_lists, 0);
        trap_try(call, 0);
        if (i % 16 == 0)
            restore();
        trap_try((void (*)(uint64_t))(void *)fill_arena, 0);
    }
    EXPECT(hc_xen_version(XENVER_version, 0) >= 0x40000);
}

/* Frames as tables of all kinds, with what random entries they have. */
TEST(random_tables)
{
    for (unsigned i = 0; i < ROUNDS / 4; i++) {
        uint64_t *page = arena_page();
        uint64_t entry = odd_number();

        switch (random() % 8) {
        case 0:
            entry = mfn_of(arena_page()) << 12 | (random() & 0xfff);
            page_map(page, entry);
            break;
        case 1:
            page_set_ro(page);
            break;
        case 2:
            page_set_rw(page);
            break;
        case 3:
            mmuext(MMUEXT_PIN_L1_TABLE + (unsigned)(random() % 4), mfn_of(page),
                   0);
            break;
        case 4:
            mmuext(MMUEXT_UNPIN_TABLE, mfn_of(page), 0);
            break;
        case 5:
            mmuext(MMUEXT_SET_LDT, ARG(page), random() % 513);
            break;
        case 6:
            mmuext(MMUEXT_INVLPG_LOCAL, ARG(page), 0);
            break;
        default:
            pte_write(&page[random() % WORDS],
                      mfn_of(arena_page()) << 12 | (random() & 0xfff));
        }
    }
    EXPECT(hc_xen_version(XENVER_version, 0) >= 0x40000);
}
