# Alarms close the relay: by the test button, by a simulated road, by the camera with a lowered threshold. The end of the
# firmware opens it.
camera; lines
echo pull-up > "$wires/sim_gpio5/pull"

# No score reaches this one.
start 0.999 'v4l:///dev/video0?size=320x180&rate=25'
what="the test button"
sleep 2; alive
is 0 3 || fail "the relay is closed without an alarm"
echo pull-down > "$wires/sim_gpio5/pull"
wait_for 2000 is 1 3 || fail "the button was pressed, and the relay is open"
measured "the test button closes the relay after $(seconds "$took") s"
echo pull-up > "$wires/sim_gpio5/pull"
wait_for 8000 is 0 3 || fail "the button's alarm does not end"
wait_for 2000 is 1 4 && wait_for 2000 is 0 4 || fail "the heartbeat line does not change"
stop
measured "SIGTERM: gone after $(seconds "$took") s"

start 0.000001 'sim://?seed=1&incident=fire'
wait_for 60000 is 1 3 || fail "a simulated road did not close the relay"
measured "a simulated road with a lowered threshold closes the relay after $(seconds "$took") s"
stop
is 0 3 || fail "the relay is closed after the end"

start 0.000001 'v4l:///dev/video0?size=320x180&rate=25'
wait_for 20000 is 1 3 || fail "the camera did not close the relay"
measured "the camera with a lowered threshold closes the relay after $(seconds "$took") s"
stop
is 0 3 || fail "the relay is closed after the end"
[ "$(grep '"alarm"' $journal | tail -n 1 | grep -c '"ended"')" = 1 ] || fail "the alarm's end is not in the journal"
measured "SIGTERM with the relay closed: gone after $(seconds "$took") s, the relay open, the alarm's end written down"
