//! The overview of many sites: read from their archive alone. Status, figures, search by the six fields (第十七条); never a picture: who
//! wants one asks at the site that owns it (谁制作谁保存, 第三条). Complainants' and informants' sessions (第四条) are counted, not listed.

use crate::custody::keys::PublicKey;
use crate::desks::passwords;
use crate::desks::retrieval::read_index;
use crate::desks::{Answer, No};
use crate::footage::archive::{Store, StoreFault, StoreSettings};
use crate::footage::envelope::Identities;
use crate::machine::clock::Clock;
use crate::machine::{fault::Fault, randomness};
use crate::model::archive::{SignedStatus, SiteStatus, parse_index_key, status_key, unhex};
use crate::model::digest;
use crate::model::refusal::Refusal;
use crate::model::session::Session;
use crate::model::time;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use secrecy::SecretString;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// Rows of an answer.
const ROWS_MAX: usize = 200;
/// A login that was not used for so long ends.
const IDLE: TimeDelta = TimeDelta::minutes(30);
/// Wrong passwords until a name is locked, and for how long.
const FAILURES_MAX: u32 = 5;
const LOCKED: TimeDelta = TimeDelta::minutes(15);
/// Names that are remembered as wrong at a time: what is typed must not fill the memory.
const NAMES_MAX: usize = 10_000;
/// A site that was not heard for so long is shown as silent.
const SILENT: TimeDelta = TimeDelta::minutes(30);
/// The largest status.
const STATUS_BYTES_MAX: u64 = 1 << 20;

/// A site.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its name in the bucket.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where its console is, as people reach it.
    pub console: Option<String>,
    /// The fingerprint of its signing key, known from elsewhere.
    pub key: Option<String>,
}

/// Who may look.
#[derive(Debug, Clone)]
pub struct Account {
    /// Sign-in name.
    pub username: String,
    /// The person's name.
    pub name: String,
    /// PHC string.
    pub password_hash: String,
}

/// What it needs.
#[derive(Debug, Clone)]
pub struct OverviewSettings {
    /// Its name, for the heading.
    pub name: String,
    /// The bucket.
    pub store: StoreSettings,
    /// What opens it.
    pub identity_file: Option<PathBuf>,
    /// Seconds between two looks at the bucket.
    pub refresh_s: u64,
    /// The sites.
    pub sites: Vec<Site>,
    /// The people.
    pub accounts: Vec<Account>,
}

/// Whose word a status is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signed {
    /// By the key that is known.
    ByKnownKey,
    /// By some key; none is known to compare.
    NotCompared,
    /// By another key, or not at all.
    #[default]
    Wrong,
}

/// How a site is seen from here.
#[derive(Debug, Clone, Default)]
pub struct SiteView {
    /// Its name in the bucket.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it tells of itself.
    pub status: Option<SiteStatus>,
    /// Whose word that is.
    pub signed: Signed,
    /// It was not heard for half an hour.
    pub silent: bool,
    /// Sessions in the archive.
    pub sessions: usize,
    /// Of these, restricted ones (第四条).
    pub restricted: usize,
    /// Why it cannot be seen.
    pub problem: Option<String>,
    /// Its console: from the overview's own file, or as the site's signed word gives it.
    pub console: Option<String>,
}

/// What to search for; empty fields do not narrow.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct OverviewSearch {
    /// Site.
    pub site: String,
    /// 股室名称, or a part.
    pub unit: String,
    /// 执法记录设备编号, or a part.
    pub device_no: String,
    /// 执法人员信息, or a part.
    pub officer: String,
    /// 使用时间: first day.
    pub from: String,
    /// 使用时间: last day.
    pub until: String,
    /// 案件当事人, or a part.
    pub party: String,
    /// 案由名称, or a part.
    pub cause: String,
}

/// A session that was found.
#[derive(Debug, Clone)]
pub struct OverviewRow {
    /// Whose: in the bucket, and in words.
    pub site: String,
    /// Its name.
    pub site_name: String,
    /// Its number.
    pub session: String,
    /// 股室.
    pub unit: String,
    /// 设备编号.
    pub devices: String,
    /// 执法人员.
    pub officers: String,
    /// 使用时间.
    pub started_at: DateTime<Utc>,
    /// Length, ms.
    pub length_ms: u64,
    /// 当事人.
    pub party: String,
    /// 案由.
    pub cause: String,
    /// Where it is asked for: the owning site's form with the session filled in.
    pub ask_at: Option<String>,
}

