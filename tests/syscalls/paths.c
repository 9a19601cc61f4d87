/* How a path is walked: lengths, links, dots, trailing slashes (path_resolution(7)). */
#include "harness.h"
#include "fixtures.h"

#include <limits.h>

static char long_path[8192];

/* ".////...name" of exactly this length. */
static const char *path_of_length(size_t length, const char *name)
{
	memset(long_path, '/', length);
	long_path[0] = '.';
	strcpy(long_path + length - strlen(name), name);
	return long_path;
}

CASE(name_of_255_bytes_is_allowed_and_256_gives_ENAMETOOLONG, "path_resolution(7)")
{
	char name[257];

	memset(name, 'n', 256);
	name[256] = '\0';
	CHECK_ERR(open(name, O_CREAT | O_WRONLY, 0600), ENAMETOOLONG);
	CHECK_ERR(mkdir(name, 0700), ENAMETOOLONG);
	CHECK_ERR(access(name, F_OK), ENAMETOOLONG);
	CHECK_ERR(unlink(name), ENAMETOOLONG);
	name[255] = '\0';
	CHECK_OK(open(name, O_CREAT | O_WRONLY, 0600));
	CHECK_OK(unlink(name));
}

CASE(path_of_4095_bytes_is_allowed_and_4096_gives_ENAMETOOLONG, "path_resolution(7)")
{
	put_file("f", "");
	put_file("ff", "");
	CHECK_OK(access(path_of_length(4095, "f"), F_OK));
	CHECK_ERR(access(path_of_length(4096, "ff"), F_OK), ENAMETOOLONG);
	CHECK_ERR(open(path_of_length(5001, "f"), O_RDONLY), ENAMETOOLONG);
	CHECK_ERR(symlink(path_of_length(4097, "f"), "link"), ENAMETOOLONG);
}

CASE(file_as_a_directory_gives_ENOTDIR, "path_resolution(7)")
{
	put_file("file", "");
	CHECK_ERR(access("file/", F_OK), ENOTDIR);
	CHECK_ERR(access("file/.", F_OK), ENOTDIR);
	CHECK_ERR(access("file/..", F_OK), ENOTDIR);
	CHECK_ERR(access("file/x", F_OK), ENOTDIR);
	CHECK_ERR(open("file/", O_RDONLY), ENOTDIR);
	CHECK_ERR(unlink("file/"), ENOTDIR);
	CHECK_ERR(rename("file/", "new"), ENOTDIR);
}

CASE(missing_component_gives_ENOENT, "path_resolution(7)")
{
	CHECK_ERR(access("missing/..", F_OK), ENOENT);
	CHECK_ERR(access("missing/../x", F_OK), ENOENT);
	CHECK_ERR(access("", F_OK), ENOENT);
}

CASE(repeated_slashes_and_dots_are_one, "path_resolution(7)")
{
	CHECK_OK(mkdir("below", 0700));
	put_file("below/file", "");
	CHECK_OK(access("below//file", F_OK));
	CHECK_OK(access(".//./below/././file", F_OK));
	CHECK_OK(access("below/../below/file", F_OK));
	CHECK_OK(access("///dev///null", F_OK));
}

CASE(parent_of_the_root_is_the_root, "path_resolution(7)")
{
	struct stat root, above;

	CHECK_OK(stat("/", &root));
	CHECK_OK(stat("/../..", &above));
	CHECK_EQ(root.st_ino, above.st_ino);
	CHECK_EQ(root.st_dev, above.st_dev);
}

CASE(link_to_itself_gives_ELOOP, "path_resolution(7)")
{
	CHECK_OK(symlink("loop", "loop"));
	CHECK_ERR(open("loop", O_RDONLY), ELOOP);
	CHECK_ERR(access("loop/x", F_OK), ELOOP);
	CHECK_ERR(chdir("loop"), ELOOP);
	CHECK_ERR(truncate("loop", 0), ELOOP);
	CHECK_OK(unlink("loop"));
}

