//! 日本語。

use super::RunTexts;

pub(in crate::web::texts) const TEXTS: RunTexts = RunTexts {
    settled_of: |settled, all| format!("{all} 件中 {settled} 件確定"),
    more_deferred: |n| format!("ほか {n} 件 (未確定を含む CSV に記載)"),
    left_out: |n| format!("{n} 件のイベントは SendGrid からの送信と確認できないため除外しています。"),
    title: "一斉送信",
    back: "一斉送信の一覧",
    none: "まだ一斉送信がありません。mailtrail send --run 名前 で始まります。カスタム引数 mailtrail_run を付けたメールも対象です。",
    begun: "開始 (UTC)",
    asked: "依頼",
    asked_note: "SendGrid に依頼した宛先",
    accepted: "受理",
    accepted_note: "SendGrid が受理",
    refused: "拒否",
    uncertain: "不明",
    abandoned: "未送信",
    settled: "確定",
    unreached: "未到達",
    unreached_note: "バウンス・ブロック・破棄",
    completeness: "充足率",
    completeness_note: "受理された宛先のうちイベントあり",
    last_event: "最終イベント (UTC)",
    accepted_at: "最終受理 (UTC)",
    send_at: "配信予定 (UTC)",
    state: "状態",
    state_open: "進行中",
    state_deferred: "再送待ちのみ",
    state_settled: "完了",
    state_sandbox: "サンドボックス",
    sandbox_note: "サンドボックスにのみ送信されました。実際のメールは送られていません。",
    foreign_note: "別のツールによる送信のため、宛先の記録がありません。イベントのある宛先だけを数えています。下でリストを渡すと、イベントのない宛先も分かります。",
    unknown: "イベントなし",
    statuses: "現在の状況",
    status: "状態",
    recipients: "宛先数",
    reasons: "届かなかった理由",
    no_reasons: "未到達の宛先はありません。",
    reason: "理由",
    words: "サーバーの応答",
    deferred: "再送待ち",
    no_deferred: "再送待ちの宛先はありません。",
    waiting_since: "最初のイベント (UTC)",
    oldest: "最も古いもの (UTC)",
    who_waits: "宛先",
    file: "未到達リスト (CSV)",
    file_note: "届かなかった宛先とその理由です。アドレスは渡されたリストからのみ得られ、メモリ上で処理して保存しません。リストなしの場合はハッシュになります。",
    list_file: "リスト (CSV ファイル)",
    list_text: "または貼り付け",
    list_hint: "見出し付きの CSV、または1行1アドレス",
    pending: "未確定の宛先も含める",
    download: "CSV をダウンロード",
    viewer_note: "宛先リストの書き出しは運用者のみ可能です。",
    list_wrong: "リストを使用できません:",
    events: "この送信のイベント",
    following: "リアルタイム更新中",
};

