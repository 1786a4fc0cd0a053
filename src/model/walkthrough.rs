//! What a bureau does once before its first case, step by step: computed from what the machine knows, never ticked off by hand. A step that
//! the bureau does not want is said to be so, by name and in the log.

use crate::model::people::words;
use std::collections::BTreeMap;

words!(
    /// A step, in the order in which people take them.
    Step {
        /// Footage lies on a volume of its own.
        Volume = "volume",
        /// A second volume mirrors it.
        Mirror = "mirror",
        /// The clock is synchronised (第十五条).
        Clock = "clock",
        /// Every room has cameras, and all of them send (第十五条).
        Cameras = "cameras",
        /// Every room has a screen (第十三条).
        Screens = "screens",
        /// Two officers at least (行政处罚法 42).
        Officers = "officers",
        /// Every unit that has officers has a custodian (第十四条).
        Custodians = "custodians",
        /// A leader in charge (第二十二条).
        Leader = "leader",
        /// The bureau head (第五条).
        Head = "head",
        /// The legal unit (第二十一条).
        LegalUnit = "legal_unit",
        /// An inspector, who is no administrator.
        Inspector = "inspector",
        /// A backup of the catalog was made and restored on trial.
        Backup = "backup",
        /// An alarm got through outside the console.
        AlarmChannel = "alarm_channel",
        /// A session was recorded and sealed.
        Sealed = "sealed",
        /// Its files were read again and found to be what was sealed.
        Verified = "verified",
    }
);

words!(
    /// Where a step stands.
    StepState {
        /// 已完成.
        Done = "done",
        /// 未完成.
        Open = "open",
        /// 本局不需要.
        NotWanted = "not_wanted",
    }
);

words!(
    /// What people say to a step, or to the whole list.
    StepWord {
        /// The bureau does not want it.
        NotWanted = "not_wanted",
        /// It does.
        Wanted = "wanted",
        /// Nobody's word: the machine saw it happen, and would forget it with its next start.
        Seen = "seen",
    }
);

/// The whole list, where something is said to all of it at once.
pub const ALL: &str = "all";

/// Steps with where they stand. What is done is done, whatever was said before; `said`: the newest word to each.
pub fn of(done: &[Step], said: &BTreeMap<String, StepWord>) -> Vec<(Step, StepState)> {
    let state = |step: Step| {
        if done.contains(&step) {
            StepState::Done
        } else if said.get(step.as_str()) == Some(&StepWord::NotWanted) {
            StepState::NotWanted
        } else {
            StepState::Open
        }
    };
    Step::ALL.iter().map(|step| (*step, state(*step))).collect()
}

/// Whether the list is before people's eyes: until nothing of it is open, or it was put away.
pub fn is_shown(steps: &[(Step, StepState)], said: &BTreeMap<String, StepWord>) -> bool {
    said.get(ALL) != Some(&StepWord::NotWanted) && steps.iter().any(|(_, state)| *state == StepState::Open)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_list_stays_until_each_step_is_done_or_not_wanted_or_it_is_put_away() {
        let mut said = BTreeMap::new();
        let but_one: Vec<Step> = Step::ALL.iter().copied().filter(|s| *s != Step::Mirror).collect();
        assert!(is_shown(&of(&but_one, &said), &said));
        assert!(!is_shown(&of(Step::ALL, &said), &said));
        said.insert("mirror".into(), StepWord::NotWanted);
        let steps = of(&but_one, &said);
        assert!(!is_shown(&steps, &said) && steps.contains(&(Step::Mirror, StepState::NotWanted)));
        said.insert("mirror".into(), StepWord::Wanted);
        assert!(is_shown(&of(&but_one, &said), &said));
        said.insert(ALL.into(), StepWord::NotWanted);
        assert!(!is_shown(&of(&[], &said), &said), "put away");
    }

    proptest! {
        #[test]
        fn nobody_can_say_that_something_is_done(done in proptest::collection::vec(0..Step::ALL.len(), 0..9), said in proptest::collection::vec((0..Step::ALL.len(), any::<bool>()), 0..9)) {
            let done: Vec<Step> = done.iter().map(|n| Step::ALL[*n]).collect();
            let word = |wanted| if wanted { StepWord::Wanted } else { StepWord::NotWanted };
            let said = said.iter().map(|(n, wanted)| (Step::ALL[*n].as_str().to_owned(), word(*wanted))).collect();
            for (step, state) in of(&done, &said) {
                prop_assert_eq!(state == StepState::Done, done.contains(&step));
            }
        }
    }
}
