//! Sessions: start, marks, pauses, end, links, documents, search.

use crate::desks::conduct::{LastAnswer, NewMark, NewSession};
use crate::desks::logins::SignedIn;
use crate::desks::sessions::{Document, Search, SessionPage, SessionView};
use crate::model::facts::Facts;
use crate::model::ids::{PlanId, RoomId, SessionId};
use crate::model::mark::Mark;
use crate::model::missing::{AnswerKind, Missing};
use crate::model::record::{InterviewRecord, RecordChange};
use crate::model::refusal::Refusal;
use crate::model::session::{InterruptionCause, Session, SessionKind};
use crate::web::error::{ApiResult, Problem};
use crate::web::guard::Received;
use crate::web::{Web, asked};
use axum::extract::multipart::MultipartRejection;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Multipart, Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

/// How a session starts: everything but the room may be missing.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct StartRequest {
    room: String,
    kind: Option<SessionKind>,
    /// The plan that it is.
    plan: Option<String>,
    /// Why it is started although not everything is ready.
    readiness_reason: Option<String>,
    #[serde(flatten)]
    facts: Facts,
}

/// A session that started.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Started {
    session: Session,
    /// What is missing; asked for later.
    missing: Vec<Missing>,
}

/// Starts a session.
#[utoipa::path(post, path = "/api/v1/sessions", request_body = StartRequest, responses((status = 201, body = Started), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn start(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<StartRequest>, JsonRejection>,
) -> ApiResult<(StatusCode, Json<Started>)> {
    let Json(r) = body?;
    let room = asked::id("room", &r.room, RoomId::new)?;
    let plan = r.plan.map(|p| asked::id("plan", &p, PlanId::new)).transpose()?;
    let new =
        NewSession { room, kind: r.kind.unwrap_or(SessionKind::Interview), facts: r.facts, plan, readiness_reason: r.readiness_reason };
    let (session, missing) = web.desks.start(&who.person, new).await?;
    Ok((StatusCode::CREATED, Json(Started { session, missing })))
}

/// Sessions by the six fields of 第十七条.
#[utoipa::path(get, path = "/api/v1/sessions", params(Search), responses((status = 200, body = SessionPage), (status = 403, body = Problem)))]
pub async fn list(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    query: Result<Query<Search>, QueryRejection>,
) -> ApiResult<Json<SessionPage>> {
    let Query(search) = query?;
    Ok(Json(web.desks.sessions(&who.person, &search).await?))
}

fn session_id(text: &str) -> Result<SessionId, Refusal> {
    asked::id("session", text, SessionId::new)
}

/// One session, without a picture.
#[utoipa::path(get, path = "/api/v1/sessions/{id}", params(("id" = String, Path)), responses((status = 200, body = SessionView), (status = 404, body = Problem)))]
pub async fn show(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<Json<SessionView>> {
    Ok(Json(web.desks.session(&who.person, &session_id(&id)?).await?))
}

/// Sets a mark at the moment at which the request came.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/marks", params(("id" = String, Path)), request_body = NewMark, responses((status = 201, body = Mark), (status = 409, body = Problem)))]
pub async fn mark(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Extension(Received(at)): Extension<Received>,
    Path(id): Path<String>,
    body: Result<Json<NewMark>, JsonRejection>,
) -> ApiResult<(StatusCode, Json<Mark>)> {
    let Json(mark) = body?;
    Ok((StatusCode::CREATED, Json(web.desks.mark(&who.person, &session_id(&id)?, mark, at).await?)))
}

/// Writes on the interview record: a line, a correction, its head, a signed page.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/record", params(("id" = String, Path)), request_body = RecordChange, responses((status = 200, body = InterviewRecord), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn record(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<RecordChange>, JsonRejection>,
) -> ApiResult<Json<InterviewRecord>> {
    let Json(change) = body?;
    Ok(Json(web.desks.write_record(&who.person, &session_id(&id)?, change).await?.record))
}

