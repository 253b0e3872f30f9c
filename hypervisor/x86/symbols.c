/* SPDX-License-Identifier: MIT */
/* Look-up in the symbol table (symbols.h). */
#include "x86/symbols.h"

struct symbol {
    uint64_t address;
    uint32_t name;
    uint32_t zero;
};

extern const struct symbol symbol_table[];
extern const uint32_t symbol_count;
extern const char symbol_names[];
extern const char text_start[], image_end[];

const char *symbol_find(uint64_t address, uint64_t *offset)
{
    size_t low = 0, high = symbol_count;

    if (address < (uint64_t)text_start || address >= (uint64_t)image_end)
        return NULL;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (symbol_table[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low)
        return NULL;
    *offset = address - symbol_table[low - 1].address;
    return symbol_names + symbol_table[low - 1].name;
}
