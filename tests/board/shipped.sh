# The camera, the shipped bundle, a lowered threshold, the relay.
camera; lines
start 1e-30 'v4l:///dev/video0?size=320x180&rate=25'
# It takes eight segments before a score counts, and a segment takes this processor longer than it lasts.
wait_for 40000 is 1 3 || fail "the camera did not close the relay"
alive
measured "the shipped bundle scores the camera; the relay closes after $(seconds "$took") s, $(resident) kB resident"
measured "health on the way: $(grep -o '"state":.*[a-z]"' $journal | tr '\n' ' ')"
stop
is 0 3 || fail "the relay is closed after the end"
measured "SIGTERM with the relay closed: gone after $(seconds "$took") s, the relay open"
