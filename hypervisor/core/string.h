/* SPDX-License-Identifier: MIT */
/*
 * The part of C's string functions that Mica uses, with C's meaning. On the
 * target they come from core/string.c; a host build takes the C library's.
 */
#pragma once

#include <stddef.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int byte, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
