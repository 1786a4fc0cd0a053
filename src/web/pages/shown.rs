//! Parts of lists, by a word in the address: each list has its words here, once. The lines of the first page, the badges and the lists
//! themselves take them from here, so that none can be misspelt; a word that a list does not have shows all of it.

use crate::desks::sessions::Lacking;
use crate::model::agenda::Concern;
use crate::model::device::DeviceKind;

/// A part of a list.
pub trait Part: Copy {
    /// The page that has the list.
    const PAGE: &'static str;
    /// Its field in the address.
    const FIELD: &'static str = "show";
    /// The place on the page, `#own`; empty where the list is all of it.
    const PLACE: &'static str = "";

    /// All parts.
    fn all() -> Vec<Self>;
    /// Its word in the address.
    fn word(self) -> &'static str;
    /// Its name for people, as `Page::word` takes it.
    fn name(self) -> (&'static str, &'static str);
    /// Where it is shown.
    fn link(self) -> String {
        format!("{}?{}={}{}", Self::PAGE, Self::FIELD, self.word(), Self::PLACE)
    }
}

macro_rules! parts {
    ($(#[$doc:meta])* $name:ident of $page:literal $place:literal { $($(#[$vdoc:meta])* $variant:ident = $word:literal, $of:expr, $text:expr;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$vdoc])* $variant),* }
        impl Part for $name {
            const PAGE: &'static str = $page;
            const PLACE: &'static str = $place;
            fn all() -> Vec<Self> {
                vec![$(Self::$variant),*]
            }
            fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
            fn name(self) -> (&'static str, &'static str) {
                match self { $(Self::$variant => ($of, $text)),* }
            }
        }
    };
}

parts!(
    /// Of what is planned.
    Plans of "/plans" "" {
        /// For today.
        Today = "today", "concern", Concern::PlansToday.as_str();
        /// Not kept, and nobody said why.
        Missed = "missed", "concern", Concern::PlansMissed.as_str();
    }
);

parts!(
    /// Of one's own requests.
    Requests of "/access" "#own" {
        /// In force.
        Live = "live", "concern", Concern::GrantsLive.as_str();
        /// Refused or revoked lately.
        Refused = "refused", "concern", Concern::RequestsRefused.as_str();
    }
);

parts!(
    /// Of provisions.
    Provisions of "/provisions" "" {
        /// Letters to be answered.
        Due = "due", "concern", Concern::ProvisionsDue.as_str();
        /// For this person's agreement.
        Agree = "agree", "concern", Concern::ProvisionsToAgree.as_str();
        /// Handed over and not closed.
        Close = "close", "concern", Concern::ProvisionsToClose.as_str();
    }
);

parts!(
    /// Of the register of holds.
    Holds of "/holds" "" {
        /// For this person's word.
        Mine = "mine", "concern", Concern::Holds.as_str();
    }
);

parts!(
    /// Of disposals.
    Disposals of "/disposals" "" {
        /// For this person's decision.
        Decide = "decide", "concern", Concern::DisposalsToDecide.as_str();
        /// To be closed by this person.
        Close = "close", "concern", Concern::DisposalsToClose.as_str();
    }
);

parts!(
    /// Of the register of media.
    Media of "/media" "" {
        /// To be read again, now or soon.
        Due = "due", "media-show", "due";
        /// To be made anew.
        Damaged = "damaged", "media-show", "damaged";
        /// Being made.
        Open = "open", "media-show", "open";
    }
);

parts!(
    /// Of accounts.
    Accounts of "/accounts" "" {
        /// That end soon.
        Ending = "ending", "concern", Concern::AccountsEnding.as_str();
    }
);

/// Of the register of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Devices {
    /// Out of use or faulty.
    Ill,
    /// To be maintained.
    Due,
    /// Retired.
    Retired,
    /// Of a kind.
    Kind(DeviceKind),
}

impl Part for Devices {
    const PAGE: &'static str = "/devices";

    fn all() -> Vec<Self> {
        [Self::Ill, Self::Due, Self::Retired].into_iter().chain(DeviceKind::ALL.iter().copied().map(Self::Kind)).collect()
    }

    fn word(self) -> &'static str {
        match self {
            Self::Ill => "ill",
            Self::Due => "due",
            Self::Retired => "retired",
            Self::Kind(kind) => kind.as_str(),
        }
    }

    fn name(self) -> (&'static str, &'static str) {
        (if matches!(self, Self::Kind(_)) { "device-kind" } else { "devices-show" }, self.word())
    }
}

/// Sessions that lack something; the desk that finds them has the words.
impl Part for Lacking {
    const PAGE: &'static str = "/sessions";
    const FIELD: &'static str = "lacking";

    fn all() -> Vec<Self> {
        Self::ALL.to_vec()
    }

    fn word(self) -> &'static str {
        self.as_str()
    }

    fn name(self) -> (&'static str, &'static str) {
        let concern = match self {
            Self::Own => Concern::OwnLacking,
            Self::OwnUnlinked => Concern::OwnUnlinked,
            Self::Units => Concern::UnitsLacking,
        };
        ("concern", concern.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::i18n::Lang;
    use crate::web::pages::table::Asked;
    use std::collections::BTreeSet;

    fn holds<P: Part + PartialEq + std::fmt::Debug>() {
        let words: BTreeSet<&str> = P::all().into_iter().map(Part::word).collect();
        assert_eq!(words.len(), P::all().len(), "a word stands for one part");
        for part in P::all() {
            let link = part.link();
            let asked = Asked::of(&link.parse().unwrap());
            assert_eq!(asked.shows::<P>(), Some(part), "{link}");
            let (of, word) = part.name();
            for lang in [Lang::Zh, Lang::En] {
                assert!(!lang.of_word(of, word).contains('⟨'), "{link} has no name");
            }
        }
        for word in ["", "nonsense", "-due", "DUE"] {
            let address = format!("{}?{}={word}", P::PAGE, P::FIELD);
            assert_eq!(Asked::of(&address.parse().unwrap()).shows::<P>(), None, "{address}");
        }
    }

    #[test]
    fn a_link_shows_its_part_and_an_unknown_word_shows_the_whole_list() {
        holds::<Plans>();
        holds::<Requests>();
        holds::<Provisions>();
        holds::<Holds>();
        holds::<Disposals>();
        holds::<Media>();
        holds::<Accounts>();
        holds::<Devices>();
        holds::<Lacking>();
    }
}
