/* SPDX-License-Identifier: MIT */
/*
 * Where vCPUs run. One that wakes up takes its last pCPU if that is idle, else
 * any idle one, else queues where it was. An idle pCPU takes work from others,
 * a crowded one pushes to idle ones at once and to less crowded ones now and
 * then, so that in the long run shares hold between pCPUs too. A vCPU never
 * changes queues while some pCPU still has its registers.
 *
 * Of idle pCPUs a vCPU gets one of its soft affinity first. Where that has not
 * the pCPU it runs on, it looks at the end of each slice whether one that has
 * is idle. It never waits for one while another pCPU is idle.
 *
 * For the scheduler alone, which provides the last two functions.
 */
#pragma once

#include "core/types.h"

struct pcpu;
struct vcpu;

bool sched_may_run_on(const struct vcpu *v, unsigned cpu);
bool sched_has_better_place(const struct vcpu *v, unsigned cpu);
unsigned sched_loaded_on(const struct vcpu *v);
unsigned sched_choose_pcpu(const struct vcpu *v);
void sched_set_idle(unsigned cpu, bool is_idle);
bool sched_pull(struct pcpu *p, nsec_t now);
void sched_balance(struct pcpu *p, nsec_t now);

/* sched.c */
void sched_request(struct pcpu *p);
void sched_check_preemption(struct pcpu *p, const struct vcpu *v, nsec_t now);
