//! The wall: every room and the machine on one large picture, for a duty room. Like a room screen its link is its only key, and opens
//! nothing else; it shows no name, no case, no address, and no picture.

use crate::desks::{Answer, Desks};
use crate::model::people::{Act, Person};
use crate::model::refusal::Refusal;
use crate::model::status::Status;

/// What stands in a link's row in the place of a room; no room can be called so.
pub const WALL: &str = "*";

impl Desks {
    /// Makes a link; it is told once, and only its digest is kept.
    pub async fn make_wall(&self, who: &Person) -> Answer<String> {
        self.need(who, Act::ManageScreens)?;
        self.make_link(who, WALL).await
    }

    /// What the wall shows now, if the link holds.
    pub async fn wall(&self, token: &str) -> Answer<Status> {
        if self.shown_by(token).await? == WALL { Ok(self.look()) } else { Err(Refusal::ScreenLinkOver.into()) }
    }
}
