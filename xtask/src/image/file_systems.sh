# The system's archive -> root.ext4, data.ext4 and the folder boot. Runs as root, or under fakeroot.
#   ARCHIVE FOLDER DEPLOY DATA_SIZE
archive=$1 folder=$2 deploy=$3 data_size=$4
umask 022
root=$folder/root data=$folder/data boot=$folder/boot
mkdir "$root" "$data" "$boot"
# The kernel makes the devices.
tar --extract --numeric-owner --same-permissions --exclude './dev/*' --directory "$root" --file "$archive"

# Ours on top. What belongs to one board alone is not in an image: its id, its keys.
cp -R "$deploy/image/root/." "$root"
mkdir -p "$root/etc/systemd/system.conf.d"
cp "$deploy/systemd/hardware-watchdog.conf" "$root/etc/systemd/system.conf.d/tadpole.conf"
rm -f "$root/etc/machine-id" "$root"/etc/ssh/ssh_host_*
: > "$root/etc/machine-id"
# Else systemd would want to make it, at every boot.
mkdir -p "$root/var/lib/dbus"
ln -sfn /etc/machine-id "$root/var/lib/dbus/machine-id"
ln -sfn ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
mkdir -p "$root/data" "$root/boot/firmware"

# Kernel, what it starts from, and where there is a Pi's firmware, that and the descriptions of the Pis.
cp -L "$root"/boot/vmlinuz-* "$boot/vmlinuz"
cp -L "$root"/boot/initrd.img-* "$boot/initrd.img"
if [ -d "$root/usr/lib/raspi-firmware" ]; then
    cp "$root"/usr/lib/raspi-firmware/* "$root"/usr/lib/linux-image-*/broadcom/bcm*.dtb "$boot"
fi
rm -rf "$root"/boot/firmware/* "$root"/boot/initrd.img-*

# A quarter more than it takes: inodes, a journal, and room for an upgrade of the firmware.
used=$(du --summarize --block-size=1M "$root" | cut -f 1)
mke2fs -q -t ext4 -L tadpole-root -m 0 -d "$root" "$folder/root.ext4" "$((used + used / 4 + 64))M"

mkdir "$data/etc" "$data/lib" "$data/ssh"
chmod 0750 "$data/etc" "$data/lib"
chmod 0700 "$data/ssh"
mv "$folder/facts.json" "$data/image"
chown -R 0:0 "$data"
mke2fs -q -t ext4 -L tadpole-data -m 0 -d "$data" "$folder/data.ext4" "$data_size"
rm -rf "$root" "$data"
