//! 《行政执法全过程记录程序启动审批表》 (第五条): who approves, and the twenty-four hours of an urgent start. Clock hours: nights,
//! weekends and holidays count.

use crate::model::ids::AccountId;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// How long after an urgent start the form may come.
pub const WITHIN: TimeDelta = TimeDelta::hours(24);
/// When it is asked for the first and the second time.
pub const WARNINGS: [TimeDelta; 2] = [TimeDelta::hours(12), TimeDelta::hours(20)];

/// An urgent start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct UrgentStart {
    /// When it began, as stated: the twenty-four hours run from here.
    pub stated_at: DateTime<Utc>,
    /// When that was entered.
    pub at: DateTime<Utc>,
    /// By whom.
    pub by: AccountId,
    /// Why it could not wait.
    pub reason: String,
}

/// What the form says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct FormFields {
    /// 案件来源.
    pub source: String,
    /// 当事人.
    pub party: String,
    /// 案由.
    pub cause: String,
    /// 基本情况.
    pub summary: String,
    /// 启动依据.
    pub basis: String,
    /// 承办人意见.
    pub opinion: String,
    /// 执法人员.
    pub officers: String,
}

/// The bureau head's decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct Decision {
    /// Approved.
    pub approved: bool,
    /// In words; needed for a no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
    /// By whom.
    pub by: AccountId,
    /// Their name.
    pub by_name: String,
}

/// A form that was handed in. A new one after a refusal stands beside the old.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
pub struct InitiationForm {
    /// What it says.
    pub fields: FormFields,
    /// When it was handed in.
    pub at: DateTime<Utc>,
    /// By whom.
    pub by: AccountId,
    /// Their name.
    pub by_name: String,
    /// The decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

/// Where the initiation of a case stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "standing")]
#[cfg_attr(feature = "recorder", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "recorder", schema(as = InitiationStanding))]
pub enum Standing {
    /// No form was handed in, and nothing was begun.
    Open,
    /// Begun without the form; it is due.
    Running {
        /// By when.
        due: DateTime<Utc>,
        /// How many of the two warnings are due: 0, 1 (12 h), 2 (20 h).
        warnings: usize,
    },
    /// Begun without the form, and the twenty-four hours are over.
    Overdue {
        /// Since when.
        due: DateTime<Utc>,
    },
    /// Handed in; the bureau head has not decided.
    Pending,
    /// Approved.
    Approved,
    /// Refused; what was recorded stays.
    Rejected,
}

/// Where it stands at a moment.
pub fn standing(urgent: Option<&UrgentStart>, forms: &[InitiationForm], now: DateTime<Utc>) -> Standing {
    match (forms.last().map(|f| f.decision.as_ref()), urgent) {
        (Some(None), _) => Standing::Pending,
        (Some(Some(d)), _) if d.approved => Standing::Approved,
        (Some(Some(_)), _) => Standing::Rejected,
        (None, None) => Standing::Open,
        (None, Some(urgent)) => {
            let due = urgent.stated_at + WITHIN;
            let warnings = WARNINGS.iter().filter(|w| now >= urgent.stated_at + **w).count();
            if now >= due { Standing::Overdue { due } } else { Standing::Running { due, warnings } }
        }
    }
}

/// 逾期: the first form after an urgent start came at or after the twenty-four hours, or has not come by now. Once so, it is so
/// for ever.
pub fn is_late(urgent: Option<&UrgentStart>, forms: &[InitiationForm], now: DateTime<Utc>) -> bool {
    urgent.is_some_and(|u| forms.first().map_or(now, |f| f.at) >= u.stated_at + WITHIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(h: i64, s: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(h) + TimeDelta::seconds(s)
    }

    fn urgent() -> UrgentStart {
        UrgentStart { stated_at: at(0, 0), at: at(1, 0), by: AccountId::new("wang").unwrap(), reason: "正在倾倒".into() }
    }

    fn form(filed: DateTime<Utc>, decided: Option<bool>) -> InitiationForm {
        let by = AccountId::new("wang").unwrap();
        let decision = decided.map(|approved| Decision { approved, reason: None, at: filed, by: by.clone(), by_name: "局长".into() });
        InitiationForm { fields: FormFields::default(), at: filed, by, by_name: "王".into(), decision }
    }

    #[test]
    fn the_twenty_four_hours_run_from_the_start_and_end_to_the_second() {
        let u = urgent();
        let told = |now| standing(Some(&u), &[], now);
        let due = at(24, 0);
        for (now, expected) in [
            (at(11, 3599), Standing::Running { due, warnings: 0 }),
            (at(12, 0), Standing::Running { due, warnings: 1 }),
            (at(20, 0), Standing::Running { due, warnings: 2 }),
            (at(23, 3599), Standing::Running { due, warnings: 2 }),
            (at(24, 0), Standing::Overdue { due }),
            (at(24 * 30, 0), Standing::Overdue { due }),
        ] {
            assert_eq!(told(now), expected);
        }
    }

    #[test]
    fn a_form_in_time_is_in_time_for_ever_and_a_late_one_late_for_ever() {
        let u = urgent();
        let years = at(24 * 3650, 0);
        assert!(!is_late(Some(&u), &[form(at(23, 3599), None)], years));
        assert!(is_late(Some(&u), &[form(at(24, 0), Some(true))], years));
        assert_eq!(standing(Some(&u), &[form(at(24, 0), Some(true))], years), Standing::Approved, "late filing is accepted");
        assert!(is_late(Some(&u), &[form(at(30, 0), Some(false)), form(at(31, 0), Some(true))], years));
        assert!(!is_late(None, &[form(at(99, 0), None)], years), "nothing was begun before it");
    }

    proptest! {
        #[test]
        fn late_is_never_taken_back(start in 0_i64..1_000_000_000, filed in 0_i64..200_000, later in 0_i64..200_000) {
            let u = UrgentStart { stated_at: at(0, start), ..urgent() };
            let forms = [form(at(0, start + filed), None)];
            let then = at(0, start + filed);
            prop_assert_eq!(is_late(Some(&u), &forms, then), is_late(Some(&u), &forms, then + TimeDelta::seconds(later)));
            prop_assert_eq!(is_late(Some(&u), &forms, then), filed >= 86_400);
        }
    }
}
