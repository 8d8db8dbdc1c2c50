//! Why mail did not arrive, in plain words.
//!
//! First SendGrid's classification (its Event Webhook reference), then the mail server's enhanced status code (RFC 3463, with
//! RFC 7372 and 7505), then what is known of the status alone. What is not known is said to be so.

use crate::config::Language;
use crate::sendgrid::is_out_of_credits;
use crate::settle::Status;
use crate::store::ledger::Refusal;

/// A sentence in every language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// English
    pub en: &'static str,
    /// 日本語
    pub ja: &'static str,
}

impl Words {
    /// The sentence in one of them.
    #[must_use]
    pub fn text(self, language: Language) -> &'static str {
        match language {
            Language::English => self.en,
            Language::Japanese => self.ja,
        }
    }
}

/// Why, for people: words of ours, and where it says more what SendGrid's API said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    words: Words,
    said: Option<String>,
}

impl Reason {
    /// Our words alone.
    #[must_use]
    pub fn of(words: Words) -> Self {
        Self { words, said: None }
    }

    /// The sentence in a language; what SendGrid said is English.
    #[must_use]
    pub fn text(&self, language: Language) -> String {
        let words = self.words.text(language);
        match (&self.said, language) {
            (None, _) => words.to_owned(),
            (Some(said), Language::English) => format!("{words}: {said}"),
            (Some(said), Language::Japanese) => format!("{words}：{said}"),
        }
    }
}

const fn both(en: &'static str, ja: &'static str) -> Words {
    Words { en, ja }
}

/// SendGrid's classifications, lower case; the webhook, the logs and the suppressions write some of them differently.
const CLASSIFICATIONS: [(&str, Words); 10] = [
    ("invalid address", both("the address does not exist", "宛先のアドレスが存在しません")),
    ("invalid", both("the address does not exist", "宛先のアドレスが存在しません")),
    ("technical", both("a technical failure at the recipient's mail server", "受信側メールサーバーの技術的な障害")),
    (
        "technical failure",
        both("a technical failure at the recipient's mail server", "受信側メールサーバーの技術的な障害"),
    ),
    ("content", both("the recipient's mail server refused the content", "受信側メールサーバーが内容を拒否しました")),
    (
        "reputation",
        both(
            "the recipient's mail server does not trust the sender's domain or IP address",
            "受信側メールサーバーが送信元のドメインまたはIPアドレスを信用していません",
        ),
    ),
    (
        "frequency/volume",
        both(
            "too much mail at once for the recipient's mail server",
            "受信側メールサーバーにとって一度の送信量が多すぎます",
        ),
    ),
    (
        "frequency or volume too high",
        both(
            "too much mail at once for the recipient's mail server",
            "受信側メールサーバーにとって一度の送信量が多すぎます",
        ),
    ),
    (
        "mailbox unavailable",
        both(
            "the mailbox takes no mail: full, suspended or not in use",
            "メールボックスが受信できない状態です（容量超過・停止・未使用）",
        ),
    ),
    (
        "mailbox_unavailable",
        both(
            "the mailbox takes no mail: full, suspended or not in use",
            "メールボックスが受信できない状態です（容量超過・停止・未使用）",
        ),
    ),
];

