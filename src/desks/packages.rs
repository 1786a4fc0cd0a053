//! Packages for hand-over: made under a grant for copies, and logged before the first byte. What is in one is fixed when it is
//! asked for, so that a download that broke off goes on where it was.

use crate::catalog::entries;
use crate::custody::bag::{LOG, SESSIONS};
use crate::custody::instructions::{self, About};
use crate::custody::keys::PublicKey;
use crate::custody::note::VerifierKey;
use crate::custody::package::{Member, Package, into_bag};
use crate::custody::tiles::Tiles;
use crate::custody::timestamp::token_name;
use crate::desks::viewing::{Footage, bounds};
use crate::desks::{Answer, Desks, No, blocking};
use crate::footage::{clear, copy, tree};
use crate::machine::{durable, fault::Fault, openssl, randomness};
use crate::model::content_key::Keys;
use crate::model::digest;
use crate::model::entry::{Draft, EntryKind};
use crate::model::ids::{AccountId, SessionId};
use crate::model::import::is_footage;
use crate::model::people::Person;
use crate::model::refusal::Refusal;
use crate::model::session::{Segment, Session};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

/// The page that checks a package in a browser.
const PAGE: &str = include_str!("../custody/package/verify.html");
/// The largest paper that goes into a package.
const PAPER_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// The keys of encrypted originals: whoever is handed a package can open what is in it.
const KEYS: &str = "data/keys/footage-keys.txt";
/// A paper up to this size is kept in memory while its package is ready.
const SMALL_BYTES: usize = 256 * 1024;
/// Packages that are kept ready at a time; the oldest is forgotten first, and is made anew when it is asked for.
const READY_MAX: usize = 32;

/// A package that can be fetched.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct PackageMade {
    /// Its number; part of its address.
    pub id: String,
    /// A file name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its `manifest-sha256.txt`: for the hand-over's paper.
    pub manifest_sha256: String,
    /// Files in it.
    pub files: usize,
}

struct Ready {
    person: AccountId,
    session: SessionId,
    name: String,
    package: Arc<Package>,
}

/// The packages that are ready.
#[derive(Default)]
pub(crate) struct Packages(Mutex<BTreeMap<String, Ready>>);

impl Packages {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<String, Ready>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Everything that a package is made of.
struct Making {
    session: Session,
    folder: PathBuf,
    data: PathBuf,
    bureau: String,
    request: String,
    entries: Vec<u64>,
    origin: String,
    authority: Option<PathBuf>,
    unit: Option<(PathBuf, PathBuf)>,
    at: DateTime<Utc>,
    clips: Vec<(u64, u64)>,
    /// With a joined file to look at.
    viewing: bool,
    /// Of what is encrypted; they go with the originals to whoever they are handed to.
    keys: Keys,
}

impl Desks {
    /// Makes a session's package ready; needs a grant for copies.
    pub async fn make_package(&self, who: &Person, session: &SessionId) -> Answer<PackageMade> {
        let (grant, session, folder) = self.may_copy(who, session, true).await?;
        self.proved(who)?;
        if session.seal.is_none() {
            return Err(Refusal::SessionState { state: session.state.as_str().into() }.into());
        }
        let request = grant.request().to_string();
        let draft = Draft::new(EntryKind::PackageTaken).by(&who.id).in_session(&session.id).about("request", &request);
        self.acts.log_then_do(draft, |_| Ok(())).await?;
        let (package, manifest_sha256, files) = self.build_package(session.clone(), folder, request, vec![]).await?;
        let name = format!("{}.tar", session.id);
        // In the order of time, so that the first is the oldest.
        let id = format!("{:012x}{}", self.now_ms(), randomness::hex::<12>()?);
        let package = Arc::new(package);
        let made = PackageMade { id: id.clone(), name: name.clone(), bytes: package.bytes(), manifest_sha256, files };
        let ready = Ready { person: who.id.clone(), session: session.id, name, package };
        self.packages.with(|all| {
            if all.len() >= READY_MAX {
                all.pop_first();
            }
            all.insert(id, ready);
        });
        Ok(made)
    }