#[derive(Default)]
struct Seen {
    status: Option<SiteStatus>,
    signed: Signed,
    problem: Option<String>,
    /// By session: number of the index, and the row; none: restricted.
    rows: BTreeMap<String, (u64, Option<OverviewRow>)>,
}

struct Login {
    name: String,
    used: DateTime<Utc>,
}

/// The overview.
pub struct Overview {
    settings: OverviewSettings,
    store: Store,
    opens: Option<Identities>,
    clock: Arc<dyn Clock>,
    seen: RwLock<BTreeMap<String, Seen>>,
    logins: Mutex<BTreeMap<String, Login>>,
    failures: Mutex<BTreeMap<String, (u32, DateTime<Utc>)>>,
}

impl Overview {
    /// Opens it; nothing is read yet.
    pub fn open(settings: OverviewSettings, clock: Arc<dyn Clock>) -> Result<Arc<Self>, Fault> {
        let opens = settings.identity_file.as_deref().map(Identities::read).transpose()?;
        let store = Store::new(settings.store.clone(), clock.clone());
        let (seen, logins, failures) = (RwLock::default(), Mutex::default(), Mutex::default());
        Ok(Arc::new(Self { settings, store, opens, clock, seen, logins, failures }))
    }

    /// Looks at the bucket again and again, on a thread of its own.
    pub fn keep_looking(self: &Arc<Self>) -> Result<(), Fault> {
        let weak = Arc::downgrade(self);
        let run = move || {
            while let Some(overview) = weak.upgrade() {
                for site in overview.settings.sites.clone() {
                    if let Err(why) = overview.look(&site) {
                        tracing::warn!(site = site.id, "cannot be seen: {why}");
                        overview.change(&site.id, |seen| seen.problem = Some(why.clone()));
                    }
                }
                let rest = Duration::from_secs(overview.settings.refresh_s);
                drop(overview);
                std::thread::sleep(rest);
            }
        };
        std::thread::Builder::new().name("overview".into()).spawn(run).map(drop).map_err(|e| Fault::of("start", "the overview", e))
    }

    fn change<T>(&self, site: &str, change: impl FnOnce(&mut Seen) -> T) -> T {
        change(self.seen.write().unwrap_or_else(PoisonError::into_inner).entry(site.to_owned()).or_default())
    }

    /// One site: its status, and the indexes that are new.
    fn look(&self, site: &Site) -> Result<(), String> {
        let status = self.status(site).map_err(|e| e.to_string())?;
        let mut units = BTreeMap::new();
        if let Some((status, signed)) = status {
            units.extend(status.units.clone());
            self.change(&site.id, |seen| (seen.status, seen.signed) = (Some(status), signed));
        }
        let listed = self.store.versions(&format!("{}/index/session/", site.id)).map_err(|e| e.to_string())?;
        let mut newest: BTreeMap<String, (u64, String, String)> = BTreeMap::new();
        for v in listed.into_iter().filter(|v| !v.is_marker) {
            let Some((_, id, number)) = parse_index_key(&site.id, &v.key) else { continue };
            if newest.get(id).is_none_or(|(known, ..)| *known < number) {
                newest.insert(id.to_owned(), (number, v.key.clone(), v.version));
            }
        }
        let mut problem = None;
        self.change(&site.id, |seen| seen.rows.retain(|id, _| newest.contains_key(id)));
        for (id, (number, key, version)) in newest {
            if self.change(&site.id, |seen| seen.rows.get(&id).is_some_and(|(known, _)| *known >= number)) {
                continue;
            }
            match read_index(&self.store, self.opens.as_ref(), &key, &version) {
                Ok(index) => {
                    let row = index.session.filter(|s| !s.facts().restricted).map(|s| row(site, &units, &s));
                    self.change(&site.id, |seen| seen.rows.insert(id, (number, row)));
                }
                Err(trouble) => problem = Some(format!("{id}: {trouble}")),
            }
        }
        self.change(&site.id, |seen| seen.problem = problem);
        Ok(())
    }

