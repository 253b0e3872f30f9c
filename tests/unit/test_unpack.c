/* SPDX-License-Identifier: MIT */
/* The decoders, on streams packed here by the same libraries. */
#include <check.h>
#include <stdlib.h>

#include "core/unpack.h"

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

enum {
    PLAIN_SIZE = 300000,
    PACKED_MAX = 400000,
    ARENA_MAX = 66 * 1024 * 1024,
};

static uint8_t plain[PLAIN_SIZE];
static uint8_t packed[PACKED_MAX];
static size_t packed_size;

/* Half of it compressible, half of it noise. */
static void fill_plain(void)
{
    uint32_t state = 1;
    size_t i;

    for (i = 0; i < PLAIN_SIZE; i++) {
        state = state * 1664525 + 1013904223;
        plain[i] = i / 1000 % 2 ? (uint8_t)(state >> 24) : (uint8_t)(i / 7);
    }
}

/* Pack as Linux's build does: x86 filter, LZMA2 with `dictionary`, `check`. */
static void pack_xz(uint32_t dictionary, lzma_check check)
{
    lzma_options_lzma options;
    lzma_filter filters[] = {
        {LZMA_FILTER_X86, NULL},
        {LZMA_FILTER_LZMA2, &options},
        {LZMA_VLI_UNKNOWN, NULL},
    };

    ck_assert(!lzma_lzma_preset(&options, 1));
    options.dict_size = dictionary;
    packed_size = 0;
    ck_assert_int_eq(lzma_stream_buffer_encode(filters, check, NULL, plain,
                                               PLAIN_SIZE, packed, &packed_size,
                                               PACKED_MAX),
                     LZMA_OK);
}

static void pack_lzma(void)
{
    lzma_stream stream = LZMA_STREAM_INIT;
    lzma_options_lzma options;

    ck_assert(!lzma_lzma_preset(&options, 1));
    ck_assert_int_eq(lzma_alone_encoder(&stream, &options), LZMA_OK);
    stream.next_in = plain;
    stream.avail_in = PLAIN_SIZE;
    stream.next_out = packed;
    stream.avail_out = PACKED_MAX;
    ck_assert_int_eq(lzma_code(&stream, LZMA_FINISH), LZMA_STREAM_END);
    packed_size = stream.total_out;
    lzma_end(&stream);
}

static void pack_gzip(void)
{
    z_stream stream = {.next_in = plain,
                       .avail_in = PLAIN_SIZE,
                       .next_out = packed,
                       .avail_out = PACKED_MAX};

    ck_assert_int_eq(
        deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY),
        Z_OK);
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    packed_size = stream.total_out;
    deflateEnd(&stream);
}

static void pack_zstd(void)
{
    ZSTD_CCtx *encoder = ZSTD_createCCtx();

    ZSTD_CCtx_setParameter(encoder, ZSTD_c_checksumFlag, 1);
    ZSTD_CCtx_setParameter(encoder, ZSTD_c_windowLog, 27);
    packed_size =
        ZSTD_compress2(encoder, packed, PACKED_MAX, plain, PLAIN_SIZE);
    ck_assert(!ZSTD_isError(packed_size));
    ZSTD_freeCCtx(encoder);
}

static void pack(enum unpack_method method)
{
    fill_plain();
    if (method == UNPACK_XZ)
        pack_xz(32u << 20, LZMA_CHECK_CRC32);
    else if (method == UNPACK_LZMA)
        pack_lzma();
    else if (method == UNPACK_GZIP)
        pack_gzip();
    else
        pack_zstd();
}

/* Unpack what is in `packed`, each buffer of the exact size. */
static const char *unpack_exact(enum unpack_method method, size_t size,
                                size_t out_size, size_t arena_size)
{
    struct arena arena = {malloc(arena_size + 1), arena_size, 0};
    uint8_t *in = malloc(size + 1);
    uint8_t *out = malloc(out_size + 1);
    struct unpack_job job = {in + 1, size, out + 1, out_size, &arena, method};
    const char *why;

    memcpy(in + 1, packed, size);
    why = unpack(&job);
    ck_assert_uint_le(arena.used, arena.size);
    if (!why)
        ck_assert(!memcmp(out + 1, plain, out_size));
    free(out);
    free(in);
    free(arena.base);
    return why;
}

static void assert_refused(const char *why, const char *words)
{
    ck_assert_msg(why && strstr(why, words), "\"%s\" lacks \"%s\"", why, words);
}

static const enum unpack_method methods[] = {
    UNPACK_XZ,
    UNPACK_LZMA,
    UNPACK_GZIP,
    UNPACK_ZSTD,
};

