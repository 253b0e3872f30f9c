/* SPDX-License-Identifier: MIT */
/*
 * One table says what each opcode is and what follows it, those that kernels
 * set entries with first. Decoding goes strictly forward; behind the
 * bytes that were given lie zeros, which are no prefix, so that no step needs
 * a check of its own. Having used one of them makes the whole result invalid.
 */
#include "x86/insn_decode.h"

enum {
    REX_B = 1,
    REX_X = 2,
    REX_R = 4,
    REX_W = 8,
};

/* The form of an instruction: its operands and what their size depends on. */
enum {
    SIZED = 1,    /* bit 0 of the opcode: 0 for bytes, 1 for WIDE */
    WIDE = 2,     /* the size that prefixes choose */
    PORT = 4,     /* SIZED, but never 8 bytes */
    MEMORY = 8,   /* ModRM: a register and a place in memory */
    CONTROL = 16, /* ModRM: a control and a general register */
    BYTE = 32,    /* an immediate byte */
    FULL = 64,    /* one as wide as the operand, 4 bytes at most */
    GROUP = 128   /* as GROUP_(n): only where ModRM.reg is n */
};
#define GROUP_(n) (GROUP | (n) << 8)

static const struct encoding {
    uint32_t opcode;
    uint16_t form;
    uint8_t kind;
} encodings[] = {
    {0x88, SIZED | MEMORY, INSN_MOV},
    {0x86, SIZED | MEMORY, INSN_XCHG},
    {0x08, SIZED | MEMORY, INSN_OR},
    {0x20, SIZED | MEMORY, INSN_AND},
    {0x6c, PORT, INSN_INS},
    {0x6e, PORT, INSN_OUTS},
    {0x80, SIZED | MEMORY | FULL | GROUP_(1), INSN_OR},
    {0x80, SIZED | MEMORY | FULL | GROUP_(4), INSN_AND},
    {0x83, WIDE | MEMORY | BYTE | GROUP_(1), INSN_OR},
    {0x83, WIDE | MEMORY | BYTE | GROUP_(4), INSN_AND},
    {0xc6, SIZED | MEMORY | FULL | GROUP_(0), INSN_MOV},
    {0xe4, PORT | BYTE, INSN_IN},
    {0xe6, PORT | BYTE, INSN_OUT},
    {0xec, PORT, INSN_IN},
    {0xee, PORT, INSN_OUT},
    {0xfa, 0, INSN_CLI},
    {0xfb, 0, INSN_STI},
    {0x0f01d1, 0, INSN_XSETBV},
    {0x0f06, 0, INSN_CLTS},
    {0x0f09, 0, INSN_WBINVD},
    {0x0f20, CONTROL, INSN_READ_CR},
    {0x0f22, CONTROL, INSN_WRITE_CR},
    {0x0f30, 0, INSN_WRMSR},
    {0x0f32, 0, INSN_RDMSR},
    {0x0fab, WIDE | MEMORY, INSN_BTS},
    {0x0fb0, SIZED | MEMORY, INSN_CMPXCHG},
    {0x0fb3, WIDE | MEMORY, INSN_BTR},
    {0x0fba, WIDE | MEMORY | BYTE | GROUP_(5), INSN_BTS},
    {0x0fba, WIDE | MEMORY | BYTE | GROUP_(6), INSN_BTR},
};

struct decoder {
    uint8_t bytes[2 * INSN_MAX_LENGTH]; /* the second half is zeros */
    unsigned at;
    struct insn *out;
    struct regs *regs;
    uint8_t rex;
    bool operand_prefix; /* 66 */
    bool is_rip_relative;
};

static uint8_t next_byte(struct decoder *d)
{
    return d->bytes[d->at++];
}

/* A number of 1, 2 or 4 bytes, sign-extended. */
static uint64_t next_signed(struct decoder *d, unsigned size)
{
    unsigned spare = 64 - 8 * size;
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)next_byte(d) << (8 * i);
    return (uint64_t)((int64_t)(value << spare) >> spare);
}

