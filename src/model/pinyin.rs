//! Chinese in the order in which people look for it: by pinyin, as Unicode has it for `zh`; digits and Latin letters before it, and
//! numbers by their value, so that 9号 stands before 10号. The lists that the catalog puts in order and those of the console go by this one.

use icu_collator::options::CollatorOptions;
use icu_collator::{CollatorBorrowed, CollatorPreferences};
use icu_locale_core::locale;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::LazyLock;

/// What the order is called in SQL.
pub const NAME: &str = "pinyin";

/// Unicode's own last character. Its `zh` puts Chinese before Latin; one of these before each sends it behind.
const LAST: char = '\u{FFFF}';

/// Its data is compiled in, so that it is always there.
static ORDER: LazyLock<Option<CollatorBorrowed<'static>>> =
    LazyLock::new(|| CollatorBorrowed::try_new(CollatorPreferences::from(locale!("zh-u-kn")), CollatorOptions::default()).ok());

/// Which of two texts comes first. Texts that Unicode holds equal come by their code points, so that no order is left to chance.
pub fn compare(a: &str, b: &str) -> Ordering {
    let by_sound = ORDER.as_ref().map_or(Ordering::Equal, |order| order.compare(&behind_latin(a), &behind_latin(b)));
    by_sound.then_with(|| a.cmp(b))
}

fn behind_latin(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_chinese) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().flat_map(|c| is_chinese(c).then_some(LAST).into_iter().chain([c])).collect())
}

/// The blocks of unified ideographs, with those for compatibility.
fn is_chinese(c: char) -> bool {
    matches!(c, '〇' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_stand_as_in_a_register() {
        let right = [
            "",
            "〔2026〕9号",
            "〔2026〕10号",
            "9号",
            "10号",
            "a",
            "ab",
            "a中",
            "B",
            "安",
            "白",
            "白A",
            "白某",
            "陈",
            "李",
            "李红",
            "李四",
            "王",
            "张三",
            "张四",
            "重庆",
        ];
        // 重 is read zhòng where it stands alone: no dictionary of words is behind this.
        let mut rows: Vec<&str> = right.iter().rev().copied().collect();
        rows.sort_by(|a, b| compare(a, b));
        assert_eq!(rows, right);
    }

    proptest! {
        #[test]
        fn it_is_an_order(a in "[王安a9 ]{0,4}", b in "[王安a9 ]{0,4}", c in "[王安a9 ]{0,4}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            prop_assert_eq!(compare(&a, &b) == Ordering::Equal, a == b);
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                prop_assert!(compare(&a, &c).is_le());
            }
        }
    }
}
