//! Pieces of a JSON document whose shape cannot be trusted.

use crate::menu::import::ImportRefusal;
use serde_json::Value;

/// Reads the document.
pub(super) fn parse(text: &str) -> Result<Value, ImportRefusal> {
    serde_json::from_str(text).map_err(|source| ImportRefusal::NotJson { source })
}

/// The text of this field.
pub(super) fn text<'value>(value: &'value Value, field: &str) -> Option<&'value str> {
    value.get(field).and_then(Value::as_str)
}

/// The list in this field; an absent or null one is empty, anything else is `None`.
pub(super) fn list<'value>(value: &'value Value, field: &str) -> Option<&'value [Value]> {
    match value.get(field) {
        None | Some(Value::Null) => Some(&[]),
        Some(Value::Array(list)) => Some(list),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => None,
    }
}

/// The decimal text of a number, or a text as it is.
///
/// A JSON number prints as the shortest text that reads back as the same number, which for up to 15 digits is what the file
/// said; the highest price has nine.
pub(super) fn number_text(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Yes or no: `true`, `1`, `"1"` and their opposites.
pub(super) fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(_) | Value::String(_) => match number_text(value)?.as_str() {
            "1" | "true" => Some(true),
            "0" | "false" => Some(false),
            _ => None,
        },
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The names of the fields that are not among the known ones.
pub(super) fn other_fields<'value>(value: &'value Value, known: &'value [&str]) -> impl Iterator<Item = &'value str> {
    value.as_object().into_iter().flatten().map(|(field, _)| field.as_str()).filter(|field| !known.contains(field))
}
