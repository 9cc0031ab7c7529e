# The camera's node vanishes and returns, $cycles times; memory and descriptors are counted at the 10th (where there are so
# many) and at the last.
what="unplug (driver unbound)"
if [ -z "$pid" ]; then
    camera; lines
    start 0.000001 'v4l:///dev/video0?size=320x180&rate=25'
    wait_for 20000 is 1 3 || fail "the camera did not close the relay"
fi
cycle=0 worst_lost=0 worst_returned=0
while [ $cycle -lt "$cycles" ]; do
    cycle=$((cycle + 1))
    count; unplug
    lost 2000; [ "$took" -gt $worst_lost ] && worst_lost=$took
    usleep $((cycle % 5 * 300000))
    plug
    returned 3000; [ "$took" -gt $worst_returned ] && worst_returned=$took
    if [ $cycle = 10 ]; then kilobytes=$(resident) files=$(descriptors); fi
    [ $((cycle % 10)) = 0 ] && echo "cycle $cycle: $(resident) kB, $(descriptors) descriptors"
done
measured "$cycles cycles of $what: degraded after $(seconds $worst_lost) s, ok $(seconds $worst_returned) s after the return, at worst"
if [ "$cycles" -gt 10 ]; then
    grown=$(($(resident) - kilobytes))
    [ "$(descriptors)" -le "$files" ] || fail "$(descriptors) descriptors, $files at the 10th cycle"
    [ $grown -le "$grown_max" ] || fail "$(resident) kB, $grown kB more than at the 10th cycle"
    measured "from the 10th to the last: $files to $(descriptors) descriptors, $kilobytes to $(resident) kB ($grown_max kB more are allowed)"
fi
