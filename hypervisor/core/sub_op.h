/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls with sub-operations. A table says what each of them takes; what
 * they have in common is done in one place: may the caller do it, copying the
 * argument in, finding the domain that it is about, copying the answer out.
 * So a handler begins with all it needs and has only its own work to do.
 */
#pragma once

#include "core/types.h"
#include "hypercall_abi/abi.h"

struct domain;
struct sub_op;
struct vcpu;

/* The longest argument that is copied in. */
#define SUB_OP_ROOM 72u

enum {
    OP_ANSWERS = 1, /* after a 0 the argument is copied out */
    OP_DOM0 = 2,    /* -EPERM for other domains */
    OP_SUBJECT = 4, /* the argument begins with the domain it is about */
};

/* As OP_SUBJECT, but the domain is at another place in the argument. */
#define OP_SUBJECT_AT(offset) (OP_SUBJECT | (offset) << 8)

/* One call. */
struct sub_call {
    struct vcpu *v;   /* the caller; in vcpu_op the vCPU that it is about */
    struct domain *d; /* the caller, or with OP_SUBJECT that domain */
    guest_va arg;
    uint64_t cmd; /* with progress: what a restart goes on with */
    const struct sub_op *op;
    uint64_t copy[SUB_OP_ROOM / 8]; /* of the argument */
};

/*
 * A sub-operation on `arg`, which is c->copy: the result of the call, or
 * -ERESTART to be called again with the argument as the guest has it.
 */
typedef long sub_op_handler(struct sub_call *c, void *arg);

struct sub_op {
    sub_op_handler *handler; /* NULL: not served */
    uint8_t size;            /* of the argument; 0: the handler's business */
    uint16_t flags;
};

struct sub_op_table {
    const struct sub_op *ops; /* by number */
    uint32_t count;
    unsigned nr;       /* the hypercall, (cmd, arg), for restarts */
    uint32_t progress; /* bits of the command that handlers keep it in */
};

must_check long sub_op_run(const struct sub_op_table *table, struct vcpu *v,
                           uint64_t cmd, guest_va arg);
must_check int sub_op_answer(const struct sub_call *c);
