//! Paths into JSON as others write them, as JSON pointers (RFC 6901).

/// Of `$.a.b[0].c`, with or without `$`. `None`: it says more than where something is.
pub(super) fn pointer(path: &str) -> Option<String> {
    let path = path.trim();
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    let mut pointer = String::new();
    if !rest.starts_with(['.', '[']) && !rest.is_empty() {
        rest = push_name(&mut pointer, rest)?;
    }
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            rest = push_name(&mut pointer, after)?;
        } else {
            let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
            index.parse::<u32>().ok()?;
            pointer.push('/');
            pointer.push_str(index);
            rest = after;
        }
    }
    Some(pointer)
}

fn push_name<'a>(pointer: &mut String, text: &'a str) -> Option<&'a str> {
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    pointer.push('/');
    pointer.push_str(name);
    is_name.then_some(rest)
}

/// What stands in a comparison: a number or `true` as such, all else as text.
pub(super) fn value(text: &str) -> serde_json::Value {
    let parsed = serde_json::from_str::<serde_json::Value>(text).ok();
    let is_plain = |value: &serde_json::Value| value.is_number() || value.is_boolean() || value.is_string();
    parsed.filter(is_plain).unwrap_or_else(|| text.into())
}