/// Seals what is known and closed so far, for the paper that the party signs; the session goes on.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/interim-seal", params(("id" = String, Path)), responses((status = 201, body = Session), (status = 409, body = Problem)))]
pub async fn seal_interim(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
) -> ApiResult<(StatusCode, Json<Session>)> {
    Ok((StatusCode::CREATED, Json(web.desks.seal_interim(&who.person, &session_id(&id)?).await?)))
}

/// An answer to a demand.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct AnswerRequest {
    /// As `missing` names it: `right-hearing`, or `gap:face@13500` where it says what it is about.
    demand: String,
    kind: AnswerKind,
    reason: Option<String>,
}

/// Answers a demand whose datum will not come.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/answers", params(("id" = String, Path)), request_body = AnswerRequest, responses((status = 200, body = Session), (status = 422, body = Problem)))]
pub async fn answer(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<AnswerRequest>, JsonRejection>,
) -> ApiResult<Json<Session>> {
    let Json(r) = body?;
    Ok(Json(web.desks.answer_demand(&who.person, &session_id(&id)?, &r.demand, r.kind, r.reason.as_deref()).await?))
}

/// A pause.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct InterruptRequest {
    cause: InterruptionCause,
    reason: Option<String>,
}

/// Pauses a session.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/interrupt", params(("id" = String, Path)), request_body = InterruptRequest, responses((status = 200, body = Session), (status = 409, body = Problem)))]
pub async fn interrupt(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<InterruptRequest>, JsonRejection>,
) -> ApiResult<Json<Session>> {
    let Json(r) = body?;
    Ok(Json(web.desks.interrupt(&who.person, &session_id(&id)?, r.cause, r.reason).await?))
}

/// Goes on after a pause.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/resume", params(("id" = String, Path)), responses((status = 200, body = Session), (status = 409, body = Problem)))]
pub async fn resume(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<Json<Session>> {
    Ok(Json(web.desks.resume(&who.person, &session_id(&id)?).await?))
}

/// An end.
#[derive(Default, Deserialize, utoipa::ToSchema)]
pub struct EndRequest {
    /// Ended as a mistaken start, with this reason.
    mistake: Option<String>,
    /// What is said to open demands with the end (第七条: each right that nobody marked). One that cannot be kept stays open.
    #[serde(default)]
    answers: Vec<LastAnswer>,
}

/// Ends and seals a session.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/end", params(("id" = String, Path)), request_body = EndRequest, responses((status = 200, body = Session), (status = 409, body = Problem)))]
pub async fn end(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Option<Json<EndRequest>>, JsonRejection>,
) -> ApiResult<Json<Session>> {
    let Json(r) = body?.unwrap_or_default();
    Ok(Json(web.desks.end(&who.person, &session_id(&id)?, r.mistake, &r.answers).await?))
}

/// A link.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct LinkRequest {
    reason: String,
    #[serde(flatten)]
    facts: Facts,
}

/// Links a session anew; earlier links stay.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/link", params(("id" = String, Path)), request_body = LinkRequest, responses((status = 200, body = Session), (status = 422, body = Problem)))]
pub async fn link(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<LinkRequest>, JsonRejection>,
) -> ApiResult<Json<Session>> {
    let Json(r) = body?;
    Ok(Json(web.desks.link(&who.person, &session_id(&id)?, r.facts, r.reason).await?))
}

/// Attaches a PNG, JPEG or PDF (multipart field `file`).
#[utoipa::path(post, path = "/api/v1/sessions/{id}/documents", params(("id" = String, Path)), responses((status = 201, body = Document), (status = 422, body = Problem)))]
pub async fn attach(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    form: Result<Multipart, MultipartRejection>,
) -> ApiResult<(StatusCode, Json<Document>)> {
    let (name, content) = asked::upload(form?).await?;
    let document = web.desks.attach(&who.person, &session_id(&id)?, &name, content).await?;
    Ok((StatusCode::CREATED, Json(document)))
}
