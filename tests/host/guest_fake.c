/* SPDX-License-Identifier: MIT */
/* Domains for unit tests; guest_fake.h says how to use them. */
#include <stdio.h>
#include <stdlib.h>

#include "host/guest_fake.h"

#include "core/frame.h"
#include "core/heap.h"
#include "core/pte.h"
#include "core/sched.h"
#include "host/arch_fake.h"

uint8_t *fake_guest_page;
mfn_t fake_guest_frame;

static mfn_t root;

static void need(bool claim, const char *what)
{
    if (claim)
        return;
    fprintf(stderr, "fake guest: %s failed\n", what);
    abort();
}

/* Makes the page writable for guests, or read-only. */
void fake_guest_set_writable(bool writable)
{
    uint64_t flags = PTE_PRESENT | PTE_USER | (writable ? PTE_WRITE : 0);

    need(fake_guest_map(root, FAKE_GUEST_VA, fake_guest_frame, flags), "map");
}

static void make_page(void)
{
    void *table = frames_alloc(0);

    fake_guest_page = frames_alloc(0);
    need(table && fake_guest_page, "frames_alloc");
    root = arch_frame_of(table);
    fake_guest_frame = arch_frame_of(fake_guest_page);
    fake_guest_set_writable(true);
}

/* A domain with `vcpus` vCPUs that have a context and are down. */
struct domain *fake_domain(domid_t id, unsigned vcpus)
{
    struct domain *d = domain_create(id, vcpus);

    need(d != NULL, "domain_create");
    if (!fake_guest_page)
        make_page();
    for (unsigned i = 0; i < vcpus; i++) {
        struct vcpu *v = vcpu_create(d, i);

        need(v != NULL, "vcpu_create");
        v->kernel_root = root;
        v->initialised = true;
    }
    return d;
}

/*
 * The scheduling point of pCPU fake.cpu, with all that the machine does there.
 */
struct vcpu *fake_pick(void)
{
    struct pcpu *p = this_pcpu();
    struct vcpu *next = sched_pick(fake.now), *before = p->loaded;

    if (before == next)
        return next;
    p->loaded = next;
    if (before)
        sched_unloaded(before);
    return next;
}

/* Takes the pCPU from whoever runs on it, who goes down. */
void fake_stop(void)
{
    if (current_vcpu())
        sched_take_down(current_vcpu());
    fake_pick();
}

/* Makes `v` the current vCPU of pCPU fake.cpu, where the last one goes down. */
void fake_run(struct vcpu *v)
{
    uint64_t here[BITMAP_WORDS(MAX_PCPUS)] = {0};

    if (current_vcpu() == v)
        return;
    fake_stop();
    bit_set(here, fake.cpu);
    need(!sched_set_affinity(v, here), "sched_set_affinity");
    need(!vcpu_up(v), "vcpu_up");
    need(fake_pick() == v, "sched_pick");
}

/* A hypercall of the current vCPU. */
long fake_call(hypercall_handler *handler, uint64_t a, uint64_t b, uint64_t c)
{
    const struct hc_args args = {{a, b, c}};

    this_pcpu()->entered_at = fake.now;
    return handler(current_vcpu(), &args);
}

/* The body of fake_call_with. */
long fake_call_bytes(hypercall_handler *handler, uint64_t cmd, void *arg,
                     size_t size)
{
    long result;

    need(size <= PAGE_SIZE, "an argument of this size");
    memcpy(fake_guest_page, arg, size);
    result = fake_call(handler, cmd, FAKE_GUEST_VA, 0);
    memcpy(arg, fake_guest_page, size);
    return result;
}
