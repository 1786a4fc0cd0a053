//! The JSON API under `/api/v1`, described at `/api/openapi.json`. The same desks as the pages: no page calls a handler
//! here; their scripts do, over HTTP. What an address or a form says is read by [`asked`](crate::web::asked), for both.

pub mod access;
pub mod alarms;
pub mod answers;
pub mod archive;
pub mod cases;
pub mod devices;
pub mod factors;
pub mod handover;
pub mod imports;
pub mod live;
pub mod media;
pub mod oversight;
pub mod people;
pub mod plans;
pub mod provision;
pub mod retention;
pub mod room;
pub mod sessions;
pub mod status;
pub mod viewing;

use crate::desks;
use crate::model::{access as rule, session, status as seen};
use crate::web::api::answers::Alike;
use crate::web::error::Problem;
use axum::Json;
use utoipa::OpenApi;

/// The whole API.
#[derive(OpenApi)]
#[openapi(
    modifiers(&Alike),
    info(
        title = "Shilu",
        description = "Recorder of questioning rooms. Sign in at /api/v1/login; send the answer's `csrf` as X-Csrf-Token with every POST."
    ),
    paths(
        people::login,
        people::logout,
        people::me,
        people::change_password,
        people::accounts,
        people::make_account,
        people::give_password,
        people::end_account,
        people::change_account,
        factors::reset_factors,
        factors::prove,
        people::logins,
        people::end_login,
        factors::begin_factor,
        factors::confirm_factor,
        factors::remove_factor,
        people::make_token,
        people::tokens,
        people::end_token,
        people::name_deputy,
        people::deputies,
        people::end_deputy,
        factors::begin_passkey,
        factors::add_passkey,
        factors::remove_passkey,
        factors::ask_passkey,
        factors::passkey_login,
        factors::prove_by_passkey,
        provision::list,
        provision::open,
        provision::show,
        provision::prepare,
        provision::approve,
        provision::package,
        provision::hand_over,
        provision::receipt,
        provision::verify,
        provision::close,
        oversight::oversight,
        oversight::review,
        status::rooms,
        status::status,
        status::events,
        status::log,
        status::log_head,
        status::log_entry,
        status::log_proof,
        status::anchor,
        status::healthz,
        status::metrics,
        sessions::start,
        sessions::list,
        sessions::show,
        sessions::mark,
        sessions::record,
        sessions::seal_interim,
        sessions::answer,
        cases::list,
        cases::open,
        cases::show,
        cases::change,
        cases::attach,
        cases::document,
        room::readiness,
        room::screens,
        room::make_screen,
        room::end_screen,
        plans::list,
        plans::plan,
        plans::call_off,
        plans::officers,
        oversight::supervision,
        sessions::interrupt,
        sessions::resume,
        sessions::end,
        sessions::link,
        sessions::attach,
        access::request,
        access::inbox,
        access::approve,
        access::reject,
        access::revoke,
        access::close,
        viewing::open,
        viewing::segment,
        viewing::seen,
        viewing::close,
        viewing::still,
        viewing::derive,
        viewing::loudness,
        viewing::order,
        viewing::copies,
        viewing::copy,
        viewing::cancel_copy,
        viewing::resume_copy,
        viewing::copy_file,
        viewing::copy_segment,
        viewing::copy_joined,
        viewing::copy_paper,
        viewing::make_package,
        viewing::fetch_package,
        live::live,
        retention::list,
        retention::of_session,
        retention::routine,
        retention::extend,
        retention::hold,
        retention::say,
        retention::holds,
        retention::disposals,
        retention::propose,
        retention::disposal,
        retention::decide,
        retention::close,
        retention::clock,
        retention::confirm_clock,
        imports::list,
        imports::begin,
        imports::show,
        imports::piece,
        imports::cancel,
        imports::retry,
        imports::correct,
        handover::desk,
        handover::hand_over,
        handover::show,
        handover::receive,
        handover::check_out,
        handover::nothing,
        media::list,
        media::held,
        media::plan,
        media::order,
        media::show,
        media::cancel,
        media::write,
        media::change,
        media::remove_image,
        archive::show,
        archive::verify,
        devices::list,
        devices::register,
        devices::show,
        devices::describe,
        devices::maintain,
        devices::retire,
        devices::report,
        devices::step,
        devices::ask,
        devices::clock,
        devices::figures,
        devices::cameras,
        devices::save,
        devices::find,
        devices::try_one,
        devices::remove,
        alarms::list,
        alarms::acknowledge,
        provision::reject,
        provision::withdraw,
    ),
    components(schemas(
        Problem,
        session::Session,
        rule::AccessRequest,
        seen::Status,
        desks::sessions::SessionView,
        desks::sessions::SessionPage,
        desks::viewing::Viewing,
        desks::access::Inbox,
        desks::reports::LogRow
    ))
)]
struct Api;

/// The description of the API, OpenAPI 3.1.
pub async fn openapi() -> Json<utoipa::openapi::OpenApi> {
    Json(Api::openapi())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_route_of_the_api_is_described() {
        let routes = include_str!("../routes.rs");
        let registered: BTreeSet<String> =
            routes.split("\"/api/v1/").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect();
        let described: BTreeSet<String> =
            Api::openapi().paths.paths.keys().filter_map(|p| Some(p.strip_prefix("/api/v1/")?.to_owned())).collect();
        assert_eq!(registered, described);
    }

    #[test]
    fn every_no_is_described_and_what_changes_something_asks_for_the_logins_token() {
        let all = serde_json::to_value(Api::openapi()).unwrap();
        for (path, item) in all["paths"].as_object().unwrap().iter().filter(|(p, _)| p.starts_with("/api/v1/")) {
            for (method, operation) in item.as_object().unwrap() {
                assert!(operation["responses"]["4XX"].is_object(), "{method} {path}");
                let csrf = operation["security"][0].get("csrf").is_some();
                assert!(csrf != (method == "get") || operation["security"].is_null(), "{method} {path}");
            }
        }
    }
}
