/* SPDX-License-Identifier: MIT */
/* The decoder on encodings that an assembler made, and on broken ones. */
#include <check.h>
#include <stdlib.h>

#include "x86/insn_decode.h"

struct encoding {
    const char *text;  /* what the assembler was given */
    const char *bytes; /* in hexadecimal */
    enum insn_kind kind;
    uint8_t size;
    uint8_t reg, rm;
    bool has_immediate;
    uint64_t immediate;
};

static const struct encoding plain[] = {
    {"rdmsr", "0f32", INSN_RDMSR, 8, 0, 0, false, 0},
    {"wrmsr", "0f30", INSN_WRMSR, 8, 0, 0, false, 0},
    {"cli", "fa", INSN_CLI, 8, 0, 0, false, 0},
    {"sti", "fb", INSN_STI, 8, 0, 0, false, 0},
    {"clts", "0f06", INSN_CLTS, 8, 0, 0, false, 0},
    {"wbinvd", "0f09", INSN_WBINVD, 8, 0, 0, false, 0},
    {"xsetbv", "0f01d1", INSN_XSETBV, 8, 0, 0, false, 0},
    {"mov %cr2,%rax", "0f20d0", INSN_READ_CR, 8, 2, 0, false, 0},
    {"mov %cr0,%r9", "410f20c1", INSN_READ_CR, 8, 0, 9, false, 0},
    {"mov %cr8,%rbx", "440f20c3", INSN_READ_CR, 8, 8, 3, false, 0},
    {"mov %rdi,%cr4", "0f22e7", INSN_WRITE_CR, 8, 4, 7, false, 0},
    {"in $0x71,%al", "e471", INSN_IN, 1, 0, 0, true, 0x71},
    {"in $0x71,%ax", "66e571", INSN_IN, 2, 0, 0, true, 0x71},
    {"in $0xf8,%eax", "e5f8", INSN_IN, 4, 0, 0, true, ~7ull},
    {"out %al,$0x80", "e680", INSN_OUT, 1, 0, 0, true, ~0x7full},
    {"out %eax,$0x80", "e780", INSN_OUT, 4, 0, 0, true, ~0x7full},
    {"in (%dx),%al", "ec", INSN_IN, 1, 0, 0, false, 0},
    {"in (%dx),%ax", "66ed", INSN_IN, 2, 0, 0, false, 0},
    {"rex.w in (%dx),%eax", "48ed", INSN_IN, 4, 0, 0, false, 0},
    {"out %al,(%dx)", "ee", INSN_OUT, 1, 0, 0, false, 0},
    {"out %ax,(%dx)", "66ef", INSN_OUT, 2, 0, 0, false, 0},
    {"out %eax,(%dx)", "ef", INSN_OUT, 4, 0, 0, false, 0},
    {"insb", "6c", INSN_INS, 1, 0, 0, false, 0},
    {"rep insw", "f3666d", INSN_INS, 2, 0, 0, false, 0},
    {"rep outsl", "f36f", INSN_OUTS, 4, 0, 0, false, 0},
};

static const struct encoding stores[] = {
    {"mov %rsi,(%rdi)", "488937", INSN_MOV, 8, 6, 0, false, 0},
    {"mov %r8d,(%rdi)", "448907", INSN_MOV, 4, 8, 0, false, 0},
    {"mov %ax,(%rdi)", "668907", INSN_MOV, 2, 0, 0, false, 0},
    {"mov %spl,(%rdi)", "408827", INSN_MOV, 1, 4, 0, false, 0},
    {"movb $-1,(%rdi)", "c607ff", INSN_MOV, 1, 0, 0, true, ~0ull},
    {"movw $0x1234,(%rdi)", "66c7073412", INSN_MOV, 2, 0, 0, true, 0x1234},
    {"movl $0x12345678,(%rdi)", "c70778563412", INSN_MOV, 4, 0, 0, true,
     0x12345678},
    {"movq $-2,(%rdi)", "48c707feffffff", INSN_MOV, 8, 0, 0, true, ~1ull},
    {"xchg %rax,(%rdi)", "488707", INSN_XCHG, 8, 0, 0, false, 0},
    {"xchg %bl,(%rdi)", "861f", INSN_XCHG, 1, 3, 0, false, 0},
    {"lock andb $0xfd,(%rdi)", "f08027fd", INSN_AND, 1, 4, 0, true, ~2ull},
    {"lock and %rax,(%rdi)", "f0482107", INSN_AND, 8, 0, 0, false, 0},
    {"andl $0x7fffffff,(%rdi)", "8127ffffff7f", INSN_AND, 4, 4, 0, true,
     0x7fffffff},
    {"andw $0x7fff,(%rdi)", "668127ff7f", INSN_AND, 2, 4, 0, true, 0x7fff},
    {"andq $-3,(%rdi)", "488327fd", INSN_AND, 8, 4, 0, true, ~2ull},
    {"orq $0x20,(%rdi)", "48830f20", INSN_OR, 8, 1, 0, true, 0x20},
    {"or %al,(%rdi)", "0807", INSN_OR, 1, 0, 0, false, 0},
    {"lock btsq $63,(%rdi)", "f0480fba2f3f", INSN_BTS, 8, 5, 0, true, 63},
    {"lock btrl $5,(%rdi)", "f00fba3705", INSN_BTR, 4, 6, 0, true, 5},
    {"lock bts %rax,(%rdi)", "f0480fab07", INSN_BTS, 8, 0, 0, false, 0},
    {"btr %eax,(%rdi)", "0fb307", INSN_BTR, 4, 0, 0, false, 0},
    {"lock cmpxchg %rcx,(%rdi)", "f0480fb10f", INSN_CMPXCHG, 8, 1, 0, false, 0},
    {"cmpxchg %cl,(%rdi)", "0fb00f", INSN_CMPXCHG, 1, 1, 0, false, 0},
};

