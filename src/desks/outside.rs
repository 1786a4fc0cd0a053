//! Proof from outside: the log's head goes to cosigners (C2SP tlog-witness), digests of seals and heads go to a timestamp authority
//! (RFC 3161). Digests and signatures leave the building, nothing else; what comes back is checked before it is kept. While
//! either is away its work waits, and how long is on the status page.

use crate::catalog::timestamps::{self, Stamped};
use crate::custody::note::{Checkpoint, Note, VerifierKey, hash_text};
use crate::custody::tiles::Tiles;
use crate::custody::timestamp::{self, TOKEN_BYTES_MAX, token_name};
use crate::desks::{Answer, Desks, blocking};
use crate::machine::{durable, fault::Fault};
use crate::model::digest;
use crate::model::entry::{Draft, EntryKind};
use crate::model::merkle;
use crate::recorder::mirror;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Client, StatusCode};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often a head that has no cosigner's line yet is offered.
const OFFER_EVERY: Duration = Duration::from_secs(1);
/// How often the queue of timestamps is looked at, and how long it rests after a failure.
const STAMP_EVERY: Duration = Duration::from_secs(3);
const STAMP_REST: Duration = Duration::from_secs(15);
/// How long either may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long before a token's certificate ends it is renewed.
const RENEW: TimeDelta = TimeDelta::days(60);
/// How often a head of the log is stamped while entries come.
const STAMP_HEAD_EVERY: TimeDelta = TimeDelta::hours(1);
/// Files that are stamped in one go.
const BATCH: u32 = 50;
/// The largest file that is stamped.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The largest answer of a cosigner.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Whom to ask.
#[derive(Debug, Clone, Default)]
pub struct OutsideSettings {
    /// Address of the timestamp authority, and the certificates that its tokens are verified under.
    pub authority: Option<(String, PathBuf)>,
    /// Cosigners: address, and key.
    pub cosigners: Vec<(String, VerifierKey)>,
}

/// How it stands, for the status page.
#[derive(Debug, Clone, Default)]
pub struct OutsideState {
    /// Files that wait for a timestamp, and since when the oldest does.
    pub waiting: u64,
    /// See `waiting`; ms since 1970.
    pub waiting_since: Option<i64>,
    /// What is wrong, by whom: the authority, or a cosigner's name.
    pub troubles: BTreeMap<String, String>,
    /// Entries that each cosigner has confirmed.
    pub cosigned: BTreeMap<String, u64>,
}

/// The desk's memory of it.
#[derive(Default)]
pub(crate) struct Outside(Mutex<OutsideState>);

impl Outside {
    fn with<T>(&self, work: impl FnOnce(&mut OutsideState) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn trouble(&self, who: &str, what: Option<String>) {
        self.with(|s| match what {
            Some(what) => {
                if s.troubles.insert(who.into(), what.clone()).as_ref() != Some(&what) {
                    tracing::warn!("{who}: {what}");
                }
            }
            None => drop(s.troubles.remove(who)),
        });
    }
}

impl Desks {
    /// How proof from outside stands.
    pub fn outside(&self) -> OutsideState {
        self.outside.with(|s| s.clone())
    }

    pub(super) fn log_folder(&self) -> PathBuf {
        self.settings.data.join("custody/log")
    }

