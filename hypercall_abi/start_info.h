/* SPDX-License-Identifier: MIT */
/*
 * start_info: the page a PV kernel finds the address of in rsi. The builder
 * writes it once; afterwards it is the guest's memory.
 */
#pragma once

#include "hypercall_abi/abi.h"

#define SIF_PRIVILEGED 0x1u       /* may use the machine */
#define SIF_INITDOMAIN 0x2u       /* is dom0 */
#define SIF_MULTIBOOT_MOD 0x4u    /* mod_start: a xen_multiboot_mod_list */
#define SIF_MOD_START_PFN 0x8u    /* mod_start is a pfn, not an address */
#define SIF_VIRT_P2M_4TOOLS 0x10u /* tools read arch_shared_info.p2m_vaddr */
#define SIF_PM_MASK 0xff00u       /* power-management options */

#define MAX_GUEST_CMDLINE 1024

/* Where a domU's console ring is. */
struct start_info_console_domu {
    uint64_t mfn;    /* out: frame of the ring, 0 for none */
    uint32_t evtchn; /* out: its port, 0 for none */
    uint32_t pad;
};
ABI_SIZE(struct start_info_console_domu, 16);
ABI_AT(struct start_info_console_domu, evtchn, 8);
ABI_AT(struct start_info_console_domu, pad, 12);

/* Where dom0 finds a dom0_vga_console_info. */
struct start_info_console_dom0 {
    uint32_t info_off;  /* out: bytes from the start of start_info */
    uint32_t info_size; /* out: bytes, 0 for none */
};
ABI_SIZE(struct start_info_console_dom0, 8);
ABI_AT(struct start_info_console_dom0, info_size, 4);

struct start_info {
    char magic[32];       /* out: "xen-3.0-x86_64", NUL filled */
    uint64_t nr_pages;    /* out: pages the domain has */
    uint64_t shared_info; /* out: machine address, in bytes */
    uint32_t flags;       /* out: SIF_* */
    uint32_t pad0;
    uint64_t store_mfn;    /* out: frame of the store ring; dom0: 0 */
    uint32_t store_evtchn; /* out: its port; dom0: 0 */
    uint32_t pad1;
    union {
        struct start_info_console_domu domU;
        struct start_info_console_dom0 dom0;
    } console;                        /* out: dom0 when SIF_INITDOMAIN is set */
    uint64_t pt_base;                 /* out: virtual address of the L4 table */
    uint64_t nr_pt_frames;            /* out: bootstrap page-table frames */
    uint64_t mfn_list;                /* out: virtual address of the p2m list */
    uint64_t mod_start;               /* out: initrd: address, or pfn by flag */
    uint64_t mod_len;                 /* out: initrd: bytes, 0 for none */
    char cmd_line[MAX_GUEST_CMDLINE]; /* out: NUL-terminated */
    uint64_t first_p2m_pfn; /* out: first page of the p2m list, if it */
    uint64_t nr_p2m_frames; /*      lies outside the initial mapping */
};
ABI_SIZE(struct start_info, 1168);
ABI_AT(struct start_info, nr_pages, 32);
ABI_AT(struct start_info, shared_info, 40);
ABI_AT(struct start_info, flags, 48);
ABI_AT(struct start_info, pad0, 52);
ABI_AT(struct start_info, store_mfn, 56);
ABI_AT(struct start_info, store_evtchn, 64);
ABI_AT(struct start_info, pad1, 68);
ABI_AT(struct start_info, console, 72);
ABI_AT(struct start_info, pt_base, 88);
ABI_AT(struct start_info, nr_pt_frames, 96);
ABI_AT(struct start_info, mfn_list, 104);
ABI_AT(struct start_info, mod_start, 112);
ABI_AT(struct start_info, mod_len, 120);
ABI_AT(struct start_info, cmd_line, 128);
ABI_AT(struct start_info, first_p2m_pfn, 1152);
ABI_AT(struct start_info, nr_p2m_frames, 1160);

/* One module behind mod_start when SIF_MULTIBOOT_MOD is set. */
struct xen_multiboot_mod_list {
    uint32_t mod_start; /* out: physical address of the first byte */
    uint32_t mod_end;   /* out: ... and of the last one */
    uint32_t cmdline;   /* out: physical address, NUL-terminated */
    uint32_t pad;       /* out: 0 */
};
ABI_SIZE(struct xen_multiboot_mod_list, 16);
ABI_AT(struct xen_multiboot_mod_list, mod_end, 4);
ABI_AT(struct xen_multiboot_mod_list, cmdline, 8);
ABI_AT(struct xen_multiboot_mod_list, pad, 12);

