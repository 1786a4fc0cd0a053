//! A recorder that does not answer: what somebody sees who has the console open.

use crate::support::bureau::Bureau;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn where_the_recorder_does_not_answer_the_console_says_so_and_what_was_typed_is_sent_after_all() {
    Bureau::open().await.plays("unreachable.mjs", json!({})).await;
}
