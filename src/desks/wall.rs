//! The wall: every room and the machine on one large picture, for a duty room. Like a room screen its link is its only key, and opens
//! nothing else; it shows no name, no case, no address, and no picture.

use crate::catalog::screens;
use crate::desks::{Answer, Desks};
use crate::machine::randomness;
use crate::model::digest;
use crate::model::entry::{Draft, EntryKind};
use crate::model::people::{Act, Person};
use crate::model::refusal::Refusal;
use crate::model::status::{ScreenRow, Status};

/// What stands in a link's row in the place of a room; no room can be called so.
pub const WALL: &str = "*";

impl Desks {
    /// Makes a link; it is told once, and only its digest is kept.
    pub async fn make_wall(&self, who: &Person) -> Answer<String> {
        self.need(who, Act::ManageScreens)?;
        let (token, id) = (randomness::hex::<32>()?, format!("sc-{}", randomness::hex::<4>()?));
        let row = ScreenRow { id, room: WALL.into(), made_at: self.now_ms(), made_by: who.name.clone(), ended_at: None };
        let draft = Draft::new(EntryKind::ScreenLinkMade).by(&who.id).about("room", WALL).about("screen", &row.id);
        let sha256 = digest::sha256(token.as_bytes());
        self.acts.log_then_do(draft, move |t| screens::add(t, &row, &sha256)).await?;
        Ok(token)
    }

    /// What the wall shows now, if the link holds.
    pub async fn wall(&self, token: &str) -> Answer<Status> {
        let gone = || Refusal::no_such("screen", "");
        if token.len() != 64 {
            return Err(gone().into());
        }
        let sha256 = digest::sha256(token.as_bytes());
        let row = self.read(move |c| screens::by_token(c, &sha256)).await?;
        if row.is_some_and(|row| row.room == WALL) { Ok(self.look()) } else { Err(gone().into()) }
    }
}
