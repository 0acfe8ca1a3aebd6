#!/bin/sh
# The wall around one engine. Runs as root, first process of new mount, pid, ipc, uts and cgroup
# namespaces, and becomes the command that it was given, as the engine's user, in a root of its own
# that holds only what is listed here. No path leads from there to anything else of this machine.
#
# wall.sh FOLDER USER UID GID FIRST_SUBUID FIRST_SUBGID COMMAND…
set -eu
folder=$1 user=$2 uid=$3 gid=$4 subuid=$5 subgid=$6
shift 6
# Only the process outside holds the lock of the user.
exec </dev/null

# Who this is, seen from outside: /proc is still the host's.
read -r line </proc/self/stat
echo "$line" >"$folder/process.new"
mv "$folder/process.new" "$folder/process"

mount --make-rprivate /
root=$folder/root
mount -t tmpfs -o mode=755,size=8m engine "$root"
cd "$root"
mkdir etc dev proc sys tmp run engine old var

# Programs, which everybody may read.
for name in usr bin sbin lib lib32 lib64 libx32; do
  if [ -L "/$name" ]; then
    ln -s "$(readlink "/$name")" "$name"
  elif [ -d "/$name" ]; then
    mkdir "$name"
    mount --bind "/$name" "$name"
    mount -o remount,bind,ro,nodev "$name"
  fi
done
for name in ssl ca-certificates pki alternatives ld.so.conf.d; do
  if [ -d "/etc/$name" ]; then
    mkdir "etc/$name"
    mount --bind "/etc/$name" "etc/$name"
    mount -o remount,bind,ro,nodev,nosuid "etc/$name"
  fi
done
for name in resolv.conf nsswitch.conf ld.so.cache ld.so.conf login.defs localtime services protocols; do
  if [ -f "/etc/$name" ]; then cp -L "/etc/$name" "etc/$name"; fi
done
# Private keys of the host are readable by root only; the engine's user is nobody here.
printf 'root:x:0:0:root:/:/bin/sh\n%s:x:%s:%s::/engine/home:/bin/sh\n' "$user" "$uid" "$gid" >etc/passwd
printf 'root:x:0:\n%s:x:%s:\n' "$user" "$gid" >etc/group
printf '%s:%s:65536\n' "$user" "$subuid" >etc/subuid
printf '%s:%s:65536\n' "$user" "$subgid" >etc/subgid
printf '127.0.0.1 localhost engine\n::1 localhost\n' >etc/hosts
echo engine >/proc/sys/kernel/hostname

mount -t tmpfs -o mode=755,size=1m,nosuid dev dev
mkdir dev/pts dev/shm dev/net dev/mqueue
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/full c 1 7
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
mknod -m 666 dev/tty c 5 0
mknod -m 666 dev/net/tun c 10 200
mknod -m 666 dev/fuse c 10 229
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
mount -t tmpfs -o mode=1777,nosuid,nodev shm dev/shm

# The table of what is mounted outside, read before the new /proc and the new root hide it.
cgroups=$(cat /proc/self/mountinfo)
# hidepid: the processes that hold the outer network (rootlesskit, slirp4netns) are out of sight, so
# that their /proc/…/net does not tell which ports this machine listens at.
mount -t proc -o hidepid=2,nosuid,nodev,noexec proc proc
mount -t sysfs -o nosuid,nodev,noexec sysfs sys
if [ -d sys/fs/cgroup ]; then
  echo "$cgroups" | while read -r _ _ _ _ where _ rest; do
    case $where in /sys/fs/cgroup | /sys/fs/cgroup/*) ;; *) continue ;; esac
    rest=${rest#*- }
    type=${rest%% *}
    options=${rest##* }
    options=${options#r[wo],}
    case $type in
    tmpfs) mount -t tmpfs -o mode=755,size=1m,nosuid,nodev,noexec cgroups ".$where" ;;
    cgroup2) mkdir -p ".$where" && mount -t cgroup2 -o ro,nosuid,nodev,noexec cgroup2 ".$where" ;;
    cgroup) mkdir -p ".$where" && mount -t cgroup -o "ro,nosuid,nodev,noexec,$options" cgroup ".$where" || true ;;
    esac
  done
fi
mount -t tmpfs -o mode=1777,nosuid,nodev tmp tmp
mount -t tmpfs -o mode=755,nosuid,nodev run run
mkdir -p var/lib var/tmp opt
ln -s ../run var/run
# It has the engine's user namespace and the outer network at once. Execute-only makes it a process
# that nobody in the engine may see or trace, whatever rights they have there.
cp "$(command -v slirp4netns)" opt/slirp4netns
chmod 711 opt/slirp4netns

mount --bind "$folder/engine" engine
pivot_root . old
cd /
umount -l old
rmdir old
mount -o remount,ro /
exec setpriv --reuid "$uid" --regid "$gid" --clear-groups "$@"
