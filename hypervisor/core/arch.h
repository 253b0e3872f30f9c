/* SPDX-License-Identifier: MIT */
/*
 * Everything core may ask of the machine. hypervisor/x86 implements it for
 * real, tests/host for unit tests; the linker checks that core needs no more.
 *
 * Mica runs with interrupts off. A function here returns in bounded time and
 * may be called on any pCPU with any lock held unless it says otherwise.
 */
#pragma once

#include "core/types.h"

struct domain;
struct hc_args;
struct pcpu;
struct vcpu;
struct vcpu_guest_context;

/* --- this processor ------------------------------------------------------ */

/* The core's record of the pCPU that executes the call. */
struct pcpu *arch_this_pcpu(void);

/*
 * One turn of a busy wait: relaxes the pipeline and serves flush requests
 * from other pCPUs. Invalidates every pointer got by a software page walk.
 */
void arch_spin_wait(void);

/* Nanoseconds since start, the same on every pCPU, never going back. */
nsec_t arch_now(void);

/* Interrupts this pCPU at `deadline`, or never; one deadline at a time. */
void arch_timer_arm(nsec_t deadline);

/* Makes pCPU `cpu` pass its scheduling point soon. */
void arch_pcpu_kick(unsigned cpu);

/*
 * `index` when it is below `bound`, else 0, also under speculation. `bound`
 * is below 2^63.
 */
uint64_t index_clamp(uint64_t index, uint64_t bound);

/* --- memory -------------------------------------------------------------- */

/*
 * Mica's own address of RAM frame `mfn`, valid while the caller has a reason
 * to use the frame. The result for a frame that is not RAM is undefined.
 */
void *arch_frame_ptr(mfn_t mfn);

/* The frame behind an address that arch_frame_ptr returned. */
mfn_t arch_frame_of(const void *ptr);

/* Sets the guest-visible machine-to-physical entry of RAM frame `mfn`. */
void arch_m2p_set(mfn_t mfn, uint64_t pfn);

/*
 * Returns once no pCPU holds a guest translation that was made before the
 * flush clock read `stamp` (core/frame.h). Serves others' requests meanwhile.
 */
void arch_flush_since(uint32_t stamp);

/* Drops every guest translation this pCPU holds. */
void arch_flush_local(void);

/* Drops this pCPU's translation of guest address `va`. */
void arch_flush_page_local(uint64_t va);

/*
 * Drops translations on every pCPU that runs or ran one of the vCPUs of `d`
 * whose number is set in `vcpus` (one bit each, `d->max_vcpus` of them).
 */
void arch_flush_vcpus(struct domain *d, const uint64_t *vcpus);

/* Writes back and invalidates the caches of all pCPUs. */
void arch_flush_cache(void);

/*
 * Entry `index` of the L4 frame `l4` now holds `entry`: updates every copy of
 * it that a processor may be using. Called with the owner's page-table lock.
 */
void arch_l4_entry_changed(mfn_t l4, unsigned index, uint64_t entry);

/* Frame `l4` is no L4 table any more: forgets every copy. Lock as above. */
void arch_l4_gone(mfn_t l4);

/* Fills the slots of a new L4 frame that belong to Mica (256 to 271). */
void arch_l4_install_own_slots(uint64_t *l4);

/* Whether guests may never map the device frame `mfn` (APICs and the like). */
bool arch_io_frame_is_forbidden(mfn_t mfn);

/* Whether device frame `mfn` may be mapped read-only only (IO-APICs). */
bool arch_io_frame_is_read_only(mfn_t mfn);

/* --- vCPUs --------------------------------------------------------------- */

/* Allocates and frees the machine's part of a vCPU (v->arch). */
must_check int arch_vcpu_create(struct vcpu *v);
void arch_vcpu_destroy(struct vcpu *v);

/* Allocates and frees the machine's part of a domain (d->arch). */
must_check int arch_domain_create(struct domain *d);
void arch_domain_destroy(struct domain *d);

