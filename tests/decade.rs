//! A simulated decade (第十八条, 第十九条): sessions, closings, holds, liftings, appraisals and disposals by a clock of our own, checked month by
//! month against another telling of the rules that shares nothing with the product: what is due, what can be given up, what is on disk.

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc};
use shilu::catalog::Catalog;
use shilu::cli::serve;
use shilu::custody::keys::{Algorithm, Signer};
use shilu::custody::seal;
use shilu::desks::Desks;
use shilu::desks::cases::NewCase;
use shilu::desks::retention::RetentionSearch;
use shilu::footage::journal::{self, Journal};
use shilu::footage::tree;
use shilu::machine::clock::Clock;
use shilu::model::case::{ActKind, CaseChange, CaseFacts, Origin, Procedure};
use shilu::model::digest;
use shilu::model::disposal::{DisposalState, Outcome};
use shilu::model::facts::Facts;
use shilu::model::handover::{CustodianReceipt, Handover};
use shilu::model::hold::{Ground, HoldChange};
use shilu::model::ids::{AccountId, CaseId, HandoverId, SessionId, UnitId};
use shilu::model::people::{Person, Role};
use shilu::model::session::{Device, Happening, Segment, Session, SessionKind, Stamp, Start, State};
use shilu::model::text_record::RecordKind;
use shilu::model::time::{ClockState, Moment};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// A clock that is moved by hand, on both of its hands.
struct Moved(Mutex<Moment>);

impl Moved {
    fn pass(&self, days: i64) {
        let mut at = self.0.lock().unwrap();
        at.utc += TimeDelta::days(days);
        at.mono_ms += (days * 86_400_000) as u64;
    }
}

impl Clock for Moved {
    fn now(&self) -> Moment {
        *self.0.lock().unwrap()
    }
    fn state(&self) -> ClockState {
        ClockState { synchronised: true, error_us: None, source: "none".into() }
    }
}

/// The same numbers each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
    fn of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        if all.is_empty() { None } else { all.get(self.roll(all.len() as u64) as usize) }
    }
}

/// What the other telling knows of a case.
#[derive(Default)]
struct Told {
    id: Option<CaseId>,
    evidence: bool,
    /// Year of the closing, and years of its class; none: for ever.
    closed: Option<(i32, Option<i32>)>,
    litigation: bool,
    litigation_over: bool,
}

/// And of a session.
struct Kept {
    id: SessionId,
    ended: NaiveDate,
    case_no: Option<String>,
    routine: bool,
    /// Hold by people: proposed, asked to be lifted, lifted.
    hold: Option<&'static str>,
    ground: Ground,
    litigation_lifted: bool,
    until: Option<NaiveDate>,
    gone: bool,
}

fn leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// The last day of six calendar months, counted out.
fn six_months(day: NaiveDate) -> NaiveDate {
    let months = day.year() * 12 + day.month0() as i32 + 6;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
    let length = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month as usize - 1];
    NaiveDate::from_ymd_opt(year, month as u32, day.day().min(length)).unwrap()
}

fn shanghai(at: DateTime<Utc>) -> NaiveDate {
    (at + TimeDelta::hours(8)).date_naive()
}

impl Kept {
    /// The last day on which it has to be there; none: no such day is known.
    fn last_day(&self, cases: &BTreeMap<String, Told>) -> Option<NaiveDate> {
        let floor = six_months(self.ended) + Days::new(14);
        let by_case = match &self.case_no {
            None if self.routine => floor,
            None => return None,
            Some(no) => match &cases[no] {
                told if !told.evidence => floor,
                Told { closed: Some((year, Some(years))), .. } => {
                    floor.max(NaiveDate::from_ymd_opt(year + years, 12, 31).unwrap() + Days::new(14))
                }
                _ => return None,
            },
        };
        Some(self.until.map_or(by_case, |until| by_case.max(until)))
    }

