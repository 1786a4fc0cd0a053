//! An outside cosigner's one route: `POST /add-checkpoint` (C2SP tlog-witness).

use crate::desks::witness::{NotConfirmed, Witness};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::post};
use std::sync::Arc;

/// A head with its proof; 63 hashes and a note are far smaller.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// The service.
pub fn router(witness: Arc<Witness>) -> Router {
    Router::new().route("/add-checkpoint", post(add_checkpoint)).layer(DefaultBodyLimit::max(BODY_BYTES_MAX)).with_state(witness)
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: Bytes) -> Response {
    let done = tokio::task::spawn_blocking(move || witness.add_checkpoint(&body)).await;
    match done.unwrap_or_else(|e| Err(NotConfirmed::Machine(e.to_string()))) {
        Ok(line) => line.into_response(),
        Err(NotConfirmed::Conflict(size)) => {
            (StatusCode::CONFLICT, [(header::CONTENT_TYPE, "text/x.tlog.size")], format!("{size}\n")).into_response()
        }
        Err(NotConfirmed::Form) => StatusCode::BAD_REQUEST.into_response(),
        Err(NotConfirmed::NotSigned) => StatusCode::FORBIDDEN.into_response(),
        Err(NotConfirmed::UnknownLog) => StatusCode::NOT_FOUND.into_response(),
        Err(NotConfirmed::NotConsistent) => StatusCode::UNPROCESSABLE_ENTITY.into_response(),
        Err(NotConfirmed::Machine(why)) => {
            tracing::error!("a head is not confirmed: {why}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
