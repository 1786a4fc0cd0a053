//! Taking in recordings of portable devices (第十四条): uploads that go on where they broke off, what came in, and corrections.

use crate::catalog::{imports as index, sessions};
use crate::desks::arrivals;
use crate::desks::folders::WatchedFolder;
use crate::desks::{Answer, Desks, blocking};
use crate::machine::volume;
use crate::model::entry::{Draft, EntryKind};
use crate::model::facts::Officer;
use crate::model::ids::{ImportId, SessionId, UnitId};
use crate::model::import::{Arrival, ArrivalState, DeviceClock, ImportForm, ImportWay};
use crate::model::people::{Act, Person, Role};
use crate::model::refusal::Refusal;
use crate::model::session::{Happening, Session, Stamp};
use crate::model::words::{self, BadField};
use crate::model::{handover, missing, step, time};
use crate::recorder::after_end;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use std::time::Duration;

/// The largest piece of an upload.
pub const PIECE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Uploads of one person that may be under way.
const OPEN_MAX: usize = 200;
/// Rows of the day's list.
const ROWS_MAX: u32 = 500;

/// A portable device of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct DevicePlace {
    /// 执法记录设备编号.
    pub number: String,
    /// Whose it is.
    pub unit: UnitId,
    /// What people call it.
    pub name: String,
    /// The zone in which its clock runs, where it is not the file's own.
    #[serde(skip)]
    pub clock: Option<DeviceClock>,
}

/// What taking in needs to know.
#[derive(Debug, Clone)]
pub struct ImportSettings {
    /// Portable devices.
    pub devices: Vec<DevicePlace>,
    /// Watched folders.
    pub folders: Vec<WatchedFolder>,
    /// How often they are looked into.
    pub look: Duration,
}

/// A file that somebody wants to hand in.
#[derive(Debug, Clone)]
pub struct NewImport {
    /// Its name.
    pub file_name: String,
    /// Its length.
    pub bytes: u64,
    /// When it was last written, as the browser says.
    pub file_time: Option<DateTime<Utc>>,
    /// What is said of it.
    pub form: ImportForm,
}

/// A recording that was taken in, in the day's list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ImportRow {
    /// The session.
    pub session: SessionId,
    /// The file's name at its source.
    pub file_name: String,
    /// `video`, `audio` or `picture`.
    pub footage: &'static str,
    /// How it came.
    pub way: &'static str,
    /// 执法记录设备编号; empty: not known.
    pub device: String,
    /// 使用时间.
    pub used_at: DateTime<Utc>,
    /// Whose word that is.
    pub used_from: &'static str,
    /// When it was taken in.
    pub taken_in_at: DateTime<Utc>,
    /// Length, ms.
    pub length_ms: u64,
    /// Size.
    pub bytes: u64,
    /// SHA-256 of what arrived.
    pub sha256: String,
    /// Which of the six fields of 第十七条 are open.
    pub lacks: Vec<&'static str>,
    /// Demands that are open in all.
    pub missing: usize,
}

/// The desk for taking in.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ImportsView {
    /// What is under way, or was refused lately.
    pub arrivals: Vec<Arrival>,
    /// What the unit took in today, newest first.
    pub today: Vec<ImportRow>,
    /// Portable devices of the unit.
    pub devices: Vec<DevicePlace>,
    /// Watched folders of the unit.
    #[schema(value_type = Vec<String>)]
    pub folders: Vec<std::path::PathBuf>,
}

/// A person as an officer of a recording.
pub(super) fn named(who: &Person) -> Officer {
    let (name, certificate_no, valid_until) = (who.name.clone(), who.certificate_no.clone(), who.certificate_until);
    Officer { name, certificate_no, valid_until, presentation: None, duty: None }
}

