//! Which encoding a text without a byte order mark has.
//!
//! Nearly any bytes can be decoded as windows-1252 or as cp932, so that decoding alone proves nothing. A detector proposes encodings;
//! here each is judged by the words that it makes of the text, and what is left must be one.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, MACINTOSH, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::characters::{is_full_width, is_invisible};
use super::encoding;
use super::problem::{ListError, Reading};
use super::records::Records;
use super::table;

/// With fewer words that are not ASCII, the detector's guess between related encodings is not sure.
const FEW_WORDS: usize = 25;

/// Longest sample of a cell, characters.
const SAMPLE: usize = 40;

/// The encoding of bytes that have no byte order mark.
pub(super) fn encoding(bytes: &[u8]) -> Result<&'static Encoding, ListError> {
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\xd0\xcf\x11\xe0") {
        return Err(ListError::Workbook);
    }
    if memchr::memchr(0, bytes).is_some() {
        return Err(without_mark(bytes));
    }
    // ISO-2022-JP is ASCII and escape sequences.
    if std::str::from_utf8(bytes).is_ok() && memchr::memchr(0x1b, bytes).is_none() {
        return Ok(UTF_8);
    }
    let lines = Utf8Lines::count(bytes);
    if lines.is_utf_8_mostly() {
        return Err(lines.mixed(bytes));
    }
    let guess = |top_level: Option<&[u8]>| {
        let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
        detector.feed(bytes, true);
        detector.guess(top_level, Utf8Detection::Deny)
    };
    let best = guess(None);
    let mut candidates = vec![best];
    let is_few = encoding::strict(bytes, best).map_or(0, |text| Words::count(&text).all) < FEW_WORDS;
    if best.is_single_byte() {
        candidates.push(MACINTOSH);
        if is_few {
            candidates.push(WINDOWS_1252);
        }
    }
    if best.is_single_byte() || is_few {
        candidates.push(guess(Some(b"jp")));
    }
    let mut readings: Vec<(&'static Encoding, String)> = Vec::new();
    for candidate in candidates {
        if let Ok(text) = encoding::strict(bytes, candidate)
            && Words::count(&text).make_sense()
            && readings.iter().all(|(_, other)| *other != text)
        {
            readings.push((candidate, text));
        }
    }
    match readings.as_slice() {
        [(only, _)] if *only != MACINTOSH => {
            // Accented letters of UTF-8 are never text in these.
            if only.is_single_byte() && lines.valid > 0 { Err(lines.mixed(bytes)) } else { Ok(only) }
        }
        readings => Err(ListError::Unclear { readings: samples(readings) }),
    }
}

/// What NUL bytes mean.
fn without_mark(bytes: &[u8]) -> ListError {
    let nul_at = |parity: usize| bytes.iter().skip(parity).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (nul_at(0), nul_at(1));
    match (even, odd) {
        (0, _) => ListError::Utf16WithoutMark { encoding: super::Encoding(UTF_16LE) },
        (_, 0) => ListError::Utf16WithoutMark { encoding: super::Encoding(UTF_16BE) },
        _ => ListError::Binary,
    }
}

/// Lines with bytes beyond ASCII.
#[derive(Default)]
struct Utf8Lines {
    /// That are UTF-8 with a character of three or four bytes, which no other encoding makes by chance.
    certain: usize,
    valid: usize,
    invalid: usize,
}

impl Utf8Lines {
    fn count(bytes: &[u8]) -> Self {
        let mut lines = Self::default();
        for line in bytes.split(|byte| matches!(byte, b'\r' | b'\n')).filter(|line| !line.is_ascii()) {
            match std::str::from_utf8(line) {
                Ok(text) => {
                    lines.valid += 1;
                    lines.certain += usize::from(text.chars().any(|c| c.len_utf8() > 2));
                }
                Err(_) => lines.invalid += 1,
            }
        }
        lines
    }

    fn is_utf_8_mostly(&self) -> bool {
        self.invalid > 0 && (self.certain > 0 || self.valid >= self.invalid)
    }

