# The life of the firmware's Debian package under systemd, on a card: upgraded while the service runs, removed, installed anew,
# purged. Read by looker.sh, whose words it uses. /run/looker/newer.deb is the card's package with a higher version.

package() { dpkg "$@" > /run/looker/dpkg.log 2>&1 || { cat /run/looker/dpkg.log > /dev/console; fail "dpkg $*"; }; }
version() { dpkg-query --show --showformat '${Version} ${db:Status-Status}' tadpole 2>/dev/null; }

mount -o remount,rw / || fail "the root cannot be made writable"
old=$(version)
pid=$(property MainPID)
config=$(sha256sum < /etc/tadpole/config)
package --install /run/looker/newer.deb
[ "$(version)" != "$old" ] || fail "still $old after the upgrade"
wait_for 60000 again || fail "after the upgrade the service is $(property ActiveState): $(property StatusText)"
[ "$(sha256sum < /etc/tadpole/config)" = "$config" ] || fail "the upgrade changed the config"
measured "upgraded from $old to $(version): the new firmware is healthy $(seconds "$took") s after dpkg ended"

package --remove tadpole
[ "$(property ActiveState)" = inactive ] || fail "removed, and the service is $(property ActiveState)"
[ -e /usr/bin/tadpole ] && fail "removed, and /usr/bin/tadpole is there"
[ "$(sha256sum < /etc/tadpole/config)" = "$config" ] || fail "removing took the config"
[ -s /var/lib/tadpole/model.tadpole ] || fail "removing took the model"
[ -e /var/lib/tadpole/events.jsonl ] || fail "removing took the journal"
measured "removed: the service has stopped; config, model and journal are kept"

package --install /run/looker/newer.deb
wait_for 60000 healthy || fail "installed anew, the service is $(property ActiveState): $(property StatusText)"
[ "$(systemctl is-enabled tadpole)" = enabled ] || fail "installed anew, the service is $(systemctl is-enabled tadpole)"
measured "installed anew: enabled, started by the package, healthy after $(seconds "$took") s"

package --purge tadpole
[ "$(property ActiveState)" = inactive ] || fail "purged, and the service is $(property ActiveState)"
left=$(find /etc/tadpole /var/lib/tadpole -mindepth 1 2>/dev/null)
[ -z "$left" ] || fail "purged, and this is left: $left"
[ -z "$(version)" ] || fail "purged, and dpkg knows it as $(version)"
getent passwd tadpole > /dev/null || fail "purging took the user, whose number another could get"
measured "purged: no config, model or journal; the user stays"
