/* ELF files made by hand: what the loader runs, what it hands over, what it refuses. */
#include "harness.h"
#include "fixtures.h"

#include <elf.h>
#include <sys/auxv.h>

enum { BASE = 0x400000 };

struct image {
	Elf64_Ehdr header;
	Elf64_Phdr segments[2];
	unsigned char code[64];
};

/* mov $42,%edi; mov $60,%eax; syscall */
static const unsigned char exit_with_42[] = { 0xbf, 42, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05 };

/* A static program of one segment that runs this code. */
static struct image image_of(const unsigned char *code, size_t length)
{
	struct image image = {
		.header = {
			.e_ident = ELFMAG "\2\1\1",
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_version = EV_CURRENT,
			.e_entry = BASE + offsetof(struct image, code),
			.e_phoff = offsetof(struct image, segments),
			.e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 1,
		},
		.segments = { {
			.p_type = PT_LOAD,
			.p_flags = PF_R | PF_X,
			.p_vaddr = BASE,
			.p_filesz = sizeof(struct image),
			.p_memsz = sizeof(struct image),
			.p_align = PAGE,
		} },
	};

	memcpy(image.code, code, length);
	return image;
}

/* Writes the image's first length bytes and runs them; returns the wait status, or -1 and execve's errno. */
static int run(const struct image *image, size_t length)
{
	char *arguments[] = { "image", "second", NULL }, *environment[] = { NULL };
	volatile int *failure = map_pages(1, MAP_SHARED);
	int status, fd = CHECK_OK(open("image", O_WRONLY | O_CREAT | O_TRUNC, 0755));
	pid_t child;

	CHECK_EQ(write(fd, image, length), length);
	CHECK_OK(close(fd));
	child = fork_child();
	if (child == 0) {
		syscall(SYS_execve, "./image", arguments, environment);
		*failure = errno;
		_exit(126);
	}
	status = wait_status(child);
	errno = *failure;
	return errno ? -1 : status;
}

CASE(static_program_runs, "elf(5)")
{
	struct image image = image_of(exit_with_42, sizeof(exit_with_42));

	CHECK_EQ(WEXITSTATUS(run(&image, sizeof(image))), 42);
}

CASE(static_position_independent_program_runs, "elf(5)")
{
	struct image image = image_of(exit_with_42, sizeof(exit_with_42));

	image.header.e_type = ET_DYN;
	image.header.e_entry -= BASE;
	image.segments[0].p_vaddr = 0;
	CHECK_EQ(WEXITSTATUS(run(&image, sizeof(image))), 42);
}

CASE(stack_at_entry_is_16_byte_aligned, "execve(2)")
{
	/* mov %esp,%edi; and $15,%edi; mov $60,%eax; syscall */
	static const unsigned char code[] = { 0x89, 0xe7, 0x83, 0xe7, 15, 0xb8, 60, 0, 0, 0, 0x0f, 0x05 };
	struct image image = image_of(code, sizeof(code));

	CHECK_EQ(run(&image, sizeof(image)), 0);
}

CASE(stack_at_entry_starts_with_the_argument_count, "execve(2)")
{
	/* mov (%rsp),%rdi; mov $60,%eax; syscall */
	static const unsigned char code[] = { 0x48, 0x8b, 0x3c, 0x24, 0xb8, 60, 0, 0, 0, 0x0f, 0x05 };
	struct image image = image_of(code, sizeof(code));

	CHECK_EQ(WEXITSTATUS(run(&image, sizeof(image))), 2);
}

CASE(memory_beyond_the_file_part_of_a_segment_is_zero, "elf(5)")
{
	/* movzbl BASE+0x2800,%edi; mov $60,%eax; syscall */
	static const unsigned char code[] = {
		0x0f, 0xb6, 0x3c, 0x25, 0x00, 0x28, 0x40, 0, 0xb8, 60, 0, 0, 0, 0x0f, 5
	};
	struct image image = image_of(code, sizeof(code));

	image.segments[0].p_flags |= PF_W;
	image.segments[0].p_memsz = 0x3000;
	CHECK_EQ(run(&image, sizeof(image)), 0);
}