    fn mixed(&self, bytes: &[u8]) -> ListError {
        let utf_8 = super::EncodingChoice::Named(super::Encoding::UTF_8);
        match encoding::decode(bytes.to_vec(), utf_8) {
            Err(ListError::Undecodable { row, column, .. }) => ListError::Mixed { row, column },
            Err(error) => error,
            Ok(_) => ListError::Unclear { readings: Vec::new() },
        }
    }
}

/// Words with letters beyond ASCII, and how many of them no language writes like that.
#[derive(Default)]
struct Words {
    all: usize,
    strange: usize,
    controls: usize,
}

impl Words {
    fn count(text: &str) -> Self {
        let mut words = Self::default();
        for cell in text.split(['\r', '\n', ',', ';', '\t']).filter(|cell| !cell.is_ascii()) {
            words.controls += cell.chars().filter(|c| is_unused(*c)).count();
            for word in cell.split(|c: char| c.is_whitespace() || (c.is_ascii_punctuation() && c != '\'')) {
                // One character is no word in any alphabet's text, and fits any.
                if !word.is_ascii() && word.chars().nth(1).is_some() {
                    words.all += 1;
                    words.strange += usize::from(is_strange(word));
                }
            }
        }
        words
    }

    fn make_sense(&self) -> bool {
        self.controls == 0 && self.strange * 3 <= self.all
    }
}

/// Control characters of C1, private use and noncharacters: text has none.
fn is_unused(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{ffff}')
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    Ascii,
    Latin,
    /// Kanji, kana, Hangul.
    EastAsian,
    HalfWidthKana,
    /// Cyrillic, Greek, Hebrew, Thai, …
    Other,
    /// Quotes and marks that stand at letters.
    Mark,
    Symbol,
}

fn script(c: char) -> Script {
    match c {
        _ if c.is_ascii_alphanumeric() => Script::Ascii,
        '\'' | '’' | '‘' | '“' | '”' | '„' | '«' | '»' | '…' | '¿' | '¡' | '·' | 'º' | 'ª' | '°' | '®' | '™' | '©' => {
            Script::Mark
        }
        '\u{ff66}'..='\u{ff9f}' => Script::HalfWidthKana,
        // Kana, CJK punctuation, Hangul and kanji; full-width forms.
        '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' => {
            Script::EastAsian
        }
        _ if is_full_width(c) => Script::EastAsian,
        _ if !c.is_alphabetic() => Script::Symbol,
        '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => Script::Latin,
        _ => Script::Other,
    }
}

/// Whether a word mixes what no language mixes within a word.
fn is_strange(word: &str) -> bool {
    let characters: Vec<(char, Script)> = word.chars().map(|c| (c, script(c))).collect();
    let count = |wanted: Script| characters.iter().filter(|(_, script)| *script == wanted).count();
    let (ascii, latin) = (count(Script::Ascii), count(Script::Latin));
    // Foreign letters taken for Latin ones: nearly all are accented.
    if latin > 1 && latin * 3 > (latin + ascii) * 2 {
        return true;
    }
    let letters = ascii + latin + count(Script::Other);
    let has_symbols = count(Script::Symbol) > 0;
    // `Pawe³`, `£ukasz`; `—–`.
    (has_symbols && letters > 0)
        || (count(Script::Symbol) > 1 && letters == 0)
        || characters.windows(2).any(|pair| matches!(*pair, [left, right] if are_strange_neighbours(left, right)))
        || has_strange_capital(&characters)
}