/* A build may leave methods out; then there is nothing to test of them. */
static bool is_left_out(enum unpack_method method)
{
    struct unpack_job job = {.method = method};

    if (unpack_arena_size(method) &&
        (method == UNPACK_GZIP   ? CONFIG_KERNEL_GZIP
         : method == UNPACK_ZSTD ? CONFIG_KERNEL_ZSTD
                                 : CONFIG_KERNEL_XZ))
        return false;
    assert_refused(unpack(&job), "CONFIG_KERNEL");
    return true;
}

START_TEST(test_unpack_of_good_stream_gives_the_original)
{
    enum unpack_method method = methods[_i];

    if (is_left_out(method))
        return;
    pack(method);
    ck_assert_ptr_null(unpack_exact(method, packed_size, PLAIN_SIZE,
                                    unpack_arena_size(method)));
}
END_TEST

START_TEST(test_unpack_of_truncated_stream_is_refused)
{
    enum unpack_method method = methods[_i];
    size_t cut;

    if (is_left_out(method))
        return;
    pack(method);
    for (cut = 1; cut < packed_size; cut += cut < 20 ? 1 : cut / 2)
        assert_refused(unpack_exact(method, packed_size - cut, PLAIN_SIZE,
                                    unpack_arena_size(method)),
                       "cut short");
    ck_assert_ptr_nonnull(
        unpack_exact(method, 0, PLAIN_SIZE, unpack_arena_size(method)));
}
END_TEST

START_TEST(test_unpack_to_another_size_is_refused)
{
    enum unpack_method method = methods[_i];
    size_t arena = unpack_arena_size(method);

    if (is_left_out(method))
        return;
    pack(method);
    assert_refused(unpack_exact(method, packed_size, PLAIN_SIZE - 1, arena),
                   "declared size");
    assert_refused(unpack_exact(method, packed_size, 1, arena),
                   "declared size");
    assert_refused(unpack_exact(method, packed_size, 0, arena),
                   "declared size");
    assert_refused(unpack_exact(method, packed_size, PLAIN_SIZE + 1, arena),
                   "declared size");
}
END_TEST

START_TEST(test_unpack_of_stream_with_tail_is_refused)
{
    enum unpack_method method = methods[_i];

    if (is_left_out(method))
        return;
    pack(method);
    packed[packed_size] = 0;
    assert_refused(unpack_exact(method, packed_size + 1, PLAIN_SIZE,
                                unpack_arena_size(method)),
                   "declared size");
}
END_TEST

START_TEST(test_unpack_with_too_small_an_arena_is_refused)
{
    enum unpack_method method = methods[_i];

    if (is_left_out(method))
        return;
    pack(method);
    assert_refused(unpack_exact(method, packed_size, PLAIN_SIZE, 0),
                   "more memory");
    assert_refused(unpack_exact(method, packed_size, PLAIN_SIZE, 4096),
                   "more memory");
}
END_TEST

START_TEST(test_unpack_of_damaged_stream_never_succeeds_wrongly)
{
    enum unpack_method method = methods[_i];
    size_t at;

    if (is_left_out(method))
        return;
    pack(method);
    for (at = 0; at < packed_size; at += at < 64 ? 1 : 4999) {
        packed[at] ^= 0x55;
        if (method != UNPACK_LZMA)
            unpack_exact(method, packed_size, PLAIN_SIZE,
                         unpack_arena_size(method));
        packed[at] ^= 0x55;
    }
}
END_TEST

START_TEST(test_unpack_xz_with_unknown_check_is_refused)
{
    if (is_left_out(UNPACK_XZ))
        return;
    fill_plain();
    pack_xz(1u << 20, LZMA_CHECK_CRC64);
    assert_refused(unpack_exact(UNPACK_XZ, packed_size, PLAIN_SIZE, ARENA_MAX),
                   "--check=crc32");
    pack_xz(1u << 20, LZMA_CHECK_NONE);
    ck_assert_ptr_null(
        unpack_exact(UNPACK_XZ, packed_size, PLAIN_SIZE, ARENA_MAX));
}
END_TEST

START_TEST(test_unpack_xz_with_huge_dictionary_needs_the_arena_for_it)
{
    if (is_left_out(UNPACK_XZ))
        return;
    fill_plain();
    pack_xz(64u << 20, LZMA_CHECK_CRC32);
    assert_refused(unpack_exact(UNPACK_XZ, packed_size, PLAIN_SIZE,
                                unpack_arena_size(UNPACK_XZ)),
                   "more memory");
    ck_assert_ptr_null(
        unpack_exact(UNPACK_XZ, packed_size, PLAIN_SIZE, ARENA_MAX));
}
END_TEST