    /// Lays a package out: what is in it, the SHA-256 of its `manifest-sha256.txt`, and how many files. `clips`: stretches beside the whole, ms.
    pub(super) async fn build_package(
        &self,
        session: Session,
        folder: PathBuf,
        request: String,
        clips: Vec<(u64, u64)>,
    ) -> Answer<(Package, String, usize)> {
        let making = self.making(session, folder, request, clips, true).await?;
        Ok(blocking("a package", move || make(&making)).await??)
    }

    /// The files of a package without its joined copy, for a medium: there, each file has to lie on its own.
    pub(super) async fn package_members(&self, session: Session, folder: PathBuf, about: String) -> Answer<Vec<Member>> {
        let making = self.making(session, folder, about, vec![], false).await?;
        Ok(blocking("a package's files", move || members(&making)).await??)
    }

    async fn making(&self, session: Session, folder: PathBuf, request: String, clips: Vec<(u64, u64)>, viewing: bool) -> Answer<Making> {
        self.bring_back(&session, &folder).await?;
        // A medium for the cabinet holds the encrypted files alone: their keys lie beside them, encrypted to the recipients.
        let keys = if viewing { self.keys_of(&folder).await? } else { Keys::default() };
        // The head has to hold the entry of this very hand-over.
        self.acts.sign_head().await?;
        let origin = self.acts.log().state().origin.map(|o| o.to_string()).unwrap_or_default();
        let (of, log) = (session.id.clone(), origin.clone());
        let entries = self.read(move |c| entries::of_session(c, &log, of.as_str())).await?;
        Ok(Making {
            folder,
            data: self.settings.data.clone(),
            bureau: self.settings.bureau.clone(),
            request,
            entries,
            origin,
            authority: self.settings.outside.authority.as_ref().map(|(_, ca)| ca.clone()),
            unit: self.settings.unit_certificate.clone(),
            at: self.now().utc,
            session,
            clips,
            viewing,
            keys,
        })
    }

