//! Which error type where: handlers of the API answer [`ApiResult`], whose [`ApiError`] is a [`Problem`] on the wire; handlers of
//! pages answer a response, and `pages::no_page` makes a page of the same problem; what an extractor cannot read is a `BadFields`.
//!
//! How a no is told. `Refusal` (a rule) keeps its words and its article; `No::Fault` (the machine) is logged here, once, and
//! shown as a general sentence with a reference. Nothing of the inside reaches a person.

use crate::desks::No;
use crate::model::digest;
use crate::model::refusal::Refusal;
use crate::model::words::{BadField, FieldProblem};
use crate::web::i18n::Lang;
use axum::Json;
use axum::extract::multipart::MultipartRejection;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};

/// A no as the API tells it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// Which rule, in one word.
    pub code: String,
    /// In Chinese.
    pub message: String,
    /// In English.
    pub message_en: String,
    /// The article that the rule comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub article: Option<&'static str>,
    /// Fields that are not right.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    pub fields: Vec<BadField>,
}

/// The API's error: turns every no into a [`Problem`].
#[derive(Debug)]
pub struct ApiError(pub No);

impl<E: Into<No>> From<E> for ApiError {
    fn from(no: E) -> Self {
        Self(no.into())
    }
}

/// What API handlers answer.
pub type ApiResult<T> = Result<T, ApiError>;

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, problem) = problem(&self.0);
        (status, Json(problem)).into_response()
    }
}

/// A no, told in both languages, with its status.
pub fn problem(no: &No) -> (StatusCode, Problem) {
    match no {
        No::Refusal(refusal) => {
            let fields = if let Refusal::BadFields { fields } = refusal { fields.clone() } else { vec![] };
            let (message, message_en) = (text(refusal, Lang::Zh), text(refusal, Lang::En));
            (status(refusal), Problem { code: code(refusal), message, message_en, article: refusal.article(), fields })
        }
        No::Fault(inside) => {
            let reference = reference(inside);
            tracing::error!(reference, "{inside}");
            let told = |lang: Lang| lang.with("fault", &[("reference", reference.clone())]);
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                Problem { code: "fault".into(), message: told(Lang::Zh), message_en: told(Lang::En), article: None, fields: vec![] },
            )
        }
    }
}

/// What a person reads out to the technician, who finds it in the journal.
fn reference(inside: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    digest::sha256(format!("{inside}{n}").as_bytes())[..8].to_uppercase()
}

/// After a panic: the journal has it; the person gets a sentence, which needs nothing that may have panicked.
pub fn broken() -> Response {
    let told = Problem {
        code: "fault".into(),
        message: "系统出错，录制不受影响。请告知技术人员。".into(),
        message_en: "Something went wrong; recording is not affected. Please tell the technician.".into(),
        article: None,
        fields: vec![],
    };
    (StatusCode::INTERNAL_SERVER_ERROR, Json(told)).into_response()
}

fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::NotSignedIn | Refusal::WrongCredentials | Refusal::CodeNeeded => StatusCode::UNAUTHORIZED,
        Refusal::LockedOut { .. } | Refusal::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
        Refusal::NoSuch { .. } | Refusal::ScreenLinkOver => StatusCode::NOT_FOUND,
        Refusal::RoomBusy { .. }
        | Refusal::SessionState { .. }
        | Refusal::RequestState { .. }
        | Refusal::RecordFull
        | Refusal::CaseState { .. }
        | Refusal::FormNeeded
        | Refusal::ProvisionState { .. }
        | Refusal::ProvisionOpen { .. }
        | Refusal::HoldState { .. }
        | Refusal::HoldPending
        | Refusal::DisposalState { .. }
        | Refusal::NotDisposable { .. }
        | Refusal::FieldsOpen { .. }
        | Refusal::WrongOffset { .. }
        | Refusal::MediumState { .. }
        | Refusal::NoRoom { .. }
        | Refusal::CopyStanding { .. }
        | Refusal::CopiesLeft { .. }
        | Refusal::OutOfUse { .. }
        | Refusal::FaultState { .. }
        | Refusal::CameraFails { .. }
        | Refusal::DemandsOpen { .. } => StatusCode::CONFLICT,
        Refusal::BadFields { .. } | Refusal::ReasonNeeded | Refusal::DatumNeeded | Refusal::BadUpload { .. } => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Refusal::NotSealable | Refusal::FootageShut => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::NotYourRole
        | Refusal::NoGrant
        | Refusal::ViewOnly
        | Refusal::MaskedOnly
        | Refusal::ProveAgain
        | Refusal::FactorNeeded
        | Refusal::PasswordDue
        | Refusal::FirstPasswordOver
        | Refusal::OwnRequest
        | Refusal::OwnForm
        | Refusal::OwnHold
        | Refusal::OwnDisposal
        | Refusal::SamePerson
        | Refusal::CrossSite => StatusCode::FORBIDDEN,
    }
}

/// A refusal's word on the wire.
fn code(refusal: &Refusal) -> String {
    refusal.word().replace('_', "-")
}

