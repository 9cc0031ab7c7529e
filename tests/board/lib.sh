# What the scenarios share. They are read by busybox's shell on an emulated board, and print
#   MEASURED text   what was seen, for the report
#   FAILED text     what was not, and the logs
# Times are milliseconds of the board's own clock.

journal=/tmp/events.jsonl
log=/tmp/log
# The key that signs the shipped demo bundle and those made for tests.
key=b2f859ce8a949a8e946996737c5ed64186d9bb53312bc49410cbd98e2f6f8991

fail() {
    echo "FAILED $*"
    echo "--- the firmware's log"; tail -n 30 $log
    echo "--- its journal"; tail -n 10 $journal
    exit 1
}

measured() { echo "MEASURED $*"; }

# load MODULE ARGUMENTS...: with all that it needs, which take no arguments.
load() {
    name=$1; shift
    for module in $(cat "/modules/$name.order"); do
        if [ "$module" = "$name" ]; then arguments=$*; else arguments=; fi
        # shellcheck disable=SC2086 # Arguments are words.
        insmod "/modules/$module.ko" $arguments 2>/tmp/insmod || grep -q "File exists" /tmp/insmod || cat /tmp/insmod
    done
}

# now: the time, in $now. The kernel gives hundredths.
now() {
    read -r up _ < /proc/uptime
    now=$((${up%.*} * 1000 + 1${up#*.} * 10 - 1000))
}

# wait_for MS COMMAND...: until the command succeeds; $took is how long that was. Fails after MS.
wait_for() {
    limit=$1; shift
    now; begun=$now
    until "$@"; do
        now; [ $((now - begun)) -lt "$limit" ] || return 1
        usleep 20000
    done
    now; took=$((now - begun))
}

# seconds MS: as people read them.
seconds() { printf '%d.%02d' $(($1 / 1000)) $(($1 % 1000 / 10)); }

# A camera at /dev/video0 that can be made to fail.
camera() {
    # One that takes pictures, and nothing else.
    load vivid n_devs=1 node_types=0x1
    wait_for 5000 [ -c /dev/video0 ] || fail "the test camera did not appear"
}
turn() { v4l2-ctl -d /dev/video0 -c "$1"; }
unplug() { echo vivid.0 > /sys/bus/platform/drivers/vivid/unbind; }
plug() { echo vivid.0 > /sys/bus/platform/drivers/vivid/bind; }

# Simulated lines: 3 is the relay's, 4 the heartbeat's, 5 the button's.
lines() {
    load gpio-sim
    mount -t configfs config /sys/kernel/config
    chip=/sys/kernel/config/gpio-sim/pole
    mkdir -p $chip/bank0/line3 $chip/bank0/line4 $chip/bank0/line5
    echo 8 > $chip/bank0/num_lines
    echo pole > $chip/bank0/label
    echo RELAY > $chip/bank0/line3/name
    echo BEAT > $chip/bank0/line4/name
    echo BUTTON > $chip/bank0/line5/name
    echo 1 > $chip/live
    wires=/sys/devices/platform/$(cat $chip/dev_name)/$(cat $chip/bank0/chip_name)
    [ -f "$wires/sim_gpio3/value" ] || fail "the simulated lines did not appear"
}

# is LEVEL LINE: what the wire shows, whoever drives it.
is() {
    read -r level < "$wires/sim_gpio$2/value"
    [ "$level" = "$1" ]
}

gpio='kind = "cdev"
chip = "pole"
line = "RELAY"
heartbeat = "BEAT"
button = "BUTTON"'

# start THRESHOLD SOURCE...: the firmware, watching one camera for each source. Its process is $pid.
start() {
    threshold=$1; shift
    n=0
    : > /tmp/config.toml
    for source in "$@"; do
        printf '[[camera]]\nname = "camera-%s"\nsource = "%s"\n' $n "$source" >> /tmp/config.toml
        n=$((n + 1))
    done
    cat >> /tmp/config.toml <<CONFIG
[model]
bundle = "/board/model.tadpole"
trusted_keys = ["$key"]
engine = "tract"
[alarm]
threshold = $threshold
min_length_s = 0
cool_down_s = 0
[output.gpio]
$gpio
[output.journal]
path = "$journal"
CONFIG
    : > $journal
    /board/tadpole run --config /tmp/config.toml >> $log 2>&1 &
    pid=$!
}

# gone: the firmware has ended (a process that nobody waits for yet is a zombie).
gone() { ! grep -q '^State:.[^Z]' "/proc/$pid/status" 2>/dev/null; }
alive() { gone && fail "the firmware has ended"; return 0; }

# stop: end the firmware as systemd does; $took is how long that took.
stop() {
    [ -n "$pid" ] || return 0
    alive
    kill -TERM "$pid"
    wait_for 2000 gone || fail "the firmware is still there 2 s after SIGTERM"
    ended=$took
    wait "$pid" || fail "the firmware ended with $? after SIGTERM"
    took=$ended pid=
}

# events PATTERN: how many lines of the journal hold it.
events() { grep -c "$1" $journal; }
# more THAN PATTERN: more than before.
more() { [ "$(events "$2")" -gt "$1" ]; }
ok='"camera":"camera-0","state":"ok"'
degraded='"camera":"camera-0","state":"degraded"'

# lost MS: health turns degraded within MS after $before_degraded was counted; returned MS: it is ok again.
count() { before_ok=$(events "$ok"); before_degraded=$(events "$degraded"); }
lost() { wait_for "$1" more "$before_degraded" "$degraded" || { alive; fail "health is not degraded after $1 ms: $what"; }; }
returned() { wait_for "$1" more "$before_ok" "$ok" || { alive; fail "health is not ok $1 ms after the return: $what"; }; }

# kilobytes of memory, and open descriptors, of the firmware.
resident() { sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$pid/status"; }
descriptors() { set -- /proc/"$pid"/fd/*; echo $#; }
