#!/usr/bin/env bash
# A real single-node Ceph with an S3 gateway that honours Object Lock, for tests; about 12 s to start.
# Debian packages: ceph-mon ceph-osd ceph-mgr radosgw ceph-common (--no-install-recommends, about 30 s).
#   ceph-one-node.sh up DIR PORT MON   S3 at http://127.0.0.1:PORT, keys test / testtest; MON: the monitor's port
#   ceph-one-node.sh away DIR          ends the S3 gateway alone
#   ceph-one-node.sh back DIR PORT [CLOCK]   starts it again; CLOCK as faketime writes it (+240d): locks end by the gateway's clock
#   ceph-one-node.sh down DIR          ends exactly the processes that `up` started
# Tried: versioned bucket with Object Lock; a COMPLIANCE-locked version refuses deletion. Seen not to
# work on this release (16.2): conditional put with If-None-Match is ignored, so do not rely on it.
set -euo pipefail
verb=$1 dir=$2 port=${3:-7480} mon=${4:-6789}
export CEPH_CONF=$dir/ceph.conf
# A monitor that has only just begun answers some first questions with "wrong fsid": asked again, it knows.
again() { for _ in $(seq 60); do "$@" >/dev/null 2>"$dir/log/again" && return; sleep 0.3; done; cat "$dir/log/again" >&2; exit 1; }
answers() { for _ in $(seq 300); do curl -s -o /dev/null "http://127.0.0.1:$port" && return; sleep 0.2; done; echo "no gateway" >&2; exit 1; }
if [ "$verb" = away ]; then
  pid=$(cat "$dir/run/client.rgw.pid"); kill "$pid"
  while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
  exit 0
fi
if [ "$verb" = back ]; then
  if [ -n "${4:-}" ]; then
    LD_PRELOAD=/usr/lib/$(uname -m)-linux-gnu/faketime/libfaketimeMT.so.1 FAKETIME=$4 DONT_FAKE_MONOTONIC=1 radosgw -n client.rgw
  else
    radosgw -n client.rgw
  fi
  answers; exit 0
fi
if [ "$verb" = down ]; then
  for f in "$dir"/run/*.pid; do [ -f "$f" ] && kill "$(cat "$f")" || true; done
  exit 0
fi
rm -rf "$dir"; mkdir -p "$dir"/{mon,osd/0,mgr/x,rgw,run,log}
fsid=$(cat /proc/sys/kernel/random/uuid)
cat > "$CEPH_CONF" <<C
[global]
fsid=$fsid
mon_host=v1:127.0.0.1:$mon
mon_initial_members=a
auth_cluster_required=none
auth_service_required=none
auth_client_required=none
osd_pool_default_size=1
osd_pool_default_min_size=1
osd_pool_default_pg_num=1
osd_crush_chooseleaf_type=0
mon_allow_pool_size_one=true
mon_warn_on_pool_no_redundancy=false
run_dir=$dir/run
pid_file=$dir/run/\$name.pid
admin_socket=$dir/run/\$name.asok
log_file=$dir/log/\$name.log
public_addr=127.0.0.1
ms_bind_msgr2=false
[mon]
mon_data=$dir/mon/a
# Megabytes are enough here, however full the volume is.
mon_data_avail_crit=1
mon_data_avail_warn=1
[osd]
osd_data=$dir/osd/0
osd_objectstore=memstore
memstore_device_bytes=1073741824
[mgr]
mgr_data=$dir/mgr/x
[client.rgw]
rgw_frontends=beast endpoint=127.0.0.1:$port
C
monmaptool --create --clobber --fsid "$fsid" --addv a "[v1:127.0.0.1:$mon]" "$dir/monmap" >/dev/null
ceph-mon --mkfs -i a --monmap "$dir/monmap"
ceph-mon -i a
again ceph mon stat
ceph-mgr -i x
osd_uuid=$(cat /proc/sys/kernel/random/uuid)
again ceph osd new "$osd_uuid"
ceph-osd -i 0 --mkfs --osd-uuid "$osd_uuid"
again ceph-osd -i 0
again radosgw -n client.rgw
answers
again radosgw-admin user create --uid=recorder --display-name=recorder --access-key=test --secret-key=testtest
