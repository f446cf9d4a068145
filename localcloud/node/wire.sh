# Give a node a network card, plugged into a switch, then become the node's first process, whose network this is:
#   unshare --net sh wire.sh SWITCH ADDRESS GATEWAY PODS OTHER OTHERS_PODS ALL_PODS PROGRAM [ARGUMENT...]
# The card goes when the last process goes. SWITCH is the file of the namespace with the bridge `switch`.
set -eu
switch=$1 address=$2 gateway=$3 pods=$4 other=$5 others_pods=$6 all_pods=$7
shift 7
# Of a node that was killed: the kernel takes some time to remove a network.
nsenter --net="$switch" ip link delete node 2>/dev/null || true
# The same hardware address each time: others remember it for a while.
hardware=$(IFS=./; set -- $address; printf '0a:58:%02x:%02x:%02x:%02x' "$1" "$2" "$3" "$4")
ip link add eth0 address "$hardware" type veth peer name node netns "$switch"
nsenter --net="$switch" ip link set node master switch up
ip -batch - <<EOF
link set lo up
addr add $address dev eth0
link set eth0 up
route add default via $gateway
route add $other dev eth0
route add $others_pods via $other dev eth0
EOF
iptables --wait -t nat -A POSTROUTING -s "$pods" ! -d "$all_pods" -j MASQUERADE # pods know each other by address
exec "$@"
