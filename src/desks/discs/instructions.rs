//! What stands on a medium for whoever finds it: what it is, how it is checked, how it is repaired. In Chinese and English.

use crate::custody::package::Member;
use crate::model::medium::Medium;
use crate::model::session::Session;
use crate::model::time;

/// Files for the medium's root.
pub(super) fn members(medium: &Medium, sessions: &[Session], bureau: &str, unit: &str) -> Vec<Member> {
    let chinese = chinese(medium, sessions, bureau, unit);
    vec![
        // Notepad of older Windows needs the mark and the line ends.
        Member::made("README.zh-CN.txt", format!("\u{feff}{}", chinese.replace('\n', "\r\n"))),
        Member::made("README.en.txt", english(medium, sessions, bureau)),
        Member::made("label.txt", format!("\u{feff}{}", label(medium, sessions, bureau, unit).replace('\n', "\r\n"))),
        Member::made("index.html", page(medium, sessions, bureau, unit)),
    ]
}

/// The six fields of 第十七条, as lines for a label.
pub(super) fn label(medium: &Medium, sessions: &[Session], bureau: &str, unit: &str) -> String {
    let mut text =
        format!("{bureau}\n介质编号 {}\n制作日期 {}　制作人 {}\n", medium.title(), time::shanghai_day(medium.ordered_at), medium.by_name);
    for session in sessions {
        text.push_str(&format!("\n录制编号 {}\n", session.id));
        for (name, value) in six_fields(session, unit) {
            text.push_str(&format!("{name}：{value}\n"));
        }
        text.push_str(&format!("封存码：{}\n", seal(session)));
    }
    text
}

