//! Deputies: a leader names, by a written authorisation and for a while, who decides in their place.

use crate::catalog::{accounts, deputations};
use crate::desks::{Answer, Desks};
use crate::machine::randomness;
use crate::model::deputation::{self, Deputation};
use crate::model::entry::{Draft, EntryKind};
use crate::model::people::{Act, Person};
use crate::model::refusal::Refusal;
use crate::model::time;
use crate::model::words::{self, BadField};
use chrono::NaiveDate;

/// An authorisation as a leader enters it.
#[derive(Debug, Clone)]
pub struct NewDeputation {
    /// The deputy's sign-in name.
    pub deputy: String,
    /// First day.
    pub from: NaiveDate,
    /// Last day.
    pub until: NaiveDate,
    /// Number of the written authorisation.
    pub basis: String,
}

impl Desks {
    /// Names a deputy. Only the leader does: nobody gives away what is not theirs.
    pub async fn name_deputy(&self, who: &Person, new: NewDeputation) -> Answer<Deputation> {
        self.need(who, Act::AppointDeputy)?;
        self.proved(who)?;
        let basis = words::needed_line("basis", &new.basis).map_err(Refusal::from)?;
        let (username, today) = (new.deputy.trim().to_owned(), time::shanghai_day(self.now().utc));
        let found = self.read(move |c| accounts::by_username(c, &username)).await?.filter(|a| a.active);
        let deputy = found.map(|a| a.person).ok_or_else(|| Refusal::from(BadField::form("deputy", "is no account")))?;
        if new.until < today {
            return Err(Refusal::from(BadField::form("until", "is before the beginning")).into());
        }
        deputation::may_stand_in(who, &deputy, new.from, new.until)?;
        let made = Deputation {
            id: format!("d-{}", randomness::hex::<6>()?),
            leader: who.id.clone(),
            leader_name: who.name.clone(),
            deputy: deputy.id.clone(),
            deputy_name: deputy.name,
            from: new.from,
            until: new.until,
            basis,
            ended_at: None,
        };
        let draft = Draft::new(EntryKind::DeputyNamed)
            .by(&who.id)
            .about("deputation", &made.id)
            .about("account", &made.deputy)
            .about("from_day", made.from)
            .about("until_day", made.until)
            .text("basis", Some(&made.basis));
        let kept = made.clone();
        self.acts.log_then_do(draft, move |t| deputations::put(t, &kept)).await?;
        Ok(made)
    }

    /// Ends an authorisation early.
    pub async fn end_deputy(&self, who: &Person, id: &str) -> Answer<()> {
        self.need(who, Act::AppointDeputy)?;
        let own = who.id.clone();
        let all = self.read(deputations::all).await?;
        let found = all.into_iter().find(|d| d.id == id && d.leader == own && d.ended_at.is_none());
        let ended = Deputation { ended_at: Some(self.now().utc), ..found.ok_or_else(|| Refusal::no_such("deputation", id))? };
        let draft = Draft::new(EntryKind::DeputyEnded).by(&who.id).about("deputation", id);
        Ok(self.acts.log_then_do(draft, move |t| deputations::put(t, &ended)).await?)
    }

    /// Authorisations: one's own, and for who reads the log all of them.
    pub async fn deputies(&self, who: &Person) -> Answer<Vec<Deputation>> {
        let all = self.read(deputations::all).await?;
        let mine = |d: &Deputation| d.leader == who.id || d.deputy == who.id || who.may(Act::ReadLog);
        Ok(all.into_iter().filter(mine).collect())
    }
}
