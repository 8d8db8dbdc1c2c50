//! The columns.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

pub(super) fn schema() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8, true);
    let needed = |name| Field::new(name, DataType::Utf8, false);
    let number = |name| Field::new(name, DataType::Int64, true);
    let flag = |name| Field::new(name, DataType::Boolean, true);
    let time = |name| Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false);
    let list = DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
    Arc::new(Schema::new(vec![
        text("sg_event_id"),
        needed("event"),
        time("timestamp"),
        text("email_hash"),
        text("email_domain"),
        text("email"),
        text("sg_message_id"),
        text("message_id"),
        text("smtp_id"),
        Field::new("category", list, false),
        text("reason"),
        text("response"),
        text("status"),
        text("type"),
        text("bounce_classification"),
        number("attempt"),
        number("asm_group_id"),
        text("url"),
        text("useragent"),
        text("ip"),
        flag("sg_machine_open"),
        flag("tls"),
        text("run"),
        text("recipient"),
        text("request"),
        text("custom_args"),
        text("extra"),
        time("received_at"),
        text("verified_by"),
        text("key_id"),
        needed("event_key"),
        needed("fingerprint"),
    ]))
}
