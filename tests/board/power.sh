# A store on a card, whose power is cut from outside: says what a start finds, then changes models for ever, or with $last stops.
cat > /tmp/config.toml <<CONFIG
[[camera]]
name = "camera-0"
source = "sim://?seed=1"
[model]
bundle = "/card/store"
trusted_keys = ["$key"]
engine = "tract"
CONFIG
tadpole() { /board/tadpole "$@" >> $log 2>&1; }
at="--config /tmp/config.toml"

for module in virtio_pci virtio_blk crc32c_generic ext4; do load $module; done
wait_for 5000 [ -b /dev/vda ] || fail "the card did not appear"
mkdir /card
mount -t ext4 /dev/vda /card || fail "the card cannot be mounted"
: > $journal
if ! [ -f /card/begun ]; then
    # shellcheck disable=SC2086 # Arguments are words.
    tadpole model install /board/release-1.tadpole $at && tadpole model activate $at || fail "the first model"
    touch /card/begun; sync
fi

# Every byte of the model is checked against its signature, which is all that a start needs.
tadpole check /tmp/config.toml || fail "no valid model"
# shellcheck disable=SC2086
/board/tadpole model list $at > /tmp/list 2>> $log || fail "the store cannot be read"
short() { sed -n "s/^$1 .*release \([0-9]*\) .*/\1/p" /tmp/list; }
stage() { sed -n 's/^trial .*release [0-9]* *\(.*\), starts.*/\1/p' /tmp/list; }
echo "SOUND current $(short current), previous $(short previous), candidate $(short candidate), trial $(stage)"

n=0
while [ -z "$last" ]; do
    n=$((n + 1))
    # shellcheck disable=SC2086
    {
        tadpole model install "/board/release-$((n % 3 + 1)).tadpole" $at
        tadpole model activate --at-start --allow-downgrade $at
        /board/tadpole run --config /tmp/config.toml >> $log 2>&1 &
        usleep $((n % 4 * 400000))
        kill -9 $! 2>/dev/null
        [ $((n % 2)) = 0 ] && tadpole model rollback $at
    }
done
umount /card
