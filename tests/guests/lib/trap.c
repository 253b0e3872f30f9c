/* SPDX-License-Identifier: MIT */
/* Exceptions and callbacks: the tables and the C side of the stubs. */
#include "trap.h"

#include "memory.h"

#define VECTORS 256
#define STUB_SIZE 16

/* Vectors 8, 10 to 14, 17 and 21. */
#define HAS_ERROR_CODE 0x227d00u

extern char entry_stubs[];
void trap_unwind(int vector) __attribute__((noreturn));
void entry_dispatch(struct entry_stack *stack, struct iret_context *back,
                    uint16_t cs, uint16_t ss);

struct trap_record trap;
bool (*trap_hook)(struct entry_stack *stack, struct iret_context *back);

static void take_apart(const uint64_t *raw)
{
    unsigned n = 0;

    trap.rcx = raw[n++];
    trap.r11 = raw[n++];
    trap.error_code = 0;
    if (trap.vector < 32 && HAS_ERROR_CODE >> trap.vector & 1)
        trap.error_code = raw[n++];
    if (trap.vector == ENTRY_FAILSAFE)
        n += 4;
    trap.rip = raw[n++];
    trap.cs = raw[n++];
    trap.rflags = raw[n++];
    trap.rsp = raw[n++];
    trap.ss = raw[n++];
}

/* C side of the stubs: keeps a record, then goes back or unwinds. */
void entry_dispatch(struct entry_stack *stack, struct iret_context *back,
                    uint16_t cs, uint16_t ss)
{
    trap.gprs = stack->gprs;
    trap.entry_rsp = (uint64_t)stack->raw;
    trap.entry_rflags = stack->rflags;
    trap.entry_cs = cs;
    trap.entry_ss = ss;
    trap.entry_mask = vcpu_info()->evtchn_upcall_mask;
    trap.cr2 = vcpu_info()->arch.cr2;
    trap.vector = (int)stack->vector;
    trap.count++;
    memcpy(trap.raw, stack->raw, sizeof(trap.raw));
    take_apart(stack->raw);
    *back = (struct iret_context){.rax = stack->gprs.rax,
                                  .r11 = trap.r11,
                                  .rcx = trap.rcx,
                                  .rip = trap.rip,
                                  .cs = (uint16_t)trap.cs,
                                  .rflags = trap.rflags,
                                  .rsp = trap.rsp,
                                  .ss = (uint16_t)trap.ss};
    if (trap_hook && trap_hook(stack, back))
        return;
    mask_events();
    trap_unwind((int)stack->vector);
}

bool kernel_is_in_ring_1(void)
{
    uint64_t cs;

    __asm__ volatile("mov %%cs, %0" : "=r"(cs));
    return (cs & 3) == 1;
}

uint64_t entry_stub(unsigned vector)
{
    return (uint64_t)entry_stubs + STUB_SIZE * vector;
}

/* All vectors, open to everyone, events masked on entry. */
void trap_table_restore(void)
{
    static struct trap_info table[VECTORS + 1];

    for (unsigned i = 0; i < VECTORS; i++)
        table[i] = (struct trap_info){
            .vector = (uint8_t)i,
            .flags = 3 | TRAP_INFO_MASK_EVENTS,
            .cs = KERNEL_CS,
            .address = entry_stub(i),
        };
    EXPECT_EQ(hc_set_trap_table(ARG(table)), 0);
}

void callback_register(unsigned type, unsigned flags, uint64_t address)
{
    struct callback_register_args op = {
        .type = (uint16_t)type, .flags = (uint16_t)flags, .address = address};

    EXPECT_EQ(hc_callback_op(CALLBACKOP_register, ARG(&op)), 0);
}

void callbacks_restore(void)
{
    callback_register(CALLBACKTYPE_event, 1, entry_stub(ENTRY_EVENT));
    callback_register(CALLBACKTYPE_failsafe, 1, entry_stub(ENTRY_FAILSAFE));
    callback_register(CALLBACKTYPE_syscall, 1, entry_stub(ENTRY_SYSCALL));
    callback_register(CALLBACKTYPE_syscall32, 1, entry_stub(ENTRY_SYSCALL32));
}

void traps_init(void)
{
    trap_table_restore();
    callbacks_restore();
    EXPECT_EQ(hc_stack_switch(KERNEL_SS, ARG(trap_stack_top)), 0);
}

static void context_clear(struct context *c)
{
    uint64_t *words = (uint64_t *)c;

    for (unsigned i = 0; i < sizeof(c->gprs) / sizeof(*words); i++)
        words[i] = 0x1111111111111111ul * (i + 1);
    c->frame = (struct iret_context){.rax = 0xaaaa0000aaaa0000,
                                     .r11 = 0xbbbb1111bbbb1111,
                                     .rcx = 0xcccc2222cccc2222};
}

void context_kernel(struct context *c, uint64_t rip)
{
    context_clear(c);
    c->frame.rip = rip;
    c->frame.cs = KERNEL_CS & ~3u;
    c->frame.ss = KERNEL_SS;
    c->frame.rsp = (uint64_t)spare_stack_top;
    c->frame.rflags = FLAG_FIXED;
}

void context_user(struct context *c, const void *start)
{
    context_clear(c);
    c->frame.rip = user_address(start);
    c->frame.cs = KERNEL_CS;
    c->frame.ss = KERNEL_SS;
    c->frame.rsp = USER_STACK_TOP;
    c->frame.rflags = FLAG_FIXED | FLAG_IF;
}

void context_user_32(struct context *c, const void *start)
{
    context_user(c, start);
    c->frame.rip -= USER_BASE;
    c->frame.rsp -= USER_BASE;
    c->frame.cs = USER_CS_32;
}
