use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use md5::{Digest, Md5};

use super::*;

const OWN: &str = "Jane.Doe7@Example.com";

fn free(text: &str) -> String {
    Redactor::new(Some(OWN)).text(text, Kind::Free).into_owned()
}

fn fixed(text: &str) -> String {
    Redactor::new(Some(OWN)).text(text, Kind::Fixed).into_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn percent(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

/// Every form in which the event's own address is known to be written.
fn own_forms() -> Vec<String> {
    let lower = OWN.to_lowercase();
    let mut forms = vec![
        OWN.to_owned(),
        lower.clone(),
        OWN.to_uppercase(),
        lower.replace('@', "%40"),
        lower.replace('@', "%2540"),
        percent(&lower),
        percent(&percent(&lower)),
        lower.replace('@', "&#64;"),
        lower.replace('@', "&#x40;"),
        lower.replace('@', "&commat;"),
        lower.replace('@', "&#64"),
        lower.replace('@', "&#0000064;"),
        lower.replace('@', "="),
        lower.replace('@', "＠"),
        hex(lower.as_bytes()),
        hex(OWN.as_bytes()).to_uppercase(),
        hex(&Md5::digest(lower.as_bytes())),
        hex(&Md5::digest(OWN.as_bytes())),
        hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, lower.as_bytes()).as_ref()),
        hex(digest(&SHA256, OWN.as_bytes()).as_ref()).to_uppercase(),
    ];
    for before in ["", "x", "xy"] {
        forms.push(STANDARD.encode(format!("{before}{lower}")));
        forms.push(URL_SAFE_NO_PAD.encode(format!("{before}{OWN}???>")));
    }
    forms
}

#[test]
fn the_own_address_goes_in_every_form_and_the_rest_stays() {
    for form in own_forms() {
        for kind in [free(&format!("550 <{form}>: unknown")), fixed(&format!("550 <{form}>: unknown"))] {
            assert!(kind.starts_with("550 <") && kind.ends_with(">: unknown"), "{form} became {kind}");
            assert!(kind.contains(REPLACEMENT), "{form} became {kind}");
            assert!(!kind.to_lowercase().contains(&form.to_lowercase()), "{form} became {kind}");
        }
    }
}

#[test]
fn anybody_s_address_goes() {
    for (text, expected) in [
        ("to other@elsewhere.example now", "to [address] now"),
        ("<other@elsewhere.example>.", "<[address]>."),
        ("other@elsewhere.example.", "[address]."),
        ("a%40b.example", "[address]"),
        ("名前@例え.jp です", "[address] です"),
        ("tarō＠例え.jp", "[address]"),
        ("\"odd name\"@x.example!", "[address]!"),
        ("root@[127.0.0.1] said", "[address] said"),
        ("bounces+12-jane=customer.example@mailer.example", "[address]"),
        ("a@b c@d", "[address] [address]"),
    ] {
        assert_eq!(fixed(text), expected);
    }
}

#[test]
fn what_is_no_address_stays_as_it_is() {
    for text in [
        "",
        "250 2.0.0 OK  1600112492 d2e1a72fcca58si1234567qke.123 - gsmtp",
        "552 5.2.2 over quota https://support.example.com/mail/?p=OverQuotaPerm c17si11304pgv.34 - gsmtp",
        "@home",
        "home@",
        "50% off & more; a=b",
        "ｆｕｌｌ width",
        "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
        "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
    ] {
        assert!(
            matches!(Redactor::new(Some(OWN)).text(text, Kind::Free), Cow::Borrowed(same) if same == text),
            "{text}"
        );
    }
}

#[test]
fn a_bare_local_part_goes_from_free_text_as_a_whole_word_only() {
    assert_eq!(free("user jane.doe7 unknown"), "user [address] unknown");
    assert_eq!(free("user JANE.DOE7, unknown"), "user [address], unknown");
    assert_eq!(free("xjane.doe7 jane.doe78"), "xjane.doe7 jane.doe78");
    assert_eq!(free("“jane.doe7” 「jane.doe7」 ユーザーjane.doe7は"), "“[address]” 「[address]」 ユーザー[address]は");
    assert_eq!(free("éjane.doe7"), "éjane.doe7");
    assert_eq!(fixed("jane.doe7"), "jane.doe7", "a category or run of that name survives");
    let short = Redactor::new(Some("jane@example.com"));
    assert_eq!(short.text("jane is unknown", Kind::Free), "jane is unknown");
    let odd = Redactor::new(Some("invalid"));
    assert_eq!(odd.text("550 invalid here", Kind::Free), "550 [address] here");
    assert_eq!(odd.text("invalid", Kind::Fixed), "invalid");
}

