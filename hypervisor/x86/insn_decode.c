/* SPDX-License-Identifier: MIT */
/*
 * One table says what each opcode is and what follows it, those that kernels
 * set entries with first. Decoding goes
 * strictly forward over a bounded cursor; running off its end is remembered
 * and makes the whole result invalid, so that no step needs a check of its
 * own.
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
    SIZED = 1,     /* bit 0 of the opcode: 0 for bytes, 1 for WIDE */
    WIDE = 2,      /* the size that prefixes choose */
    PORT = 4,      /* SIZED, but never 8 bytes */
    MEMORY = 8,    /* ModRM: a register and a place in memory */
    SPECIAL = 16,  /* ModRM: a special and a general register */
    SIGNED8 = 32,  /* a byte that is sign-extended */
    BYTE = 64,     /* a byte that is not */
    SIGNED = 128,  /* as wide as the operand, 4 bytes at most */
    STRING = 256,  /* may be repeated */
    GROUP = 0x8000 /* as GROUP_(n): only where ModRM.reg is n */
};
#define GROUP_(n) (GROUP | (n) << 12)
#define ARITHMETIC (SIZED | MEMORY)

static const struct encoding {
    uint32_t opcode;
    uint16_t form;
    uint8_t kind;
} encodings[] = {
    {0x88, SIZED | MEMORY, INSN_MOV},
    {0x86, SIZED | MEMORY, INSN_XCHG},
    {0x00, ARITHMETIC, INSN_ADD},
    {0x08, ARITHMETIC, INSN_OR},
    {0x20, ARITHMETIC, INSN_AND},
    {0x28, ARITHMETIC, INSN_SUB},
    {0x30, ARITHMETIC, INSN_XOR},
    {0x6c, PORT | STRING, INSN_INS},
    {0x6e, PORT | STRING, INSN_OUTS},
    {0x80, ARITHMETIC | SIGNED | GROUP_(0), INSN_ADD},
    {0x80, ARITHMETIC | SIGNED | GROUP_(1), INSN_OR},
    {0x80, ARITHMETIC | SIGNED | GROUP_(4), INSN_AND},
    {0x80, ARITHMETIC | SIGNED | GROUP_(5), INSN_SUB},
    {0x80, ARITHMETIC | SIGNED | GROUP_(6), INSN_XOR},
    {0x83, WIDE | MEMORY | SIGNED8 | GROUP_(0), INSN_ADD},
    {0x83, WIDE | MEMORY | SIGNED8 | GROUP_(1), INSN_OR},
    {0x83, WIDE | MEMORY | SIGNED8 | GROUP_(4), INSN_AND},
    {0x83, WIDE | MEMORY | SIGNED8 | GROUP_(5), INSN_SUB},
    {0x83, WIDE | MEMORY | SIGNED8 | GROUP_(6), INSN_XOR},
    {0xa4, SIZED | STRING, INSN_MOVS},
    {0xaa, SIZED | STRING, INSN_STOS},
    {0xc6, SIZED | MEMORY | SIGNED | GROUP_(0), INSN_MOV},
    {0xcd, BYTE, INSN_INT},
    {0xe4, PORT | BYTE, INSN_IN},
    {0xe6, PORT | BYTE, INSN_OUT},
    {0xec, PORT, INSN_IN},
    {0xee, PORT, INSN_OUT},
    {0xfa, 0, INSN_CLI},
    {0xfb, 0, INSN_STI},
    {0x0f01d1, 0, INSN_XSETBV},
    {0x0f01f9, 0, INSN_RDTSCP},
    {0x0f06, 0, INSN_CLTS},
    {0x0f09, 0, INSN_WBINVD},
    {0x0f0b, 0, INSN_FORCED_CPUID},
    {0x0f20, SPECIAL, INSN_READ_CR},
    {0x0f21, SPECIAL, INSN_READ_DR},
    {0x0f22, SPECIAL, INSN_WRITE_CR},
    {0x0f23, SPECIAL, INSN_WRITE_DR},
    {0x0f30, 0, INSN_WRMSR},
    {0x0f31, 0, INSN_RDTSC},
    {0x0f32, 0, INSN_RDMSR},
    {0x0fa2, 0, INSN_CPUID},
    {0x0fab, WIDE | MEMORY, INSN_BTS},
    {0x0fb0, SIZED | MEMORY, INSN_CMPXCHG},
    {0x0fb3, WIDE | MEMORY, INSN_BTR},
    {0x0fba, WIDE | MEMORY | SIGNED8 | GROUP_(5), INSN_BTS},
    {0x0fba, WIDE | MEMORY | SIGNED8 | GROUP_(6), INSN_BTR},
    {0x0fba, WIDE | MEMORY | SIGNED8 | GROUP_(7), INSN_BTC},
    {0x0fbb, WIDE | MEMORY, INSN_BTC},
    {0x0fc0, SIZED | MEMORY, INSN_XADD},
};

