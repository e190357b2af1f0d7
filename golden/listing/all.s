# What `reprobe disasm` has to list as GNU objdump does: every instruction and compressed form, aliases, hints,
# words that are none, addresses of two instructions, data among code, zeros, symbols at one address.
.option norelax
.text
.option norvc
.globl base
.type base,@function
base:
	lui a0,0x80000
	auipc a0,0x1
	jal ra,.+64
	jalr ra,-3(a0)
	beq a0,a1,.+64
	bne a0,a1,.+64
	blt a0,a1,.+64
	bge a0,a1,.-64
	bltu a0,a1,.+64
	bgeu a0,a1,.+64
	lb a0,1(a1)
	lh a0,2(a1)
	lw a0,4(a1)
	ld a0,-8(a1)
	lbu a0,7(a1)
	lhu a0,6(a1)
	lwu a0,0(a1)
	sb a0,3(a1)
	sh a0,6(a1)
	sw a0,4(a1)
	sd a0,-8(a1)
	addi a0,a1,-1
	slti a0,a1,-1
	sltiu a0,a1,-1
	xori a0,a1,-1
	ori a0,a1,-2048
	andi a0,a1,-16
	slli a0,a1,63
	srli a0,a1,63
	srai a0,a1,63
	add a0,a1,a2
	sub a0,a1,a2
	sll a0,a1,a2
	slt a0,a1,a2
	sltu a0,a1,a2
	xor a0,a1,a2
	srl a0,a1,a2
	sra a0,a1,a2
	or a0,a1,a2
	and a0,a1,a2
	addiw a0,a1,1
	slliw a0,a1,31
	srliw a0,a1,4
	sraiw a0,a1,4
	addw a0,a1,a2
	subw a0,a1,a2
	sllw a0,a1,a2
	srlw a0,a1,a2
	sraw a0,a1,a2
	fence
	fence.i
	ecall
	ebreak
	wfi
	csrrw a0,sscratch,a1
	csrrs a0,sscratch,a1
	csrrc a0,sscratch,a1
	csrrwi a0,sscratch,31
	csrrsi a0,sscratch,3
	csrrci a0,sscratch,3
	mul a0,a1,a2
	mulh a0,a1,a2
	mulhsu a0,a1,a2
	mulhu a0,a1,a2
	div a0,a1,a2
	divu a0,a1,a2
	rem a0,a1,a2
	remu a0,a1,a2
	mulw a0,a1,a2
	divw a0,a1,a2
	divuw a0,a1,a2
	remw a0,a1,a2
	remuw a0,a1,a2
	lr.w a0,(a1)
	sc.w a0,a2,(a1)
	amoswap.w a0,a2,(a1)
	amoadd.w a0,a2,(a1)
	amoxor.w a0,a2,(a1)
	amoand.w a0,a2,(a1)
	amoor.w a0,a2,(a1)
	amomin.w a0,a2,(a1)
	amomax.w a0,a2,(a1)
	amominu.w a0,a2,(a1)
	amomaxu.w a0,a2,(a1)
	lr.d a0,(a1)
	sc.d a0,a2,(a1)
	amoswap.d a0,a2,(a1)
	amoadd.d a0,a2,(a1)
	amoxor.d a0,a2,(a1)
	amoand.d a0,a2,(a1)
	amoor.d a0,a2,(a1)
	amomin.d a0,a2,(a1)
	amomax.d a0,a2,(a1)
	amominu.d a0,a2,(a1)
	amomaxu.d a0,a2,(a1)
.size base,.-base
.type alias,@function
alias:
	nop
	li a0,-1
	mv a0,a1
	not a0,a1
	neg a0,a1
	negw a0,a1
	sext.w a0,a1
	zext.b a0,a1
	seqz a0,a1
	snez a0,a1
	sltz a0,a1
	sgtz a0,a1
	beqz a0,.+8
	bnez a0,.+8
	blez a0,.+8
	bgez a0,.+8
	bltz a0,.-8
	bgtz a0,.-8
	j .+8
	jal .+8
	jal t0,.+8
	jr a0
	jr 8(a0)
	jalr a0
	jalr 8(a0)
	jalr t0,a0
	ret
	csrr a0,sstatus
	csrr a0,0x7c0
	csrw sstatus,a0
	csrs sie,a0
	csrc sie,a0
	csrwi sstatus,1
	csrsi sstatus,2
	csrci sstatus,2
	rdcycle a0
	rdtime a0
	rdinstret a0
	unimp
	fence rw,w
	fence.tso
	sret
	mret
	sfence.vma
	lr.d.aq a0,(a1)
	sc.d.rl a0,a2,(a1)
	amoadd.w.aqrl a0,a2,(a1)
.size alias,.-alias
.option rvc
.type compressed,@function
compressed:
	c.addi4spn a0,sp,4
	c.lw a0,4(a1)
	c.ld a0,0(a1)
	c.sw a2,4(a1)
	c.sd a2,0(a1)
	c.nop
	c.addi t0,-1
	c.addiw t0,-1
	c.li t0,-5
	c.addi16sp sp,-64
	c.lui t0,0xfffe0
	c.srli a0,1
	c.srai a0,1
	c.andi a0,-2
	c.sub a0,a1
	c.xor a0,a1
	c.or a0,a1
	c.and a0,a1
	c.subw a0,a1
	c.addw a0,a1
	c.j .+100
	c.beqz a0,.+64
	c.bnez a0,.-64
	c.slli t0,63
	c.lwsp t0,4(sp)
	c.ldsp t0,0(sp)
	c.jr t0
	c.mv t0,t1
	c.ebreak
	c.jalr t0
	c.add t0,t1
	c.swsp t0,4(sp)
	c.sdsp t0,0(sp)
.size compressed,.-compressed
.globl hint
.type hint,@function
hint:
	c.nop 1
	c.li zero,1
	c.lui zero,1
	c.slli64 zero
	c.slli64 t0
	c.srli64 a0
	c.srai64 a0
	c.mv zero,t0
	c.add zero,t0
	c.unimp
	.insn 2, 0x0081
	.insn 2, 0x8000
	.insn 4, 0x00000053
	.insn 4, 0x0ff0180f
	.insn 4, 0x0000000f
.size hint,.-hint

.type addresses,@function
addresses:
	la a0, counter
	lla a1, compressed
	lw a2, counter
	sw a2, counter, t0
	la gp, counter
	lw a3, 4(gp)
	lw a3, 0(zero)
	lw a3, 4(tp)
	lui a4, 0x13
	addiw a4, a4, 4
	lui a5, 0x80000
	addi a6, a5, -1
	addi a6, a5, -1
	call base
	tail alias
	beqz a0, addresses
	.zero 2
.size addresses,.-addresses

# Of one address a function names it rather than anything else, and a global symbol rather than a local one.
.globl other
other:
local:
.type named,@function
named:
	ret
	.zero 1
odd:
	.byte 5
	.2byte 0x1234
	.4byte 0x12345678
	.8byte base
	.zero 40
after:
	nop
	.zero 12
	.word 1
	.zero 3
	.byte 1
	nop
	.zero 8
.size named,.-named

.section .second,"ax"
.globl second
.type second,@function
second:
	j base
	.zero 4
	nop
.size second,.-second

.section .unnamed,"ax"
	nop
	jal second

.data
.globl counter
.type counter,@object
.size counter,8
counter:
	.8byte 7