/* The operand in memory counts by its length only. */
static const char *const addresses[] = {
    "488901",               /* mov %rax,(%rcx) */
    "49890424",             /* mov %rax,(%r12) */
    "48890424",             /* mov %rax,(%rsp) */
    "48894500",             /* mov %rax,0(%rbp) */
    "49894500",             /* mov %rax,0(%r13) */
    "488947f8",             /* mov %rax,-8(%rdi) */
    "4989817856 3412",      /* mov %rax,0x12345678(%r9) */
    "48898200000080",       /* mov %rax,-0x80000000(%rdx) */
    "488904d8",             /* mov %rax,(%rax,%rbx,8) */
    "4a890460",             /* mov %rax,(%rax,%r12,2) */
    "4b8944bd04",           /* mov %rax,4(%r13,%r15,4) */
    "488904cd40000000",     /* mov %rax,0x40(,%rcx,8) */
    "4889042500000081",     /* mov %rax,0xffffffff81000000 */
    "48890510000000",       /* mov %rax,0x10(%rip) */
    "c705e0ffffff01000000", /* movl $1,-0x20(%rip) */
    "26488903",             /* mov %rax,%es:(%rbx) */
    "660fab07",             /* bts %ax,(%rdi) */
    "480fba2f3f",           /* btsq $63,(%rdi) */
};

static const char *const refused[] = {
    "",                                 /* nothing */
    "0f",                               /* cut short */
    "48",                               /* a prefix alone */
    "666666666666666666666666666666fa", /* 16 bytes */
    "4889c0",                           /* mov %rax,%rax: no memory */
    "6448890f",                         /* mov to %fs: */
    "65488b0f",                         /* mov from %gs: */
    "67488901",                         /* mov %rax,(%ecx) */
    "8827",                             /* mov %ah,(%rdi) */
    "480117",                           /* add */
    "48ab",                             /* stos */
    "0f31",                             /* rdtsc */
    "0f21f8",                           /* mov %db7,%rax */
    "0fa2",                             /* cpuid */
    "483907",                           /* cmp: does not write */
    "481107",                           /* adc */
    "488b07",                           /* mov from memory */
    "48833f01",                         /* cmp $1 */
    "480fba2701",                       /* bt $1 */
    "488d07",                           /* lea */
    "c64f0001",                         /* c6 /1 */
    "f4",                               /* hlt */
    "0f01f8",                           /* swapgs */
    "0f01c1",                           /* vmcall */
    "0f0b",
    "cc",
    "c3",
    "90",
};

static size_t parse(const char *hex, uint8_t *out)
{
    size_t n = 0;

    for (; *hex; hex++) {
        if (*hex == ' ')
            continue;
        out[n++] = (uint8_t)strtoul((char[]){hex[0], hex[1], 0}, NULL, 16);
        hex++;
    }
    return n;
}

static int decode(const char *hex, struct insn *out, size_t *length)
{
    uint8_t bytes[32];
    uint8_t *exact;
    int error;

    *length = parse(hex, bytes);
    exact = malloc(*length); /* so that a read past the end is noticed */
    memcpy(exact, bytes, *length);
    error = insn_decode(out, exact, *length);
    free(exact);
    return error;
}

static void check_encoding(const struct encoding *e)
{
    struct insn i;
    size_t length;

    ck_assert_msg(!decode(e->bytes, &i, &length), "%s", e->text);
    ck_assert_msg(i.kind == e->kind, "%s: kind %d", e->text, i.kind);
    ck_assert_msg(i.length == length, "%s: length %u", e->text, i.length);
    ck_assert_msg(i.size == e->size, "%s: size %u", e->text, i.size);
    ck_assert_msg(i.reg == e->reg, "%s: reg %u", e->text, i.reg);
    ck_assert_msg(i.rm == e->rm, "%s: rm %u", e->text, i.rm);
    ck_assert_msg(i.has_immediate == e->has_immediate, "%s", e->text);
    ck_assert_msg(i.immediate == e->immediate, "%s: immediate %llx", e->text,
                  (unsigned long long)i.immediate);
    ck_assert_msg(i.is_repeated == !strncmp(e->text, "rep", 3), "%s", e->text);
}

