/* Overlays whose lower directories can be renamed, and the options of overlays. */
#include "overlay.h"

#include <sys/syscall.h>

#define REDIRECT "trusted.overlay.redirect"

/* The attribute that says where a directory's lower part is, "": there is none. */
static const char *redirect(const char *path)
{
	static char value[512];
	ssize_t length = getxattr(path, REDIRECT, value, sizeof(value) - 1);

	if (length < 0)
		CHECK_EQ(errno, ENODATA);
	value[length < 0 ? 0 : length] = 0;
	return value;
}

static void set_redirect_of(const char *path, const char *value)
{
	CHECK_OK(setxattr(path, REDIRECT, value, strlen(value), 0));
}

static void mount_with(const char *options)
{
	char text[256];

	snprintf(text, sizeof(text), LAYERS "%s%s", *options ? "," : "", options);
	CHECK_OK(mount("overlay", "m", "overlay", 0, text));
}

static void remount_with(const char *options)
{
	CHECK_OK(umount("m"));
	mount_with(options);
}

/* The layers, with directories in directories of a lower one. */
static void deep_layers(void)
{
	layers();
	directory("b/dir/sub");
	directory("b/dir/sub/far");
	directory("b/other");
	put("b/dir/sub/3", "three");
	put("b/dir/sub/far/4", "four");
	put("b/other/5", "five");
}

CASE(lower_directories_are_renamed_with_redirect_dir, "filesystems/overlayfs.rst, renaming directories")
{
	PRIVATE_MOUNTS();
	deep_layers();
	mount_with("redirect_dir=on");
	CHECK_OK(rename("m/dir", "m/new"));
	CHECK(!there("m/dir"));
	CHECK(is_whiteout("u/dir"));
	CHECK_STREQ(redirect("u/new"), "dir");
	CHECK_ERR(getxattr("m/new", REDIRECT, NULL, 0), ENODATA);
	CHECK_STREQ(get("m/new/1"), "one");
	CHECK_STREQ(get("m/new/sub/3"), "three");
	CHECK_EQ(count("m/new"), 3);
	CHECK_EQ(count("u/new"), 0);
	put("m/new/2", "changed");
	CHECK_STREQ(get("u/new/2"), "changed");
	remount_with("redirect_dir=on");
	CHECK(!there("m/dir"));
	CHECK_STREQ(get("m/new/1"), "one");
	CHECK_STREQ(get("m/new/2"), "changed");
	CHECK_STREQ(get("m/new/sub/far/4"), "four");
	CHECK_OK(rename("m/new", "m/third"));
	CHECK_STREQ(redirect("u/third"), "dir");
	CHECK(!there("u/new"));
	CHECK_OK(mkdir("m/dir", 0755)); /* another one, over the whiteout */
	CHECK_EQ(count("m/dir"), 0);
	CHECK_STREQ(get("m/third/sub/3"), "three");
}

CASE(directories_moved_elsewhere_keep_a_path_from_the_root, "filesystems/overlayfs.rst, renaming directories")
{
	PRIVATE_MOUNTS();
	deep_layers();
	mount_with("redirect_dir=on");
	CHECK_OK(rename("m/dir", "m/new"));
	CHECK_OK(rename("m/new/sub", "m/new/below"));
	CHECK_STREQ(redirect("u/new/below"), "sub");
	CHECK_OK(rename("m/new/below", "m/other/moved"));
	CHECK_STREQ(redirect("u/other/moved"), "/dir/sub");
	CHECK_OK(rename("m/other/moved/far", "m/far"));
	CHECK_STREQ(redirect("u/far"), "/dir/sub/far");
	CHECK_OK(rename("m/far", "m/farther"));
	CHECK_STREQ(redirect("u/farther"), "/dir/sub/far");
	CHECK_OK(rename("m/new", "m/other/new"));
	CHECK_STREQ(redirect("u/other/new"), "/dir");
	remount_with("redirect_dir=on");
	CHECK_STREQ(get("m/other/moved/3"), "three");
	CHECK_STREQ(get("m/farther/4"), "four");
	CHECK_STREQ(get("m/other/new/1"), "one");
	CHECK_STREQ(get("m/other/new/2"), "two");
	CHECK_STREQ(get("m/other/5"), "five");
	CHECK(!there("m/other/new/sub"));
	CHECK(!there("m/other/moved/far"));
	CHECK_EQ(count("m/other"), 3);
}

