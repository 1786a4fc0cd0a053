//! Cases, their text records and their initiation.

use crate::desks::cases::{CasePage, CaseSearch, CaseView, NewCase};
use crate::desks::logins::SignedIn;
use crate::model::case::{Case, CaseChange, CaseFacts};
use crate::model::initiation::FormFields;
use crate::model::missing::AnswerKind;
use crate::model::text_record::{Attachment, RecordKind};
use crate::web::error::{ApiResult, Problem};
use crate::web::{Web, asked};
use axum::extract::multipart::MultipartRejection;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Multipart, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Cases by number, party or cause.
#[utoipa::path(get, path = "/api/v1/cases", params(CaseSearch), responses((status = 200, body = CasePage), (status = 403, body = Problem)))]
pub async fn list(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    query: Result<Query<CaseSearch>, QueryRejection>,
) -> ApiResult<Json<CasePage>> {
    let Query(search) = query?;
    Ok(Json(web.desks.cases(&who.person, &search).await?))
}

/// Opens a case at its intake; its intake number can be a session's case number at once.
#[utoipa::path(post, path = "/api/v1/cases", request_body = NewCase, responses((status = 201, body = Case), (status = 422, body = Problem)))]
pub async fn open(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<NewCase>, JsonRejection>,
) -> ApiResult<(StatusCode, Json<Case>)> {
    let Json(new) = body?;
    Ok((StatusCode::CREATED, Json(web.desks.open_case(&who.person, new).await?)))
}

/// One case, with its sessions and what it lacks.
#[utoipa::path(get, path = "/api/v1/cases/{id}", params(("id" = String, Path)), responses((status = 200, body = CaseView), (status = 404, body = Problem)))]
pub async fn show(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<Json<CaseView>> {
    Ok(Json(web.desks.case(&who.person, &asked::case(&id)?).await?))
}

/// One change of a case.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum ChangeRequest {
    /// It is something else than was entered.
    Facts {
        /// What.
        facts: CaseFacts,
        /// Why.
        reason: String,
    },
    /// Something was written down.
    Record {
        /// What.
        kind: RecordKind,
        /// Its fields.
        fields: BTreeMap<String, String>,
        /// When it happened; now, if it is not given.
        stated_at: Option<DateTime<Utc>>,
        /// Which record it corrects.
        corrects: Option<u32>,
    },
    /// Begun before its form (第五条: 情况紧急).
    Urgent {
        /// When; now, if it is not given.
        stated_at: Option<DateTime<Utc>>,
        /// Why.
        reason: String,
    },
    /// Begun where no form is needed.
    Begin,
    /// The initiation form.
    Submit {
        /// What it says.
        fields: FormFields,
    },
    /// The bureau head's decision.
    Decide {
        /// Yes.
        approved: bool,
        /// In words; needed for a no.
        reason: Option<String>,
    },
    /// An answer to a demand.
    Answer {
        /// Which.
        demand: String,
        /// How.
        kind: AnswerKind,
        /// In words.
        reason: Option<String>,
    },
    /// 结案.
    Close {
        /// On which day.
        on: NaiveDate,
        /// 案卷保存期限.
        period: String,
    },
    /// 归档.
    Archive,
}

impl ChangeRequest {
    fn change(self, now: DateTime<Utc>) -> CaseChange {
        match self {
            Self::Facts { facts, reason } => CaseChange::Facts { facts, reason },
            Self::Record { kind, fields, stated_at, corrects } => {
                CaseChange::Record { kind, fields, stated_at: stated_at.unwrap_or(now), corrects }
            }
            Self::Urgent { stated_at, reason } => CaseChange::Urgent { stated_at: stated_at.unwrap_or(now), reason },
            Self::Begin => CaseChange::Begun,
            Self::Submit { fields } => CaseChange::Submitted(fields),
            Self::Decide { approved, reason } => CaseChange::Ruled { approved, reason },
            Self::Answer { demand, kind, reason } => CaseChange::Answered { demand, kind, reason },
            Self::Close { on, period } => CaseChange::Closed { on, period },
            Self::Archive => CaseChange::Archived,
        }
    }
}

/// Changes a case.
#[utoipa::path(post, path = "/api/v1/cases/{id}/changes", params(("id" = String, Path)), request_body = ChangeRequest, responses((status = 200, body = Case), (status = 403, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn change(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<ChangeRequest>, JsonRejection>,
) -> ApiResult<Json<Case>> {
    let Json(r) = body?;
    let change = r.change(web.desks.wall_clock());
    Ok(Json(web.desks.change_case(&who.person, &asked::case(&id)?, change).await?))
}

/// Puts a PDF, an image or an office document beside a record (multipart field `file`).
#[utoipa::path(post, path = "/api/v1/cases/{id}/records/{record}/documents", params(("id" = String, Path), ("record" = u32, Path)), responses((status = 201, body = Attachment), (status = 422, body = Problem)))]
pub async fn attach(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path((id, record)): Path<(String, u32)>,
    form: Result<Multipart, MultipartRejection>,
) -> ApiResult<(StatusCode, Json<Attachment>)> {
    let (name, content) = asked::upload(form?).await?;
    let attached = web.desks.attach_to_case(&who.person, &asked::case(&id)?, record, &name, content).await?;
    Ok((StatusCode::CREATED, Json(attached)))
}

/// A file of a case, for saving.
#[utoipa::path(get, path = "/api/v1/cases/{id}/documents/{sha256}", params(("id" = String, Path), ("sha256" = String, Path)), responses((status = 200), (status = 404, body = Problem)))]
pub async fn document(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path((id, sha256)): Path<(String, String)>,
) -> ApiResult<Response> {
    let (attachment, data) = web.desks.case_document(&who.person, &asked::case(&id)?, &sha256).await?;
    let name: String = url::form_urlencoded::byte_serialize(attachment.name.as_bytes()).collect::<String>().replace('+', "%20");
    let headers = [
        // Whatever it says it is: a browser saves it and runs nothing of it.
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename*=UTF-8''{name}")),
    ];
    Ok((headers, data).into_response())
}
