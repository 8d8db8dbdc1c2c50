//! 日本語。

use std::time::Duration;

use super::{Field, Words, grouped, units};
use crate::notify::notice::{Concern, ConcernKind, Notice, Ops, Outstanding};
use crate::settle::Status;

pub(super) struct Japanese;

impl Words for Japanese {
    fn status(&self, status: Status) -> &'static str {
        match status {
            Status::Unknown => "不明（イベント未着）",
            Status::Processed => "SendGrid 受付済み",
            Status::Deferred => "配信遅延（再送待ち）",
            Status::Delivered => "配信完了",
            Status::Refused => "SendGrid の受付拒否",
            Status::Dropped => "送信見送り（ドロップ）",
            Status::Blocked => "一時的な受信拒否（ブロック）",
            Status::Bounce => "バウンス",
        }
    }

    fn event(&self, name: &str) -> Option<&'static str> {
        Some(match name {
            "open" => "開封",
            "click" => "クリック",
            "spamreport" => "迷惑メール報告",
            "unsubscribe" => "配信停止",
            "group_unsubscribe" => "グループの配信停止",
            "group_resubscribe" => "グループの配信再開",
            _ => return None,
        })
    }

    fn classification(&self, name: &str) -> Option<&'static str> {
        // SendGrid writes them in more than one way.
        Some(match name.to_ascii_lowercase().as_str() {
            "invalid address" | "invalid" => "宛先不明",
            "bounced address" | "bounced" => "過去にバウンスした宛先",
            "unsubscribed address" => "配信停止済みの宛先",
            "spam reporting address" => "迷惑メール報告があった宛先",
            "duplicate message" => "複数のリストにある宛先",
            "spam content" => "迷惑メールと判定された本文",
            "technical" | "technical failure" => "技術的な問題",
            "content" => "メールの内容",
            "reputation" => "送信元の評価",
            "frequency/volume" | "frequency or volume too high" => "送信の頻度・量の超過",
            "mailbox unavailable" => "メールボックス利用不可",
            "unclassified" => "分類なし",
            _ => return None,
        })
    }

    fn field(&self, field: Field) -> &'static str {
        match field {
            Field::Recipients => "宛先数",
            Field::Unreached => "未達",
            Field::Completeness => "イベント受信率",
            Field::Elapsed => "所要時間",
            Field::TopReasons => "主な理由",
            Field::RawReasons => "メールサーバーの応答",
            Field::OutstandingDomains => "未確定の宛先のドメイン",
            Field::Events => "イベント",
            Field::Runs => "配信（run）",
            Field::Categories => "カテゴリー",
            Field::Domains => "ドメイン",
            Field::Others => "その他",
            Field::From => "最初の発生",
            Field::Until => "最後の発生",
            Field::Lasting => "継続時間",
            Field::LastEvent => "最後のイベント",
            Field::Refused => "拒否した件数",
            Field::Reason => "直近の理由",
            Field::Accepted => "SendGrid の受付数",
            Field::Page => "mailtrailで見る",
        }
    }

    fn duration(&self, duration: Duration) -> String {
        units(duration, ["日", "時間", "分", "秒"], "")
    }

    fn headline(&self, notice: &Notice) -> String {
        match notice {
            Notice::RunSettled(summary) => match summary.unreached() {
                0 => "配信が完了しました（全件到達）".to_owned(),
                unreached => format!("配信が完了しました（未達 {} 件）", grouped(unreached)),
            },
            Notice::RunTimedOut { outstanding, .. } => {
                format!("時間内に配信結果が確定しませんでした（未確定 {} 件）", grouped(waiting(outstanding)))
            }
            Notice::RunInterim { outstanding, .. } => {
                format!("配信の途中経過です（未確定 {} 件）", grouped(waiting(outstanding)))
            }
            Notice::RunQuiet { outstanding, .. } => {
                format!("配信遅延の {} 件を残して配信結果が確定しました", grouped(outstanding.deferred))
            }
            Notice::Alert(group) => format!("確認が必要なイベントが {} 件あります", grouped(group.total())),
            Notice::Ops(Ops::Silence { .. }) => "イベントが届いていません".to_owned(),
            Notice::Ops(Ops::SilenceOver { .. }) => "イベントの受信が再開しました".to_owned(),
            Notice::Ops(Ops::Refusals { proven: false, .. }) => {
                "POST を拒否しています(キーまたは認証情報の誤り?)".to_owned()
            }
            Notice::Ops(Ops::Refusals { .. }) => "すべての POST を拒否しています".to_owned(),
            Notice::Ops(Ops::RefusalsOver) => "POST の受け付けが再開しました".to_owned(),
            Notice::Ops(Ops::NoticesRefused { .. }) => "別の通知先が通知を拒否しています".to_owned(),
            Notice::Ops(Ops::NoEvents { .. }) => "送信後のイベントが届いていません".to_owned(),
            Notice::Ops(Ops::Concern(concern)) => self.concern(concern),
            Notice::Ops(Ops::ConcernOver(kind)) => match kind {
                ConcernKind::Clock => "このサーバーの時刻のずれが解消しました",
                ConcernKind::Certificate => "証明書が更新されました",
                ConcernKind::Backlog => "保存待ちのイベントが解消しました",
                ConcernKind::Disk => "ディスクの空き容量が回復しました",
                ConcernKind::Relay => "POST の転送が再開しました",
                ConcernKind::Files => "データベースのファイルが元に戻りました",
            }
            .to_owned(),
            Notice::Test => "mailtrail のテスト通知".to_owned(),
        }
    }

    fn notes(&self, notice: &Notice) -> Vec<String> {
        let mut unsent = Vec::new();
        if let Notice::RunTimedOut { outstanding: Outstanding { unsent: count @ 1.., .. }, .. } = notice {
            unsent.push(format!(
                "うち {} 件は未送信です。同じ run で mailtrail send を実行すると送信されます。",
                grouped(*count)
            ));
        }
        let note = match notice {
            Notice::RunSettled(summary) if summary.unreached() > 0 => {
                "未達の宛先と理由は、mailtrail unreached にこの run と宛先リストを指定して確認できます。".to_owned()
            }
            Notice::RunTimedOut { outstanding, .. } => {
                format!("{}遅れて届いたイベントも反映されます。mailtrail wait で再度確認してください。", breakdown(outstanding))
            }
            Notice::RunInterim { outstanding, .. } => breakdown(outstanding),
            Notice::RunQuiet { .. } => {
                "相手のメールサーバーが再送を求めています。SendGrid が最長 72 時間まで再送します。".to_owned()
            }
            Notice::Ops(Ops::Silence { .. }) => {
                "メールを送信しているはずの場合は、SendGrid の Event Webhook の設定を確認し、mailtrail doctor を実行してください。"
                    .to_owned()
            }
            Notice::Ops(Ops::Refusals { proven: false, .. }) => {
                "受け付けた POST はありません。送信元は確認できず、第三者の可能性もあります。SendGrid からの場合、24 時間で再送が打ち切られます。mailtrail doctor を実行してください。".to_owned()
            }
            Notice::Ops(Ops::Refusals { .. }) => {
                "SendGrid は 24 時間でイベントの再送を打ち切ります。すぐに mailtrail doctor を実行してください。".to_owned()
            }
            Notice::Ops(Ops::NoticesRefused { .. }) => {
                "拒否された通知は再送しません。URL を修正し、mailtrail notify test で確認してください。".to_owned()
            }
            Notice::Ops(Ops::NoEvents { .. }) => {
                "Event Webhook が有効で、この mailtrail に送信しているか確認してください。mailtrail doctor で診断できます。".to_owned()
            }
            Notice::Ops(Ops::Concern(concern)) => match concern.kind() {
                ConcernKind::Clock => "NTP で時刻を合わせてください。ずれが大きくなると、すべての POST を拒否します。",
                ConcernKind::Certificate => {
                    "証明書を更新してください。期限切れの証明書には SendGrid が POST しません。新しい証明書を使用できない理由は mailtrail doctor で確認できます。"
                }
                ConcernKind::Backlog => {
                    "イベントは失われていませんが、満杯になると POST を拒否します。mailtrail doctor で原因を確認してください。"
                }
                ConcernKind::Disk => {
                    "空き容量を確保してください。満杯になるとすべての POST を拒否し、24 時間後にはイベントが失われます。"
                }
                ConcernKind::Files => {
                    "ファイルを元に戻すか、mailtrail serve を再起動してください。SendGrid は 24 時間でイベントの再送を打ち切ります。対象のファイルはログで確認できます。"
                }
                ConcernKind::Relay => {
                    "mailtrail 自体の記録に欠けはありません。対象の転送先と対処は mailtrail doctor で確認してください。"
                }
            }
            .to_owned(),
            Notice::Test => "このメッセージが見えていれば、通知は正しく届いています。".to_owned(),
            _ => return Vec::new(),
        };
        std::iter::once(note).chain(unsent).collect()
    }
}