struct decoder {
    const uint8_t *bytes;
    unsigned at, end;
    bool overrun;
    struct insn *out;
    enum insn_mode mode;
    uint8_t rex;
    bool operand_prefix; /* 66 */
    bool repeat_prefix;  /* f2 or f3 */
};

static uint8_t next_byte(struct decoder *d)
{
    if (d->at < d->end)
        return d->bytes[d->at++];
    d->overrun = true;
    return 0;
}

static int32_t next_signed(struct decoder *d, unsigned size)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)next_byte(d) << (8 * i);
    if (size == 1)
        return (int8_t)value;
    return size == 2 ? (int16_t)value : (int32_t)value;
}

/* Eats all prefixes; the first byte of the opcode. */
static uint8_t take_prefixes(struct decoder *d)
{
    for (;;) {
        uint8_t byte = next_byte(d);

        if (d->mode == INSN_MODE_64 && (byte & 0xf0) == 0x40) {
            d->rex = byte;
            continue;
        }
        switch (byte) {
        case 0x26: /* es cs ss ds; 64-bit mode ignores these four */
        case 0x2e:
        case 0x36:
        case 0x3e:
            if (d->mode == INSN_MODE_32)
                d->out->segment = INSN_FLAT;
            break;
        case 0x64:
            d->out->segment = INSN_FS;
            break;
        case 0x65:
            d->out->segment = INSN_GS;
            break;
        case 0x66:
            d->operand_prefix = true;
            break;
        case 0x67:
            d->out->address_size = 4;
            break;
        case 0xf0:
            d->out->is_locked = true;
            break;
        case 0xf2:
        case 0xf3:
            d->repeat_prefix = true;
            break;
        default:
            return byte;
        }
        d->rex = 0; /* counts only right before the opcode */
    }
}

static uint32_t take_opcode(struct decoder *d)
{
    uint32_t opcode = take_prefixes(d);

    if (opcode == 0x0f)
        opcode = opcode << 8 | next_byte(d);
    if (opcode == 0x0f01)
        opcode = opcode << 8 | next_byte(d);
    return opcode;
}

