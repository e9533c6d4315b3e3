/* The model in read-only memory; MODEL is its path, in quotes. */
    .section .rodata.embedded_model, "a"
    .balign 64
    .globl embedded_model, embedded_model_end
embedded_model:
    .incbin MODEL
embedded_model_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits
