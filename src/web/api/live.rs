//! Live pictures over a WebSocket: a line of JSON, the header, then fragments; a new header comes with its own line.

use crate::desks::logins::SignedIn;
use crate::model::fragment::{Fragment, Header};
use crate::model::ids::{CameraId, RoomId};
use crate::model::refusal::Refusal;
use crate::web::error::{ApiResult, Problem};
use crate::web::{Web, asked};
use axum::Extension;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// How often the right to watch is asked for again.
const ASK: Duration = Duration::from_secs(2);
/// Longest a viewer may take to accept one fragment; then it is let go.
const SEND: Duration = Duration::from_secs(5);

/// Which stream.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// The camera's small stream will do, where it has one.
    #[serde(default)]
    small: bool,
}

/// Live pictures of a camera.
#[utoipa::path(get, path = "/api/v1/rooms/{room}/cameras/{camera}/live", params(("room" = String, Path), ("camera" = String, Path), Wanted), responses((status = 101), (status = 403, body = Problem)))]
pub async fn live(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    Path((room, camera)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> ApiResult<Response> {
    same_origin(&headers)?;
    let (room, camera) = (asked::id("room", &room, RoomId::new)?, asked::id("camera", &camera, CameraId::new)?);
    let fragments = web.desks.live(&who.person, &room, &camera, wanted.small).await?;
    Ok(upgrade.on_upgrade(move |socket| show(socket, fragments, web, who, room)))
}

/// A WebSocket carries cookies across sites and no CSRF token: its origin has to be this console.
fn same_origin(headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |name| headers.get(name).and_then(|v| v.to_str().ok());
    let Some(origin) = text(header::ORIGIN) else { return Ok(()) };
    let host = origin.split_once("://").map(|(_, host)| host);
    if host.is_some() && host == text(header::HOST) { Ok(()) } else { Err(Refusal::CrossSite) }
}

async fn show(mut socket: WebSocket, mut fragments: Receiver<Arc<Fragment>>, web: Web, who: SignedIn, room: RoomId) {
    let mut header: Option<Arc<Header>> = None;
    let mut ask = tokio::time::interval(ASK);
    loop {
        tokio::select! {
            fragment = fragments.recv() => match fragment {
                Ok(fragment) => {
                    let known = header.as_ref().is_some_and(|h| **h == *fragment.header);
                    if !known && !fragment.key {
                        continue;
                    }
                    let sent = tokio::time::timeout(SEND, send(&mut socket, &fragment, known)).await;
                    if !matches!(sent, Ok(Ok(()))) {
                        return;
                    }
                    header = Some(fragment.header.clone());
                }
                // Too slow: the newest picture counts; it begins again at a key frame.
                Err(RecvError::Lagged(_)) => header = None,
                Err(RecvError::Closed) => return,
            },
            _ = ask.tick() => if !may_still(&web, &who, &room).await {
                let reason = CloseFrame { code: 4403, reason: "not any more".into() };
                drop(socket.send(Message::Close(Some(reason))).await);
                return;
            },
            message = socket.recv() => if message.is_none_or(|m| m.is_err()) { return },
        }
    }
}

/// Asked anew: the account, its roles and the session may have ended since.
async fn may_still(web: &Web, who: &SignedIn, room: &RoomId) -> bool {
    web.desks.is_still(who).await.is_ok_and(|person| web.desks.may_watch(&person, room))
}

async fn send(socket: &mut WebSocket, fragment: &Fragment, known: bool) -> Result<(), axum::Error> {
    if !known {
        let h = &fragment.header;
        let line = serde_json::json!({ "codecs": h.codecs, "width": h.width, "height": h.height, "sound": h.sound });
        socket.send(Message::Text(line.to_string().into())).await?;
        socket.send(Message::Binary(h.bytes.clone())).await?;
    }
    socket.send(Message::Binary(fragment.bytes.clone())).await
}
