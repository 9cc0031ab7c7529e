# What must be seen on a card that was flashed and provisioned: it boots to a running, healthy service by itself, nothing is
# written but to the data partition, a firmware that stands still is restarted by its watchdog, and its package is upgraded,
# removed and purged. It prints
#   MEASURED text   what was seen, for the report
#   FAILED text     what was not, and the logs
# Times are milliseconds of the board's own clock.

# Others print on the console too: always a line of its own.
say() { printf '\n%s\n' "$*" > /dev/console; }
measured() { say "MEASURED $*"; }
end() { say "BOARD_RC=$1"; systemctl poweroff; exit "$1"; }
fail() {
    say "FAILED $*"
    {
        systemctl --no-pager --failed
        systemctl --no-pager --lines 30 status tadpole
        journalctl --no-pager --boot --priority warning | tail -n 60
    } > /dev/console 2>&1
    end 1
}

now() {
    read -r up _ < /proc/uptime
    now=$((${up%.*} * 1000 + 1${up#*.} * 10 - 1000))
}
wait_for() {
    limit=$1; shift
    now; begun=$now
    until "$@"; do
        now; [ $((now - begun)) -lt "$limit" ] || return 1
        sleep 0.1
    done
    now; took=$((now - begun))
}
seconds() { printf '%d.%02d' $(($1 / 1000)) $(($1 % 1000 / 10)); }

property() { systemctl show tadpole --property "$1" --value; }
healthy() { [ "$(property ActiveState)" = active ] && [ "$(property StatusText)" = "1 camera, ok" ]; }

state=$(systemctl is-system-running --wait)
[ "$state" = running ] || fail "the system is $state"
wait_for 60000 healthy || fail "the service is $(property ActiveState): $(property StatusText)"
now
measured "running, and the service healthy, $(seconds "$now") s after the kernel started"

[ "$(hostname)" = pole-12 ] || fail "the board is called $(hostname)"
touch /written 2>/dev/null && fail "the root can be written to"
grep -q ' /var/lib/tadpole ext4 rw' /proc/mounts || fail "/var/lib/tadpole is not on the data partition"
[ "$(stat -c '%U:%G %a' /etc/tadpole/config)" = "root:tadpole 640" ] || fail "the config is $(stat -c '%U:%G %a' /etc/tadpole/config)"
[ -e /var/lib/tadpole/events.jsonl ] || fail "there is no event journal"
measured "root read-only; config, model and journal on the data partition; named $(hostname)"

pid=$(property MainPID)
gone() { ! kill -0 "$pid" 2>/dev/null; }
again() { [ "$(property MainPID)" != "$pid" ] && healthy; }
kill -STOP "$pid"
# WatchdogSec=20, and a moment.
wait_for 21000 gone || fail "21 s after kill -STOP the firmware has not been ended"
barked=$took
wait_for 60000 again || fail "the service is $(property ActiveState): $(property StatusText)"
[ "$(property NRestarts)" = 1 ] || fail "the service was restarted $(property NRestarts) times"
journalctl --unit tadpole --boot --no-pager | grep -q 'Watchdog timeout' || fail "it was not the watchdog"
measured "kill -STOP: ended by the watchdog after $(seconds $barked) s (WatchdogSec 20), healthy again $(seconds "$took") s later"

. /run/looker/package.sh
end 0
