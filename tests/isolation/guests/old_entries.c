/* The ways into a kernel that are not the 64-bit `syscall`: each is refused, and harms nobody. */
#include "hostile.h"

#include <errno.h>

static long by_int80(long number, long b, long c, long d)
{
	long result = number;

	__asm__ volatile("int $0x80" : "+a"(result) : "b"(b), "c"(c), "d"(d), "S"(0L), "D"(0L) : "memory",
			 "r8", "r9", "r10", "r11");
	return result;
}

/*
 * 32-bit code in the lowest 4 GiB: a far return to its code segment, getpid by int 0x80 or by syscall, a far jump back.
 * The page keeps the stack pointer and the result.
 */
static long from_32_bit_code(int entry)
{
	unsigned char *page = mmap((void *)0x10000000, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	static const unsigned char code[] = {
		0xb8, 20, 0, 0, 0,				/* mov $20, %eax: getpid */
		0xcd, 0x80,					/* int $0x80, or syscall or sysenter */
		0xa3, 0x00, 0x0f, 0x00, 0x10,			/* mov %eax, 0x10000f00 */
		0xea, 0x00, 0x01, 0x00, 0x10, 0x33, 0x00,	/* ljmp $0x33, $0x10000100 */
	};
	static const unsigned char back[] = {
		0x48, 0x8b, 0x24, 0x25, 0x08, 0x0f, 0x00, 0x10, /* mov 0x10000f08, %rsp */
		0xc3,
	};

	if (page == MAP_FAILED)
		return 0;
	memcpy(page, code, sizeof(code));
	memcpy(page + 0x100, back, sizeof(back));
	if (entry)
		memcpy(page + 5, entry == 1 ? "\x0f\x05" : "\x0f\x34", 2);
	__asm__ volatile("sub $128, %%rsp; call 1f; add $128, %%rsp; jmp 2f;"
			 "1: mov %%rsp, 0x10000f08; pushq $0x23; pushq $0x10000000; lretq; 2:"
			 : : : "memory", "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
			 "r13", "r14", "r15", "cc");
	return *(int *)(page + 0xf00);
}

static const char *child_does(long (*what)(int), int argument)
{
	static char text[64];
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(what(argument) == -ENOSYS ? 38 : 1);
	if (waitpid(child, &status, 0) != child)
		return "lost";
	if (WIFSIGNALED(status))
		return "refused";
	snprintf(text, sizeof(text), WEXITSTATUS(status) == 38 ? "refused" : "exited with %d", WEXITSTATUS(status));
	return text;
}

static long sysenter(int unused)
{
	long result = 20;

	(void)unused;
	__asm__ volatile("sysenter" : "+a"(result) : : "memory", "rbp", "rcx", "rdx", "r11");
	return result;
}

/* Of the page at the top of memory the host answers time(2) by itself, or sends SIGSEGV: it is no call of ours. */
static long vsyscall(int unused)
{
	long (*time_there)(long *) = (long (*)(long *))0xffffffffff600400;

	(void)unused;
	return time_there(NULL) > 1600000000 ? -ENOSYS : 0;
}

int main(void)
{
	int refused = 0, numbers = 0;

	for (int number = 0; number < 470; number++, numbers++)
		refused += by_int80(number, 0, 0, 0) == -ENOSYS;
	for (unsigned i = 0; i < COUNT(wild); i++, numbers++)
		refused += by_int80((long)wild[i], (long)wild[i], (long)wild[i], (long)wild[i]) == -ENOSYS;
	printf("int 0x80: %d not refused\n", numbers - refused);

	refused = numbers = 0;
	for (int number = 0; number < 600; number++, numbers += 2) {
		refused += call(0x40000000 | number, 0, 0, 0, 0, 0, 0) == -ENOSYS;
		refused += call(0x40000000 | number, 3, (uint64_t)&numbers, 8, 0, 0, 0) == -ENOSYS;
	}
	printf("x32: %d not refused\n", numbers - refused);

	printf("int 0x80 of 32-bit code: %s\n", child_does(from_32_bit_code, 0));
	printf("syscall of 32-bit code: %s\n", child_does(from_32_bit_code, 1));
	printf("sysenter of 32-bit code: %s\n", child_does(from_32_bit_code, 2));
	printf("sysenter: %s\n", child_does(sysenter, 0));
	printf("vsyscall: %s\n", child_does(vsyscall, 0));
	printf("alive: %d\n", getpid());
	return 0;
}