fn six_fields(session: &Session, unit: &str) -> [(&'static str, String); 6] {
    let facts = session.facts();
    let given = |text: &Option<String>| text.clone().unwrap_or_else(|| "（未填）".into());
    [
        ("股室名称", unit.to_owned()),
        ("执法记录设备编号", session.devices.iter().map(|d| d.device_no.as_str()).collect::<Vec<_>>().join("、")),
        ("执法人员信息", crate::catalog::sessions::officers_text(facts)),
        ("使用时间", used(session)),
        ("案件当事人", given(&facts.party)),
        ("案由名称", given(&facts.cause)),
    ]
}

fn used(session: &Session) -> String {
    let length = session.length_ms.map(time::length_text).unwrap_or_default();
    format!("{}（{length}）", time::shanghai_text(session.started_at))
}

fn seal(session: &Session) -> String {
    session.seal.as_ref().map(|s| s.code.clone()).unwrap_or_default()
}

fn parts(medium: &Medium, words: (&str, &str)) -> String {
    let part = |p: &crate::model::disc_plan::Part| {
        if p.parts > 1 {
            format!("  {}/   {} {}/{}{}\n", p.session, words.0, p.part, p.parts, words.1)
        } else {
            format!("  {}/\n", p.session)
        }
    };
    medium.parts.iter().map(part).collect()
}

fn is_spread(medium: &Medium) -> bool {
    medium.parts.iter().any(|p| p.parts > 1)
}

fn chinese(medium: &Medium, sessions: &[Session], bureau: &str, unit: &str) -> String {
    let joined = if is_spread(medium) {
        format!(
            "【分盘】有的录制一张放不下，按整个文件分放在同一组的几张介质上（本组第一张编号 {}）。把各张上同名的录制文件夹复制到\n\
             硬盘的同一个文件夹里（合并），即得到完整的移交包，再按下面的方法核验。\n\n",
            medium.set
        )
    } else {
        String::new()
    };
    format!(
        "{bureau}　{unit}\n执法全过程音像记录保存介质\n\n介质编号：{}\n制作：{}　{}\n\n\
         本介质依《行政执法全过程记录制度》第十九条制作，由制作股室保管。内容属执法记录，未经批准不得查阅、复制（第二十二条）。\n\n\
         【内容】每次录制一个文件夹，是一个 BagIt 移交包，含原始录像、封存清单与签名、监管日志证明和核验说明：\n{}\n{joined}\
         【核对文件】本介质所有文件的校验值在 contents.sha256 中：\n  Linux：在本介质根目录执行  sha256sum -c contents.sha256\n　\
         Windows：certutil -hashfile 文件名 SHA256，与 contents.sha256 中的一行比较\n\n\
         【核验是否改动】  shilu-verify 录制文件夹\n　\
         没有该程序时，按各录制文件夹内 README.zh-CN.txt 的步骤，用 sha256sum 和 openssl 也能完成；\n　用浏览器打开文件夹内的 verify.html 亦可。\n\n\
         【修复】parity 文件夹内是里德－所罗门冗余数据（PAR2）。个别文件读不出时，先把整张介质复制到硬盘（读不出的部分可用 ddrescue 跳过），再执行：\n　\
         par2 repair -p -B 复制到的文件夹 复制到的文件夹/parity/disc.par2\n\n【标签】\n{}",
        medium.title(),
        medium.by_name,
        time::shanghai_text(medium.ordered_at),
        parts(medium, ("第", " 部分")),
        label(medium, sessions, bureau, unit),
    )
}

fn english(medium: &Medium, sessions: &[Session], bureau: &str) -> String {
    let joined = if is_spread(medium) {
        format!(
            "A session that did not fit onto one medium is spread over those of this set (the first is {}), whole files each. Copy the\n\
             folders of the same name from all of them into one folder on a disk; that is the whole package. Then check it as below.\n\n",
            medium.set
        )
    } else {
        String::new()
    };
    let seals: String = sessions.iter().map(|s| format!("  {}  {}\n", s.id, seal(s))).collect();
    format!(
        "{bureau}\nRecordings of administrative enforcement, kept on a medium\n\nMedium {}\nMade by {}, {} (Asia/Shanghai)\n\n\
         Kept under article 19 of the bureau's rules. A look at it, or a copy, needs an approval (article 22).\n\n\
         CONTENTS. A folder a session; each is a BagIt package with the original video, the sealed manifest and its signature, proofs from\n\
         the custody log, and instructions of its own:\n{}\n{joined}\
         WHETHER EVERY FILE IS WHOLE. In the root of this medium:\n  sha256sum -c contents.sha256\n\n\
         WHETHER ANYTHING WAS ALTERED.\n  shilu-verify SESSION-FOLDER\n\
         Without that program, follow README.en.txt in the session's folder (sha256sum and openssl), or open its verify.html in a browser.\n\n\
         REPAIR. The folder parity holds Reed-Solomon data (PAR2). If a file cannot be read, copy the whole medium to a disk (ddrescue\n\
         passes over what is unreadable), then:\n  par2 repair -p -B COPY COPY/parity/disc.par2\n\nSEAL CODES\n{seals}",
        medium.title(),
        medium.by_name,
        time::shanghai_text(medium.ordered_at),
        parts(medium, ("part", "")),
    )
}

/// A page that opens from the disc itself: no script, nothing from elsewhere.
fn page(medium: &Medium, sessions: &[Session], bureau: &str, unit: &str) -> String {
    let mut rows = String::new();
    for (part, session) in medium.parts.iter().zip(sessions) {
        let fields: String = six_fields(session, unit).iter().map(|(n, v)| format!("<dt>{n}</dt><dd>{}</dd>", escaped(v))).collect();
        let of = if part.parts > 1 { format!(" {}/{}", part.part, part.parts) } else { String::new() };
        let checks = if part.part == 1 {
            format!(
                " · <a href=\"{0}/verify.html\">核验 verify</a> · <a href=\"{0}/README.zh-CN.txt\">说明</a> · <a href=\"{0}/README.en.txt\">instructions</a>",
                part.session
            )
        } else {
            String::new()
        };
        rows.push_str(&format!(
            "<section><h2>{}{of}</h2><p><a href=\"{0}/data/sessions/{0}/\">录像 video</a>{checks}</p><dl>{fields}<dt>封存码</dt><dd><code>{}</code></dd></dl></section>",
            part.session,
            seal(session)
        ));
    }
    format!(
        "<!doctype html><html lang=\"zh-CN\"><meta charset=\"utf-8\"><title>{0}</title><style>body{{font:16px/1.6 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}}\
         dl{{display:grid;grid-template-columns:max-content 1fr;gap:.2em 1em}}dd{{margin:0;overflow-wrap:anywhere}}section{{border-top:1px solid #999}}</style>\
         <h1>{1}　{0}</h1><p>依第十九条制作保存；未经批准不得查阅、复制（第二十二条）。Kept under article 19; a look or a copy needs an approval (article 22).</p>\
         <p><a href=\"README.zh-CN.txt\">本介质说明</a> · <a href=\"README.en.txt\">About this medium</a> · <a href=\"contents.sha256\">contents.sha256</a></p>{rows}</html>\n",
        escaped(&medium.title()),
        escaped(bureau),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
