//! What holds for the pieces of any bytes.

use sendgrid_events::elements::{Elements, Piece};

const LIMIT: usize = 512;

/// Text, line, whether it is whole.
type Found = Vec<(Vec<u8>, u64, bool)>;

fn cut(bytes: &[u8], chunk: usize, lines: bool) -> Found {
    let mut found = Found::new();
    let mut each = |piece: Piece<'_>| found.push((piece.bytes.to_vec(), piece.line, piece.whole));
    let mut elements = Elements::new(lines, LIMIT);
    for chunk in bytes.chunks(chunk.max(1)) {
        elements.push(chunk, &mut each);
    }
    elements.finish(&mut each);
    found
}

/// The pieces of any bytes, after checking what must hold for them.
pub(crate) fn checked(bytes: &[u8], chunk: usize, lines: bool) -> Found {
    let found = cut(bytes, bytes.len(), lines);
    assert_eq!(found, cut(bytes, chunk, lines), "the same however they come");
    let mut from = 0;
    let mut last = 1;
    for (piece, line, whole) in &found {
        assert!(!piece.is_empty() && piece.len() <= LIMIT);
        let at = bytes[from..].windows(piece.len()).position(|window| window == &piece[..]);
        from += at.expect("it stood there, behind the one before") + piece.len();
        assert!(*line >= last, "in the order of lines");
        last = *line;
        if *whole {
            assert!(piece.starts_with(b"{") && piece.ends_with(b"}"));
            assert!(!lines || !piece.contains(&b'\n'));
        }
    }
    // Whatever came before, it ends with its line at the latest where objects have lines of their own.
    let behind = [bytes, b"\n{\"good\":1}\n"].concat();
    let with_one_more = cut(&behind, chunk, true);
    assert!(with_one_more.last().is_some_and(|(piece, _, whole)| *whole && piece == b"{\"good\":1}"));
    found
}
