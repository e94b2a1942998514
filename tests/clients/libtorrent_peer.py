"""One libtorrent client: TORRENT FOLDER IP:PORT BOOTSTRAP; TORRENT is a file or a magnet link.

It finds others by its tracker alone; or, with the address of a DHT node instead of -, by the DHT.
"""

import sys
import time

import libtorrent

torrent, folder, listen, bootstrap = sys.argv[1:5]
by_dht = bootstrap != "-"
settings = {
    "listen_interfaces": listen,
    "enable_dht": by_dht,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "allow_multiple_connections_per_ip": True,
    "alert_mask": libtorrent.alert.category_t.error_notification
    | libtorrent.alert.category_t.tracker_notification
    | libtorrent.alert.category_t.status_notification,
}
if by_dht:
    # All nodes have one address here, which the DHT takes for an attack elsewhere.
    settings["dht_bootstrap_nodes"] = bootstrap
    settings["dht_restrict_routing_ips"] = False
    settings["dht_restrict_search_ips"] = False
session = libtorrent.session(settings)
if torrent.startswith("magnet:"):
    parameters = libtorrent.parse_magnet_uri(torrent)
    parameters.save_path = folder
else:
    parameters = {"ti": libtorrent.torrent_info(torrent), "save_path": folder}
handle = session.add_torrent(parameters)
rounds = 0
while True:
    for alert in session.pop_alerts():
        print(alert.message(), flush=True)
    rounds += 1
    if by_dht and rounds % 30 == 0:
        handle.force_dht_announce()
    time.sleep(0.1)