/// Checks what is said of a file besides its facts.
pub(super) fn check_form(form: &mut ImportForm, now: DateTime<Utc>) -> Result<(), Refusal> {
    let mut fields = Vec::new();
    let mut line =
        |name: &str, text: Option<&String>| text.map_or(Ok(None), |t| words::line(name, t)).map_err(|e| fields.push(e)).unwrap_or_default();
    let (device_no, used_reason) = (line("device_no", form.device_no.as_ref()), line("used_reason", form.used_reason.as_ref()));
    let clock = line("device_clock", form.device_clock.as_ref());
    (form.device_no, form.used_reason) = (device_no, used_reason);
    form.device_clock = clock.as_deref().and_then(DeviceClock::parse).map(|c| c.to_string());
    if clock.is_some() && form.device_clock.is_none() {
        fields.push(BadField::form("device_clock", "is no zone; UTC or +08:00 would be right"));
    }
    if form.used_at.is_some_and(|at| at > now) {
        fields.push(BadField::form("used_at", "is not behind its arrival"));
    }
    if form.used_at.is_some() && form.used_reason.is_none() {
        fields.push(BadField::form("used_reason", "say why the device's time is not right"));
    }
    if fields.is_empty() { Ok(()) } else { Err(Refusal::BadFields { fields }) }
}

impl Desks {
    fn own_unit(&self, who: &Person) -> Answer<UnitId> {
        let no = || Refusal::from(BadField::form("unit", "you belong to no unit; recordings belong to the unit that made them"));
        Ok(who.unit.clone().ok_or_else(no)?)
    }

    /// What is under way, and what came in today.
    pub async fn imports(&self, who: &Person) -> Answer<ImportsView> {
        self.need(who, Act::ImportRecording)?;
        let unit = self.own_unit(who)?;
        let midnight = time::shanghai_midnight(time::shanghai_day(self.now().utc)).timestamp_millis();
        let wanted = unit.clone();
        let came = self.read(move |c| index::since(c, wanted.as_str(), midnight, ROWS_MAX)).await?;
        let today = came.iter().filter(|s| who.lists(s)).filter_map(row).collect();
        let mut arrivals = self.arrivals.all();
        // Others' uploads are theirs; what a folder brought is the unit's.
        arrivals.retain(|a| a.state != ArrivalState::TakenIn && (a.by == who.id || (a.way == ImportWay::Folder && a.unit == unit)));
        arrivals.sort_by_key(|a| std::cmp::Reverse(a.begun_at));
        for arrival in &mut arrivals {
            *arrival = self.told(who, arrival.clone()).await?;
        }
        let devices = self.settings.imports.devices.iter().filter(|d| d.unit == unit).cloned().collect();
        let folders = self.settings.imports.folders.iter().filter(|f| f.unit == unit).map(|f| f.path.clone()).collect();
        Ok(ImportsView { arrivals, today, devices, folders })
    }

    /// Where a known file lies is told to who may know of it.
    async fn told(&self, who: &Person, arrival: Arrival) -> Answer<Arrival> {
        let Some(known) = arrival.session.clone().filter(|_| arrival.state == ArrivalState::Known) else { return Ok(arrival) };
        let doc = self.read(move |c| sessions::by_id(c, &known)).await?;
        let session = doc.filter(|d| who.lists(&d.session)).map(|d| d.session.id);
        Ok(Arrival { session, ..arrival })
    }