/// Subject and detail of enhanced status codes; the class in front only says for now (4) or for good (5).
const CODES: [(&str, Words); 33] = [
    ("1.1", both("the mailbox does not exist", "メールボックスが存在しません")),
    ("1.2", both("the domain does not exist", "ドメインが存在しません")),
    ("1.3", both("the address is not written correctly", "アドレスの書き方が正しくありません")),
    ("1.4", both("the address fits several mailboxes", "アドレスが複数のメールボックスに該当します")),
    ("1.6", both("the mailbox has moved, and where to is not known", "メールボックスが移転し、移転先が分かりません")),
    ("1.7", both("the sender's address is not written correctly", "送信元アドレスの書き方が正しくありません")),
    ("1.8", both("the sender's domain does not exist", "送信元のドメインが存在しません")),
    ("1.10", both("the domain takes no mail at all", "このドメインはメールを一切受け取りません")),
    ("2.0", both("the mailbox cannot take the mail", "メールボックスがメールを受け取れません")),
    ("2.1", both("the mailbox is switched off", "メールボックスが無効になっています")),
    ("2.2", both("the mailbox is full", "メールボックスが容量超過です")),
    ("2.3", both("the mail is too large for the mailbox", "メールがメールボックスの上限サイズを超えています")),
    ("2.4", both("the mailing list behind the address does not work", "宛先のメーリングリストが機能していません")),
    ("3.1", both("the recipient's mail server has no room", "受信側メールサーバーに空き容量がありません")),
    (
        "3.2",
        both(
            "the recipient's mail server takes no mail at present",
            "受信側メールサーバーが現在メールを受け付けていません",
        ),
    ),
    (
        "3.4",
        both(
            "the mail is too large for the recipient's mail server",
            "メールが受信側メールサーバーの上限サイズを超えています",
        ),
    ),
    ("4.1", both("the recipient's mail server does not answer", "受信側メールサーバーが応答しません")),
    ("4.2", both("the connection to the recipient's mail server broke", "受信側メールサーバーとの接続が切れました")),
    ("4.3", both("the recipient's domain could not be looked up", "宛先ドメインを名前解決できませんでした")),
    ("4.4", both("no mail server was found for the domain", "ドメインのメールサーバーが見つかりません")),
    ("4.5", both("the recipient's mail server is overloaded", "受信側メールサーバーが混雑しています")),
    ("4.6", both("the mail goes round in circles at the recipient's", "受信側でメールがループしています")),
    ("4.7", both("the time for delivery ran out", "配送の期限が切れました")),
    (
        "5.3",
        both(
            "too many recipients at once for the recipient's mail server",
            "受信側メールサーバーにとって一度の宛先が多すぎます",
        ),
    ),
    ("6.0", both("the recipient's mail server refused the content", "受信側メールサーバーが内容を拒否しました")),
    (
        "7.0",
        both(
            "the recipient's mail server refused the mail for its policy",
            "受信側メールサーバーがポリシーによりメールを拒否しました",
        ),
    ),
    (
        "7.1",
        both(
            "the recipient's mail server does not take mail from this sender",
            "受信側メールサーバーがこの送信元からのメールを受け付けません",
        ),
    ),
    (
        "7.20",
        both(
            "the mail has no DKIM signature that the recipient's mail server accepts",
            "受信側が認めるDKIM署名がメールにありません",
        ),
    ),
    (
        "7.23",
        both("the sender's SPF record does not allow SendGrid", "送信元のSPFレコードがSendGridを許可していません"),
    ),
    ("7.24", both("the sender's SPF record is broken", "送信元のSPFレコードが壊れています")),
    ("7.25", both("the sending server has no valid reverse name", "送信サーバーに正しい逆引きがありません")),
    ("7.26", both("neither SPF nor DKIM vouches for the sender", "SPFでもDKIMでも送信元を確認できません")),
    ("7.27", both("the sender's domain takes no mail itself", "送信元のドメイン自身がメールを受け取りません")),
];

/// Subjects alone, where the detail says no more.
const SUBJECTS: [(&str, Words); 7] = [
    ("1", both("something is wrong with the address", "宛先アドレスに問題があります")),
    ("2", both("the mailbox cannot take the mail", "メールボックスがメールを受け取れません")),
    (
        "3",
        both(
            "the recipient's mail server could not take the mail",
            "受信側メールサーバーがメールを受け取れませんでした",
        ),
    ),
    ("4", both("the recipient's mail server could not be reached", "受信側メールサーバーに到達できませんでした")),
    ("5", both("the mail servers did not understand each other", "メールサーバー間の通信に失敗しました")),
    (
        "6",
        both(
            "the recipient's mail server refused the form or content",
            "受信側メールサーバーが形式または内容を拒否しました",
        ),
    ),
    (
        "7",
        both(
            "the recipient's mail server refused the mail for its policy",
            "受信側メールサーバーがポリシーによりメールを拒否しました",
        ),
    ),
];

/// Of who is not settled because no request was made for them.
pub(super) const UNSENT: Words = both(
    "not sent: SendGrid was not asked for this mail; `mailtrail send` with the same run sends it",
    "未送信です（SendGridに依頼していません。同じrunで mailtrail send を実行すると送信されます）",
);

