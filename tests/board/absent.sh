# One camera of two is absent for three times the watchdog's period: the service manager is told, and has no reason to
# restart anything. Its socket is syslogd's here, which writes down what is said with the second.
camera; lines
syslogd -n -O /tmp/notify -S &
wait_for 3000 [ -S /dev/log ] || fail "nobody listens"
period=4
export NOTIFY_SOCKET=/dev/log WATCHDOG_USEC=${period}000000
start 0.999 'v4l:///dev/video0?size=320x180&rate=25' 'v4l:///dev/video7'
wait_for 30000 grep -q READY=1 /tmp/notify || fail "never ready: $(cat /tmp/notify)"
measured "ready after $(seconds "$took") s with one camera of two absent"
first=$pid
meals=$(grep -c WATCHDOG=1 /tmp/notify)
now; since=$now longest=0 eaten=$now
while [ $((now - since)) -lt $((3 * period * 1000)) ]; do
    usleep 50000; now
    fed=$(grep -c WATCHDOG=1 /tmp/notify)
    if [ "$fed" != "$meals" ]; then
        [ $((now - eaten)) -gt $longest ] && longest=$((now - eaten))
        meals=$fed eaten=$now
    fi
done
[ $((now - eaten)) -gt $longest ] && longest=$((now - eaten))
[ $longest -lt $((period * 1000)) ] || fail "the watchdog was not fed for $longest ms: $(cat /tmp/notify)"
[ "$pid" = "$first" ] && alive
[ "$(grep -c READY=1 /tmp/notify)" = 1 ] || fail "it has started more than once: $(cat /tmp/notify)"
grep -q 'STATUS=1 of 2 cameras degraded; camera-1: ' /tmp/notify || fail "systemctl status would not tell: $(cat /tmp/notify)"
measured "fed at least every $(seconds $longest) s for three times the watchdog's $period s, no restart: $(grep -o 'STATUS=.*' /tmp/notify | tail -n 1)"