    fn status(&self, site: &Site) -> Result<Option<(SiteStatus, Signed)>, StoreFault> {
        let unfit = |what: &str| StoreFault::Unfit(format!("the status of {} {what}", site.id));
        let encrypted = self.opens.is_some();
        let data = match self.store.get(&status_key(&site.id, encrypted), None, STATUS_BYTES_MAX) {
            Err(StoreFault::Absent) if encrypted => match self.store.get(&status_key(&site.id, false), None, STATUS_BYTES_MAX) {
                Err(StoreFault::Absent) => return Ok(None),
                other => other?,
            },
            Err(StoreFault::Absent) => return Ok(None),
            other => match &self.opens {
                Some(opens) => opens.decrypt(&other?).map_err(|_| unfit("does not open"))?,
                None => other?,
            },
        };
        let signed: SignedStatus = serde_json::from_slice(&data).map_err(|_| unfit("cannot be read"))?;
        let status: SiteStatus = serde_json::from_str(&signed.status).map_err(|_| unfit("cannot be read"))?;
        let key = PublicKey::from_pem(&signed.signer, "a status").map_err(|_| unfit("is signed by no key"))?;
        let well = unhex(&signed.signature).is_some_and(|s| key.verifies(signed.status.as_bytes(), &s)) && status.site == site.id;
        let whose = match &site.key {
            _ if !well => Signed::Wrong,
            Some(known) if *known == key.fingerprint() => Signed::ByKnownKey,
            Some(_) => Signed::Wrong,
            None => Signed::NotCompared,
        };
        Ok(Some((status, whose)))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// The clock on this machine's wall.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now().utc
    }

    /// The sites, as they were seen last.
    pub fn sites(&self) -> Vec<SiteView> {
        let (now, all) = (self.clock.now().utc, self.seen.read().unwrap_or_else(PoisonError::into_inner));
        let one = |site: &Site| {
            let (id, name, console) = (site.id.clone(), site.name.clone(), console_of(&all, site));
            let base = SiteView { id, name, console, silent: true, ..SiteView::default() };
            let Some(seen) = all.get(&site.id) else { return base };
            SiteView {
                silent: seen.status.as_ref().is_none_or(|s| s.at + SILENT < now),
                status: seen.status.clone(),
                signed: seen.signed,
                sessions: seen.rows.len(),
                restricted: seen.rows.values().filter(|(_, row)| row.is_none()).count(),
                problem: seen.problem.clone(),
                ..base
            }
        };
        self.settings.sites.iter().map(one).collect()
    }

    /// Sessions that fit, newest first, and how many there are.
    pub fn search(&self, by: &OverviewSearch) -> (Vec<OverviewRow>, usize) {
        let day = |text: &str| text.parse::<NaiveDate>().ok();
        let (from, until) = (day(&by.from), day(&by.until));
        let holds = |text: &str, part: &str| part.trim().is_empty() || text.to_lowercase().contains(&part.trim().to_lowercase());
        let fits = |r: &&OverviewRow| {
            let on = time::shanghai_day(r.started_at);
            (by.site.is_empty() || by.site == r.site)
                && from.is_none_or(|d| d <= on)
                && until.is_none_or(|d| on <= d)
                && holds(&r.unit, &by.unit)
                && holds(&r.devices, &by.device_no)
                && holds(&r.officers, &by.officer)
                && holds(&r.party, &by.party)
                && holds(&r.cause, &by.cause)
        };
        let all = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<&OverviewRow> =
            all.values().flat_map(|s| s.rows.values().filter_map(|(_, r)| r.as_ref())).filter(fits).collect();
        found.sort_by_key(|r| std::cmp::Reverse(r.started_at));
        let total = found.len();
        let rows = found.into_iter().take(ROWS_MAX).map(|r| OverviewRow { ask_at: self.ask_at(&all, r), ..r.clone() });
        (rows.collect(), total)
    }

