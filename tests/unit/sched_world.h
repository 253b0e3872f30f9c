/* SPDX-License-Identifier: MIT */
/*
 * The scheduler, simulated: processors that do nothing but let time pass, and
 * vCPUs that run whenever they may.
 */
#pragma once

#include <check.h>

#include "core/domain.h"
#include "core/vcpu.h"

#define MANY 2000u
#define TICK (NSEC_PER_MS / 2)

extern struct vcpu vcpus[MANY];
extern struct domain domains[2]; /* make() puts a vCPU into the first */

void make(struct vcpu *v, uint32_t weight);
void make_in(struct domain *d, struct vcpu *v, uint32_t weight);
void start(unsigned cpus, unsigned count);
void only_on(struct vcpu *v, unsigned cpu);
void settle_all(void);
void run_for(nsec_t time);
nsec_t ran(struct vcpu *v);
bool is_parked(const struct vcpu *v);
void expect_near(nsec_t value, nsec_t wanted, unsigned percent);
void check_queue(struct pcpu *p);
void check_vcpu(const struct vcpu *v);

/* Suites. */
TCase *sched_cap_case(void);
TCase *sched_soft_case(void);
