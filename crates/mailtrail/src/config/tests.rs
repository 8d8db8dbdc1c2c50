//! What is loaded, what is refused, and in which words.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;

const KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEw2nqc0mjR3FjqTBQJ8uBlHC3fKB3MPO91DAAwMF18trRQ3uyX3tXc5IpD7xLqkUHZ/0St/PIVnN9B2fkcVEThg==";

/// A folder with `mailtrail.toml` in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(text: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write(FILE_NAME, text, 0o600);
        folder
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn load(&self, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        self.load_for(Purpose::Receive, environment)
    }

    fn load_for(&self, purpose: Purpose, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let file = self.0.path().join(FILE_NAME);
        Loaded::new(Some(&file), &Environment::of(environment), &Overrides::default()).finish(purpose)
    }
}

fn load(text: &str) -> Result<Config, ConfigError> {
    Folder::with(text).load(&[])
}

/// The only problem of a configuration.
fn problem(text: &str) -> String {
    let error = load(text).unwrap_err();
    assert_eq!(error.problems().len(), 1, "{error}");
    error.problems()[0].clone()
}

fn with_auth(receive: &str, rest: &str) -> String {
    format!("[receive]\nbasic_auth = [\"user:password\"]\n{receive}\n{rest}")
}

/// What the code takes for each key, with paths as they stand in the file.
fn comparable(mut config: Config, folder: &Path) -> String {
    config.file = None;
    for path in [&mut config.privacy.key_file, &mut config.store.path] {
        *path = path.strip_prefix(folder).unwrap_or(path).to_owned();
    }
    format!("{config:#?}")
}

#[test]
fn the_file_of_defaults_says_what_the_code_does() {
    let file = Folder::with(DEFAULTS);
    let empty = Folder::with("");
    let from_file = file.load_for(Purpose::Questions, &[]).unwrap();
    let from_code = empty.load_for(Purpose::Questions, &[]).unwrap();
    assert_eq!(comparable(from_file, file.0.path()), comparable(from_code, empty.0.path()));
}

#[test]
fn the_file_of_defaults_has_every_key_each_with_a_comment() {
    let mut section = "";
    let mut found = BTreeSet::new();
    let mut above = "";
    for line in DEFAULTS.lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        if let Some(name) = bare.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name.trim_matches(['[', ']']);
        }
        if let Some((name, _)) = bare.split_once(" = ")
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        {
            assert!(above.starts_with("# ") && above.ends_with('.'), "{name} has no comment: {above:?}");
            found.insert(format!("{section}.{name}"));
        }
        above = line;
    }
    assert_eq!(found, keys::all().map(str::to_owned).collect());
}

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let folder = Folder::with(&with_auth("listen = \"127.0.0.1:1\"\nmax_age = \"1h\"", ""));
    let file = folder.0.path().join(FILE_NAME);
    let environment =
        Environment::of(&[("MAILTRAIL_RECEIVE_LISTEN", "127.0.0.1:2"), ("MAILTRAIL_RECEIVE_PATH", "/two")]);
    let mut flags = Overrides::default();
    flags.set("receive.listen", "--listen", "127.0.0.1:3");
    let config = Loaded::new(Some(&file), &environment, &flags).finish(Purpose::Receive).unwrap();
    assert_eq!(config.receive.listen, "127.0.0.1:3".parse().unwrap());
    assert_eq!(config.receive.path, "/two");
    assert_eq!(config.receive.max_age, Duration::from_secs(3600));
    assert_eq!(config.receive.max_ahead, Duration::from_secs(300));
}

#[test]
fn the_file_named_beats_the_variable() {
    let named = Folder::with(&with_auth("path = \"/named\"", ""));
    let other = Folder::with(&with_auth("path = \"/other\"", ""));
    let other_file = other.0.path().join(FILE_NAME);
    let variables = [("MAILTRAIL_CONFIG", other_file.to_str().unwrap())];
    assert_eq!(named.load(&variables).unwrap().receive.path, "/named");
    let by_variable =
        Loaded::new(None, &Environment::of(&variables), &Overrides::default()).finish(Purpose::Receive).unwrap();
    assert_eq!(by_variable.receive.path, "/other");
    assert_eq!(by_variable.file, Some(other_file));
}

