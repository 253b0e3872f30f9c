/* SPDX-License-Identifier: MIT */
/*
 * What the distribution's archives of liblzma, libzstd and zlib want of a C
 * library, beyond the string functions of core/string.c. Their memory comes
 * from arenas, so there is no heap: an allocation that asks for one fails as
 * if memory had run out, which all three report as an error.
 */
#include "core/log.h"

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void free(void *memory);
_Noreturn void __stack_chk_fail(void);
int ZSTD_trace_decompress_begin(const void *decoder);
void ZSTD_trace_decompress_end(unsigned long long context, const void *trace);

/* There is no heap; see above. */
void *malloc(size_t size)
{
    (void)size;
    return NULL;
}

/* There is no heap; see above. */
void *calloc(size_t count, size_t size)
{
    (void)count;
    (void)size;
    return NULL;
}

/* Only NULL can come here. */
void free(void *memory)
{
    (void)memory;
}

/*
 * A function of the archives found its stack frame overrun. The archives read
 * the expected value at %fs:0x28, which must be mapped while they run.
 */
_Noreturn void __stack_chk_fail(void)
{
    panic("a decompressor overran its stack frame");
}

/*
 * libzstd refers to its tracing hooks weakly; left undefined they would be
 * at address 0, out of reach of a call from where Mica is linked. 0 means
 * that nothing is to be traced, and then the second is never called.
 */
int ZSTD_trace_decompress_begin(const void *decoder)
{
    (void)decoder;
    return 0;
}

/* See ZSTD_trace_decompress_begin(). */
void ZSTD_trace_decompress_end(unsigned long long context, const void *trace)
{
    (void)context;
    (void)trace;
}
