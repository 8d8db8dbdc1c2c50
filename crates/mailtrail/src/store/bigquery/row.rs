//! Rows as protobuf, and the descriptor that tells BigQuery how to read them. A column's field number is its place plus one.
//! JSON columns travel as strings, timestamps as µs since the epoch (Google's table of types for the Storage Write API).

use bytes::Bytes;
use prost::encoding::{WireType, bool, encode_key, encode_varint, int64, string};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto};

use super::schema::{Kind, Mode, Table};
use crate::store::query::EventRecord;

/// A value for a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Null,
    Text(&'a str),
    /// Timestamps too, in µs since the epoch.
    Integer(i64),
    Bool(bool),
    List(&'a [String]),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    pub(crate) fn text(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }

    pub(crate) fn integer(number: Option<i64>) -> Self {
        number.map_or(Self::Null, Self::Integer)
    }

    pub(crate) fn flag(flag: Option<bool>) -> Self {
        flag.map_or(Self::Null, Self::Bool)
    }
}

/// The values of an event, in the order of `schema::EVENTS`.
pub(crate) fn event(event: &EventRecord) -> [Value<'_>; 32] {
    [
        Value::text(event.sg_event_id.as_deref()),
        Value::Text(&event.event),
        Value::Integer(event.timestamp),
        Value::text(event.email_hash.as_deref()),
        Value::text(event.email_domain.as_deref()),
        Value::text(event.email.as_deref()),
        Value::text(event.sg_message_id.as_deref()),
        Value::text(event.message_id.as_deref()),
        Value::text(event.smtp_id.as_deref()),
        Value::List(&event.category),
        Value::text(event.reason.as_deref()),
        Value::text(event.response.as_deref()),
        Value::text(event.status.as_deref()),
        Value::text(event.r#type.as_deref()),
        Value::text(event.bounce_classification.as_deref()),
        Value::integer(event.attempt),
        Value::integer(event.asm_group_id),
        Value::text(event.url.as_deref()),
        Value::text(event.useragent.as_deref()),
        Value::text(event.ip.as_deref()),
        Value::flag(event.sg_machine_open),
        Value::flag(event.tls),
        Value::text(event.run.as_deref()),
        Value::text(event.recipient.as_deref()),
        Value::text(event.request.as_deref()),
        Value::text(event.custom_args.as_deref()),
        Value::text(event.extra.as_deref()),
        Value::Integer(event.received_at),
        Value::text(event.verified_by.as_deref()),
        Value::text(event.key_id.as_deref()),
        Value::Text(&event.event_key),
        Value::Text(&event.fingerprint),
    ]
}

/// The bytes of a row. A missing field is a null.
pub(crate) fn encode(values: &[Value<'_>]) -> Bytes {
    let mut buffer = Vec::with_capacity(512);
    for (tag, value) in (1_u32..).zip(values) {
        match value {
            Value::Null => {}
            Value::Text(text) => encode_bytes(tag, text.as_bytes(), &mut buffer),
            Value::Bytes(bytes) => encode_bytes(tag, bytes, &mut buffer),
            Value::Integer(number) => int64::encode(tag, number, &mut buffer),
            Value::Bool(flag) => bool::encode(tag, flag, &mut buffer),
            Value::List(texts) => string::encode_repeated(tag, texts, &mut buffer),
        }
    }
    buffer.into()
}

/// Texts and bytes look alike on the wire; prost's own functions take owned ones.
fn encode_bytes(tag: u32, bytes: &[u8], buffer: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, buffer);
    encode_varint(bytes.len() as u64, buffer);
    buffer.extend_from_slice(bytes);
}

/// How a table's rows are to be read.
pub(crate) fn descriptor(table: &Table) -> DescriptorProto {
    let field = (1..).zip(table.columns).map(|(number, column)| FieldDescriptorProto {
        name: Some(column.name.to_owned()),
        number: Some(number),
        label: Some(match column.mode {
            // What is required is always sent; proto2's `required` would only make a mistake harder to see.
            Mode::Nullable | Mode::Required => Label::Optional,
            Mode::Repeated => Label::Repeated,
        } as i32),
        r#type: Some(match column.kind {
            Kind::String | Kind::Json => Type::String,
            Kind::Timestamp | Kind::Integer => Type::Int64,
            Kind::Bool => Type::Bool,
            Kind::Bytes => Type::Bytes,
        } as i32),
        ..FieldDescriptorProto::default()
    });
    DescriptorProto { name: Some("Row".to_owned()), field: field.collect(), ..DescriptorProto::default() }
}

#[cfg(test)]
mod tests {
    use super::super::schema::EVENTS;
    use super::super::testing;
    use super::*;

    fn fits(value: Value<'_>, kind: Kind, mode: Mode) -> bool {
        match value {
            Value::Null => mode == Mode::Nullable,
            Value::List(_) => mode == Mode::Repeated,
            Value::Text(_) => matches!(kind, Kind::String | Kind::Json),
            Value::Integer(_) => matches!(kind, Kind::Timestamp | Kind::Integer),
            Value::Bool(_) => kind == Kind::Bool,
            Value::Bytes(_) => kind == Kind::Bytes,
        }
    }

    #[test]
    fn an_event_s_values_stand_where_the_schema_has_their_columns() {
        let record = testing::full_event(7);
        let values = event(&record);
        assert_eq!(values.len(), EVENTS.columns.len());
        for (column, value) in EVENTS.columns.iter().zip(values) {
            assert!(fits(value, column.kind, column.mode), "{}: {value:?}", column.name);
            // `full_event` names each text after its column.
            if let Value::Text(text) = value {
                assert!(text.contains(column.name), "{}: {text}", column.name);
            }
        }
        for (column, value) in EVENTS.columns.iter().zip(event(&testing::bare_event(7))) {
            assert!(fits(value, column.kind, column.mode), "{}: {value:?}", column.name);
        }
    }

    #[test]
    fn rows_are_read_back_by_their_descriptor() {
        let record = testing::full_event(7);
        let (values, descriptor) = (event(&record), descriptor(&EVENTS));
        let read = testing::decode(&descriptor, &encode(&values));
        for (field, value) in descriptor.field.iter().zip(values) {
            let name = field.name.as_deref().unwrap();
            let found = read.get(name).cloned().unwrap_or_default();
            let expected: Vec<String> = match value {
                Value::Null => vec![],
                Value::Text(text) => vec![text.to_owned()],
                Value::Integer(number) => vec![number.to_string()],
                Value::Bool(flag) => vec![i64::from(flag).to_string()],
                Value::List(list) => list.to_vec(),
                Value::Bytes(_) => unreachable!("events have none"),
            };
            assert_eq!(found, expected, "{name}");
        }
    }
}
