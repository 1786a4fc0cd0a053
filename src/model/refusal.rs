//! `Refusal`: a rule said no. Shown to a person, in both languages, with the article where there is one; logged.

use crate::model::words::BadField;
use strum::{IntoStaticStr, VariantNames};

/// Why a request of a person was refused by a rule.
///
/// Its word ([`Refusal::word`]) is the variant's name, and stands in logs that are kept: a variant is never renamed.
#[derive(Debug, Clone, PartialEq, Eq, IntoStaticStr, VariantNames, thiserror::Error)]
#[strum(serialize_all = "snake_case")]
pub enum Refusal {
    /// Nobody is signed in.
    #[error("sign in first")]
    NotSignedIn,
    /// The name or the password is wrong; which of them is not told.
    #[error("name or password is wrong")]
    WrongCredentials,
    /// Too many wrong passwords; the account is locked for a while.
    #[error("locked after repeated failures; try again in {minutes} min")]
    LockedOut {
        /// Minutes until the next try is taken.
        minutes: i64,
    },
    /// The person's roles do not hold this act.
    #[error("none of your roles may do this")]
    NotYourRole,
    /// Footage without a live approval (第二十二条).
    #[error("no live approval covers this footage (第二十二条)")]
    NoGrant,
    /// The grant is for looking only; a copy needs one of its own.
    #[error("the approval is for viewing, not for a copy (第二十二条)")]
    ViewOnly,
    /// The approval is for copies in which bystanders are masked.
    #[error("the approval is for masked copies: originals and packages are not part of it (第二十二条)")]
    MaskedOnly,
    /// The password was right, and the second factor is asked for.
    #[error("enter the code of your authenticator")]
    CodeNeeded,
    /// This has to be confirmed by password, code or key: the last time was too long ago.
    #[error("confirm that it is you: enter your password again")]
    ProveAgain,
    /// This needs a second factor, and the account has none.
    #[error("set up a second factor first")]
    FactorNeeded,
    /// Somebody else chose the password: it has to be changed before anything else.
    #[error("change the password that somebody else chose first")]
    PasswordDue,
    /// A password that somebody else chose was not changed in time.
    #[error("the first password was not changed in time; ask the administrator for a new one")]
    FirstPasswordOver,
    /// The provision is not in a state in which this can be done.
    #[error("the provision is {state}; this cannot be done to it now")]
    ProvisionState {
        /// The state that it is in.
        state: String,
    },
    /// What a provision cannot be closed without (第二十一条).
    #[error("still missing: {}", missing.join(", "))]
    ProvisionOpen {
        /// Words of what is missing.
        missing: Vec<String>,
    },
    /// So many jobs run that recording could suffer.
    #[error("{running} jobs are running; wait until one has ended")]
    TooMany {
        /// How many.
        running: usize,
    },
    /// Nobody decides on their own request (第二十二条).
    #[error("nobody decides on their own request (第二十二条)")]
    OwnRequest,
    /// The request is not in a state in which this can be done.
    #[error("the request is {state}; this cannot be done to it now")]
    RequestState {
        /// The state that it is in.
        state: String,
    },
    /// A refusal of a request without a reason.
    #[error("give a reason")]
    ReasonNeeded,
    /// The case is not in a state in which this can be done.
    #[error("the case is {state}; this cannot be done to it now")]
    CaseState {
        /// The state that it is in.
        state: String,
    },
    /// An ordinary procedure ex officio begins by the approved form (第五条).
    #[error("this begins by the initiation form, approved by the bureau head; or urgently, with the form within 24 hours (第五条)")]
    FormNeeded,
    /// Nobody approves the form that they handed in (第五条).
    #[error("nobody approves a form that they handed in themselves (第五条)")]
    OwnForm,
    /// A file with open demands is not archived; 原因未说明 is an answer.
    #[error("{open} demands are open; answer each before archiving")]
    DemandsOpen {
        /// How many.
        open: usize,
    },
    /// What can only be there, and not be said to be there: nothing is signed without a signer (第六条).
    #[error("this is answered by entering it, not by saying that it was done")]
    DatumNeeded,
    /// No seal could be made now; recording goes on.
    #[error("no seal can be made now; recording goes on")]
    NotSealable,
    /// An interview record takes no more lines.
    #[error("the interview record is full; end this session and go on in another")]
    RecordFull,
    /// The session is not in a state in which this can be done.
    #[error("the session is {state}; this cannot be done to it now")]
    SessionState {
        /// The state that it is in.
        state: String,
    },
    /// One open session a room.
    #[error("the room already has an open session: {session}")]
    RoomBusy {
        /// The open one.
        session: String,
    },
    /// There is no such thing, or the person may not know that there is.
    #[error("there is no {what} {id:?} that you may see")]
    NoSuch {
        /// The kind of thing: `room`, `session`, `request`, …
        what: &'static str,
        /// What was asked for, cut to 80 characters.
        id: String,
    },
    /// Fields that are not right; all of them.
    #[error("{}", fields.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    BadFields {
        /// Each with its problem.
        fields: Vec<BadField>,
    },
    /// The request did not come from a page of this console (CSRF).
    #[error("this request did not come from a page of this console; reload and try again")]
    CrossSite,
    /// The hold is not in a state in which this can be said of it.
    #[error("the hold is {state}; this cannot be done to it now")]
    HoldState {
        /// The state that it is in.
        state: String,
    },
    /// Nobody confirms or lifts what they asked for themselves (第十九条).
    #[error("another person has to decide on this (第十九条)")]
    OwnHold,
    /// What it hangs on is not over (第十九条).
    #[error("what it hangs on, a proceeding or a provision, is not over (第十九条)")]
    HoldPending,
    /// The disposal is not in a state in which this can be done.
    #[error("the disposal is {state}; this cannot be done to it now")]
    DisposalState {
        /// The state that it is in.
        state: String,
    },
    /// Nobody agrees to a disposal that they proposed (第十八条).
    #[error("another person has to agree to this disposal (第十八条)")]
    OwnDisposal,
    /// Something keeps a session from being given up (第十八条, 第十九条).
    #[error("{session} cannot be given up: {}", obstacles.join(", "))]
    NotDisposable {
        /// Which.
        session: String,
        /// In words of `model::disposal::Obstacle`.
        obstacles: Vec<String>,
    },
    /// The medium is not in a state in which this can be done.
    #[error("the medium is {state}; this cannot be done to it now")]
    MediumState {
        /// The state that it is in.
        state: String,
    },
    /// What shall be written does not fit where it shall lie.
    #[error("{needed_mb} MB are needed, and {free_mb} MB are free beside the reserve")]
    NoRoom {
        /// MB of 10^6 bytes.
        needed_mb: u64,
        /// The same.
        free_mb: u64,
    },
    /// An upload that is not what it has to be.
    #[error("the file is not usable: {problem}")]
    BadUpload {
        /// What is wrong and what would be right.
        problem: String,
    },
    /// Who hands over does not give the receipt (第十四条).
    #[error("the one who handed over cannot give the receipt: two people (第十四条)")]
    SamePerson,
    /// The six fields of 第十七条 are complete before the custodian's receipt.
    #[error("before the receipt is given, these have to be complete (第十七条): {}", missing.join(", "))]
    FieldsOpen {
        /// Words of what is missing.
        missing: Vec<String>,
    },
    /// A piece of an upload that does not follow what has arrived.
    #[error("{received} bytes have arrived; go on from there")]
    WrongOffset {
        /// How many have arrived.
        received: u64,
    },
    /// The copy of a medium is not as it would have to be for this.
    #[error("the copy is {standing}; this cannot be done to it now")]
    CopyStanding {
        /// How it stands.
        standing: String,
    },
    /// Copies on discs and disks are neither destroyed nor left by somebody's word (第十八条).
    #[error("these copies are not destroyed; destroy and enter them, or say why they stay: {}", copies.join(", "))]
    CopiesLeft {
        /// Medium and number of each.
        copies: Vec<String>,
    },
    /// A device that is out of use takes no session (第十六条).
    #[error("out of use until a retest has passed (第十六条): {}", devices.join(", "))]
    OutOfUse {
        /// Numbers of the devices, each with the reason.
        devices: Vec<String>,
    },
    /// The fault is not in a state in which this can be done.
    #[error("the fault is {state}; this cannot be done to it now")]
    FaultState {
        /// The state that it is in.
        state: String,
    },
    /// A camera did not give what it has to give before it can be saved.
    #[error("the camera gives no pictures: {problem}")]
    CameraFails {
        /// What it said, or what did not come.
        problem: String,
    },
    /// Footage is encrypted, and what opens it is not there: recording goes on, looking does not.
    #[error("this footage is encrypted, and its key is not at hand; recording goes on")]
    FootageShut,
    /// The link of a room's screen, of its lamp or of the wall holds no more, or is none.
    #[error("this link was ended, or its address is not whole; the office makes a new one")]
    ScreenLinkOver,
}

