//! What lies in a package for its reader: how to check it with public tools, in Chinese and English. Each command stands exactly as
//! it has to be typed in the package's folder; a test types them.

use crate::custody::keys::Algorithm;
use crate::footage::tree;

/// What the instructions are about.
#[derive(Debug, Clone)]
pub struct About<'a> {
    /// The session.
    pub session: &'a str,
    /// One of its files of footage, as an example.
    pub file: Option<&'a str>,
    /// How the manifest is signed.
    pub algorithm: Algorithm,
    /// The numbers of its seals in the middle.
    pub interim: Vec<u32>,
    /// How many timestamps from outside there are.
    pub tokens: usize,
    /// Whether the unit signed the package's manifest by its own certificate.
    pub cms: bool,
    /// Whether SM3 sums are there.
    pub sm3: bool,
    /// One of its files that is encrypted, and the key that opens it.
    pub key: Option<(&'a str, &'a str)>,
}

struct Step {
    zh: &'static str,
    en: &'static str,
    commands: Vec<String>,
    /// It belongs to the step before it, and has no number of its own.
    goes_on: bool,
}

impl Step {
    fn new(zh: &'static str, en: &'static str, commands: Vec<String>) -> Self {
        Self { zh, en, commands, goes_on: false }
    }
}

const NUMERALS: &[&str] = &["一", "二", "三", "四", "五", "六", "七", "八", "九", "十"];

fn steps(about: &About<'_>) -> Vec<Step> {
    let folder = format!("data/sessions/{}", about.session);
    let signed = match about.algorithm {
        Algorithm::Ed25519 => "-rawin",
        Algorithm::Sm2 => "-rawin -digest sm3 -pkeyopt distid:1234567812345678",
    };
    let mut steps = vec![
        Step::new(
            "逐个文件核对 SHA-256 校验值（Linux、macOS；没有任何输出即为全部相同，有不同的显示 FAILED）",
            "Compare the SHA-256 of every file (Linux, macOS; no output: all are the same; one that is not says FAILED)",
            vec!["sha256sum -c --quiet manifest-sha256.txt".into(), "sha256sum -c --quiet tagmanifest-sha256.txt".into()],
        ),
        Step::new(
            "核验封存清单的签名（显示 Signature Verified Successfully 即为有效）",
            "Verify the signature of the sealed manifest (has to say: Signature Verified Successfully)",
            vec![format!(
                "openssl pkeyutl -verify -pubin -inkey {folder}/signer.pem {signed} -in {folder}/session.json -sigfile {folder}/session.json.sig"
            )],
        ),
        Step::new(
            "封存码就是清单的 SHA-256，应与笔录和回执上的一致；签名公钥的指纹应与单位公布的一致",
            "The seal code is the SHA-256 of the manifest: compare it with the record and the receipt; compare the key's fingerprint with the published one",
            vec![
                format!("sha256sum {folder}/session.json"),
                format!("openssl pkey -pubin -in {folder}/signer.pem -outform DER | sha256sum"),
            ],
        ),
    ];
    if !about.interim.is_empty() {
        let name = |n: &u32| tree::interim_name(*n);
        steps.push(Step {
            goes_on: true,
            ..Step::new(
                "录制结束以前签字的笔录，印的是中间封存码，与上面的不同：应与下面的一个一致，并且写在 session.json 的 interim 中",
                "A record that was signed before the recording ended bears an interim seal code, which is not the one above: it has to be one of \
                 these, and to stand in session.json under \"interim\"",
                about.interim.iter().map(|n| format!("sha256sum {folder}/{}", name(n))).collect(),
            )
        });
    }
    let tsa = "data/keys/tsa-ca.pem";
    for n in 1..=about.tokens {
        let token = |n: usize| crate::custody::timestamp::token_name(&format!("{folder}/session.json"), n);
        let commands = if n == 1 {
            vec![format!("openssl ts -verify -data {folder}/session.json -in {} -CAfile {tsa}", token(1))]
        } else {
            let before: Vec<String> = (1..n).map(token).collect();
            let all = format!("cat {folder}/session.json {}", before.join(" "));
            vec![format!("{all} | openssl ts -verify -data /dev/stdin -in {} -CAfile {tsa}", token(n))]
        };
        let (zh, en) = if n == 1 {
            ("核验外部时间戳（RFC 3161）", "Verify the timestamp from outside (RFC 3161)")
        } else {
            ("续期的时间戳", "A renewed timestamp")
        };
        steps.push(Step { goes_on: n > 1, ..Step::new(zh, en, commands) });
    }
    if about.cms {
        steps.push(Step::new(
            "核验单位证书对本移交包的签名（CMS）；unit-ca.pem 为签发该证书的机构的根证书，请另行取得",
            "Verify the unit's own signature over this package (CMS); unit-ca.pem is the root that certified the unit, to be obtained elsewhere",
            vec![
                "openssl cms -verify -binary -inform DER -in manifest-sha256.txt.p7s -content manifest-sha256.txt -CAfile unit-ca.pem -purpose any -out manifest.verified".into(),
            ],
        ));
    }
    if about.sm3
        && let Some(file) = about.file
    {
        steps.push(Step::new(
            "国密 SM3 校验值在 sm3sums.txt 中，可逐个文件核对，例如",
            "SM3 sums stand in sm3sums.txt; to compare one file, for instance",
            vec![format!("openssl dgst -sm3 {folder}/{file}")],
        ));
    }
    // `+ignidx`: Debian 12's ffmpeg else takes the vectors of the last fragment for all of them.
    if let Some((file, key)) = about.key {
        steps.push(Step::new(
            "解密：录像原件加密存放，封存清单中的校验值是加密后文件的校验值。各文件的密钥见 data/keys/footage-keys.txt；解密一个文件，例如（画面和声音逐帧还原，不重新编码）",
            "Decrypt: the originals are encrypted (MPEG Common Encryption); the digests in the manifest are those of the encrypted files. The key of each stands in data/keys/footage-keys.txt; to open one, for instance (every frame as it was recorded, nothing is encoded anew)",
            vec![format!("ffmpeg -v error -y -fflags +ignidx -decryption_key {key} -i {folder}/{file} -map 0 -c copy clear.mp4")],
        ));
    }
    steps
}

