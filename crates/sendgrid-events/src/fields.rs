//! Which keys of an event are SendGrid's, by event type. Custom args are merged into the top level of an event, so this
//! table alone tells them from system fields: a key that SendGrid documents for this type is SendGrid's, everything else,
//! keys of the future too, is the caller's.
//!
//! Sources: Event reference (twilio.com/docs/sendgrid/for-developers/tracking-events/event), the Email Logs schemas of
//! SendGrid's OpenAPI files, and published captures. The table may grow; nothing that was stored changes with it.

use crate::event::EVENT_NAMES;

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
/// Where `key` belongs on an event of type `event` (trimmed, lower case). On a type not known here every key of the
/// table is taken as SendGrid's: a new type is more likely to use its keys than a caller to have taken them.
pub(crate) fn place(event: &str, key: &str) -> Place {
    let Some((place, types)) = documented(key) else {
        return Place::CustomArg;
    };
    let applies = types.is_empty() || types.contains(&event) || !EVENT_NAMES.contains(&event);
    if applies { place } else { Place::CustomArg }
}

/// SendGrid's keys, and the event types on which they are its own (`ANY`: on all). A `match`, not a list to search: it
/// is asked for every key of every event.
fn documented(key: &str) -> Option<(Place, &'static [&'static str])> {
    Some(match key {
        "event" => (Place::Column(Column::Event), ANY),
        "timestamp" => (Place::Column(Column::Timestamp), ANY),
        "email" => (Place::Column(Column::Email), ANY),
        "sg_event_id" => (Place::Column(Column::SgEventId), ANY),
        "sg_message_id" => (Place::Column(Column::SgMessageId), ANY),
        "smtp-id" => (Place::Column(Column::SmtpId), ANY),
        "category" => (Place::Column(Column::Category), ANY),
        "asm_group_id" => (Place::Column(Column::AsmGroupId), ANY),
        "sg_machine_open" => (Place::Column(Column::SgMachineOpen), ANY),
        "reason" => (Place::Column(Column::Reason), &["bounce", "dropped", "deferred"]),
        "response" => (Place::Column(Column::Response), &["delivered", "deferred"]),
        "status" => (Place::Column(Column::Status), &["bounce", "dropped", "deferred"]),
        "type" => (Place::Column(Column::Type), &["bounce", "account_status_change"]),
        "bounce_classification" => (Place::Column(Column::BounceClassification), &["bounce", "dropped", "deferred"]),
        "attempt" => (Place::Column(Column::Attempt), &["deferred", "delivered", "bounce"]),
        "tls" => (Place::Column(Column::Tls), &["delivered", "bounce", "deferred"]),
        "ip" => (Place::Column(Column::Ip), WITH_IP),
        "useragent" => (Place::Column(Column::Useragent), ENGAGEMENT),
        "url" => (Place::Column(Column::Url), &["click", "group_unsubscribe", "group_resubscribe"]),
        "cert_err" | "cert_error" => (Place::Extra, &["delivered", "bounce", "deferred"]),
        "date" | "reseller_id" => (Place::Extra, &["unsubscribe"]),
        "domain" | "from" => (Place::Extra, &["deferred"]),
        "marketing_campaign_id"
        | "marketing_campaign_name"
        | "marketing_campaign_split_id"
        | "marketing_campaign_version"
        | "mc_auto_id"
        | "mc_auto_msg_id"
        | "mc_auto_name"
        | "mc_auto_step_id"
        | "mc_auto_unique_id"
        | "mc_pod_id"
        | "mc_stats"
        | "newsletter"
        | "nlvx_campaign_id"
        | "nlvx_campaign_split_id"
        | "nlvx_user_id"
        | "phase_id"
        | "post_type"
        | "send_at"
        | "sg_content_type"
        | "sg_template_id"
        | "sg_template_name"
        | "sg_user_id"
        | "singlesend_id"
        | "singlesend_name"
        | "template_hash"
        | "template_id"
        | "template_version_id" => (Place::Extra, ANY),
        "message" => (Place::Extra, &["dropped"]),
        "pool" => (Place::Extra, &["processed"]),
        "url_offset" => (Place::Extra, &["click"]),
        _ => return None,
    })
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
}