impl Refusal {
    /// Its word, as the log and the console's texts have it: `no_grant`. The API writes it with hyphens.
    pub fn word(&self) -> &'static str {
        self.into()
    }

    /// All words.
    pub const WORDS: &[&str] = Self::VARIANTS;

    /// The article of the regulation that the rule comes from, where there is one.
    pub fn article(&self) -> Option<&'static str> {
        match self {
            Self::DatumNeeded => Some("第六条"),
            Self::FormNeeded | Self::OwnForm => Some("第五条"),
            Self::ProvisionOpen { .. } => Some("第二十一条"),
            Self::OwnHold | Self::HoldPending => Some("第十九条"),
            Self::OwnDisposal | Self::NotDisposable { .. } | Self::CopiesLeft { .. } => Some("第十八条"),
            Self::SamePerson => Some("第十四条"),
            Self::FieldsOpen { .. } => Some("第十七条"),
            Self::OutOfUse { .. } => Some("第十六条"),
            Self::NoGrant | Self::ViewOnly | Self::MaskedOnly | Self::OwnRequest => Some("第二十二条"),
            _ => None,
        }
    }

    /// A thing that is not there, or not for this person's eyes.
    pub fn no_such(what: &'static str, id: &str) -> Self {
        Self::NoSuch { what, id: id.chars().take(80).collect() }
    }
}

impl From<BadField> for Refusal {
    fn from(field: BadField) -> Self {
        Self::BadFields { fields: vec![field] }
    }
}
