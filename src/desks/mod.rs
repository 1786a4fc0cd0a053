//! What people do, a file a desk: may they, is it right, log, do.
//!
//! A desk takes *who* asks as its first argument. It answers with what was asked for, with a [`Refusal`] (a rule; logged) or
//! with a fault (the machine; told without its inside). Acts on a session go through `recorder`, all others through one of the two
//! doors of [`acts`](crate::acts); rows that are no act go by its hatches.
//!
//! All desks are one [`Desks`]: each file adds what it does to it.
//!
//! | | |
//! |---|---|
//! | sessions | [`conduct`] starts, marks, pauses, ends and links · [`records`] what is typed, answers to demands · [`facts`] · [`plans`] · [`readiness`] before one · [`documents`] beside one · [`sessions`] finds and shows |
//! | cases | [`cases`] with their text records |
//! | rooms | [`screens`] inside the room · [`wall`] for a duty room · [`lamp`] over the door · [`live`] pictures of now |
//! | looking | [`access`] asks and decides · [`deputies`] · [`viewing`] gives, under [`streams`] that end with the approval · `unsealing` opens what is encrypted · [`stills`] · [`loudness`] · [`copies`] · [`packages`] · [`provision`] to courts · [`oversight`] shows who looked |
//! | keeping | [`retention`] how long · [`holds`] · [`disposal`] gives up · [`closing`] ends one · [`clock_trust`] stops one · [`media`] the register of discs · [`discs`] makes and reads them |
//! | archive | [`archive`] the page · [`archiving`] the thread that puts · [`sweeping`] what it deletes · [`retrieval`] reads back · [`overview`] many sites |
//! | taking in | [`imports`] the page · [`arrivals`] the thread that takes · [`folders`] watched · [`orders`] of `shilu import` · [`handover`] to the custodian · [`check_outs`] of portable devices |
//! | equipment | [`equipment`] the register · [`device_faults`] · [`device_watch`] what the machine sees · [`cameras`] tried and saved |
//! | people | [`accounts`] · [`logins`], [`last_known`] while the catalog is away · [`passwords`] · [`factors`], their [`factor_secrets`] · [`sso`] · [`tokens`] of other systems · [`notices`] to their owner · [`setup`] the first |
//! | proof | [`reports`] reads the log · [`refusals`] in it · [`custody`] prints from it · [`outside`] asks cosigners and the timestamp authority · [`witness`] is a cosigner |
//! | supervising | [`supervision`] by unit and officer · [`figures`] of a period · [`forecast`] of the volumes |
//! | house | [`status`] · [`metrics`] · [`agenda`] what waits for whom · [`walkthrough`] the first run · `alarm_watch` sees, [`alarms`] keeps, [`alarm_delivery`] tells, [`mail`] carries · [`backups`] · [`key_backup`] · [`rebuild`] from files · [`in_force`] the settings |

// sessions
pub mod conduct;
pub mod records;
pub mod facts;
pub mod plans;
pub mod readiness;
pub mod documents;
pub mod sessions;

// cases
pub mod cases;

// rooms
pub mod screens;
pub mod wall;
pub mod lamp;
pub mod live;

// looking
pub mod access;
pub mod deputies;
pub mod viewing;
pub mod streams;
mod unsealing;
pub mod stills;
pub mod loudness;
pub mod copies;
pub mod packages;
pub mod provision;
pub mod oversight;

// keeping
pub mod retention;
pub mod holds;
pub mod disposal;
pub mod closing;
pub mod clock_trust;
pub mod media;
pub mod discs;

// archive
pub mod archive;
pub mod archiving;
pub mod sweeping;
pub mod retrieval;
pub mod overview;

// taking in
pub mod imports;
pub mod arrivals;
pub mod folders;
pub mod orders;
pub mod handover;
pub mod check_outs;

// equipment
pub mod equipment;
pub mod device_faults;
pub mod device_watch;
pub mod cameras;

// people
pub mod accounts;
pub mod logins;
pub mod last_known;
pub mod passwords;
pub mod factors;
pub mod factor_secrets;
pub mod sso;
pub mod tokens;
pub mod notices;
pub mod setup;

// proof
pub mod reports;
pub mod refusals;
pub mod custody;
pub mod outside;
pub mod witness;

// supervising
pub mod supervision;
pub mod figures;
pub mod forecast;

// house
pub mod status;
pub mod metrics;
pub mod agenda;
pub mod walkthrough;
pub mod alarms;
mod alarm_watch;
pub mod alarm_delivery;
pub mod mail;
pub mod backups;
pub mod key_backup;
pub mod rebuild;
pub mod in_force;