    /// Starts asking, for as long as there are desks.
    pub fn ask_outside(self: &Arc<Self>) {
        let settings = self.settings.outside.clone();
        // Nothing but digests and signatures goes over these lines, and each answer is checked by its signature: no TLS is needed.
        let Ok(client) = Client::builder().timeout(PATIENCE).no_proxy().build() else { return };
        if !settings.cosigners.is_empty() {
            let (desks, client) = (Arc::downgrade(self), client.clone());
            tokio::spawn(async move {
                let mut known = BTreeMap::new();
                loop {
                    tokio::time::sleep(OFFER_EVERY).await;
                    let Some(desks) = desks.upgrade() else { return };
                    desks.offer_head(&client, &settings.cosigners, &mut known).await;
                }
            });
        }
        let Some((address, authority)) = settings.authority else { return };
        let desks = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                let Some(desks) = desks.upgrade() else { return };
                let rest = match desks.stamp_due(&client, &address, &authority).await {
                    Ok(()) => {
                        desks.outside.trouble("timestamp authority", None);
                        STAMP_EVERY
                    }
                    Err(no) => {
                        desks.outside.trouble("timestamp authority", Some(no.to_string()));
                        STAMP_REST
                    }
                };
                drop(desks);
                tokio::time::sleep(rest).await;
            }
        });
    }

    /// Offers the newest head to every cosigner that has not confirmed it. `known`: what each has confirmed, by name.
    async fn offer_head(&self, client: &Client, cosigners: &[(String, VerifierKey)], known: &mut BTreeMap<String, u64>) {
        let Some(mut note) = self.acts.log().state().head else { return };
        let Ok(head) = Checkpoint::parse(&note.text) else { return };
        if cosigners.iter().all(|(_, key)| known.get(&key.name) == Some(&head.size)) {
            return;
        }
        let own_lines = note.lines.len();
        for (address, key) in cosigners {
            match self.offer_to(client, address, key, &mut note, &head, known).await {
                Ok(()) => {
                    known.insert(key.name.clone(), head.size);
                    self.outside.with(|s| s.cosigned.insert(key.name.clone(), head.size));
                    self.outside.trouble(&key.name, None);
                }
                Err(why) => self.outside.trouble(&key.name, Some(why)),
            }
        }
        if note.lines.len() > own_lines {
            self.acts.log().cosigned(note);
        }
    }

    async fn offer_to(
        &self,
        client: &Client,
        address: &str,
        key: &VerifierKey,
        note: &mut Note,
        head: &Checkpoint,
        known: &mut BTreeMap<String, u64>,
    ) -> Result<(), String> {
        // Twice: the first answer may tell what it knows already.
        for _ in 0..2 {
            let old = known.get(&key.name).copied().unwrap_or(0).min(head.size);
            let (folder, size) = (self.log_folder(), head.size);
            let made = blocking("a consistency proof", move || merkle::consistency(&mut Tiles::of(&folder), old, size)).await;
            let proof = made.and_then(|proof| Ok(proof?)).map_err(|no| no.to_string())?;
            let hashes: String = proof.iter().map(|h| hash_text(h) + "\n").collect();
            let body = format!("old {old}\n{hashes}\n{}", note.to_text());
            let answer = client.post(format!("{}/add-checkpoint", address.trim_end_matches('/'))).body(body).send().await;
            let answer = answer.map_err(|e| plain(&e))?;
            let status = answer.status();
            let text = bounded(answer, ANSWER_BYTES_MAX).await?;
            let text = String::from_utf8_lossy(&text).into_owned();
            match status {
                StatusCode::OK => return note.take_over(&text, key).map_err(|e| e.to_string()),
                StatusCode::CONFLICT => {
                    let theirs: u64 = text.trim().parse().map_err(|_| "contradicts this log's head".to_owned())?;
                    if theirs > head.size {
                        let what = "this log has forgotten entries: a backup was put back, or its end was removed";
                        return Err(format!("has confirmed {theirs} entries, and there are {}: {what}", head.size));
                    }
                    known.insert(key.name.clone(), theirs);
                }
                StatusCode::NOT_FOUND => return Err("does not know this log; give it the key that `shilu log key` prints".into()),
                other => return Err(format!("answers {other}")),
            }
        }
        Err("contradicts this log's head".into())
    }

    /// Stamps what waits, and renews what ends soon.
    async fn stamp_due(&self, client: &Client, address: &str, authority: &Path) -> Answer<()> {
        self.want_head().await?;
        let until = (self.now().utc + RENEW).timestamp_millis();
        let due = self.read(move |c| timestamps::due(c, until, BATCH)).await?;
        let mut stamped = Ok(());
        for file in due {
            stamped = self.stamp(client, address, authority, &file).await;
            if stamped.is_err() {
                break;
            }
        }
        let (waiting, since) = self.read(timestamps::waiting).await?;
        self.outside.with(|s| (s.waiting, s.waiting_since) = (waiting, since));
        stamped
    }

    /// Once an hour, if there are new entries, the head of the log is to be stamped.
    async fn want_head(&self) -> Answer<()> {
        let Some(note) = self.acts.log().state().head else { return Ok(()) };
        let Ok(head) = Checkpoint::parse(&note.text) else { return Ok(()) };
        let (now, folder) = (self.now().utc, self.log_folder().join("timestamps"));
        let wanted = blocking("looking at stamped heads", move || want_head(&folder, &note, head.size, now)).await??;
        let Some(path) = wanted else { return Ok(()) };
        Ok(self.acts.keep(move |t| timestamps::want(t, "log", &path, now.timestamp_millis())).await?)
    }

    async fn stamp(&self, client: &Client, address: &str, authority: &Path, file: &Stamped) -> Answer<()> {
        let root = if file.root == "log" { self.log_folder() } else { self.footage().clone() };
        let (path, known, row) = (root.join(&file.path), file.tokens as usize, file.clone());
        let asked = path.clone();
        let Some(ask) = blocking("a timestamp request", move || Ask::prepare(&asked, known)).await?? else {
            // Disposed of, or set aside with its log: the scrub tells of damage, not this.
            return Ok(self.acts.keep(move |t| timestamps::forget(t, &row.root, &row.path)).await?);
        };
        let answer = match &ask.request {
            Some(request) => Some(self.ask_authority(client, address, request).await?),
            None => None,
        };
        let (scratch, authority) = (self.settings.data.join("custody/timestamps"), authority.to_owned());
        let got = blocking("a timestamp", move || ask.finish(answer, &authority, &scratch)).await??;
        let folder = path.parent().unwrap_or(&root).to_owned();
        let draft = Draft::new(EntryKind::Timestamped)
            .about("file", path.file_name().unwrap_or_default().display())
            .about("number", got.tokens)
            .about("sha256", &got.sha256)
            .about("token_sha256", &got.token_sha256)
            .about("made_at", got.made.to_rfc3339());
        let draft = if file.root == "log" { draft } else { draft.in_session(&folder.file_name().unwrap_or_default().display()) };
        let (tokens, times) = (got.tokens as u32, (got.made.timestamp_millis(), got.until.timestamp_millis()));
        self.acts.log_then_do(draft, move |t| timestamps::stamped(t, &row.root, &row.path, tokens, times)).await?;
        if file.root != "log" {
            let recorder = self.recorder.clone();
            blocking("the mirror's papers", move || mirror::copy_papers(recorder.shared(), &folder)).await?;
        }
        Ok(())
    }

    async fn ask_authority(&self, client: &Client, address: &str, request: &[u8]) -> Result<Vec<u8>, Fault> {
        let fault = |why: String| Fault::of("ask", "the timestamp authority", why);
        let post = client.post(address).header("Content-Type", "application/timestamp-query").body(request.to_vec());
        let answer = post.send().await.map_err(|e| fault(plain(&e)))?;
        if !answer.status().is_success() {
            return Err(fault(format!("it answers {}", answer.status())));
        }
        bounded(answer, TOKEN_BYTES_MAX as usize).await.map_err(fault)
    }
}