    /// Bytes of a package that was made ready, from a byte up to another; the grant is asked for anew each time.
    pub async fn fetch_package(&self, who: &Person, id: &str, range: Option<(u64, Option<u64>)>) -> Answer<(Footage, u64, u64)> {
        let no = || No::from(Refusal::no_such("package", id));
        let found = self
            .packages
            .with(|all| all.get(id).filter(|r| r.person == who.id).map(|r| (r.session.clone(), r.name.clone(), r.package.clone())));
        let (session, name, package) = found.ok_or_else(no)?;
        let (grant, ..) = self.may_copy(who, &session, true).await?;
        let live = self.streams.under(&grant, &self.clock);
        let whole = package.bytes();
        let (from, to) = bounds(range, whole, "byte of the package")?;
        let (tx, pieces) = mpsc::channel(4);
        tokio::task::spawn_blocking(move || {
            package.send(from, to, |piece| tx.blocking_send(piece.map_err(std::io::Error::other)).is_ok());
        });
        Ok((Footage { bytes: to - from, sha256: None, name, pieces, live }, from, whole))
    }
}

fn make(m: &Making) -> Result<(Package, String, usize), Fault> {
    let members = members(m)?;
    let manifest = members.iter().find(|f| f.path == "manifest-sha256.txt").map(|f| f.sha256.clone()).unwrap_or_default();
    let files = members.len();
    Ok((Package::lay_out(m.session.id.as_str(), members, m.at.timestamp().max(0) as u64)?, manifest, files))
}

fn members(m: &Making) -> Result<Vec<Member>, Fault> {
    let session = m.session.id.as_str();
    let below = format!("{SESSIONS}/{session}");
    let mut payload = Vec::new();
    for s in &m.session.segments {
        payload.push(Member::file(format!("{below}/{}", s.file), m.folder.join(&s.file), s.bytes, &s.sha256, s.sm3.as_deref()));
    }
    let listed = |name: &String| m.session.segments.iter().any(|s| s.file == *name);
    for name in durable::names(&m.folder)?.into_iter().filter(|n| !listed(n) && !is_footage(n) && !n.contains(".damaged-")) {
        let path = m.folder.join(&name);
        if path.is_dir() {
            for document in durable::names(&path)? {
                payload.push(paper(&path.join(&document), format!("{below}/{name}/{document}"))?);
            }
        } else {
            payload.push(paper(&path, format!("{below}/{name}"))?);
        }
    }
    // One file to look at: the first camera's, which is the interviewee's. A camera that changed its picture format has none; its
    // segments play one by one.
    // What was taken in is one file already.
    let wants = m.viewing && m.session.imported.is_none();
    if let Some(camera) = m.session.devices.first().map(|d| &d.camera).filter(|_| wants) {
        let mut of: Vec<_> = m.session.segments.iter().filter(|s| s.camera == *camera).cloned().collect();
        of.sort_by_key(|s| s.sequence);
        if let Ok(plan) = copy::plan(&m.folder, &of, &m.keys)
            && plan.bytes() > 0
        {
            payload.push(Member::copy(format!("data/viewing/{camera}.mp4"), plan)?);
        }
    }
    clip_members(m, &mut payload)?;
    log_members(m, &mut payload)?;
    let keys = key_members(m, &mut payload)?;
    let opened = opened_by(m)?;
    if !opened.is_empty() {
        payload.push(Member::made(KEYS, key_list(&opened)));
    }
    payload.push(Member::made("data/provision-list.csv", provision_list(m)));
    let tokens = (1..=u16::MAX as usize).take_while(|n| durable::exists(&m.folder.join(token_name(tree::MANIFEST, *n)))).count();
    let about = About {
        session,
        file: m.session.segments.first().map(|s| s.file.as_str()),
        algorithm: keys.algorithm(),
        interim: m.session.interim.iter().map(|seal| seal.number).collect(),
        tokens,
        cms: m.unit.is_some(),
        sm3: m.session.segments.iter().any(|s| s.sm3.is_some()),
        key: opened.first().map(|(file, key)| (file.as_str(), key.as_str())),
    };
    let tags = vec![
        Member::made("verify.html", PAGE),
        Member::made("README.zh-CN.txt", format!("\u{feff}{}", instructions::chinese(&about).replace('\n', "\r\n"))),
        Member::made("README.en.txt", instructions::english(&about)),
    ];
    let info = [
        ("Source-Organization", m.bureau.clone()),
        ("External-Identifier", session.to_owned()),
        ("Bagging-Date", m.at.format("%Y-%m-%d").to_string()),
        ("Internal-Sender-Identifier", m.request.clone()),
        ("Bag-Software-Agent", format!("shilu {}", env!("CARGO_PKG_VERSION"))),
    ];
    into_bag(payload, tags, &info, |manifest| sign(manifest, m.unit.as_ref()))
}

/// A paper, digested now. A small one may still grow (a later link in the journal) and is taken as it is; a large one is a
/// document that nobody changes, and is read when it is sent.
fn paper(path: &Path, name: String) -> Result<Member, Fault> {
    let data = durable::read_whole(path, PAPER_BYTES_MAX)?;
    let of_file = data.len() > SMALL_BYTES && path.parent().is_some_and(|p| p.ends_with(tree::DOCUMENTS));
    Ok(if of_file {
        Member::file(name, path.to_owned(), data.len() as u64, &digest::sha256(&data), None)
    } else {
        Member::made(name, data)
    })
}

/// Stretches that a letter names, beside the whole and rounded out to whole segments, a file a camera.
fn clip_members(m: &Making, payload: &mut Vec<Member>) -> Result<(), Fault> {
    if m.session.imported.is_some() {
        return Ok(());
    }
    for (number, (from, to)) in m.clips.iter().enumerate() {
        for device in &m.session.devices {
            let inside = |s: &&Segment| s.camera == device.camera && s.span_ms().0 < *to && *from < s.span_ms().1;
            let mut of: Vec<_> = m.session.segments.iter().filter(inside).cloned().collect();
            of.sort_by_key(|s| s.sequence);
            if let Ok(plan) = copy::plan(&m.folder, &of, &m.keys)
                && plan.bytes() > 0
            {
                payload.push(Member::copy(format!("data/clips/{}-{}.mp4", number + 1, device.camera), plan)?);
            }
        }
    }
    Ok(())
}

/// The log's entries about the session, each with its proof.
fn log_members(m: &Making, payload: &mut Vec<Member>) -> Result<(), Fault> {
    let mut tiles = Tiles::of(&m.data.join("custody/log"));
    for index in &m.entries {
        let (entry, proof) = tiles.proof(*index)?;
        payload.push(Member::made(format!("{LOG}/{index}.json"), entry));
        payload.push(Member::made(format!("{LOG}/{index}.tlog-proof"), proof.to_text()));
    }
    let key = public(&m.data.join("keys/log.pub.pem"))?;
    payload.push(Member::made(format!("{LOG}/log-key.txt"), VerifierKey::of_log(&m.origin, key).to_text() + "\n"));
    Ok(())
}

fn public(path: &Path) -> Result<PublicKey, Fault> {
    let pem = durable::read_whole(path, 4096)?;
    PublicKey::from_pem(&String::from_utf8_lossy(&pem), "a key").map_err(|e| Fault::of("read", path.display().to_string(), e.to_string()))
}

/// Public keys and their successions, and the authority's certificates; gives the session's own signing key.
fn key_members(m: &Making, payload: &mut Vec<Member>) -> Result<PublicKey, Fault> {
    let keys = m.data.join("keys");
    let is_public = |name: &str| name.ends_with(".pub.pem") || name.starts_with("succession-");
    for name in durable::names(&keys)?.into_iter().filter(|n| is_public(n)) {
        payload.push(paper(&keys.join(&name), format!("data/keys/{name}"))?);
    }
    for name in durable::names(&keys.join("retired"))? {
        payload.push(paper(&keys.join("retired").join(&name), format!("data/keys/retired/{name}"))?);
    }
    if let Some(authority) = &m.authority {
        payload.push(paper(authority, "data/keys/tsa-ca.pem".into())?);
    }
    public(&m.folder.join(tree::SIGNER))
}

/// Encrypted originals, each with the key that opens it.
fn opened_by(m: &Making) -> Result<Vec<(String, Zeroizing<String>)>, Fault> {
    let mut opened = Vec::new();
    for s in m.session.segments.iter().filter(|_| !m.keys.is_empty()) {
        let kid = clear::kid_of(&m.folder.join(&s.file))?;
        let Some(kid) = kid else { continue };
        let key = m.keys.get(&kid).ok_or_else(|| Fault::of("open", s.file.clone(), format!("its key {kid} is not there")))?;
        opened.push((s.file.clone(), key.to_hex()));
    }
    Ok(opened)
}

fn key_list(opened: &[(String, Zeroizing<String>)]) -> String {
    opened.iter().map(|(file, key)| format!("{}  {file}\n", **key)).collect()
}

/// 移送清单: what is handed over, for the paper that both sides sign.
fn provision_list(m: &Making) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let facts = m.session.facts();
    let mut text = String::from("\u{feff}录制编号,文件,设备编号,开始时间,时长（秒）,字节数,SHA-256\r\n");
    for s in &m.session.segments {
        let device = m.session.devices.iter().find(|d| d.camera == s.camera).map_or("", |d| d.device_no.as_str());
        let row = [
            m.session.id.to_string(),
            s.file.clone(),
            device.to_owned(),
            crate::model::time::shanghai_text(s.started_at),
            format!("{:.1}", s.duration_ms as f64 / 1000.0),
            s.bytes.to_string(),
            s.sha256.clone(),
        ];
        text.push_str(&(row.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",") + "\r\n"));
    }
    let seal = m.session.seal.as_ref().map(|s| s.code.clone()).unwrap_or_default();
    for (name, value) in [("封存码", seal), ("案号", facts.case_no.clone().unwrap_or_default()), ("查阅申请", m.request.clone())] {
        text.push_str(&format!("{},{}\r\n", quoted(name), quoted(&value)));
    }
    text
}

/// A CMS signature by the unit's own certificate.
fn sign(manifest: &[u8], unit: Option<&(PathBuf, PathBuf)>) -> Result<Option<Vec<u8>>, Fault> {
    let Some((certificate, key)) = unit else { return Ok(None) };
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    let arguments = ["cms", "-sign", "-binary", "-md", "sha256", "-signer", &certificate, "-inkey", &key, "-outform", "DER"];
    let said = openssl::run(&arguments, manifest)?;
    if said.well { Ok(Some(said.out)) } else { Err(Fault::of("sign by", "the unit's certificate", said.complaint)) }
}