/// The steps in a row, numbered as they stand: which there are differs from package to package.
fn numbered(steps: &[Step], told: impl Fn(Option<usize>, &Step) -> String) -> String {
    let mut number = 0;
    let one = |step: &Step| {
        number += usize::from(!step.goes_on);
        format!("{}\n\n{}\n", told((!step.goes_on).then_some(number), step), listing(&step.commands))
    };
    steps.iter().map(one).collect()
}

/// The instructions in Chinese.
pub fn chinese(about: &About<'_>) -> String {
    let mut text = format!(
        "录制 {} 移交包的核验说明\n\n最简便的办法：用浏览器打开 verify.html，把本文件夹拖进去。页面不连接网络。\n\
         以下命令在本文件夹中执行，不需要本单位的任何程序。Windows 上没有 sha256sum 时，用 certutil 逐个文件计算后与 manifest-sha256.txt 比对：\n\n    {}\n\n",
        about.session,
        certutil(about)
    );
    text.push_str(&numbered(&steps(about), |number, step| match number {
        Some(n) => format!("{}、{}", NUMERALS.get(n - 1).unwrap_or(&"又"), step.zh),
        None => format!("　　{}", step.zh),
    }));
    text.push_str(
        "data/sessions    录制原件、封存清单（session.json）、中间封存清单（interim-N.json，如有）、签名、经过记录（journal.jsonl）、附件\n\
         data/viewing     查看用的合成文件，非原件\n\
         data/clips       来函所列的片段，另附于整段录制之外，如有；由原件取整段合成，非原件\n\
         data/log         与本次录制有关的监管日志记录及其证明（C2SP tlog-proof），log-key.txt 为日志公钥\n\
         data/keys        签名公钥及其更替\n\
         data/provision-list.csv 移送清单\n\
         未申报的缺录、改动、增删、调换均会被上述步骤发现；缺录及原因见 session.json 的 gaps。\n",
    );
    text
}

/// The instructions in English.
pub fn english(about: &About<'_>) -> String {
    let mut text = format!(
        "How to verify the package of session {}\n\nThe easy way: open verify.html in a browser and drop this folder on it. The page connects to nothing.\n\
         The commands below are typed in this folder and need no program of the bureau. On Windows, without sha256sum, compute each file with\n\
         certutil and compare with manifest-sha256.txt:\n\n    {}\n\n",
        about.session,
        certutil(about)
    );
    text.push_str(&numbered(&steps(about), |number, step| match number {
        Some(n) => format!("{n}. {}", step.en),
        None => format!("   {}", step.en),
    }));
    text.push_str(
        "data/sessions    originals, sealed manifest (session.json), interim ones (interim-N.json, if any), signatures, journal, documents\n\
         data/viewing     one camera as one file, for looking; not an original\n\
         data/clips       the stretches that the letter names, where it does, beside the whole; put together of whole files, not originals\n\
         data/log         entries of the custody log about this session with their proofs (C2SP tlog-proof); log-key.txt is the log's key\n\
         data/keys        signing keys and how one followed another\n\
         data/provision-list.csv  the provision list\n\
         An undeclared gap, an alteration, an addition, a removal or an exchange is found by the steps above; declared gaps and their\n\
         causes stand in session.json under \"gaps\".\n",
    );
    text
}

fn certutil(about: &About<'_>) -> String {
    format!("certutil -hashfile data\\sessions\\{}\\{} SHA256", about.session, about.file.unwrap_or("session.json"))
}

fn listing(commands: &[String]) -> String {
    commands.iter().map(|c| format!("    {c}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_are_numbered_without_a_hole_and_name_every_interim_seal() {
        let bare = About {
            session: "s-1",
            file: Some("f.mp4"),
            algorithm: Algorithm::Ed25519,
            interim: vec![],
            tokens: 0,
            cms: false,
            sm3: true,
            key: None,
        };
        let whole = About { interim: vec![1, 2], tokens: 2, cms: true, key: Some(("f.mp4", "00")), ..bare.clone() };
        for (about, steps) in [(&bare, 4), (&whole, 7)] {
            let (zh, en) = (chinese(about), english(about));
            for n in 1..=steps {
                assert!(en.contains(&format!("\n{n}. ")) && zh.contains(&format!("\n{}、", NUMERALS[n - 1])), "{n}: {zh}{en}");
            }
            assert!(!en.contains(&format!("\n{}. ", steps + 1)) && !zh.contains(&format!("\n{}、", NUMERALS[steps])), "{zh}{en}");
            for text in [&zh, &en] {
                for n in &about.interim {
                    assert!(text.contains(&format!("    sha256sum data/sessions/s-1/interim-{n}.json\n")), "{text}");
                }
                assert!(text.contains("data/clips") && text.contains("data/provision-list.csv"), "{text}");
            }
        }
    }
}
