//! Both languages. Chinese first; English by a switch that a cookie remembers.

use axum::http::{HeaderMap, header};
use fluent_templates::fluent_bundle::FluentValue;
use fluent_templates::{LanguageIdentifier, Loader, langid, static_loader};
use std::borrow::Cow;
use std::collections::HashMap;

static_loader! {
    static TEXTS = {
        locales: "./src/web/i18n",
        fallback_language: "zh-CN",
        // Isolation marks would stand, invisible, in numbers that people copy.
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

static ZH: LanguageIdentifier = langid!("zh-CN");
static EN: LanguageIdentifier = langid!("en");

/// A language of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    /// 中文.
    Zh,
    /// English.
    En,
}

impl Lang {
    /// The language of a request: its cookie's, else Chinese.
    pub fn of(headers: &HeaderMap) -> Self {
        if cookie(headers, "lang").is_some_and(|l| l == "en") { Self::En } else { Self::Zh }
    }

    /// For `<html lang>`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Zh => "zh-CN",
            Self::En => "en",
        }
    }

    fn id(self) -> &'static LanguageIdentifier {
        match self {
            Self::Zh => &ZH,
            Self::En => &EN,
        }
    }

    /// A text; a key without one shows itself, so that it is found.
    pub fn t(self, key: &str) -> String {
        TEXTS.try_lookup(self.id(), key).unwrap_or_else(|| format!("⟨{key}⟩"))
    }

    /// A text under a key made of two parts, e.g. `lamp-` and `idle`; `_` becomes `-`.
    pub fn of_word(self, prefix: &str, word: &str) -> String {
        self.t(&format!("{prefix}-{}", word.replace('_', "-")))
    }

    /// A text with values in it.
    pub fn with(self, key: &str, values: &[(&'static str, String)]) -> String {
        let args: HashMap<Cow<'static, str>, FluentValue<'_>> =
            values.iter().map(|(n, v)| (Cow::Borrowed(*n), FluentValue::from(v.clone()))).collect();
        TEXTS.try_lookup_with_args(self.id(), key, &args).unwrap_or_else(|| format!("⟨{key}⟩"))
    }
}

/// A cookie's value.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';'));
    all.filter_map(|pair| pair.trim().split_once('=')).find(|(n, _)| *n == name).map(|(_, v)| v)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desks::cameras::Withheld;
    use crate::model::access::{AccessMode, RequestState};
    use crate::model::agenda::{Concern, UntilKind, Weight};
    use crate::model::alarm::{AlarmKind, Severity};
    use crate::model::clock_trust::DoubtKind;
    use crate::model::disposal::{DisposalState, Obstacle};
    use crate::model::hold::{Ground, HoldState};
    use crate::model::refusal::Refusal;
    use crate::model::retention::{Reason, RetentionClass};
    use crate::model::{
        access::DeputationStanding,
        case::{ActKind, CaseState, Origin, Procedure, Stage},
        case_missing,
        completeness::Coverage,
        device::{DeviceChangeKind, DeviceKind, Due, Standing},
        device_fault::{FaultKind, FaultState},
        entry::EntryKind,
        facts::{AttendeeRole, Duty, Presentation},
        figures::Span,
        gap::GapCause,
        handover::{CheckOutState, HandoverStanding},
        import,
        mark::{Manner, MarkKind},
        medium::{ChangeKind, CopyStanding, MediumKind, MediumState},
        missing::{self, AnswerKind},
        people::{Act, Role},
        plan::PlanState,
        readiness::{self, Level},
        record::{LineKind, ReadBackManner, Signature},
        session::{InterruptionCause, SessionKind, State},
        status::Lamp,
        text_record,
        trial::{Carrier, Client},
        walkthrough::{Step, StepState},
    };
    use std::collections::BTreeSet;

    const ZH_TEXT: &str = include_str!("i18n/zh-CN/console.ftl");
    const EN_TEXT: &str = include_str!("i18n/en/console.ftl");

    fn keys(text: &str) -> BTreeSet<&str> {
        text.lines().filter(|l| !l.starts_with([' ', '#'])).filter_map(|l| l.split_once(" =").map(|(k, _)| k)).collect()
    }

    #[test]
    fn both_languages_have_the_same_texts_each_once() {
        assert_eq!(keys(ZH_TEXT), keys(EN_TEXT));
        for text in [ZH_TEXT, EN_TEXT] {
            let lines = text.lines().filter(|l| !l.starts_with([' ', '#']) && l.contains(" ="));
            assert_eq!(lines.count(), keys(text).len(), "a text that stands twice keeps the console from starting");
        }
    }

    #[test]
    fn every_text_that_a_page_asks_for_is_there() {
        let known = keys(ZH_TEXT);
        let mut missing = BTreeSet::new();
        for dir in ["src/web/templates", "src/web/pages", "src/web/api", "src/web"] {
            for entry in std::fs::read_dir(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(dir)).unwrap() {
                let path = entry.unwrap().path();
                let Ok(text) = std::fs::read_to_string(&path) else { continue };
                let asked = [".t(\"", ".with(\""].into_iter().flat_map(|call| text.match_indices(call).map(move |(at, _)| at + call.len()));
                for at in asked.filter(|at| !text[*at..].starts_with('"')) {
                    let key = text[at..].split('"').next().unwrap();
                    if !known.contains(key) {
                        missing.insert(format!("{key} in {}", path.display()));
                    }
                }
            }
        }
        assert!(missing.is_empty(), "{missing:#?}");
    }

    #[test]
    fn every_text_is_asked_for() {
        fn read(dir: &std::path::Path, all: &mut String) {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                let kind = path.extension().and_then(|e| e.to_str());
                match kind {
                    None if path.is_dir() => read(&path, all),
                    Some("rs" | "html" | "js") => *all += &std::fs::read_to_string(&path).unwrap(),
                    _ => {}
                }
            }
        }
        let mut source = String::new();
        read(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut source);
        let quoted: BTreeSet<&str> = source.split('"').filter(|s| s.len() < 60).collect();
        // Whole, or as the first part of a word of the model's: `state-` and `sealed`.
        let part = |key: &str| key.match_indices('-').any(|(at, _)| quoted.contains(&key[..at]));
        let formatted = |key: &str| key.match_indices('-').any(|(at, _)| source.contains(&format!("\"{}{{", &key[..=at])));
        let unused: Vec<&str> = keys(ZH_TEXT).into_iter().filter(|k| !quoted.contains(k) && !part(k) && !formatted(k)).collect();
        assert!(unused.is_empty(), "{unused:?}");
    }

    #[test]
    fn every_refusal_has_its_sentence() {
        let texts = keys(ZH_TEXT);
        let sentences = Refusal::WORDS.iter().map(|w| format!("refusal-{}", w.replace('_', "-")));
        let without: Vec<String> = sentences.filter(|key| !texts.contains(key.as_str())).collect();
        assert!(without.is_empty(), "{without:?}");
    }

    #[test]
    fn every_word_of_the_model_has_its_text() {
        let mut asked: Vec<(&str, &str)> = Vec::new();
        asked.extend(AlarmKind::ALL.iter().map(|w| ("alarm-kind", w.as_str())));
        asked.extend(Severity::ALL.iter().map(|w| ("severity", w.as_str())));
        asked.extend(Role::ALL.iter().map(|w| ("role", w.as_str())));
        asked.extend(State::ALL.iter().map(|w| ("state", w.as_str())));
        asked.extend(SessionKind::ALL.iter().map(|w| ("kind", w.as_str())));
        asked.extend(MarkKind::ALL.iter().map(|w| ("mark", w.as_str())));
        asked.extend(GapCause::ALL.iter().map(|w| ("cause", w.as_str())));
        asked.extend(InterruptionCause::ALL.iter().map(|w| ("interruption", w.as_str())));
        asked.extend(Lamp::ALL.iter().map(|w| ("lamp", w.as_str())));
        asked.extend(EntryKind::ALL.iter().map(|w| ("entry", w.as_str())));
        asked.extend(AccessMode::ALL.iter().map(|w| ("mode", w.as_str())));
        asked.extend(RequestState::ALL.iter().map(|w| ("request", w.as_str())));
        asked.extend(Presentation::ALL.iter().map(|w| ("presentation", w.as_str())));
        asked.extend(Duty::ALL.iter().map(|w| ("duty", w.as_str())));
        asked.extend(AttendeeRole::ALL.iter().map(|w| ("attendee", w.as_str())));
        asked.extend(Manner::ALL.iter().map(|w| ("manner", w.as_str())));
        asked.extend(AnswerKind::ALL.iter().flat_map(|w| [("answer", w.as_str()), ("right-answer", w.as_str())]));
        asked.extend(PlanState::ALL.iter().map(|w| ("plan", w.as_str())));
        asked.extend(LineKind::ALL.iter().flat_map(|w| [("line", w.as_str()), ("line-kind", w.as_str())]));
        asked.extend(ReadBackManner::ALL.iter().map(|w| ("read-back", w.as_str())));
        asked.extend(Signature::ALL.iter().map(|w| ("signature", w.as_str())));
        asked.extend(Coverage::ALL.iter().map(|w| ("coverage", w.as_str())));
        asked.extend(ActKind::ALL.iter().map(|w| ("act", w.as_str())));
        asked.extend(Procedure::ALL.iter().map(|w| ("procedure", w.as_str())));
        asked.extend(Stage::ALL.iter().map(|w| ("stage", w.as_str())));
        asked.extend(Origin::ALL.iter().map(|w| ("origin", w.as_str())));
        asked.extend(CaseState::ALL.iter().map(|w| ("case-state", w.as_str())));
        for (kind, _, _, fields) in text_record::KINDS {
            asked.push(("text-record", kind.as_str()));
            for field in *fields {
                asked.push(("record-field", field.name));
                if let text_record::Takes::One(words) = field.takes {
                    asked.extend(words.iter().map(|w| ("choice", *w)));
                }
            }
        }
        asked.extend(Refusal::WORDS.iter().map(|w| ("refused", *w)));
        asked.extend(Level::ALL.iter().map(|w| ("level", w.as_str())));
        asked.extend(readiness::WORDS.iter().flat_map(|w| [("ready", *w), ("cure", *w)]));
        asked.extend(case_missing::DEMANDS.iter().map(|(what, _)| ("missing", *what)));
        asked.extend(missing::DEMANDS.iter().map(|(what, _)| ("missing", *what)));
        asked.extend(RetentionClass::ALL.iter().map(|w| ("class", w.as_str())));
        asked.extend(Ground::ALL.iter().map(|w| ("ground", w.as_str())));
        asked.extend(HoldState::ALL.iter().map(|w| ("hold-state", w.as_str())));
        asked.extend(DisposalState::ALL.iter().map(|w| ("disposal-state", w.as_str())));
        asked.extend(Obstacle::ALL.iter().map(|w| ("obstacle", w.as_str())));
        asked.extend(DoubtKind::ALL.iter().map(|w| ("doubt", w.as_str())));
        asked.extend(import::ArrivalState::ALL.iter().map(|w| ("arrival", w.as_str())));
        asked.extend(import::ImportWay::ALL.iter().map(|w| ("way", w.as_str())));
        asked.extend(import::FootageKind::ALL.iter().map(|w| ("footage", w.as_str())));
        asked.extend(import::UsedFrom::ALL.iter().map(|w| ("used-from", w.as_str())));
        asked.extend(HandoverStanding::ALL.iter().map(|w| ("transfer", w.as_str())));
        asked.extend(["device", "officers", "time", "party", "cause"].map(|w| ("six", w)));
        asked.extend(DeputationStanding::ALL.iter().map(|w| ("deputation", w.as_str())));
        asked.extend(CheckOutState::ALL.iter().map(|w| ("device-out", w.as_str())));
        asked.extend(DeviceKind::ALL.iter().map(|w| ("device-kind", w.as_str())));
        asked.extend(Standing::ALL.iter().map(|w| ("standing", w.as_str())));
        asked.extend(DeviceChangeKind::ALL.iter().map(|w| ("device-change", w.as_str())));
        asked.extend(Due::ALL.iter().map(|w| ("maintenance", w.as_str())));
        asked.extend(FaultKind::ALL.iter().map(|w| ("fault-kind", w.as_str())));
        asked.extend(FaultState::ALL.iter().map(|w| ("fault-state", w.as_str())));
        asked.extend(["stop", "report", "repair", "retest", "return", "retire"].map(|w| ("fault-step", w)));
        asked.extend(["stop", "repair", "retest", "retire"].map(|w| ("fault-text", w)));
        asked.extend(["report", "repair"].map(|w| ("fault-party", w)));
        asked.extend(Withheld::ALL.iter().map(|w| ("trial-withheld", w.as_str())));
        asked.extend(Carrier::ALL.iter().map(|w| ("carrier", w.as_str())));
        asked.extend(Client::ALL.iter().map(|w| ("client", w.as_str())));
        asked.extend(MediumKind::ALL.iter().map(|w| ("medium-kind", w.as_str())));
        asked.extend(MediumState::ALL.iter().map(|w| ("medium-state", w.as_str())));
        asked.extend(CopyStanding::ALL.iter().map(|w| ("copy-standing", w.as_str())));
        asked.extend(Concern::ALL.iter().map(|w| ("concern", w.as_str())));
        asked.extend(Weight::ALL.iter().map(|w| ("weight", w.as_str())));
        asked.extend(Span::ALL.iter().map(|w| ("span", w.as_str())));
        asked.extend(StepState::ALL.iter().map(|w| ("step-state", w.as_str())));
        asked.extend(Step::ALL.iter().flat_map(|w| [("step", w.as_str()), ("step-how", w.as_str())]));
        for id in ["units", "months", "coverage", "gaps", "purposes", "storage"] {
            asked.extend(["figures", "figures-about", "figures-rows", "figures-unit"].map(|prefix| (prefix, id)));
        }
        asked.extend(ChangeKind::ALL.iter().map(|w| ("medium-change", w.as_str())));
        for (reason, lang) in Reason::ALL.iter().flat_map(|r| [(r, Lang::Zh), (r, Lang::En)]) {
            let sentence = lang.with(&format!("why-{}", reason.as_str().replace('_', "-")), &[("about", "12号".into())]);
            assert!(!sentence.contains('⟨'), "{reason:?}");
        }
        for (kind, lang) in UntilKind::ALL.iter().flat_map(|k| [(k, Lang::Zh), (k, Lang::En)]) {
            let sentence = lang.with(&format!("agenda-{}", kind.as_str()), &[("at", "2026-11-26".into())]);
            assert!(!sentence.contains('⟨'), "{kind:?}");
        }
        let _ = Act::ALL;
        for lang in [Lang::Zh, Lang::En] {
            let missing: Vec<_> = asked.iter().map(|(p, w)| lang.of_word(p, w)).filter(|t| t.starts_with('⟨')).collect();
            assert!(missing.is_empty(), "{missing:?}");
        }
    }
}