CASE(write_to_a_read_only_segment_raises_SIGSEGV, "elf(5)")
{
	/* movb $1,BASE */
	static const unsigned char code[] = { 0xc6, 0x04, 0x25, 0, 0, 0x40, 0, 1 };
	struct image image = image_of(code, sizeof(code));
	int status = run(&image, sizeof(image));

	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

CASE(wrong_machine_or_type_gives_ENOEXEC, "execve(2)")
{
	struct image image = image_of(exit_with_42, sizeof(exit_with_42));

	image.header.e_machine = EM_AARCH64;
	CHECK_ERR(run(&image, sizeof(image)), ENOEXEC);
	image.header.e_machine = EM_X86_64;
	image.header.e_type = ET_REL;
	CHECK_ERR(run(&image, sizeof(image)), ENOEXEC);
}

CASE(wrong_program_header_table_gives_ENOEXEC, "execve(2)")
{
	struct image image = image_of(exit_with_42, sizeof(exit_with_42));

	image.header.e_phnum = 0;
	CHECK_ERR(run(&image, sizeof(image)), ENOEXEC);
	image.header.e_phnum = 1;
	image.header.e_phentsize = 8;
	CHECK_ERR(run(&image, sizeof(image)), ENOEXEC);
}

CASE(truncated_header_gives_ENOEXEC, "execve(2)")
{
	struct image image = image_of(exit_with_42, sizeof(exit_with_42));

	CHECK_ERR(run(&image, 4), ENOEXEC);
	CHECK_ERR(run(&image, 20), ENOEXEC);
}

CASE(missing_ELF_interpreter_gives_ENOENT, "execve(2)")
{
	struct image image = image_of(exit_with_42, sizeof(exit_with_42));
	static const char interpreter[] = "/nowhere/ld.so";

	image.header.e_phnum = 2;
	image.segments[1] = image.segments[0];
	image.segments[0] = (Elf64_Phdr){
		.p_type = PT_INTERP,
		.p_flags = PF_R,
		.p_offset = offsetof(struct image, code) + 32,
		.p_vaddr = BASE + offsetof(struct image, code) + 32,
		.p_filesz = sizeof(interpreter),
		.p_memsz = sizeof(interpreter),
		.p_align = 1,
	};
	memcpy(image.code + 32, interpreter, sizeof(interpreter));
	CHECK_ERR(run(&image, sizeof(image)), ENOENT);
}

CASE(ELF_interpreter_that_is_no_ELF_file_gives_ELIBBAD, "execve(2)")
{
	struct image image = image_of(exit_with_42, sizeof(exit_with_42));
	static const char interpreter[] = "./text";

	put_file("text", "This is not a dynamic linker, but it is long enough to be looked at as one.");
	CHECK_OK(chmod("text", 0755));
	image.header.e_phnum = 2;
	image.segments[1] = image.segments[0];
	image.segments[0] = (Elf64_Phdr){
		.p_type = PT_INTERP,
		.p_offset = offsetof(struct image, code) + 32,
		.p_filesz = sizeof(interpreter),
		.p_memsz = sizeof(interpreter),
	};
	memcpy(image.code + 32, interpreter, sizeof(interpreter));
	CHECK_ERR(run(&image, sizeof(image)), ELIBBAD);
}

CASE(auxiliary_vector_describes_the_process, "getauxval(3)")
{
	CHECK_EQ(getauxval(AT_PAGESZ), PAGE);
	CHECK_EQ(getauxval(AT_CLKTCK), 100);
	CHECK_EQ(getauxval(AT_UID), getuid());
	CHECK_EQ(getauxval(AT_EUID), geteuid());
	CHECK_EQ(getauxval(AT_GID), getgid());
	CHECK_EQ(getauxval(AT_EGID), getegid());
	CHECK_EQ(getauxval(AT_SECURE), 0);
	CHECK_EQ(getauxval(AT_PHENT), sizeof(Elf64_Phdr));
	CHECK_STREQ((const char *)getauxval(AT_PLATFORM), "x86_64");
}

CASE(auxiliary_vector_points_into_the_program, "getauxval(3)")
{
	const Elf64_Phdr *segments = (const Elf64_Phdr *)getauxval(AT_PHDR);
	const char *name = (const char *)getauxval(AT_EXECFN);
	bool interpreter = false;

	for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++)
		interpreter |= segments[i].p_type == PT_INTERP;
	CHECK(interpreter);
	CHECK(getauxval(AT_ENTRY) != 0);
	CHECK(getauxval(AT_BASE) != 0);
	CHECK(strcmp(strrchr(name, '/'), "/elf_exec") == 0);
}

CASE(auxiliary_vector_has_16_random_bytes, "getauxval(3)")
{
	static const unsigned char zeros[16];

	CHECK(getauxval(AT_RANDOM) != 0);
	CHECK(memcmp((const void *)getauxval(AT_RANDOM), zeros, 16) != 0);
}
