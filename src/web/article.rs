//! Articles of the regulation as each language cites them: 第十八条第二款, Article 18(2).

use crate::web::i18n::Lang;
use std::borrow::Cow;

/// A citation in a language: Chinese as it stands. What is no citation stays.
pub fn cited(lang: Lang, text: &str) -> Cow<'_, str> {
    if lang == Lang::Zh { Cow::Borrowed(text) } else { Cow::Owned(in_english(text)) }
}

fn in_english(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((number, kind, after)) = part(rest) {
            match kind {
                '条' => out.push_str(&format!("Article {number}")),
                _ => out.push_str(&format!("({number})")),
            }
            rest = after;
        } else {
            match c {
                '、' => out.push_str(", "),
                c => out.push(c),
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// 第…条, 第…款, 第…项 or （…） at the beginning of a text: its number, which of them, and what follows.
fn part(text: &str) -> Option<(u32, char, &str)> {
    // An item as the regulation numbers it: （四）.
    if let Some((number, rest)) = text.strip_prefix('（').and_then(|after| after.split_once('）')) {
        return Some((numeral(number)?, '项', rest));
    }
    let after = text.strip_prefix('第')?;
    let end = after.find(|c| !"一二三四五六七八九十".contains(c))?;
    let (number, rest) = after.split_at(end);
    let kind = rest.chars().next().filter(|c| "条款项".contains(*c))?;
    Some((numeral(number)?, kind, &rest[kind.len_utf8()..]))
}

/// A Chinese numeral below one hundred.
fn numeral(text: &str) -> Option<u32> {
    let digit = |t: &str| match t {
        "" => None,
        t => "一二三四五六七八九".chars().position(|c| t.chars().eq([c])).and_then(|n| u32::try_from(n + 1).ok()),
    };
    match text.split_once('十') {
        None => digit(text),
        Some((tens, ones)) => {
            let tens = if tens.is_empty() { 1 } else { digit(tens)? };
            let ones = if ones.is_empty() { 0 } else { digit(ones)? };
            Some(tens * 10 + ones)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn articles_are_cited_as_each_language_does() {
        for (chinese, english) in [
            ("第二条", "Article 2"),
            ("第十条", "Article 10"),
            ("第十八条第二款", "Article 18(2)"),
            ("第二十条", "Article 20"),
            ("第二十二条第一款第三项", "Article 22(1)(3)"),
            ("第十五条、第二十三条", "Article 15, Article 23"),
            ("第十九条（四）", "Article 19(4)"),
            ("第十九条（一）至（三）", "Article 19(1)至(3)"),
            ("第一询问室（东）", "第一询问室（东）"),
            ("第一询问室", "第一询问室"),
            ("第十十条", "第十十条"),
            ("第", "第"),
            ("", ""),
        ] {
            assert_eq!(cited(Lang::En, chinese), english);
            assert_eq!(cited(Lang::Zh, chinese), chinese);
        }
    }
}