/// A refusal in a language.
pub fn text(refusal: &Refusal, lang: Lang) -> String {
    let key = format!("refusal-{}", code(refusal));
    let values: Vec<(&'static str, String)> = match refusal {
        Refusal::LockedOut { minutes } => vec![("minutes", minutes.to_string())],
        Refusal::RequestState { state } => vec![("state", lang.of_word("request", state))],
        Refusal::ProvisionState { state } => vec![("state", lang.of_word("provision-state", state))],
        Refusal::ProvisionOpen { missing } => {
            let all: Vec<String> = missing.iter().map(|m| lang.of_word("lacks", m)).collect();
            vec![("missing", all.join(if lang == Lang::Zh { "、" } else { ", " }))]
        }
        Refusal::FieldsOpen { missing } => {
            let all: Vec<String> = missing.iter().map(|m| lang.of_word("six", m)).collect();
            vec![("missing", all.join(if lang == Lang::Zh { "、" } else { ", " }))]
        }
        Refusal::WrongOffset { received } => vec![("received", received.to_string())],
        Refusal::TooMany { running } => vec![("count", running.to_string())],
        Refusal::CopyStanding { standing } => vec![("standing", lang.of_word("copy-standing", standing))],
        Refusal::CopiesLeft { copies } => vec![("copies", copies.join(if lang == Lang::Zh { "、" } else { ", " }))],
        Refusal::MediumState { state } => vec![("state", lang.of_word("medium-state", state))],
        Refusal::NoRoom { needed_mb, free_mb } => vec![("needed", needed_mb.to_string()), ("free", free_mb.to_string())],
        Refusal::SessionState { state } => vec![("state", lang.of_word("state", state))],
        Refusal::CaseState { state } => vec![("state", lang.of_word("case-state", state))],
        Refusal::HoldState { state } => vec![("state", lang.of_word("hold-state", state))],
        Refusal::DisposalState { state } => vec![("state", lang.of_word("disposal-state", state))],
        Refusal::NotDisposable { session, obstacles } => {
            let all: Vec<String> = obstacles.iter().map(|o| lang.of_word("obstacle", o)).collect();
            vec![("session", session.clone()), ("obstacles", all.join(if lang == Lang::Zh { "；" } else { "; " }))]
        }
        Refusal::DemandsOpen { open } => vec![("count", open.to_string())],
        Refusal::RoomBusy { session } => vec![("session", session.clone())],
        Refusal::NoSuch { id, .. } => vec![("id", id.clone())],
        Refusal::OutOfUse { devices } => vec![("devices", devices.join(if lang == Lang::Zh { "、" } else { ", " }))],
        Refusal::FaultState { state } => vec![("state", lang.of_word("fault-state", state))],
        Refusal::CameraFails { problem } => vec![("problem", problem.clone())],
        Refusal::BadUpload { problem } => vec![("problem", form_text(problem, lang))],
        Refusal::BadFields { fields } => {
            let all: Vec<String> = fields.iter().map(|f| field_text(f, lang)).collect();
            vec![("fields", all.join(if lang == Lang::Zh { "；" } else { "; " }))]
        }
        _ => vec![],
    };
    lang.with(&key, &values)
}

/// What is wrong with a field, in a language, without its name.
pub fn problem_text(field: &BadField, lang: Lang) -> String {
    match &field.problem {
        FieldProblem::Empty => lang.t("problem-empty"),
        FieldProblem::TooLong { chars, max } => lang.with("problem-too-long", &[("chars", chars.to_string()), ("max", max.to_string())]),
        FieldProblem::Control => lang.t("problem-control"),
        FieldProblem::Form(form) => form_text(form, lang),
    }
}

