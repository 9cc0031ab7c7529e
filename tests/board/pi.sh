# A Raspberry Pi: an alarm raises BCM line 17 through the board's registers. Its level is read from outside.
model=$(tr -d '\0' < /proc/device-tree/model)
camera
gpio='kind = "rppal"
line = 17'
start 0.000001 'v4l:///dev/video0?size=320x180&rate=25'
wait_for 240000 grep -q '"phase":"started"' $journal || fail "the camera raised no alarm"
alive
measured "$model: alarm after $(seconds "$took") s"
# Whoever looks from outside needs a moment.
sleep 3
stop
measured "SIGTERM with the line high: gone after $(seconds "$took") s"
sleep 1
