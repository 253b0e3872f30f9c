/* SPDX-License-Identifier: MIT */
/* The name that a misspelt word was meant to be (verb.h). */
#include <string.h>

#include "dom0_tools/mica/verb.h"

enum { WORD_MAX = 64 }; /* longer words are nobody's misspelling */

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;

    return least < c ? least : c;
}

/* How many letters must be added, dropped, changed or swapped. */
static unsigned edit_distance(const char *a, const char *b)
{
    unsigned rows[3][WORD_MAX + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2], *swap;
    size_t length = strlen(b);
    size_t i, j;

    for (j = 0; j <= length; j++)
        above[j] = (unsigned)j;
    for (i = 1; i <= strlen(a); i++) {
        row[0] = (unsigned)i;
        for (j = 1; j <= length; j++) {
            row[j] = min3(above[j] + 1, row[j - 1] + 1,
                          above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = min3(row[j], before[j - 2] + 1, row[j]);
        }
        swap = before;
        before = above;
        above = row;
        row = swap;
    }
    return above[length];
}

/*
 * The name nearest to a misspelt word among names[0..count), NULL if none
 * is near enough to be meant.
 */
const char *verb_nearest(const char *word, const char *const *names,
                         unsigned count)
{
    const char *nearest = NULL;
    unsigned least = 3;
    unsigned i;

    if (strlen(word) > WORD_MAX)
        return NULL;
    for (i = 0; i < count; i++) {
        unsigned distance;

        if (strlen(names[i]) > WORD_MAX)
            continue;
        distance = edit_distance(word, names[i]);
        if (distance < least && distance < strlen(names[i])) {
            nearest = names[i];
            least = distance;
        }
    }
    return nearest;
}
