#!/usr/bin/env python3
"""Checks a package as an expert would who has read src/custody/FORMAT.md and nothing else: Python's standard library and openssl.

usage: outsider.py PACKAGE-FOLDER [--log-key NAME+ID+BASE64] [--signer FINGERPRINT]
Prints one line for each thing that is wrong; exit 0 if nothing is.
"""
import base64, hashlib, json, pathlib, subprocess, sys

wrong = []


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True)


def included(leaf, index, size, proof, root):
    """RFC 9162, 2.1.3.2"""
    if index >= size:
        return False
    at, last, value = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            value = sha(b"\x01", sibling, value)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            value = sha(b"\x01", value, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and value == root


def note_is_signed(note, verifier):
    """C2SP signed-note, by an Ed25519 verifier key"""
    name, key_id, key = verifier.strip().split("+", 2)
    raw = base64.b64decode(key)
    if sha(name.encode() + b"\n", raw)[:4].hex() != key_id or raw[0] != 1:
        return False
    text, lines = note.rsplit("\n\n", 1)
    spki = bytes.fromhex("302a300506032b6570032100") + raw[1:]
    for line in lines.splitlines():
        dash, who, value = line.split(" ")
        value = base64.b64decode(value)
        if dash == "—" and who == name and value[:4].hex() == key_id:
            folder = pathlib.Path(work)
            (folder / "key").write_bytes(spki)
            (folder / "text").write_bytes((text + "\n").encode())
            (folder / "sig").write_bytes(value[4:])
            done = openssl("pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", str(folder / "key"), "-rawin",
                           "-in", str(folder / "text"), "-sigfile", str(folder / "sig"))
            return done.returncode == 0
    return False


def check_bag(bag):
    listed = set()
    for name in ("manifest-sha256.txt", "tagmanifest-sha256.txt"):
        for line in (bag / name).read_text().splitlines():
            digest, path = line.split("  ", 1)
            file = bag / path
            if not file.is_file():
                wrong.append(f"{path}: missing")
            elif hashlib.sha256(file.read_bytes()).hexdigest() != digest:
                wrong.append(f"{path}: altered")
            if name.startswith("manifest"):
                listed.add(path)
    for file in (bag / "data").rglob("*"):
        if file.is_file() and str(file.relative_to(bag)) not in listed:
            wrong.append(f"{file.relative_to(bag)}: added")


def check_log(bag, verifier):
    sealed = {}
    for path in (bag / "data/log").glob("*.tlog-proof"):
        head, note = path.read_text().split("\n\n", 1)
        first, index, *hashes = head.split("\n")
        entry = path.with_suffix(".json").read_bytes()
        origin, size, root = note.split("\n")[:3]
        index = int(index.removeprefix("index "))
        ok = first == "c2sp.org/tlog-proof@v1" and note_is_signed(note, verifier) and verifier.split("+")[0] == origin
        ok = ok and included(sha(b"\x00", entry), index, int(size), [base64.b64decode(h) for h in hashes], base64.b64decode(root))
        if not ok:
            wrong.append(f"{path.name}: does not hold")
        said = json.loads(entry)
        if said["index"] != index:
            wrong.append(f"{path.name}: the entry says another index")
        if said["kind"] == "session_sealed":
            sealed[said["about"]["seal_code"]] = index
    return sealed


def check_session(folder, sealed, signer):
    manifest = (folder / "session.json").read_bytes()
    said = json.loads(manifest)
    if json.dumps(said, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode() != manifest:
        wrong.append("session.json: is not canonical")
    der = openssl("pkey", "-pubin", "-in", str(folder / "signer.pem"), "-outform", "DER").stdout
    fingerprint = hashlib.sha256(der).hexdigest()
    if fingerprint != said["signer"] or (signer and fingerprint != signer):
        wrong.append("signer.pem: another key")
    extra = ["-rawin"] if b"\x06\x03\x2b\x65\x70" in der else ["-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678"]
    done = openssl("pkeyutl", "-verify", "-pubin", "-inkey", str(folder / "signer.pem"), *extra, "-in", str(folder / "session.json"),
                   "-sigfile", str(folder / "session.json.sig"))
    if done.returncode != 0:
        wrong.append("session.json: its signature does not verify")
    if hashlib.sha256(manifest).hexdigest() not in sealed:
        wrong.append("session.json: its seal is not in the log")
    names, before = set(), {}
    for segment in said["segments"]:
        file = folder / segment["file"]
        names.add(segment["file"])
        if not file.is_file():
            wrong.append(f"{file.name}: missing")
            continue
        data = file.read_bytes()
        if len(data) != segment["bytes"] or hashlib.sha256(data).hexdigest() != segment["sha256"]:
            wrong.append(f"{file.name}: altered")
        if "sm3" in segment and openssl("dgst", "-sm3", "-r", str(file)).stdout.split()[0].decode() != segment["sm3"]:
            wrong.append(f"{file.name}: its SM3 differs")
        # What the file says of itself: a uuid box behind moov, before the first moof.
        at = 0
        while data[at + 4:at + 8] not in (b"moof", b"mdat", b""):
            length = int.from_bytes(data[at:at + 4], "big")
            if data[at + 4:at + 8] == b"uuid" and data[at + 8:at + 24].hex() == "7f0d3a526b1e4c589a415e1a7c2d9b60":
                own = json.loads(data[at + 24:at + length])
                if (own["session"], own["camera"], own["sequence"]) != (said["session"], segment["camera"], segment["sequence"]):
                    wrong.append(f"{file.name}: says that it is another file")
                if own["previous"] is not None and own["previous"] != before.get(segment["camera"]):
                    wrong.append(f"{file.name}: does not follow the file before it")
            at += length
        before[segment["camera"]] = segment["sha256"]
    for seal in said.get("interim", []):
        file = folder / f"interim-{seal['number']}.json"
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != seal["code"]:
            wrong.append(f"{file.name}: is not what was sealed")
    for file in folder.glob("*.mp4"):
        if file.name not in names:
            wrong.append(f"{file.name}: added")


bag = pathlib.Path(sys.argv[1])
options = dict(zip(sys.argv[2::2], sys.argv[3::2]))
import tempfile
with tempfile.TemporaryDirectory() as work:
    try:
        check_bag(bag)
        sealed = check_log(bag, options.get("--log-key") or (bag / "data/log/log-key.txt").read_text())
        sessions = [f.parent for f in (bag / "data/sessions").glob("*/session.json")]
        if not sessions:
            wrong.append("no session")
        for folder in sessions:
            check_session(folder, sealed, options.get("--signer"))
    except (OSError, ValueError, KeyError) as error:
        wrong.append(f"cannot be read: {error!r}")
for line in wrong:
    print(line)
sys.exit(1 if wrong else 0)
