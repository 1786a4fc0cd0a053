//! Entries of the custody log (监管日志): identifiers and digests only. Names and reasons lie in the catalog, bound to the
//! entry by salted digests, so that the log can be shown to outsiders and a name be forgotten without breaking the log.

use crate::model::people::words;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

words!(
    /// Kinds of entries. Kinds are added, never changed.
    EntryKind {
        /// The log was opened; the first entry of a log.
        LogOpened = "log_opened",
        /// The signing key was followed by another one.
        KeyFollowed = "key_followed",
        /// A timestamp came from outside.
        Timestamped = "timestamped",
        /// A file is not what was recorded, or is gone.
        DamageFound = "damage_found",
        /// It was brought back from another copy.
        DamageRepaired = "damage_repaired",
        /// Every file of a volume was read once more.
        ScrubCompleted = "scrub_completed",
        /// A package for hand-over was given out.
        PackageTaken = "package_taken",
        /// The recorder started.
        RecorderStarted = "recorder_started",
        /// The recorder stopped in good order.
        RecorderStopped = "recorder_stopped",
        /// A session started.
        SessionStarted = "session_started",
        /// A mark was set.
        MarkSet = "mark_set",
        /// People interrupted.
        SessionInterrupted = "session_interrupted",
        /// People resumed.
        SessionResumed = "session_resumed",
        /// The recorder resumed a session after a restart.
        SessionRecovered = "session_recovered",
        /// A session ended.
        SessionEnded = "session_ended",
        /// A session was sealed.
        SessionSealed = "session_sealed",
        /// A session was linked anew.
        SessionLinked = "session_linked",
        /// A session was sealed in the middle.
        InterimSealed = "interim_sealed",
        /// A line of an interview record says something else.
        RecordCorrected = "record_corrected",
        /// A page of an interview record was signed, or not.
        RecordSigned = "record_signed",
        /// A demand was answered.
        DemandAnswered = "demand_answered",
        /// A session was planned.
        SessionPlanned = "session_planned",
        /// A plan was called off.
        PlanCalledOff = "plan_called_off",
        /// A case was opened.
        CaseOpened = "case_opened",
        /// A case is something else than was entered.
        CaseChanged = "case_changed",
        /// A case was begun where no form is needed.
        CaseBegun = "case_begun",
        /// A text record was added to a case.
        TextRecordAdded = "text_record_added",
        /// A file was put beside a text record.
        CaseDocumentAttached = "case_document_attached",
        /// A file of a case was read.
        CaseDocumentRead = "case_document_read",
        /// A case was begun urgently, before its form.
        UrgentStart = "urgent_start",
        /// An initiation form was handed in.
        InitiationSubmitted = "initiation_submitted",
        /// The bureau head decided on it.
        InitiationDecided = "initiation_decided",
        /// A case was closed.
        CaseClosed = "case_closed",
        /// A case was archived.
        CaseArchived = "case_archived",
        /// People are talking in a room and nothing is recorded.
        RoomInUse = "room_in_use",
        /// Somebody answered that alarm.
        AlarmAcknowledged = "alarm_acknowledged",
        /// A link to a room screen was made.
        ScreenLinkMade = "screen_link_made",
        /// A link to a room screen was ended.
        ScreenLinkEnded = "screen_link_ended",
        /// A camera's recording stopped in a session.
        CameraLost = "camera_lost",
        /// A volume does not take what is recorded.
        VolumeFailed = "volume_failed",
        /// It takes it again.
        VolumeBack = "volume_back",
        /// A file that was not the same on both volumes, and what was done.
        VolumesReconciled = "volumes_reconciled",
        /// The clock was stepped.
        ClockStepped = "clock_stepped",
        /// Access was requested.
        AccessRequested = "access_requested",
        /// A request was approved.
        AccessApproved = "access_approved",
        /// A request was refused.
        AccessRejected = "access_rejected",
        /// A grant was revoked.
        AccessRevoked = "access_revoked",
        /// A viewing began.
        ViewingOpened = "viewing_opened",
        /// A viewing ended, with the seconds seen.
        ViewingClosed = "viewing_closed",
        /// A copy was taken.
        CopyTaken = "copy_taken",
        /// Live pictures were opened.
        LiveOpened = "live_opened",
        /// A person was refused.
        Refused = "refused",
        /// Somebody signed in.
        SignedIn = "signed_in",
        /// A sign-in failed.
        SignInFailed = "sign_in_failed",
        /// Somebody signed out.
        SignedOut = "signed_out",
        /// An account was made.
        AccountMade = "account_made",
        /// An account was ended.
        AccountEnded = "account_ended",
        /// A password was changed.
        PasswordChanged = "password_changed",
        /// A document was attached to a session.
        DocumentAttached = "document_attached",
        /// A request was withdrawn, or a grant given back.
        AccessClosed = "access_closed",
        /// An account's roles, units or days were changed.
        AccountChanged = "account_changed",
        /// A login was ended from a list.
        LoginEnded = "login_ended",
        /// Somebody showed their password or key again, for an approval or an export.
        ProvedAgain = "proved_again",
        /// A second factor or a passkey was set up.
        FactorAdded = "factor_added",
        /// It was taken away.
        FactorRemoved = "factor_removed",
        /// A token for another system was made.
        TokenMade = "token_made",
        /// It was ended.
        TokenEnded = "token_ended",
        /// A leader named a deputy.
        DeputyNamed = "deputy_named",
        /// A deputy's authorisation was ended early.
        DeputyEnded = "deputy_ended",
        /// A still picture was given out.
        StillTaken = "still_taken",
        /// A viewing copy was ordered.
        CopyOrdered = "copy_ordered",
        /// It was made; with its digest.
        CopyMade = "copy_made",
        /// It was stopped.
        CopyCancelled = "copy_cancelled",
        /// A letter that asks for material was entered (第二十一条).
        ProvisionReceived = "provision_received",
        /// Its packages were built.
        ProvisionPrepared = "provision_prepared",
        /// Somebody who leads agreed to it.
        ProvisionApproved = "provision_approved",
        /// Material was handed over.
        ProvisionHandedOver = "provision_handed_over",
        /// What was kept of it was read and found whole.
        RetainedVerified = "retained_verified",
        /// A provision was closed.
        ProvisionClosed = "provision_closed",
        /// A session may not be given up (第十九条).
        Held = "held",
        /// A hold was confirmed.
        HoldConfirmed = "hold_confirmed",
        /// Somebody asked to lift a hold.
        HoldLiftProposed = "hold_lift_proposed",
        /// That was refused.
        HoldLiftRefused = "hold_lift_refused",
        /// A hold was lifted.
        HoldLifted = "hold_lifted",
        /// A session without a case was said to be routine (第十八条).
        DeclaredRoutine = "declared_routine",
        /// An appraisal keeps a session longer.
        RetentionExtended = "retention_extended",
        /// The table of periods is another one (第二十四条).
        RetentionTable = "retention_table",
        /// A disposal was proposed (第十八条).
        DisposalProposed = "disposal_proposed",
        /// Another person agreed.
        DisposalApproved = "disposal_approved",
        /// Another person did not agree.
        DisposalRefused = "disposal_refused",
        /// A session was given up.
        SessionDisposed = "session_disposed",
        /// Its files are gone from every volume.
        DisposalExecuted = "disposal_executed",
        /// The clock is in doubt: nothing is given up.
        ClockDoubted = "clock_doubted",
        /// Somebody said that the date is right.
        ClockConfirmed = "clock_confirmed",
        // --- taking in and handing over (第十四条)
        /// A recording of a portable device was taken in.
        RecordingTakenIn = "recording_taken_in",
        /// A file was not taken in: it is no recording.
        ImportRefused = "import_refused",
        /// A file had been taken in before.
        ImportKnown = "import_known",
        /// An upload was given up.
        ImportCancelled = "import_cancelled",
        /// A device's number or a time of use was corrected.
        SessionCorrected = "session_corrected",
        /// A session was handed to a custodian.
        SessionHandedOver = "session_handed_over",
        /// The custodian gave the receipt.
        SessionReceived = "session_received",
        /// A portable device was checked out.
        DeviceCheckedOut = "device_checked_out",
        /// It was said to hold nothing, with a reason.
        DeviceWithoutMaterial = "device_without_material",
        // --- media (第十九条) and backups of the catalog
        /// A medium was ordered.
        MediumOrdered = "medium_ordered",
        /// What goes onto it was put together; with the digest of its list of contents.
        MediumMade = "medium_made",
        /// That failed or was stopped.
        MediumNotMade = "medium_not_made",
        /// A copy of it was begun: burning, or copying to a disk.
        MediumCopyBegun = "medium_copy_begun",
        /// A copy was not written, or not read back as it has to be.
        MediumCopyFailed = "medium_copy_failed",
        /// A copy was read back and is what it has to be.
        MediumCopyVerified = "medium_copy_verified",
        /// A check read a copy; what it found.
        MediumChecked = "medium_checked",
        /// A copy lies elsewhere, was replaced, or was taken out of the register.
        MediumChanged = "medium_changed",
        /// A backup of the catalog was made and restored on trial.
        BackupMade = "backup_made",
        /// That failed.
        BackupFailed = "backup_failed",
        /// The catalog was taken from a backup.
        CatalogRestored = "catalog_restored",
        // The archive.
        /// A session, a case or a provision lies in the archive, read back and locked.
        Archived = "archived",
        /// Its locks there were made longer, or a hold was put on them or taken off.
        ArchiveRelocked = "archive_relocked",
        /// What lies in the archive was read again.
        ArchiveVerified = "archive_verified",
        /// An object there is not what was put, or is gone.
        ArchiveDamaged = "archive_damaged",
        /// It was put again from the copy here.
        ArchiveRepaired = "archive_repaired",
        /// The copy of a session's footage here was given up; the archive has it.
        LocalCopyReleased = "local_copy_released",
        /// It was brought back from the archive.
        LocalCopyBack = "local_copy_back",
        /// A session that was given up is to go from the archive too, when its locks end.
        ArchiveDisposalDue = "archive_disposal_due",
        /// It is gone from the archive.
        ArchiveDisposed = "archive_disposed",
        // Closing a disposal, and what stayed of a provision.
        /// A disposal was closed: of every copy on discs and disks it is known what became of it.
        DisposalClosed = "disposal_closed",
        /// The copy that stayed of what was provided went with its session.
        RetainedDisposed = "retained_disposed",
        /// Versions that others had long taken the place of went from the archive, their locks over.
        ArchiveSuperseded = "archive_superseded",
        // --- equipment (第十五条, 第十六条)
        /// A device came into the register.
        DeviceRegistered = "device_registered",
        /// What is known of it was changed, it was maintained, or it is out of the register.
        DeviceChanged = "device_changed",
        /// The machine sees a fault of a device.
        FaultSeen = "fault_seen",
        /// It does not see it any more.
        FaultOver = "fault_over",
        /// A person reported a fault: the device is out of use.
        FaultReported = "fault_reported",
        /// A fault went a step further: report, repair, retest, back in service.
        FaultStep = "fault_step",
        /// A camera was tried before it is saved.
        CameraTried = "camera_tried",
        /// A camera was added at the console.
        CameraAdded = "camera_added",
        /// It was taken away there.
        CameraRemoved = "camera_removed",
        /// Cameras were looked for on the network, or one was asked for its particulars.
        CameraAsked = "camera_asked",
        /// A camera's clock was set.
        CameraClockSet = "camera_clock_set",
        /// The configuration was read again: what of it is in force, and what waits.
        ConfigurationTaken = "configuration_taken",
        // --- footage at rest
        /// A key was made, and a session's footage is encrypted by it.
        SessionKeyMade = "session_key_made",
        /// No key could be made: footage lies in the clear, though it was to be encrypted.
        NotEncrypted = "not_encrypted",
        /// The keys of sessions were wrapped for other recipients.
        KeysRewrapped = "keys_rewrapped",
        // --- alarms
        /// Something is wrong with the machine, a camera or a volume.
        AlarmRaised = "alarm_raised",
        /// It is over.
        AlarmCleared = "alarm_cleared",
        // --- the first run
        /// Somebody said that a step of the first run, or all of it, is not wanted here, or that it is; or the machine saw one happen.
        WalkthroughSaid = "walkthrough_said",
        // --- a provision that came to nothing (第二十一条)
        /// Who leads did not agree to it.
        ProvisionRejected = "provision_rejected",
        /// Who entered it took it back before anybody had agreed.
        ProvisionWithdrawn = "provision_withdrawn",
    }
);