#define XEN_VGATYPE_TEXT_MODE_3 0x03
#define XEN_VGATYPE_VESA_LFB 0x23
#define XEN_VGATYPE_EFI_LFB 0x70

/* A VGA text screen; sizes and positions in characters. */
struct dom0_vga_text_mode_3 {
    uint16_t font_height; /* out: pixels */
    uint16_t cursor_x;    /* out: column */
    uint16_t cursor_y;    /* out: row */
    uint16_t rows;        /* out */
    uint16_t columns;     /* out */
};
ABI_SIZE(struct dom0_vga_text_mode_3, 10);
ABI_AT(struct dom0_vga_text_mode_3, cursor_x, 2);
ABI_AT(struct dom0_vga_text_mode_3, cursor_y, 4);
ABI_AT(struct dom0_vga_text_mode_3, rows, 6);
ABI_AT(struct dom0_vga_text_mode_3, columns, 8);

/* A linear framebuffer, from VESA or EFI; colour fields in bits. */
struct dom0_vga_vesa_lfb {
    uint16_t width;          /* out: pixels */
    uint16_t height;         /* out: pixels */
    uint16_t bytes_per_line; /* out */
    uint16_t bits_per_pixel; /* out */
    uint32_t lfb_base;       /* out: physical address, low half */
    uint32_t lfb_size;       /* out: in units of 64 KiB */
    uint8_t red_pos;         /* out: lowest bit of red in a pixel */
    uint8_t red_size;        /* out: number of bits */
    uint8_t green_pos;       /* out */
    uint8_t green_size;      /* out */
    uint8_t blue_pos;        /* out */
    uint8_t blue_size;       /* out */
    uint8_t rsvd_pos;        /* out */
    uint8_t rsvd_size;       /* out */
    uint32_t gbl_caps;       /* out: VBE capabilities */
    uint16_t mode_attrs;     /* out: VBE mode attributes */
    uint16_t pad;
    uint32_t ext_lfb_base; /* out: physical address, high half */
};
ABI_SIZE(struct dom0_vga_vesa_lfb, 36);
ABI_AT(struct dom0_vga_vesa_lfb, height, 2);
ABI_AT(struct dom0_vga_vesa_lfb, bytes_per_line, 4);
ABI_AT(struct dom0_vga_vesa_lfb, bits_per_pixel, 6);
ABI_AT(struct dom0_vga_vesa_lfb, lfb_base, 8);
ABI_AT(struct dom0_vga_vesa_lfb, lfb_size, 12);
ABI_AT(struct dom0_vga_vesa_lfb, red_pos, 16);
ABI_AT(struct dom0_vga_vesa_lfb, red_size, 17);
ABI_AT(struct dom0_vga_vesa_lfb, green_pos, 18);
ABI_AT(struct dom0_vga_vesa_lfb, green_size, 19);
ABI_AT(struct dom0_vga_vesa_lfb, blue_pos, 20);
ABI_AT(struct dom0_vga_vesa_lfb, blue_size, 21);
ABI_AT(struct dom0_vga_vesa_lfb, rsvd_pos, 22);
ABI_AT(struct dom0_vga_vesa_lfb, rsvd_size, 23);
ABI_AT(struct dom0_vga_vesa_lfb, gbl_caps, 24);
ABI_AT(struct dom0_vga_vesa_lfb, mode_attrs, 28);
ABI_AT(struct dom0_vga_vesa_lfb, pad, 30);
ABI_AT(struct dom0_vga_vesa_lfb, ext_lfb_base, 32);

/* dom0's screen, at console.dom0.info_off from the start of start_info. */
struct dom0_vga_console_info {
    uint8_t video_type; /* out: XEN_VGATYPE_* */
    uint8_t pad[3];
    union {
        struct dom0_vga_text_mode_3 text_mode_3;
        struct dom0_vga_vesa_lfb vesa_lfb; /* also for EFI_LFB */
    } u;
};
ABI_SIZE(struct dom0_vga_console_info, 40);
ABI_AT(struct dom0_vga_console_info, pad, 1);
ABI_AT(struct dom0_vga_console_info, u, 4);
