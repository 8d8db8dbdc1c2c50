//! Cuts a body into its elements by structure alone, on bytes, before anything is decoded. So one element that
//! cannot be decoded (bad escape, invalid UTF-8, too deep) costs none of its neighbours, and decoding never recurses
//! deeper than [`MAX_DEPTH`].

use std::ops::Range;

use crate::scan::special;

/// Deepest nesting of brackets within one element that is decoded.
pub(crate) const MAX_DEPTH: u32 = 64;

/// Most elements of one body that are decoded.
pub(crate) const MAX_ELEMENTS: usize = 20_000;

/// Why a body as a whole could not be cut into elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsplittable {
    /// Not an array or object, or its brackets and quotes do not pair up.
    Structure,
    /// More than [`MAX_ELEMENTS`] elements.
    TooMany,
}

/// One element: where it stands and how deep its brackets nest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) range: Range<usize>,
    pub(crate) depth: u32,
}

/// Cuts `body` (an array, or one bare object; a byte order mark and white space around it are allowed).
pub(crate) fn split(body: &[u8]) -> Result<Vec<Element>, Unsplittable> {
    let start = if body.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    let Some(open) = (start..body.len()).find(|&at| !is_space(body[at])) else {
        return Err(Unsplittable::Structure);
    };
    let (elements, end) = match body[open] {
        b'[' => split_array(body, open + 1)?,
        b'{' => {
            let (element, end) = scan_element(body, open)?;
            (vec![element], end)
        }
        _ => return Err(Unsplittable::Structure),
    };
    match body[end..].iter().all(|&b| is_space(b)) {
        true => Ok(elements),
        false => Err(Unsplittable::Structure),
    }
}

/// Elements from just behind `[`, and where the text behind `]` starts.
fn split_array(body: &[u8], mut at: usize) -> Result<(Vec<Element>, usize), Unsplittable> {
    let mut elements = Vec::new();
    loop {
        let (element, end) = scan_element(body, at)?;
        let closes = body.get(end) == Some(&b']');
        let is_empty_array = closes && elements.is_empty() && element.range.is_empty();
        if !is_empty_array {
            if elements.len() == MAX_ELEMENTS {
                return Err(Unsplittable::TooMany);
            }
            elements.push(element);
        }
        match body.get(end) {
            Some(b',') => at = end + 1,
            Some(b']') => return Ok((elements, end + 1)),
            _ => return Err(Unsplittable::Structure),
        }
    }
}

/// Scans one element from `at` to the `,` or `]` that ends it, or to the end of the body.
fn scan_element(body: &[u8], at: usize) -> Result<(Element, usize), Unsplittable> {
    let (mut depth, mut deepest) = (0_u32, 0_u32);
    let start = (at..body.len()).find(|&i| !is_space(body[i])).unwrap_or(body.len());
    let mut i = start;
    while let Some(byte) = body.get(i) {
        match byte {
            b'"' => {
                i = string_end(body, i + 1).ok_or(Unsplittable::Structure)?;
                continue;
            }
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b',' | b']' if depth == 0 => break,
            b'}' | b']' => depth = depth.checked_sub(1).ok_or(Unsplittable::Structure)?,
            _ => {}
        }
        i += 1;
    }
    if depth > 0 {
        return Err(Unsplittable::Structure);
    }
    let length = body[start..i].trim_ascii_end().len();
    Ok((Element { range: start..start + length, depth: deepest }, i))
}

/// Where the text behind the closing quote starts, for a string whose content starts at `at`. What may not stand in a
/// string is no matter here.
fn string_end(body: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let found = special(body, at)?;
        at = match body[found] {
            b'"' => return Some(found + 1),
            b'\\' => found + 2,
            _ => found + 1,
        };
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(body: &str) -> Result<Vec<&str>, Unsplittable> {
        split(body.as_bytes()).map(|elements| elements.into_iter().map(|e| &body[e.range]).collect())
    }

    #[test]
    fn arrays_objects_and_what_stands_around_them() {
        assert_eq!(cut("[]"), Ok(vec![]));
        assert_eq!(cut(" [ ] \r\n"), Ok(vec![]));
        assert_eq!(cut("\u{feff}[{\"a\":1},\r\n{\"b\":[2,3]}]\r\n"), Ok(vec!["{\"a\":1}", "{\"b\":[2,3]}"]));
        assert_eq!(cut("{\"a\":{}}"), Ok(vec!["{\"a\":{}}"]));
        assert_eq!(cut("[1, \"a,]\\\"\" ,null]"), Ok(vec!["1", "\"a,]\\\"\"", "null"]));
    }

    #[test]
    fn a_bad_element_stands_alone() {
        assert_eq!(cut("[{\"a\":1},{bad},{\"b\":2}]"), Ok(vec!["{\"a\":1}", "{bad}", "{\"b\":2}"]));
        assert_eq!(cut("[{\"a\":1},]"), Ok(vec!["{\"a\":1}", ""]));
        assert_eq!(cut("[{} x,{}]"), Ok(vec!["{} x", "{}"]));
        assert_eq!(cut("{} {}"), Ok(vec!["{} {}"]));
    }

    #[test]
    fn broken_structure_is_the_whole_body_s() {
        for body in ["", " ", "x", "\"a\"", "[", "[{\"a\":1}", "[{\"a\":\"x},{}]", "[}]", "[] x", "{}]", "{},{}"] {
            assert_eq!(cut(body), Err(Unsplittable::Structure), "{body}");
        }
    }

    #[test]
    fn counts_and_depth_are_bounded() {
        let at_most = format!("[{}]", vec!["1"; MAX_ELEMENTS].join(","));
        assert_eq!(split(at_most.as_bytes()).map(|e| e.len()), Ok(MAX_ELEMENTS));
        let too_many = format!("[{}]", vec!["1"; MAX_ELEMENTS + 1].join(","));
        assert_eq!(split(too_many.as_bytes()), Err(Unsplittable::TooMany));
        let deep = format!("[{}{}]", "[".repeat(65), "]".repeat(65));
        assert_eq!(split(deep.as_bytes()).map(|e| e[0].depth), Ok(65));
    }
}