/// The forms that fields have to have: how the desks' sentence begins, and its text; the longest beginning counts. What is not here is
/// shown as it is.
const FORMS: &[(&str, &str)] = &[
    ("is taken", "form-taken"),
    ("is 2 to 40", "form-username"),
    ("choose at least one", "form-one-role"),
    ("administrator and inspector", "form-apart"),
    ("is not in the configuration", "form-unknown-unit"),
    ("is 1 to 720", "form-hours"),
    ("is no day", "form-day"),
    ("lies ahead", "form-ahead"),
    ("is none of the choices", "form-choice"),
    ("is no field", "form-no-field"),
    ("is no month", "form-month"),
    ("is not within", "form-plan-at"),
    ("is before the beginning", "form-until"),
    ("is 1 to 500", "form-page"),
    ("is more than was asked for", "form-wider"),
    ("belong to several units", "form-several-units"),
    ("are 1 to", "form-sessions"),
    ("cannot be yourself, an", "form-deputy"),
    ("is 1 to 92", "form-deputy-days"),
    ("is 1 to 366", "form-token-days"),
    ("is no account", "form-no-account"),
    ("is not the one that the authenticator", "form-code"),
    ("is not the one in the recorder", "form-setup-code"),
    ("needs console.address", "form-passkey"),
    ("does not work now", "form-sso"),
    ("says who you are", "form-sso-stranger"),
    ("is no address", "form-email"),
    ("is none of the table", "form-period"),
    ("lies not ahead", "form-not-ahead"),
    ("is earlier than what was said", "form-until-earlier"),
    ("is no ground", "form-ground"),
    ("are 1 to 500", "form-500"),
    ("is no quarter", "form-quarter"),
    ("is the last day", "form-due"),
    ("end after they begin", "form-stretch"),
    ("lies between", "form-receipt-day"),
    ("one for a single picture", "form-copy-cameras"),
    ("is no camera", "form-copy-sound"),
    ("lie inside", "form-masks"),
    ("the approval asks for masks", "form-masks-needed"),
    ("are ", "form-too-many"),
    ("is easy to guess", "form-easy"),
    ("is the old one", "form-old-password"),
    ("is your own; change your password", "form-own-password"),
    ("is your own", "form-own-account"),
    ("holds letters", "form-number"),
    ("is a file that no such disc", "form-medium-file"),
    ("is 1 to 9", "form-copies"),
    ("is no target", "form-target"),
    ("is not 0.1", "form-disk-size"),
    ("it is larger", "upload-large"),
    ("it is empty", "upload-empty"),
    ("it is no PNG", "upload-type"),
    ("there is no field named file", "upload-none"),
    // --- taking in and handing over
    ("does not fit", "form-import-room"),
    ("you belong to no unit", "form-import-unit"),
    ("has no bytes", "form-import-empty"),
    ("more bytes came", "form-import-more"),
    ("is not behind its arrival", "form-import-time"),
    ("say why", "form-import-reason"),
    ("say what is to be corrected", "form-correction"),
    ("is no custodian", "form-custodian"),
    ("choose at least a session", "form-handover-empty"),
    ("is in no register", "form-device"),
    ("is out already", "form-device-out"),
    ("is no number that a device", "form-device-figure"),
    ("is somebody else", "form-witness"),
    ("is no zone", "form-clock"),
    // --- equipment
    ("is in the register already", "form-device-known"),
    ("is 1 to 3650 days", "form-maintenance"),
    ("is no camera's address", "form-camera-address"),
    ("lies outside the cameras' networks", "form-camera-network"),
    ("is a camera of a room already", "form-camera-used"),
    ("holds a name or password", "form-camera-secret"),
    ("is no room of this recorder", "form-camera-room"),
    ("is over: try the camera again", "form-trial-over"),
    ("has no address at which it is asked", "form-not-asked"),
];

fn form_text(form: &str, lang: Lang) -> String {
    match FORMS.iter().filter(|(begins, _)| form.starts_with(begins)).max_by_key(|(begins, _)| begins.len()) {
        Some((_, key)) => lang.t(key),
        None => lang.with("problem-form", &[("form", form.to_owned())]),
    }
}

/// A bad field in a language.
pub fn field_text(field: &BadField, lang: Lang) -> String {
    let name = lang.of_word("field", &field.field);
    let name = if name.starts_with('⟨') { field.field.clone() } else { name };
    let problem = problem_text(field, lang);
    if lang == Lang::Zh { format!("{name}：{problem}") } else { format!("{name}: {problem}") }
}

macro_rules! rejections {
    ($($rejection:ident => $field:literal),*) => {$(
        impl From<$rejection> for ApiError {
            fn from(rejection: $rejection) -> Self {
                // The extractor's own sentence says where in the body it is wrong; it holds nothing but what was sent.
                let why: String = rejection.body_text().chars().take(300).collect();
                Self(Refusal::from(BadField::form($field, &why)).into())
            }
        }
    )*};
}
rejections!(JsonRejection => "body", QueryRejection => "query", PathRejection => "path", MultipartRejection => "body");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_tells_a_reference_and_nothing_of_its_inside() {
        let (status, problem) = problem(&No::Fault("/srv/shilu/catalog.db: disk I/O error".into()));
        assert_eq!((status, problem.code.as_str()), (StatusCode::INTERNAL_SERVER_ERROR, "fault"));
        assert!(!problem.message.contains("catalog") && !problem.message_en.contains("catalog"));
    }

    #[test]
    fn a_refusal_of_a_picture_cites_its_article_in_both_languages() {
        let (status, problem) = problem(&Refusal::NoGrant.into());
        assert_eq!((status, problem.article), (StatusCode::FORBIDDEN, Some("第二十二条")));
        assert!(!problem.message.contains('⟨') && !problem.message_en.contains('⟨'));
    }

    #[test]
    fn every_form_has_its_text() {
        for (begins, key) in FORMS {
            for lang in [Lang::Zh, Lang::En] {
                assert!(!lang.t(key).contains('⟨'), "{key}");
                // Also where another one begins as this does.
                for rest in ["", "; and what is right"] {
                    assert_eq!(form_text(&format!("{begins}{rest}"), lang), lang.t(key), "{begins:?} is hidden by another");
                }
            }
        }
    }
}
