//! Which keys of an event are SendGrid's, by event type. Custom args are merged into the top level of an event, so this
//! table alone tells them from system fields: a key that SendGrid documents for this type is SendGrid's, everything else,
//! keys of the future too, is the caller's.
//!
//! Sources: Event reference (twilio.com/docs/sendgrid/for-developers/tracking-events/event), the Email Logs schemas of
//! SendGrid's OpenAPI files, and published captures. The table may grow; nothing that was stored changes with it.

/// A key that has a field of its own in [`crate::Event`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Event,
    Timestamp,
    Email,
    SgEventId,
    SgMessageId,
    SmtpId,
    Category,
    Reason,
    Response,
    Status,
    Type,
    BounceClassification,
    Attempt,
    AsmGroupId,
    Url,
    Useragent,
    Ip,
    SgMachineOpen,
    Tls,
}

/// Where a key belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Column(Column),
    Extra,
    CustomArg,
}

const ANY: &[&str] = &[];
const ENGAGEMENT: &[&str] = &["open", "click", "spamreport", "unsubscribe", "group_unsubscribe", "group_resubscribe"];
const WITH_IP: &[&str] = &[
    "delivered",
    "bounce",
    "deferred",
    "open",
    "click",
    "spamreport",
    "unsubscribe",
    "group_unsubscribe",
    "group_resubscribe",
];
const KNOWN: &[&str] = &[
    "processed",
    "deferred",
    "delivered",
    "bounce",
    "dropped",
    "open",
    "click",
    "spamreport",
    "unsubscribe",
    "group_unsubscribe",
    "group_resubscribe",
    "account_status_change",
];

/// Keys with a field, and the event types on which they are SendGrid's (`ANY`: on all).
#[rustfmt::skip]
const COLUMNS: &[(&str, Column, &[&str])] = &[
    ("event", Column::Event, ANY),
    ("timestamp", Column::Timestamp, ANY),
    ("email", Column::Email, ANY),
    ("sg_event_id", Column::SgEventId, ANY),
    ("sg_message_id", Column::SgMessageId, ANY),
    ("smtp-id", Column::SmtpId, ANY),
    ("category", Column::Category, ANY),
    ("asm_group_id", Column::AsmGroupId, ANY),
    ("sg_machine_open", Column::SgMachineOpen, ANY),
    ("reason", Column::Reason, &["bounce", "dropped", "deferred"]),
    ("response", Column::Response, &["delivered", "deferred"]),
    ("status", Column::Status, &["bounce", "dropped", "deferred"]),
    ("type", Column::Type, &["bounce", "account_status_change"]),
    ("bounce_classification", Column::BounceClassification, &["bounce", "dropped", "deferred"]),
    ("attempt", Column::Attempt, &["deferred", "delivered", "bounce"]),
    ("tls", Column::Tls, &["delivered", "bounce", "deferred"]),
    ("ip", Column::Ip, WITH_IP),
    ("useragent", Column::Useragent, ENGAGEMENT),
    ("url", Column::Url, &["click", "group_unsubscribe", "group_resubscribe"]),
];

/// Keys of SendGrid's without a field, and the event types on which they are its own.
#[rustfmt::skip]
const EXTRA: &[(&str, &[&str])] = &[
    ("cert_err", &["delivered", "bounce", "deferred"]),
    ("cert_error", &["delivered", "bounce", "deferred"]),
    ("date", &["unsubscribe"]),
    ("domain", &["deferred"]),
    ("from", &["deferred"]),
    ("marketing_campaign_id", ANY),
    ("marketing_campaign_name", ANY),
    ("marketing_campaign_split_id", ANY),
    ("marketing_campaign_version", ANY),
    ("mc_auto_id", ANY),
    ("mc_auto_msg_id", ANY),
    ("mc_auto_name", ANY),
    ("mc_auto_step_id", ANY),
    ("mc_auto_unique_id", ANY),
    ("mc_pod_id", ANY),
    ("mc_stats", ANY),
    ("message", &["dropped"]),
    ("newsletter", ANY),
    ("nlvx_campaign_id", ANY),
    ("nlvx_campaign_split_id", ANY),
    ("nlvx_user_id", ANY),
    ("phase_id", ANY),
    ("pool", &["processed"]),
    ("post_type", ANY),
    ("reseller_id", &["unsubscribe"]),
    ("send_at", ANY),
    ("sg_content_type", ANY),
    ("sg_template_id", ANY),
    ("sg_template_name", ANY),
    ("sg_user_id", ANY),
    ("singlesend_id", ANY),
    ("singlesend_name", ANY),
    ("template_hash", ANY),
    ("template_id", ANY),
    ("template_version_id", ANY),
    ("url_offset", &["click"]),
];

/// Where `key` belongs on an event of type `event` (trimmed, lower case). On a type not known here every key of the
/// table is taken as SendGrid's: a new type is more likely to use its keys than a caller to have taken them.
pub(crate) fn place(event: &str, key: &str) -> Place {
    let applies = |types: &[&str]| types.is_empty() || types.contains(&event) || !KNOWN.contains(&event);
    if let Some((_, column, types)) = COLUMNS.iter().find(|(name, ..)| *name == key) {
        return if applies(types) { Place::Column(*column) } else { Place::CustomArg };
    }
    match EXTRA.iter().find(|(name, _)| *name == key) {
        Some((_, types)) if applies(types) => Place::Extra,
        _ => Place::CustomArg,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_sendgrid_s_only_on_the_types_that_document_it() {
        assert_eq!(place("bounce", "type"), Place::Column(Column::Type));
        assert_eq!(place("delivered", "type"), Place::CustomArg);
        assert_eq!(place("deferred", "domain"), Place::Extra);
        assert_eq!(place("processed", "domain"), Place::CustomArg);
        assert_eq!(place("processed", "Event"), Place::CustomArg);
        assert_eq!(place("future_event", "url"), Place::Column(Column::Url));
        assert_eq!(place("future_event", "order_id"), Place::CustomArg);
    }

    #[test]
    fn no_key_stands_twice() {
        let mut keys: Vec<&str> = COLUMNS.iter().map(|c| c.0).chain(EXTRA.iter().map(|e| e.0)).collect();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all);
    }
}