#[test]
fn short_addresses_are_not_found_by_chance() {
    for address in ["a", "42", "x@y"] {
        let redactor = Redactor::new(Some(address));
        for text in
            ["deadbeefdeadbeefdeadbeef", "YWFhYWFhYWFhYWFhYWFhYWE0MjQy", "250 2.0.0 OK 1600112492 gsmtp", "newsletter"]
        {
            assert_eq!(redactor.text(text, Kind::Fixed), text, "{address}");
        }
    }
}

#[test]
fn every_form_of_a_non_ascii_address_goes_in_either_case() {
    let redactor = Redactor::new(Some("Jörgen@Größe.example"));
    for address in ["jörgen@größe.example", "JÖRGEN@GRÖSSE.EXAMPLE", "Jörgen@Größe.example"] {
        for form in [
            address.to_owned(),
            address.replace('@', "="),
            hex(address.as_bytes()),
            STANDARD.encode(format!("x{address}")),
            percent(address),
        ] {
            let text = redactor.text(&form, Kind::Free).into_owned();
            assert!(text.contains(REPLACEMENT) && !text.contains(&form), "{form} became {text}");
        }
    }
    assert_eq!(redactor.text("user JÖRGEN unknown", Kind::Free), "user [address] unknown");
}

#[test]
fn encodings_within_escapes_are_found() {
    let base64 = STANDARD.encode(format!("??>{}", OWN.to_lowercase()));
    let escaped: String = base64
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_string() } else { percent(&c.to_string()) })
        .collect();
    assert!(escaped.contains('%'), "{escaped}");
    assert!(free(&format!("t={escaped}")).contains(REPLACEMENT));
    assert!(free(&percent(&hex(OWN.as_bytes()))).contains(REPLACEMENT));
}

#[test]
fn a_value_that_is_one_address_is_known() {
    let redactor = Redactor::new(Some(OWN));
    for text in [OWN, " jane.doe7@EXAMPLE.com ", "other@x.example"] {
        assert!(redactor.is_address(text), "{text}");
    }
    for text in ["", "jane", "a@b and more", "<a@b.example>"] {
        assert!(!redactor.is_address(text), "{text}");
    }
}

#[test]
fn non_ascii_addresses_go_in_either_case() {
    let redactor = Redactor::new(Some("Jürgen@Größe.example"));
    for text in ["jürgen@größe.example", "JÜRGEN@GRÖSSE.example", "J%C3%BCrgen%40Gr%C3%B6%C3%9Fe.example"] {
        assert_eq!(redactor.text(text, Kind::Fixed), REPLACEMENT, "{text}");
    }
}

/// A form in which somebody writes an address, and whether it encodes everything or only what needs it.
type Form = (&'static str, fn(&str) -> String);

fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

fn in_lines(text: &str) -> String {
    let digits = STANDARD.encode(text);
    let lines: Vec<&str> = digits.as_bytes().chunks(10).map(|line| std::str::from_utf8(line).unwrap()).collect();
    lines.join("\r\n ")
}

fn entities(text: &str) -> String {
    text.replace('&', "&amp;").replace('@', "&#64;").replace('.', "&#x2e;").replace('+', "&plus;")
}

fn json(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|c| match c {
            '@' | '+' | '=' | '%' | '&' => format!("\\u{:04X}", u32::from(c)),
            '"' | '\\' | '/' => format!("\\{c}"),
            '\r' => "\\r".to_owned(),
            '\n' => "\\n".to_owned(),
            c => c.to_string(),
        })
        .collect();
    format!("{{\"to\":\"{escaped}\"}}")
}

/// Forms that may stand within each other.
const FORMS: [Form; 8] = [
    ("percent, what needs it", |text| {
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_string() } else { percent(&c.to_string()) }).collect()
    }),
    ("percent, all", percent),
    ("entities", entities),
    ("JSON", json),
    ("base64", base64),
    ("base64url behind other letters", |text| format!("u_{}", URL_SAFE_NO_PAD.encode(text))),
    ("base64 in lines", in_lines),
    ("hex", |text| hex(text.as_bytes())),
];