    /// The owning site's form: footage is asked for there, and decided on there (第二十二条).
    fn ask_at(&self, all: &BTreeMap<String, Seen>, row: &OverviewRow) -> Option<String> {
        let site = self.settings.sites.iter().find(|s| s.id == row.site)?;
        Some(format!("{}/access/new?session={}", console_of(all, site)?, row.session))
    }

    /// Signs somebody in; a token for the cookie.
    pub async fn sign_in(&self, username: &str, password: SecretString) -> Answer<String> {
        let now = self.clock.now().utc;
        let locked = self.with_failures(|all| {
            all.retain(|_, (_, until)| *until > now);
            all.get(username).filter(|(n, _)| *n >= FAILURES_MAX).map(|(_, until)| (*until - now).num_minutes() + 1)
        });
        if let Some(minutes) = locked {
            return Err(Refusal::LockedOut { minutes }.into());
        }
        let account = self.settings.accounts.iter().find(|a| a.username == username).cloned();
        if !passwords::fits(password, account.as_ref().map(|a| a.password_hash.clone())).await? {
            tracing::warn!("a sign-in failed");
            self.with_failures(|all| {
                if all.len() < NAMES_MAX {
                    let (n, until) = all.entry(username.to_owned()).or_insert((0, now));
                    (*n, *until) = (*n + 1, now + LOCKED);
                }
            });
            return Err(Refusal::WrongCredentials.into());
        }
        self.with_failures(|all| all.remove(username));
        let (token, name) = (randomness::hex::<32>()?, account.map(|a| a.name).unwrap_or_default());
        tracing::info!(username, "signed in");
        self.with_logins(|all| all.insert(digest::sha256(token.as_bytes()), Login { name, used: now }));
        Ok(token)
    }

    /// Whose login a token is.
    pub fn signed_in(&self, token: &str) -> Result<String, No> {
        let now = self.clock.now().utc;
        let name = self.with_logins(|all| {
            all.retain(|_, l| l.used + IDLE > now);
            let login = all.get_mut(&digest::sha256(token.as_bytes()))?;
            login.used = now;
            Some(login.name.clone())
        });
        name.ok_or_else(|| Refusal::NotSignedIn.into())
    }

    /// Ends a login.
    pub fn sign_out(&self, token: &str) {
        self.with_logins(|all| all.remove(&digest::sha256(token.as_bytes())));
    }

    fn with_logins<T>(&self, work: impl FnOnce(&mut BTreeMap<String, Login>) -> T) -> T {
        work(&mut self.logins.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn with_failures<T>(&self, work: impl FnOnce(&mut BTreeMap<String, (u32, DateTime<Utc>)>) -> T) -> T {
        work(&mut self.failures.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Where a site's console is. What a bucket says is taken for an address only where the site's known key has signed it.
fn console_of(all: &BTreeMap<String, Seen>, site: &Site) -> Option<String> {
    let trusted = all.get(&site.id).filter(|s| s.signed == Signed::ByKnownKey);
    let told = trusted.and_then(|s| s.status.as_ref()?.console.clone());
    let console = site.console.clone().or(told).filter(|c| c.starts_with("https://") || c.starts_with("http://"))?;
    Some(console.trim_end_matches('/').to_owned())
}

fn row(site: &Site, units: &BTreeMap<String, String>, s: &Session) -> OverviewRow {
    // Every version of the link stays findable: one that was changed to bury a case still finds it.
    let every = |of: &dyn Fn(&crate::model::facts::Facts) -> Option<String>| {
        let mut all: Vec<String> = s.links.iter().rev().filter_map(|l| of(&l.facts)).collect();
        all.dedup();
        all.join(" / ")
    };
    OverviewRow {
        site: site.id.clone(),
        site_name: site.name.clone(),
        session: s.id.to_string(),
        unit: units.get(s.unit.as_str()).cloned().unwrap_or_else(|| s.unit.to_string()),
        devices: crate::catalog::sessions::devices_text(s),
        officers: every(&|f| Some(crate::catalog::sessions::officers_text(f)).filter(|t| !t.is_empty())),
        started_at: s.started_at,
        length_ms: s.length_ms.unwrap_or(0),
        party: every(&|f| f.party.clone()),
        cause: every(&|f| f.cause.clone()),
        ask_at: None,
    }
}
