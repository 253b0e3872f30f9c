/* SPDX-License-Identifier: MIT */
/*
 * The run queue of a pCPU and its virtual time: earliest virtual deadline
 * first, as in weighted fair queueing (Demers, Keshav, Shenker, 1989).
 *
 * A queue's virtual time advances by real time / total weight; a vCPU's
 * virtual start by the time it ran / its own weight. Its deadline is when its
 * request would end at its own weight's pace, and whoever has the earliest one
 * runs. A request is a slice long, but shorter for a vCPU that just woke up:
 * so its deadline comes early without its share growing. All arithmetic is
 * modulo 2^64; only differences mean something.
 *
 * For the scheduler alone. Every function wants the run_lock of its queue.
 */
#pragma once

#include "core/types.h"

#define SCHED_SLICE (5 * NSEC_PER_MS)

struct pcpu;
struct vcpu;

struct pcpu *run_queue_lock(const struct vcpu *v);

/* Virtual time. */
void run_queue_advance(struct pcpu *p, nsec_t now);
void run_queue_charge(struct vcpu *v, nsec_t now);
nsec_t run_queue_request_left(const struct vcpu *v);
void run_queue_new_request(struct vcpu *v, nsec_t length);
void run_queue_clamp(const struct pcpu *p, struct vcpu *v);
void run_queue_join(const struct pcpu *p, struct vcpu *v);
void run_queue_change(struct vcpu *v, const struct pcpu *from,
                      const struct pcpu *to);

/* Who waits. */
void run_queue_add_weight(struct pcpu *p, int64_t weight);
void run_queue_insert(struct pcpu *p, struct vcpu *v);
void run_queue_remove(struct pcpu *p, struct vcpu *v);
struct vcpu *run_queue_first(struct pcpu *p);
