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

struct address {
    const char *text;
    const char *bytes;
    uint64_t address;
};

/* Each register holds its number << 32 | 0x1000; rip is 0x7000. */
#define R(n) ((uint64_t)(n) << 32 | 0x1000)

static const struct address addresses[] = {
    {"mov %rax,(%rcx)", "488901", R(1)},
    {"mov %rax,(%r12)", "49890424", R(12)},
    {"mov %rax,(%rsp)", "48890424", R(4)},
    {"mov %rax,0(%rbp)", "48894500", R(5)},
    {"mov %rax,0(%r13)", "49894500", R(13)},
    {"mov %rax,-8(%rdi)", "488947f8", R(7) - 8},
    {"mov %rax,0x12345678(%r9)", "4989817856 3412", R(9) + 0x12345678},
    {"mov %rax,-0x80000000(%rdx)", "48898200000080", R(2) - 0x80000000ull},
    {"mov %rax,(%rax,%rbx,8)", "488904d8", R(0) + R(3) * 8},
    {"mov %rax,(%rax,%r12,2)", "4a890460", R(0) + R(12) * 2},
    {"mov %rax,4(%r13,%r15,4)", "4b8944bd04", R(13) + R(15) * 4 + 4},
    {"mov %rax,0x40(,%rcx,8)", "488904cd40000000", R(1) * 8 + 0x40},
    {"mov %rax,0xffffffff81000000", "4889042500000081", 0xffffffff81000000},
    {"mov %rax,0x10(%rip)", "48890510000000", 0x7000 + 7 + 0x10},
    {"movl $1,-0x20(%rip)", "c705e0ffffff01000000", 0x7000 + 10 - 0x20},
    {"mov %rax,%es:(%rbx)", "26488903", R(3)},
    /* rax = 0x1000: bit 0x1000 of a string is 64 quadwords on */
    {"bts %rax,(%rdi)", "480fab07", R(7) + 0x1000 / 8},
    {"bts %eax,(%rdi)", "0fab07", R(7) + 0x1000 / 8},
    {"bts %ax,(%rdi)", "660fab07", R(7) + 0x1000 / 8},
    {"btsq $63,(%rdi)", "480fba2f3f", R(7)},
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

#define RDI 0x12345678

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

static int decode_at(const char *hex, struct insn *out, size_t *length,
                     struct regs *r)
{
    uint8_t bytes[32];
    uint8_t *exact;
    int error;

    *length = parse(hex, bytes);
    exact = malloc(*length); /* so that a read past the end is noticed */
    memcpy(exact, bytes, *length);
    error = insn_decode(out, exact, *length, INSN_MODE_64, r);
    free(exact);
    return error;
}

static int decode(const char *hex, struct insn *out, size_t *length)
{
    struct regs r = {.rdi = RDI};

    return decode_at(hex, out, length, &r);
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
    ck_assert_uint_eq(i.address, RDI);
}
END_TEST

START_TEST(test_insn_decode_of_every_shorter_prefix_is_refused)
{
    const struct encoding *e = &stores[_i];
    struct regs r = {0};
    uint8_t bytes[32];
    struct insn i;
    size_t length = parse(e->bytes, bytes);

    for (size_t n = 0; n < length; n++)
        ck_assert_msg(insn_decode(&i, bytes, n, INSN_MODE_64, &r), "%s",
                      e->text);
}
END_TEST

static void fill(struct regs *r)
{
    for (unsigned n = 0; n < 16; n++)
        *insn_reg(r, n) = R(n);
    r->rip = 0x7000;
}

START_TEST(test_insn_address_follows_the_addressing_mode)
{
    const struct address *a = &addresses[_i];
    struct regs r = {0};
    struct insn i;
    size_t length;

    fill(&r);
    ck_assert_msg(!decode_at(a->bytes, &i, &length, &r), "%s", a->text);
    ck_assert_uint_eq(i.length, length);
    ck_assert_msg(i.address == a->address, "%s: %llx", a->text,
                  (unsigned long long)i.address);
}
END_TEST

START_TEST(test_insn_address_of_negative_bit_number_lies_below)
{
    struct regs r = {.rdi = 0x5000, .rax = (uint64_t)-1};
    struct insn i;
    size_t length;

    ck_assert(!decode_at("480fab07", &i, &length, &r));
    ck_assert_uint_eq(i.address, 0x5000 - 8);
    ck_assert(!decode_at("0fab07", &i, &length, &r));
    ck_assert_uint_eq(i.address, 0x5000 - 4);
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

START_TEST(test_insn_decode_in_32_bit_mode_knows_ports_only)
{
    static const uint8_t in_al[] = {0xec}, store[] = {0x89, 0x07};
    static const uint8_t dec_eax[] = {0x48, 0xed};
    static const uint8_t mov_cr[] = {0x0f, 0x20, 0xd0};
    struct regs r = {0};
    struct insn i;

    ck_assert(!insn_decode(&i, in_al, 1, INSN_MODE_32, &r));
    ck_assert_uint_eq(i.address_size, 4);
    ck_assert(insn_decode(&i, store, 2, INSN_MODE_32, &r));
    ck_assert(insn_decode(&i, dec_eax, 2, INSN_MODE_32, &r));
    ck_assert(insn_decode(&i, mov_cr, 3, INSN_MODE_32, &r));
}
END_TEST

START_TEST(test_insn_operands_of_one_byte_name_the_right_registers)
{
    struct regs r = {.rax = 0x1122334455667788, .rsp = 0xabc};
    struct insn i;
    size_t length;

    ck_assert(!decode("8607", &i, &length)); /* xchg %al,(%rdi) */
    ck_assert_uint_eq(insn_operand_read(&i, &r), 0x88);
    insn_operand_write(&i, &r, 0xee);
    ck_assert_uint_eq(r.rax, 0x11223344556677ee);
    ck_assert(!decode("408627", &i, &length)); /* xchg %spl,(%rdi) */
    ck_assert_uint_eq(insn_operand_read(&i, &r), 0xbc);
    insn_operand_write(&i, &r, 0x11);
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
    tcase_add_loop_test(tc, test_insn_address_follows_the_addressing_mode, 0,
                        ARRAY_LEN(addresses));
    tcase_add_test(tc, test_insn_address_of_negative_bit_number_lies_below);
    tcase_add_loop_test(tc, test_insn_decode_refuses_what_is_not_for_it, 0,
                        ARRAY_LEN(refused));
    tcase_add_test(tc, test_insn_decode_takes_no_rex_before_another_prefix);
    tcase_add_test(tc, test_insn_decode_in_32_bit_mode_knows_ports_only);
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