use crate::acts::Acts;
use crate::catalog::{Catalog, Reading, sessions::SessionDoc};
use crate::machine::clock::Clock;
use crate::machine::fault::Fault;
use crate::model::hold::HoldRules;
use crate::model::ids::{RoomId, SessionId, UnitId};
use crate::model::people::{Act, Person, Role};
use crate::model::refusal::Refusal;
use crate::model::retention::Table;
use crate::model::time::Moment;
use crate::recorder::Recorder;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// A no.
#[derive(Debug, thiserror::Error)]
pub enum No {
    /// A rule.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// The machine. The text names act and object for the log; people are shown a general sentence and a reference.
    #[error("{0}")]
    Fault(String),
}

impl From<Fault> for No {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault.to_string())
    }
}

/// What a desk answers.
pub type Answer<T> = Result<T, No>;

/// What the desks need to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The bureau's name.
    pub bureau: String,
    /// Units and their names.
    pub units: Vec<(UnitId, String)>,
    /// Bytes that should stay free.
    pub reserve_bytes: u64,
    /// Root of everything that is written.
    pub data: PathBuf,
    /// Minutes until an idle login ends.
    pub idle_min: i64,
    /// Wrong passwords until an account is locked.
    pub lock_after: u32,
    /// For how many minutes.
    pub lock_min: i64,
    /// What the configuration says of each room.
    pub rooms: BTreeMap<RoomId, readiness::RoomCare>,
    /// Hours of the longest session that has to fit on every volume.
    pub longest_session_h: u64,
    /// Whom people may ask about recordings; on the room screen.
    pub contact: String,
    /// Whom to ask for proof from outside.
    pub outside: outside::OutsideSettings,
    /// The unit's own certificate and key, for CMS signatures of packages.
    pub unit_certificate: Option<(PathBuf, PathBuf)>,
    /// Minutes for which a password counts as just shown; approvals and exports ask for it anew after that.
    pub prove_min: i64,
    /// Roles that have to have a second factor.
    pub second_factor: Vec<Role>,
    /// The key that seals second factors; none: one among the recorder's keys.
    pub factor_key: Option<PathBuf>,
    /// The console's own address as browsers write it: passkeys and the single sign-on are bound to it.
    pub address: Option<String>,
    /// Single sign-on.
    pub sso: Option<sso::SsoSettings>,
    /// Notices by e-mail.
    pub mail: Option<mail::MailSettings>,
    /// The table of periods (第十八条).
    pub retention: Table,
    /// Portable devices and watched folders (第十四条).
    pub imports: imports::ImportSettings,
    /// Discs and removable disks.
    pub media: media::MediaSettings,
    /// Backups of the catalog.
    pub backup: backups::BackupSettings,
    /// The archive.
    pub archive: Option<archive::ArchiveSettings>,
    /// Who confirms holds of ground （四） (第十九条).
    pub holds: HoldRules,
    /// How equipment is looked after.
    pub equipment: equipment::EquipmentSettings,
    /// The identity that opens keys of encrypted footage; outside the volumes, read when it is needed.
    pub footage_identity: Option<PathBuf>,
    /// What alarms are told by.
    pub alarms: alarm_delivery::AlarmSettings,
}

/// All desks.
pub struct Desks {
    settings: in_force::InForce,
    recorder: Arc<Recorder>,
    acts: Acts,
    clock: Arc<dyn Clock>,
    viewings: viewing::Open,
    streams: streams::Streams,
    refusals: refusals::Refusals,
    steps: logins::Steps,
    last_known: last_known::LastKnown,
    strangers: logins::Strangers,
    challenges: factors::Challenges,
    factor_key: factor_secrets::FactorKey,
    sso: sso::Sso,
    copies: copies::Copies,
    measuring: loudness::Measuring,
    setup: setup::Setup,
    provisions: Arc<provision::Work>,
    /// One decision on a request at a time.
    requests_turn: tokio::sync::Mutex<()>,
    /// One change of a case at a time: each begins from what the one before it left.
    cases_turn: tokio::sync::Mutex<()>,
    machine: status::Watch,
    checked: readiness::Checked,
    alarms: alarms::Alarms,
    delivery: alarm_delivery::Delivery,
    connected: screens::Connected,
    outside: outside::Outside,
    packages: packages::Packages,
    clock_watch: clock_trust::ClockWatch,
    /// One step of a disposal at a time.
    disposals_turn: tokio::sync::Mutex<()>,
    /// Somebody has agreed to a disposal.
    disposal_agreed: Arc<tokio::sync::Notify>,
    arrivals: arrivals::Arrivals,
    receiving: handover::Receiving,
    media: discs::Jobs,
    /// Media of which a copy is to be read, as they were last counted.
    media_due: AtomicUsize,
    forecast: forecast::Forecast,
    backups: backups::Backups,
    archive: archive::Archive,
    equipment: equipment::Equipment,
}

