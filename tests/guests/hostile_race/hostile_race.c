/* SPDX-License-Identifier: MIT */
/*
 * Two vCPUs that change the same tables at random, while one of them runs
 * applications on them. Needs a second vCPU. The kernel itself is not in what
 * is fought over, so both must go on; Mica must as well.
 */
#include "memory.h"
#include "pieces.h"
#include "trap.h"

#include "hypercall_abi/vcpu.h"
#include "hypercall_abi/version.h"

#define ENOENT 2
#define ARENA_PAGES 8
#define ROUNDS 1500
#define STACK_BYTES 16384

const char guest_name[] = "hostile_race";

static uint64_t *arena[ARENA_PAGES];
static struct context c;
static struct vcpu_guest_context second;
static char second_stack[STACK_BYTES] __attribute__((aligned(16)));
static volatile uint64_t second_rounds;
static volatile bool second_stops, second_stopped;

static uint64_t random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 0x2545f4914f6cdd1d;
}

static void change_mapping(const uint64_t *page, uint64_t choice)
{
    uint64_t flags =
        choice & 1 ? UVMF_INVLPG | UVMF_ALL : UVMF_TLB_FLUSH | UVMF_ALL;
    uint64_t entry = mfn_of(page) << 12;

    entry |= choice & 2 ? PTE_RO_PAGE : PTE_RW_PAGE;
    hc_update_va_mapping(ARG(page), entry, flags);
}

/* The slot with the applications, in the root that both vCPUs run on. */
static void change_root_entry(uint64_t choice)
{
    uint64_t *entry = &root_table()[USER_BASE >> 39];
    uint64_t value = mfn_of(user_l3_page) << 12 | PTE_TABLE;

    pte_write(entry, choice & 1 ? value : 0);
}

static void change_something(uint64_t *state)
{
    uint64_t *page = arena[random(state) % ARENA_PAGES];
    uint64_t choice = random(state);

    switch (random(state) % 8) {
    case 0:
        change_root_entry(choice);
        break;
    case 1:
        mmuext(MMUEXT_PIN_L1_TABLE + (unsigned)(choice % 4), mfn_of(page), 0);
        break;
    case 2:
        mmuext(MMUEXT_UNPIN_TABLE, mfn_of(page), 0);
        break;
    case 3:
        mmuext(MMUEXT_SET_LDT, ARG(page), choice % 513);
        break;
    case 4:
        mmuext(choice & 1 ? MMUEXT_TLB_FLUSH_ALL : MMUEXT_INVLPG_ALL, ARG(page),
               0);
        break;
    case 5:
        pte_write(&page[choice % 512], mfn_of(arena[choice / 512 % ARENA_PAGES])
                                               << 12 |
                                           (choice >> 32 & 0x67));
        break;
    default:
        change_mapping(page, choice);
    }
}

static void run_second(void)
{
    uint64_t state = 0xd1342543de82ef95;

    while (!second_stops) {
        change_something(&state);
        second_rounds++;
    }
    second_stopped = true;
    for (;;)
        hc_vcpu_op(VCPUOP_down, 1, 0);
}

void guest_init(void)
{
    user_init();
    for (unsigned i = 0; i < ARENA_PAGES; i++)
        arena[i] = page_alloc();
}

static void start_second(void)
{
    second.flags = VGCF_in_kernel;
    second.user_regs.rip = ARG(run_second);
    second.user_regs.rsp = ARG(second_stack + STACK_BYTES) - 8;
    second.user_regs.cs = KERNEL_CS;
    second.user_regs.ss = KERNEL_SS;
    second.user_regs.rflags = FLAG_FIXED;
    second.kernel_ss = KERNEL_SS;
    second.kernel_sp = ARG(second_stack + STACK_BYTES);
    second.ctrlreg[3] = mfn_of(root_table()) << 12;
    EXPECT_EQ(hc_vcpu_op(VCPUOP_initialise, 1, ARG(&second)), 0);
    EXPECT_EQ(hc_vcpu_op(VCPUOP_up, 1, 0), 0);
}

static void load_ds(uint64_t selector)
{
    __asm__ volatile("mov %0, %%ds" : : "r"((uint32_t)selector));
}

TEST(two_at_the_same_tables)
{
    uint64_t state = 0x9e3779b97f4a7c15;

    if (hc_vcpu_op(VCPUOP_is_up, 1, 0) == -ENOENT) {
        test_skip("there is one vCPU only");
        return;
    }
    start_second();
    for (unsigned i = 0; i < ROUNDS && !test_has_failed(); i++) {
        change_something(&state);
        context_user(&c, i % 2 ? at_syscall : at_int3);
        EXPECT(trap_try(context_enter, ARG(&c)) >= 0);
        trap_try(load_ds, random(&state) % 4096 | 7);
        trap_try(load_ds, 0);
    }
    second_stops = true;
    while (!second_stopped)
        hc_xen_version(XENVER_version, 0);
    EXPECT(second_rounds > 0);
}