/// 届かなかった理由。英語の文は outcome が決める。
const REASONS: [(&str, &str); 56] = [
    ("the address does not exist", "宛先アドレスが存在しません"),
    ("a technical failure at the recipient's mail server", "受信サーバーの技術的な障害です"),
    ("the recipient's mail server refused the content", "受信サーバーがメールの内容を拒否しました"),
    (
        "the recipient's mail server does not trust the sender's domain or IP address",
        "送信元のドメインまたは IP アドレスの評価を理由に拒否されました",
    ),
    ("too much mail at once for the recipient's mail server", "短時間の送信数が多すぎます"),
    (
        "the mailbox takes no mail: full, suspended or not in use",
        "メールボックスが受信できません (容量超過・停止・未使用)",
    ),
    ("the mailbox does not exist", "メールボックスが存在しません"),
    ("the domain does not exist", "ドメインが存在しません"),
    ("the address is not written correctly", "アドレスの形式が正しくありません"),
    ("the address fits several mailboxes", "アドレスに該当するメールボックスが複数あります"),
    ("the mailbox has moved, and where to is not known", "メールボックスは移転済みで、移転先は不明です"),
    ("the sender's address is not written correctly", "送信元アドレスの形式が正しくありません"),
    ("the sender's domain does not exist", "送信元のドメインが存在しません"),
    ("the domain takes no mail at all", "このドメインはメールを受け付けていません"),
    ("the mailbox cannot take the mail", "メールボックスがメールを受け取れません"),
    ("the mailbox is switched off", "メールボックスが無効になっています"),
    ("the mailbox is full", "メールボックスの容量がいっぱいです"),
    ("the mail is too large for the mailbox", "メールボックスに対してメールが大きすぎます"),
    ("the mailing list behind the address does not work", "宛先のメーリングリストが機能していません"),
    ("the recipient's mail server has no room", "受信サーバーの容量が不足しています"),
    ("the recipient's mail server takes no mail at present", "受信サーバーが現在メールを受け付けていません"),
    ("the mail is too large for the recipient's mail server", "受信サーバーに対してメールが大きすぎます"),
    ("the recipient's mail server does not answer", "受信サーバーが応答しません"),
    ("the connection to the recipient's mail server broke", "受信サーバーとの接続が切れました"),
    ("the recipient's domain could not be looked up", "宛先のドメインを検索できませんでした"),
    ("no mail server was found for the domain", "ドメインのメールサーバーが見つかりません"),
    ("the recipient's mail server is overloaded", "受信サーバーが過負荷です"),
    ("the mail goes round in circles at the recipient's", "受信側でメールがループしています"),
    ("the time for delivery ran out", "配信の期限が切れました"),
    ("too many recipients at once for the recipient's mail server", "一度の宛先数が受信サーバーの上限を超えました"),
    ("the recipient's mail server refused the mail for its policy", "受信サーバーのポリシーにより拒否されました"),
    (
        "the recipient's mail server does not take mail from this sender",
        "受信サーバーがこの送信元からのメールを受け付けません",
    ),
    (
        "the mail has no DKIM signature that the recipient's mail server accepts",
        "受信サーバーが認める DKIM 署名がありません",
    ),
    ("the sender's SPF record does not allow SendGrid", "送信元の SPF レコードが SendGrid を許可していません"),
    ("the sender's SPF record is broken", "送信元の SPF レコードに誤りがあります"),
    ("the sending server has no valid reverse name", "送信サーバーの逆引き名が正しくありません"),
    ("neither SPF nor DKIM vouches for the sender", "SPF でも DKIM でも送信元を確認できません"),
    ("the sender's domain takes no mail itself", "送信元のドメインがメールを受け付けていません"),
    ("something is wrong with the address", "アドレスに問題があります"),
    ("the recipient's mail server could not take the mail", "受信サーバーがメールを受け取れませんでした"),
    ("the recipient's mail server could not be reached", "受信サーバーに接続できませんでした"),
    ("the mail servers did not understand each other", "メールサーバー間の通信に失敗しました"),
    ("the recipient's mail server refused the form or content", "受信サーバーがメールの形式または内容を拒否しました"),
    ("the address bounced before, so SendGrid does not mail it", "以前バウンスした宛先のため、SendGrid は送信しません"),
    ("the recipient has unsubscribed", "宛先が配信を停止しています"),
    ("the recipient called earlier mail spam", "宛先が以前のメールを迷惑メールとして報告しました"),
    ("SendGrid takes the address for invalid", "SendGrid がアドレスを無効と判断しました"),
    ("SendGrid's spam check refused the content", "SendGrid の迷惑メール検査で拒否されました"),
    ("the SendGrid account's quota is used up", "SendGrid アカウントの上限に達しました"),
    ("SendGrid could not read the request's header", "SendGrid がリクエストのヘッダーを読み取れませんでした"),
    (
        "no event has come: SendGrid may not have had the mail, or its events did not arrive",
        "イベントがありません。SendGrid に届いていないか、イベントが未着です",
    ),
    ("SendGrid has taken the mail and said nothing since", "SendGrid が受け付けましたが、その後の報告がありません"),
    ("SendGrid did not send it; why is not known", "SendGrid が送信しませんでした。理由は不明です"),
    (
        "the recipient's mail server asks to come again later; SendGrid does, for 72 hours",
        "受信サーバーが再試行を求めています。SendGrid が最大72時間再送します",
    ),
    (
        "the recipient's mail server refused the mail for now; why is not known",
        "受信サーバーが一時的に拒否しました。理由は不明です",
    ),
    (
        "the recipient's mail server refused the mail for good; why is not known",
        "受信サーバーが恒久的に拒否しました。理由は不明です",
    ),
];

/// 理由の日本語。
pub(in crate::web::texts) fn reason_words(words: &'static str) -> &'static str {
    REASONS.iter().find(|(english, _)| *english == words).map_or(words, |(_, japanese)| *japanese)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_words() {
        let missing: Vec<_> =
            crate::outcome::all_words().into_iter().filter(|words| reason_words(words) == *words).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