/// Why SendGrid drops mail (docs.sendgrid.com/glossary/drops): the beginnings of its reasons, and whether it would drop another one,
/// too.
pub(super) const DROPS: [(&str, Words, bool); 9] = [
    (
        "Bounced",
        both(
            "the address bounced before, so SendGrid does not mail it",
            "過去にバウンスしたため、SendGridは送信しません",
        ),
        true,
    ),
    (
        "Duplicate message",
        both(
            "the address is on several lists of the campaign, and SendGrid mails it once",
            "キャンペーンの複数のリストに含まれるため、SendGridは1通だけ送信しました",
        ),
        true,
    ),
    (
        "Bounced Address",
        both(
            "the address bounced before, so SendGrid does not mail it",
            "過去にバウンスしたため、SendGridは送信しません",
        ),
        true,
    ),
    ("Unsubscribed Address", both("the recipient has unsubscribed", "受信者が配信を停止しています"), true),
    (
        "Spam Reporting Address",
        both("the recipient called earlier mail spam", "受信者が以前のメールを迷惑メールとして報告しました"),
        true,
    ),
    ("Invalid", both("SendGrid takes the address for invalid", "SendGridが無効なアドレスと判断しました"), true),
    (
        "Spam Content",
        both("SendGrid's spam check refused the content", "SendGridのスパム判定により内容が拒否されました"),
        false,
    ),
    (
        "Recipient List over Package Quota",
        both("the SendGrid account's quota is used up", "SendGridアカウントの送信枠を使い切りました"),
        false,
    ),
    (
        "Invalid SMTPAPI header",
        both("SendGrid could not read the request's header", "SendGridがリクエストのヘッダーを読めませんでした"),
        false,
    ),
];

/// Why, for people; nothing for who got the mail.
#[must_use]
pub fn plain(status: Status, classification: Option<&str>, status_code: Option<&str>, reason: Option<&str>) -> Words {
    match status {
        Status::Unknown => both(
            "no event has come: SendGrid may not have had the mail, or its events did not arrive",
            "イベントがまだ届いていません（SendGridが受け付けていないか、イベントが届いていない可能性があります）",
        ),
        Status::Processed => both(
            "SendGrid has taken the mail and said nothing since",
            "SendGridが受け付けましたが、その後の通知がありません",
        ),
        Status::Delivered => both("", ""),
        Status::Refused => REFUSED,
        Status::Dropped => drop_of(reason).map_or(
            both("SendGrid did not send it; why is not known", "SendGridが送信しませんでした（理由は不明）"),
            |(_, words, _)| words,
        ),
        Status::Deferred => code(status_code, reason).unwrap_or(both(
            "the recipient's mail server asks to come again later; SendGrid does, for 72 hours",
            "受信側メールサーバーが再送を求めています（SendGridが72時間再送します）",
        )),
        Status::Blocked => classified(classification).or_else(|| code(status_code, reason)).unwrap_or(both(
            "the recipient's mail server refused the mail for now; why is not known",
            "受信側メールサーバーが一時的に拒否しました（理由は不明）",
        )),
        Status::Bounce => classified(classification).or_else(|| code(status_code, reason)).unwrap_or(both(
            "the recipient's mail server refused the mail for good; why is not known",
            "受信側メールサーバーが恒久的に拒否しました（理由は不明）",
        )),
    }
}

/// The drop whose reason begins like this one.
pub(super) fn drop_of(reason: Option<&str>) -> Option<(&'static str, Words, bool)> {
    let reason = reason?.trim().to_lowercase();
    // "Invalid SMTPAPI header" begins with "Invalid": the longest wins.
    let fits = DROPS.into_iter().filter(|(begin, _, _)| reason.starts_with(&begin.to_lowercase()));
    fits.max_by_key(|(begin, _, _)| begin.len())
}

fn classified(classification: Option<&str>) -> Option<Words> {
    let given = classification?.trim().to_lowercase();
    CLASSIFICATIONS.into_iter().find(|(known, _)| *known == given).map(|(_, words)| words)
}

/// By the enhanced status code; where there is only a basic one, such as 550, the mail server's text may have the other.
fn code(status_code: Option<&str>, reason: Option<&str>) -> Option<Words> {
    let status_code = status_code.map(str::trim).filter(|code| code.contains('.'));
    let rest = subject_and_detail(status_code.or_else(|| enhanced_code(reason?))?)?;
    let exact = CODES.into_iter().find(|(known, _)| *known == rest);
    let subject = rest.split_once('.').map(|(subject, _)| subject);
    let known = exact.or_else(|| SUBJECTS.into_iter().find(|(known, _)| Some(*known) == subject));
    known.map(|(_, words)| words)
}

/// `1.1` of `5.1.1`.
fn subject_and_detail(status_code: &str) -> Option<&str> {
    let (class, rest) = status_code.split_once('.')?;
    matches!(class, "4" | "5").then_some(rest)
}

/// The first enhanced status code (RFC 3463) in a mail server's text.
#[must_use]
pub fn enhanced_code(text: &str) -> Option<&str> {
    // Mail servers also write #5.1.1, 5.1.1: and (5.1.1).
    text.split(|c: char| !c.is_ascii_digit() && c != '.').map(|word| word.trim_end_matches('.')).find(|word| {
        let mut parts = word.split('.');
        let class = parts.next();
        let numbers: Vec<&str> = parts.collect();
        matches!(class, Some("4" | "5"))
            && numbers.len() == 2
            && numbers.iter().all(|number| (1..=3).contains(&number.len()))
    })
}