    fn held(&self, cases: &BTreeMap<String, Told>) -> bool {
        let litigation = self.case_no.as_ref().is_some_and(|no| cases[no].litigation) && !self.litigation_lifted;
        litigation || matches!(self.hold, Some("proposed" | "asked"))
    }

    fn due(&self, cases: &BTreeMap<String, Told>, today: NaiveDate) -> bool {
        !self.gone && !self.held(cases) && self.last_day(cases).is_some_and(|last| last < today)
    }
}

/// A bureau without a room in use, whose people are whoever the test says.
struct Site {
    dir: tempfile::TempDir,
    clock: Arc<Moved>,
    desks: Arc<Desks>,
    catalog: Catalog,
    signer: Signer,
    cases: BTreeMap<String, Told>,
    sessions: Vec<Kept>,
    dice: Dice,
}

impl Site {
    fn person(&self, id: &str, role: Role) -> Person {
        let unit = Some(UnitId::new("land-use").unwrap());
        let proved_at = Some(self.clock.now().utc);
        Person { unit, proved_at, ..Person::new(AccountId::new(id).unwrap(), id, id, &[role]) }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A session as a day leaves it behind: recorded, sealed, handed over, received; of a few bytes.
    fn record(&mut self, case_no: Option<String>) {
        let now = self.clock.now();
        let number = self.sessions.len();
        let id = SessionId::new(&format!("room-1-{}-{number}", now.utc.format("%Y%m%d"))).unwrap();
        let camera = shilu::model::ids::CameraId::new("face").unwrap();
        let officer = AccountId::new("wang").unwrap();
        let start = Start {
            id: id.clone(),
            room: shilu::model::ids::RoomId::new("room-1").unwrap(),
            unit: UnitId::new("land-use").unwrap(),
            kind: SessionKind::Interview,
            by: officer.clone(),
            facts: Facts { case_no: case_no.clone(), party: Some("张三".into()), ..Facts::default() },
            devices: vec![Device { camera: camera.clone(), device_no: "XW-101".into(), name: "面部".into(), address: None }],
            plan: None,
            readiness: None,
            screen_key: String::new(),
            rules: "1".into(),
            imported: None,
        };
        let footage = self.data().join("footage");
        let folder = tree::session_folder(&footage, &start, now.utc);
        std::fs::create_dir_all(&folder).unwrap();
        let bytes = format!("picture of {id}").into_bytes();
        std::fs::write(folder.join("face-1.mp4"), &bytes).unwrap();
        let segment = Segment {
            camera,
            sequence: 1,
            file: "face-1.mp4".into(),
            started_at: now.utc,
            offset_ms: 0,
            duration_ms: 1000,
            bytes: bytes.len() as u64,
            fragments: 1,
            sha256: digest::sha256(&bytes),
            codecs: "avc1".into(),
            resolution: "640x360".into(),
            camera_clock_offset_ms: None,
            recovered: false,
            whole_bytes: None,
            from_mirror: None,
            sm3: None,
            signed_video: None,
        };
        let mut journal = Journal::open(&folder).unwrap();
        let stamp = |at_ms| Stamp { at: now.utc + TimeDelta::milliseconds(at_ms), at_ms: at_ms as u64 };
        let mut write = |at_ms, happening: Happening| journal.write(stamp(at_ms), &happening).unwrap();
        write(0, Happening::Started(Box::new(start)));
        write(1000, Happening::SegmentClosed(segment));
        write(1000, Happening::Ended { by: Some(officer.clone()), mistake: None });
        let ended = journal::session(&folder).unwrap().unwrap();
        let sealed = seal::seal(&folder, &ended, &self.signer, now.utc).unwrap();
        write(1001, Happening::Sealed(sealed));
        let (handover, to) = (HandoverId::new("h-1").unwrap(), AccountId::new("li").unwrap());
        write(2000, Happening::HandedOver(Handover { id: handover.clone(), from: officer, to: to.clone(), digests: vec![], at: now.utc }));
        write(3000, Happening::Received(CustodianReceipt { handover, by: to, at: now.utc, bytes: 1 }));
        let session = journal::session(&folder).unwrap().unwrap();
        assert_eq!(session.state, State::Kept);
        self.index(session, folder.strip_prefix(&footage).unwrap());
        let ended = shanghai(now.utc + TimeDelta::seconds(1));
        self.sessions.push(Kept {
            id,
            ended,
            case_no,
            routine: false,
            hold: None,
            ground: Ground::Objection,
            litigation_lifted: false,
            until: None,
            gone: false,
        });
    }

    fn index(&self, session: Session, folder: &Path) {
        let (tell, told) = std::sync::mpsc::channel();
        let folder = folder.display().to_string();
        self.catalog.begin_write(move |t| shilu::catalog::sessions::put(t, &session, &folder), move |r| tell.send(r).unwrap());
        told.recv().unwrap().unwrap();
    }

    async fn open_case(&mut self) {
        let number = format!("案{}", self.cases.len() + 1);
        let evidence = self.dice.roll(3) > 0;
        let (kind, procedure) = match (evidence, self.dice.roll(2)) {
            (true, 0) => (ActKind::Compulsion, None),
            (true, _) => (ActKind::Penalty, Some(Procedure::Ordinary)),
            (false, 0) => (ActKind::License, None),
            (false, _) => (ActKind::Penalty, Some(Procedure::Summary)),
        };
        let facts =
            CaseFacts { number: Some(number.clone()), kind: Some(kind), procedure, cause: Some("案由".into()), ..CaseFacts::default() };
        let officer = self.person("wang", Role::Officer);
        let case = self.desks.open_case(&officer, NewCase { origin: Origin::Application, named: false, facts }).await.unwrap();
        self.desks.change_case(&officer, &case.id, record(RecordKind::Accepted)).await.unwrap();
        self.cases.insert(number, Told { id: Some(case.id), evidence, ..Told::default() });
    }

    /// What the product lists, through all its pages.
    async fn listed(&self, list: &str) -> BTreeSet<SessionId> {
        let custodian = self.person("li", Role::Custodian);
        let mut found = BTreeSet::new();
        for page in 1.. {
            let list = self.desks.retention_list(&custodian, &RetentionSearch { list: Some(list.into()), page: Some(page) }).await.unwrap();
            found.extend(list.rows.into_iter().map(|r| r.session.id));
            if page >= list.pages {
                return found;
            }
        }
        found
    }

    /// One thing that people do.
    async fn act(&mut self) {
        let (officer, custodian) = (self.person("wang", Role::Officer), self.person("li", Role::Custodian));
        let (leader, legal) = (self.person("zhao", Role::LeaderInCharge), self.person("feng", Role::LegalUnit));
        let at = self.dice.roll(self.sessions.len().max(1) as u64) as usize;
        let numbers: Vec<String> = self.cases.keys().cloned().collect();
        match self.dice.roll(10) {
            0 => self.open_case().await,
            1..=3 => {
                let case = if self.dice.roll(4) == 0 { None } else { self.dice.of(&numbers).cloned() };
                self.record(case);
            }
            4 => {
                let Some(number) = self.dice.of(&numbers).cloned() else { return };
                let told = &self.cases[&number];
                if told.closed.is_some() {
                    return;
                }
                let (period, years) =
                    [("years-10", Some(10)), ("years-30", Some(30)), ("permanent", None), ("short", Some(1))][self.dice.roll(4) as usize];
                let on = shanghai(self.clock.now().utc);
                let id = told.id.clone().unwrap();
                self.desks.change_case(&officer, &id, CaseChange::Closed { on, period: period.into() }).await.unwrap();
                self.cases.get_mut(&number).unwrap().closed = Some((on.year(), years));
            }
            5 => {
                let Some(number) = self.dice.of(&numbers).cloned() else { return };
                let told = &self.cases[&number];
                let (id, kind) =
                    (told.id.clone().unwrap(), if told.litigation { RecordKind::ProceedingEnded } else { RecordKind::Litigation });
                if told.litigation_over {
                    return;
                }
                self.desks.change_case(&officer, &id, record(kind)).await.unwrap();
                let told = self.cases.get_mut(&number).unwrap();
                told.litigation_over = told.litigation;
                told.litigation = true;
            }
            6 if !self.sessions.is_empty() && !self.sessions[at].gone => self.say_of_a_hold(at, &officer, &leader, &legal).await,
            7 if !self.sessions.is_empty() && !self.sessions[at].gone => self.lift_a_litigation(at, &leader, &legal).await,
            8 if !self.sessions.is_empty() && !self.sessions[at].gone && self.sessions[at].case_no.is_none() => {
                self.desks.declare_routine(&custodian, &self.sessions[at].id.clone(), "来访咨询").await.unwrap();
                self.sessions[at].routine = true;
            }
            9 if !self.sessions.is_empty() && !self.sessions[at].gone => {
                let until = shanghai(self.clock.now().utc) + Days::new(30 + self.dice.roll(700));
                if self.sessions[at].until.is_none_or(|u| u <= until) {
                    self.desks.extend_retention(&custodian, &self.sessions[at].id.clone(), until, "有参考价值").await.unwrap();
                    self.sessions[at].until = Some(until);
                }
            }
            _ => {}
        }
    }

    async fn say_of_a_hold(&mut self, at: usize, officer: &Person, leader: &Person, legal: &Person) {
        let id = self.sessions[at].id.clone();
        let desks = self.desks.clone();
        let ground = self.sessions[at].ground;
        let say = async |who: &Person, change| desks.say_to_hold(who, &id, ground, "1", change).await;
        match self.sessions[at].hold {
            None => {
                desks.propose_hold(officer, &id, ground, "当事人有异议").await.unwrap();
                self.sessions[at].hold = Some("proposed");
            }
            Some("proposed") => {
                say(legal, HoldChange::LiftProposed { reason: "已办结".into() }).await.unwrap();
                assert!(say(legal, HoldChange::Lifted).await.is_err(), "nobody lifts alone");
                self.sessions[at].hold = Some("asked");
            }
            Some("asked") => {
                say(leader, HoldChange::Lifted).await.unwrap();
                self.sessions[at].hold = Some("lifted");
            }
            Some(_) => assert!(say(leader, HoldChange::Confirmed).await.is_err()),
        }
    }

    async fn lift_a_litigation(&mut self, at: usize, leader: &Person, legal: &Person) {
        let session = &self.sessions[at];
        let Some(told) = session.case_no.as_ref().map(|no| &self.cases[no]).filter(|t| t.litigation && !session.litigation_lifted) else {
            return;
        };
        let (id, over) = (session.id.clone(), told.litigation_over);
        let view = self.desks.retention(legal, &id).await.unwrap();
        let about = view.holds.iter().find(|h| h.hold.ground == Ground::Litigation).unwrap().hold.about.clone();
        let say = async |who: &Person, change| self.desks.say_to_hold(who, &id, Ground::Litigation, &about, change).await;
        let asked = say(legal, HoldChange::LiftProposed { reason: "判决已生效".into() }).await;
        assert_eq!(asked.is_ok(), over, "{asked:?}");
        if over {
            say(leader, HoldChange::Lifted).await.unwrap();
            self.sessions[at].litigation_lifted = true;
        }
    }

    /// Gives up some of what is due; and tries with something that is not.
    async fn dispose(&mut self, due: &BTreeSet<SessionId>) {
        let (custodian, leader) = (self.person("li", Role::Custodian), self.person("zhao", Role::LeaderInCharge));
        let today = shanghai(self.clock.now().utc);
        let young = self.sessions.iter().find(|s| !s.gone && !s.due(&self.cases, today)).map(|s| s.id.clone());
        if let Some(young) = young {
            let refused = self.desks.propose_disposal(&custodian, std::slice::from_ref(&young), "清理").await;
            assert!(refused.is_err(), "{young} was proposed");
        }
        let chosen: Vec<SessionId> = due.iter().filter(|_| self.dice.roll(3) == 0).cloned().collect();
        if chosen.is_empty() {
            return;
        }
        let proposed = self.desks.propose_disposal(&custodian, &chosen, "期限已满").await.unwrap();
        // A hold that comes between proposal and agreement keeps what it holds.
        let late = (self.dice.roll(2) == 0).then(|| chosen[0].clone());
        if let Some(late) = &late {
            self.desks.propose_hold(&self.person("wang", Role::Officer), late, Ground::Important, "领导交办").await.unwrap();
            let held = self.sessions.iter_mut().find(|s| s.id == *late).unwrap();
            (held.hold, held.ground) = (Some("proposed"), Ground::Important);
        }
        assert!(self.desks.decide_disposal(&self.person("li", Role::LeaderInCharge), &proposed.id, true, None).await.is_err());
        self.desks.decide_disposal(&leader, &proposed.id, true, None).await.unwrap();
        self.desks.carry_out_disposals().await.unwrap();
        let done = self.desks.disposal(&custodian, &proposed.id).await.unwrap();
        assert_eq!(done.disposal.state, DisposalState::Executed);
        assert!(done.certificate_sha256.is_some());
        for item in &done.disposal.items {
            let gone = matches!(item.outcome, Some(Outcome::Gone { .. }));
            assert_eq!(gone, Some(&item.session) != late.as_ref(), "{}", item.session);
            self.sessions.iter_mut().find(|s| s.id == item.session).unwrap().gone = gone;
        }
    }

    /// What lies in the tree is what was recorded less what was given up: every file, bit for bit.
    fn check_disk(&self) {
        let footage = self.data().join("footage");
        let there: BTreeMap<SessionId, PathBuf> = tree::sessions(&footage).unwrap().into_iter().collect();
        let gone: BTreeMap<SessionId, PathBuf> = tree::disposed(&footage).unwrap().into_iter().collect();
        for s in &self.sessions {
            assert_eq!(there.contains_key(&s.id), !s.gone, "{}", s.id);
            if let Some(folder) = there.get(&s.id) {
                assert_eq!(std::fs::read(folder.join("face-1.mp4")).unwrap(), format!("picture of {}", s.id).into_bytes());
            } else {
                let stays = std::fs::read_to_string(gone[&s.id].join("disposed.json")).unwrap();
                assert!(!stays.contains("张三"), "{stays}");
                assert_eq!(std::fs::read_dir(&gone[&s.id]).unwrap().count(), 3, "tombstone, signature, key");
            }
        }
    }
}

fn record(kind: RecordKind) -> CaseChange {
    let fields = kind.fields().iter().filter(|f| f.needed).map(|f| (f.name.to_owned(), "某".to_owned())).collect();
    CaseChange::Record { kind, fields, stated_at: DateTime::UNIX_EPOCH, corrects: None }
}

async fn open(start: &str) -> (Site, serve::Running) {
    let clock = Arc::new(Moved(Mutex::new(Moment { utc: start.parse().unwrap(), mono_ms: 0 })));
    open_in(tempfile::tempdir().unwrap(), clock).await
}

async fn open_in(dir: tempfile::TempDir, clock: Arc<Moved>) -> (Site, serve::Running) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let data = dir.path().join("data");
    // The built-in table has no class of a single year: one in which something ends within the decade.
    let table = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/retention.toml")).unwrap();
    std::fs::write(dir.path().join("retention.toml"), table + "\n[[version.class]]\nid = \"short\"\nname = \"1年\"\nyears = 1\n").unwrap();
    let config = format!(
        "bureau = \"试用局\"\n[storage]\ndata = \"{0}\"\n[retention]\ntable = \"{1}\"\n[console]\nlisten = \"127.0.0.1:0\"\n\
         [[units]]\nid = \"land-use\"\nname = \"用途管制股\"\n[[rooms]]\nid = \"room-1\"\nname = \"第一询问室\"\nunit = \"land-use\"\n\
         [[rooms.cameras]]\nid = \"face\"\nname = \"面部\"\ndevice_no = \"XW-101\"\nurl = \"rtsp://127.0.0.1:9/a\"\n",
        data.display(),
        dir.path().join("retention.toml").display(),
    );
    std::fs::write(dir.path().join("shilu.toml"), &config).unwrap();
    let running = serve::start_at(shilu::config::parse(&config).unwrap(), clock.clone()).await.unwrap();
    let desks = running.desks.clone();
    desks.begin_retention().await.unwrap();
    let catalog = Catalog::open(&data.join("catalog.db")).unwrap();
    let signer = Signer::open_or_make(&data.join("keys"), "signing", Algorithm::Ed25519).unwrap();
    let site = Site { dir, clock, desks, catalog, signer, cases: BTreeMap::new(), sessions: vec![], dice: Dice(20_261_125) };
    (site, running)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decade_of_sessions_closings_holds_and_disposals_goes_as_another_telling_of_the_rules_says() {
    let (mut site, running) = open("2026-01-31T04:00:00Z").await;
    let mut disposed = 0;
    for month in 0..120 {
        site.clock.pass(28 + site.dice.roll(6) as i64);
        site.desks.watch_clock().await.unwrap();
        for _ in 0..6 {
            site.act().await;
        }
        let today = shanghai(site.clock.now().utc);
        let expected: BTreeSet<SessionId> = site.sessions.iter().filter(|s| s.due(&site.cases, today)).map(|s| s.id.clone()).collect();
        let listed = site.listed("due").await;
        assert_eq!(listed, expected, "month {month}, {today}");
        if month % 3 == 0 {
            site.dispose(&listed).await;
            site.check_disk();
        }
        disposed = site.sessions.iter().filter(|s| s.gone).count();
    }
    assert!(site.sessions.len() > 100 && disposed > 20, "{} sessions, {disposed} given up", site.sessions.len());
    assert!(site.sessions.iter().any(|s| !s.gone && s.held(&site.cases)) && site.cases.values().any(|c| c.litigation_over));
    // The database is an index: made anew from the files alone, it lists the same.
    let (due, gone) = (site.listed("due").await, site.listed("gone").await);
    let Site { dir, clock, desks, catalog, .. } = site;
    drop((desks, catalog));
    running.stop().await;
    for tail in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(dir.path().join(format!("data/catalog.db{tail}"))));
    }
    let config = dir.path().join("shilu.toml");
    let rebuilt = std::thread::spawn(move || shilu::cli::rebuild::run(&config)).join().unwrap().unwrap();
    assert_eq!(format!("{rebuilt:?}"), format!("{:?}", std::process::ExitCode::SUCCESS));
    let (site, running) = open_in(dir, clock).await;
    assert_eq!((site.listed("due").await, site.listed("gone").await), (due, gone));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_forward_gives_nothing_up_until_somebody_has_looked_at_it() {
    let (mut site, running) = open("2026-01-31T04:00:00Z").await;
    site.record(None);
    let (custodian, legal) = (site.person("li", Role::Custodian), site.person("feng", Role::LegalUnit));
    let id = site.sessions[0].id.clone();
    site.desks.declare_routine(&custodian, &id, "来访咨询").await.unwrap();
    site.desks.watch_clock().await.unwrap();
    // The wall clock alone.
    site.clock.0.lock().unwrap().utc += TimeDelta::days(365);
    site.desks.watch_clock().await.unwrap();
    let custodian = site.person(custodian.id.as_str(), Role::Custodian);
    assert!(site.desks.propose_disposal(&custodian, std::slice::from_ref(&id), "期限已满").await.is_err());
    assert!(site.desks.confirm_clock(&custodian, "看表").await.is_err(), "a custodian does not vouch for the date");
    let legal = site.person(legal.id.as_str(), Role::LegalUnit);
    site.desks.confirm_clock(&legal, "与授时中心比对").await.unwrap();
    site.desks.propose_disposal(&custodian, &[id], "期限已满").await.unwrap();
    running.stop().await;
}
