/* SPDX-License-Identifier: MIT */
/*
 * Stores into a page-table entry: results and flags against those of this
 * computer's own processor.
 */
#include <check.h>
#include <stdlib.h>

#include "x86/pte_store.h"

#define FLAGS_MASK 0x8d5ul
#define AF 0x010ul
#define ZF 0x040ul

static void store_at(uint64_t *entry, enum insn_kind kind, unsigned size,
                     unsigned byte, struct regs *r)
{
    struct insn i = {.kind = kind, .size = (uint8_t)size, .reg = 1};
    struct pte_store s = pte_store(&i, r, *entry, byte);

    *entry = s.entry;
    pte_store_commit(&i, r, &s);
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
    uint64_t entry = native.memory;
    struct regs r = {.rax = native.rax, .rcx = native.rcx, .rflags = 2};

    if (o->kind == INSN_CMPXCHG && n % 2)
        native.rax = r.rax = native.memory;
    o->by_size[log_size](&native);
    store_at(&entry, o->kind, 1u << log_size, 0, &r);
    ck_assert_uint_eq(entry, native.memory);
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
    uint64_t e = 0x8877665544332211;
    struct regs r = {.rcx = 0xf0};

    for (unsigned byte = 0; byte < 8; byte++)
        store_at(&e, INSN_AND, 1, byte, &r);
    ck_assert_uint_eq(e, 0x8070605040302010);
    store_at(&e, INSN_MOV, 2, 6, &r);
    ck_assert_uint_eq(e, 0x00f0605040302010);
}
END_TEST

START_TEST(test_pte_store_bit_operations_change_one_bit_and_carry)
{
    uint64_t e = 0x40;
    struct regs r = {.rcx = 0xffffffffffffff86, .rflags = ZF};

    store_at(&e, INSN_BTR, 8, 0, &r);
    ck_assert_uint_eq(e, 0);
    ck_assert_uint_eq(r.rflags, ZF | RFLAGS_CF);
    store_at(&e, INSN_BTS, 8, 0, &r);
    ck_assert_uint_eq(e, 0x40);
    ck_assert_uint_eq(r.rflags, ZF);
}
END_TEST

START_TEST(test_pte_store_touches_no_register_before_it_is_committed)
{
    struct insn i = {.kind = INSN_XCHG, .size = 8, .reg = 1};
    struct regs r = {.rcx = 5}, before = r;

    ck_assert_uint_eq(pte_store(&i, &r, 0x1027, 0).entry, 5);
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
                   test_pte_store_touches_no_register_before_it_is_committed);
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