static const struct encoding *find_encoding(const struct decoder *d,
                                            uint32_t opcode)
{
    unsigned modrm = d->at < d->end ? d->bytes[d->at] : 0;
    uint16_t group = (uint16_t)GROUP_(modrm >> 3 & 7);

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

static void take_sib(struct decoder *d, unsigned mod)
{
    uint8_t sib = next_byte(d);
    uint8_t index = (sib >> 3 & 7) | (d->rex & REX_X ? 8 : 0);

    d->out->scale = sib >> 6;
    d->out->index = index == 4 ? INSN_NO_REGISTER : index;
    if ((sib & 7) == 5 && mod == 0)
        d->out->displacement = next_signed(d, 4);
    else
        d->out->base = (sib & 7) | (d->rex & REX_B ? 8 : 0);
}

/* The operands of a ModRM byte; -EINVAL when there must be memory but isn't. */
static int take_operands(struct decoder *d, unsigned form)
{
    uint8_t modrm = next_byte(d);
    unsigned mod = modrm >> 6;
    uint8_t rm = (modrm & 7) | (d->rex & REX_B ? 8 : 0);
    struct insn *out = d->out;

    out->reg = (modrm >> 3 & 7) | (d->rex & REX_R ? 8 : 0);
    if (form & SPECIAL) {
        out->rm = rm;
        return 0;
    }
    if (mod == 3)
        return -EINVAL;
    if ((modrm & 7) == 4) {
        take_sib(d, mod);
    } else if ((modrm & 7) == 5 && mod == 0) {
        out->is_rip_relative = true;
        out->displacement = next_signed(d, 4);
    } else {
        out->base = rm;
    }
    if (mod)
        out->displacement = next_signed(d, mod == 1 ? 1 : 4);
    return 0;
}

static void take_immediate(struct decoder *d, unsigned form)
{
    unsigned size = form & SIGNED ? (unsigned)min_u64(d->out->size, 4) : 1;

    d->out->has_immediate = true;
    if (form & BYTE)
        d->out->immediate = next_byte(d);
    else
        d->out->immediate = (uint64_t)(int64_t)next_signed(d, size);
}

/* The bytes that tell the forced CPUID from any other UD2; no prefixes. */
static bool take_forced_cpuid(struct decoder *d)
{
    static const uint8_t rest[] = {0x78, 0x65, 0x6e, 0x0f, 0xa2};
    bool is_forced = d->at == 2;

    for (unsigned i = 0; i < sizeof(rest); i++)
        is_forced &= next_byte(d) == rest[i];
    return is_forced;
}

/* Whether the LOCK prefix may stand before an instruction of this kind. */
static bool may_be_locked(enum insn_kind kind)
{
    return kind > INSN_MOV && kind < INSN_STOS;
}

/*
 * Decodes the instruction at the start of `length` bytes. 0; -EINVAL for one
 * that is not among enum insn_kind, that is longer than INSN_MAX_LENGTH, or
 * that the bytes do not hold completely.
 */
int insn_decode(struct insn *out, const uint8_t *bytes, size_t length,
                enum insn_mode mode)
{
    struct decoder d = {
        .bytes = bytes,
        .end = (unsigned)min_u64(length, INSN_MAX_LENGTH),
        .out = out,
        .mode = mode,
    };
    const struct encoding *e;
    uint32_t opcode;

    *out = (struct insn){
        .address_size = mode == INSN_MODE_64 ? 8 : 4,
        .base = INSN_NO_REGISTER,
        .index = INSN_NO_REGISTER,
    };
    opcode = take_opcode(&d);
    e = find_encoding(&d, opcode);
    if (!e)
        return -EINVAL;
    out->kind = e->kind;
    out->size = operand_size(&d, opcode, e->form);
    out->is_repeated = e->form & STRING && d.repeat_prefix;
    if (e->form & (MEMORY | SPECIAL) && take_operands(&d, e->form))
        return -EINVAL;
    if (e->form & (SIGNED8 | BYTE | SIGNED))
        take_immediate(&d, e->form);
    if (e->kind == INSN_FORCED_CPUID && !take_forced_cpuid(&d))
        return -EINVAL;
    if (d.overrun || (out->is_locked && !may_be_locked(out->kind)))
        return -EINVAL;
    if (mode != INSN_MODE_64 && (e->form & SPECIAL || insn_writes_memory(out)))
        return -EINVAL;
    out->has_rex = d.rex != 0;
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
    return size >= 8 ? ~0ull : (1ull << (8 * size)) - 1;
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

    if (size >= 4)
        *reg = value & mask;
    else
        *reg = (*reg & ~mask) | (value & mask);
}

/* Whether the register operand is ah, ch, dh or bh. */
static bool is_high_byte(const struct insn *i)
{
    return i->size == 1 && !i->has_rex && i->reg >= 4 && i->reg < 8;
}

/* The source operand of `i`, as many bits of it as the operand has. */
uint64_t insn_operand_read(const struct insn *i, struct regs *r)
{
    uint64_t mask = insn_operand_mask(i->size);

    if (i->has_immediate)
        return i->immediate & mask;
    if (is_high_byte(i))
        return *insn_reg(r, i->reg - 4u) >> 8 & 0xff;
    return *insn_reg(r, i->reg) & mask;
}

/* Stores `value` in the register operand of `i`. */
void insn_operand_write(const struct insn *i, struct regs *r, uint64_t value)
{
    uint64_t *slot = insn_reg(r, is_high_byte(i) ? i->reg - 4u : i->reg);

    if (is_high_byte(i))
        *slot = (*slot & ~0xff00ull) | (value & 0xff) << 8;
    else
        insn_merge(slot, value, i->size);
}

/* A bit number in a register reaches beyond the operand it is based on. */
static int64_t bit_displacement(const struct insn *i, struct regs *r)
{
    unsigned spare = 64 - 8u * i->size;
    int64_t number = (int64_t)(insn_operand_read(i, r) << spare) >> spare;

    return (number >> (i->size == 8 ? 6 : i->size == 4 ? 5 : 4)) * i->size;
}

/*
 * The offset of the memory operand in its segment; that of the destination
 * for MOVS. `r->rip` must still point at the instruction.
 */
uint64_t insn_offset(const struct insn *i, struct regs *r)
{
    uint64_t offset = (uint64_t)(int64_t)i->displacement;

    if (i->kind == INSN_STOS || i->kind == INSN_MOVS || i->kind == INSN_INS)
        offset = r->rdi;
    if (i->kind == INSN_OUTS)
        offset = r->rsi;
    if (i->is_rip_relative)
        offset += r->rip + i->length;
    if (i->base != INSN_NO_REGISTER)
        offset += *insn_reg(r, i->base);
    if (i->index != INSN_NO_REGISTER)
        offset += *insn_reg(r, i->index) << i->scale;
    if (i->kind >= INSN_BTS && i->kind <= INSN_BTC && !i->has_immediate)
        offset += (uint64_t)bit_displacement(i, r);
    return offset & insn_operand_mask(i->address_size);
}

/* Moves the pointers of a string instruction on by one step, and its count. */
void insn_string_advance(const struct insn *i, struct regs *r)
{
    uint64_t step = r->rflags & RFLAGS_DF ? 0 - (uint64_t)i->size : i->size;

    if (i->kind != INSN_OUTS)
        insn_merge(&r->rdi, r->rdi + step, i->address_size);
    if (i->kind == INSN_OUTS || i->kind == INSN_MOVS)
        insn_merge(&r->rsi, r->rsi + step, i->address_size);
    if (i->is_repeated)
        insn_merge(&r->rcx, r->rcx - 1, i->address_size);
}
