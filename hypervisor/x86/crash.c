/* SPDX-License-Identifier: MIT */
/* Reports of what died, Mica or a guest, and where. */
#include "x86/traps.h"

#include "core/arch.h"
#include "core/guest_copy.h"
#include "core/log.h"
#include "x86/apic.h"
#include "x86/cpu.h"
#include "x86/vcpu.h"

#define BACKTRACE_DEPTH 24
#define STACK_WORDS 24

/* The names of Mica's own functions, by address; the build links them in. */
struct symbol {
    uint64_t address;
    uint32_t name;
    uint32_t zero;
};

extern const struct symbol symbol_table[];
extern const uint32_t symbol_count;
extern const char symbol_names[];
extern const char image_end[];

static void show_registers(const struct regs *r)
{
    log_error("rip %04lx:%016lx  rsp %04lx:%016lx  rflags %08lx", r->cs, r->rip,
              r->ss, r->rsp, r->rflags);
    log_error("rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx", r->rax, r->rbx,
              r->rcx, r->rdx);
    log_error("rsi %016lx  rdi %016lx  rbp %016lx  r8  %016lx", r->rsi, r->rdi,
              r->rbp, r->r8);
    log_error("r9  %016lx  r10 %016lx  r11 %016lx  r12 %016lx", r->r9, r->r10,
              r->r11, r->r12);
    log_error("r13 %016lx  r14 %016lx  r15 %016lx", r->r13, r->r14, r->r15);
}

static void show_place(uint64_t address)
{
    const struct symbol *found = NULL;

    for (uint32_t i = 0; i < symbol_count; i++)
        if (symbol_table[i].address <= address)
            found = &symbol_table[i];
    if (found && address < (uint64_t)image_end)
        log_error("  %016lx %s+%#lx", address, symbol_names + found->name,
                  address - found->address);
    else
        log_error("  %016lx", address);
}

/* Follows the chain of frame pointers upwards while it stays on this stack. */
static void show_backtrace(uint64_t rip, uint64_t rbp)
{
    uint64_t at = (uint64_t)__builtin_frame_address(0);
    uint64_t end = (at | (STACK_SIZE - 1)) + 1;

    log_error("backtrace:");
    show_place(rip);
    for (unsigned i = 0; i < BACKTRACE_DEPTH; i++) {
        const uint64_t *frame = (const uint64_t *)rbp;

        if (rbp & 7 || rbp <= at || rbp + 16 > end)
            return;
        show_place(frame[1]);
        at = rbp;
        rbp = frame[0];
    }
}

void crash_own(const struct regs *r)
{
    log_error("pCPU %u: exception %u, error code %#x, cr2 %016lx, cr3 %016lx",
              this_cpu()->id, r->vector, r->error_code, read_cr2(), read_cr3());
    show_registers(r);
    show_backtrace(r->rip, r->rbp);
    panic("exception %u in Mica%s", r->vector,
          r->vector == EXC_DF ? ": has its stack overflowed?" : "");
}

static void show_walk(mfn_t root, const char *what, uint64_t va)
{
    struct walk w;

    if (!guest_va_is_usable(va) || mfn_equal(root, MFN_INVALID)) {
        log_error("%s %016lx: not a guest's", what, va);
        return;
    }
    guest_walk(root, va, &w);
    for (unsigned level = 4; level >= w.level; level--)
        log_error("%s %016lx: L%u entry %016lx in frame %#lx", what, va, level,
                  w.entry[level], w.table[level].n);
}

void arch_vcpu_report(struct vcpu *v)
{
    bool is_here = this_pcpu()->loaded == v;
    const struct regs *r = is_here ? guest_regs() : &v->arch->regs;
    mfn_t root = vcpu_root(v);
    uint64_t words[4];

    log_error("d%u vCPU %u, in its %s%s:", v->domain->id, v->id,
              v->arch->in_kernel ? "kernel" : "application",
              is_here ? "" : ", when it last left its pCPU");
    show_registers(r);
    show_walk(root, "rip", r->rip);
    if (v->arch->trap.cr2)
        show_walk(root, "cr2", v->arch->trap.cr2);
    for (unsigned i = 0; i < STACK_WORDS * 8; i += sizeof(words)) {
        if (copy_in_root(root, words, r->rsp + i, sizeof(words)))
            return;
        log_error("stack %016lx: %016lx %016lx %016lx %016lx", r->rsp + i,
                  words[0], words[1], words[2], words[3]);
    }
}

void arch_panic(const char *text)
{
    static const char line[] = "\nMica stops here.\n";

    (void)text;
    show_backtrace((uint64_t)__builtin_return_address(0),
                   *(uint64_t *)__builtin_frame_address(0));
    arch_console_write(line, sizeof(line) - 1);
    apic_stop_others();
    for (;;)
        halt();
}
