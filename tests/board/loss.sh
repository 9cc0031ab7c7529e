# The camera is lost in every way that a driver can lose it, and comes back.
camera; lines
start 0.000001 'v4l:///dev/video0?size=320x180&rate=25'
wait_for 20000 is 1 3 || fail "the camera did not close the relay"

# Those that end a stream. The driver is well again at once, and it is for the firmware to open it anew.
for what in disconnect inject_fatal_streaming_error; do
    count; turn $what=1
    lost 2000; gone_after=$took
    returned 3000
    measured "$what: degraded after $(seconds "$gone_after") s, ok $(seconds "$took") s later"
    sleep 1
done

what="stall (every buffer dropped)"
count; turn percentage_of_dropped_buffers=100
lost 2000; gone_after=$took
sleep 2; turn percentage_of_dropped_buffers=0
returned 3000
measured "$what: degraded after $(seconds "$gone_after") s, ok $(seconds "$took") s after frames came again"

# Those that a stream outlives: no word of it, or well again.
for what in inject_vidioc_qbuf_error inject_v4l2_buf_flag_error; do
    sleep 1; count; turn $what=1; sleep 3; alive
    [ "$(grep '"camera-0"' $journal | grep '"state"' | tail -n 1 | grep -c "$ok")" = 1 ] || fail "health is degraded: $what"
    measured "$what: survived, $(($(events "$degraded") - before_degraded)) times degraded"
done

. /board/unplug.sh
wait_for 20000 is 1 3 || fail "no alarm after the last return"
unplug; sleep 1
stop
measured "SIGTERM with the camera away: gone after $(seconds "$took") s"
