/* A mount made with the calls that take descriptors: for `record`, as mount(8) of Debian 12 does not make them yet. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

int main(void)
{
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY };
	int context, made, tree;

	mkdir("/run/made", 0755);
	context = fsopen("tmpfs", FSOPEN_CLOEXEC);
	fsconfig(context, FSCONFIG_SET_STRING, "size", "64k", 0);
	fsconfig(context, FSCONFIG_SET_STRING, "colour", "red", 0);
	fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	made = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID);
	move_mount(made, "", AT_FDCWD, "/run/made", MOVE_MOUNT_F_EMPTY_PATH);
	mkdirat(made, "inside", 0755);
	tree = open_tree(AT_FDCWD, "/run/made", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes);
	move_mount(tree, "", AT_FDCWD, "/run/made/inside", MOVE_MOUNT_F_EMPTY_PATH);
	mkdir("/run/made/inside/more", 0755);
	umount2("/run/made", 0);
	umount2("/run/made", MNT_DETACH);
	rmdir("/run/made");
	return 0;
}