/* Eats all prefixes; the first byte of the opcode. */
static uint8_t take_prefixes(struct decoder *d)
{
    for (;;) {
        uint8_t byte = next_byte(d);

        if (d->out->address_size == 8 && (byte & 0xf0) == 0x40) {
            d->rex = byte;
            continue;
        }
        switch (byte) {
        case 0x26: /* es, cs, ss, ds: flat */
        case 0x2e:
        case 0x36:
        case 0x3e:
        case 0xf0: /* lock: Mica's store is always as if locked */
            break;
        case 0x66:
            d->operand_prefix = true;
            break;
        case 0xf2:
        case 0xf3:
            d->out->is_repeated = true;
            break;
        default:
            return byte;
        }
        d->rex = 0; /* counts only right before the opcode */
    }
}

static const struct encoding *find_encoding(const struct decoder *d,
                                            uint32_t opcode)
{
    unsigned group = GROUP_(d->bytes[d->at] >> 3 & 7); /* of a ModRM byte */

    for (size_t i = 0; i < ARRAY_LEN(encodings); i++) {
        const struct encoding *e = &encodings[i];
        uint32_t size_bit = e->form & (SIZED | PORT) ? 1 : 0;

        if (e->opcode == (opcode & ~size_bit) &&
            (!(e->form & GROUP) || (e->form & GROUP_(7)) == group))
            return e;
    }
    return NULL;
}

static uint8_t operand_size(const struct decoder *d, uint32_t opcode,
                            unsigned form)
{
    if (!(form & (SIZED | WIDE | PORT)))
        return 8;
    if (form & (SIZED | PORT) && !(opcode & 1))
        return 1;
    if (d->rex & REX_W && !(form & PORT))
        return 8;
    return d->operand_prefix ? 2 : 4;
}

/* A register's value, where `rex` is the bit that extends its number. */
static uint64_t reg_value(struct decoder *d, unsigned number, unsigned rex)
{
    return *insn_reg(d->regs, (number & 7) | (d->rex & rex ? 8 : 0));
}

/* Where the memory operand of `modrm` is, but for what follows behind. */
static uint64_t take_address(struct decoder *d, uint8_t modrm)
{
    unsigned mod = modrm >> 6, base = modrm & 7;
    bool has_sib = base == 4;
    uint64_t address = 0;

    if (has_sib) {
        uint8_t sib = next_byte(d);

        base = sib & 7;
        if ((sib >> 3 & 7) != 4 || d->rex & REX_X)
            address = reg_value(d, sib >> 3, REX_X) << (sib >> 6);
    }
    if (base != 5 || mod)
        address += reg_value(d, base, REX_B);
    else
        d->is_rip_relative = !has_sib;
    if (mod == 1)
        return address + next_signed(d, 1);
    return mod || base == 5 ? address + next_signed(d, 4) : address;
}

/* The operands of a ModRM byte; -EINVAL for those that have no business here. */
static int take_operands(struct decoder *d, unsigned form)
{
    uint8_t modrm = next_byte(d);
    struct insn *out = d->out;

    if (out->address_size != 8)
        return -EINVAL;
    out->reg = (modrm >> 3 & 7) | (d->rex & REX_R ? 8 : 0);
    if (form & CONTROL) {
        out->rm = (modrm & 7) | (d->rex & REX_B ? 8 : 0);
        return 0;
    }
    if (modrm >> 6 == 3)
        return -EINVAL;
    out->address = take_address(d, modrm);
    return 0;
}

/* A bit number in a register reaches beyond the operand it is based on. */
static uint64_t bit_displacement(const struct insn *i, struct regs *r)
{
    unsigned spare = 64 - 8u * i->size;
    int64_t number = (int64_t)(insn_operand_read(i, r) << spare) >> spare;

    return (uint64_t)(number >> (3 + __builtin_ctz(i->size))) * i->size;
}

/*
 * Decodes the instruction at the start of `length` bytes, at which `r->rip`
 * points. 0; -EINVAL for one that is not among enum insn_kind, that is longer
 * than INSN_MAX_LENGTH, or that the bytes do not hold completely.
 */