/// Puts the newest head up for stamping, unless one was within the last hour.
fn want_head(folder: &Path, note: &Note, size: u64, now: DateTime<Utc>) -> Result<Option<String>, Fault> {
    let last = durable::names(folder)?.iter().filter_map(|name| name.parse::<u64>().ok()).max();
    if let Some(last) = last {
        let at = durable::changed_at(&folder.join(last.to_string()))?;
        if last == size || (at <= now && now < at + STAMP_HEAD_EVERY) {
            return Ok(None);
        }
    }
    durable::make_folder(folder)?;
    durable::write_whole(&folder.join(size.to_string()), note.to_text().as_bytes())?;
    Ok(Some(format!("timestamps/{size}")))
}

/// A file on its way to its next token.
struct Ask {
    path: PathBuf,
    data: Vec<u8>,
    tokens: Vec<Vec<u8>>,
    /// None if a token lies there already that the catalog does not know.
    request: Option<Vec<u8>>,
}

struct Got {
    tokens: usize,
    sha256: String,
    token_sha256: String,
    made: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl Ask {
    fn token_at(path: &Path, n: usize) -> PathBuf {
        path.with_file_name(token_name(&path.file_name().unwrap_or_default().display().to_string(), n))
    }

    /// None if the file is no longer there.
    fn prepare(path: &Path, known: usize) -> Result<Option<Self>, Fault> {
        let data = match durable::read_whole(path, FILE_BYTES_MAX) {
            Err(fault) if fault.is_absent() => return Ok(None),
            other => other?,
        };
        let read = |n| durable::read_whole(&Self::token_at(path, n), TOKEN_BYTES_MAX).ok();
        let tokens: Vec<Vec<u8>> = (1..).map_while(read).collect();
        let request = if tokens.len() > known { None } else { Some(timestamp::request(&timestamp::covered(&data, &tokens))?) };
        Ok(Some(Self { path: path.to_owned(), data, tokens, request }))
    }

    /// Checks what came, and keeps it.
    fn finish(mut self, answer: Option<Vec<u8>>, authority: &Path, scratch: &Path) -> Result<Got, Fault> {
        if let (Some(token), Some(request)) = (answer, &self.request) {
            timestamp::check_answer(&token, request, authority, scratch)?;
            durable::write_whole(&Self::token_at(&self.path, self.tokens.len() + 1), &token)?;
            self.tokens.push(token);
        } else {
            timestamp::check_chain(&self.data, &self.tokens, authority)?;
        }
        let last = self.tokens.last().ok_or_else(|| Fault::of("read", "a timestamp", "there is none"))?;
        Ok(Got {
            tokens: self.tokens.len(),
            sha256: digest::sha256(&self.data),
            token_sha256: digest::sha256(last),
            made: timestamp::made_at(last)?,
            until: timestamp::certified_until(last)?,
        })
    }
}

/// An answer's body, no larger than it may be.
pub(super) async fn bounded(mut answer: reqwest::Response, bytes_max: usize) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|e| plain(&e))? {
        if body.len() + piece.len() > bytes_max {
            return Err(format!("answers more than {bytes_max} bytes"));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// What went wrong, without the address: that is on the page already.
fn plain(e: &reqwest::Error) -> String {
    match (e.is_timeout(), e.is_connect()) {
        (true, _) => "does not answer in time".into(),
        (_, true) => "cannot be reached".into(),
        _ => "breaks off its answer".into(),
    }
}