/// Own addresses, with every spelling that must go from any encoding.
const SPELLINGS: [(&str, &[&str]); 8] = [
    ("Jane.Doe7@Example.com", &["jane.doe7@example.com", "JANE.DOE7=EXAMPLE.COM"]),
    (
        "jane+news@example.com",
        &["jane+news@example.com", "jane@example.com", "jane=example.com", "jane+news=example.com"],
    ),
    ("da..me.@docomo.example", &["da..me.@docomo.example", "\"da..me.\"@docomo.example", "\"da..me.\"=docomo.example"]),
    ("\".dame\"@docomo.example", &[".dame@docomo.example", "\".dame\"@docomo.example"]),
    ("ken/taro@example.jp", &["ken/taro@example.jp", "ken/taro=example.jp"]),
    ("taro@例え.jp", &["taro@例え.jp", "taro@xn--r8jz45g.jp", "taro=xn--r8jz45g.jp"]),
    ("taro@xn--r8jz45g.jp", &["taro@例え.jp", "taro=例え.jp"]),
    (
        "\"jane with a very long name, who was quoted for it, and longer than any server takes it\"@example.com",
        &[
            "\"jane with a very long name, who was quoted for it, and longer than any server takes it\"@example.com",
            "jane with a very long name, who was quoted for it, and longer than any server takes it=example.com",
        ],
    ),
];

/// Whether something was replaced, and the encoded address is not there as a whole.
fn leaves_nothing(redacted: &str, encoded: &str) -> bool {
    redacted.contains(REPLACEMENT) && !redacted.contains(encoded)
}