CASE(lower_directories_are_exchanged_and_replace_empty_ones, "renameat2(2)")
{
	PRIVATE_MOUNTS();
	deep_layers();
	mount_with("redirect_dir=on");
	CHECK_OK(syscall(SYS_renameat2, AT_FDCWD, "m/dir", AT_FDCWD, "m/other", 2)); /* RENAME_EXCHANGE */
	CHECK_STREQ(get("m/dir/5"), "five");
	CHECK_STREQ(get("m/other/1"), "one");
	CHECK_STREQ(redirect("u/dir"), "other");
	CHECK_STREQ(redirect("u/other"), "dir");
	CHECK_OK(mkdir("m/empty", 0755));
	CHECK_OK(rename("m/other", "m/empty"));
	CHECK_STREQ(get("m/empty/2"), "two");
	CHECK_ERR(rename("m/empty", "m/dir"), ENOTEMPTY);
	remount_with("");
	CHECK_STREQ(get("m/dir/5"), "five");
	CHECK_STREQ(get("m/empty/2"), "two");
	CHECK(!there("m/other"));
}

CASE(redirects_are_followed_unless_that_is_not_wanted, "filesystems/overlayfs.rst, renaming directories")
{
	PRIVATE_MOUNTS();
	deep_layers();
	mount_with("redirect_dir=on");
	CHECK_OK(rename("m/dir", "m/new"));
	remount_with("redirect_dir=follow");
	CHECK_STREQ(get("m/new/1"), "one");
	CHECK_ERR(rename("m/new", "m/newer"), EXDEV);
	remount_with("redirect_dir=nofollow");
	CHECK_ERR(access("m/new", F_OK), EPERM);
	CHECK_ERR(access("m/new/1", F_OK), EPERM);
	CHECK_STREQ(get("m/both"), "of a");
	CHECK_OK(umount("m"));
	/* What was an upper layer can be a lower one. */
	directory("u2");
	directory("w2");
	CHECK_OK(mount("overlay", "m", "overlay", 0, "lowerdir=u:a:b,upperdir=u2,workdir=w2,redirect_dir=on"));
	CHECK_STREQ(get("m/new/1"), "one");
	CHECK(!there("m/dir"));
	CHECK_OK(rename("m/new/sub", "m/sub"));
	CHECK_STREQ(redirect("u2/sub"), "/new/sub");
	CHECK_OK(umount("m"));
	CHECK_OK(mount("overlay", "m", "overlay", 0, "lowerdir=u2:u:a:b"));
	CHECK_STREQ(get("m/sub/3"), "three");
	CHECK_STREQ(get("m/new/2"), "two");
}

CASE(redirects_that_make_no_sense_are_refused, "filesystems/overlayfs.rst, renaming directories")
{
	static const char *const wrong[] = { "a/b", "/", "//dir", "/dir/", "/dir//sub" };

	PRIVATE_MOUNTS();
	deep_layers();
	directory("u/new");
	put("u/new/own", "x");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		set_redirect_of("u/new", wrong[i]);
		mount_with("redirect_dir=on");
		CHECK(access("m/new", F_OK) == -1);
		CHECK(access("m/new/own", F_OK) == -1);
		CHECK_OK(umount("m"));
	}
	set_redirect_of("u/new", "/missing");
	mount_with("redirect_dir=on");
	CHECK_STREQ(get("m/new/own"), "x");
	CHECK_EQ(count("m/new"), 1);
	CHECK_OK(umount("m"));
	set_redirect_of("u/new", "/both"); /* a file */
	mount_with("redirect_dir=on");
	CHECK_EQ(count("m/new"), 1);
	CHECK_OK(umount("m"));
	set_redirect_of("u/new", "/..");
	mount_with("redirect_dir=on");
	CHECK(!there("m/new/a"));
	CHECK_OK(umount("m"));
}

