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
        lower.replace('@', "="),
        lower.replace('@', "＠"),
        hex(lower.as_bytes()),
        hex(OWN.as_bytes()).to_uppercase(),
        hex(&Md5::digest(lower.as_bytes())),
        hex(&Md5::digest(OWN.as_bytes())),
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
    assert_eq!(fixed("jane.doe7"), "jane.doe7", "a category or run of that name survives");
    let short = Redactor::new(Some("jane@example.com"));
    assert_eq!(short.text("jane is unknown", Kind::Free), "jane is unknown");
    let odd = Redactor::new(Some("invalid"));
    assert_eq!(odd.text("550 invalid here", Kind::Free), "550 [address] here");
    assert_eq!(odd.text("invalid", Kind::Fixed), "invalid");
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