int insn_decode(struct insn *out, const uint8_t *bytes, size_t length,
                enum insn_mode mode, struct regs *r)
{
    struct decoder d = {.out = out, .regs = r};
    const struct encoding *e;
    uint32_t opcode;

    length = min_u64(length, INSN_MAX_LENGTH);
    memcpy(d.bytes, bytes, length);
    *out = (struct insn){.address_size = mode == INSN_MODE_64 ? 8 : 4};
    opcode = take_prefixes(&d);
    while (opcode == 0x0f || opcode == 0x0f01)
        opcode = opcode << 8 | next_byte(&d);
    e = find_encoding(&d, opcode);
    if (!e)
        return -EINVAL;
    out->kind = e->kind;
    out->size = operand_size(&d, opcode, e->form);
    out->has_immediate = e->form & (BYTE | FULL);
    if (e->form & (MEMORY | CONTROL) && take_operands(&d, e->form))
        return -EINVAL;
    if (out->has_immediate)
        out->immediate = next_signed(
            &d, e->form & FULL ? (unsigned)min_u64(out->size, 4) : 1);
    if (d.at > length)
        return -EINVAL;
    if (out->size == 1 && !out->has_immediate && !d.rex && out->reg >= 4)
        return -EINVAL; /* ah, ch, dh or bh */
    if ((out->kind == INSN_BTS || out->kind == INSN_BTR) && !out->has_immediate)
        out->address += bit_displacement(out, r);
    if (d.is_rip_relative)
        out->address += r->rip + d.at;
    out->length = (uint8_t)d.at;
    return 0;
}

/* Whether `i` stores to memory without being an input instruction. */
bool insn_writes_memory(const struct insn *i)
{
    return i->kind >= INSN_MOV;
}

/* The bits of an operand of `size` bytes: 1, 2, 4 or 8. */
uint64_t insn_operand_mask(unsigned size)
{
    return ~0ull >> (64 - 8 * size);
}

/* General register `number`, as encodings number them. */
uint64_t *insn_reg(struct regs *r, unsigned number)
{
#define AT(name) offsetof(struct regs, name)
    static const uint8_t at[] = {
        AT(rax), AT(rcx), AT(rdx), AT(rbx), AT(rsp), AT(rbp), AT(rsi), AT(rdi),
        AT(r8),  AT(r9),  AT(r10), AT(r11), AT(r12), AT(r13), AT(r14), AT(r15),
    };
#undef AT

    return (uint64_t *)((char *)r + at[number & 15]);
}

/*
 * Stores the low `size` bytes of `value` in a register as an instruction
 * does: 4 bytes clear the upper half, fewer leave the rest alone.
 */
void insn_merge(uint64_t *reg, uint64_t value, unsigned size)
{
    uint64_t mask = insn_operand_mask(size);
    uint64_t kept = size < 4 ? *reg & ~mask : 0;

    *reg = kept | (value & mask);
}

/* The source operand of `i`, as many bits of it as the operand has. */
uint64_t insn_operand_read(const struct insn *i, struct regs *r)
{
    return (i->has_immediate ? i->immediate : *insn_reg(r, i->reg)) &
           insn_operand_mask(i->size);
}

/* Stores `value` in the register operand of `i`. */
void insn_operand_write(const struct insn *i, struct regs *r, uint64_t value)
{
    insn_merge(insn_reg(r, i->reg), value, i->size);
}

/* Moves the pointers of a string instruction on by one step, and its count. */
void insn_string_advance(const struct insn *i, struct regs *r)
{
    uint64_t step = r->rflags & RFLAGS_DF ? 0 - (uint64_t)i->size : i->size;

    uint64_t *at = i->kind == INSN_OUTS ? &r->rsi : &r->rdi;

    insn_merge(at, *at + step, i->address_size);
    if (i->is_repeated)
        insn_merge(&r->rcx, r->rcx - 1, i->address_size);
}