START_TEST(test_unpack_lzma_of_known_size_succeeds)
{
    uint64_t size = PLAIN_SIZE;

    if (is_left_out(UNPACK_LZMA))
        return;
    pack(UNPACK_LZMA);
    memcpy(packed + 5, &size, sizeof(size));
    ck_assert_ptr_null(
        unpack_exact(UNPACK_LZMA, packed_size, PLAIN_SIZE, ARENA_MAX));
}
END_TEST

START_TEST(test_unpack_zstd_of_other_frames_is_refused)
{
    static const uint8_t starts[][4] = {
        {0x27, 0xb5, 0x2f, 0xfd},
        {0x25, 0xb5, 0x2f, 0xfd},
        {0x50, 0x2a, 0x4d, 0x18},
    };
    size_t i;

    if (is_left_out(UNPACK_ZSTD))
        return;
    pack(UNPACK_ZSTD);
    for (i = 0; i < ARRAY_LEN(starts); i++) {
        memcpy(packed, starts[i], 4);
        assert_refused(
            unpack_exact(UNPACK_ZSTD, packed_size, PLAIN_SIZE, ARENA_MAX),
            "damaged");
    }
}
END_TEST

START_TEST(test_unpack_zstd_of_two_frames_is_refused)
{
    if (is_left_out(UNPACK_ZSTD))
        return;
    pack(UNPACK_ZSTD);
    ck_assert_uint_le(2 * packed_size, PACKED_MAX);
    memcpy(packed + packed_size, packed, packed_size);
    assert_refused(
        unpack_exact(UNPACK_ZSTD, 2 * packed_size, PLAIN_SIZE, ARENA_MAX),
        "declared size");
}
END_TEST

START_TEST(test_unpack_by_another_method_is_refused)
{
    struct unpack_job job = {.method = UNPACK_LZ4};

    assert_refused(unpack(&job), "can't unpack");
}
END_TEST

START_TEST(test_arena_alloc_never_leaves_the_arena)
{
    uint8_t memory[1024];
    struct arena arena = {memory + 1, sizeof(memory) - 1, 0};
    uint8_t *first, *second;

    ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX, 2));
    ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX / 2 + 2, 2));
    ck_assert_ptr_null(arena_alloc(&arena, 1, SIZE_MAX));
    ck_assert_ptr_null(arena_alloc(&arena, 1, sizeof(memory)));
    first = arena_alloc(&arena, 3, 5);
    second = arena_alloc(&arena, 1, 1);
    ck_assert_ptr_nonnull(first);
    ck_assert_uint_eq((uintptr_t)first % 64, 0);
    ck_assert(second >= first + 15);
    while ((second = arena_alloc(&arena, 1, 1)))
        ck_assert(second < memory + sizeof(memory));
}
END_TEST

static void add_stream_tests(TCase *tc)
{
    int count = ARRAY_LEN(methods);

    tcase_add_loop_test(tc, test_unpack_of_good_stream_gives_the_original, 0,
                        count);
    tcase_add_loop_test(tc, test_unpack_of_truncated_stream_is_refused, 0,
                        count);
    tcase_add_loop_test(tc, test_unpack_to_another_size_is_refused, 0, count);
    tcase_add_loop_test(tc, test_unpack_of_stream_with_tail_is_refused, 0,
                        count);
    tcase_add_loop_test(tc, test_unpack_with_too_small_an_arena_is_refused, 0,
                        count);
    tcase_add_loop_test(
        tc, test_unpack_of_damaged_stream_never_succeeds_wrongly, 0, count);
}

static TCase *make_case(void)
{
    TCase *tc = tcase_create("unpack");

    tcase_set_timeout(tc, 60);
    add_stream_tests(tc);
    tcase_add_test(tc, test_unpack_xz_with_unknown_check_is_refused);
    tcase_add_test(tc,
                   test_unpack_xz_with_huge_dictionary_needs_the_arena_for_it);
    tcase_add_test(tc, test_unpack_lzma_of_known_size_succeeds);
    tcase_add_test(tc, test_unpack_zstd_of_other_frames_is_refused);
    tcase_add_test(tc, test_unpack_zstd_of_two_frames_is_refused);
    tcase_add_test(tc, test_unpack_by_another_method_is_refused);
    tcase_add_test(tc, test_arena_alloc_never_leaves_the_arena);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("unpack");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, make_case());
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