    /// Begins an upload, or goes on with one of the same file.
    pub async fn begin_import(&self, who: &Person, new: NewImport) -> Answer<Arrival> {
        self.need(who, Act::ImportRecording)?;
        let unit = self.own_unit(who)?;
        let plain = new.file_name.rsplit(['/', '\\']).next().unwrap_or_default();
        let file_name = words::needed_line("name", plain).map_err(Refusal::from)?;
        if new.bytes == 0 {
            return Err(Refusal::from(BadField::form("bytes", "has no bytes")).into());
        }
        let mut form = new.form;
        check_form(&mut form, self.now().utc)?;
        form.facts = self.complete(form.facts).await?;
        let all = self.arrivals.all();
        if let Some(same) = all.iter().find(|a| a.is_same_upload(&who.id, &file_name, new.bytes, new.file_time)) {
            let again = Arrival { form, ..same.clone() };
            let (kept, desk) = (again.clone(), self.arrivals.clone());
            blocking("an upload", move || desk.put(kept)).await??;
            return Ok(again);
        }
        let open = all.iter().filter(|a| a.by == who.id && a.state == ArrivalState::Receiving);
        let (count, coming) = open.fold((0, 0_u64), |(n, sum), a| (n + 1, sum.saturating_add(a.bytes - a.received.min(a.bytes))));
        if count >= OPEN_MAX {
            return Err(Refusal::TooMany { running: count }.into());
        }
        let (data, reserve) = (self.settings.data.clone(), self.settings.reserve_bytes);
        let free = blocking("measuring the volume", move || volume::room(&data)).await??.free;
        // What is recorded in the rooms keeps its reserve.
        if free < new.bytes.saturating_add(coming).saturating_add(reserve) {
            return Err(Refusal::from(BadField::form("bytes", "does not fit beside what is kept free for recording")).into());
        }
        let now = self.now().utc;
        let arrival = arrivals::arrival(
            arrivals::new_id(now)?,
            who.id.clone(),
            unit,
            ImportWay::Browser,
            (file_name, new.bytes, new.file_time),
            form,
            now,
        );
        let (kept, desk) = (arrival.clone(), self.arrivals.clone());
        blocking("an upload", move || desk.put(kept)).await??;
        Ok(arrival)
    }

    fn own_arrival(&self, who: &Person, id: &ImportId) -> Answer<Arrival> {
        self.need(who, Act::ImportRecording)?;
        let found = self.arrivals.get(id).filter(|a| a.by == who.id || (a.way == ImportWay::Folder && who.unit.as_ref() == Some(&a.unit)));
        found.ok_or_else(|| Refusal::no_such("import", id.as_str()).into())
    }

    /// One's own.
    pub async fn import(&self, who: &Person, id: &ImportId) -> Answer<Arrival> {
        let arrival = self.own_arrival(who, id)?;
        self.told(who, arrival).await
    }

    /// A piece of one; it is durable when this answers. With the last one the file is examined.
    pub async fn add_piece(&self, who: &Person, id: &ImportId, offset: u64, piece: Bytes) -> Answer<Arrival> {
        let arrival = self.own_arrival(who, id)?;
        if arrival.state != ArrivalState::Receiving || offset != arrival.received {
            return Err(Refusal::WrongOffset { received: arrival.received }.into());
        }
        if piece.is_empty() || offset.saturating_add(piece.len() as u64) > arrival.bytes {
            return Err(Refusal::BadUpload { problem: "more bytes came than were said".into() }.into());
        }
        let (desk, wanted) = (self.arrivals.clone(), id.clone());
        let written = blocking("a piece of an upload", move || {
            let bytes = desk.append(&wanted, offset, &piece)?;
            if bytes == Some(arrival.bytes) {
                desk.arrived(&wanted)?;
            }
            Ok::<_, crate::machine::fault::Fault>(bytes)
        })
        .await??;
        let now = self.own_arrival(who, id)?;
        match written {
            Some(_) => self.told(who, now).await,
            None => Err(Refusal::WrongOffset { received: now.received }.into()),
        }
    }

    /// Gives up an upload, or takes a line that was read off the list.
    pub async fn cancel_import(&self, who: &Person, id: &ImportId) -> Answer<()> {
        let arrival = self.own_arrival(who, id)?;
        if !matches!(arrival.state, ArrivalState::Receiving | ArrivalState::Known | ArrivalState::Refused | ArrivalState::TakenIn) {
            return Err(Refusal::WrongOffset { received: arrival.received }.into());
        }
        if arrival.state == ArrivalState::Receiving {
            let draft = Draft::new(EntryKind::ImportCancelled).by(&who.id).about("import", id).about("received", arrival.received);
            self.acts.log_then_do(draft.text("file_name", Some(&arrival.file_name)), |_| Ok(())).await?;
        }
        let (desk, id) = (self.arrivals.clone(), id.clone());
        Ok(blocking("giving up an upload", move || desk.give_up(&id)).await??)
    }

