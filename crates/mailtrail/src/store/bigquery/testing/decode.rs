//! A reader of protobuf rows that knows nothing but the descriptor. The stories' own BigQuery uses it, too.

use std::collections::BTreeMap;

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost_types::DescriptorProto;

/// The fields of a message by name, numbers as decimal digits.
pub(crate) fn decode(descriptor: &DescriptorProto, mut bytes: &[u8]) -> BTreeMap<String, Vec<String>> {
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while !bytes.is_empty() {
        let (tag, wire) = decode_key(&mut bytes).unwrap();
        let field = descriptor.field.iter().find(|field| field.number == i32::try_from(tag).ok());
        let Some(field) = field else {
            skip_field(wire, tag, &mut bytes, DecodeContext::default()).unwrap();
            continue;
        };
        let value = match wire {
            WireType::Varint => decode_varint(&mut bytes).unwrap().cast_signed().to_string(),
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(&mut bytes).unwrap()).unwrap();
                let (content, rest) = bytes.split_at(length);
                bytes = rest;
                String::from_utf8_lossy(content).into_owned()
            }
            other => panic!("no column has the wire type {other:?}"),
        };
        fields.entry(field.name.clone().unwrap()).or_default().push(value);
    }
    fields
}
