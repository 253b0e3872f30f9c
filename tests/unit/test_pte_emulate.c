/* SPDX-License-Identifier: MIT */
/*
 * Stores into a page-table entry: results and flags against those of this
 * computer's own processor, and against an entry that others change.
 */
#include <check.h>
#include <stdlib.h>

#include "x86/pte_store.h"

#define FLAGS_MASK 0x8d5ul
#define AF 0x010ul
#define ZF 0x040ul

/* The entry, and what happens to it behind the store's back. */
struct fake_entry {
    uint64_t value;
    uint64_t set_before_update[16]; /* bits that "hardware" sets, per try */
    unsigned updates;
    int refusal;
};

static int fake_update(void *context, uint64_t expected, uint64_t value,
                       uint64_t *seen)
{
    struct fake_entry *e = context;

    if (e->updates < ARRAY_LEN(e->set_before_update))
        e->value |= e->set_before_update[e->updates];
    e->updates++;
    if (e->refusal)
        return e->refusal;
    if (e->value != expected) {
        *seen = e->value;
        return -EAGAIN;
    }
    e->value = value;
    return 0;
}

static int store_at(struct fake_entry *e, enum insn_kind kind, unsigned size,
                    unsigned byte, struct regs *r)
{
    struct insn i = {.kind = kind, .size = (uint8_t)size, .reg = 1};
    struct pte_target target = {e->value, byte, fake_update, e};

    return pte_store(&i, r, insn_operand_read(&i, r), &target);
}

struct native {
    uint64_t memory, rax, rcx, flags;
};

#define NATIVE(name, type, text)                                               \
    static void name(struct native *n)                                         \
    {                                                                          \
        type *memory = (type *)&n->memory;                                     \
                                                                               \
        __asm__ volatile("lea -128(%%rsp), %%rsp\n\t"                          \
                         "push %3\n\tpopf\n\t" text "\n\tpushf\n\tpop %3\n\t"  \
                         "lea 128(%%rsp), %%rsp"                               \
                         : "+m"(*memory), "+a"(n->rax), "+c"(n->rcx),          \
                           "+r"(n->flags)                                      \
                         :                                                     \
                         : "cc", "memory");                                    \
    }