#[test]
fn every_spelling_goes_from_every_nesting_of_forms() {
    for (own, spellings) in SPELLINGS {
        let redactor = Redactor::new(Some(own));
        for spelling in spellings {
            for (outer, encode_outer) in FORMS {
                for (middle, encode_middle) in FORMS {
                    for (inner, encode_inner) in FORMS {
                        for (texts, depth) in [
                            (vec![spelling.to_string(), encode_inner(spelling)], 1),
                            (vec![encode_inner(spelling), encode_middle(&encode_inner(spelling))], 2),
                            (
                                vec![
                                    encode_middle(&encode_inner(spelling)),
                                    encode_outer(&encode_middle(&encode_inner(spelling))),
                                ],
                                3,
                            ),
                        ] {
                            let encoded = &texts[1];
                            let text = format!("550 <{encoded}> unknown");
                            let redacted = redactor.text(&text, Kind::Fixed);
                            assert_eq!(redactor.text(&redacted, Kind::Fixed), redacted, "{text} in a second pass");
                            assert!(
                                leaves_nothing(&redacted, encoded) && redacted.starts_with("550 <"),
                                "{own}, {spelling} at depth {depth} in {outer} of {middle} of {inner}: {text} became {redacted}"
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn somebody_else_s_address_goes_from_every_nesting_of_forms() {
    let redactor = Redactor::new(Some("jane@example.com"));
    for address in ["bob.o'neil+x@shop.example", "ken/taro@mail.jp", "\"bob b\"@shop.example", "taro@例え.jp"] {
        for (outer, encode_outer) in FORMS {
            for (inner, encode_inner) in FORMS {
                let encoded = encode_outer(&encode_inner(address));
                let redacted = redactor.text(&encoded, Kind::Fixed);
                assert!(
                    leaves_nothing(&redacted, &encoded),
                    "{address} in {outer} of {inner}: {encoded} became {redacted}"
                );
            }
        }
    }
    assert_eq!(redactor.text("=?utf-8?Q?bob=40shop.example?= wrote", Kind::Fixed), "=?utf-8?Q?[address]?= wrote");
    assert_eq!(redactor.text("ken/taro@mail.jp", Kind::Fixed), REPLACEMENT);
    for (form, depth) in [(FORMS[0].1, 6), (FORMS[1].1, 6), (FORMS[2].1, 5), (FORMS[3].1, 5)] {
        let encoded = (0..depth).fold("bob@shop.example".to_owned(), |text, _| form(&text));
        assert!(leaves_nothing(&redactor.text(&encoded, Kind::Fixed), &encoded), "{encoded}");
    }
}

#[test]
fn digests_go_of_every_spelling_and_in_every_form() {
    for (own, spellings) in SPELLINGS {
        let redactor = Redactor::new(Some(own));
        for spelling in spellings.iter().filter(|spelling| spelling.contains('@')) {
            let bytes = spelling.to_lowercase().into_bytes();
            for digest in [
                hex(&Md5::digest(&bytes)),
                hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, &bytes).as_ref()).to_uppercase(),
                hex(digest(&SHA256, &bytes).as_ref()),
            ] {
                for (name, encode) in FORMS {
                    let text = encode(&digest);
                    let redacted = redactor.text(&text, Kind::Fixed);
                    assert!(leaves_nothing(&redacted, &text), "{own}, {spelling}: {name} {text} became {redacted}");
                }
            }
        }
    }
}

/// What speaks of nobody, as servers and tools write it.
fn ordinary_texts() -> Vec<String> {
    let mut state = 7_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut texts: Vec<String> = [
        "550 5.1.1 The email account that you tried to reach does not exist. https://support.google.com/mail/?p=NoSuchUser q18-20020a05620a0d9200b0075b2f3a1b2csi1234567qkl.123 - gsmtp",
        "250 2.6.0 <dStsxCyLRLKzKSH0zo9exQ.geopod> [InternalId=20461568984064, Hostname=AM0PR04MB1234.eurprd04.prod.outlook.com] Queued mail for delivery",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
        "https://shop.example/list?width=40px&height=40.5&q=a%20b&x=%E4%BE%8B#top",
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
        "eyJvcmRlciI6IjEyMzQ1NiIsImNpdHkiOiJLw7ZsbiJ9",
        "VGhpcyB0ZXh0IHNwZWFrcyBvZiBub2JvZHk6IDE1ICUgb2ZmLCA0MCBldXJvIEAgaG9tZQ",
        "{\"path\":\"C:\\\\Users\\\\x\",\"a\":\"\\u00e4\"}",
        "line one\r\nline two\r\n  line three",
        "552 メールボックスがいっぱいです。",
        "50% off & more; a=b &amp; c",
    ]
    .map(str::to_owned)
    .to_vec();
    for _ in 0..3_000 {
        let bytes: Vec<u8> = (0..32).map(|_| random() as u8).collect();
        texts.extend([STANDARD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes[..24]), hex(&bytes)]);
    }
    texts
}

#[test]
fn ordinary_texts_are_left_alone() {
    for own in ["jane.doe7@example.com", "jane+news@example.com", "a1@x.example", "\"a..b\"@例え.jp"] {
        let redactor = Redactor::new(Some(own));
        for text in ordinary_texts() {
            for kind in [Kind::Free, Kind::Fixed] {
                assert_eq!(redactor.text(&text, kind), text, "{own}");
            }
        }
    }
}

#[test]
fn a_number_is_the_local_part_with_or_without_leading_zeros() {
    let redactor = Redactor::new(Some("09012345678@example.jp"));
    assert!(redactor.is_local_part("9012345678") && !redactor.is_local_part("90123456789"));
    assert!(Redactor::new(Some("4711+x@example.jp")).is_local_part("4711"));
    assert!(!Redactor::new(None).is_local_part("1"));
}

#[test]
fn the_local_part_goes_without_its_tag_and_its_quotes() {
    let tagged = Redactor::new(Some("jane.doe+news@example.com"));
    assert_eq!(tagged.text("user jane.doe unknown", Kind::Free), "user [address] unknown");
    let quoted = Redactor::new(Some("\"a..b\"@docomo.example"));
    assert_eq!(quoted.text("user a..b unknown", Kind::Free), "user [address] unknown");
}

/// Texts made to cost much: what repeats the beginning of the address, signs, quotes, escapes, digits that encode digits.
fn costly_texts(length: usize) -> Vec<String> {
    let repeated = |part: &str| part.repeat(length / part.len());
    let mut texts: Vec<String> = [
        "a", "@", "＠", "a＠", "a@", "\"@", "x\"@", "\\\"@", "%", "%25", "&", "&#", "&#0", "&amp;", "\\", "\\u0", "=",
        "=\n", "=3D", "\n", "a\n", "V", "VVVV\n", "VVVVU", "/a", "a/@", "a?a@", "61", "3631", "é", "[", "@[", "a@[",
        "\n\n ",
    ]
    .map(repeated)
    .to_vec();
    let mut nested = "x@y".to_owned();
    while nested.len() < length {
        nested = STANDARD.encode(&nested);
    }
    texts.push(nested);
    texts.push(format!("{}\u{fffd}", repeated("%2525252525")));
    texts
}

/// Counts the bytes that the finders and decoders are given.
struct Counted<'c> {
    bytes: &'c std::cell::Cell<usize>,
}

impl Finder for Counted<'_> {
    fn shortest(&self) -> usize {
        0
    }

    fn find(&self, layer: &Layer<'_>, _: &mut dyn FnMut(Range<usize>)) {
        self.bytes.set(self.bytes.get() + layer.bytes.len());
    }
}

#[test]
fn the_decodings_of_a_text_are_bounded_by_its_length() {
    for length in [1_000, 100_000] {
        for text in costly_texts(length) {
            let bytes = std::cell::Cell::new(0);
            search(text.as_bytes(), &Counted { bytes: &bytes });
            assert!(bytes.get() <= 48 * text.len() + 1024, "{} bytes of {:.20}…", bytes.get(), text);
        }
    }
}
