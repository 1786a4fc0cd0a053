//! The register of equipment, its faults, and cameras (第十五条, 第十六条). No answer holds a password; none holds a recorded picture.

use crate::desks::cameras::{CameraRow, NewCamera, Saved, TrialView};
use crate::desks::device_faults::DeviceFigures;
use crate::desks::equipment::DeviceView;
use crate::desks::logins::SignedIn;
use crate::model::device::{Description, Device};
use crate::model::device_fault::{FaultKind, FaultStep};
use crate::model::ids::{CameraId, RoomId};
use crate::model::trial::{Carrier, Client, Found};
use crate::web::error::{ApiResult, Problem};
use crate::web::{Web, asked};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::NaiveDate;
use secrecy::SecretString;
use serde::Deserialize;

/// The register, by number.
#[utoipa::path(get, path = "/api/v1/devices", responses((status = 200, body = Vec<DeviceView>), (status = 403, body = Problem)))]
pub async fn list(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<Vec<DeviceView>>> {
    Ok(Json(web.desks.equipment_register(&who.person)?))
}

/// Puts a device into the register.
#[utoipa::path(post, path = "/api/v1/devices", request_body = Description, responses((status = 201, body = Device), (status = 422, body = Problem)))]
pub async fn register(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<Description>, JsonRejection>,
) -> ApiResult<(StatusCode, Json<Device>)> {
    let Json(known) = body?;
    Ok((StatusCode::CREATED, Json(web.desks.register_device(&who.person, known).await?)))
}

/// One, with its faults, its history and its check-outs.
#[utoipa::path(get, path = "/api/v1/devices/{id}", params(("id" = String, Path)), responses((status = 200, body = DeviceView), (status = 404, body = Problem)))]
pub async fn show(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<Json<DeviceView>> {
    Ok(Json(web.desks.equipment_device(&who.person, &asked::device(&id)?).await?))
}

/// Changes what is known of a device.
#[utoipa::path(post, path = "/api/v1/devices/{id}", params(("id" = String, Path)), request_body = Description, responses((status = 200, body = Device), (status = 422, body = Problem)))]
pub async fn describe(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<Description>, JsonRejection>,
) -> ApiResult<Json<Device>> {
    let Json(known) = body?;
    Ok(Json(web.desks.describe_device(&who.person, &asked::device(&id)?, known).await?))
}

/// What was maintained.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct MaintainBody {
    /// On which day.
    day: NaiveDate,
    /// What was done.
    what: String,
}

/// Enters a maintenance; the calendar goes on from its day.
#[utoipa::path(post, path = "/api/v1/devices/{id}/maintained", params(("id" = String, Path)), request_body = MaintainBody, responses((status = 200, body = Device), (status = 422, body = Problem)))]
pub async fn maintain(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<MaintainBody>, JsonRejection>,
) -> ApiResult<Json<Device>> {
    let Json(b) = body?;
    Ok(Json(web.desks.maintain_device(&who.person, &asked::device(&id)?, b.day, &b.what).await?))
}

/// Why.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = DeviceReason)]
pub struct ReasonBody {
    /// In words.
    reason: String,
}

/// Takes a device out of the register for ever.
#[utoipa::path(post, path = "/api/v1/devices/{id}/retire", params(("id" = String, Path)), request_body = ReasonBody, responses((status = 200, body = Device), (status = 409, body = Problem)))]
pub async fn retire(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<ReasonBody>, JsonRejection>,
) -> ApiResult<Json<Device>> {
    let Json(b) = body?;
    Ok(Json(web.desks.retire_device(&who.person, &asked::device(&id)?, &b.reason).await?))
}

/// A fault as a person reports it.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct FaultBody {
    /// `picture`, `sound`, `damaged`, `battery` or `other`.
    kind: FaultKind,
    /// In words.
    what: String,
}

/// Reports a fault: the device is out of use from this moment on; a session that runs on it goes on.
#[utoipa::path(post, path = "/api/v1/devices/{id}/faults", params(("id" = String, Path)), request_body = FaultBody, responses((status = 201, body = Device), (status = 422, body = Problem)))]
pub async fn report(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Result<Json<FaultBody>, JsonRejection>,
) -> ApiResult<(StatusCode, Json<Device>)> {
    let Json(b) = body?;
    Ok((StatusCode::CREATED, Json(web.desks.report_fault(&who.person, &asked::device(&id)?, b.kind, &b.what).await?)))
}

/// A step of a fault.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "step")]
pub enum StepBody {
    /// The use of a device is stopped of which the machine sees a fault.
    StopUse {
        /// Why.
        reason: String,
    },
    /// It is reported.
    Report {
        /// To whom.
        to: String,
    },
    /// It goes to be repaired.
    Repair {
        /// By which service.
        service: String,
        /// More.
        #[serde(default)]
        text: Option<String>,
    },
    /// It was tested again.
    Retest {
        /// Everything was well.
        passed: bool,
        /// What was tested.
        tested: String,
    },
    /// It is used again.
    Return,
    /// It is used no more.
    Retire {
        /// Why.
        reason: String,
    },
}

