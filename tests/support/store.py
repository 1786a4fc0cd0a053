"""A store as a release leaves it, for tests/upgrade.rs: a small day driven over the HTTP interface of that release's own `shilu`.

    python3 tests/support/store.py SHILU target/debug/examples/cameras tests/golden/store-NNNN.tar.xz

NNNN is the number of schema steps of that release. Each release keeps one (deploy/RELEASE.md); one that lies there is never made anew.
Passwords and keys in it are those of nobody.
"""
import http.cookiejar, json, pathlib, re, socket, subprocess, sys, tempfile, time, urllib.error, urllib.request

shilu, cameras, to = [str(pathlib.Path(p).resolve()) for p in sys.argv[1:4]]
place = pathlib.Path(tempfile.mkdtemp())


def free():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


port, rtsp = free(), free()
url = f"http://127.0.0.1:{port}"
config = place / "shilu.toml"
config.write_text(f"""bureau = "试用局"
[storage]
data = "{place}/data"
reserve_gb = 1
[recording]
segment_s = 10
[console]
listen = "127.0.0.1:{port}"
[[units]]
id = "land-use"
name = "用途管制股"
[[units]]
id = "mines"
name = "矿产资源股"
[[rooms]]
id = "room-1"
name = "第一询问室"
unit = "land-use"
[[rooms.cameras]]
id = "face"
name = "面部"
device_no = "XW-101"
url = "rtsp://127.0.0.1:{rtsp}/face"
[[rooms.cameras]]
id = "overview"
name = "全景"
device_no = "XW-102"
url = "rtsp://127.0.0.1:{rtsp}/overview"
""")
roles = dict(officer="王建国", custodian="赵敏", office="孙丽", leader_in_charge="周卫东", bureau_head="郑国强", legal_unit="冯静",
             reviewer="陈晓燕", inspector="褚明", administrator="卫东升", live_viewer="蒋涛")
people = {}
for role, name in roles.items():
    add = [shilu, "user", "add", "--username", role, "--name", name, "--role", role, "--unit", "land-use", "--config", str(config)]
    lasting = subprocess.run([shilu, "user", "add", "--help"], capture_output=True, text=True).stdout
    add += ["--lasting"] if "--lasting" in lasting else []
    said = subprocess.run(add, capture_output=True, text=True, check=True).stdout
    people[role] = re.search(r"password (\S+)", said).group(1)


class Person:
    def __init__(self, role):
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        self.csrf = ""
        self.csrf = self.does("/api/v1/login", username=role, password=people[role])["csrf"]

    def asks(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url + path, data, {"Content-Type": "application/json", "X-Csrf-Token": self.csrf})
        try:
            said = self.opener.open(request).read()
        except urllib.error.HTTPError as no:
            raise SystemExit(f"{path}: {no.code} {no.read().decode()}")
        return json.loads(said) if said else None

    def does(self, path, **body):
        return self.asks(path, body)


playing = subprocess.Popen([cameras, "--port", str(rtsp), "--camera", "face,size=160x120,fps=5,kbps=40,overlay=none,pattern=ball",
                            "--camera", "overview,size=160x120,fps=5,kbps=40,overlay=none,pattern=smpte,audio=none"], stdout=subprocess.DEVNULL)
recorder = subprocess.Popen([shilu, "serve", "--config", str(config)], stderr=open(place / "log", "w"))
try:
    for _ in range(200):
        try:
            urllib.request.urlopen(url + "/login")
            break
        except OSError:
            time.sleep(0.2)
    officer, leader, reviewer, legal = map(Person, ["officer", "leader_in_charge", "reviewer", "legal_unit"])

    def waits(until):
        for _ in range(300):
            room = officer.asks("/api/v1/status")["rooms"][0]
            if all(map(until, room["cameras"])):
                return
            time.sleep(0.2)
        raise SystemExit(f"never: {room}")

    def records(**facts):
        waits(lambda c: c["connected"])
        both = [dict(name="王建国", certificate_no="冀E-017"), dict(name="李红", certificate_no="冀E-022")]
        session = officer.does("/api/v1/sessions", room="room-1", officers=both, **facts)["session"]["id"]
        officer.does(f"/api/v1/sessions/{session}/marks", kind="notice_given", text="口头告知")
        waits(lambda c: (c["durable_bytes"] or 0) > 16000)
        officer.does(f"/api/v1/sessions/{session}/end")
        time.sleep(1.2)  # the number of a session has its second
        return session

    case = officer.does("/api/v1/cases", origin="own_initiative", kind="penalty", procedure="ordinary", cause="未经批准占用土地", parties=["张三"])["id"]
    intake = officer.asks(f"/api/v1/cases/{case}")["case"]["intake_no"]
    linked = records(case_no=intake, party="张三", cause="未经批准占用土地")
    held = records(party="李四", cause="越界采矿")
    asked = records(party="王五", cause="听取陈述申辩", kind="hearing_the_party")
    grant = reviewer.does("/api/v1/access-requests", session=linked, purpose="案件复核", mode="view", hours=24)["id"]
    leader.does(f"/api/v1/access-requests/{grant}/approve")
    viewing = reviewer.does(f"/api/v1/sessions/{linked}/viewings")["id"]
    reviewer.does(f"/api/v1/viewings/{viewing}/seen", seconds=2)
    pending = reviewer.does("/api/v1/access-requests", session=asked, purpose="案件复核", mode="view", hours=24)["id"]
    day = time.strftime("%Y-%m-%d")
    later = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 60 * 86400))
    provision = legal.does("/api/v1/provisions", letter_no="（2026）冀0533行初1号", receiving_body="威县人民法院", kind="litigation", received=day, sessions=[held])["id"]
    officer.does("/api/v1/plans", room="room-1", at=time.strftime("%Y-%m-%dT01:00:00Z", time.gmtime(time.time() + 30 * 86400)), kind="service", party="赵六")
    leader.asks("/api/v1/deputies", {"deputy": "custodian", "from": day, "until": later, "basis": "威自然资授〔2026〕3号"})
    token = Person("administrator").does("/api/v1/tokens", username="office", name="监控大屏", scopes=["see_status"], days=365)["token"]
    screen = Person("office").does("/api/v1/screens", room="room-1", name="第一询问室")["path"]
finally:
    recorder.terminate()
    recorder.wait()
    playing.terminate()
known = dict(at=time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()), people=people, case=case, linked=linked, held=held, asked=asked, grant=grant,
             pending=pending, provision=provision, token=token, screen=screen)
(place / "store.json").write_text(json.dumps(known, ensure_ascii=False, indent=1))
(place / "data/lock").unlink()
subprocess.run(["tar", "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "-cJf", to, "-C", str(place), "data", "store.json"], check=True)
