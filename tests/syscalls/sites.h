/*
 * Places in code where a system call is made ("sites"), in memory that a case makes, writes and takes away.
 * Included after fixtures.h.
 *
 * A kernel that changes sites after their first use must hide that it does: whatever has been done with the
 * page before, a call gives what the code says that is there now.
 */
#ifndef SITES_H
#define SITES_H

#include <pthread.h>

#define OFTEN 100 /* so many uses, and whoever counts uses has noticed */

/* The two forms that compilers and C libraries write. */
enum form { NUMBER_BEFORE, COMPARE_BEHIND, FORMS };

/* Writes a function there that makes the call and returns its result; returns its length. */
static inline size_t put_site(unsigned char *at, enum form form, int number)
{
	static const unsigned char compare[] = { 0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff }; /* cmp $-4095, %rax */
	unsigned char *start = at;

	if (form == NUMBER_BEFORE) {
		*at++ = 0xb8; /* mov $number, %eax */
		memcpy(at, &number, 4);
		at += 4;
	}
	*at++ = 0x0f; /* syscall */
	*at++ = 0x05;
	if (form == COMPARE_BEHIND) {
		memcpy(at, compare, sizeof(compare));
		at += sizeof(compare);
	}
	*at++ = 0xc3; /* ret */
	return at - start;
}

/* Writes a function that returns a number without a call, as long as a site and over it. */
static inline void put_constant(unsigned char *at, int number)
{
	*at++ = 0xb8;
	memcpy(at, &number, 4);
	at += 4;
	*at++ = 0xc3;
	memset(at, 0x90, 2);
}

/* Enters code with a number in %rax and up to three arguments; what it leaves in %rax. */
static inline long enter(const void *code, long number, long first, long second, long third)
{
	__asm__ volatile("sub $128, %%rsp; call *%%rbx; add $128, %%rsp"
			 : "+a"(number)
			 : "b"(code), "D"(first), "S"(second), "d"(third)
			 : "rcx", "r11", "cc", "memory");
	return number;
}

/* The same often: every result must be the expected one. */
static inline void enter_often(const void *code, long number, long expected)
{
	for (int i = 0; i < OFTEN; i++)
		CHECK_EQ(enter(code, number, 0, 0, 0), expected);
}

/* A page of code that can be written and run. */
static inline unsigned char *code_page(int prot)
{
	return CHECK_OK(mmap(NULL, PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static inline void allow(void *page, int prot)
{
	CHECK_OK(mprotect(page, PAGE, prot));
}

#define RW (PROT_READ | PROT_WRITE)
#define RX (PROT_READ | PROT_EXEC)
#define RWX (RW | PROT_EXEC)

#endif