/*
 * Takes over the registers of a vCPU that has never run or is down. Refuses
 * bad numbers and addresses with -EINVAL, before it changes anything; on
 * -ERESTART, or when a table is refused, it may have taken some tables, and
 * none of the registers.
 */
must_check int arch_vcpu_set_context(struct vcpu *v,
                                     const struct vcpu_guest_context *context);

/*
 * The registers of a vCPU that runs nowhere, in the form that
 * arch_vcpu_set_context takes; members of core's are left as they are.
 */
void arch_vcpu_get_context(const struct vcpu *v,
                           struct vcpu_guest_context *context);

/* Gives up all guest frames that the machine's part of `v` refers to. */
void arch_vcpu_release_frames(struct vcpu *v);

/*
 * The vCPU's LDT is at guest address `va`, page aligned, with `entries`
 * descriptors (0 to 8192). -EINVAL for bad values, -ERESTART. Called with the
 * domain's page-table lock.
 */
must_check int arch_vcpu_set_ldt(struct vcpu *v, uint64_t va, unsigned entries);

/*
 * Calls visit(context, mfn) once for each reference of type FRAME_SEGDESC
 * that the vCPU holds. For the auditor, while nothing runs.
 */
void arch_vcpu_frame_refs(const struct vcpu *v,
                          void (*visit)(void *context, mfn_t mfn),
                          void *context);

/* Makes a running vCPU notice a pending event or a state change soon. */
void arch_vcpu_kick(struct vcpu *v);

/* An NMI for `v`, which takes it when it next may. */
void arch_vcpu_nmi(struct vcpu *v);

/* Logs registers, stack and page walk of `v`, which runs here: it crashed. */
void arch_vcpu_report(struct vcpu *v);

/* Loads the page-table roots of `v`, which is running here, after a change. */
void arch_vcpu_roots_changed(struct vcpu *v);

/*
 * Makes the vCPU issue the hypercall `nr` again with `args` when it next
 * runs: the call goes on where its arguments say.
 */
void arch_hypercall_restart(struct vcpu *v, unsigned nr,
                            const struct hc_args *args);

/* Writes the stubs of all hypercalls into a page (hypercall_abi/hypercall.h). */
void arch_hypercall_page_fill(void *page);

/* Refreshes the clock page of `v`, wherever its vcpu_info is now. */
void arch_vcpu_time_publish(struct vcpu *v);

/* Writes the wall clock, as `d` is to see it, into its shared_info. */
void arch_domain_publish_clock(struct domain *d);

/*
 * Ports first to last, below 65536, of the machine: whether `d` may use them
 * all, and giving or taking them. The vCPUs of `d` run nowhere meanwhile. For
 * ports that are Mica's -EPERM.
 */
bool arch_domain_has_ports(const struct domain *d, unsigned first,
                           unsigned last);
must_check int arch_domain_give_ports(struct domain *d, unsigned first,
                                      unsigned last);
void arch_domain_take_ports(struct domain *d, unsigned first, unsigned last);

/* Ticks of the processor's time stamp counter in a millisecond. */
uint32_t arch_tsc_khz(void);

/* --- devices ------------------------------------------------------------- */

/* Writes text to the consoles; called with the log's lock held. */
void arch_console_write(const char *text, size_t length);

/* Up to `size` bytes typed on the console for dom0; the number of bytes. */
size_t arch_console_read(char *out, size_t size);

/* Physical interrupt lines; `gsi` is an ACPI global system interrupt. */
must_check int arch_gsi_setup(unsigned gsi, bool level, bool active_low);

/* A pirq, below MAX_PIRQS, may come, or may not, or dom0 has served it. */
enum pirq_change { PIRQ_OPEN, PIRQ_CLOSE, PIRQ_SERVED };
void arch_pirq_change(unsigned pirq, enum pirq_change what);

/* Stops the machine. */
_Noreturn void arch_panic(const char *text);
_Noreturn void arch_reboot(void);
_Noreturn void arch_power_off(void);
