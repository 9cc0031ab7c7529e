# What the firmware finds on this board, and a line switched by hand.
camera; lines
/board/tadpole cameras > /tmp/cameras 2>&1 || fail "tadpole cameras: $(cat /tmp/cameras)"
grep -q 'source = "v4l:///dev/video0"' /tmp/cameras || fail "no camera in: $(cat /tmp/cameras)"
grep -q 'YUYV' /tmp/cameras && grep -q '320x180 at' /tmp/cameras || fail "no format in: $(cat /tmp/cameras)"
/board/tadpole gpio > /tmp/gpio 2>&1 || fail "tadpole gpio: $(cat /tmp/gpio)"
grep -q 'pole' /tmp/gpio && grep -q '3  RELAY .*input' /tmp/gpio || fail "no line in: $(cat /tmp/gpio)"
measured "tadpole cameras: $(head -n 1 /tmp/cameras), $(grep -c ' at ' /tmp/cameras) sizes; tadpole gpio: $(grep -c '^ *[0-9]' /tmp/gpio) lines"

/board/tadpole gpio RELAY on --seconds 1 > /tmp/on 2>&1 &
hand=$!
wait_for 1500 is 1 3 || fail "tadpole gpio RELAY on did not raise the line: $(cat /tmp/on)"
/board/tadpole gpio RELAY on --seconds 1 > /tmp/second 2>&1 && fail "two took the same line"
grep -q 'is held by tadpole' /tmp/second || fail "who holds the line is not said: $(cat /tmp/second)"
wait $hand || fail "tadpole gpio RELAY on: $(cat /tmp/on)"
is 0 3 || fail "the line is still high"
measured "tadpole gpio RELAY on: high while it runs, low after; a second one is told who holds the line"