impl Desks {
    /// Opens the desks.
    pub fn new(settings: Settings, recorder: Arc<Recorder>) -> Self {
        let shared = recorder.shared();
        let (acts, clock) = (shared.acts.clone(), shared.clock.clone());
        let volumes = shared.volumes.iter().map(|v| (v.name().to_owned(), v.place().root().to_owned())).collect();
        let machine = status::Watch::start(volumes, settings.reserve_bytes, clock.clone());
        let watched = &settings.imports;
        let state = settings.data.join("imports/folders.json");
        let folders = folders::Folders::open(watched.folders.clone(), watched.look, state);
        let arrivals = arrivals::Arrivals::start(&settings.data, shared.clone(), watched.devices.clone(), folders);
        let factor_key = factor_secrets::FactorKey::new(&settings.data, settings.factor_key.as_deref());
        let delivery = alarm_delivery::Delivery::new(&settings.alarms, settings.mail.as_ref());
        let archive = archive::Archive::open(settings.archive.as_ref(), clock.clone());
        Self {
            settings: in_force::InForce::new(settings),
            recorder,
            acts,
            clock,
            viewings: viewing::Open::default(),
            streams: streams::Streams::default(),
            refusals: refusals::Refusals::default(),
            steps: logins::Steps::default(),
            last_known: last_known::LastKnown::default(),
            strangers: logins::Strangers::default(),
            factor_key,
            challenges: factors::Challenges::default(),
            sso: sso::Sso::default(),
            copies: copies::Copies::default(),
            measuring: loudness::Measuring::default(),
            setup: setup::Setup::default(),
            provisions: Arc::default(),
            requests_turn: tokio::sync::Mutex::default(),
            cases_turn: tokio::sync::Mutex::default(),
            machine,
            checked: readiness::Checked::default(),
            alarms: alarms::Alarms::default(),
            delivery,
            connected: screens::Connected::default(),
            outside: outside::Outside::default(),
            packages: packages::Packages::default(),
            clock_watch: clock_trust::ClockWatch::default(),
            disposals_turn: tokio::sync::Mutex::default(),
            disposal_agreed: Arc::default(),
            arrivals,
            receiving: handover::Receiving::default(),
            media: discs::Jobs::default(),
            media_due: AtomicUsize::default(),
            forecast: forecast::Forecast::default(),
            backups: backups::Backups::default(),
            archive,
            equipment: equipment::Equipment::default(),
        }
    }

    /// This moment, by the machine's clock.
    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    fn now_ms(&self) -> i64 {
        self.clock.now().utc.timestamp_millis()
    }

    /// Reads the catalog off the async threads.
    async fn read<T: Send + 'static>(&self, work: impl FnOnce(&Reading) -> Result<T, Fault> + Send + 'static) -> Answer<T> {
        let catalog: Catalog = self.acts.catalog().clone();
        Ok(blocking("reading the catalog", move || catalog.read(work)).await??)
    }

    /// Whether the person's roles hold the act; a no is logged.
    fn need(&self, who: &Person, act: Act) -> Answer<()> {
        if who.may(act) { Ok(()) } else { Err(self.refused(who, Refusal::NotYourRole, act.as_str())) }
    }

    /// A session as the journal of its room or the catalog has it, if this person may know of it.
    async fn known(&self, who: &Person, id: &SessionId) -> Answer<SessionDoc> {
        let wanted = id.clone();
        let indexed = self.read(move |c| crate::catalog::sessions::by_id(c, &wanted)).await?;
        let running = self.recorder.open_session(id).map(|(_, s)| s);
        let doc = match (indexed, running) {
            // Its case may be listed narrowly, which the room was not told in time.
            (Some(doc), Some(session)) if doc.session.facts().restricted => SessionDoc { session: (*session).clone().narrowed(), ..doc },
            (Some(doc), Some(session)) => SessionDoc { session: (*session).clone(), ..doc },
            (Some(doc), None) => doc,
            // Not indexed yet: the catalog may lag behind the room.
            (None, Some(session)) => SessionDoc { session: (*session).clone(), folder: String::new() },
            (None, None) => return Err(Refusal::no_such("session", id.as_str()).into()),
        };
        // A person who may not know of it hears the same as if it were not there.
        if who.lists(&doc.session) { Ok(doc) } else { Err(self.refused(who, Refusal::no_such("session", id.as_str()), "session")) }
    }

    fn unit_name(&self, id: &UnitId) -> String {
        self.settings.units.iter().find(|(u, _)| u == id).map_or_else(|| id.to_string(), |(_, name)| name.clone())
    }

    fn footage(&self) -> PathBuf {
        self.recorder.shared().footage.clone()
    }
}

/// Runs file and hash work off the async threads.
async fn blocking<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> Answer<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| No::Fault(format!("{what} ended in an error")))
}