/// Where SendGrid's API gave no reason, or one that is not known here.
const REFUSED: Words = both("SendGrid's API refused it", "SendGridのAPIが拒否しました");

/// Why SendGrid's API refused a recipient or a request.
pub(super) fn refused(refusal: Option<&Refusal>) -> Reason {
    let (status, said) = refusal.map_or((None, None), |refusal| (refusal.status, refusal.why.clone()));
    let lower = said.as_deref().unwrap_or_default().to_lowercase();
    let words = match status {
        Some(401) if is_out_of_credits(401, &lower) => {
            both("the SendGrid account's credits are used up", "SendGridアカウントのクレジットを使い切りました")
        }
        Some(401) => both("SendGrid refused the API key", "SendGridがAPIキーを拒否しました"),
        Some(403) => both(
            "the API key may not send mail, or the sender is not verified",
            "APIキーに送信権限がないか、送信元が認証されていません",
        ),
        Some(413) => both("the request was too large for SendGrid", "リクエストがSendGridの上限サイズを超えています"),
        Some(400) if lower.contains("valid address") || lower.contains("valid email") => {
            both("SendGrid takes the address for invalid", "SendGridが無効なアドレスと判断しました")
        }
        _ => REFUSED,
    };
    let said = said.or_else(|| status.map(|status| format!("HTTP {status}")));
    Reason { words, said }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_known_is_said_and_what_is_not_too() {
        for (status, classification, code, reason, expected) in [
            (Status::Bounce, Some("Invalid Address"), Some("5.2.2"), None, "the address does not exist"),
            (Status::Bounce, Some("INVALID"), None, None, "the address does not exist"),
            (Status::Bounce, Some("Unclassified"), Some("5.2.2"), None, "the mailbox is full"),
            (Status::Blocked, None, Some("5.7.26"), None, "neither SPF nor DKIM vouches for the sender"),
            (
                Status::Blocked,
                None,
                Some("4.7.999"),
                None,
                "the recipient's mail server refused the mail for its policy",
            ),
            (
                Status::Blocked,
                None,
                Some("2.1.1"),
                None,
                "the recipient's mail server refused the mail for now; why is not known",
            ),
            (
                Status::Bounce,
                None,
                Some("5.99.1"),
                None,
                "the recipient's mail server refused the mail for good; why is not known",
            ),
            (Status::Dropped, None, None, Some("Unsubscribed Address"), "the recipient has unsubscribed"),
            (
                Status::Dropped,
                None,
                None,
                Some("Invalid SMTPAPI header"),
                "SendGrid could not read the request's header",
            ),
            (Status::Dropped, None, None, Some("Invalid"), "SendGrid takes the address for invalid"),
            (Status::Dropped, None, None, None, "SendGrid did not send it; why is not known"),
            (Status::Deferred, None, Some("4.2.2"), None, "the mailbox is full"),
            // docs.sendgrid.com/glossary/drops
            (
                Status::Dropped,
                None,
                None,
                Some("Duplicate message"),
                "the address is on several lists of the campaign, and SendGrid mails it once",
            ),
            (Status::Dropped, None, None, Some("Bounced"), "the address bounced before, so SendGrid does not mail it"),
            (Status::Bounce, None, Some("550"), Some("550 5.1.1 No such user"), "the mailbox does not exist"),
            (Status::Bounce, None, None, Some("550 #5.1.1 bad destination"), "the mailbox does not exist"),
            (
                Status::Bounce,
                None,
                Some("550"),
                Some("550 by 192.0.2.1: no"),
                "the recipient's mail server refused the mail for good; why is not known",
            ),
            (Status::Delivered, None, None, None, ""),
        ] {
            assert_eq!(plain(status, classification, code, reason).en, expected);
        }
    }

    proptest! {
        #[test]
        fn everybody_but_who_got_it_has_words(
            status in prop::sample::select(&Status::ALL[..]),
            texts in prop::collection::vec(prop::option::of("[45]?\\.?[0-9]{0,2}\\.?.{0,9}"), 3),
        ) {
            let words = plain(status, texts[0].as_deref(), texts[1].as_deref(), texts[2].as_deref());
            for language in Language::ALL {
                prop_assert_eq!(words.text(language).is_empty(), status == Status::Delivered);
            }
        }
    }
}
