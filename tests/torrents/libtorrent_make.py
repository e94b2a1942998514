"""Reads a torrent, and makes one of the same files: TORRENT PATH v1|v2|hybrid.

Prints the info-hashes of both, and a digest of the hashes of pieces that are outside of the info.
"""

import hashlib
import json
import os
import sys

import libtorrent

torrent, path, kind = sys.argv[1:4]
flags = {
    "v1": libtorrent.create_torrent.v1_only,
    "v2": libtorrent.create_torrent.v2_only,
    "hybrid": 0,
}[kind]


def described(content):
    info = libtorrent.torrent_info(content)
    hashes = info.info_hashes()
    layers = content.get(b"piece layers", {})
    digest = hashlib.sha256(b"".join(key + layers[key] for key in sorted(layers)))
    return {
        "v1": str(hashes.v1) if hashes.has_v1() else None,
        "v2": str(hashes.v2) if hashes.has_v2() else None,
        "layers": digest.hexdigest(),
    }


with open(torrent, "rb") as file:
    ours = libtorrent.bdecode(file.read())
names = [path]
if os.path.isdir(path):
    names = [os.path.join(at, name) for at, _, files in os.walk(path) for name in files]
files = libtorrent.file_storage()
for name in sorted(names, key=lambda name: name.split(os.sep)):
    files.add_file(name, os.path.getsize(name))
maker = libtorrent.create_torrent(files, ours[b"info"][b"piece length"], flags)
libtorrent.set_piece_hashes(maker, ".")
theirs = libtorrent.bdecode(libtorrent.bencode(maker.generate()))
print(json.dumps({"read": described(ours), "made": described(theirs)}))