#define NATIVES(op)                                                            \
    NATIVE(op##_1, uint8_t, #op " %%cl, %0")                                   \
    NATIVE(op##_2, uint16_t, #op " %%cx, %0")                                  \
    NATIVE(op##_4, uint32_t, #op " %%ecx, %0")                                 \
    NATIVE(op##_8, uint64_t, #op " %%rcx, %0")

NATIVES(and)
NATIVES(or)
NATIVES(mov)
NATIVES(xchg)
NATIVES(cmpxchg)

struct operation {
    enum insn_kind kind;
    uint64_t undefined; /* flags that need not agree */
    void (*by_size[4])(struct native *n);
};

#define OPERATION(kind, undefined, op)                                         \
    {                                                                          \
        kind, undefined,                                                       \
        {                                                                      \
            op##_1, op##_2, op##_4, op##_8                                     \
        }                                                                      \
    }

static const struct operation operations[] = {
    OPERATION(INSN_AND, AF, and),        OPERATION(INSN_OR, AF, or),
    OPERATION(INSN_MOV, 0, mov),         OPERATION(INSN_XCHG, 0, xchg),
    OPERATION(INSN_CMPXCHG, 0, cmpxchg),
};

/* Values near the edges of each width, and arbitrary ones. */
static uint64_t pick(unsigned n)
{
    static const uint64_t edges[] = {
        0,      1,          0x7f,       0x80,       0xff,       0x7fff,
        0x8000, 0x7fffffff, 0x80000000, 0xffffffff, 1ull << 63, ~0ull};

    if (n % 3)
        return edges[(n * 7919u >> 3) % ARRAY_LEN(edges)];
    return (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();
}

static void compare_with_native(const struct operation *o, unsigned log_size,
                                unsigned n)
{
    struct native native = {pick(n), pick(n * 3 + 1), pick(n * 5 + 2), 2};
    struct fake_entry entry = {.value = native.memory};
    struct regs r = {.rax = native.rax, .rcx = native.rcx, .rflags = 2};

    if (o->kind == INSN_CMPXCHG && n % 2)
        native.rax = r.rax = native.memory;
    o->by_size[log_size](&native);
    ck_assert_int_eq(store_at(&entry, o->kind, 1u << log_size, 0, &r), 0);
    ck_assert_uint_eq(entry.value, native.memory);
    ck_assert_uint_eq(r.rax, native.rax);
    ck_assert_uint_eq(r.rcx, native.rcx);
    ck_assert_uint_eq(r.rflags & FLAGS_MASK & ~o->undefined,
                      native.flags & FLAGS_MASK & ~o->undefined);
}

START_TEST(test_pte_store_agrees_with_the_processor)
{
    srand(1);
    for (unsigned log_size = 0; log_size < 4; log_size++)
        for (unsigned n = 0; n < 2000; n++)
            compare_with_native(&operations[_i], log_size, n);
}
END_TEST

START_TEST(test_pte_store_of_one_byte_leaves_the_others)
{
    struct fake_entry e = {.value = 0x8877665544332211};
    struct regs r = {.rcx = 0xf0};

    for (unsigned byte = 0; byte < 8; byte++)
        ck_assert_int_eq(store_at(&e, INSN_AND, 1, byte, &r), 0);
    ck_assert_uint_eq(e.value, 0x8070605040302010);
    ck_assert_int_eq(store_at(&e, INSN_MOV, 2, 6, &r), 0);
    ck_assert_uint_eq(e.value, 0x00f0605040302010);
}
END_TEST

START_TEST(test_pte_store_bit_operations_change_one_bit_and_carry)
{
    struct fake_entry e = {.value = 0x40};
    struct regs r = {.rcx = 0xffffffffffffff86, .rflags = ZF};

    ck_assert_int_eq(store_at(&e, INSN_BTR, 8, 0, &r), 0);
    ck_assert_uint_eq(e.value, 0);
    ck_assert_uint_eq(r.rflags, ZF | RFLAGS_CF);
    ck_assert_int_eq(store_at(&e, INSN_BTS, 8, 0, &r), 0);
    ck_assert_uint_eq(e.value, 0x40);
    ck_assert_uint_eq(r.rflags, ZF);
}
END_TEST

START_TEST(test_pte_store_exchange_returns_a_dirty_bit_set_meanwhile)
{
    struct fake_entry e = {.value = 0x1027, .set_before_update = {0x40}};
    struct regs r = {.rcx = 0};

    ck_assert_int_eq(store_at(&e, INSN_XCHG, 8, 0, &r), 0);
    ck_assert_uint_eq(e.value, 0);
    ck_assert_uint_eq(r.rcx, 0x1067);
    ck_assert_uint_eq(e.updates, 2);
}
END_TEST

START_TEST(test_pte_store_and_keeps_a_dirty_bit_set_meanwhile)
{
    struct fake_entry e = {.value = 0x1027, .set_before_update = {0x40}};
    struct regs r = {.rcx = 0xfd};

    ck_assert_int_eq(store_at(&e, INSN_AND, 1, 0, &r), 0);
    ck_assert_uint_eq(e.value, 0x1065);
}
END_TEST

START_TEST(test_pte_store_compare_exchange_fails_on_a_dirty_bit_set_meanwhile)
{
    struct fake_entry e = {.value = 0x1027, .set_before_update = {0x40}};
    struct regs r = {.rax = 0x1027, .rcx = 0x1025};

    ck_assert_int_eq(store_at(&e, INSN_CMPXCHG, 8, 0, &r), 0);
    ck_assert_uint_eq(e.value, 0x1067);
    ck_assert_uint_eq(r.rax, 0x1067);
    ck_assert_uint_eq(r.rflags & ZF, 0);
}
END_TEST

START_TEST(test_pte_store_refused_changes_nothing)
{
    struct fake_entry e = {.value = 0x1027, .refusal = -EINVAL};
    struct regs r = {.rcx = 5}, before = r;

    ck_assert_int_eq(store_at(&e, INSN_XCHG, 8, 0, &r), -EINVAL);
    ck_assert_uint_eq(e.value, 0x1027);
    ck_assert_uint_eq(e.updates, 1);
    ck_assert(!memcmp(&r, &before, sizeof(r)));
}
END_TEST

START_TEST(test_pte_store_under_endless_contention_gives_up)
{
    struct fake_entry e = {.value = 0};
    struct regs r = {.rcx = 5}, before = r;

    for (unsigned n = 0; n < ARRAY_LEN(e.set_before_update); n++)
        e.set_before_update[n] = 1ull << n;
    ck_assert_int_eq(store_at(&e, INSN_XCHG, 8, 0, &r), -EAGAIN);
    ck_assert_uint_le(e.updates, ARRAY_LEN(e.set_before_update));
    ck_assert(!memcmp(&r, &before, sizeof(r)));
}
END_TEST

static TCase *make_case(void)
{
    TCase *tc = tcase_create("stores");

    tcase_add_loop_test(tc, test_pte_store_agrees_with_the_processor, 0,
                        ARRAY_LEN(operations));
    tcase_add_test(tc, test_pte_store_of_one_byte_leaves_the_others);
    tcase_add_test(tc, test_pte_store_bit_operations_change_one_bit_and_carry);
    tcase_add_test(tc,
                   test_pte_store_exchange_returns_a_dirty_bit_set_meanwhile);
    tcase_add_test(tc, test_pte_store_and_keeps_a_dirty_bit_set_meanwhile);
    tcase_add_test(
        tc, test_pte_store_compare_exchange_fails_on_a_dirty_bit_set_meanwhile);
    tcase_add_test(tc, test_pte_store_refused_changes_nothing);
    tcase_add_test(tc, test_pte_store_under_endless_contention_gives_up);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("pte_emulate");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, make_case());
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