    /// Tries once more what the machine failed at.
    pub async fn retry_import(&self, who: &Person, id: &ImportId) -> Answer<Arrival> {
        let arrival = self.own_arrival(who, id)?;
        if arrival.state == ArrivalState::Failed {
            let (desk, id) = (self.arrivals.clone(), id.clone());
            blocking("an upload", move || desk.arrived(&id)).await??;
        }
        self.own_arrival(who, id)
    }

    /// Corrects the device's number or the time of use of something that was taken in; what was sealed stays beside it.
    pub async fn correct_import(
        &self,
        who: &Person,
        session: &SessionId,
        device_no: Option<&str>,
        used_at: Option<DateTime<Utc>>,
        reason: &str,
    ) -> Answer<Session> {
        self.need(who, Act::LinkSession)?;
        let doc = self.known(who, session).await?;
        let device_no = device_no.map_or(Ok(None), |t| words::line("device_no", t)).map_err(Refusal::from)?;
        let reason = words::needed_text("reason", reason).map_err(Refusal::from)?;
        if device_no.is_none() && used_at.is_none() {
            return Err(Refusal::from(BadField::form("device_no", "say what is to be corrected: the number, the time, or both")).into());
        }
        let latest = doc.session.imported.as_ref().map(|i| i.taken_in_at).ok_or_else(|| Refusal::no_such("import", session.as_str()))?;
        if used_at.is_some_and(|at| at > latest) {
            return Err(Refusal::from(BadField::form("used_at", "is not behind its arrival")).into());
        }
        let draft = Draft::new(EntryKind::SessionCorrected)
            .by(&who.id)
            .in_session(session)
            .about("used_at", used_at.map(|at| at.to_rfc3339()).unwrap_or_default())
            .about("device_no", device_no.clone().unwrap_or_default())
            .text("reason", Some(&reason));
        let happening = Happening::Corrected { device_no, used_at, reason, by: who.id.clone() };
        self.log_then_write(session, happening, draft).await
    }

    /// A line behind a sealed session's journal, with its entry durable first: what the rules refuse is not logged as done.
    pub(super) async fn log_then_write(&self, session: &SessionId, happening: Happening, draft: Draft) -> Answer<Session> {
        let wanted = session.clone();
        let doc = self.read(move |c| sessions::by_id(c, &wanted)).await?.ok_or_else(|| Refusal::no_such("session", session.as_str()))?;
        step::step(&doc.session, &happening, Stamp { at: self.now().utc, at_ms: 0 })?;
        self.acts.log_then_do(draft, |_| Ok(())).await?;
        let (shared, folder) = (self.recorder.shared().clone(), self.footage().join(doc.folder));
        let written = blocking("a line of the journal", move || after_end::logged(&shared, &folder, &happening)).await??;
        self.indexed().await;
        Ok(written?)
    }

    /// What a form for taking in begins with: an officer is named on what they hand in.
    pub fn import_defaults(&self, who: &Person) -> ImportForm {
        let mut form = ImportForm::default();
        if who.is(Role::Officer) {
            form.facts.officers.push(named(who));
        }
        form
    }
}

fn row(s: &Session) -> Option<ImportRow> {
    let i = s.imported.as_ref()?;
    Some(ImportRow {
        session: s.id.clone(),
        file_name: i.file_name.clone(),
        footage: i.footage.as_str(),
        way: i.way.as_str(),
        device: s.device_numbers().join("、"),
        used_at: s.used_at(),
        used_from: if s.corrections.iter().any(|c| c.used_at.is_some()) { "corrected" } else { i.used_from.as_str() },
        taken_in_at: i.taken_in_at,
        length_ms: s.length_ms.unwrap_or(0),
        bytes: s.segments.iter().map(|s| s.bytes).sum(),
        sha256: i.sha256.clone(),
        lacks: handover::lacks(s),
        missing: missing::of(s).len(),
    })
}

/// What a device's clock said, beside what it was placed at, for the page: more than a minute apart is worth a word.
pub fn apart(session: &Session) -> Option<DateTime<Utc>> {
    let said = session.imported.as_ref()?.device_time?;
    ((session.used_at() - said).abs() > TimeDelta::minutes(1)).then_some(said)
}