CASE(redirects_that_would_be_too_long_leave_the_work_to_the_program, "rename(2)")
{
	char path[1024] = "b", target[1100];

	PRIVATE_MOUNTS();
	deep_layers();
	for (int i = 0; i < 6; i++) {
		strcat(path, "/");
		memset(path + strlen(path), 'x', 50);
		directory(path);
	}
	mount_with("redirect_dir=on");
	path[0] = 'm';
	snprintf(target, sizeof(target), "m/short");
	CHECK_ERR(rename(path, target), EXDEV);
	strcpy(target, path);
	target[strlen(target) - 1] = 'y';
	CHECK_OK(rename(path, target));
}

CASE(overlay_shows_what_its_options_came_to, "filesystems/overlayfs.rst")
{
	static const struct {
		const char *options, *shown, *alone; /* with an upper layer, and without; NULL: EINVAL */
	} given[] = {
		{ "redirect_dir=on", ",redirect_dir=on", ",redirect_dir=on" },
		{ "redirect_dir=off", "", ",redirect_dir=on" },
		{ "redirect_dir=follow", "", ",redirect_dir=on" },
		{ "redirect_dir=nofollow", ",redirect_dir=nofollow", ",redirect_dir=nofollow" },
		{ "redirect_dir=on,redirect_dir=off", "", ",redirect_dir=on" },
		{ "redirect_dir=maybe", NULL, NULL },
		{ "redirect_dir", NULL, NULL },
		{ "index=off", "", ",redirect_dir=on" },
		{ "metacopy=off", "", ",redirect_dir=on" },
		{ "metacopy=on,redirect_dir=off", NULL, "" },
		{ "metacopy=on,redirect_dir=nofollow", NULL, NULL },
		{ "nfs_export=off", "", ",redirect_dir=on" },
		{ "nfs_export=on,index=off", NULL, "" },
		{ "nfs_export=on,metacopy=on", NULL, "" },
		{ "userxattr,redirect_dir=off", NULL, NULL },
		{ "userxattr,redirect_dir=nofollow", ",redirect_dir=nofollow,uuid=null,userxattr",
		  ",redirect_dir=nofollow,uuid=null,userxattr" },
		{ "userxattr,metacopy=on", NULL, NULL },
		{ "xino=on", "", ",redirect_dir=on" },
		{ "xino=auto", "", ",redirect_dir=on" },
		{ "xino=off", "", ",redirect_dir=on" },
		{ "xino=maybe", NULL, NULL },
		{ "uuid=null", ",uuid=null", ",redirect_dir=on,uuid=null" },
		{ "uuid=off", ",uuid=off", ",redirect_dir=on,uuid=null" },
		{ "uuid=on", ",uuid=on", ",redirect_dir=on,uuid=null" },
		{ "volatile", ",fsync=volatile", ",redirect_dir=on" },
		{ "fsync=volatile", ",fsync=volatile", ",redirect_dir=on" },
		{ "fsync=strict", ",fsync=strict", ",redirect_dir=on,fsync=strict" },
		{ "fsync=auto", "", ",redirect_dir=on" },
		{ "volatile,fsync=auto", "", ",redirect_dir=on" },
		{ "fsync=maybe", NULL, NULL },
		{ "verity=off", "", ",redirect_dir=on" },
		{ "verity=on", ",verity=on", ",redirect_dir=on,verity=on" },
		{ "verity=require", ",verity=require", ",redirect_dir=on,verity=require" },
		{ "override_creds", "", ",redirect_dir=on" },
		{ "override_creds=1", NULL, NULL },
		{ "default_permissions", ",default_permissions", ",default_permissions,redirect_dir=on" },
	};
	char text[256], wanted[256];

	PRIVATE_MOUNTS();
	layers();
	mount_with("");
	if (!strstr(mountinfo("/m"), ",uuid=on"))
		SKIP("a kernel before 6.18");
	remount_with("fsync=strict");
	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
		for (int upper = 0; upper < 2; upper++) {
			const char *layers_of = upper ? LAYERS : "lowerdir=a:b";
			const char *shown = upper ? given[i].shown : given[i].alone;

			CHECK_OK(umount("m"));
			unlink("w/work/incompat/volatile/dirty"); /* which a volatile overlay leaves behind */
			rmdir("w/work/incompat/volatile");
			snprintf(text, sizeof(text), "%s,%s%s", layers_of, given[i].options,
				 strstr(given[i].options, "userxattr,redirect_dir=nof") ? ",uuid=null" : "");
			if (!shown) {
				CHECK_ERR(mount("overlay", "m", "overlay", 0, text), EINVAL);
				CHECK_OK(mount("t", "m", "tmpfs", 0, NULL));
				continue;
			}
			if (mount("overlay", "m", "overlay", 0, text) < 0) FAIL("%s: %s", text, strerror(errno));
			if (!*shown && !upper)
				continue; /* it depends on what the layers can do */
			snprintf(wanted, sizeof(wanted), ",%s%s", layers_of, shown);
			snprintf(text, sizeof(text), "%s", strstr(mountinfo("/m"), ",lowerdir="));
			CHECK_STREQ(text, wanted);
		}
	}
}