START_TEST(test_insn_decode_reads_privileged_instructions)
{
    check_encoding(&plain[_i]);
}
END_TEST

START_TEST(test_insn_decode_reads_stores)
{
    const struct encoding *e = &stores[_i];
    struct insn i;
    size_t length;

    check_encoding(e);
    ck_assert(!decode(e->bytes, &i, &length) && insn_writes_memory(&i));
}
END_TEST

START_TEST(test_insn_decode_of_every_shorter_prefix_is_refused)
{
    const struct encoding *e = &stores[_i];
    uint8_t bytes[32];
    struct insn i;
    size_t length = parse(e->bytes, bytes);

    for (size_t n = 0; n < length; n++)
        ck_assert_msg(insn_decode(&i, bytes, n), "%s", e->text);
}
END_TEST

START_TEST(test_insn_decode_skips_any_addressing_mode)
{
    struct insn i;
    size_t length;

    ck_assert_msg(!decode(addresses[_i], &i, &length), "%s", addresses[_i]);
    ck_assert_uint_eq(i.length, length);
}
END_TEST

START_TEST(test_insn_decode_refuses_what_is_not_for_it)
{
    struct insn i;
    size_t length;

    ck_assert_msg(decode(refused[_i], &i, &length) == -EINVAL, "%s",
                  refused[_i]);
}
END_TEST

START_TEST(test_insn_decode_takes_no_rex_before_another_prefix)
{
    struct insn i;
    size_t length;

    ck_assert(!decode("48668907", &i, &length)); /* rex.w 66 mov */
    ck_assert_uint_eq(i.size, 2);
    ck_assert(!decode("66488907", &i, &length)); /* 66 rex.w mov */
    ck_assert_uint_eq(i.size, 8);
}
END_TEST

START_TEST(test_insn_operands_of_one_byte_name_the_right_registers)
{
    struct regs r = {.rax = 0x1122334455667788, .rsp = 0xabc};
    struct insn i;
    size_t length;

    ck_assert(!decode("8607", &i, &length)); /* xchg %al,(%rdi) */
    ck_assert_uint_eq(insn_operand_read(&i, &r), 0x88);
    insn_merge(insn_reg(&r, i.reg), 0xee, i.size);
    ck_assert_uint_eq(r.rax, 0x11223344556677ee);
    ck_assert(!decode("408627", &i, &length)); /* xchg %spl,(%rdi) */
    ck_assert_uint_eq(insn_operand_read(&i, &r), 0xbc);
    insn_merge(insn_reg(&r, i.reg), 0x11, i.size);
    ck_assert_uint_eq(r.rsp, 0xa11);
}
END_TEST

START_TEST(test_insn_merge_of_four_bytes_clears_the_upper_half)
{
    uint64_t reg = ~0ull;

    insn_merge(&reg, 0x5555, 1);
    ck_assert_uint_eq(reg, 0xffffffffffffff55);
    insn_merge(&reg, 0x1234, 2);
    ck_assert_uint_eq(reg, 0xffffffffffff1234);
    insn_merge(&reg, 0x99999999, 4);
    ck_assert_uint_eq(reg, 0x99999999);
    insn_merge(&reg, ~0ull, 8);
    ck_assert_uint_eq(reg, ~0ull);
}
END_TEST

static TCase *make_case(void)
{
    TCase *tc = tcase_create("decode");

    tcase_add_loop_test(tc, test_insn_decode_reads_privileged_instructions, 0,
                        ARRAY_LEN(plain));
    tcase_add_loop_test(tc, test_insn_decode_reads_stores, 0,
                        ARRAY_LEN(stores));
    tcase_add_loop_test(tc, test_insn_decode_of_every_shorter_prefix_is_refused,
                        0, ARRAY_LEN(stores));
    tcase_add_loop_test(tc, test_insn_decode_skips_any_addressing_mode, 0,
                        ARRAY_LEN(addresses));
    tcase_add_loop_test(tc, test_insn_decode_refuses_what_is_not_for_it, 0,
                        ARRAY_LEN(refused));
    tcase_add_test(tc, test_insn_decode_takes_no_rex_before_another_prefix);
    tcase_add_test(tc, test_insn_operands_of_one_byte_name_the_right_registers);
    tcase_add_test(tc, test_insn_merge_of_four_bytes_clears_the_upper_half);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("insn_decode");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, make_case());
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