impl Japanese {
    fn concern(&self, concern: &Concern) -> String {
        match concern {
            Concern::Clock { behind, by } => {
                let side = if *behind { "遅れて" } else { "進んで" };
                format!("このサーバーの時刻が {} {side}います", self.duration(*by))
            }
            Concern::Certificate { left: Duration::ZERO, .. } => "証明書の有効期限が切れました".to_owned(),
            Concern::Certificate { left, refused: true } => {
                format!("新しい証明書を使用できません（使用中の証明書の有効期限まで残り {}）", self.duration(*left))
            }
            Concern::Certificate { left, .. } => format!("証明書の有効期限まで残り {} です", self.duration(*left)),
            Concern::Backlog { percent, oldest } => {
                format!("イベントが保存待ちです（スプール使用率 {percent}%、最長待ち時間 {}）", self.duration(*oldest))
            }
            Concern::Disk { free, left: None } => {
                format!("ディスクの空き容量が残り {} MiB です", grouped(free >> 20))
            }
            Concern::Disk { free, left: Some(left) } => format!(
                "ディスクの空き容量が残り {} MiB です（現在の増加量で {} 分）",
                grouped(free >> 20),
                self.duration(*left)
            ),
            Concern::Files => {
                "使用中のデータベースのファイルが置き換えまたは削除されたため、すべての POST を拒否しています"
                    .to_owned()
            }
            Concern::Relay { waiting, oldest, set_aside, dropped } => {
                let mut parts = Vec::new();
                if *dropped > 0 {
                    parts.push(format!("転送断念 {} 件", grouped(*dropped)));
                }
                if *set_aside > 0 {
                    parts.push(format!("転送先による拒否 {} 件", grouped(*set_aside)));
                }
                if *waiting > 0 {
                    parts.push(format!("転送待ち {} 件、最長 {}", grouped(*waiting), self.duration(*oldest)));
                }
                format!("[[relay]] の転送先に POST が届いていません（{}）", parts.join("、"))
            }
        }
    }
}

fn waiting(outstanding: &Outstanding) -> u64 {
    outstanding.unknown + outstanding.processed + outstanding.deferred
}

fn breakdown(outstanding: &Outstanding) -> String {
    format!(
        "未確定の内訳：イベント未着 {} 件、SendGrid 受付済み {} 件、配信遅延 {} 件。",
        grouped(outstanding.unknown),
        grouped(outstanding.processed),
        grouped(outstanding.deferred)
    )
}