CASE(volatile_overlay_is_not_used_again_by_mistake, "filesystems/overlayfs.rst, Volatile mount")
{
	PRIVATE_MOUNTS();
	layers();
	mount_with("volatile");
	CHECK(there("w/work/incompat/volatile/dirty"));
	put("m/both", "changed");
	CHECK_OK(umount("m"));
	CHECK_ERR(mount("overlay", "m", "overlay", 0, LAYERS), EINVAL);
	CHECK_ERR(mount("overlay", "m", "overlay", 0, LAYERS ",volatile"), EINVAL);
	CHECK_OK(unlink("w/work/incompat/volatile/dirty"));
	CHECK_ERR(mount("overlay", "m", "overlay", 0, LAYERS), EINVAL);
	CHECK_OK(rmdir("w/work/incompat/volatile"));
	mount_with("");
	CHECK_STREQ(get("m/both"), "changed");
}

CASE(overlay_takes_options_that_its_layers_may_not_be_able_to_honour, "filesystems/overlayfs.rst")
{
	static const char *const options[] = { "index=on", "nfs_export=on", "metacopy=on" };

	PRIVATE_MOUNTS();
	layers();
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		mount_with(options[i]);
		CHECK_OK(chmod("m/deep", 0600 + i));
		CHECK_STREQ(get("m/deep"), "of b");
		CHECK_OK(umount("m"));
		CHECK_OK(unlink("u/deep"));
	}
}

CASE(upper_layer_keeps_the_number_of_its_first_overlay, "filesystems/overlayfs.rst, UUID and fsid")
{
	char first[17], second[17];

	PRIVATE_MOUNTS();
	layers();
	mount_with("uuid=null");
	CHECK_ERR(getxattr("u", "trusted.overlay.uuid", first, sizeof(first)), ENODATA);
	remount_with("");
	if (!strstr(mountinfo("/m"), ",uuid=on"))
		SKIP("a kernel before 6.6");
	CHECK_EQ(getxattr("u", "trusted.overlay.uuid", first, sizeof(first)), 16);
	remount_with("");
	CHECK(!strstr(mountinfo("/m"), "uuid"));
	CHECK_EQ(getxattr("u", "trusted.overlay.uuid", second, sizeof(second)), 16);
	CHECK_EQ(memcmp(first, second, 16), 0);
	CHECK_ERR(getxattr("m", "trusted.overlay.uuid", first, sizeof(first)), ENODATA);
}