#[test]
fn lists_in_the_environment_are_json_arrays() {
    let folder = Folder::with("");
    let config = folder.load(&[("MAILTRAIL_RECEIVE_BASIC_AUTH", r#"["user:pa:ss","b:c"]"#)]).unwrap();
    let credentials: Vec<&str> = config.receive.basic_auth.iter().map(BasicCredential::expose).collect();
    assert_eq!(credentials, ["user:pa:ss", "b:c"]);
    let error = folder.load(&[("MAILTRAIL_RECEIVE_BASIC_AUTH", "user:hunter2")]).unwrap_err().to_string();
    assert!(error.contains("JSON array") && !error.contains("hunter2"), "{error}");
}

#[test]
fn secrets_come_from_files_too() {
    let folder = Folder::with("[receive]\nbasic_auth_file = \"auth\"\npublic_keys_file = \"keys\"");
    folder.write("auth", "user:pass:word\n\nother:x\r\n", 0o600);
    let (first, second) = KEY.split_at(64);
    folder.write("keys", &format!("-----BEGIN PUBLIC KEY-----\n{first}\n{second}\n-----END PUBLIC KEY-----\n"), 0o644);
    let config = folder.load(&[]).unwrap();
    let credentials: Vec<&str> = config.receive.basic_auth.iter().map(BasicCredential::expose).collect();
    assert_eq!(credentials, ["user:pass:word", "other:x"]);
    assert_eq!(config.receive.public_keys.len(), 1);
    assert_eq!(config.receive.signature, SignatureMode::Enforce);
    // A password that everybody may read is refused; a public key is no secret.
    folder.write("auth", "user:password", 0o644);
    let error = folder.load(&[]).unwrap_err().to_string();
    assert!(error.contains("auth may be read by everybody") && error.contains("chmod 600"), "{error}");
}

#[test]
fn a_higher_layer_replaces_a_secret_and_its_file() {
    let folder = Folder::with("[receive]\nbasic_auth_file = \"missing\"");
    let config = folder.load(&[("MAILTRAIL_RECEIVE_BASIC_AUTH", r#"["a:b"]"#)]).unwrap();
    assert_eq!(config.receive.basic_auth[0].expose(), "a:b");
    assert!(
        problem("[receive]\nbasic_auth = [\"a:b\"]\nbasic_auth_file = \"x\"\ninsecure_no_auth = true")
            .contains("keep one")
    );
}

#[test]
fn relative_paths_belong_to_the_folder_of_the_file() {
    let folder = Folder::with(&with_auth("", "[store]\npath = \"data/trail.db\"\n[privacy]\nkey_file = \"/k\""));
    let config = folder.load(&[]).unwrap();
    assert_eq!(config.store.path, folder.0.path().join("data/trail.db"));
    assert_eq!(config.privacy.key_file, Path::new("/k"));
    let config = folder.load(&[("MAILTRAIL_STORE_PATH", "here.db")]).unwrap();
    assert_eq!(config.store.path, Path::new("here.db"));
}

#[test]
fn every_problem_is_said_at_once_with_its_place() {
    let error = load("[receive]\nlisen = \"x\"\nmax_age = \"soon\"\n\n[stor]\n[privacy]\nip = \"all\"").unwrap_err();
    let text = error.to_string();
    for expected in [
        "mailtrail.toml:2: [receive] lisen is no key: did you mean listen?",
        "mailtrail.toml:3: [receive] max_age is not a duration",
        "mailtrail.toml:5: [stor] is no section: did you mean [store]?",
        "mailtrail.toml:7: [privacy] ip must be one of \"truncate\", \"keep\", \"drop\"",
        "nothing would prove",
    ] {
        assert!(text.contains(expected), "{text}\ndoes not say {expected}");
    }
    assert_eq!(error.problems().len(), 5, "{text}");
}

#[test]
fn the_language_of_output_is_that_of_slack_and_a_zone_has_a_known_name() {
    let config = load(&with_auth("", "[output]\nlanguage = \"ja\"\ntime_zone = \"Asia/Tokyo\"")).unwrap();
    assert_eq!((config.slack.language, config.output.csv_bom), (Language::Japanese, true));
    assert_eq!(config.output.time_zone.iana_name(), Some("Asia/Tokyo"));
    let english = "[output]\nlanguage = \"ja\"\ncsv_bom = false\n[slack]\nlanguage = \"en\"";
    let config = load(&with_auth("", english)).unwrap();
    assert_eq!((config.slack.language, config.output.csv_bom), (Language::English, false));
    assert_eq!(load(&with_auth("", "")).unwrap().output, Output::default());
    assert!(problem(&with_auth("", "[output]\ntime_zone = \"JST\"")).contains("Asia/Tokyo"));
}

#[test]
fn bigquery_needs_a_project_and_a_dataset_and_both_its_doors_on_one_side() {
    let config = load(&with_auth("", "[bigquery]\nproject = \"p\"\ndataset = \"d\"\nforward = true")).unwrap();
    let bigquery = config.bigquery.unwrap();
    assert_eq!((bigquery.table.as_str(), bigquery.forward, bigquery.is_emulator()), ("sendgrid_event", true, false));
    assert_eq!(load(&with_auth("", "[bigquery]\ntable = \"t\"")).unwrap().bigquery, None);
    let only_there = "[store]\nkind = \"bigquery\"\n[bigquery]\nproject = \"p\"\ndataset = \"d\"";
    assert_eq!(load(&with_auth("", only_there)).unwrap().store.kind, StoreKind::BigQuery);
    assert!(problem(&with_auth("", &format!("{only_there}\nforward = true"))).contains("remove one"));
    assert_eq!(load(&with_auth("", "[store]\nkind = \"bigquery\"")).unwrap_err().problems().len(), 2);
    let refused = [
        ("dataset = \"d\"", "[bigquery] project is missing"),
        ("project = \"p\"", "[bigquery] dataset is missing"),
        ("project = \"p`\"\ndataset = \"d\"", "no name of Google's"),
        ("project = \"p\"\ndataset = \"d\"\nendpoint = \"http://127.0.0.1:9050\"", "both"),
        ("project = \"p\"\ndataset = \"d\"\nendpoint = \"http://example.com\"", "must be https://"),
    ];
    for (lines, expected) in refused {
        let told = problem(&with_auth("", &format!("[bigquery]\n{lines}")));
        assert!(told.contains(expected), "{told:?} does not say {expected:?}");
    }
}

#[test]
fn who_may_post() {
    let key = format!("public_keys = [\"{KEY}\"]");
    let accepted = [
        with_auth("", ""),
        format!("[receive]\n{key}"),
        format!("[receive]\n{key}\nsignature = \"enforce\""),
        format!("[receive]\ntest_{key}\nsignature = \"enforce\""),
        "[receive]\ninsecure_no_auth = true".into(),
        "[receive]\ninsecure_no_auth = true\nlisten = \"[::1]:8080\"".into(),
        with_auth("listen = \"0.0.0.0:8080\"\nbehind_proxy = true", ""),
        with_auth("listen = \"0.0.0.0:8443\"\ntls_cert = \"c\"\ntls_key = \"k\"", ""),
    ];
    for text in accepted {
        assert!(load(&text).is_ok(), "refused: {text}: {}", load(&text).unwrap_err());
    }
    let refused = [
        (String::new(), "nothing would prove"),
        (format!("[receive]\n{key}\nsignature = \"observe\""), "nothing would prove"),
        (format!("[receive]\n{key}\nsignature = \"off\""), "nothing would prove"),
        (format!("[receive]\ntest_{key}"), "nothing would prove"),
        (with_auth("signature = \"enforce\"", ""), "there is no key"),
        (with_auth("listen = \"0.0.0.0:8080\"", ""), "beyond loopback without TLS"),
        (with_auth("tls_cert = \"c\"", ""), "without tls_key"),
        (with_auth("tls_key = \"c\"", ""), "without tls_cert"),
        (with_auth(&format!("{key}\ntest_{key}"), ""), "also in public_keys"),
        ("[receive]\ninsecure_no_auth = true\nbehind_proxy = true".into(), "cannot stand beside behind_proxy"),
        (
            "[receive]\ninsecure_no_auth = true\nlisten = \"10.0.0.1:1\"\ntls_cert = \"c\"\ntls_key = \"k\"".into(),
            "only on loopback",
        ),
    ];
    for (text, expected) in refused {
        let told = problem(&text);
        assert!(told.contains(expected), "{told:?} does not say {expected:?}");
    }
}

#[test]
fn what_was_pasted_as_a_public_key_is_named_or_used_with_a_warning() {
    let warned = |text: &str| {
        let config = load(&with_auth(&format!("public_keys = ['{text}']"), "")).unwrap();
        assert_eq!(config.receive.public_keys.len(), 1);
        config.warnings.join("\n")
    };
    assert!(!warned(KEY).contains("is used, but"));
    assert!(warned(&format!("{KEY}\u{200b}")).contains("invisible character at position 125"));
    assert!(warned(KEY.trim_end_matches('=')).contains("base64url"));
    for (text, expected) in [("SG.secret.text", "API key"), ("nonsense", "no public key"), ("", "no public key")] {
        let told = problem(&with_auth(&format!("public_keys = ['{text}']"), ""));
        assert!(told.contains(expected) && !told.contains("secret.text"), "{told}");
    }
}

#[test]
fn an_idle_connection_outlives_that_of_a_load_balancer() {
    let idle = |more: &str| load(&with_auth(more, "")).unwrap().receive.idle_timeout.as_secs();
    assert_eq!((idle(""), idle("behind_proxy = true")), (75, 620));
    assert_eq!(idle("behind_proxy = true\nidle_timeout = \"5s\""), 5);
}

#[test]
fn the_default_of_the_signature_depends_on_the_keys() {
    let cases = [
        (String::new(), SignatureMode::Off),
        (format!("public_keys = [\"{KEY}\"]"), SignatureMode::Enforce),
        (format!("test_public_keys = [\"{KEY}\"]"), SignatureMode::Observe),
        (format!("public_keys = [\"{KEY}\"]\nsignature = \"observe\""), SignatureMode::Observe),
    ];
    for (lines, expected) in cases {
        assert_eq!(load(&with_auth(&lines, "")).unwrap().receive.signature, expected, "{lines}");
    }
}

#[test]
fn what_is_allowed_but_weak_is_a_warning() {
    let key = format!("public_keys = [\"{KEY}\"]");
    let cases = [
        (with_auth(&format!("{key}\nsignature = \"off\""), ""), "does not refuse unsigned"),
        ("[receive]\ninsecure_no_auth = true".into(), "every program on this machine"),
        (with_auth("insecure_no_auth = true", ""), "has no effect"),
        (with_auth("", "[privacy]\nkeep_address = true"), "plain addresses are stored"),
        (with_auth("", "[privacy]\nhash = \"sha256\""), "hides addresses only"),
        (with_auth("", "[privacy]\nurl = \"keep\""), "log people in"),
        (with_auth("", "[metrics]\nlisten = \"0.0.0.0:9090\""), "other machines"),
    ];
    for (text, expected) in cases {
        let warnings = load(&text).unwrap().warnings;
        assert!(warnings.len() == 1 && warnings[0].contains(expected), "{warnings:?} does not say {expected:?}");
    }
    assert_eq!(load(&with_auth("", "")).unwrap().warnings, Vec::<String>::new());
}

#[test]
fn a_slip_in_a_variable_is_a_warning_and_what_kubernetes_sets_is_nothing() {
    let folder = Folder::with(&with_auth("", ""));
    let config = folder
        .load(&[("MAILTRAIL_RECIEVE_LISTEN", "x"), ("MAILTRAIL_PORT", "tcp://10.0.0.1:80"), ("RECEIVE_LISTEN", "x")])
        .unwrap();
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
    assert!(config.warnings[0].contains("did you mean MAILTRAIL_RECEIVE_LISTEN"), "{:?}", config.warnings);
}

#[test]
fn the_platform_s_port_counts_behind_a_proxy() {
    let folder = Folder::with(&with_auth("behind_proxy = true", ""));
    assert_eq!(folder.load(&[("PORT", "8123")]).unwrap().receive.listen, "0.0.0.0:8123".parse().unwrap());
    assert!(folder.load(&[("PORT", "x")]).unwrap_err().to_string().contains("PORT"));
    let alone = Folder::with(&with_auth("", ""));
    assert_eq!(alone.load(&[("PORT", "8123")]).unwrap().receive.listen, "127.0.0.1:8080".parse().unwrap());
    let said = Folder::with(&with_auth("behind_proxy = true\nlisten = \"127.0.0.1:1\"", ""));
    assert_eq!(said.load(&[("PORT", "8123")]).unwrap().receive.listen, "127.0.0.1:1".parse().unwrap());
}

#[test]
fn metrics_can_be_switched_off() {
    assert_eq!(load(&with_auth("", "[metrics]\nlisten = \"off\"")).unwrap().metrics_listen, None);
    assert_eq!(load(&with_auth("", "")).unwrap().metrics_listen, Some("127.0.0.1:9090".parse().unwrap()));
}

#[test]
fn the_log_level_has_a_short_variable() {
    let folder = Folder::with(&with_auth("", "[log]\nlevel = \"warn\"\nformat = \"json\""));
    let config = folder.load(&[("MAILTRAIL_LOG", "debug"), ("MAILTRAIL_LOG_LEVEL", "error")]).unwrap();
    assert_eq!(config.log, Log { level: LogLevel::Debug, format: LogFormat::Json });
}

#[test]
fn questions_do_not_care_who_may_post() {
    let folder = Folder::with("[receive]\nsignature = \"enforce\"\n[store]\npath = \"x.db\"");
    assert!(folder.load(&[]).is_err());
    assert_eq!(folder.load_for(Purpose::Questions, &[]).unwrap().store.path, folder.0.path().join("x.db"));
    let broken = Folder::with("[store]\npth = \"x.db\"");
    assert!(broken.load_for(Purpose::Questions, &[]).is_err());
}

#[test]
fn a_password_in_a_file_for_everybody_is_refused() {
    let folder = Folder::with("");
    folder.write(FILE_NAME, &with_auth("", ""), 0o644);
    let error = folder.load(&[]).unwrap_err().to_string();
    assert!(error.contains("chmod 600"), "{error}");
    // Not ours to change: mode 0444, as Cloud Run mounts secrets.
    folder.write(FILE_NAME, &with_auth("", ""), 0o444);
    let warnings = folder.load(&[]).unwrap().warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("0444"), "{warnings:?}");
}

#[test]
fn where_notices_go() {
    let folder = Folder::with(&with_auth("", "[slack]\nwebhook_url_file = \"url\"\nlanguage = \"ja\""));
    folder.write("url", "https://hooks.slack.com/services/hunter2\n", 0o600);
    let slack = folder.load(&[]).unwrap().slack;
    assert_eq!(slack.business.as_ref().unwrap().expose().path(), "/services/hunter2");
    assert_eq!(slack.ops, slack.business, "operators are told where nothing else is said");
    assert_eq!(slack.language, Language::Japanese);
    folder.write("url", "https://hooks.slack.com/services/hunter2", 0o644);
    assert!(folder.load(&[]).unwrap_err().to_string().contains("chmod 600"));

    let webhook = "[webhook]\nurl = \"https://a.example/x\"\nsecret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"";
    assert!(load(&with_auth("", webhook)).unwrap().webhook.is_some());
    assert!(load(&with_auth("", "")).unwrap().webhook.is_none());
    let refused = [
        ("[slack]\nwebhook_url = \"http://hooks.slack.com/hunter2\"", "must begin with https://"),
        ("[slack]\nwebhook_url = \"hunter2\"", "is not a URL"),
        ("[slack]\nwebhook_url = \"  \"", "is empty"),
        ("[slack]\nwebhook_url = [\"hunter2\"]", "is not a text"),
        ("[slack]\nwebhook_url = \"https://a.example/\"\nwebhook_url_file = \"hunter2\"", "keep one"),
        ("[slack]\nlanguage = \"fr\"", "must be one of \"en\", \"ja\""),
        ("[webhook]\nurl = \"https://a.example/hunter2\"", "no secret"),
        ("[webhook]\nsecret = \"hunter2\"", "no url"),
        ("[webhook]\nurl = \"https://a.example/\"\nsecret = \"hunter2\"", "is not whsec_"),
    ];
    for (text, expected) in refused {
        let told = problem(&with_auth("", text));
        assert!(told.contains(expected) && !told.contains("hunter2"), "{told:?} does not say {expected:?}");
    }
}

#[test]
fn alerts_stand_several_times() {
    let slack = "[slack]\nwebhook_url = \"https://a.example/\"\n";
    let text = "[[alert]]\n[[alert]]\nname = \"spam\"\nevents = [\"spamreport\"]\ncategory = \"news\"\nto = \"ops\"\n\
                group = \"1s\"\n[[alert]]\nsilence = \"6h\"";
    let alerts = load(&with_auth("", &format!("{slack}{text}"))).unwrap().alerts;
    let [all, spam, silence] = &alerts[..] else { panic!("{alerts:?}") };
    assert_eq!(all.name, "bounce, blocked, dropped");
    assert_eq!(
        (all.to, all.group, all.every),
        (Destination::Business, Duration::from_secs(30), Duration::from_secs(300))
    );
    assert_eq!((spam.name.as_str(), spam.to, spam.group), ("spam", Destination::Ops, Duration::from_secs(1)));
    assert_eq!(spam.watched, Watched { events: vec!["spamreport".into()], statuses: vec![] });
    assert_eq!((silence.silence, silence.to), (Some(Duration::from_secs(6 * 3600)), Destination::Ops));
    assert_eq!(silence.watched, Watched { events: vec![], statuses: vec![] });

    let refused = [
        ("[[alert]]\nevnts = [\"bounce\"]", "mailtrail.toml:7: [[alert]] evnts is no key: did you mean events?"),
        (
            "[[alert]]\n[[alert]]\nevents = [\"bonce\"]",
            "mailtrail.toml:8: [[alert]] events has \"bonce\", which is no event: did you mean bounce?",
        ),
        ("[[alert]]\nevents = [\"blocked\"]", "status = [\"blocked\"]"),
        ("[[alert]]\nstatus = [\"blokked\"]", "did you mean blocked?"),
        ("[[alert]]\nstatus = \"bounce\"", "must be a list"),
        ("[[alert]]\nto = \"boss\"", "must be one of \"business\", \"ops\""),
        (
            "[[alert]]\n[[alert]]",
            "mailtrail.toml:7: [[alert]] is called \"bounce, blocked, dropped\", as another one is",
        ),
        ("[alert]\nevents = [\"bounce\"]", "mailtrail.toml:6: alert may stand several times: write [[alert]]"),
        ("[[alerts]]", "did you mean [[alert]]?"),
        ("[[alert]]\nsilence = \"soon\"", "is not a duration"),
    ];
    for (text, expected) in refused {
        let told = problem(&with_auth("", &format!("{slack}{text}")));
        assert!(told.contains(expected), "{told:?} does not say {expected:?}");
    }
    let nobody = load(&with_auth("", "[[alert]]")).unwrap().warnings;
    assert!(nobody.len() == 1 && nobody[0].contains("tell nobody"), "{nobody:?}");
}

#[test]
fn consumers_of_posts_stand_several_times_and_keep_their_secrets() {
    let text = "[[relay]]\nname = \"a\"\nurl = \"https://a.example/x?token=hunter2\"\nbasic_auth = \"u:hunter2\"\n\
                [[relay]]\nname = \"b_2\"\nurl = \"http://127.0.0.1:1/\"\ntimeout = \"3s\"\nmax_age = \"1h\"\ntries = 1\n\
                [store]\nmax_relay = \"5MiB\"";
    let config = load(&with_auth("", text)).unwrap();
    let [a, b] = &config.relays[..] else { panic!("{:?}", config.relays) };
    assert_eq!(
        (a.name.as_str(), a.timeout, a.max_age),
        ("a", Duration::from_secs(10), Duration::from_secs(3 * 86_400))
    );
    assert_eq!((a.tries, a.basic_auth.as_ref().map(|basic| basic.expose())), (5, Some("u:hunter2")));
    assert_eq!((b.timeout, b.max_age, b.tries), (Duration::from_secs(3), Duration::from_secs(3600), 1));
    assert!(b.basic_auth.is_none() && config.store.max_relay == 5 << 20);
    assert!(config.warnings.iter().any(|warning| warning.contains("plain addresses too, to a, b_2")), "{config:?}");
    assert!(!format!("{config:?}").contains("hunter2"));

    let one = |more: &str| format!("[[relay]]\nname = \"a\"\nurl = \"https://hunter2.example/\"\n{more}");
    let refused = [
        ("[[relay]]\nurl = \"https://a.example/hunter2\"".to_owned(), "[[relay]] has no name"),
        ("[[relay]]\nname = \"a\"".to_owned(), "[[relay]] has no url"),
        ("[[relay]]\nname = \"A b\"\nurl = \"https://a.example/\"".to_owned(), "is not 1 to 40 of the characters"),
        ("[[relay]]\nname = \"a\"\nurl = \"http://hunter2.example/\"".to_owned(), "must begin with https://"),
        (one("basic_auth = \"hunter2\""), "is not user:password"),
        (one("tries = 0"), "is not a whole number above 0"),
        (format!("{}{}", one(""), one("")), "[[relay]] is called \"a\", as another one is"),
        (
            one("[store]\nkind = \"bigquery\"\n[bigquery]\nproject = \"p\"\ndataset = \"d\""),
            "[[relay]] needs a store on this machine",
        ),
    ];
    for (text, expected) in refused {
        let told = problem(&with_auth("", &text));
        assert!(told.contains(expected) && !told.contains("hunter2"), "{told:?} does not say {expected:?}");
    }
    let folder = Folder::with("");
    folder.write(FILE_NAME, &with_auth("", &one("")), 0o644);
    let told = folder.load(&[]).unwrap_err().to_string();
    assert!(told.contains("[[relay]] url stands in a file that everybody may read"), "{told}");
}

#[test]
fn a_secret_is_in_no_message() {
    let texts = [
        "[receive]\nbasic_auth = [\"hunter2\"]",
        "[receive]\nbasic_auth = \"hunter2\"",
        "[receive]\nbasic_auth = [\"user:hunter2\"",
        "[receive]\nbasic_auth = user:hunter2",
        "[receive]\nbasic_auth = ['user:hunter2\n']",
        "[receive]\nbasic_auth = [\"user:hunter2\\q\"]",
        "[receive]\nbasic_auth = [\"user:hunter2\"] x\n",
        "[receive]\npublic_keys = [\"hunter2\"]",
        "[receive]\nbasic_auth = [\"user:hunter2\"]\nbasic_auth = [\"user:hunter2\"]",
    ];
    for text in texts {
        let error = load(text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        assert!(error.to_string().contains("mailtrail.toml:"), "{error}");
    }
    let config = load("[receive]\nbasic_auth = [\"user:hunter2\"]").unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn a_missing_file_that_was_named_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("nowhere.toml");
    let loaded = Loaded::new(Some(&missing), &Environment::default(), &Overrides::default());
    let error = loaded.finish(Purpose::Receive).unwrap_err();
    assert_eq!(error.problems().len(), 1, "{error}");
    let error = error.to_string();
    assert!(error.contains("nowhere.toml cannot be read") && error.contains("mailtrail init"), "{error}");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(\\[receive\\]\n)?[\\PC\n]{0,80}") {
        let mut settings = Settings::default();
        let _problems = settings.add_file(Path::new("x.toml"), &text);
    }
}

#[test]
fn the_api_key_comes_from_the_file_the_environment_or_a_file_of_its_own() {
    let folder = Folder::with("[sendgrid]\napi_key_file = \"key\"");
    folder.write("key", "SG.from-file\n", 0o600);
    let key = |environment: &[(&str, &str)]| {
        let config = folder.load_for(Purpose::Questions, environment).unwrap();
        config.sendgrid.api_key.map(|key| key.expose().to_owned())
    };
    assert_eq!(key(&[]).as_deref(), Some("SG.from-file"));
    assert_eq!(key(&[("MAILTRAIL_SENDGRID_API_KEY", "SG.from-environment")]).as_deref(), Some("SG.from-environment"));

    let wrong = "[sendgrid]\napi_key = \"SG.se cret\"\nhost = \"https://api.example.com\"\nfrom = \"jane\"\non_behalf_of = \"\"";
    let error = Folder::with(wrong).load_for(Purpose::Questions, &[]).unwrap_err();
    assert_eq!(error.problems().len(), 4, "{error}");
    assert!(!error.to_string().contains("cret") && !error.to_string().contains("jane"), "{error}");

    let open = Folder::with("");
    let file = open.write(FILE_NAME, "[sendgrid]\napi_key = \"SG.secret\"", 0o644);
    let error = open.load_for(Purpose::Questions, &[]).unwrap_err().to_string();
    assert!(error.contains("chmod 600") && error.contains(&file.display().to_string()), "{error}");
}

#[test]
fn who_may_look_is_decided_by_the_whole_section() {
    let hash = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$0Cq5YYqWTfg5RjA3TkWVxgtpXLQmUX9VGYMxqRqvwRU";
    let web = |lines: &str| load(&with_auth("", &format!("[web]\n{lines}")));
    assert_eq!(web("listen = \"off\"").unwrap().web.map(|web| web.listen), None);
    let default = load(&with_auth("", "")).unwrap().web.unwrap();
    assert_eq!((default.listen, default.open_on_loopback), ("127.0.0.1:8081".parse().unwrap(), false));
    let beyond = "listen = \"0.0.0.0:8081\"\npublic_url = \"https://m.example\"";
    assert_eq!(web(&format!("{beyond}\nusers = [\"mia:viewer:{hash}\"]")).unwrap().web.unwrap().users.len(), 1);
    assert!(web(&format!("{beyond}\ntrusted_proxies = [\"10.0.0.2\"]")).is_ok());
    for (lines, expected) in [
        ("listen = \"0.0.0.0:8081\"".to_owned(), "nobody could be told from anybody"),
        (format!("listen = \"0.0.0.0:8081\"\nusers = [\"mia:viewer:{hash}\"]"), "travel in the open"),
        (format!("{beyond}\nusers = [\"mia:viewer\"]"), "nobody could be told from anybody"),
        (format!("{beyond}\nopen_on_loopback = true\nusers = [\"mia:viewer:{hash}\"]"), "only on loopback"),
        ("public_url = \"m.example\"".to_owned(), "without a path"),
        ("users = [\"mia:viewer:secret\"]".to_owned(), "entry 1: its third part"),
        ("users = [\"mia:viewer\", \"mia:operator\"]".to_owned(), "two entries"),
        ("trusted_proxies = [\"proxy\"]".to_owned(), "IP addresses"),
        ("proxy_header = \"Cookie\"".to_owned(), "no header that could name a user"),
    ] {
        let told = web(&lines).unwrap_err().to_string();
        assert!(told.contains(expected), "{told:?} does not say {expected:?}");
        assert!(!told.contains("secret"), "{told:?}");
    }
    assert!(web("open_on_loopback = true").unwrap().warnings[0].contains("every program"));
}
