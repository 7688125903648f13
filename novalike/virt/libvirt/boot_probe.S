# A boot sector which proves that a CPU runs ordinary 64-bit code: real mode -> long mode with paging, SSE2, a locked
# cmpxchg16b and twenty million loop turns, then exit code (42 << 1) | 1 through isa-debug-exit at port 0xf4.
# as -o probe.o boot_probe.S && objcopy -O binary -j .text probe.o probe.bin; accelerator.py holds the bytes.
    .code16
start:
    cli
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $0x7c00, %sp
    # page tables at 0x1000 (PML4), 0x2000 (PDPT), 0x3000 (PD, one 2 MiB page)
    mov $0x1000, %edi
    xor %eax, %eax
    mov $0x0c00, %ecx
    cld
    rep stosl
    movl $0x2003, 0x1000
    movl $0x3003, 0x2000
    movl $0x0083, 0x3000
    mov $0x6b0, %eax          # PSE | PAE | PGE | OSFXSR | OSXMMEXCPT
    mov %eax, %cr4
    mov $0x1000, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    rdmsr
    or $0x100, %eax
    wrmsr
    mov $0x80000003, %eax     # PG | PE | MP
    mov %eax, %cr0
    lgdt gdtr - start + 0x7c00
    ljmp $8, $(long - start + 0x7c00)
    .code64
long:
    mov $16, %eax
    mov %eax, %ds
    mov %eax, %ss
    # SSE2
    movd %eax, %xmm0
    paddq %xmm0, %xmm0
    # locked cmpxchg16b on 0x4000 (16 bytes, aligned, zero)
    mov $0x4000, %edi
    movq $0, (%rdi)
    movq $0, 8(%rdi)
    xor %eax, %eax
    xor %edx, %edx
    mov $1, %ebx
    xor %ecx, %ecx
    lock cmpxchg16b (%rdi)
    jnz fail
    mov $20000000, %ecx
turn:
    add %rcx, (%rdi)
    dec %ecx
    jnz turn
    mov $42, %eax
    out %al, $0xf4
fail:
    hlt
    jmp fail
    .balign 8
gdt:
    .quad 0
    .quad 0x00209a0000000000
    .quad 0x0000920000000000
gdtr:
    .word gdtr - gdt - 1
    .long gdt - start + 0x7c00
    .org 510
    .word 0xaa55
