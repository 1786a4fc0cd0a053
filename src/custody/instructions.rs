//! What lies in a package for its reader: how to check it with public tools, in Chinese and English. Each command stands exactly as
//! it has to be typed in the package's folder; a test types them.

use crate::custody::keys::Algorithm;

/// What the instructions are about.
#[derive(Debug, Clone)]
pub struct About<'a> {
    /// The session.
    pub session: &'a str,
    /// One of its files of footage, as an example.
    pub file: Option<&'a str>,
    /// How the manifest is signed.
    pub algorithm: Algorithm,
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
}

fn steps(about: &About<'_>) -> Vec<Step> {
    let folder = format!("data/sessions/{}", about.session);
    let signed = match about.algorithm {
        Algorithm::Ed25519 => "-rawin",
        Algorithm::Sm2 => "-rawin -digest sm3 -pkeyopt distid:1234567812345678",
    };
    let mut steps = vec![
        Step {
            zh: "一、逐个文件核对 SHA-256 校验值（Linux、macOS；全部显示 OK 即为相同）",
            en: "1. Compare the SHA-256 of every file (Linux, macOS; each line has to end in OK)",
            commands: vec!["sha256sum -c --quiet manifest-sha256.txt".into(), "sha256sum -c --quiet tagmanifest-sha256.txt".into()],
        },
        Step {
            zh: "二、核验封存清单的签名（显示 Signature Verified Successfully 即为有效）",
            en: "2. Verify the signature of the sealed manifest (has to say: Signature Verified Successfully)",
            commands: vec![format!(
                "openssl pkeyutl -verify -pubin -inkey {folder}/signer.pem {signed} -in {folder}/session.json -sigfile {folder}/session.json.sig"
            )],
        },
        Step {
            zh: "三、封存码就是清单的 SHA-256，应与笔录和回执上的一致；签名公钥的指纹应与单位公布的一致",
            en: "3. The seal code is the SHA-256 of the manifest: compare it with the record and the receipt; compare the key's fingerprint with the published one",
            commands: vec![
                format!("sha256sum {folder}/session.json"),
                format!("openssl pkey -pubin -in {folder}/signer.pem -outform DER | sha256sum"),
            ],
        },
    ];
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
        steps.push(Step {
            zh: if n == 1 { "四、核验外部时间戳（RFC 3161）" } else { "　　续期的时间戳" },
            en: if n == 1 { "4. Verify the timestamp from outside (RFC 3161)" } else { "   A renewed timestamp" },
            commands,
        });
    }
    if about.cms {
        steps.push(Step {
            zh: "五、核验单位证书对本移交包的签名（CMS）；unit-ca.pem 为签发该证书的机构的根证书，请另行取得",
            en: "5. Verify the unit's own signature over this package (CMS); unit-ca.pem is the root that certified the unit, to be obtained elsewhere",
            commands: vec![
                "openssl cms -verify -binary -inform DER -in manifest-sha256.txt.p7s -content manifest-sha256.txt -CAfile unit-ca.pem -purpose any -out manifest.verified".into(),
            ],
        });
    }
    if about.sm3
        && let Some(file) = about.file
    {
        steps.push(Step {
            zh: "六、国密 SM3 校验值在 sm3sums.txt 中，可逐个文件核对，例如",
            en: "6. SM3 sums stand in sm3sums.txt; to compare one file, for instance",
            commands: vec![format!("openssl dgst -sm3 {folder}/{file}")],
        });
    }
    // `+ignidx`: Debian 12's ffmpeg else takes the vectors of the last fragment for all of them.
    if let Some((file, key)) = about.key {
        steps.push(Step {
            zh: "七、录像原件加密存放，封存清单中的校验值是加密后文件的校验值。各文件的密钥见 data/keys/footage-keys.txt；解密一个文件，例如（画面和声音逐帧还原，不重新编码）",
            en: "7. The originals are encrypted (MPEG Common Encryption); the digests in the manifest are those of the encrypted files. The key of each stands in data/keys/footage-keys.txt; to open one, for instance (every frame as it was recorded, nothing is encoded anew)",
            commands: vec![format!("ffmpeg -v error -y -fflags +ignidx -decryption_key {key} -i {folder}/{file} -map 0 -c copy clear.mp4")],
        });
    }
    steps
}

/// The instructions in Chinese.
pub fn chinese(about: &About<'_>) -> String {
    let mut text = format!(
        "录制 {} 移交包的核验说明\n\n最简便的办法：用浏览器打开 verify.html，把本文件夹拖进去。页面不连接网络。\n\
         以下命令在本文件夹中执行，不需要本单位的任何程序。Windows 上没有 sha256sum 时，用 certutil 逐个文件计算后与 manifest-sha256.txt 比对：\n\n    {}\n\n",
        about.session,
        certutil(about)
    );
    for step in steps(about) {
        text.push_str(&format!("{}\n\n{}\n", step.zh, listing(&step.commands)));
    }
    text.push_str(
        "data/sessions    录制原件、封存清单（session.json）、签名、经过记录（journal.jsonl）、附件\n\
         data/viewing     查看用的合成文件，非原件\n\
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
    for step in steps(about) {
        text.push_str(&format!("{}\n\n{}\n", step.en, listing(&step.commands)));
    }
    text.push_str(
        "data/sessions    originals, sealed manifest (session.json), signature, journal, documents\n\
         data/viewing     one camera as one file, for looking; not an original\n\
         data/log         entries of the custody log about this session with their proofs (C2SP tlog-proof); log-key.txt is the log's key\n\
         data/keys        signing keys and how one followed another\n\
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