/// One entry, as it stands in the log in RFC 8785 form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Entry {
    /// 0 for the first.
    pub index: u64,
    /// Wall clock, UTC, RFC 3339 with milliseconds.
    pub at: String,
    /// What happened.
    pub kind: EntryKind,
    /// By whom: an account, or none for the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// In which session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Identifiers and figures: request, camera, seal code, seconds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub about: BTreeMap<String, String>,
    /// Salted SHA-256 digests of texts that lie in the catalog.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bound: BTreeMap<String, String>,
}

/// What somebody wants logged; the log adds index, time and digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What happened.
    pub kind: EntryKind,
    /// By whom.
    pub actor: Option<String>,
    /// In which session.
    pub session: Option<String>,
    /// Identifiers and figures.
    pub about: BTreeMap<String, String>,
    /// Texts that must not stand in the log itself.
    pub texts: BTreeMap<String, String>,
}

impl Draft {
    /// An entry of a kind, about nothing yet.
    pub fn new(kind: EntryKind) -> Self {
        Self { kind, actor: None, session: None, about: BTreeMap::new(), texts: BTreeMap::new() }
    }
    /// By whom.
    #[must_use]
    pub fn by(mut self, actor: &impl ToString) -> Self {
        self.actor = Some(actor.to_string());
        self
    }
    /// In which session.
    #[must_use]
    pub fn in_session(mut self, session: &impl ToString) -> Self {
        self.session = Some(session.to_string());
        self
    }
    /// An identifier or figure.
    #[must_use]
    pub fn about(mut self, name: &str, value: impl ToString) -> Self {
        self.about.insert(name.into(), value.to_string());
        self
    }
    /// A text that is only bound.
    #[must_use]
    pub fn text(mut self, name: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.texts.insert(name.into(), value.into());
        }
        self
    }
}