fn are_strange_neighbours(left: (char, Script), right: (char, Script)) -> bool {
    let beside_ascii = |script: Script, is: fn(&char) -> bool| {
        let is_pair =
            |one: (char, Script), other: (char, Script)| one.1 == script && other.1 == Script::Ascii && is(&other.0);
        is_pair(left, right) || is_pair(right, left)
    };
    // `…lodie`: these follow a letter, and never begin a word.
    let is_trailing = matches!(left.0, '…' | '°' | 'º' | 'ª' | '®' | '™' | '©') && right.0.is_alphabetic();
    let is_latin = |(_, script): (char, Script)| matches!(script, Script::Ascii | Script::Latin);
    // `H駘鈩e`; but `A社` and `Tシャツ` are words.
    is_trailing
        || beside_ascii(Script::EastAsian, char::is_ascii_lowercase)
        || beside_ascii(Script::HalfWidthKana, char::is_ascii_alphabetic)
        || (left.1 == Script::Other && is_latin(right))
        || (right.1 == Script::Other && is_latin(left))
}

/// Whether letters beyond ASCII are in upper and lower case as in `HŽlne`, `StÈphane` or `АЫі`.
fn has_strange_capital(characters: &[(char, Script)]) -> bool {
    let is_foreign = |script: Script| matches!(script, Script::Latin | Script::Other);
    let inside = characters.windows(2).any(|pair| {
        let [(left, left_script), (right, right_script)] = *pair else { return false };
        (is_foreign(left_script) || is_foreign(right_script)) && left.is_lowercase() && right.is_uppercase()
    });
    let before_lower_case = characters.windows(3).any(|three| {
        let [(left, _), (middle, script), (right, _)] = *three else { return false };
        is_foreign(script) && left.is_alphabetic() && middle.is_uppercase() && right.is_lowercase()
    });
    inside || before_lower_case
}

/// The cells of a text, row by row.
fn cells(text: &str) -> Vec<Vec<String>> {
    let records = Records::new(text, table::delimiter(text), 0, 1);
    records.map(|record| record.cells.into_iter().map(|cell| cell.text.into_owned()).collect()).collect()
}