CASE(two_links_to_each_other_give_ELOOP, "path_resolution(7)")
{
	CHECK_OK(symlink("b", "a"));
	CHECK_OK(symlink("a", "b"));
	CHECK_ERR(open("a", O_RDONLY), ELOOP);
}

CASE(chain_of_40_links_is_followed_and_41_gives_ELOOP, "path_resolution(7)")
{
	char name[16], target[16];

	put_file("link0", "end");
	for (int i = 1; i <= 41; i++) {
		snprintf(name, sizeof(name), "link%d", i);
		snprintf(target, sizeof(target), "link%d", i - 1);
		CHECK_OK(symlink(target, name));
	}
	CHECK_STREQ(text_of("link40"), "end");
	CHECK_ERR(open("link41", O_RDONLY), ELOOP);
}

CASE(links_in_the_middle_are_followed, "path_resolution(7)")
{
	CHECK_OK(mkdir("real", 0700));
	CHECK_OK(mkdir("real/deep", 0700));
	put_file("real/file", "found");
	CHECK_OK(symlink("real/deep", "link"));
	CHECK_STREQ(text_of("link/../file"), "found");
	CHECK_ERR(access("link/file", F_OK), ENOENT);
}

CASE(absolute_link_starts_at_the_root, "path_resolution(7)")
{
	CHECK_OK(symlink("/dev", "link"));
	CHECK_OK(access("link/null", F_OK));
}

CASE(trailing_slash_follows_a_link_to_a_directory, "path_resolution(7)")
{
	struct stat status;

	CHECK_OK(mkdir("below", 0700));
	CHECK_OK(symlink("below", "link"));
	CHECK_OK(lstat("link/", &status));
	CHECK(S_ISDIR(status.st_mode));
	CHECK_OK(lstat("link", &status));
	CHECK(S_ISLNK(status.st_mode));
	CHECK_ERR(unlink("link/"), ENOTDIR);
	CHECK_ERR(rmdir("link"), ENOTDIR);
	CHECK_ERR(rmdir("link/"), ENOTDIR);
}

CASE(trailing_slash_is_allowed_when_a_directory_is_made, "path_resolution(7)")
{
	CHECK_OK(mkdir("below/", 0700));
	CHECK_OK(rename("below/", "new/"));
	CHECK_ERR(open("file/", O_CREAT | O_WRONLY, 0600), EISDIR);
	CHECK_ERR(symlink("any", "link/"), ENOENT);
	put_file("file", "");
	CHECK_ERR(link("file", "other/"), ENOENT);
	CHECK_ERR(rename("file", "other/"), ENOTDIR);
	CHECK_OK(rmdir("new/"));
}

CASE(dangling_link_gives_ENOENT_when_followed, "path_resolution(7)")
{
	struct stat status;

	CHECK_OK(symlink("nowhere", "link"));
	CHECK_ERR(stat("link", &status), ENOENT);
	CHECK_OK(lstat("link", &status));
	CHECK_ERR(chmod("link", 0600), ENOENT);
	CHECK_ERR(mkdir("link", 0700), EEXIST);
}

CASE(names_are_bytes_not_text, "path_resolution(7)")
{
	put_file("\xff\xfe \n\t*", "bytes");
	CHECK_STREQ(text_of("\xff\xfe \n\t*"), "bytes");
	CHECK_ERR(access("\xff\xfe", F_OK), ENOENT);
	CHECK_OK(unlink("\xff\xfe \n\t*"));
}

CASE(path_at_the_end_of_a_page_is_read_no_further, "path_resolution(7)")
{
	char *end = pages_before_a_hole(1) + PAGE;

	put_file("f", "");
	memcpy(end - 2, "f", 2);
	CHECK_OK(access(end - 2, F_OK));
	end[-1] = 'f';
	CHECK_ERR(access(end - 2, F_OK), EFAULT);
}