impl From<StepBody> for FaultStep {
    fn from(body: StepBody) -> Self {
        match body {
            StepBody::StopUse { reason } => Self::StopUse { text: reason },
            StepBody::Report { to } => Self::Report { to },
            StepBody::Repair { service, text } => Self::Repair { service, text },
            StepBody::Retest { passed, tested } => Self::Retest { passed, text: tested },
            StepBody::Return => Self::Return,
            StepBody::Retire { reason } => Self::Retire { text: reason },
        }
    }
}

/// Takes a fault a step further.
#[utoipa::path(post, path = "/api/v1/devices/{id}/faults/{number}", params(("id" = String, Path), ("number" = u32, Path)), request_body = StepBody, responses((status = 200, body = Device), (status = 409, body = Problem)))]
pub async fn step(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path((id, number)): Path<(String, String)>,
    body: Result<Json<StepBody>, JsonRejection>,
) -> ApiResult<Json<Device>> {
    let Json(b) = body?;
    Ok(Json(web.desks.step_fault(&who.person, &asked::device(&id)?, asked::fault_number(&number)?, b.into()).await?))
}

/// Asks a device how it is: a camera over ONVIF, a disk by SMART.
#[utoipa::path(post, path = "/api/v1/devices/{id}/ask", params(("id" = String, Path)), responses((status = 200, body = Device), (status = 409, body = Problem)))]
pub async fn ask(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<Json<Device>> {
    Ok(Json(web.desks.ask_device(&who.person, &asked::device(&id)?).await?))
}

/// Sets a camera's clock.
#[utoipa::path(post, path = "/api/v1/devices/{id}/clock", params(("id" = String, Path)), responses((status = 200, body = Device), (status = 409, body = Problem)))]
pub async fn clock(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<Json<Device>> {
    Ok(Json(web.desks.set_camera_clock(&who.person, &asked::device(&id)?).await?))
}

/// Which month.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MonthQuery {
    /// `2026-11`; none: this one.
    month: Option<String>,
}

/// A month by device and by officer.
#[utoipa::path(get, path = "/api/v1/device-figures", params(MonthQuery), responses((status = 200, body = DeviceFigures), (status = 422, body = Problem)))]
pub async fn figures(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Query(query): Query<MonthQuery>,
) -> ApiResult<Json<DeviceFigures>> {
    Ok(Json(web.desks.device_figures(&who.person, query.month.as_deref()).await?))
}

/// A camera that is to be tried.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct CameraBody {
    room: String,
    name: String,
    /// 执法记录设备编号.
    device_no: String,
    /// `rtsp://…`, or host and port of its ONVIF service; without name and password.
    address: String,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    password: Option<SecretString>,
    #[serde(default = "tcp")]
    transport: Carrier,
    #[serde(default = "retina")]
    front: Client,
}

fn tcp() -> Carrier {
    Carrier::Tcp
}

fn retina() -> Client {
    Client::Retina
}

/// Cameras of all rooms.
#[utoipa::path(get, path = "/api/v1/cameras", responses((status = 200, body = Vec<CameraRow>), (status = 403, body = Problem)))]
pub async fn cameras(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<Vec<CameraRow>>> {
    Ok(Json(web.desks.cameras(&who.person)?))
}

/// Looks for cameras on the network (WS-Discovery).
#[utoipa::path(post, path = "/api/v1/cameras/find", responses((status = 200, body = Vec<Found>), (status = 403, body = Problem)))]
pub async fn find(State(web): State<Web>, Extension(who): Extension<SignedIn>) -> ApiResult<Json<Vec<Found>>> {
    Ok(Json(web.desks.find_cameras(&who.person).await?))
}

/// Tries a camera; some seconds.
#[utoipa::path(post, path = "/api/v1/cameras/try", request_body = CameraBody, responses((status = 200, body = TrialView), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn try_one(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<CameraBody>, JsonRejection>,
) -> ApiResult<Json<TrialView>> {
    let Json(b) = body?;
    let camera = NewCamera {
        room: asked::id("room", &b.room, RoomId::new)?,
        name: b.name,
        device_no: b.device_no,
        address: b.address,
        user: b.user,
        password: b.password,
        transport: b.transport,
        front: b.front,
    };
    Ok(Json(web.desks.try_camera(&who.person, camera).await?))
}

/// Which trial.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct SaveBody {
    /// Its `id`.
    trial: String,
}

/// Saves a camera that was tried.
#[utoipa::path(post, path = "/api/v1/cameras", request_body = SaveBody, responses((status = 201, body = Saved), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn save(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    body: Result<Json<SaveBody>, JsonRejection>,
) -> ApiResult<(StatusCode, Json<Saved>)> {
    let Json(b) = body?;
    Ok((StatusCode::CREATED, Json(web.desks.save_camera(&who.person, &b.trial).await?)))
}

/// Takes away a camera that was added at the console.
#[utoipa::path(post, path = "/api/v1/cameras/{id}/remove", params(("id" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
pub async fn remove(State(web): State<Web>, Extension(who): Extension<SignedIn>, Path(id): Path<String>) -> ApiResult<StatusCode> {
    web.desks.remove_camera(&who.person, &asked::id("camera", &id, CameraId::new)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