/// The first cell that the readings show differently, without addresses.
fn samples(readings: &[(&'static Encoding, String)]) -> Vec<Reading> {
    let texts: Vec<Vec<Vec<String>>> = readings.iter().map(|(_, text)| cells(text)).collect();
    let cell =
        |reading: usize, row: usize, column: usize| -> Option<&String> { texts.get(reading)?.get(row)?.get(column) };
    let rows = texts.first().map(Vec::as_slice).unwrap_or_default();
    let mut places = rows.iter().enumerate().flat_map(|(row, cells)| (0..cells.len()).map(move |column| (row, column)));
    let place = places.find(|(row, column)| {
        let found: Vec<&String> = (0..texts.len()).filter_map(|reading| cell(reading, *row, *column)).collect();
        let is_plain = found.iter().all(|text| !text.contains(['@', '＠']) && !text.trim().is_empty());
        is_plain && found.iter().any(|text| !text.is_ascii())
    });
    let sample = |reading| {
        let (row, column) = place?;
        let text = cell(reading, row, column)?;
        Some(text.chars().filter(|c| !c.is_control() && !is_invisible(*c)).take(SAMPLE).collect())
    };
    let each = readings.iter().enumerate();
    each.map(|(reading, (encoding, _))| Reading { encoding: super::Encoding(encoding), sample: sample(reading) })
        .collect()
}

#[cfg(test)]
mod tests {
    use encoding_rs::{BIG5, EUC_JP, EUC_KR, GBK, ISO_2022_JP, SHIFT_JIS, WINDOWS_1250, WINDOWS_1251, WINDOWS_1253};

    use super::*;

    fn bytes(text: &str, encoding: &'static Encoding) -> Vec<u8> {
        let (bytes, _, replaced) = encoding.encode(text);
        assert!(!replaced, "{text}");
        bytes.into_owned()
    }

    fn list(names: &[&str]) -> String {
        names
            .iter()
            .enumerate()
            .fold("email,name\r\n".to_owned(), |list, (n, name)| list + &format!("a{n}@b.jp,{name}\r\n"))
    }

    fn refusal(bytes: &[u8]) -> String {
        encoding(bytes).expect_err("refused").to_string()
    }

    const WESTERN: [&str; 3] = ["Hélène", "Frédéric", "Stéphane"];

    #[test]
    fn the_encoding_is_found_by_the_words_it_makes() {
        let cases: [(&'static Encoding, &[&str]); 19] = [
            (SHIFT_JIS, &["髙橋 ～①ソ"]),
            (SHIFT_JIS, &["佐藤"]),
            (SHIFT_JIS, &["鈴木"]),
            (SHIFT_JIS, &["林"]),
            (SHIFT_JIS, &["ﾀﾅｶ ﾊﾅｺ", "ﾔﾏﾀﾞ ﾀﾛｳ"]),
            (SHIFT_JIS, &["A社", "株式会社Test", "さくら"]),
            (EUC_JP, &["田中 花子", "山田 太郎"]),
            (ISO_2022_JP, &["田中 花子"]),
            (WINDOWS_1252, &WESTERN),
            (WINDOWS_1252, &["Müller", "Jäger"]),
            (WINDOWS_1252, &["João", "Conceição"]),
            (WINDOWS_1252, &["José Pérez"]),
            (WINDOWS_1252, &["Élodie", "Øystein"]),
            (WINDOWS_1252, &["O’Neil", "“x” – 5 €"]),
            (WINDOWS_1250, &["Łukasz Żółć", "Paweł"]),
            (WINDOWS_1251, &["Иван Петров", "Мария"]),
            (WINDOWS_1253, &["Γιώργος"]),
            (BIG5, &["王小明", "陳大文"]),
            (UTF_8, &["髙橋", "Hélène"]),
        ];
        for (expected, names) in cases {
            match encoding(&bytes(&list(names), expected)) {
                Ok(found) => assert_eq!(found.name(), expected.name(), "{names:?}"),
                Err(error) => panic!("{names:?}: {error}"),
            }
        }
    }

    #[test]
    fn two_plausible_readings_are_refused_with_a_sample_in_both() {
        let told = refusal(&bytes(&list(&["Hélène"]), WINDOWS_1252));
        assert!(told.contains("“Hélène” as windows-1252") && told.contains("“Hélčne” as windows-1250"), "{told}");
        let told = refusal(&bytes(&list(&["王小明", "李华"]), GBK));
        assert!(told.contains("“王小明” as GBK") && told.contains("as EUC-JP"), "{told}");
        let told = refusal(&bytes(&list(&["김철수"]), EUC_KR));
        assert!(told.contains("“김철수” as EUC-KR"), "{told}");
        assert!(!told.contains('@'), "no address is shown: {told}");
    }

    #[test]
    fn what_is_no_text_of_one_encoding_is_named() {
        let told = refusal(&bytes(&list(&WESTERN), MACINTOSH));
        assert!(told.contains("“Hélène” as macintosh (Mac Roman)"), "{told}");
        for (encoding, little) in [("UTF-16LE", true), ("UTF-16BE", false)] {
            let units = list(&["佐藤"]).encode_utf16().collect::<Vec<_>>();
            let bytes = units.into_iter().flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() });
            let told = refusal(&bytes.collect::<Vec<_>>());
            assert!(told.contains(encoding) && told.contains("byte order mark"), "{told}");
        }
        for second in [SHIFT_JIS, EUC_JP] {
            let mixed = [list(&["佐藤"]).into_bytes(), bytes("b@b.jp,鈴木\r\nc@b.jp,山田\r\n", second)].concat();
            assert!(refusal(&mixed).contains("row 3, column 2 of the list is not UTF-8"), "{}", refusal(&mixed));
        }
        let mixed = [bytes(&list(&WESTERN), WINDOWS_1252), b"x@b.jp,Jos\xc3\xa9\n".to_vec()].concat();
        assert!(refusal(&mixed).contains("row 2, column 2 of the list is not UTF-8"), "{}", refusal(&mixed));
        assert!(refusal(b"PK\x03\x04\x14\0\x06\0").contains("workbook"));
        assert!(refusal(b"email\0\0\n\0").contains("NUL"));
    }
}
